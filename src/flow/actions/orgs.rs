//! An organization's own settings: name, address, sign-in, invitations.

use serde::Serialize;

use crate::{
    base::{
        ids::UserId,
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, Entry},
        identity::store::factors,
        tenancy::{MemberName, Org, OrgSettings, store},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

/// Changes to the settings; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct OrgChange {
    /// Its name.
    pub name: Option<String>,
    /// Its short name, which stands in every address.
    pub slug: Option<String>,
    /// Whether its people must show a second factor.
    pub require_second_factor: Option<bool>,
    /// How many hours an invitation is good.
    pub invitation_hours: Option<String>,
    /// Whether a policy comes into force only when a second person says so.
    pub publishing_takes_two: Option<bool>,
    /// Whether people may decide what agents in their own name ask.
    pub self_approval: Option<bool>,
    /// For how many days the arguments of calls are kept.
    pub argument_days: Option<String>,
}

/// The settings and whom they touch.
#[derive(Clone, Debug)]
pub struct OrgSheet {
    /// The organization as it is now.
    pub org: Org,
    /// Members who hold no second factor.
    pub without_factor: Vec<MemberName>,
    /// Whether the person who looks has shown one.
    pub is_two_factor: bool,
}

/// What the record keeps of an organization.
#[derive(Serialize)]
struct OrgRecord<'a> {
    name: &'a str,
    slug: &'a str,
    require_second_factor: bool,
    invitation_hours: i32,
    publishing_takes_two: bool,
    self_approval: bool,
    argument_days: i32,
}

impl<'a> From<&'a Org> for OrgRecord<'a> {
    fn from(org: &'a Org) -> Self {
        Self {
            name: &org.name,
            slug: org.slug.as_str(),
            require_second_factor: org.require_second_factor,
            invitation_hours: org.invitation_hours,
            publishing_takes_two: org.publishing_takes_two,
            self_approval: org.self_approval,
            argument_days: org.argument_days,
        }
    }
}

/// The organization with its settings.
pub async fn read(cx: &OrgCx) -> ActionResult<Org> {
    cx.require(Permission::OrgRead)?;
    let mut tx = cx.tx().await?;
    let org = present(&mut tx).await?;
    tx.done().await?;
    Ok(org)
}

/// The settings with the people whom they touch.
pub async fn sheet(cx: &OrgCx) -> ActionResult<OrgSheet> {
    let org = read(cx).await?;
    let without_factor = without_second_factor(cx).await?;
    let is_two_factor = cx.person.as_ref().is_some_and(|person| person.session.is_two_factor());
    Ok(OrgSheet { org, without_factor, is_two_factor })
}

/// Changes settings.
///
/// # Errors
/// Field faults; `Changed` where someone else was faster; `NeedsProof` for a change of what sign-in, a publication or an
/// approval asks, or of what is kept of calls.
pub async fn update(cx: &OrgCx, change: OrgChange, seen: Option<i64>) -> ActionResult<Org> {
    cx.require(Permission::OrgWrite)?;
    let mut tx = cx.tx().await?;
    let before = present(&mut tx).await?;
    let hours = change.invitation_hours.as_deref();
    let days = change.argument_days.as_deref();
    let mut new = OrgSettings::parse(&before, change.name.as_deref(), change.slug.as_deref(), hours, days)?;
    new.require_second_factor = change.require_second_factor.unwrap_or(before.require_second_factor);
    if new.require_second_factor != before.require_second_factor {
        cx.require_proof()?;
        if new.require_second_factor {
            refuse_to_lock_out(cx, &mut tx).await?;
        }
    }
    new.publishing_takes_two = change.publishing_takes_two.unwrap_or(before.publishing_takes_two);
    if new.publishing_takes_two != before.publishing_takes_two {
        cx.require_proof()?;
        check_two(cx, &mut tx, new.publishing_takes_two).await?;
    }
    new.self_approval = change.self_approval.unwrap_or(before.self_approval);
    if new.self_approval != before.self_approval {
        cx.require_proof()?;
        if new.self_approval && cx.role != Role::Owner {
            return Err(ActionError::field("self_approval", "only an owner may switch this on"));
        }
    }
    if new.argument_days != before.argument_days {
        cx.require_proof()?;
        if new.argument_days > before.argument_days && cx.role != Role::Owner {
            return Err(ActionError::field(
                "argument_days",
                "only an owner may have arguments kept for longer",
            ));
        }
        if new.argument_days < before.argument_days {
            audit::shorten_arguments(&mut tx, new.argument_days, cx.now()).await?;
        }
    }
    // All settings are written, also those that stay: what somebody else changed meanwhile must not come back with them.
    let seen = Some(seen.unwrap_or(before.version));
    settled(store::orgs::update(&mut tx, &new, seen, cx.now()).await.map_err(slug_taken)?)?;
    let after = present(&mut tx).await?;
    let entry = Entry::admin("org.changed", &cx.who())
        .target("org", after.id, &after.name)
        .changed(&OrgRecord::from(&before), &OrgRecord::from(&after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
        Ok(after)
    } else {
        // Nothing is kept, so that the versions that others hold stay good.
        tx.done().await?;
        Ok(before)
    }
}

/// Members who could not show a second factor today, by name.
pub(super) async fn without_second_factor(cx: &OrgCx) -> ActionResult<Vec<MemberName>> {
    let mut tx = cx.tx().await?;
    let members = store::glance::names(&mut tx).await?;
    tx.done().await?;
    let holders = holders(cx, &members.iter().map(|member| member.user).collect::<Vec<_>>()).await?;
    Ok(members.into_iter().filter(|member| !holders.contains(&member.user)).collect())
}

/// Which of these people hold a second factor.
pub(super) async fn holders(cx: &OrgCx, people: &[UserId]) -> ActionResult<Vec<UserId>> {
    let mut tx = cx.system_tx().await?;
    let holders = factors::holders(&mut tx, people).await?;
    tx.done().await?;
    Ok(holders)
}

/// Refuses to ask of everybody what the one who decides could not show; a service account decides for the owners.
async fn refuse_to_lock_out(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<()> {
    let message = match (&cx.person, cx.user()) {
        (Some(person), _) if person.session.is_two_factor() => return Ok(()),
        (Some(_), Some(user)) if !holders(cx, &[user]).await?.is_empty() => {
            "you signed in without your second factor; sign in again with it, then require it of everybody"
        }
        (None, Some(user)) if !holders(cx, &[user]).await?.is_empty() => return Ok(()),
        (_, Some(_)) => "set up a second factor of your own first, or you would be locked out yourself",
        (_, None) => {
            let names = store::glance::names(tx).await?;
            let owners: Vec<UserId> =
                names.iter().filter(|member| member.role == Role::Owner).map(|member| member.user).collect();
            if !holders(cx, &owners).await?.is_empty() {
                return Ok(());
            }
            "no owner has a second factor yet, so nobody could set one up for the others"
        }
    };
    Err(ActionError::field("require_second_factor", message))
}

/// Refuses what would leave nobody who can publish, and that one of the two does away with the other.
async fn check_two(cx: &OrgCx, tx: &mut OrgTx, takes_two: bool) -> ActionResult<()> {
    if !takes_two {
        return match cx.role {
            Role::Owner => Ok(()),
            _ => Err(ActionError::field("publishing_takes_two", "only an owner may switch this off")),
        };
    }
    let names = store::glance::names(tx).await?;
    let may = names.iter().filter(|member| member.role.may(Permission::PoliciesWrite)).count();
    if may < 2 {
        let message = "only one person here may publish policies; give a second one a role that may, such as policy manager";
        return Err(ActionError::field("publishing_takes_two", message));
    }
    Ok(())
}

pub(super) async fn present(tx: &mut OrgTx) -> ActionResult<Org> {
    store::orgs::find(tx).await?.ok_or(ActionError::NotFound)
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(store::orgs::SLUG_IS_FREE) {
        ActionError::field("slug", "another organization has this short name; choose another")
    } else {
        error.into()
    }
}
