//! A new provider: of a preset, by its issuer, or by its addresses.

use askama::Template;
use axum::{extract::Query, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{ids::ProviderId, permission::Permission, secret::Secret},
    domain::connections::{
        Elsewhere, Obtaining, Pkce, Preset, ProviderForm, Variable, VariableSource, preset,
    },
    flow::actions::providers::{self, ProviderInput},
    protocol::oauth::{client::ClientAuth, document::Facts},
    web::{
        console::{
            providers::{crumb, href, list_href, words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The words for providers that have no preset.
const CUSTOM: &str = "custom";
const ISSUER: &str = "issuer";
const CLIENT: &str = "client_credentials";
const KEY: &str = "api_key";
const WITHOUT_PRESET: [&str; 4] = [CUSTOM, ISSUER, CLIENT, KEY];

/// The choice of a preset.
#[derive(Template)]
#[template(path = "console/providers/choose.html")]
struct ChoosePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    q: String,
    presets: Vec<&'static Preset>,
    elsewhere: Vec<&'static Elsewhere>,
}

/// The form.
#[derive(Template)]
#[template(path = "console/providers/new.html")]
struct NewPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    callback: String,
    /// Where the keys of a client that signs are read.
    keys: String,
    chosen: Option<&'static Preset>,
    doubts: String,
    variables: Vec<VariableField>,
    auths: Vec<Choice>,
    pkces: Vec<Choice>,
    form: NewForm,
    faults: FormFaults,
}

impl NewPage {
    fn is_custom(&self) -> bool {
        self.form.of == CUSTOM
    }

    fn is_client(&self) -> bool {
        self.form.of == CLIENT
    }

    fn is_key(&self) -> bool {
        self.form.of == KEY
    }

    /// Whether somebody signs in there and comes back.
    fn has_callback(&self) -> bool {
        !self.is_client() && !self.is_key()
    }

    /// Whether the client may sign with a key in place of showing a secret.
    fn may_sign(&self) -> bool {
        self.chosen.is_none() && !self.is_key()
    }

    fn needs_secret(&self) -> bool {
        self.chosen.is_some_and(|preset| preset.client_auth.shows_secret())
    }

    fn secret_hint(&self) -> &'static str {
        if self.needs_secret() {
            "It is sealed when it is stored, and never shown again."
        } else {
            "It is sealed when it is stored, and never shown again. A client that signs, or a public one, has none."
        }
    }

    fn tells_apart(&self) -> bool {
        self.chosen.is_some_and(|preset| preset.user_scope_parameter.is_some())
    }

    fn more_scopes(&self) -> String {
        let more = self.chosen.map(|preset| words::typed(&preset.more_scopes)).unwrap_or_default();
        if more.is_empty() {
            "With spaces between. Ask for no more than the tools need.".to_owned()
        } else {
            format!("With spaces between; often wanted too: {more}")
        }
    }
}

/// One gap of a preset's addresses.
struct VariableField {
    name: String,
    label: String,
    help: &'static str,
    value: String,
}

#[derive(Deserialize)]
pub(super) struct NewQuery {
    #[serde(default)]
    of: String,
    #[serde(default)]
    q: String,
}

/// What was typed. A preset has fields of its own, so the form is read pair by pair.
#[derive(Clone, Default)]
pub(super) struct NewForm {
    id: String,
    /// A preset, or one of the words for none.
    of: String,
    name: String,
    slug: String,
    client_id: String,
    client_secret: Secret<String>,
    scopes: String,
    user_scopes: String,
    issuer: String,
    authorize_url: String,
    token_url: String,
    revoke_url: String,
    userinfo_url: String,
    client_auth: String,
    pkce: String,
    resource: String,
    audience: String,
    keys_url: String,
    variables: Facts,
}

impl NewForm {
    /// An empty form with the id that its provider will have: the callback can be registered before anything is stored.
    fn fresh(of: &str) -> Self {
        let chosen = preset(of);
        Self {
            id: ProviderId::fresh().to_string(),
            of: of.to_owned(),
            name: chosen.map(|preset| preset.name.clone()).unwrap_or_default(),
            scopes: chosen.map(|preset| words::typed(&preset.scopes)).unwrap_or_default(),
            client_auth: match of {
                CUSTOM | CLIENT => ClientAuth::Post.as_str().to_owned(),
                _ => String::new(),
            },
            pkce: if of == CUSTOM { Pkce::Sent.as_str().to_owned() } else { String::new() },
            ..Self::default()
        }
    }

    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "id" => form.id = value,
                "of" => form.of = value,
                "name" => form.name = value,
                "slug" => form.slug = value,
                "client_id" => form.client_id = value,
                "client_secret" => form.client_secret = Secret::new(value),
                "scopes" => form.scopes = value,
                "user_scopes" => form.user_scopes = value,
                "issuer" => form.issuer = value,
                "authorize_url" => form.authorize_url = value,
                "token_url" => form.token_url = value,
                "revoke_url" => form.revoke_url = value,
                "userinfo_url" => form.userinfo_url = value,
                "client_auth" => form.client_auth = value,
                "pkce" => form.pkce = value,
                "resource" => form.resource = value,
                "audience" => form.audience = value,
                "keys_url" => form.keys_url = value,
                name => {
                    if let Some(name) = name.strip_prefix("variable-") {
                        form.variables.insert(name.to_owned(), value);
                    }
                }
            }
        }
        form
    }

    fn input(&self) -> ProviderInput {
        let has_preset = !WITHOUT_PRESET.contains(&self.of.as_str());
        let kind = if self.of == CLIENT || self.of == KEY { self.of.clone() } else { String::new() };
        let scopes = words::scopes(&self.scopes);
        ProviderInput {
            id: self.id.parse().ok(),
            form: ProviderForm {
                slug: self.slug.clone(),
                name: self.name.clone(),
                preset: if has_preset { self.of.clone() } else { String::new() },
                variables: self.variables.clone(),
                kind,
                resource: self.resource.clone(),
                audience: self.audience.clone(),
                keys_url: self.keys_url.clone(),
                issuer: self.issuer.clone(),
                authorize_url: self.authorize_url.clone(),
                token_url: self.token_url.clone(),
                revoke_url: self.revoke_url.clone(),
                userinfo_url: self.userinfo_url.clone(),
                client_auth: self.client_auth.clone(),
                pkce: self.pkce.clone(),
                client_id: self.client_id.clone(),
                client_secret: Some(self.client_secret.clone()),
                // One that describes itself says what can be asked for, if nothing was typed.
                scopes: Some(scopes).filter(|scopes| self.of != ISSUER || !scopes.is_empty()),
                user_scopes: words::scopes(&self.user_scopes),
            },
        }
    }
}

pub(super) async fn new(ask: OrgPage, Query(query): Query<NewQuery>) -> PageResult {
    ask.cx.require(Permission::ProvidersWrite)?;
    let is_known = WITHOUT_PRESET.contains(&query.of.as_str()) || preset(&query.of).is_some();
    if is_known {
        return form_page(&ask, StatusCode::OK, NewForm::fresh(&query.of), FormFaults::default()).await;
    }
    let q: String = query.q.trim().chars().filter(|c| !c.is_control()).take(100).collect();
    let page = ChoosePage {
        shell: shell_of::org(&ask, "Add a provider").await?,
        crumbs: vec![crumb(&ask)],
        action: format!("{}/new", list_href(&ask)),
        presets: providers::choices(&ask.cx, Some(&q))?,
        elsewhere: providers::not_here(&ask.cx, &q)?,
        q,
    };
    page_with(StatusCode::OK, &page)
}

pub(super) async fn create(ask: OrgPage, Form(pairs): Form<Vec<(String, String)>>) -> PageResult {
    let form = NewForm::of(pairs);
    match providers::register(&ask.cx, &form.input()).await {
        Ok(provider) => {
            let then = match provider.obtaining() {
                Obtaining::SignIn => "Check that its callback address stands there too.",
                Obtaining::Client => "Connect it now, for everybody or for a team.",
                Obtaining::Key => "People connect it with keys that they make there.",
            };
            let toast = Toast::say(format!("{} was registered. {then}", provider.name));
            Ok(go_saying(&href(&ask, &provider), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            form_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn form_page(ask: &OrgPage, status: StatusCode, mut form: NewForm, faults: FormFaults) -> PageResult {
    let chosen = preset(&form.of);
    let id = form.id.parse().unwrap_or_else(|_| ProviderId::fresh());
    form.id = id.to_string();
    let title = match (chosen, form.of.as_str()) {
        (Some(preset), _) => format!("Add {}", preset.name),
        (None, CLIENT) => "Add a client's own access".to_owned(),
        (None, KEY) => "Add a provider with keys".to_owned(),
        (None, _) => "Add a custom provider".to_owned(),
    };
    let mut shell = shell_of::org(ask, title).await?;
    shell.has_faults = !faults.is_empty();
    let action = format!("{}/new", list_href(ask));
    let page = NewPage {
        shell,
        crumbs: vec![crumb(ask), Crumb::to("Add a provider", action.clone())],
        action,
        callback: providers::callback_of(&ask.cx, id),
        keys: providers::keys_of(&ask.cx, id),
        chosen,
        doubts: chosen.map(words::unverified).unwrap_or_default(),
        variables: chosen.map(|preset| variables(preset, &form)).unwrap_or_default(),
        auths: auths(&form.of, &form.client_auth),
        pkces: pkces(&form.pkce),
        form,
        faults,
    };
    page_with(status, &page)
}

fn variables(preset: &'static Preset, form: &NewForm) -> Vec<VariableField> {
    let asked = preset.variables.iter().filter(|variable| variable.source == VariableSource::Asked);
    let field = |variable: &'static Variable| VariableField {
        name: format!("variable-{}", variable.name),
        label: words::capital(&variable.label),
        help: &variable.help,
        value: form
            .variables
            .get(&variable.name)
            .cloned()
            .or_else(|| variable.default.clone())
            .unwrap_or_default(),
    };
    asked.map(field).collect()
}

/// How a client may prove itself, at a provider without a preset.
fn auths(of: &str, chosen: &str) -> Vec<Choice> {
    let as_it_says = ("", "As the provider says", "With the secret, in the header or in the body.");
    let post = (ClientAuth::Post.as_str(), "In the body", "Id and secret stand in the form; most take this.");
    let basic =
        (ClientAuth::Basic.as_str(), "In the header", "Id and secret stand in the Authorization header.");
    let signs = (
        ClientAuth::PrivateKeyJwt.as_str(),
        "Signed with a key",
        "Portreeve makes a key, which takes the secret's place (private_key_jwt with ES256).",
    );
    let none = (ClientAuth::None.as_str(), "Not at all", "A public client, which has no secret.");
    let all = match of {
        ISSUER => vec![as_it_says, signs],
        CLIENT => vec![post, basic, signs],
        _ => vec![post, basic, signs, none],
    };
    let choice = |(value, label, hint)| Choice::new(value, label).hint(hint).chosen_by(chosen);
    all.into_iter().map(choice).collect()
}

fn pkces(chosen: &str) -> Vec<Choice> {
    let all = [
        (Pkce::Sent, "Sent; a provider that does not know it passes it over"),
        (Pkce::Required, "Required"),
        (Pkce::Off, "Off, because the provider refuses it"),
    ];
    all.map(|(pkce, label)| Choice::new(pkce.as_str(), label).chosen_by(chosen)).into()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::connections::{elsewhere, presets};
    use crate::web::console::providers::samples::all_wrong;
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let choose = |q: &str, count: usize| ChoosePage {
        shell: shell(Base::Organization, "Add a provider"),
        crumbs: Vec::new(),
        action: "/o/acme/providers/new".into(),
        q: q.into(),
        presets: presets().iter().take(count).collect(),
        elsewhere: elsewhere().iter().take(usize::from(count == 0)).collect(),
    };
    let new = |of: &str, faults| {
        let chosen = preset(of);
        let form = NewForm {
            name: LONG.into(),
            client_id: SHARP.into(),
            client_secret: Secret::new("never shown".to_owned()),
            scopes: LONG.into(),
            ..NewForm::fresh(of)
        };
        NewPage {
            shell: shell(Base::Organization, "Add a provider"),
            crumbs: Vec::new(),
            action: "/o/acme/providers/new".into(),
            callback: "https://portreeve.example/oauth/callback/prv_x".into(),
            keys: "https://portreeve.example/oauth/clients/prv_x/jwks.json".into(),
            chosen,
            doubts: chosen.map(words::unverified).unwrap_or_default(),
            variables: chosen.map(|preset| variables(preset, &form)).unwrap_or_default(),
            auths: auths(of, "post"),
            pkces: pkces("sent"),
            form,
            faults,
        }
    };
    vec![
        sample("provider, choose: none matches", &choose(SHARP, 0)),
        sample("provider, choose", &choose("", 53)),
        sample("provider, new: of a preset", &new("gitlab", FormFaults::default())),
        sample("provider, new: of a preset, refused", &new("slack", all_wrong())),
        sample("provider, new: by addresses", &new(CUSTOM, FormFaults::default())),
        sample("provider, new: by addresses, refused", &new(CUSTOM, all_wrong())),
        sample("provider, new: by issuer", &new(ISSUER, all_wrong())),
        sample("provider, new: client", &new(CLIENT, FormFaults::default())),
        sample("provider, new: client, refused", &new(CLIENT, all_wrong())),
        sample("provider, new: key", &new(KEY, FormFaults::default())),
        sample("provider, new: key, refused", &new(KEY, all_wrong())),
    ]
}
