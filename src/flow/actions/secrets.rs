//! Secrets: added, given new values, renamed and destroyed, and never read back.
//!
//! Those of the organization are for its owners and admins, those of a team also for the team's own owners and admins,
//! and those of a person for that person alone: nobody else is told that they are there.
//!
//! What a person may by their role in a team counts in the browser only, as it does for teams themselves.

use serde::Serialize;

use crate::{
    base::{
        faults::Faults,
        ids::{SecretId, TeamId},
        page::{Page, PageRequest},
        permission::Permission,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        secrets::{
            MOST_OF_ONE, Scope, SealedSecret, SecretFilter, SecretForm, SecretOwner, SecretTerms, Sight,
            StoredSecret, parse_value,
            store::{SEALED_IN, secrets as store},
        },
        tenancy::{
            TeamRef,
            store::{orgs, teams},
        },
        vault::Cell,
    },
    flow::{
        actions::led_teams::{self, LedTeam},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

/// What a person types about a new secret.
#[derive(Clone, Debug, Default)]
pub struct SecretInput {
    /// `org`, `team` or `user`.
    pub scope: String,
    /// The team, by slug or id, where it is a team's.
    pub team: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// After how many days it should get a new value.
    pub rotate_after_days: Option<i32>,
    /// Its value.
    pub value: Secret<String>,
}

/// Changes to a secret; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct SecretChange {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// After how many days it should get a new value; none for no such time.
    pub rotate_after_days: Option<Option<i32>>,
}

/// A secret, and whether the caller may change it.
#[derive(Clone, Debug)]
pub struct SecretSheet {
    /// The secret.
    pub secret: StoredSecret,
    /// Whether the caller may change it.
    pub may_write: bool,
}

/// Whether a secret that servers ask for may be destroyed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Whoever asks for it said that they know.
    Yes,
    /// Nobody said so.
    No,
}

/// Which secrets a caller means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All that they may know of.
    All,
    /// Those of the organization and its teams.
    Shared,
    /// Their own.
    Own,
}

/// What the record keeps of a secret. Of a person's own it keeps that there is one: what they call it is theirs.
#[derive(Serialize)]
struct SecretRecord<'a> {
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    rotate_after_days: Option<i32>,
    version: i64,
}

impl<'a> From<&'a StoredSecret> for SecretRecord<'a> {
    fn from(secret: &'a StoredSecret) -> Self {
        let is_shared = secret.owner.user().is_none();
        Self {
            scope: secret.owner.scope().as_str(),
            team: secret.team.as_ref().map(|team| team.slug.as_str()),
            name: is_shared.then_some(secret.name.as_str()),
            description: is_shared.then_some(secret.description.as_str()),
            rotate_after_days: secret.rotate_after_days,
            version: secret.version,
        }
    }
}

/// What a caller may do with secrets.
struct Hands {
    sight: Sight,
    /// Teams that they own or administer.
    leads: Vec<TeamId>,
    writes_all: bool,
}

impl Hands {
    /// Finds out what the caller may, within the secrets they mean.
    ///
    /// # Errors
    /// `Forbidden` for whom there is nothing to see.
    async fn of(cx: &OrgCx, tx: &mut OrgTx, whose: Whose) -> ActionResult<Self> {
        let own = cx.user().filter(|_| whose != Whose::Shared && cx.may(Permission::SecretsOwn));
        if whose == Whose::Own {
            cx.require(Permission::SecretsOwn)?;
            own.ok_or_else(no_person)?;
            return Ok(Self {
                sight: Sight { own, ..Sight::default() },
                leads: Vec::new(),
                writes_all: false,
            });
        }
        let leads = led_teams::led(cx, tx).await?.into_iter().map(|team| team.id).collect::<Vec<_>>();
        let is_wide = cx.may(Permission::SecretsRead);
        if !is_wide && own.is_none() && leads.is_empty() {
            return Err(ActionError::Forbidden(Permission::SecretsRead));
        }
        let sight = Sight { is_wide, teams: leads.clone(), own };
        Ok(Self { sight, leads, writes_all: cx.may(Permission::SecretsWrite) })
    }

    fn may_write(&self, owner: SecretOwner) -> bool {
        match owner {
            SecretOwner::Org => self.writes_all,
            SecretOwner::Team(team) => self.writes_all || self.leads.contains(&team),
            SecretOwner::User(user) => self.sight.own == Some(user),
        }
    }

    /// The secret of this id, where the caller may change it.
    async fn writable(&self, tx: &mut OrgTx, id: &str) -> ActionResult<StoredSecret> {
        let secret = self.seen(tx, id).await?;
        if self.may_write(secret.owner) {
            Ok(secret)
        } else {
            Err(ActionError::Forbidden(Permission::SecretsWrite))
        }
    }

    /// Whose a new secret is to be.
    async fn owner(
        &self,
        cx: &OrgCx,
        tx: &mut OrgTx,
        scope: Scope,
        team: &str,
    ) -> ActionResult<Result<SecretOwner, &'static str>> {
        let team = team.trim();
        if scope != Scope::Team && !team.is_empty() {
            return Ok(Err("name a team only where the scope is team"));
        }
        match scope {
            Scope::Org => Ok(Ok(SecretOwner::Org)),
            Scope::User => cx.user().map(|user| Ok(SecretOwner::User(user))).ok_or_else(no_person),
            Scope::Team => {
                let team = self.team(cx, tx, team).await?;
                Ok(team.map(SecretOwner::Team).ok_or("name a team, by its short name"))
            }
        }
    }

    /// The team of this name, where the caller may know of its secrets.
    async fn team(&self, cx: &OrgCx, tx: &mut OrgTx, name: &str) -> ActionResult<Option<TeamId>> {
        let found = match name.parse::<TeamRef>() {
            Ok(name) => teams::find(tx, &name).await?,
            Err(_) => None,
        };
        let is_wide = self.writes_all || cx.may(Permission::SecretsRead);
        Ok(found.map(|team| team.id).filter(|team| is_wide || self.leads.contains(team)))
    }

    /// The secret of this id, where the caller may know of it.
    async fn seen(&self, tx: &mut OrgTx, id: &str) -> ActionResult<StoredSecret> {
        let id: SecretId = id.parse().map_err(|_| ActionError::NotFound)?;
        store::find(tx, id, &self.sight).await?.ok_or(ActionError::NotFound)
    }
}

fn no_person() -> ActionError {
    let sentence = "Only a person keeps secrets of their own, in a browser or with a key of theirs.";
    ActionError::refused("secret_person", sentence)
}

/// Secrets that the caller may know of, by name.
///
/// # Errors
/// `Forbidden` for who may see none; a fault of `team` where there is none of this name.
pub async fn list(
    cx: &OrgCx,
    whose: Whose,
    filter: &SecretFilter,
    team: Option<&str>,
    page: &PageRequest<(String, SecretId)>,
) -> ActionResult<Page<StoredSecret>> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let mut filter = filter.clone();
    if let Some(name) = team {
        let team = hands.team(cx, &mut tx, name).await?;
        filter.team = Some(team.ok_or_else(|| ActionError::field("team", "there is no team of this name"))?);
    }
    let page = store::list(&mut tx, &hands.sight, &filter, page).await?;
    tx.done().await?;
    Ok(page)
}

/// One secret.
pub async fn find(cx: &OrgCx, whose: Whose, id: &str) -> ActionResult<SecretSheet> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let secret = hands.seen(&mut tx, id).await?;
    tx.done().await?;
    Ok(SecretSheet { may_write: hands.may_write(secret.owner), secret })
}

/// For whom the caller may add a secret that is shared: whether for the organization, and for which teams.
///
/// # Errors
/// `Forbidden` where for none.
pub async fn offer(cx: &OrgCx) -> ActionResult<(bool, Vec<LedTeam>)> {
    let mut tx = cx.tx().await?;
    let is_wide = cx.may(Permission::SecretsWrite);
    let teams = if is_wide { led_teams::all(&mut tx).await? } else { led_teams::led(cx, &mut tx).await? };
    tx.done().await?;
    if !is_wide && teams.is_empty() {
        return Err(ActionError::Forbidden(Permission::SecretsWrite));
    }
    Ok((is_wide, teams))
}

/// Adds a secret.
///
/// # Errors
/// The faults of each field; `Forbidden` where the caller may not keep one for this owner.
pub async fn create(cx: &OrgCx, whose: Whose, input: &SecretInput) -> ActionResult<StoredSecret> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let form = SecretForm {
        name: &input.name,
        description: &input.description,
        rotate_after_days: input.rotate_after_days,
    };
    let (terms, mut faults) = match SecretTerms::parse(form) {
        Ok(terms) => (Some(terms), Faults::default()),
        Err(faults) => (None, faults),
    };
    faults.check("value", parse_value(input.value.expose()));
    let owner = match faults.check("scope", input.scope.trim().parse::<Scope>()) {
        Some(scope) => faults.check("team", hands.owner(cx, &mut tx, scope, &input.team).await?),
        None => None,
    };
    let (Some(terms), Some(owner), true) = (terms, owner, faults.is_empty()) else {
        return Err(faults.into());
    };
    let sight = match owner {
        SecretOwner::User(user) => {
            cx.require(Permission::SecretsOwn)?;
            Sight { own: Some(user), ..Sight::default() }
        }
        _ if hands.may_write(owner) => Sight { is_wide: true, ..Sight::default() },
        _ => return Err(ActionError::Forbidden(Permission::SecretsWrite)),
    };
    if store::count_of(&mut tx, owner).await? >= MOST_OF_ONE {
        let sentence =
            format!("There are {MOST_OF_ONE} secrets here already. Delete those that nothing uses.");
        return Err(ActionError::refused("secrets_many", sentence));
    }
    let sealed = sealed(cx, &mut tx, SecretId::fresh(), &input.value).await?;
    store::insert(&mut tx, owner, &terms, &sealed, cx.user(), cx.now()).await.map_err(name_taken)?;
    let secret = store::find(&mut tx, sealed.id, &sight).await?.ok_or(ActionError::NotFound)?;
    orgs::bump_epoch(&mut tx).await?;
    let entry = about(Entry::admin("secret.created", &cx.who()), &secret).after(&SecretRecord::from(&secret));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(secret)
}

async fn sealed(
    cx: &OrgCx,
    tx: &mut OrgTx,
    id: SecretId,
    value: &Secret<String>,
) -> ActionResult<SealedSecret> {
    let (table, column) = SEALED_IN;
    let sealed = cx.ports.vault.seal(tx, Cell::new(table, column, id), value.expose().as_bytes()).await?;
    Ok(SealedSecret { id, key: sealed.key, bytes: sealed.bytes })
}

/// Gives a secret a new value; the old one is gone at once, and the next call carries the new one.
///
/// # Errors
/// A fault of `value`; `Changed` where someone else was faster than the version seen.
pub async fn rotate(
    cx: &OrgCx,
    whose: Whose,
    id: &str,
    value: &Secret<String>,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let before = hands.writable(&mut tx, id).await?;
    parse_value(value.expose()).map_err(|bad| ActionError::field("value", bad.to_string()))?;
    let sealed = sealed(cx, &mut tx, before.id, value).await?;
    settled(store::rotate(&mut tx, &sealed, seen, cx.now()).await?)?;
    let after = store::find(&mut tx, before.id, &hands.sight).await?.ok_or(ActionError::NotFound)?;
    orgs::bump_epoch(&mut tx).await?;
    let entry = about(Entry::admin("secret.rotated", &cx.who()), &after)
        .changed(&SecretRecord::from(&before), &SecretRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// Changes a secret's name and what is said of it. One that servers ask for keeps its name, for they ask by it.
///
/// # Errors
/// The faults of each field; `Changed` where someone else was faster than the version seen.
pub async fn update(
    cx: &OrgCx,
    whose: Whose,
    id: &str,
    change: SecretChange,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let before = hands.writable(&mut tx, id).await?;
    let terms = SecretTerms::parse(SecretForm {
        name: change.name.as_ref().unwrap_or(&before.name),
        description: change.description.as_ref().unwrap_or(&before.description),
        rotate_after_days: change.rotate_after_days.unwrap_or(before.rotate_after_days),
    })?;
    if terms.name.as_str() != before.name && !before.used_by.is_empty() {
        let message =
            format!("{} for it by its name; let them ask for another one first", asking(&before.used_by));
        return Err(ActionError::field("name", message));
    }
    let is_same = terms.name.as_str() == before.name
        && terms.description == before.description
        && terms.rotate_after_days == before.rotate_after_days;
    if is_same && seen.is_none_or(|seen| seen == before.version) {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(before);
    }
    settled(store::update(&mut tx, before.id, &terms, seen, cx.now()).await.map_err(name_taken)?)?;
    let after = store::find(&mut tx, before.id, &hands.sight).await?.ok_or(ActionError::NotFound)?;
    orgs::bump_epoch(&mut tx).await?;
    let entry = about(Entry::admin("secret.changed", &cx.who()), &after)
        .changed(&SecretRecord::from(&before), &SecretRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// Destroys a secret. One that servers ask for is kept, unless whoever asks says that they know.
///
/// # Errors
/// A refusal that names the servers; `Changed` where someone else was faster than the version seen.
pub async fn delete(
    cx: &OrgCx,
    whose: Whose,
    id: &str,
    confirmed: Confirmed,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    let mut tx = cx.tx().await?;
    let hands = Hands::of(cx, &mut tx, whose).await?;
    let secret = hands.writable(&mut tx, id).await?;
    if !secret.used_by.is_empty() && confirmed == Confirmed::No {
        let sentence = format!(
            "{} for this secret, and calls that need it will be refused. Confirm that you know, or let them ask for \
             another one first.",
            asking(&secret.used_by)
        );
        return Err(ActionError::refused("secret_used", sentence));
    }
    settled(store::delete(&mut tx, secret.id, seen).await?)?;
    orgs::bump_epoch(&mut tx).await?;
    let entry =
        about(Entry::admin("secret.deleted", &cx.who()), &secret).before(&SecretRecord::from(&secret));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(secret)
}

/// Who asks, in words: "The server github asks", "The servers github, linear and 2 more ask".
fn asking(servers: &[String]) -> String {
    const NAMED: usize = 3;
    match servers {
        [one] => format!("The server {one} asks"),
        _ => {
            let named = servers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            match servers.len().saturating_sub(NAMED) {
                0 => format!("The servers {named} ask"),
                more => format!("The servers {named} and {more} more ask"),
            }
        }
    }
}

fn about(entry: Entry, secret: &StoredSecret) -> Entry {
    match secret.owner {
        SecretOwner::User(user) => entry.target("secret", secret.id, "a personal secret").about(user),
        SecretOwner::Org | SecretOwner::Team(_) => entry.target("secret", secret.id, &secret.name),
    }
}

fn name_taken(error: DbError) -> ActionError {
    if error.broke(store::NAME_IS_FREE) {
        ActionError::field(
            "name",
            "there is a secret of this name already; rotate that one, or choose another name",
        )
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_ask_are_named_up_to_three() {
        let servers = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(asking(&servers(&["a"])), "The server a asks");
        assert_eq!(asking(&servers(&["a", "b"])), "The servers a, b ask");
        assert_eq!(asking(&servers(&["a", "b", "c", "d", "e"])), "The servers a, b, c and 2 more ask");
    }
}
