//! Connecting an account: what a person is about to allow, the way to the provider and back, and what is connected without one.

use askama::Template;
use axum::{
    extract::{Path, RawQuery},
    http::StatusCode,
};
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    domain::{
        connections::{Connection, Obtaining},
        tenancy::Org,
    },
    flow::{
        actions::{
            connections::{BeginInput, ConnectionChange, Offer, Returned},
            me::accounts,
        },
        fault::ActionError,
    },
    web::{
        console::{
            leave::leave,
            me::accounts::{LIST, connect_href, failed, words},
            providers::tried,
            shell_of,
        },
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            page::{PageResult, go_saying, page_with, safe_return},
            parts::{Choice, Crumb},
            query::Query,
            shell::Shell,
        },
    },
};

/// What a person is about to allow.
#[derive(Template)]
#[template(path = "console/me/account_connect.html")]
pub(super) struct ConnectPage {
    pub(super) shell: Shell,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) action: String,
    pub(super) provider: String,
    pub(super) host: String,
    pub(super) org: String,
    pub(super) person: String,
    /// The account that is connected again; empty for a new one.
    pub(super) account: String,
    pub(super) scopes: Vec<String>,
    /// For whom it is, where that is not the person; empty where it is.
    pub(super) whose: String,
    /// For whom it could be, where there is a choice.
    pub(super) owners: Vec<Choice>,
    /// The agent that asked for it; empty where none did.
    pub(super) asked_by: String,
    /// How its token is come by.
    pub(super) obtaining: Obtaining,
    /// The page where a key is made; empty where nobody said it.
    pub(super) keys_page: String,
    pub(super) form: ConnectForm,
    pub(super) faults: FormFaults,
}

impl ConnectPage {
    fn is_client(&self) -> bool {
        self.obtaining == Obtaining::Client
    }

    fn is_key(&self) -> bool {
        self.obtaining == Obtaining::Key
    }
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct ConnectForm {
    #[serde(default)]
    pub(super) connection: String,
    /// For whom: `me`, `org`, or `team:` with a short name.
    #[serde(default, rename = "for")]
    pub(super) owner: String,
    /// Scopes beyond the usual ones, with spaces between.
    #[serde(default)]
    pub(super) scopes: String,
    /// The grant whose agent led there.
    #[serde(default)]
    pub(super) agent: String,
    #[serde(default)]
    pub(super) return_to: String,
}

impl ConnectForm {
    fn input(&self, provider: &str) -> BeginInput {
        BeginInput {
            provider: provider.to_owned(),
            connection: Some(self.connection.clone()).filter(|id| !id.is_empty()),
            owner: self.owner.clone(),
            scopes: self.scopes.split_ascii_whitespace().map(str::to_owned).collect(),
            agent: self.agent.clone(),
            return_to: safe_return(&self.return_to).unwrap_or_default().to_owned(),
        }
    }
}

pub(super) async fn offer(
    ask: PersonPage,
    Path((org, provider)): Path<(String, String)>,
    Query(form): Query<ConnectForm>,
) -> PageResult {
    let (found, offer) = match accounts::offer(&ask.cx, &org, &form.input(&provider)).await {
        Ok(found) => found,
        Err(error) => return failed(&ask, error).await,
    };
    render(&ask, StatusCode::OK, found, offer, form, FormFaults::default()).await
}

async fn render(
    ask: &PersonPage,
    status: StatusCode,
    org: Org,
    offer: Offer,
    form: ConnectForm,
    faults: FormFaults,
) -> PageResult {
    let host = words::host(&offer.provider);
    let owners = match offer.connection {
        Some(_) => Vec::new(),
        None => words::owners(&offer, &form.owner),
    };
    let href = connect_href(org.slug.as_str(), offer.provider.slug.as_str());
    let obtaining = offer.provider.obtaining();
    let title = format!("Connect {}", offer.provider.name);
    let page_of = ConnectPage {
        shell: shell_of::person(ask, title).await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Connected accounts", LIST)],
        action: match obtaining {
            Obtaining::SignIn => href,
            Obtaining::Client => format!("{href}/client"),
            Obtaining::Key => format!("{href}/key"),
        },
        keys_page: match obtaining {
            Obtaining::Key => offer.provider.source.places().authorize.map(ToString::to_string),
            Obtaining::SignIn | Obtaining::Client => None,
        }
        .unwrap_or_default(),
        asked_by: offer.asked_by.unwrap_or_default(),
        obtaining,
        provider: offer.provider.name,
        host,
        org: org.name,
        person: ask.cx.user.email.to_string(),
        whose: match &offer.connection {
            Some(connection) => words::whose(connection.owner, &connection.owner_name),
            None if obtaining == Obtaining::Client && owners.is_empty() => words::whose(offer.owner, ""),
            None => String::new(),
        },
        owners,
        account: offer.connection.map(|connection| connection.title().to_owned()).unwrap_or_default(),
        scopes: offer.scopes,
        form,
        faults,
    };
    page_with(status, &page_of)
}

pub(super) async fn begin(
    ask: PersonPage,
    Path((org, provider)): Path<(String, String)>,
    Form(form): Form<ConnectForm>,
) -> PageResult {
    let begun = match accounts::begin(&ask.cx, &org, &form.input(&provider)).await {
        Ok(begun) => begun,
        Err(error) => return failed(&ask, error).await,
    };
    let (name, host) = (begun.provider.name.clone(), words::host(&begun.provider));
    let shell = shell_of::person(&ask, format!("On to {name}")).await?;
    leave(shell, &name, &host, begun.url.as_str(), LIST)
}

pub(super) async fn back(
    ask: PersonPage,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    match accounts::finish(&ask.cx, &provider, query.as_deref().unwrap_or_default()).await {
        Ok(Returned::Tried(trial)) => tried(&ask, trial).await,
        Ok(Returned::Connected(finished)) => {
            let own = format!("{LIST}/{}/{}", finished.org, finished.connection.id);
            let onward = safe_return(&finished.return_to).unwrap_or(&own);
            let provider = &finished.connection.provider_name;
            let title = finished.connection.title();
            let said = match finished.is_somebodys {
                false => format!("{provider} is connected as {title}. Ask your agent to try again."),
                true => format!(
                    "{provider} is connected as {title}, which is one person's account: what agents of others do shows up \
                     there as theirs."
                ),
            };
            Ok(go_saying(onward, Toast::say(said)))
        }
        Err(error) => failed(&ask, error).await,
    }
}

/// Has the registered client ask for a token in its own name.
pub(super) async fn client(
    ask: PersonPage,
    Path((org, provider)): Path<(String, String)>,
    Form(form): Form<ConnectForm>,
) -> PageResult {
    match accounts::connect_client(&ask.cx, &org, &form.input(&provider)).await {
        Ok(connection) => Ok(kept(&org, &connection, &form.return_to)),
        Err(error) => failed(&ask, error).await,
    }
}

/// A key, and what its owner calls it.
#[derive(Deserialize)]
pub(super) struct KeyForm {
    #[serde(flatten)]
    rest: ConnectForm,
    #[serde(default)]
    key: Secret<String>,
    #[serde(default)]
    name: String,
}

/// Keeps a key that somebody made at the provider.
pub(super) async fn key(
    ask: PersonPage,
    Path((org, provider)): Path<(String, String)>,
    Form(KeyForm { rest: form, key, name }): Form<KeyForm>,
) -> PageResult {
    let input = form.input(&provider);
    match accounts::connect_key(&ask.cx, &org, &input, &key).await {
        Ok(connection) => {
            if !name.trim().is_empty() {
                let change = ConnectionChange { name: Some(name), ..ConnectionChange::default() };
                // It is connected; a name that does not do is asked for on its page.
                let _ = accounts::change(&ask.cx, &org, &connection.id.to_string(), &change, None).await;
            }
            Ok(kept(&org, &connection, &form.return_to))
        }
        Err(error @ ActionError::Fields(_)) => {
            let faults = faults_of(error)?;
            let (found, offer) = accounts::offer(&ask.cx, &org, &input).await?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, found, offer, form, faults).await
        }
        Err(error) => failed(&ask, error).await,
    }
}

fn kept(org: &str, connection: &Connection, return_to: &str) -> axum::response::Response {
    let own = format!("{LIST}/{org}/{}", connection.id);
    let onward = safe_return(return_to).unwrap_or(&own);
    go_saying(
        onward,
        Toast::say(format!("{} is connected. Ask your agent to try again.", connection.provider_name)),
    )
}

#[cfg(test)]
pub(in crate::web::console::me) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let connect = |text: &str, many: usize, obtaining| ConnectPage {
        shell: shell(Base::Account, "Connect GitHub"),
        crumbs: vec![Crumb::to("Connected accounts", LIST)],
        action: "/me/accounts/acme/connect/github".into(),
        provider: text.into(),
        host: "github.com".into(),
        org: text.into(),
        person: "ada@example.com".into(),
        account: text.into(),
        scopes: vec![text.into(); many],
        whose: if many > 9 { text.into() } else { String::new() },
        owners: (0..many).map(|n| Choice::new(format!("team:{n}"), text)).collect(),
        asked_by: if many > 9 { text.into() } else { String::new() },
        obtaining,
        keys_page: if many > 9 { "https://example.com/keys".into() } else { String::new() },
        form: ConnectForm::default(),
        faults: if many > 9 { faults(&[("key", LONG)]) } else { FormFaults::default() },
    };
    vec![
        sample("connect an account", &connect("GitHub", 2, Obtaining::SignIn)),
        sample("connect an account: much", &connect(SHARP, 40, Obtaining::SignIn)),
        sample("connect a client", &connect("GitHub", 0, Obtaining::Client)),
        sample("connect with a key", &connect("GitHub", 2, Obtaining::Key)),
        sample("connect with a key: refused", &connect(SHARP, 40, Obtaining::Key)),
    ]
}
