//! Adding, changing, switching and deleting servers.

use crate::{
    base::{permission::Permission, slug::Slug, update::Change},
    domain::{
        audit::{self, Entry},
        grants::store as grants,
        servers::{NewCredential, NewServer, Server, ServerForm, parse_url, store},
        tenancy::store::orgs,
    },
    flow::{
        actions::servers::{
            ServerRecord,
            credentials::{credentials_entry, sealed},
            draft::TriedCredential,
            named, record,
        },
        catalogue,
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx},
};

/// What a person types about a server.
#[derive(Clone, Debug, Default)]
pub struct ServerInput {
    /// Its name; its host where it is left empty.
    pub name: String,
    /// Its short name for addresses; made from the name when left empty.
    pub slug: String,
    /// What it is for.
    pub description: String,
    /// How it is spoken to: `http` or `sse`; `http` when left empty.
    pub transport: String,
    /// Where it is.
    pub url: String,
    /// Whether agents may reach it at once.
    pub enabled: bool,
}

/// Changes to a server; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct ServerChange {
    /// Its name.
    pub name: Option<String>,
    /// Its short name.
    pub slug: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// How it is spoken to.
    pub transport: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// Whether agents may reach it.
    pub enabled: Option<bool>,
}

/// Adds a server; its catalogue is read by a job that starts at once.
///
/// # Errors
/// The faults of each field.
pub async fn register(cx: &OrgCx, input: &ServerInput) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    add(cx, input, None).await
}

/// Adds a server with the credential that was tried with it, and reads its catalogue while the person waits.
///
/// # Errors
/// The faults of each field. A server that cannot be read is added all the same, and its page says why.
pub async fn register_tried(
    cx: &OrgCx,
    input: &ServerInput,
    tried: &TriedCredential,
) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let credential = tried.read(cx).await?;
    let server = add(cx, input, credential).await?;
    match catalogue::refresh_first(&cx.ports, cx.scope, server.id).await {
        Ok(()) | Err(ActionError::NotFound | ActionError::Changed) => Ok(server),
        Err(error) => Err(error),
    }
}

async fn add(cx: &OrgCx, input: &ServerInput, credential: Option<NewCredential>) -> ActionResult<Server> {
    let new = parse(input)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let server =
        store::servers::insert(&mut tx, &new, input.enabled, cx.user(), now).await.map_err(slug_taken)?;
    let credentials: Vec<NewCredential> = credential.into_iter().collect();
    let credentials = sealed(cx, &mut tx, &server.url, &credentials, &[]).await?;
    store::credentials::replace(&mut tx, server.id, &credentials).await?;
    orgs::bump_epoch(&mut tx).await?;
    if server.is_enabled {
        catalogue::enqueue(&mut tx, server.id, now).await?;
    }
    let mut entries = vec![
        Entry::admin("server.created", &cx.who())
            .target("server", server.id, &server.name)
            .after(&ServerRecord::from(&server)),
    ];
    if !credentials.is_empty() {
        entries.push(credentials_entry(cx, &server, &[], &credentials));
    }
    audit::commit(tx, now, entries).await?;
    cx.ports.waker.wake();
    Ok(server)
}

/// Changes a server. Another address keeps what was accepted: a tool that looks the same there stays accepted.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn update(cx: &OrgCx, name: &str, change: ServerChange, seen: Option<i64>) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let switch = change.enabled;
    let new = parse(&onto(change, &server))?;
    let outcome = store::servers::update(&mut tx, server.id, &new, seen, now).await.map_err(slug_taken)?;
    let Change { before, mut after } = settled(outcome)?;
    if after.url != before.url {
        check_tokens(&mut tx, &after).await?;
    }
    if let Some(is_enabled) = switch {
        after = settled(store::servers::set_enabled(&mut tx, server.id, is_enabled, None, now).await?)?.after;
    }
    if after.is_enabled && after != before {
        catalogue::enqueue(&mut tx, server.id, now).await?;
    }
    let server = record(cx, tx, "server.changed", Change { before, after }).await?;
    cx.ports.waker.wake();
    Ok(server)
}

/// Refuses an address at which a server would be sent tokens that were given for another.
async fn check_tokens(tx: &mut OrgTx, server: &Server) -> ActionResult<()> {
    let carried = store::credentials::list(tx, server.id).await?;
    let named = carried.iter().filter_map(|credential| Some((credential, credential.provider.as_ref()?)));
    match named.into_iter().find(|(_, provider)| !provider.is_for(&server.url)) {
        Some((credential, provider)) => Err(ActionError::field(
            "url",
            format!(
                "requests carry tokens of {}, which are for {} alone; take {} out of the credentials first",
                provider.name,
                provider.resource.as_deref().unwrap_or_default(),
                credential.name
            ),
        )),
        None => Ok(()),
    }
}

/// Keeps agents from the server until it is enabled again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn disable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let outcome = store::servers::set_enabled(&mut tx, server.id, false, seen, cx.now()).await?;
    record(cx, tx, "server.disabled", settled(outcome)?).await
}

/// Lets agents reach the server again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn enable(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let outcome = store::servers::set_enabled(&mut tx, server.id, true, seen, cx.now()).await?;
    catalogue::enqueue(&mut tx, server.id, cx.now()).await?;
    let server = record(cx, tx, "server.enabled", settled(outcome)?).await?;
    cx.ports.waker.wake();
    Ok(server)
}

/// Deletes a server with its credentials, catalogue and history.
///
/// # Errors
/// `NeedsProof`; `Changed` where someone else was faster than the version seen.
pub async fn delete(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    settled(store::servers::delete(&mut tx, server.id, seen).await?)?;
    grants::servers::forget(&mut tx, server.id).await?;
    orgs::bump_epoch(&mut tx).await?;
    let entry = Entry::admin("server.deleted", &cx.who())
        .target("server", server.id, &server.name)
        .before(&ServerRecord::from(&server));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(server)
}

fn onto(change: ServerChange, server: &Server) -> ServerInput {
    ServerInput {
        name: change.name.unwrap_or_else(|| server.name.clone()),
        slug: change.slug.unwrap_or_else(|| server.slug.to_string()),
        description: change.description.unwrap_or_else(|| server.description.clone()),
        transport: change.transport.unwrap_or_else(|| server.transport.as_str().to_owned()),
        url: change.url.unwrap_or_else(|| server.url.clone()),
        enabled: server.is_enabled,
    }
}

fn parse(input: &ServerInput) -> ActionResult<NewServer> {
    // The host is a name that everybody understands.
    let name = match input.name.trim() {
        "" => parse_url(&input.url).map(|url| url.host().to_owned()).unwrap_or_default(),
        name => name.to_owned(),
    };
    let slug = match input.slug.trim() {
        "" => Slug::suggest(&name, "server"),
        slug => slug.to_owned(),
    };
    let form = ServerForm {
        slug: &slug,
        name: &name,
        description: &input.description,
        transport: &input.transport,
        url: &input.url,
    };
    Ok(NewServer::parse(form)?)
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(store::servers::SLUG_IS_FREE) {
        ActionError::field("slug", "another server has this short name; choose another")
    } else {
        error.into()
    }
}
