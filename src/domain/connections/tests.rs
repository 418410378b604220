//! Every preset against what is written in `tests/providers`; UPDATE_SNAPSHOTS=1 writes `golden.txt` anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
};

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use url::Url;

use crate::{
    base::secret::Secret,
    domain::connections::{
        Account, Ask, Audience, ClientParts, Pkce, Preset, Refreshing, Template, TemplateParts,
        VariableSource, elsewhere, preset, presets,
    },
    protocol::oauth::{
        address::Rule,
        answer::{TokenAnswer, Tokens},
        authorize::is_reserved,
        client::{Client, ClientAuth},
        document::{Document, Facts},
        failure::FailureKind,
        proof::{State, Verifier},
        request::Request,
    },
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/providers/golden.txt");
const REDIRECT: &str = "https://portreeve.example/oauth/callback/prv_1";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    answer: String,
    #[serde(default)]
    documents: Vec<String>,
    #[serde(default)]
    claims: Option<String>,
    #[serde(default)]
    callback: Facts,
    #[serde(default)]
    variables: Facts,
    #[serde(default)]
    user_scopes: Vec<String>,
}

fn recorded() -> BTreeMap<String, Recorded> {
    toml::from_str(include_str!("../../../tests/providers/answers.toml")).expect("answers as a table")
}

fn client() -> Client {
    Client { id: "client-1".to_owned(), secret: Some("s3cret".to_owned().into()) }
}

fn shown(request: &Request) -> String {
    let mut text = format!("{} {}", request.method.as_str(), request.url.expose());
    for (name, value) in &request.headers {
        let value = value.expose();
        let pair = value.strip_prefix("Basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
        let value = pair.map_or(value.clone(), |pair| format!("Basic ({})", String::from_utf8_lossy(&pair)));
        write!(text, "\n    {name}: {value}").expect("memory");
    }
    let body = String::from_utf8_lossy(request.body.expose()).into_owned();
    if !body.is_empty() {
        write!(text, "\n    {body}").expect("memory");
    }
    text
}

fn of_tokens(tokens: &Tokens) -> String {
    let mut text = tokens.access.expose().clone();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(text, " {name}={value}").expect("memory");
        }
    };
    add("refresh", tokens.refresh.as_ref().map(|refresh| refresh.expose().clone()));
    add("expires_in", tokens.expires_in.map(|seconds| seconds.to_string()));
    add("refresh_expires_in", tokens.refresh_expires_in.map(|seconds| seconds.to_string()));
    add("scopes", tokens.scopes.as_ref().map(|scopes| format!("{scopes:?}")));
    text
}

/// Everything that is asked of one provider and read from it.
fn story(preset: &Preset, recorded: &Recorded) -> String {
    let template = Template::of_preset(preset, &recorded.variables).expect("good variables");
    let (client, code) = (client(), Secret::new("c0de".to_owned()));
    let (state, nonce, verifier) =
        (State::of_random([1; 32]), State::of_random([2; 32]), Verifier::of_random([3; 32]));
    let ask = Ask {
        client_id: &client.id,
        redirect_uri: REDIRECT,
        scopes: &preset.scopes,
        user_scopes: &recorded.user_scopes,
        state: &state,
        nonce: &nonce,
        verifier: &verifier,
    };
    let mut lines = vec![
        format!("# {}", preset.slug),
        format!("authorize {}", template.authorize_url(&ask).expect("people agree")),
    ];
    lines.push(format!("exchange {}", shown(&template.exchange(&client, &code, REDIRECT, &verifier))));
    let claims = recorded.claims.clone().unwrap_or_else(|| "{}".to_owned());
    let claims = claims.replace('}', r#","aud":"client-1","exp":2000}"#).replace("{,", "{");
    let answer = recorded.answer.replace("ID_TOKEN", &format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)));
    let answer = template.read(200, answer.as_bytes()).expect("tokens");
    lines.push(format!("tokens {}", of_tokens(&answer.tokens)));
    lines.extend(answer.second.as_ref().map(|second| format!("second {}", of_tokens(second))));
    lines.extend(about(&template, recorded, &client, &answer));
    let (nothing, text) = (Verifier::of_kept("none".to_owned().into()), lines.join("\n"));
    let text = text.replace(state.text().expose(), "STATE").replace(&verifier.challenge(), "CHALLENGE");
    text.replace(verifier.text().expose(), "VERIFIER").replace(nothing.text().expose(), "none")
}

fn about(template: &Template, recorded: &Recorded, client: &Client, answer: &TokenAnswer) -> Vec<String> {
    let mut lines = Vec::new();
    let claims = answer.id_token.as_ref();
    let nonce = State::of_random([2; 32]);
    let claims = claims.map(|token| template.claims(token, client, &nonce, 1_000));
    let claims =
        claims.and_then(|claims| if recorded.claims.is_some() { Some(claims.expect("good")) } else { None });
    let facts = template.facts(&answer.rest, &recorded.callback);
    if !facts.is_empty() {
        lines.push(format!("keeps {facts:?}"));
    }
    if let Some(refresh) = &answer.tokens.refresh {
        let scopes = answer.tokens.scopes.clone().unwrap_or_default();
        lines.push(format!("refresh {}", shown(&template.refresh(client, refresh, &scopes, REDIRECT))));
    }
    let refresh = answer.tokens.refresh.as_ref();
    let account = Account { client, access: &answer.tokens.access, refresh, facts: &facts };
    lines.extend(
        template.lengthen(&account).expect("filled").iter().map(|one| format!("lengthen {}", shown(one))),
    );
    let asked = template.account(&account).expect("filled");
    assert_eq!(asked.len(), recorded.documents.len(), "a document for each request");
    lines.extend(asked.iter().map(|request| format!("account {}", shown(request))));
    let documents: Vec<_> =
        recorded.documents.iter().map(|text| Document::read(text.as_bytes()).expect("JSON")).collect();
    let label = template.label(&documents, &answer.rest, claims.as_ref(), &recorded.callback);
    lines.push(format!("label {:?}", label.expect("an account")));
    let revoke = template.revoke(&account).expect("filled");
    lines.push(
        revoke.map_or("revoke: by its owner".to_owned(), |request| format!("revoke {}", shown(&request))),
    );
    lines
}

#[test]
#[expect(clippy::disallowed_methods, reason = "only a test that writes its own snapshot asks for this")]
fn every_preset_asks_and_reads_as_written_down() {
    let recorded = recorded();
    let slugs: BTreeSet<_> = presets().iter().map(|preset| preset.slug.as_str()).collect();
    assert_eq!(slugs, recorded.keys().map(String::as_str).collect(), "an answer for each preset");
    let stories: Vec<_> = presets().iter().map(|preset| story(preset, &recorded[&preset.slug])).collect();
    let text = stories.join("\n\n") + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(GOLDEN, &text).expect("written");
    }
    let golden = fs::read_to_string(GOLDEN).expect("a snapshot");
    for (now, then) in text.split("\n\n").zip(golden.split("\n\n")) {
        assert_eq!(now, then);
    }
    assert_eq!(text, golden);
}

#[test]
fn the_file_holds_what_it_should_and_says_it_well() {
    assert_eq!((presets().len(), elsewhere().len()), (53, 1));
    assert!(presets().iter().map(|preset| &preset.slug).is_sorted_by(|a, b| a < b));
    let day = time::macros::format_description!("[year]-[month]-[day]");
    for one in presets() {
        assert!(time::Date::parse(one.checked_on(), day).is_ok(), "{}", one.slug);
        assert!(one.slug.parse::<crate::base::slug::Slug>().is_ok(), "{}", one.slug);
        let sentences = one.notes.iter().chain(&one.unconfirmed);
        for sentence in sentences.chain(one.variables.iter().map(|variable| &variable.help)) {
            assert!(sentence.is_empty() || sentence.ends_with('.') && sentence.len() <= 220, "{sentence}");
        }
        let once: BTreeSet<_> = one.unverified.iter().map(|fact| fact.words()).collect();
        assert_eq!(once.len(), one.unverified.len(), "{}", one.slug);
        assert!(!one.keeps.iter().any(crate::protocol::oauth::document::Path::is_of_secret), "{}", one.slug);
        let given = [&one.authorize_parameters, &one.token_parameters, &one.refresh_parameters];
        assert!(!given.iter().flat_map(|map| map.keys()).any(|name| is_reserved(name)), "{}", one.slug);
        // Whoever cannot be told to end a connection is named with what its owner does instead.
        let says = one.notes.iter().any(|note| note.contains("way to end"));
        assert_eq!(one.revoke.is_none(), says, "{}", one.slug);
        if one.refreshing == Refreshing::None {
            assert!(one.refresh.is_none() && one.refresh_repeats.is_empty(), "{}", one.slug);
        }
    }
    assert!(
        preset("github").is_some_and(|github| github.is_found_by("PULL request"))
            && preset("nobody").is_none()
    );
    assert!(!preset("github").expect("there").is_found_by("pull calendar"));
}

#[test]
fn every_gap_is_filled_from_somewhere_and_every_open_host_has_a_rule() {
    let runtime = ["client_id", "client_secret", "access_token", "refresh_token", "token"];
    for one in presets() {
        let calls = one.account.iter().chain(&one.revoke).chain(&one.lengthen);
        let addresses = [&one.authorize, &one.token].into_iter().chain(&one.refresh).chain(&one.settings);
        for address in addresses.clone() {
            let asked = |name: &str| {
                one.variables.iter().any(|known| known.name == name && known.source == VariableSource::Asked)
            };
            assert!(address.gaps().all(asked), "{}: {address}", one.slug);
        }
        for address in addresses.chain(calls.map(|call| &call.url)) {
            let is_known = |name: &str| {
                runtime.contains(&name) || one.variables.iter().any(|variable| variable.name == name)
            };
            assert!(address.gaps().all(is_known), "{}: {address}", one.slug);
            assert!(!address.has_open_host() || one.host_rule.is_some(), "{}: {address}", one.slug);
        }
        for variable in &one.variables {
            assert!(
                variable.default.as_ref().is_none_or(|value| variable.rule.admits(value)),
                "{}",
                one.slug
            );
        }
    }
}

#[test]
fn whoever_ends_it_by_hand_is_shown_where() {
    let nowhere = presets().iter().filter(|one| one.revoke.is_none() && one.settings.is_none());
    let nowhere: Vec<_> = nowhere.map(|one| one.slug.as_str()).collect();
    assert_eq!(nowhere, ["front", "monday", "pagerduty", "pipedrive", "typeform"], "no address is known");
    let gitlab = preset("gitlab").expect("a preset");
    let template = Template::of_preset(gitlab, &entered(gitlab, "git.acme.example")).expect("a host");
    let page = "https://git.acme.example/-/user_settings/applications";
    assert_eq!(template.settings().map(Url::as_str), Some(page));
}

fn entered(one: &Preset, value: &str) -> Facts {
    let asked = one.variables.iter().filter(|variable| variable.source == VariableSource::Asked);
    asked.map(|variable| (variable.name.clone(), value.to_owned())).collect()
}

fn host(url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    assert!(url.scheme() == "https" && url.username().is_empty() && url.port().is_none(), "{url}");
    url.host_str().expect("a host").to_owned()
}

/// Every host that a preset calls with this value in its gaps, and what the rule says of them.
fn hosts(one: &Preset, value: &str) -> Vec<(String, bool)> {
    let client = client();
    let (token, facts) =
        (Secret::new("t".to_owned()), Facts::from([("api_domain".to_owned(), value.to_owned())]));
    let account = Account { client: &client, access: &token, refresh: Some(&token), facts: &facts };
    let Ok(template) = Template::of_preset(one, &entered(one, value)) else { return Vec::new() };
    let (authorize, exchange) = template.endpoints();
    let authorize = authorize.expect("people agree");
    let mut found = vec![(host(authorize.as_str()), &one.authorize), (host(exchange.as_str()), &one.token)];
    let requests = template.account(&account).into_iter().flatten();
    found.extend(requests.zip(&one.account).map(|(request, call)| (host(request.url.expose()), &call.url)));
    let revoke = template.revoke(&account).ok().flatten();
    found.extend(
        revoke.iter().zip(&one.revoke).map(|(request, call)| (host(request.url.expose()), &call.url)),
    );
    let admits = |host: &str, rule: &Option<Rule>| rule.as_ref().is_some_and(|rule| rule.admits(host));
    let judged = found.into_iter().map(|(host, address)| {
        let is_good = address.host().map_or_else(|| admits(&host, &one.host_rule), |fixed| fixed == host);
        (host, is_good)
    });
    judged.collect()
}

#[test]
fn values_that_lead_elsewhere_are_refused() {
    for (slug, value) in [
        ("salesforce", "evil.example"),
        ("salesforce", "login.salesforce.com.evil.example"),
        ("salesforce", "evil.example/login.salesforce.com"),
        ("salesforce", "evil.example#.my.salesforce.com"),
        ("salesforce", "evil.example?.my.salesforce.com"),
        ("shopify", "evil.example/"),
        ("shopify", "evil.example#"),
        ("shopify", ""),
        ("zendesk", "acme.evil"),
        ("auth0", "acme.evil.example"),
        ("docusign", "account-d.docusign.com.evil.example"),
        ("gitlab", "127.0.0.1"),
        ("gitlab", "2130706433"),
        ("gitlab", "localhost"),
        ("gitlab", "git.acme.example:22"),
        ("microsoft", "../../evil"),
        ("microsoft", ".."),
        ("sentry", "evil.sentry.io.example"),
        ("intercom", "app.intercom.com"),
    ] {
        let one = preset(slug).expect("a preset");
        assert!(Template::of_preset(one, &entered(one, value)).is_err(), "{slug}: {value}");
    }
    let github = preset("github").expect("a preset");
    let unknown = Facts::from([("host".to_owned(), "x".to_owned())]);
    assert!(Template::of_preset(github, &unknown).is_err(), "a variable that it does not have");
}

#[test]
fn an_address_that_comes_with_a_token_is_held_to_its_rule() {
    let one = preset("pipedrive").expect("a preset");
    let template = Template::of_preset(one, &Facts::new()).expect("no variables are asked");
    for (said, kept) in [
        ("https://acme.pipedrive.com", Some("acme.pipedrive.com")),
        ("acme.pipedrive.com/", Some("acme.pipedrive.com")),
        ("https://evil.example/.pipedrive.com", None),
        ("https://pipedrive.com.evil.example", None),
        ("http://acme.pipedrive.com", None),
    ] {
        let answer = format!(r#"{{"access_token":"a","api_domain":"{said}"}}"#);
        let answer = template.read(200, answer.as_bytes()).expect("tokens");
        let facts = template.facts(&answer.rest, &Facts::new());
        assert_eq!(facts.get("api_domain").map(String::as_str), kept, "{said}");
        let client = client();
        let account =
            Account { client: &client, access: &answer.tokens.access, refresh: None, facts: &facts };
        assert_eq!(template.account(&account).is_ok(), kept.is_some(), "{said}");
    }
}

proptest! {
    #[test]
    fn no_value_leads_to_a_host_outside_the_rule(value in "\\PC{1,30}", odd in "[a-z0-9./@:#?%\\\\_-]{1,30}", of in 0usize..53) {
        let one = &presets()[of];
        let near = one.host_rule.as_ref().and(one.variables.first()).and_then(|known| known.default.clone());
        let near = near.unwrap_or_else(|| "acme".to_owned());
        for value in [value.clone(), odd.clone(), format!("{near}{odd}"), format!("{odd}{near}"), format!("{odd}.{near}")] {
            for (host, is_good) in hosts(one, &value) {
                prop_assert!(is_good, "{}: {value:?} leads to {host}", one.slug);
            }
        }
    }
}

#[test]
fn a_client_that_signs_does_so_wherever_it_would_show_its_secret() {
    let url = |text: &str| Url::parse(text).expect("a URL");
    let parts = ClientParts {
        token: url("https://id.example/token"),
        revoke: Some(url("https://id.example/revoke")),
        client_auth: ClientAuth::PrivateKeyJwt,
        resource: None,
        audience: None,
    };
    let template = Template::of_client(&parts);
    assert_eq!(template.audience(), "https://id.example/token");
    let client = Client { id: "client-1".to_owned(), secret: Some("signed".to_owned().into()) };
    let (token, none) = (Secret::new("t".to_owned()), Facts::new());
    let account = Account { client: &client, access: &token, refresh: None, facts: &none };
    let verifier = Verifier::of_random([3; 32]);
    for request in [
        template.exchange(&client, &token, REDIRECT, &verifier),
        template.refresh(&client, &token, &[], REDIRECT),
        template.client_credentials(&client, &[]),
        template.revoke(&account).expect("filled").expect("it can be ended"),
    ] {
        let shown = shown(&request);
        assert!(shown.contains("client_id=client-1&client_assertion_type=urn"), "{shown}");
        assert!(
            shown.ends_with("client_assertion=signed") && !shown.contains("    authorization:"),
            "{shown}"
        );
    }
    // A preset may say that it is for the provider by its own name.
    let google = preset("google").expect("a preset");
    let signing =
        Preset { client_auth: ClientAuth::PrivateKeyJwt, assertions_for: Audience::Issuer, ..google.clone() };
    let template = Template::of_preset(&signing, &Facts::new()).expect("no variables are asked");
    assert_eq!(
        (template.client_auth(), template.audience()),
        (ClientAuth::PrivateKeyJwt, "https://accounts.google.com")
    );
    for one in presets().iter().filter(|one| one.assertions_for == Audience::Issuer) {
        assert!(one.issuer.is_some(), "{}", one.slug);
    }
}

#[test]
fn a_provider_that_describes_itself_is_spoken_with_as_it_says() {
    let url = |text: &str| Url::parse(text).expect("a URL");
    let parts = TemplateParts {
        authorize: url("https://id.example/authorize"),
        token: url("https://id.example/token"),
        revoke: Some(url("https://id.example/revoke")),
        userinfo: None,
        issuer: Some("https://id.example".to_owned()),
        names_itself: true,
        client_auth: ClientAuth::Basic,
        pkce: Pkce::Required,
        is_openid: true,
        resource: Some("https://mcp.example".to_owned()),
    };
    let template = Template::of_parts(&parts);
    let (state, nonce, verifier) =
        (State::of_random([1; 32]), State::of_random([2; 32]), Verifier::of_random([3; 32]));
    let scopes = ["openid".to_owned()];
    let ask = Ask {
        client_id: "c",
        redirect_uri: REDIRECT,
        scopes: &scopes,
        user_scopes: &[],
        state: &state,
        nonce: &nonce,
        verifier: &verifier,
    };
    let asked = template.authorize_url(&ask).expect("people agree");
    assert!(asked.query().is_some_and(|query| query.contains("nonce=") && query.contains("resource=https")));
    assert!(!asked.as_str().contains("prompt="));
    let scopes = ["offline_access".to_owned()];
    let offline = template.authorize_url(&Ask { scopes: &scopes, ..ask }).expect("people agree");
    assert!(
        offline.as_str().contains("prompt=consent"),
        "without it there may be no refresh token: {offline}"
    );
    let claims = Document::read(br#"{"sub":"s1"}"#).expect("JSON");
    let none = Facts::new();
    let label = template.label(&[], &Document::default(), Some(&claims), &none).expect("a label");
    assert_eq!(label.id, "s1");
    let client = client();
    let token = Secret::new("t".to_owned());
    let account = Account { client: &client, access: &token, refresh: None, facts: &none };
    let revoke = template.revoke(&account).expect("filled").expect("it can be ended");
    assert!(shown(&revoke).ends_with("\n    token=t"));
    let plain = Template::of_parts(&TemplateParts { is_openid: false, revoke: None, ..parts });
    assert!(
        !plain.can_revoke() && !plain.authorize_url(&ask).expect("people agree").as_str().contains("nonce=")
    );
    assert_eq!(plain.label(&[], &Document::default(), Some(&claims), &none), None);
    assert_eq!(plain.read(503, b"").expect_err("down").kind, FailureKind::Transient);
}
