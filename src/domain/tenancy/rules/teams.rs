//! Who may change a team and who is in it.
//!
//! Invariant: a team admin touches plain members only. There is no rule of the last team owner: whoever may
//! write teams in the organization manages a team that has no owner.

use crate::{
    base::permission::TeamRole,
    domain::tenancy::{TeamReach, TenancyRefusal},
};

/// Whether the team may be renamed, described or deleted.
///
/// # Errors
/// Why not.
pub const fn check_change(reach: TeamReach) -> Result<(), TenancyRefusal> {
    match reach {
        TeamReach::Everything => Ok(()),
        TeamReach::Members => Err(TenancyRefusal::TeamOwnersOnly),
        TeamReach::Nothing => Err(TenancyRefusal::MayNotManageTeam),
    }
}

/// Whether a place in the team may become another; `None` is no place, so that it covers adding and removing
/// too.
///
/// # Errors
/// Why not.
pub fn check_place(
    reach: TeamReach,
    present: Option<TeamRole>,
    wanted: Option<TeamRole>,
) -> Result<(), TenancyRefusal> {
    let is_plain = [present, wanted].into_iter().flatten().all(|role| role == TeamRole::Member);
    match (reach, is_plain) {
        (TeamReach::Everything, _) | (TeamReach::Members, true) => Ok(()),
        (TeamReach::Members, false) => Err(TenancyRefusal::TeamOwnersOnly),
        (TeamReach::Nothing, _) => Err(TenancyRefusal::MayNotManageTeam),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_admin_touches_plain_members_only() {
        const PLACES: [Option<TeamRole>; 4] =
            [None, Some(TeamRole::Member), Some(TeamRole::Admin), Some(TeamRole::Owner)];
        for present in PLACES {
            for wanted in PLACES {
                let leads = |place| matches!(place, Some(TeamRole::Admin | TeamRole::Owner));
                assert_eq!(
                    check_place(TeamReach::Members, present, wanted).is_err(),
                    leads(present) || leads(wanted),
                    "{present:?} to {wanted:?}"
                );
                assert_eq!(check_place(TeamReach::Everything, present, wanted), Ok(()));
                assert_eq!(
                    check_place(TeamReach::Nothing, present, wanted),
                    Err(TenancyRefusal::MayNotManageTeam)
                );
            }
        }
    }

    #[test]
    fn only_who_may_everything_changes_the_team_itself() {
        assert_eq!(check_change(TeamReach::Everything), Ok(()));
        assert_eq!(check_change(TeamReach::Members), Err(TenancyRefusal::TeamOwnersOnly));
        assert_eq!(check_change(TeamReach::Nothing), Err(TenancyRefusal::MayNotManageTeam));
    }
}
