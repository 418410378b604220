//! Founding an organization: at set-up, from the command line, or as a person who has an account.
//!
//! Who may: whoever operates the installation, whoever owns an organization already, and everybody where sign-up is
//! open. Invitation-only installations thus grow by their owners and the operator, not by whoever was invited once.

use serde::Serialize;

use crate::{
    base::{email::Email, ids::OrgId, permission::Role, slug::Slug},
    domain::{
        audit::{self, Entry, Who},
        identity::users::{PersonName, User},
        instance::{self, SignUp},
        tenancy::{Joined, NewOrg, store},
    },
    flow::{
        actions::frame,
        cx::{Cx, PersonCx},
        fault::{ActionError, ActionResult},
    },
    io::db::{DbError, OrgScope, OrgTx, Tx},
};

/// Mailbox providers: their name says nothing about whoever writes from there.
const PROVIDERS: [&str; 14] = [
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "web.de",
    "yahoo.com",
];

/// What a person types about a new organization.
#[derive(Clone, Debug, Default)]
pub struct OrgInput {
    /// Its name.
    pub name: String,
    /// Its short name for addresses; made from the name when left empty.
    pub slug: String,
}

#[derive(Serialize)]
struct OrgRecord<'a> {
    name: &'a str,
    slug: &'a str,
}

#[derive(Serialize)]
struct MemberRecord {
    role: &'static str,
}

/// Whether the person may found another organization.
pub async fn may(person: &PersonCx) -> ActionResult<bool> {
    if person.user.is_operator {
        return Ok(true);
    }
    let mut tx = person.tx().await?;
    let instance = instance::find(&mut tx).await?;
    tx.done().await?;
    let orgs = frame::of_person(person).await?;
    Ok(instance.sign_up == SignUp::Open || orgs.iter().any(|found| found.role == Role::Owner))
}

/// Refuses who may not found an organization.
pub async fn require(person: &PersonCx) -> ActionResult<()> {
    if may(person).await? {
        return Ok(());
    }
    Err(ActionError::refused(
        "may_not_found",
        "New organizations are founded by the operator of this installation and by owners of one. Ask one of them.",
    ))
}

/// Founds an organization that the person owns.
pub async fn create(person: &PersonCx, input: &OrgInput) -> ActionResult<Slug> {
    require(person).await?;
    let new = parse(input)?;
    let (_, tx) = begin(person, &person.who(), &person.user, &new).await?;
    audit::commit_appended(tx.0, tx.1).await?;
    Ok(new.slug)
}

/// Reads a new organization; an empty short name is made from the name.
pub(super) fn parse(input: &OrgInput) -> ActionResult<NewOrg> {
    let slug = match input.slug.trim() {
        "" => Slug::suggest(&input.name, "org"),
        slug => slug.to_owned(),
    };
    Ok(NewOrg::parse(&input.name, &slug)?)
}

/// Makes the organization with its owner and records both; the caller ends the transaction.
pub(super) async fn begin(
    cx: &Cx,
    who: &Who,
    owner: &User,
    new: &NewOrg,
) -> ActionResult<(OrgId, (OrgTx, audit::Appended))> {
    let (id, now) = (OrgId::fresh(), cx.now());
    let mut tx = cx.tx_of(OrgScope::proven(id)).await?;
    store::orgs::insert(&mut tx, new, now).await.map_err(slug_taken)?;
    let joined = store::members::insert(&mut tx, owner.id, Role::Owner, None, now).await?;
    debug_assert_eq!(joined, Joined::Joined, "a new organization has nobody in it");
    let record = OrgRecord { name: new.name.as_str(), slug: new.slug.as_str() };
    let entries = vec![
        Entry::admin("org.created", who).target("org", id, new.name.as_str()).after(&record),
        Entry::admin("member.added", who)
            .target("user", owner.id, owner.name.as_str())
            .about(owner.id)
            .after(&MemberRecord { role: Role::Owner.as_str() }),
    ];
    let appended = audit::append(&mut tx, now, entries).await?;
    Ok((id, (tx, appended)))
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(store::orgs::SLUG_IS_FREE) {
        ActionError::field("slug", "another organization has this short name; choose another")
    } else {
        error.into()
    }
}

/// A name for an organization, out of its founder's address.
pub fn suggest_name(email: &Email) -> String {
    let domain = email.domain().to_ascii_lowercase();
    let word = if PROVIDERS.contains(&domain.as_str()) {
        email.local()
    } else {
        domain.split('.').next().unwrap_or_default()
    };
    match capitalized(word) {
        name if name.is_empty() => "Organization".to_owned(),
        name => name,
    }
}

/// A person's name out of their address, to be changed by them later.
pub(super) fn person_name(email: &Email) -> PersonName {
    let local = email.local().split('+').next().unwrap_or_default();
    let name = capitalized(local);
    name.parse()
        .or_else(|_| email.local().parse())
        .unwrap_or_else(|_| "Somebody".parse().expect("one word is a name"))
}

fn capitalized(text: &str) -> String {
    let words = text.split(['.', '_', '-']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    words.collect::<Vec<String>>().join(" ")
}

/// What the record keeps of a new person.
#[derive(Serialize)]
pub(super) struct UserRecord<'a> {
    pub(super) email: &'a str,
    pub(super) name: &'a str,
    pub(super) is_operator: bool,
}

impl<'a> From<&'a User> for UserRecord<'a> {
    fn from(user: &'a User) -> Self {
        Self { email: user.email.as_str(), name: user.name.as_str(), is_operator: user.is_operator }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_from_addresses() {
        let org = |text: &str| suggest_name(&text.parse().expect("an address"));
        assert_eq!(org("mara@acme.example"), "Acme");
        assert_eq!(org("mara@big-corp.co.uk"), "Big Corp");
        assert_eq!(org("mara.lindqvist@gmail.com"), "Mara Lindqvist");
        let person = |text: &str| person_name(&text.parse().expect("an address")).to_string();
        assert_eq!(person("mara.lindqvist+test@acme.example"), "Mara Lindqvist");
        assert_eq!(person("+@acme.example"), "+");
    }
}
