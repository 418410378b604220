//! Why an account does not serve: looked at link by link, from who asks to the server at the end.

use time::OffsetDateTime;

use crate::{
    base::{
        ids::ServerId,
        page::{MAX_LIMIT, PageRequest},
        permission::Permission,
        trace::Fixer,
    },
    domain::{
        connections::{
            AccountOwner, Blocked, Connection, ConnectionState, Obtaining, Provider, SwitchedOffBy,
            store::reach,
        },
        servers::{ServerFilter, store as servers},
        tenancy::store as tenancy,
    },
    flow::{
        actions::{
            connections::{ConnectionSheet, meaning, seen},
            findings::{Finding, Stand},
            providers::{unusable, way_back},
        },
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::{OrgTx, Tx},
};

/// What was found of an account.
#[derive(Debug)]
pub struct Diagnosis {
    /// The account.
    pub sheet: ConnectionSheet,
    /// Each link, from who asks to the servers.
    pub links: Vec<Finding>,
}

/// Looks at an account link by link; nobody outside is asked.
///
/// # Errors
/// `NotFound` for who is neither its owner, nor looks after it, nor may see all.
pub async fn diagnose(cx: &OrgCx, id: &str) -> ActionResult<Diagnosis> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let sheet = seen(cx, &mut tx, id).await?;
    let at = Places::of(cx, &sheet.connection);
    let mut links = vec![session(cx), membership(cx, &mut tx, &sheet.connection, &at).await?];
    links.push(provider(&sheet, &at));
    let last = reach::last_connected(&mut tx, sheet.provider.id).await?;
    links.push(way_back(cx, &sheet.provider, last));
    // Which servers there are is for those who may see servers; what an account lacks is for whoever may see the account.
    let shows_servers = cx.may(Permission::ServersRead);
    let used = used(&mut tx, &sheet.provider).await?;
    links.push(scopes(&sheet, &used, shows_servers, &at));
    links.push(token(&sheet.connection, &at, cx.now()));
    let is_broken = links.iter().any(|link| link.stand == Stand::Broken);
    links.push(match (is_broken, shows_servers) {
        (true, _) => Finding::not_reached("upstream"),
        (false, true) => upstream(&used, &at),
        (false, false) => Finding {
            found: "Which servers carry its token is for those who may see servers.".to_owned(),
            ..Finding::not_reached("upstream")
        },
    });
    tx.done().await?;
    Ok(Diagnosis { sheet, links })
}

/// Where people mend what is found.
struct Places {
    reconnect: String,
    /// The account, as its owner sees it.
    own: String,
    provider: String,
    /// The account, as admins see it.
    account: String,
    servers: String,
}

impl Places {
    fn of(cx: &OrgCx, connection: &Connection) -> Self {
        let (org, provider) = (&cx.org.slug, &connection.provider_slug);
        Self {
            reconnect: format!("/me/accounts/{org}/connect/{provider}?connection={}", connection.id),
            own: format!("/me/accounts/{org}/{}", connection.id),
            provider: format!("/o/{org}/providers/{provider}"),
            account: format!("/o/{org}/providers/{provider}/accounts/{}", connection.id),
            servers: format!("/o/{org}/servers"),
        }
    }
}

/// Who mends what only its owner can.
const fn owners(connection: &Connection) -> Fixer {
    match connection.owner {
        AccountOwner::User(_) => Fixer::Person,
        AccountOwner::Team(_) | AccountOwner::Org => Fixer::Admin,
    }
}

fn session(cx: &OrgCx) -> Finding {
    let who = cx.person.as_ref().map(|person| person.user.email.to_string());
    Finding::fine(
        "session",
        match who {
            Some(email) => format!("You are signed in as {email}, in {}.", cx.org.name),
            None => format!("Asked with a key of {}.", cx.org.name),
        },
    )
}

async fn membership(
    cx: &OrgCx,
    tx: &mut OrgTx,
    connection: &Connection,
    at: &Places,
) -> ActionResult<Finding> {
    let Some(user) = connection.owner.user() else {
        let whose = match connection.owner {
            AccountOwner::Team(_) => format!("It is the account of the team {}.", connection.owner_name),
            _ => "It is the account of everybody.".to_owned(),
        };
        return Ok(Finding::fine("membership", whose));
    };
    let is_kept_out = !tenancy::suspensions::list(tx, &[user]).await?.is_empty();
    Ok(match tenancy::members::find(tx, user).await? {
        Some(member) if is_kept_out => {
            let told = (
                format!(
                    "Its owner, {}, is suspended: neither they nor their agents do anything here.",
                    member.name
                ),
                "An admin lets them in again on their page; nothing of the account is lost.",
            );
            let page = format!("/o/{}/members/{user}", cx.org.slug);
            Finding::of("membership", Stand::Broken, told, Fixer::Admin, page)
        }
        Some(member) => {
            Finding::fine("membership", format!("It is the account of {}, who is a member.", member.name))
        }
        None => {
            let told = (
                "Its owner is no member any more.",
                "Nothing is to be done: it was ended with the membership.",
            );
            Finding::of("membership", Stand::Broken, told, Fixer::Admin, at.provider.clone())
        }
    })
}

fn provider(sheet: &ConnectionSheet, at: &Places) -> Finding {
    let ConnectionSheet { connection, provider, .. } = sheet;
    let name = &provider.name;
    if let Some((found, fix)) = unusable(provider) {
        // What is connected serves on: one that is only switched off renews it all the same.
        return Finding::of("provider", Stand::Look, (found, fix), Fixer::Admin, at.provider.clone());
    }
    match connection.blocked.filter(|_| connection.state == ConnectionState::ErrorBackoff) {
        Some(Blocked::Client) => {
            let told = (
                format!("{name} refuses the client that is registered here."),
                "Compare the client's id, secret and scopes with what is set there.",
            );
            return Finding::of("provider", Stand::Broken, told, Fixer::Admin, at.provider.clone());
        }
        Some(Blocked::Address) => {
            let told = (
                format!("The rules of this installation keep {name} from being called."),
                "Have the operator allow its address.",
            );
            return Finding::of("provider", Stand::Broken, told, Fixer::Operator, "");
        }
        None => {}
    }
    let changed = match provider.updated_at > connection.created_at {
        true => format!(", and was changed last on {}", day(provider.updated_at)),
        false => String::new(),
    };
    Finding::fine("provider", format!("{name} is registered with its client and switched on{changed}."))
}

fn day(at: OffsetDateTime) -> time::Date {
    at.to_offset(time::UtcOffset::UTC).date()
}

fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} at {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

/// A server that carries accounts of the provider: its short name, what its tools need, and why it cannot be read.
struct Used {
    slug: String,
    name: String,
    needs: Vec<(String, String)>,
    error: Option<String>,
}

async fn used(tx: &mut OrgTx, provider: &Provider) -> ActionResult<Vec<Used>> {
    let all = PageRequest { limit: MAX_LIMIT, after: None };
    let filter = ServerFilter { enabled: Some(true), ..ServerFilter::default() };
    let entries = servers::servers::list(tx, &filter, &all).await?.items;
    let credentials = servers::decisions::credentials(tx).await?;
    let mut scopes = servers::tools::scopes_needed(tx).await?;
    let carries = |id: ServerId| {
        let all = credentials.get(&id).map_or(&[][..], Vec::as_slice);
        all.iter().any(|one| one.provider.as_ref().is_some_and(|named| named.id == provider.id))
    };
    let used = entries.into_iter().map(|entry| entry.server).filter(|server| carries(server.id));
    Ok(used
        .map(|server| Used {
            needs: scopes.remove(&server.id).unwrap_or_default(),
            slug: server.slug.to_string(),
            name: server.name.to_string(),
            error: server.refreshed.error,
        })
        .collect())
}

fn scopes(sheet: &ConnectionSheet, used: &[Used], shows_tools: bool, at: &Places) -> Finding {
    let ConnectionSheet { connection, provider, .. } = sheet;
    if provider.obtaining() == Obtaining::Key {
        return Finding::fine(
            "scopes",
            "A key does not say what it may be used for; that was chosen where it was made.",
        );
    }
    if provider.scopes.is_empty() && connection.scopes.is_empty() && connection.wanted.is_empty() {
        let found = "It is asked for no scopes and has none: what its token may do is set at the provider.";
        return Finding::fine("scopes", found);
    }
    let asked = provider.scopes.iter().chain(&connection.wanted).map(|scope| (scope.as_str(), None));
    let needed =
        used.iter().flat_map(|one| &one.needs).map(|(scope, tool)| (scope.as_str(), Some(tool.as_str())));
    let mut missing: Vec<(&str, Option<&str>)> = Vec::new();
    for (scope, tool) in needed.chain(asked) {
        let is_granted = connection.scopes.iter().any(|granted| granted == scope);
        if !is_granted && !missing.iter().any(|(known, _)| *known == scope) {
            missing.push((scope, tool));
        }
    }
    if missing.is_empty() {
        return Finding::fine("scopes", "Everything that was asked for, and that tools need, was granted.");
    }
    let list: Vec<_> = missing
        .iter()
        .take(10)
        .map(|(scope, tool)| match tool.filter(|_| shows_tools) {
            Some(tool) => format!("{scope} for {tool}"),
            None => (*scope).to_owned(),
        })
        .collect();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("scopes", &missing.iter().map(|(scope, _)| *scope).collect::<Vec<_>>().join(" "));
    let told = (format!("Not granted: {}.", list.join(", ")), "Grant it by connecting again.");
    let page = format!("{}&{}", at.reconnect, query.finish());
    Finding::of("scopes", Stand::Look, told, owners(connection), page)
}

fn token(connection: &Connection, at: &Places, now: OffsetDateTime) -> Finding {
    let name = &connection.provider_name;
    let again = |found: String| {
        let found =
            format!("{found} Agents are answered [CONNECT ACCOUNT], with the way to connect it again.");
        let told = (found, "Connect it again; its settings stay.");
        Finding::of("token", Stand::Broken, told, owners(connection), at.reconnect.clone())
    };
    let last = match &connection.last_error {
        Some(error) if error.words.is_empty() => {
            format!(" Last trouble, on {}: {}.", minute(error.at), error.code)
        }
        Some(error) => {
            format!(
                " Last trouble, on {}: {} ({}).",
                minute(error.at),
                error.words.trim_end_matches('.'),
                error.code
            )
        }
        None => String::new(),
    };
    // What passes by itself is said below.
    let is_somebodys = connection.state == ConnectionState::NeedsReauth || connection.blocked.is_some();
    let error = connection.last_error.as_ref().filter(|_| is_somebodys);
    let last = match error.and_then(|error| meaning(name, &error.code)) {
        Some(means) => format!("{last} {means}"),
        None => last,
    };
    let well = connection.last_ok_at.map(|at| format!(" It was last certain to work on {}.", minute(at)));
    let well = well.unwrap_or_default();
    match connection.state {
        ConnectionState::NeedsReauth => again(format!("{name} gives no new token any more.{last}")),
        ConnectionState::Revoked => again("It was disconnected.".to_owned()),
        ConnectionState::Disabled => {
            let found = "It is switched off, and agents that would use it are answered so.";
            if connection.switched_off_by() == Some(SwitchedOffBy::Owner) {
                let told = (found, "Switch it on again.");
                return Finding::of("token", Stand::Broken, told, owners(connection), at.own.clone());
            }
            let told = (format!("{found} An admin did that."), "An admin switches it on.");
            Finding::of("token", Stand::Broken, told, Fixer::Admin, at.account.clone())
        }
        ConnectionState::ErrorBackoff if connection.blocked.is_some() => {
            let found = format!(
                "{name} gives no new token until that is mended; agents are answered so once the token has ended.{last}"
            );
            Finding::of(
                "token",
                Stand::Look,
                (found, "Mend the provider first."),
                Fixer::Admin,
                at.provider.clone(),
            )
        }
        ConnectionState::ErrorBackoff => {
            let told = (
                format!(
                    "{name} gives no new token for now; it is tried again by itself, and agents are answered so once the \
                     token has ended.{last}"
                ),
                "Wait; if it lasts, an admin looks at the provider's page.",
            );
            Finding::of("token", Stand::Look, told, Fixer::Admin, at.provider.clone())
        }
        ConnectionState::Active | ConnectionState::Refreshing => match connection.expires_at {
            Some(ends) if ends <= now && !connection.has_refresh => {
                again(format!("Its token has ended, and {name} gives no new one without its owner."))
            }
            Some(ends) if connection.has_refresh => Finding::fine(
                "token",
                format!(
                    "There is a token until {}, and the next is fetched before that.{well}",
                    minute(ends)
                ),
            ),
            Some(ends) => Finding::fine("token", format!("There is a token until {}.{well}", minute(ends))),
            None => {
                Finding::fine("token", format!("There is a token; the provider names no end of it.{well}"))
            }
        },
    }
}

fn upstream(used: &[Used], at: &Places) -> Finding {
    if let Some(failing) = used.iter().find(|one| one.error.is_some()) {
        let error = failing.error.as_deref().unwrap_or_default();
        let told = (format!("{} cannot be read: {error}", failing.name), "Check it step by step.");
        return Finding::of(
            "upstream",
            Stand::Look,
            told,
            Fixer::Admin,
            format!("{}/{}/check", at.servers, failing.slug),
        );
    }
    match used {
        [] => Finding::fine("upstream", "No server that you see asks for accounts of this provider."),
        all => {
            let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
            Finding::fine(
                "upstream",
                format!("Servers that carry its token were read well: {}.", names.join(", ")),
            )
        }
    }
}
