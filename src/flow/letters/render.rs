//! Letters as text and HTML.

use std::fmt;

use askama::Template;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::flow::letters::{
    Letter,
    letter::{
        AccessAsked, AccessDecided, AccountEnds, AccountReconnect, ApiKeyCreated, ApprovalAsked,
        EmailChanged, Invitation, InvitationExistingAccount, NewSignIn, OrgDeletionAsked,
        OwnershipTransferred, PasskeyAdded, PasswordChanged, PolicyProposed, ProviderRefused, ProviderSilent,
        RemovedFromOrg, ResetPassword, SecondFactorChanged, SignUpExisting, TestLetter, VerifyEmail,
    },
};

/// A letter that is ready to be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The letter as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendered(***)")
    }
}

impl Drop for Rendered {
    fn drop(&mut self) {
        self.text.zeroize();
        self.html.zeroize();
    }
}

impl Letter {
    /// Renders the letter; `site` is where this Portreeve is found, such as `https://portreeve.example.com`.
    pub fn render(&self, site: &str) -> Rendered {
        let subject = self.subject();
        let html = html(self, site, &subject).expect("a template fails only where a value's Display does");
        let text = tidy(&text(self, site).expect("a template fails only where a value's Display does"));
        Rendered { subject, text, html }
    }
}

/// Conditions in a template leave empty lines behind; a text letter has one between paragraphs and none at the end.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            tidied.push_str(line);
            tidied.push('\n');
        }
        empty = line.is_empty();
    }
    tidied.truncate(tidied.trim_end().len());
    tidied.push('\n');
    tidied
}

fn text(letter: &Letter, site: &str) -> askama::Result<String> {
    match letter {
        Letter::VerifyEmail(letter) => Text::VerifyEmail { site, letter }.render(),
        Letter::ResetPassword(letter) => Text::ResetPassword { site, letter }.render(),
        Letter::PasswordChanged(letter) => Text::PasswordChanged { site, letter }.render(),
        Letter::Invitation(letter) => Text::Invitation { site, letter }.render(),
        Letter::InvitationExistingAccount(letter) => {
            Text::InvitationExistingAccount { site, letter }.render()
        }
        Letter::SignUpExisting(letter) => Text::SignUpExisting { site, letter }.render(),
        Letter::NewSignIn(letter) => Text::NewSignIn { site, letter }.render(),
        Letter::SecondFactorChanged(letter) => Text::SecondFactorChanged { site, letter }.render(),
        Letter::PasskeyAdded(letter) => Text::PasskeyAdded { site, letter }.render(),
        Letter::EmailChanged(letter) => Text::EmailChanged { site, letter }.render(),
        Letter::OwnershipTransferred(letter) => Text::OwnershipTransferred { site, letter }.render(),
        Letter::RemovedFromOrg(letter) => Text::RemovedFromOrg { site, letter }.render(),
        Letter::ApiKeyCreated(letter) => Text::ApiKeyCreated { site, letter }.render(),
        Letter::OrgDeletionAsked(letter) => Text::OrgDeletionAsked { site, letter }.render(),
        Letter::ApprovalAsked(letter) => Text::ApprovalAsked { site, letter }.render(),
        Letter::PolicyProposed(letter) => Text::PolicyProposed { site, letter }.render(),
        Letter::AccessAsked(letter) => Text::AccessAsked { site, letter }.render(),
        Letter::AccessDecided(letter) => Text::AccessDecided { site, letter }.render(),
        Letter::AccountReconnect(letter) => Text::AccountReconnect { site, letter }.render(),
        Letter::AccountEnds(letter) => Text::AccountEnds { site, letter }.render(),
        Letter::ProviderRefused(letter) => Text::ProviderRefused { site, letter }.render(),
        Letter::ProviderSilent(letter) => Text::ProviderSilent { site, letter }.render(),
        Letter::TestLetter(letter) => Text::TestLetter { site, letter }.render(),
    }
}

fn html(letter: &Letter, site: &str, subject: &str) -> askama::Result<String> {
    match letter {
        Letter::VerifyEmail(letter) => Html::VerifyEmail { site, subject, letter }.render(),
        Letter::ResetPassword(letter) => Html::ResetPassword { site, subject, letter }.render(),
        Letter::PasswordChanged(letter) => Html::PasswordChanged { site, subject, letter }.render(),
        Letter::Invitation(letter) => Html::Invitation { site, subject, letter }.render(),
        Letter::InvitationExistingAccount(letter) => {
            Html::InvitationExistingAccount { site, subject, letter }.render()
        }
        Letter::SignUpExisting(letter) => Html::SignUpExisting { site, subject, letter }.render(),
        Letter::NewSignIn(letter) => Html::NewSignIn { site, subject, letter }.render(),
        Letter::SecondFactorChanged(letter) => Html::SecondFactorChanged { site, subject, letter }.render(),
        Letter::PasskeyAdded(letter) => Html::PasskeyAdded { site, subject, letter }.render(),
        Letter::EmailChanged(letter) => Html::EmailChanged { site, subject, letter }.render(),
        Letter::OwnershipTransferred(letter) => Html::OwnershipTransferred { site, subject, letter }.render(),
        Letter::RemovedFromOrg(letter) => Html::RemovedFromOrg { site, subject, letter }.render(),
        Letter::ApiKeyCreated(letter) => Html::ApiKeyCreated { site, subject, letter }.render(),
        Letter::OrgDeletionAsked(letter) => Html::OrgDeletionAsked { site, subject, letter }.render(),
        Letter::ApprovalAsked(letter) => Html::ApprovalAsked { site, subject, letter }.render(),
        Letter::PolicyProposed(letter) => Html::PolicyProposed { site, subject, letter }.render(),
        Letter::AccessAsked(letter) => Html::AccessAsked { site, subject, letter }.render(),
        Letter::AccessDecided(letter) => Html::AccessDecided { site, subject, letter }.render(),
        Letter::AccountReconnect(letter) => Html::AccountReconnect { site, subject, letter }.render(),
        Letter::AccountEnds(letter) => Html::AccountEnds { site, subject, letter }.render(),
        Letter::ProviderRefused(letter) => Html::ProviderRefused { site, subject, letter }.render(),
        Letter::ProviderSilent(letter) => Html::ProviderSilent { site, subject, letter }.render(),
        Letter::TestLetter(letter) => Html::TestLetter { site, subject, letter }.render(),
    }
}

#[derive(Template)]
#[template(whitespace = "preserve")]
enum Text<'a> {
    #[template(path = "mail/verify_email/letter.txt")]
    VerifyEmail { site: &'a str, letter: &'a VerifyEmail },
    #[template(path = "mail/reset_password/letter.txt")]
    ResetPassword { site: &'a str, letter: &'a ResetPassword },
    #[template(path = "mail/password_changed/letter.txt")]
    PasswordChanged { site: &'a str, letter: &'a PasswordChanged },
    #[template(path = "mail/invitation/letter.txt")]
    Invitation { site: &'a str, letter: &'a Invitation },
    #[template(path = "mail/invitation_existing_account/letter.txt")]
    InvitationExistingAccount { site: &'a str, letter: &'a InvitationExistingAccount },
    #[template(path = "mail/sign_up_existing/letter.txt")]
    SignUpExisting { site: &'a str, letter: &'a SignUpExisting },
    #[template(path = "mail/new_sign_in/letter.txt")]
    NewSignIn { site: &'a str, letter: &'a NewSignIn },
    #[template(path = "mail/second_factor_changed/letter.txt")]
    SecondFactorChanged { site: &'a str, letter: &'a SecondFactorChanged },
    #[template(path = "mail/passkey_added/letter.txt")]
    PasskeyAdded { site: &'a str, letter: &'a PasskeyAdded },
    #[template(path = "mail/email_changed/letter.txt")]
    EmailChanged { site: &'a str, letter: &'a EmailChanged },
    #[template(path = "mail/ownership_transferred/letter.txt")]
    OwnershipTransferred { site: &'a str, letter: &'a OwnershipTransferred },
    #[template(path = "mail/removed_from_org/letter.txt")]
    RemovedFromOrg { site: &'a str, letter: &'a RemovedFromOrg },
    #[template(path = "mail/api_key_created/letter.txt")]
    ApiKeyCreated { site: &'a str, letter: &'a ApiKeyCreated },
    #[template(path = "mail/org_deletion_asked/letter.txt")]
    OrgDeletionAsked { site: &'a str, letter: &'a OrgDeletionAsked },
    #[template(path = "mail/approval_asked/letter.txt")]
    ApprovalAsked { site: &'a str, letter: &'a ApprovalAsked },
    #[template(path = "mail/policy_proposed/letter.txt")]
    PolicyProposed { site: &'a str, letter: &'a PolicyProposed },
    #[template(path = "mail/access_asked/letter.txt")]
    AccessAsked { site: &'a str, letter: &'a AccessAsked },
    #[template(path = "mail/access_decided/letter.txt")]
    AccessDecided { site: &'a str, letter: &'a AccessDecided },
    #[template(path = "mail/account_reconnect/letter.txt")]
    AccountReconnect { site: &'a str, letter: &'a AccountReconnect },
    #[template(path = "mail/account_ends/letter.txt")]
    AccountEnds { site: &'a str, letter: &'a AccountEnds },
    #[template(path = "mail/provider_refused/letter.txt")]
    ProviderRefused { site: &'a str, letter: &'a ProviderRefused },
    #[template(path = "mail/provider_silent/letter.txt")]
    ProviderSilent { site: &'a str, letter: &'a ProviderSilent },
    #[template(path = "mail/test_letter/letter.txt")]
    TestLetter { site: &'a str, letter: &'a TestLetter },
}

#[derive(Template)]
#[template(whitespace = "preserve")]
enum Html<'a> {
    #[template(path = "mail/verify_email/letter.html")]
    VerifyEmail { site: &'a str, subject: &'a str, letter: &'a VerifyEmail },
    #[template(path = "mail/reset_password/letter.html")]
    ResetPassword { site: &'a str, subject: &'a str, letter: &'a ResetPassword },
    #[template(path = "mail/password_changed/letter.html")]
    PasswordChanged { site: &'a str, subject: &'a str, letter: &'a PasswordChanged },
    #[template(path = "mail/invitation/letter.html")]
    Invitation { site: &'a str, subject: &'a str, letter: &'a Invitation },
    #[template(path = "mail/invitation_existing_account/letter.html")]
    InvitationExistingAccount { site: &'a str, subject: &'a str, letter: &'a InvitationExistingAccount },
    #[template(path = "mail/sign_up_existing/letter.html")]
    SignUpExisting { site: &'a str, subject: &'a str, letter: &'a SignUpExisting },
    #[template(path = "mail/new_sign_in/letter.html")]
    NewSignIn { site: &'a str, subject: &'a str, letter: &'a NewSignIn },
    #[template(path = "mail/second_factor_changed/letter.html")]
    SecondFactorChanged { site: &'a str, subject: &'a str, letter: &'a SecondFactorChanged },
    #[template(path = "mail/passkey_added/letter.html")]
    PasskeyAdded { site: &'a str, subject: &'a str, letter: &'a PasskeyAdded },
    #[template(path = "mail/email_changed/letter.html")]
    EmailChanged { site: &'a str, subject: &'a str, letter: &'a EmailChanged },
    #[template(path = "mail/ownership_transferred/letter.html")]
    OwnershipTransferred { site: &'a str, subject: &'a str, letter: &'a OwnershipTransferred },
    #[template(path = "mail/removed_from_org/letter.html")]
    RemovedFromOrg { site: &'a str, subject: &'a str, letter: &'a RemovedFromOrg },
    #[template(path = "mail/api_key_created/letter.html")]
    ApiKeyCreated { site: &'a str, subject: &'a str, letter: &'a ApiKeyCreated },
    #[template(path = "mail/org_deletion_asked/letter.html")]
    OrgDeletionAsked { site: &'a str, subject: &'a str, letter: &'a OrgDeletionAsked },
    #[template(path = "mail/approval_asked/letter.html")]
    ApprovalAsked { site: &'a str, subject: &'a str, letter: &'a ApprovalAsked },
    #[template(path = "mail/policy_proposed/letter.html")]
    PolicyProposed { site: &'a str, subject: &'a str, letter: &'a PolicyProposed },
    #[template(path = "mail/access_asked/letter.html")]
    AccessAsked { site: &'a str, subject: &'a str, letter: &'a AccessAsked },
    #[template(path = "mail/access_decided/letter.html")]
    AccessDecided { site: &'a str, subject: &'a str, letter: &'a AccessDecided },
    #[template(path = "mail/account_reconnect/letter.html")]
    AccountReconnect { site: &'a str, subject: &'a str, letter: &'a AccountReconnect },
    #[template(path = "mail/account_ends/letter.html")]
    AccountEnds { site: &'a str, subject: &'a str, letter: &'a AccountEnds },
    #[template(path = "mail/provider_refused/letter.html")]
    ProviderRefused { site: &'a str, subject: &'a str, letter: &'a ProviderRefused },
    #[template(path = "mail/provider_silent/letter.html")]
    ProviderSilent { site: &'a str, subject: &'a str, letter: &'a ProviderSilent },
    #[template(path = "mail/test_letter/letter.html")]
    TestLetter { site: &'a str, subject: &'a str, letter: &'a TestLetter },
}
