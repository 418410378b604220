//! The provider that protects a server: found and registered from the server's page, asked again from its own; and what
//! anybody may read of a client: the document by which it is known, and the keys that it signs with.

use askama::Template;
use axum::{
    Json,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{
    base::{ids::ProviderId, secret::Secret},
    domain::servers::Server,
    flow::{
        actions::{
            providers::{self, Found, OfServerInput, callback_of, keys_of},
            servers,
        },
        fault::{ActionError, Refused},
    },
    protocol::oauth::client::ClientAuth,
    web::{
        console::{providers::href, servers as server_pages, shell_of},
        kit::{
            ask::{OrgPage, Visitor},
            faults::PageError,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            listing::with_query,
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/providers/of_server.html")]
struct OfServerPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    server: String,
    url: String,
    callback: String,
    /// Where the keys of a client that signs are read.
    keys: String,
    auths: Vec<Choice>,
    form: OfServerForm,
    /// Why nothing was registered; empty where nothing was tried.
    refused: String,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct OfServerForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: Secret<String>,
    #[serde(default)]
    client_auth: String,
}

pub(super) async fn new(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    let (server, _) = servers::credentials_of(&ask.cx, &name).await?;
    let form = OfServerForm {
        id: ProviderId::fresh().to_string(),
        slug: server.slug.to_string(),
        ..OfServerForm::default()
    };
    render(&ask, StatusCode::OK, &server, form, String::new(), FormFaults::default()).await
}

pub(super) async fn create(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<OfServerForm>,
) -> PageResult {
    let input = OfServerInput {
        id: form.id.parse().ok(),
        slug: form.slug.clone(),
        client_id: form.client_id.clone(),
        client_secret: Some(form.client_secret.clone()),
        client_auth: form.client_auth.clone(),
    };
    match providers::register_for_server(&ask.cx, &name, &input).await {
        Ok((server, provider)) => {
            let org = &ask.cx.org.slug;
            let check = format!("{}/check", server_pages::href(&ask, server.slug.as_str()));
            let connect = format!("/me/accounts/{org}/connect/{}", provider.slug);
            let said = format!(
                "{} is registered, and calls carry the account of whoever makes them. Connect yours, so that its tools can be read.",
                provider.name
            );
            Ok(go_saying(&with_query(&connect, [("return_to", check.as_str())]), Toast::say(said)))
        }
        Err(ActionError::Refused(Refused { sentence, .. })) => {
            let (server, _) = servers::credentials_of(&ask.cx, &name).await?;
            render(&ask, StatusCode::CONFLICT, &server, form, sentence, FormFaults::default()).await
        }
        Err(error) => {
            let faults = faults_of(error)?;
            let (server, _) = servers::credentials_of(&ask.cx, &name).await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            render(&ask, status, &server, form, String::new(), faults).await
        }
    }
}

async fn render(
    ask: &OrgPage,
    status: StatusCode,
    server: &Server,
    form: OfServerForm,
    refused: String,
    faults: FormFaults,
) -> PageResult {
    let href = server_pages::href(ask, server.slug.as_str());
    let id: Option<ProviderId> = form.id.parse().ok();
    let title = format!("Sign-in of {}", server.name);
    let page = OfServerPage {
        shell: shell_of::org(ask, title).await?.with_faults(!faults.is_empty()),
        crumbs: vec![server_pages::crumb(ask), Crumb::to(server.name.to_string(), href.clone())],
        action: format!("{href}/provider"),
        back: format!("{href}/credentials"),
        server: server.name.to_string(),
        url: server.url.clone(),
        callback: id.map(|id| callback_of(&ask.cx, id)).unwrap_or_default(),
        keys: id.map(|id| keys_of(&ask.cx, id)).unwrap_or_default(),
        auths: auths(&form.client_auth),
        form,
        refused,
        faults,
    };
    page_with(status, &page)
}

/// How the client may prove itself.
fn auths(chosen: &str) -> Vec<Choice> {
    let as_it_likes = Choice::new("", "As the authorization server takes it").hint("What most need.");
    let signs = Choice::new(ClientAuth::PrivateKeyJwt.as_str(), "Signed with a key").hint(
        "Portreeve makes a key, and shows its public half at the address below. Only where the authorization server says \
         that it takes that.",
    );
    [as_it_likes, signs].map(|choice| choice.chosen_by(chosen)).into()
}

/// Asks the server that named a provider again.
pub(super) async fn rediscover(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    let (provider, found) = providers::rediscover(&ask.cx, &name).await?;
    let name = &provider.name;
    let said = match found {
        Found::Same => "It is the same as before.".to_owned(),
        Found::Otherwise => format!("What {name} says of itself otherwise now is taken over."),
        Found::Another => format!("{name} is another one now. Everybody has to connect their account again."),
    };
    Ok(go_saying(&href(&ask, &provider), Toast::say(said)))
}

/// A button and nothing else.
#[derive(Deserialize)]
pub(super) struct Press {}

/// The document by which we are known as the client of a provider.
pub(super) async fn document(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    Ok(Json(providers::client_document(&visitor.cx, &id).await?).into_response())
}

/// For how long whoever read a client's keys need not read them again. Keys are shown for days after they signed last.
const KEYS_ARE_GOOD_FOR: &str = "public, max-age=300";

/// The public halves of the keys that the client of a provider signs with.
pub(super) async fn keys(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let keys = providers::client_keys(&visitor.cx, &id).await?;
    Ok(([(header::CACHE_CONTROL, KEYS_ARE_GOOD_FOR)], Json(keys)).into_response())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, sample, shell},
        shell::Base,
    };

    let page = |text: &str, refused: &str, faults| OfServerPage {
        shell: shell(Base::Organization, "Sign-in of Linear"),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        action: "/o/acme/servers/linear/provider".into(),
        back: "/o/acme/servers/linear/credentials".into(),
        server: text.into(),
        url: "https://mcp.linear.app/mcp".into(),
        callback: "https://portreeve.example/oauth/callback/prv_1".into(),
        keys: "https://portreeve.example/oauth/clients/prv_1/jwks.json".into(),
        auths: auths(""),
        form: OfServerForm { slug: "linear".into(), ..OfServerForm::default() },
        refused: refused.into(),
        faults,
    };
    vec![
        sample("provider of a server", &page("Linear", "", FormFaults::default())),
        sample("provider of a server: refused", &page(LONG, SHARP, super::samples::all_wrong())),
    ]
}
