//! The pages with nothing, something and too much in them.

use crate::{
    base::{ids::ProviderId, secret::Secret},
    domain::connections::{
        Pkce, Provider, ProviderSource, SealedSecret, TemplateParts, elsewhere, preset, presets,
        presets_checked_on,
    },
    protocol::oauth::{client::ClientAuth, document::Facts},
    web::{
        console::providers::{
            change::{EditForm, EditPage},
            list::{ProviderRow, ProvidersPage},
            register::{ChoosePage, NewForm, NewPage, auths, pkces, variables},
            show::{self, ProviderPage},
            words,
        },
        kit::{
            form::FormFaults,
            listing::Listing,
            parts::Crumb,
            samples::{AT, LONG, SHARP, Sample, faults, list, refused_list, sample, shell},
            shell::Base,
        },
    },
};

fn of_preset(slug: &str) -> ProviderSource {
    let variables = preset(slug).into_iter().flat_map(|preset| &preset.variables);
    let variables = variables.filter_map(|one| Some((one.name.clone(), one.default.clone()?)));
    ProviderSource::Preset { slug: slug.to_owned(), variables: variables.collect() }
}

fn own() -> ProviderSource {
    let url = |text: &str| text.parse().expect("a URL");
    ProviderSource::Own(TemplateParts {
        authorize: url("https://id.example.com/authorize"),
        token: url("https://id.example.com/token"),
        revoke: Some(url("https://id.example.com/revoke")),
        userinfo: None,
        issuer: Some("https://id.example.com".to_owned()),
        names_itself: true,
        client_auth: ClientAuth::Basic,
        pkce: Pkce::Required,
        is_openid: true,
    })
}

fn provider(source: ProviderSource, name: &str, is_off: bool) -> Provider {
    let sealed =
        SealedSecret { key: crate::base::ids::DataKeyId::fresh(), bytes: Vec::new(), changed_at: AT };
    Provider {
        id: ProviderId::fresh(),
        slug: "gitlab".parse().expect("a slug"),
        name: name.to_owned(),
        source,
        client_id: name.to_owned(),
        secret: Some(sealed).filter(|_| !is_off),
        scopes: words::scopes(name),
        user_scopes: Vec::new(),
        created_by: None,
        created_at: AT,
        updated_at: AT,
        disabled_at: Some(AT).filter(|_| is_off),
        version: 3,
    }
}

fn one(provider: Provider, faults: FormFaults, can_write: bool) -> ProviderPage {
    let preset = provider.preset();
    ProviderPage {
        shell: shell(Base::Organization, "GitLab"),
        crumbs: vec![Crumb::to("Providers", "/o/acme/providers")],
        href: "/o/acme/providers/gitlab".into(),
        delete_title: "Delete GitLab?".into(),
        delete_action: "/o/acme/providers/gitlab/delete".into(),
        created_by: LONG.into(),
        callback: format!("https://portreeve.example/oauth/callback/{}", provider.id),
        kind: words::kind(&provider),
        variables: show::variables(&provider),
        secret_age: words::age(400),
        doubts: preset.map(words::unverified).unwrap_or_default(),
        preset,
        checked_on: presets_checked_on(),
        provider,
        faults,
        can_write,
    }
}

fn new(of: &str, faults: FormFaults) -> NewPage {
    let chosen = preset(of);
    let form = NewForm {
        id: ProviderId::fresh().to_string(),
        of: of.to_owned(),
        name: LONG.into(),
        client_id: SHARP.into(),
        client_secret: Secret::new("never shown".to_owned()),
        scopes: LONG.into(),
        variables: Facts::new(),
        ..NewForm::default()
    };
    NewPage {
        shell: shell(Base::Organization, "Add a provider"),
        crumbs: Vec::new(),
        action: "/o/acme/providers/new".into(),
        callback: "https://portreeve.example/oauth/callback/prv_x".into(),
        chosen,
        doubts: chosen.map(words::unverified).unwrap_or_default(),
        variables: chosen.map(|preset| variables(preset, &form)).unwrap_or_default(),
        auths: auths("post"),
        pkces: pkces("sent"),
        form,
        faults,
    }
}

/// All of them.
pub(in crate::web::console) fn samples() -> Vec<Sample> {
    let base = "/o/acme/providers";
    let page = |count: usize, q: &str, list| ProvidersPage {
        shell: shell(Base::Organization, "Providers"),
        base: base.into(),
        q: q.into(),
        rows: (0..count).map(|n| ProviderRow::new(base, &provider(own(), LONG, n % 2 == 1))).collect(),
        list,
        can_write: count < 50,
    };
    let choose = |q: &str, count: usize| ChoosePage {
        shell: shell(Base::Organization, "Add a provider"),
        crumbs: Vec::new(),
        action: "/o/acme/providers/new".into(),
        q: q.into(),
        presets: presets().iter().take(count).collect(),
        elsewhere: elsewhere().iter().take(usize::from(count == 0)).collect(),
    };
    let edit = |name: &str, faults| EditPage {
        shell: shell(Base::Organization, "Change GitLab"),
        crumbs: Vec::new(),
        href: "/o/acme/providers/gitlab".into(),
        tells_apart: !name.is_empty(),
        form: EditForm { name: name.into(), scopes: name.into(), ..EditForm::default() },
        faults,
    };
    let all = || {
        let fields = ["", "name", "slug", "client_id", "client_secret", "scopes", "user_scopes", "variables"];
        let own =
            ["issuer", "authorize_url", "token_url", "revoke_url", "userinfo_url", "client_auth", "pkce"];
        let pairs: Vec<_> = fields.into_iter().chain(own).map(|field| (field, "no")).collect();
        faults(&pairs)
    };
    vec![
        sample("providers: none", &page(0, "", Listing::default())),
        sample("providers: none matches", &page(0, SHARP, refused_list("q"))),
        sample("providers: some", &page(3, "", Listing::default())),
        sample("providers: many", &page(50, "", list())),
        sample("provider, choose: none matches", &choose(SHARP, 0)),
        sample("provider, choose", &choose("", 53)),
        sample("provider, new: of a preset", &new("gitlab", FormFaults::default())),
        sample("provider, new: of a preset, refused", &new("slack", all())),
        sample("provider, new: by addresses", &new("custom", FormFaults::default())),
        sample("provider, new: by addresses, refused", &new("custom", all())),
        sample("provider, new: by issuer", &new("issuer", all())),
        sample(
            "provider: of a preset",
            &one(provider(of_preset("gitlab"), "GitLab", false), FormFaults::default(), true),
        ),
        sample(
            "provider: refused",
            &one(provider(own(), LONG, false), faults(&[("client_secret", "no")]), true),
        ),
        sample(
            "provider: off, to read",
            &one(provider(of_preset("gone"), SHARP, true), FormFaults::default(), false),
        ),
        sample("provider, change: empty", &edit("", FormFaults::default())),
        sample("provider, change: refused", &edit(SHARP, all())),
    ]
}
