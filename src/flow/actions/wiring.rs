//! Whether everything is in place before agents are rolled out: over servers, providers, secrets and people, and what to tell
//! the people.

use std::collections::HashMap;

use crate::{
    base::{
        ids::{ProviderId, ServerId},
        page::{MAX_LIMIT, Page, PageRequest},
        permission::Permission,
        trace::Fixer,
    },
    domain::{
        connections::{
            Obtaining, Provider, ProviderRef, store as providers,
            store::reach::{self, Fares},
        },
        secrets::{Scope, store::served},
        servers::{Credential, NamedProvider, Server, ServerFilter, store as servers},
    },
    flow::{
        actions::{
            findings::{Finding, Stand, worst},
            providers::{unusable, way_back},
        },
        cx::OrgCx,
        decision::scope_of,
        fault::ActionResult,
    },
    io::db::{OrgTx, Tx},
};

/// How many names of people a list holds.
const FIRST: i64 = 20;

/// Whether everything is in place.
#[derive(Debug)]
pub struct Wiring {
    /// Each server that is switched on.
    pub servers: Vec<Wired>,
    /// What people still have to do, each once.
    pub lacks: Vec<Lacking>,
    /// What was found of the installation itself.
    pub site: Vec<Finding>,
    /// What to tell people.
    pub announcement: String,
    /// Whether there are more servers than one look takes.
    pub is_cut: bool,
}

/// One server.
#[derive(Debug)]
pub struct Wired {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What some people still have to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// What it is, such as an account at GitHub.
    pub what: String,
    /// The page where each of them does it.
    pub page: String,
    /// How many people lack it.
    pub count: i64,
    /// The first of them by name.
    pub first: Vec<String>,
}

impl Wired {
    /// Whether calls can go through.
    pub fn is_ready(&self) -> bool {
        worst(&self.findings) < Stand::Broken
    }
}

impl Wiring {
    /// How many servers are ready.
    pub fn ready(&self) -> usize {
        self.servers.iter().filter(|server| server.is_ready()).count()
    }
}

/// What all servers ask for, read at once.
struct Ground {
    credentials: HashMap<ServerId, Vec<Credential>>,
    scopes: HashMap<ServerId, Vec<(String, String)>>,
    providers: HashMap<ProviderId, Named>,
}

/// A provider that credentials name, and how the accounts there fare.
struct Named {
    provider: Provider,
    fares: Fares,
}

/// Looks at every server that is switched on, as far as one page holds them.
pub async fn wiring(cx: &OrgCx) -> ActionResult<Wiring> {
    cx.require(Permission::ServersRead)?;
    cx.require(Permission::ConnectionsRead)?;
    let mut tx = cx.tx().await?;
    let all = PageRequest { limit: MAX_LIMIT, after: None };
    let filter = ServerFilter { enabled: Some(true), ..ServerFilter::default() };
    let Page { items: entries, next } = servers::servers::list(&mut tx, &filter, &all).await?;
    let credentials = servers::decisions::credentials(&mut tx).await?;
    let ground = Ground {
        providers: named(&mut tx, &credentials).await?,
        scopes: servers::tools::scopes_needed(&mut tx).await?,
        credentials,
    };
    let mut wired = Vec::new();
    for entry in &entries {
        wired.push(server(cx, &mut tx, &ground, &entry.server).await?);
    }
    let carried = entries.iter().filter_map(|entry| ground.credentials.get(&entry.server.id));
    let asked_for: Vec<&Credential> = carried.flatten().collect();
    let lacks = lacks(cx, &mut tx, &asked_for).await?;
    tx.done().await?;
    let announcement =
        announcement(cx, &entries.iter().map(|entry| &entry.server).collect::<Vec<_>>(), &lacks);
    Ok(Wiring { servers: wired, lacks, site: site(cx), announcement, is_cut: next.is_some() })
}

/// The providers that credentials name.
async fn named(
    tx: &mut OrgTx,
    credentials: &HashMap<ServerId, Vec<Credential>>,
) -> ActionResult<HashMap<ProviderId, Named>> {
    let fares = reach::fares(tx).await?;
    let mut found = HashMap::new();
    for id in credentials.values().flatten().filter_map(|one| Some(one.provider.as_ref()?.id)) {
        if !found.contains_key(&id)
            && let Some(provider) = providers::find(tx, &ProviderRef::Id(id)).await?
        {
            let fares = fares.get(&id).copied().unwrap_or_default();
            found.insert(id, Named { provider, fares });
        }
    }
    Ok(found)
}

fn site(cx: &OrgCx) -> Vec<Finding> {
    if cx.ports.site.is_secure() {
        return vec![Finding::fine(
            "address",
            format!("Providers send people back to {}.", cx.ports.site.base_url),
        )];
    }
    let found = format!(
        "Portreeve is known at {}, which is not protected: most providers send people back to https alone.",
        cx.ports.site.base_url
    );
    let fix = "Put it behind an address with https, and start it with that as its base URL.";
    vec![Finding::of("address", Stand::Look, (found, fix), Fixer::Operator, "")]
}

async fn server(cx: &OrgCx, tx: &mut OrgTx, ground: &Ground, server: &Server) -> ActionResult<Wired> {
    let base = format!("/o/{}", cx.org.slug);
    let page = format!("{base}/servers/{}", server.slug);
    let mut findings = Vec::new();
    let carried = ground.credentials.get(&server.id).map_or(&[][..], Vec::as_slice);
    for credential in carried {
        findings.extend(match (&credential.provider, scope_of(credential.source), &credential.secret) {
            (Some(named), ..) => {
                let needed = ground.scopes.get(&server.id).map_or(&[][..], Vec::as_slice);
                if !named.is_for(&server.url) {
                    findings.push(elsewhere(named, &page));
                    continue;
                }
                let mut found = provider(cx, &base, ground.providers.get(&named.id), needed);
                if named.is_shared_only {
                    found.push(shared_account(cx, tx, named).await?);
                }
                found
            }
            (None, Some(Scope::Org), Some(name)) => vec![secret(tx, &base, name).await?],
            (None, Some(Scope::Team | Scope::User), Some(name)) => {
                vec![Finding::fine("secret", format!("It carries the secret {name} of whoever calls."))]
            }
            _ => {
                vec![Finding::fine("value", format!("It carries {}, which is sealed here.", credential.name))]
            }
        });
    }
    if carried.is_empty() {
        findings.push(Finding::fine("credentials", "Its requests carry nothing."));
    }
    findings.push(match (&server.refreshed.error, server.refreshed.at) {
        (None, Some(_)) => Finding::fine("catalogue", "Its tools were read."),
        (None, None) => {
            let told = (
                "Its tools were not read yet.",
                "Check it now; that takes your own account where it asks for one.",
            );
            Finding::of("catalogue", Stand::Look, told, Fixer::Admin, format!("{page}/check"))
        }
        (Some(error), _) => {
            let told = (format!("Its tools cannot be read: {error}"), "Check it step by step.");
            Finding::of("catalogue", Stand::Broken, told, Fixer::Admin, format!("{page}/check"))
        }
    });
    Ok(Wired { slug: server.slug.to_string(), name: server.name.to_string(), findings })
}

fn provider(cx: &OrgCx, base: &str, named: Option<&Named>, needed: &[(String, String)]) -> Vec<Finding> {
    let Some(Named { provider, fares }) = named else {
        let told =
            ("The provider whose accounts it asks for is gone.", "Name another one in its credentials.");
        return vec![Finding::of("provider", Stand::Broken, told, Fixer::Admin, format!("{base}/providers"))];
    };
    let page = format!("{base}/providers/{}", provider.slug);
    let name = &provider.name;
    if let Some(told) = unusable(provider) {
        return vec![Finding::of("provider", Stand::Broken, told, Fixer::Admin, page)];
    }
    if provider.obtaining() == Obtaining::Key {
        let mut findings =
            vec![Finding::fine("provider", format!("{name} is registered; people enter their keys."))];
        findings
            .push(Finding::fine("scopes", format!("A key of {name} does not say what it may be used for.")));
        findings.push(tokens(&page, name, fares.standing));
        return findings;
    }
    let mut findings = vec![Finding::fine("provider", format!("{name} is registered, with its client."))];
    findings.push(way_back(cx, provider, fares.last_connected));
    let missing: Vec<_> = needed.iter().filter(|(scope, _)| !provider.scopes.contains(scope)).collect();
    findings.push(if missing.is_empty() {
        Finding::fine("scopes", format!("{name} is asked for everything that its tools need."))
    } else {
        let list: Vec<_> =
            missing.iter().take(10).map(|(scope, tool)| format!("{scope} for {tool}")).collect();
        let found = format!("Tools need more than {name} is asked for: {}.", list.join(", "));
        let fix = "Add it to the provider's scopes, or people are asked again when a tool needs it.";
        Finding::of("scopes", Stand::Look, (found, fix), Fixer::Admin, format!("{page}/edit"))
    });
    findings.push(tokens(&page, name, fares.standing));
    findings
}

/// How the accounts fare that calls carry.
fn tokens(page: &str, name: &str, (all, broken, resting): (i64, i64, i64)) -> Finding {
    let page = format!("{page}/accounts");
    match (all, broken, resting) {
        (0, ..) => Finding::fine("token", format!("No account is connected at {name} yet.")),
        (_, 0, 0) => {
            Finding::fine("token", format!("At {name}, {} connected, and none is in trouble.", are(all)))
        }
        (_, 0, _) => {
            let some = if resting == 1 { "one account".to_owned() } else { format!("{resting} accounts") };
            let found = format!("At {name}, of {all} connected, {some} got no new token when it was due.");
            let fix = "Look at what went wrong on the provider's page; what passes by itself is tried again.";
            Finding::of("token", Stand::Look, (found, fix), Fixer::Admin, page)
        }
        _ => {
            let found = format!("At {name}, of {all} connected, {} to be connected again.", have(broken));
            let fix =
                "Their owners connect them again, from their accounts; until then their agents are told so.";
            Finding::of("token", Stand::Look, (found, fix), Fixer::Person, page)
        }
    }
}

fn are(accounts: i64) -> String {
    if accounts == 1 { "one account is".to_owned() } else { format!("{accounts} accounts are") }
}

fn have(accounts: i64) -> String {
    if accounts == 1 { "one account has".to_owned() } else { format!("{accounts} accounts have") }
}

/// Tokens that are for another server.
fn elsewhere(named: &NamedProvider, page: &str) -> Finding {
    let resource = named.resource.as_deref().unwrap_or_default();
    let told = (
        format!(
            "The tokens of {} are for {resource} alone, so none is sent and every call is refused.",
            named.name
        ),
        "Name another provider in its credentials.",
    );
    Finding::of("provider", Stand::Broken, told, Fixer::Admin, format!("{page}/credentials"))
}

/// Whether an account is connected for all, at a provider where people cannot connect their own.
async fn shared_account(cx: &OrgCx, tx: &mut OrgTx, named: &NamedProvider) -> ActionResult<Finding> {
    let (lacking, _) = reach::lacking(tx, named.id, 1).await?;
    if lacking == 0 {
        return Ok(Finding::fine("account", format!("An account at {} serves everybody.", named.name)));
    }
    let told = (
        format!(
            "At {} the registered client is given tokens, and none is connected that serves everybody.",
            named.name
        ),
        "Connect it for everybody, or for the teams that need it.",
    );
    let page = format!("/me/accounts/{}/connect/{}", cx.org.slug, named.slug);
    Ok(Finding::of("account", Stand::Look, told, Fixer::Admin, page))
}

async fn secret(tx: &mut OrgTx, base: &str, name: &str) -> ActionResult<Finding> {
    if served::is_kept_by_org(tx, name).await? {
        return Ok(Finding::fine("secret", format!("The organization keeps the secret {name}.")));
    }
    let told = (format!("The organization keeps no secret {name}."), "Add it.");
    Ok(Finding::of("secret", Stand::Broken, told, Fixer::Admin, format!("{base}/secrets/new")))
}

/// What people still have to do for the servers that are switched on, each thing once.
async fn lacks(cx: &OrgCx, tx: &mut OrgTx, asked_for: &[&Credential]) -> ActionResult<Vec<Lacking>> {
    let mut lacks: Vec<Lacking> = Vec::new();
    for credential in asked_for {
        let (what, page) = match (&credential.provider, scope_of(credential.source), &credential.secret) {
            // What nobody can connect for themselves is asked of no member.
            (Some(named), ..) if named.is_shared_only => continue,
            (Some(named), ..) => (
                format!("an account at {}", named.name),
                format!("/me/accounts/{}/connect/{}", cx.org.slug, named.slug),
            ),
            (None, Some(Scope::User), Some(name)) => {
                (format!("their own secret {name}"), format!("/me/secrets/{}/new?name={name}", cx.org.slug))
            }
            (None, Some(Scope::Team), Some(name)) => {
                (format!("the secret {name} of a team of theirs"), format!("/o/{}/secrets", cx.org.slug))
            }
            _ => continue,
        };
        if lacks.iter().any(|known| known.what == what) {
            continue;
        }
        let (count, first) = match (&credential.provider, scope_of(credential.source), &credential.secret) {
            (Some(named), ..) => reach::lacking(tx, named.id, FIRST).await?,
            (None, Some(scope), Some(name)) => {
                let lacking = served::lacking(tx, scope, name).await?;
                (lacking.count, lacking.first)
            }
            _ => continue,
        };
        lacks.push(Lacking { what, page, count, first });
    }
    lacks.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
    Ok(lacks)
}

/// What to tell people, to be pasted into a letter or a chat.
fn announcement(cx: &OrgCx, servers: &[&Server], lacks: &[Lacking]) -> String {
    let names: Vec<_> = servers.iter().map(|server| server.name.to_string()).collect();
    let mut lines =
        vec![format!("Agents at {} can now work with {}.", cx.org.name, and(&names)), String::new()];
    if lacks.is_empty() {
        lines.push("There is nothing that you have to connect first.".to_owned());
    } else {
        lines.push("Please do this once; it takes about a minute:".to_owned());
        let step = |lack: &Lacking| format!("- {}: {}", capital(&lack.what), cx.ports.site.url(&lack.page));
        lines.extend(lacks.iter().map(step));
        lines.extend([
            String::new(),
            "Two things sound alike. A linked account is how you sign in to Portreeve. A connected account is what your agents \
             use at a service in your name: Portreeve keeps its token, and no agent ever sees it. Signing in with a service \
             does not connect it."
                .to_owned(),
        ]);
    }
    lines.extend([
        String::new(),
        format!("You see what your agents do, and end it, at {}.", cx.ports.site.url("/me/accounts")),
    ]);
    lines.join("\n")
}

fn and(names: &[String]) -> String {
    match names {
        [] => "nothing yet".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let text = text
        .strip_prefix("their own ")
        .map(|rest| format!("your own {rest}"))
        .unwrap_or_else(|| text.replace("of theirs", "of yours"));
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        let names = |list: &[&str]| and(&list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]), "nothing yet");
        assert_eq!(names(&["GitHub"]), "GitHub");
        assert_eq!(names(&["GitHub", "Linear", "Notion"]), "GitHub, Linear and Notion");
    }

    #[test]
    fn what_others_lack_is_said_to_each() {
        assert_eq!(capital("an account at GitHub"), "An account at GitHub");
        assert_eq!(capital("their own secret token"), "Your own secret token");
        assert_eq!(capital("the secret token of a team of theirs"), "The secret token of a team of yours");
    }
}
