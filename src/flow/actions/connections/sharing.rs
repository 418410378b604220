//! Accounts that are not one person's: who looks after those of everybody and of a team, and for whom somebody connects.

use crate::{
    base::permission::Permission,
    domain::connections::AccountOwner,
    flow::{
        actions::led_teams::{self, LedTeam},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::OrgTx,
};

/// For whom somebody may connect accounts besides themselves.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// Whether for everybody.
    pub everybody: bool,
    /// For which teams.
    pub teams: Vec<LedTeam>,
}

impl Sharing {
    /// What the caller may.
    pub(super) async fn of(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Self> {
        let everybody = cx.may(Permission::ConnectionsWrite);
        let teams = if everybody { led_teams::all(tx).await? } else { led_teams::led(cx, tx).await? };
        Ok(Self { everybody, teams })
    }

    /// Whether the caller looks after the accounts of this owner.
    pub fn covers(&self, owner: AccountOwner) -> bool {
        match owner {
            AccountOwner::User(_) => false,
            AccountOwner::Team(team) => self.everybody || self.teams.iter().any(|led| led.id == team),
            AccountOwner::Org => self.everybody,
        }
    }

    /// Whether there is anybody at all.
    pub const fn is_any(&self) -> bool {
        self.everybody || !self.teams.is_empty()
    }

    /// Whose an account is to be: `org`, or `team:` with a team's short name.
    pub(super) fn owner(&self, named: &str) -> Result<AccountOwner, &'static str> {
        match (named, named.strip_prefix("team:")) {
            ("org", _) if self.everybody => Ok(AccountOwner::Org),
            ("org", _) => Err("only owners and admins connect accounts for everybody"),
            (_, Some(slug)) => {
                let led = self.teams.iter().find(|team| team.slug == slug || team.id.to_string() == slug);
                led.map(|team| AccountOwner::Team(team.id))
                    .ok_or("you speak for no team of this name; its owners and admins do")
            }
            _ => Err("say me, org, or team: with a team's short name"),
        }
    }
}
