//! The first person: by the link that `serve` prints, or by `portreeve bootstrap`.
//!
//! Person and organization are made in two transactions, because neither may see the other's rows. Should the
//! second fail, the person is there, operates the installation and founds the organization from their own page.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    base::{
        actor::{KeyOwner, Origin},
        crypto::token::{Token, TokenKind},
        email::Email,
        faults::Faults,
        ids::{RequestId, SealedId, UserId},
        permission::Role,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry, Unrecorded, Who},
        automation::{ApiKeyForm, Expiry, IssuedKey, NewApiKey, store as automation},
        identity::{
            password::PasswordHash,
            sessions::Method,
            store as identity,
            strength::{Known, NewPassword},
            users::{EmailStanding, NewUser, Rank, User},
        },
        instance,
        tenancy::NewOrg,
    },
    flow::{
        actions::{
            found::{self, OrgInput, UserRecord},
            sign_in,
        },
        cx::{Cx, Ports},
        fault::{ActionError, ActionResult},
    },
    io::db::{SystemTx, Tx},
};

/// What the first person types.
#[derive(Clone, Debug)]
pub struct SetUpInput {
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: Secret<String>,
    /// Their organization's name; made from the address when left empty.
    pub org: String,
}

/// Where the installation stands, for whoever carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for this link.
    Open,
    /// It waits for another link.
    OtherLink,
    /// Somebody has set it up.
    Done,
}

/// The first person, signed in.
#[derive(Debug)]
pub struct FirstPerson {
    /// For their cookie.
    pub token: Token,
    /// Where their organization is.
    pub home: String,
}

/// Makes a new link in place of the last one, while the installation waits for its first person.
pub async fn fresh_link(ports: &Arc<Ports>) -> ActionResult<Option<Secret<String>>> {
    let cx = unasked(ports);
    let token = Token::issue(TokenKind::SetUp, SealedId::fresh());
    let mut tx = cx.system_tx().await?;
    let waits = instance::set_set_up_token(&mut tx, &token.hash(), cx.now()).await?;
    audit::commit_unrecorded(tx, Unrecorded::Ceremony).await?;
    Ok(waits.then(|| ports.site.url(&format!("/setup/{}", token.text().expose())).into()))
}

/// Whether the installation is set up.
pub async fn is_done(cx: &Cx) -> ActionResult<bool> {
    let mut tx = cx.system_tx().await?;
    let instance = instance::find(&mut tx).await?;
    tx.done().await?;
    Ok(instance.is_set_up())
}

/// Where the installation stands for this link.
pub async fn standing(cx: &Cx, token: &str) -> ActionResult<Standing> {
    let mut tx = cx.system_tx().await?;
    let instance = instance::find(&mut tx).await?;
    tx.done().await?;
    Ok(match Token::parse(TokenKind::SetUp, token) {
        _ if instance.is_set_up() => Standing::Done,
        Some(token) if instance.admits(&token) => Standing::Open,
        _ => Standing::OtherLink,
    })
}

/// Makes the first person, who operates the installation, and their organization; signs them in.
pub async fn finish(cx: &Cx, token: &str, input: &SetUpInput) -> ActionResult<FirstPerson> {
    if standing(cx, token).await? != Standing::Open {
        return Err(not_open());
    }
    let (user, org, password) = parse(input)?;
    let hash = cx.ports.hasher.hash(password).await.map_err(sign_in::hasher)?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let user = insert(&mut tx, cx, &user, Some(&hash)).await?;
    let (token, session) = sign_in::insert(cx, &mut tx, &user, vec![Method::SetUp, Method::Password]).await?;
    let who = sign_in::who(cx, &user, &session);
    let entries = vec![set_up_entry(&who, &user)];
    sign_in::started(cx, &user, &session).commit_with(tx, &cx.ports, now, entries).await?;
    let (_, (tx, appended)) = found::begin(cx, &who, &user, &org).await?;
    audit::commit_appended(tx, appended).await?;
    Ok(FirstPerson { token, home: format!("/o/{}", org.slug) })
}

/// What `portreeve bootstrap` prints.
#[derive(Debug, Serialize)]
pub struct Bootstrapped {
    /// The organization.
    pub org: BootstrappedOrg,
    /// Its owner.
    pub user: BootstrappedUser,
    /// A key that may do what the owner may.
    #[serde(serialize_with = "shown_once")]
    pub api_key: Secret<String>,
}

/// The organization, as `portreeve bootstrap` prints it.
#[derive(Debug, Serialize)]
pub struct BootstrappedOrg {
    /// Its id.
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
}

/// The owner, as `portreeve bootstrap` prints them.
#[derive(Debug, Serialize)]
pub struct BootstrappedUser {
    /// Their id.
    pub id: String,
    /// Their address.
    pub email: String,
}

fn shown_once<S: serde::Serializer>(secret: &Secret<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

/// Makes the first person, their organization and a key, without a browser.
///
/// # Errors
/// `Refused` with `not_empty` where somebody has set the installation up.
pub async fn bootstrap(
    ports: &Arc<Ports>,
    slug: &str,
    email: &str,
    password: Option<Secret<String>>,
) -> ActionResult<Bootstrapped> {
    let cx = unasked(ports);
    let (email, org) = parse_first(email, slug)?;
    let hash = match password {
        None => None,
        Some(password) => {
            let known = Known::about(&email, "", &[org.name.as_str()]);
            let parsed = NewPassword::parse(password, &known);
            let password = parsed.map_err(|weak| ActionError::field("password", weak.to_string()))?;
            Some(ports.hasher.hash(password).await.map_err(sign_in::hasher)?)
        }
    };
    let who = Who::system("portreeve bootstrap");
    let mut tx = cx.system_tx().await?;
    if identity::users::count(&mut tx).await? > 0 {
        return Err(not_empty());
    }
    let user = insert(&mut tx, &cx, &first(email), hash.as_ref()).await.map_err(|_| not_empty())?;
    audit::commit(tx, cx.now(), vec![set_up_entry(&who, &user)]).await?;
    found_with_key(&cx, &who, &user, &org).await
}

async fn found_with_key(cx: &Cx, who: &Who, user: &User, org: &NewOrg) -> ActionResult<Bootstrapped> {
    let now = cx.now();
    let scopes = ["*".to_owned()];
    let form = ApiKeyForm { name: "bootstrap", scopes: &scopes, expiry: Expiry::Default };
    let new = NewApiKey::parse(form, KeyOwner::User(user.id), Role::Owner, now)?;
    let issued = IssuedKey::fresh();
    let (id, (mut tx, _)) = found::begin(cx, who, user, org).await?;
    let key = automation::keys::insert(&mut tx, &new, &issued, Some(user.id), now).await?;
    let entry = Entry::admin("api_key.created", who)
        .target("api_key", key.id, &key.name)
        .about(user.id)
        .after(&KeyRecord { name: &key.name, scopes: key.scopes.texts() });
    audit::commit(tx, now, vec![entry]).await?;
    Ok(Bootstrapped {
        org: BootstrappedOrg { id: id.to_string(), slug: org.slug.to_string() },
        user: BootstrappedUser { id: user.id.to_string(), email: user.email.to_string() },
        api_key: issued.text(),
    })
}

#[derive(Serialize)]
struct KeyRecord<'a> {
    name: &'a str,
    scopes: Vec<String>,
}

/// Takes the installation, once, and inserts its first person.
async fn insert(
    tx: &mut SystemTx,
    cx: &Cx,
    new: &NewUser,
    hash: Option<&PasswordHash>,
) -> ActionResult<User> {
    if !instance::mark_set_up(tx, cx.now()).await? {
        return Err(not_open());
    }
    let inserted: Option<UserId> = identity::users::insert(tx, new, hash, cx.now()).await?;
    let id = inserted.ok_or_else(not_open)?;
    identity::users::find(tx, id).await?.ok_or(ActionError::NotFound)
}

fn set_up_entry(who: &Who, user: &User) -> Entry {
    Entry::admin("instance.set_up", who)
        .target("user", user.id, user.name.as_str())
        .about(user.id)
        .after(&UserRecord::from(user))
}

fn first(email: Email) -> NewUser {
    NewUser {
        name: found::person_name(&email),
        email,
        standing: EmailStanding::Verified,
        rank: Rank::Operator,
    }
}

fn parse(input: &SetUpInput) -> ActionResult<(NewUser, NewOrg, NewPassword)> {
    let mut faults = Faults::default();
    let email = faults.check("email", input.email.parse::<Email>());
    let name = match (input.org.trim(), &email) {
        ("", Some(email)) => found::suggest_name(email),
        (name, _) => name.to_owned(),
    };
    let org = match found::parse(&OrgInput { name: name.clone(), slug: String::new() }) {
        Ok(org) => Some(org),
        Err(ActionError::Fields(bad)) => {
            // The person typed a name only; what is wrong with the short name made of it belongs to that field.
            bad.iter().for_each(|fault| faults.add("org", fault.message.clone()));
            None
        }
        Err(other) => return Err(other),
    };
    let known = email.as_ref().map(|email| Known::about(email, "", &[&name])).unwrap_or_default();
    let password = faults.check("password", NewPassword::parse(input.password.clone(), &known));
    match (email, org, password) {
        (Some(email), Some(org), Some(password)) => Ok((first(email), org, password)),
        _ => Err(faults.into()),
    }
}

/// The first person's address and the organization, with everything that is wrong with either.
fn parse_first(email: &str, slug: &str) -> ActionResult<(Email, NewOrg)> {
    let mut faults = Faults::default();
    let org = match found::parse(&OrgInput { name: slug.to_owned(), slug: slug.to_owned() }) {
        Ok(org) => Some(org),
        Err(ActionError::Fields(bad)) => {
            // One text is both names; what is wrong with the short one holds for it as a whole.
            let worst = bad.iter().find(|fault| fault.field == "slug").or_else(|| bad.iter().next());
            worst.into_iter().for_each(|fault| faults.add("org", fault.message.clone()));
            None
        }
        Err(other) => return Err(other),
    };
    let email = faults.check("email", email.parse::<Email>());
    match (email, org) {
        (Some(email), Some(org)) => Ok((email, org)),
        _ => Err(faults.into()),
    }
}

/// A context for what nobody asked for over the network.
fn unasked(ports: &Arc<Ports>) -> Cx {
    let origin = Origin { request: RequestId::fresh(), ip: None, user_agent: None };
    Cx { ports: Arc::clone(ports), origin }
}

fn not_open() -> ActionError {
    ActionError::refused(
        "set_up_link_used",
        "This set-up link has been used or replaced. Sign in, or restart Portreeve and open the link it prints.",
    )
}

fn not_empty() -> ActionError {
    ActionError::refused(
        "not_empty",
        "This installation has been set up already; sign in, or start with an empty database.",
    )
}
