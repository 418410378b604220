//! Why something that was asked of organizations, members, teams or invitations is refused.

/// A refusal; its text is a sentence for the person who asked, its code is for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TenancyRefusal {
    /// The one who asks may not manage people.
    #[error("Managing people needs the role owner or admin.")]
    MayNotManage,
    /// Only owners touch owners.
    #[error("Only an owner may name, change or remove an owner.")]
    OwnersOnly,
    /// The last owner would vanish.
    #[error("This is the last owner. Name another owner first.")]
    LastOwner,
    /// Ownership was to be handed to the one who has it.
    #[error("Choose somebody else as the new owner.")]
    HeirIsSelf,
    /// The one who asks may not manage this team.
    #[error("Managing this team needs to be its owner or admin, or an admin of the organization.")]
    MayNotManageTeam,
    /// Only team owners touch a team's owners and admins.
    #[error("Only an owner of the team or an admin of the organization may do this.")]
    TeamOwnersOnly,
    /// Deletion was asked for before.
    #[error("Deletion of this organization has already been asked for.")]
    DeletionAsked,
    /// Nobody asked for deletion.
    #[error("Nobody has asked for the deletion of this organization.")]
    DeletionNotAsked,
    /// Only owners delete.
    #[error("Only an owner may ask for, confirm or cancel deletion.")]
    DeletionOwnersOnly,
    /// The one who asked cannot be the one who confirms.
    #[error("A second owner has to confirm the deletion.")]
    DeletionNeedsAnother,
    /// The one who asked is no longer an owner.
    #[error("Whoever asked for deletion is no longer an owner. Cancel it, then ask anew.")]
    DeletionAskerLeft,
    /// The grace period still runs.
    #[error("The organization has only one owner, so it is deleted 72 hours after that was asked for.")]
    DeletionTooEarly,
    /// (a) Nobody has signed in.
    #[error("Sign in, or sign up with the invited address, to accept the invitation.")]
    SignInFirst,
    /// (b) The invitation is for another address.
    #[error("This invitation is for another e-mail address. Sign in with the address it was sent to.")]
    OtherEmail,
    /// (c) The invitation was accepted before.
    #[error("This invitation has been used.")]
    InvitationUsed,
    /// (c) The link is too old.
    #[error("This invitation has expired. Ask for a new one.")]
    InvitationExpired,
    /// (c) The invitation was taken back.
    #[error("This invitation has been withdrawn.")]
    InvitationRevoked,
    /// (d) The page showed one invitation and the link belongs to another.
    #[error("The page and the link belong to different invitations. Open the link from the letter again.")]
    OtherInvitation,
    /// (e) Whoever invited may no longer do so.
    #[error("Whoever sent this invitation may no longer invite people. Ask for a new one.")]
    InviterLostRight,
    /// (f) The account has the invited address but has not proven that it is theirs.
    #[error("Prove first that the invited address is yours: open the link in the letter we sent to it.")]
    EmailUnproven,
    /// (g) No invitation has this link, or a newer letter has replaced it; we do not say which.
    #[error("This invitation link does not work. If a newer one was sent, use that, or ask for a new one.")]
    InvitationUnknown,
    /// The organization is suspended.
    #[error("This organization is suspended. Ask whoever operates this installation.")]
    OrgSuspended,
    /// The organization is no more.
    #[error("This organization no longer exists.")]
    OrgDeleted,
}

impl TenancyRefusal {
    /// Every refusal, for documents and tests.
    pub const ALL: &[Self] = &[
        Self::MayNotManage,
        Self::OwnersOnly,
        Self::LastOwner,
        Self::HeirIsSelf,
        Self::MayNotManageTeam,
        Self::TeamOwnersOnly,
        Self::DeletionAsked,
        Self::DeletionNotAsked,
        Self::DeletionOwnersOnly,
        Self::DeletionNeedsAnother,
        Self::DeletionAskerLeft,
        Self::DeletionTooEarly,
        Self::SignInFirst,
        Self::OtherEmail,
        Self::InvitationUsed,
        Self::InvitationExpired,
        Self::InvitationRevoked,
        Self::OtherInvitation,
        Self::InviterLostRight,
        Self::EmailUnproven,
        Self::InvitationUnknown,
        Self::OrgSuspended,
        Self::OrgDeleted,
    ];

    /// The stable code for programs and the record.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MayNotManage => "may_not_manage",
            Self::OwnersOnly => "owners_only",
            Self::LastOwner => "last_owner",
            Self::HeirIsSelf => "heir_is_self",
            Self::MayNotManageTeam => "may_not_manage_team",
            Self::TeamOwnersOnly => "team_owners_only",
            Self::DeletionAsked => "deletion_asked",
            Self::DeletionNotAsked => "deletion_not_asked",
            Self::DeletionOwnersOnly => "deletion_owners_only",
            Self::DeletionNeedsAnother => "deletion_needs_another",
            Self::DeletionAskerLeft => "deletion_asker_left",
            Self::DeletionTooEarly => "deletion_too_early",
            Self::SignInFirst => "sign_in_first",
            Self::OtherEmail => "other_email",
            Self::InvitationUsed => "invitation_used",
            Self::InvitationExpired => "invitation_expired",
            Self::InvitationRevoked => "invitation_revoked",
            Self::OtherInvitation => "other_invitation",
            Self::InviterLostRight => "inviter_lost_right",
            Self::EmailUnproven => "email_unproven",
            Self::InvitationUnknown => "invitation_unknown",
            Self::OrgSuspended => "org_suspended",
            Self::OrgDeleted => "org_deleted",
        }
    }

    /// Whether the caller lacks a right, rather than asking for something that cannot be.
    pub const fn is_about_rights(self) -> bool {
        matches!(
            self,
            Self::MayNotManage
                | Self::OwnersOnly
                | Self::MayNotManageTeam
                | Self::TeamOwnersOnly
                | Self::DeletionOwnersOnly
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_code_and_a_sentence_of_its_own() {
        let codes: std::collections::BTreeSet<_> = TenancyRefusal::ALL.iter().map(|r| r.code()).collect();
        let texts: std::collections::BTreeSet<_> =
            TenancyRefusal::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(codes.len(), TenancyRefusal::ALL.len());
        assert_eq!(texts.len(), TenancyRefusal::ALL.len());
        assert!(texts.iter().all(|t| t.ends_with('.')), "{texts:?}");
    }
}
