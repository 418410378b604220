//! Every letter and what it needs to know.
//!
//! Links that open something by themselves are [`Secret`]; links to pages that ask for sign-in are plain text.

use crate::{
    base::{permission::Role, secret::Secret},
    flow::letters::{Line, Moment},
};

/// Asks a person to prove that an address is theirs.
#[derive(Clone, Debug)]
pub struct VerifyEmail {
    /// The person.
    pub name: Line,
    /// Proves the address.
    pub link: Secret<String>,
    /// Until when.
    pub expires_at: Moment,
}

/// Lets a person choose a new password.
#[derive(Clone, Debug)]
pub struct ResetPassword {
    /// The person.
    pub name: Line,
    /// Opens the form.
    pub link: Secret<String>,
    /// Until when.
    pub expires_at: Moment,
    /// From where it was asked for, as an address in text.
    pub place: Line,
}

/// Tells a person that their password was changed.
#[derive(Clone, Debug)]
pub struct PasswordChanged {
    /// The person.
    pub name: Line,
    /// When.
    pub at: Moment,
    /// The device, in words.
    pub device: Line,
    /// From where, as an address in text.
    pub place: Line,
    /// The page where a lost password is replaced.
    pub reset_page: String,
}

/// Tells somebody that a call waits for them. What it would send is shown on the page only.
#[derive(Clone, Debug)]
pub struct ApprovalAsked {
    /// The organization.
    pub org: Line,
    /// The agent.
    pub agent: Line,
    /// In whose name it acts.
    pub person: Line,
    /// The tool and its server.
    pub tool: Line,
    /// What the tool does at worst, in words.
    pub effect: Line,
    /// Until when it may be decided.
    pub expires_at: Moment,
    /// The page on which it is decided; it asks for sign-in.
    pub page: String,
}

/// Tells somebody who may publish policies that a draft waits for a second person.
#[derive(Clone, Debug)]
pub struct PolicyProposed {
    /// The organization.
    pub org: Line,
    /// The policy.
    pub policy: Line,
    /// Who asks.
    pub person: Line,
    /// What they say of it, where they do.
    pub note: Option<Line>,
    /// The page on which it is published; it asks for sign-in.
    pub page: String,
}

/// Tells somebody who may give access that it is asked for.
#[derive(Clone, Debug)]
pub struct AccessAsked {
    /// The organization.
    pub org: Line,
    /// Who asks.
    pub person: Line,
    /// For what, and on which server.
    pub what: Line,
    /// For how long.
    pub span: Line,
    /// Until when it may be decided.
    pub expires_at: Moment,
    /// The page on which it is decided; it asks for sign-in.
    pub page: String,
}

/// Tells a person what was decided about the access they asked for.
#[derive(Clone, Debug)]
pub struct AccessDecided {
    /// The person.
    pub name: Line,
    /// The organization.
    pub org: Line,
    /// What they asked for, and on which server.
    pub what: Line,
    /// What they were given, and for how long; none where it was refused.
    pub given: Option<Line>,
    /// Who decided.
    pub by: Line,
    /// What was said with it; may be empty.
    pub reason: Line,
    /// The page where they go on; it asks for sign-in.
    pub page: String,
}

/// Tells somebody that an account of theirs has to be connected again before agents can use it.
#[derive(Clone, Debug)]
pub struct AccountReconnect {
    /// The provider.
    pub provider: Line,
    /// The account.
    pub account: Line,
    /// The organization.
    pub org: Line,
    /// Its page; it asks for sign-in.
    pub page: String,
    /// Whether this goes to an admin, for whoever connected it has left.
    pub is_admin: bool,
}

/// Tells somebody that an account of theirs ends soon unless it is connected again.
#[derive(Clone, Debug)]
pub struct AccountEnds {
    /// The provider.
    pub provider: Line,
    /// The account.
    pub account: Line,
    /// When.
    pub ends: Moment,
    /// The organization.
    pub org: Line,
    /// Its page; it asks for sign-in.
    pub page: String,
    /// Whether this goes to an admin, for whoever connected it has left.
    pub is_admin: bool,
}

/// Tells an admin that a provider refuses the client that is registered there.
#[derive(Clone, Debug)]
pub struct ProviderRefused {
    /// The organization.
    pub org: Line,
    /// The provider.
    pub provider: Line,
    /// The provider's code for it.
    pub code: Line,
    /// Its page; it asks for sign-in.
    pub page: String,
}

/// Tells an admin that a provider has given no new token for long.
#[derive(Clone, Debug)]
pub struct ProviderSilent {
    /// The organization.
    pub org: Line,
    /// The provider.
    pub provider: Line,
    /// Since when.
    pub since: Moment,
    /// Its page; it asks for sign-in.
    pub page: String,
}

/// Invites somebody who has no account.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The organization.
    pub org: Line,
    /// Who invites.
    pub inviter: Line,
    /// Their address.
    pub inviter_email: Line,
    /// As what.
    pub role: Role,
    /// Into which team, if any.
    pub team: Option<Line>,
    /// Opens the invitation.
    pub link: Secret<String>,
    /// Until when.
    pub expires_at: Moment,
}

/// Invites somebody who has an account already.
#[derive(Clone, Debug)]
pub struct InvitationExistingAccount {
    /// The person invited.
    pub name: Line,
    /// The invitation.
    pub invitation: Invitation,
}

/// Tells a person that somebody tried to sign up with their address.
#[derive(Clone, Debug)]
pub struct SignUpExisting {
    /// The person.
    pub name: Line,
    /// The page to sign in.
    pub sign_in_page: String,
    /// The page where a lost password is replaced.
    pub reset_page: String,
}

/// Tells a person about a sign-in from a new device or place.
#[derive(Clone, Debug)]
pub struct NewSignIn {
    /// The person.
    pub name: Line,
    /// When.
    pub at: Moment,
    /// The device, in words.
    pub device: Line,
    /// From where, as an address in text.
    pub place: Line,
    /// The page that lists and ends sessions.
    pub sessions_page: String,
}

/// What happened to a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactorChange {
    /// Codes from an app are asked for from now on.
    AppAdded,
    /// They no longer are.
    AppRemoved,
    /// New recovery codes were made; the old ones are void.
    RecoveryCodesMade,
    /// A recovery code was used to sign in.
    RecoveryCodeUsed,
    /// A passkey was removed.
    PasskeyRemoved,
}

impl SecondFactorChange {
    /// As a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AppAdded => "Your account now asks for a code from an authenticator app.",
            Self::AppRemoved => "Your account no longer asks for a code from an authenticator app.",
            Self::RecoveryCodesMade => {
                "New recovery codes were made for your account. The earlier ones no longer work."
            }
            Self::RecoveryCodeUsed => {
                "A recovery code was used to sign in to your account. It does not work again."
            }
            Self::PasskeyRemoved => "A passkey was removed from your account.",
        }
    }

    /// As a subject.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::AppAdded => "Two-step sign-in is on",
            Self::AppRemoved => "Two-step sign-in is off",
            Self::RecoveryCodesMade => "New recovery codes were made",
            Self::RecoveryCodeUsed => "A recovery code was used",
            Self::PasskeyRemoved => "A passkey was removed",
        }
    }
}

/// Tells a person that a second factor was changed or used up.
#[derive(Clone, Debug)]
pub struct SecondFactorChanged {
    /// The person.
    pub name: Line,
    /// What happened.
    pub change: SecondFactorChange,
    /// When.
    pub at: Moment,
    /// The device, in words.
    pub device: Line,
    /// From where, as an address in text.
    pub place: Line,
    /// The page that shows the factors.
    pub security_page: String,
}

/// Tells a person about a new passkey.
#[derive(Clone, Debug)]
pub struct PasskeyAdded {
    /// The person.
    pub name: Line,
    /// What they called it.
    pub passkey: Line,
    /// When.
    pub at: Moment,
    /// The device, in words.
    pub device: Line,
    /// From where, as an address in text.
    pub place: Line,
    /// The page that shows the passkeys.
    pub security_page: String,
}

/// Tells the earlier address that another one took its place.
#[derive(Clone, Debug)]
pub struct EmailChanged {
    /// The person.
    pub name: Line,
    /// The earlier address.
    pub old: Line,
    /// The new address.
    pub new: Line,
    /// When.
    pub at: Moment,
    /// From where, as an address in text.
    pub place: Line,
}

/// Tells a person that they are now an owner of an organization.
#[derive(Clone, Debug)]
pub struct OwnershipTransferred {
    /// The organization.
    pub org: Line,
    /// Who handed it over.
    pub from: Line,
    /// Who is an owner now.
    pub to: Line,
    /// When.
    pub at: Moment,
    /// The organization's members.
    pub members_page: String,
}

/// Tells a person that they no longer belong to an organization.
#[derive(Clone, Debug)]
pub struct RemovedFromOrg {
    /// The person.
    pub name: Line,
    /// The organization.
    pub org: Line,
    /// Who removed them.
    pub by: Line,
    /// When.
    pub at: Moment,
}

/// Tells a person about a new API key of theirs.
#[derive(Clone, Debug)]
pub struct ApiKeyCreated {
    /// The person.
    pub name: Line,
    /// The organization.
    pub org: Line,
    /// What the key is called.
    pub key: Line,
    /// The last letters of its token.
    pub tail: Line,
    /// What it may do.
    pub scopes: Vec<&'static str>,
    /// When it was made.
    pub at: Moment,
    /// When it ends, if ever.
    pub expires_at: Option<Moment>,
    /// The page that lists and revokes keys.
    pub keys_page: String,
}

/// Tells every owner that the deletion of an organization was asked for.
#[derive(Clone, Debug)]
pub struct OrgDeletionAsked {
    /// The organization.
    pub org: Line,
    /// Who asked.
    pub by: Line,
    /// When.
    pub at: Moment,
    /// When it happens by itself; nothing where another owner has to confirm.
    pub deletes_at: Option<Moment>,
    /// The page where it is confirmed or called off.
    pub settings_page: String,
}

/// Lets the operator see that mail arrives.
#[derive(Clone, Debug)]
pub struct TestLetter {
    /// When it was asked for.
    pub at: Moment,
}

/// One of the letters.
#[derive(Clone, Debug)]
pub enum Letter {
    /// Asks a person to prove that an address is theirs.
    VerifyEmail(VerifyEmail),
    /// Lets a person choose a new password.
    ResetPassword(ResetPassword),
    /// Tells a person that their password was changed.
    PasswordChanged(PasswordChanged),
    /// Invites somebody who has no account.
    Invitation(Invitation),
    /// Invites somebody who has an account already.
    InvitationExistingAccount(InvitationExistingAccount),
    /// Tells a person that somebody tried to sign up with their address.
    SignUpExisting(SignUpExisting),
    /// Tells a person about a sign-in from a new device or place.
    NewSignIn(NewSignIn),
    /// Tells a person that a second factor was changed or used up.
    SecondFactorChanged(SecondFactorChanged),
    /// Tells a person about a new passkey.
    PasskeyAdded(PasskeyAdded),
    /// Tells the earlier address that another one took its place.
    EmailChanged(EmailChanged),
    /// Tells a person that they are now an owner of an organization.
    OwnershipTransferred(OwnershipTransferred),
    /// Tells a person that they no longer belong to an organization.
    RemovedFromOrg(RemovedFromOrg),
    /// Tells a person about a new API key of theirs.
    ApiKeyCreated(ApiKeyCreated),
    /// Tells every owner that the deletion of an organization was asked for.
    OrgDeletionAsked(OrgDeletionAsked),
    /// Tells somebody that a call waits for them.
    ApprovalAsked(ApprovalAsked),
    /// Tells somebody who may publish policies that a draft waits for a second person.
    PolicyProposed(PolicyProposed),
    /// Tells somebody who may give access that it is asked for.
    AccessAsked(AccessAsked),
    /// Tells a person what was decided about the access they asked for.
    AccessDecided(AccessDecided),
    /// Tells somebody that an account has to be connected again.
    AccountReconnect(AccountReconnect),
    /// Tells somebody that an account ends soon.
    AccountEnds(AccountEnds),
    /// Tells an admin that no account at a provider can be renewed.
    ProviderRefused(ProviderRefused),
    /// Tells an admin that a provider has given no new token for long.
    ProviderSilent(ProviderSilent),
    /// Lets the operator see that mail arrives.
    TestLetter(TestLetter),
}

impl Letter {
    /// The name in the outbox; also its folder under `templates/mail`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail(_) => "verify_email",
            Self::ResetPassword(_) => "reset_password",
            Self::PasswordChanged(_) => "password_changed",
            Self::Invitation(_) => "invitation",
            Self::InvitationExistingAccount(_) => "invitation_existing_account",
            Self::SignUpExisting(_) => "sign_up_existing",
            Self::NewSignIn(_) => "new_sign_in",
            Self::SecondFactorChanged(_) => "second_factor_changed",
            Self::PasskeyAdded(_) => "passkey_added",
            Self::EmailChanged(_) => "email_changed",
            Self::OwnershipTransferred(_) => "ownership_transferred",
            Self::RemovedFromOrg(_) => "removed_from_org",
            Self::ApiKeyCreated(_) => "api_key_created",
            Self::OrgDeletionAsked(_) => "org_deletion_asked",
            Self::ApprovalAsked(_) => "approval_asked",
            Self::PolicyProposed(_) => "policy_proposed",
            Self::AccessAsked(_) => "access_asked",
            Self::AccessDecided(_) => "access_decided",
            Self::AccountReconnect(_) => "account_reconnect",
            Self::AccountEnds(_) => "account_ends",
            Self::ProviderRefused(_) => "provider_refused",
            Self::ProviderSilent(_) => "provider_silent",
            Self::TestLetter(_) => "test_letter",
        }
    }

    /// The subject.
    pub fn subject(&self) -> String {
        match self {
            Self::VerifyEmail(_) => "Confirm your e-mail address".to_owned(),
            Self::ResetPassword(_) => "Choose a new password".to_owned(),
            Self::PasswordChanged(_) => "Your password was changed".to_owned(),
            Self::Invitation(l) => format!("{} invited you to {}", l.inviter, l.org),
            Self::InvitationExistingAccount(l) => {
                format!("{} invited you to {}", l.invitation.inviter, l.invitation.org)
            }
            Self::SignUpExisting(_) => "You already have an account".to_owned(),
            Self::NewSignIn(l) => format!("New sign-in from {}", l.device),
            Self::SecondFactorChanged(l) => l.change.subject().to_owned(),
            Self::PasskeyAdded(_) => "A passkey was added".to_owned(),
            Self::EmailChanged(_) => "Your e-mail address was changed".to_owned(),
            Self::OwnershipTransferred(l) => format!("You are now an owner of {}", l.org),
            Self::RemovedFromOrg(l) => format!("You were removed from {}", l.org),
            Self::ApiKeyCreated(l) => format!("New API key in {}", l.org),
            Self::OrgDeletionAsked(l) => format!("{} asked to delete {}", l.by, l.org),
            Self::ApprovalAsked(l) => format!("{} asks to call {}", l.agent, l.tool),
            Self::PolicyProposed(l) => format!("{} asks you to publish {}", l.person, l.policy),
            Self::AccessAsked(l) => format!("{} asks for access to {}", l.person, l.what),
            Self::AccessDecided(l) if l.given.is_some() => format!("You have access to {}", l.what),
            Self::AccessDecided(l) => format!("Access to {} was refused", l.what),
            Self::AccountReconnect(l) => format!("Connect {} again", l.provider),
            Self::AccountEnds(l) => format!("Connect {} again before {}", l.provider, l.ends),
            Self::ProviderRefused(l) => format!("{} refuses the client of {}", l.provider, l.org),
            Self::ProviderSilent(l) => format!("{} gives {} no new tokens", l.provider, l.org),
            Self::TestLetter(_) => "Mail from Portreeve arrives".to_owned(),
        }
    }
}
