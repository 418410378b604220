//! The letter with the link, from whoever invites.

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        crypto::token::Token,
        email::Email,
    },
    domain::{
        automation::{ServiceAccountRef, store as automation},
        identity::store as identity,
        tenancy::{Invitation, NewInvitation, store},
    },
    flow::{
        actions::members::unposted,
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        letters::{self, InvitationExistingAccount, Letter, Line},
    },
    io::db::{OrgTx, Tx},
};

pub(super) async fn names_of(cx: &OrgCx, wanted: &[NewInvitation]) -> ActionResult<Vec<Option<Line>>> {
    let emails: Vec<&Email> = wanted.iter().map(|new| &new.email).collect();
    names_of_emails(cx, &emails).await
}

/// The names of those who have an account, for the letter alone: it goes to nobody but them.
pub(super) async fn names_of_emails(cx: &OrgCx, emails: &[&Email]) -> ActionResult<Vec<Option<Line>>> {
    let mut tx = cx.system_tx().await?;
    let mut names = Vec::new();
    for email in emails {
        let user = identity::users::find_by_email(&mut tx, email).await?;
        names.push(user.map(|user| Line::of(user.name.as_str())));
    }
    tx.done().await?;
    Ok(names)
}

/// Who invites, as the letter says it.
pub(super) struct Inviter {
    pub(super) id: KeyOwner,
    name: Line,
    email: Line,
}

impl Inviter {
    pub(super) async fn of(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Self> {
        let id = match cx.who().actor {
            Actor::User { user, .. } => KeyOwner::User(user),
            Actor::ApiKey { owner, .. } => owner,
            Actor::Nobody | Actor::Grant { .. } | Actor::System => return Err(ActionError::NotSignedIn),
        };
        let (name, email) = match id {
            KeyOwner::User(user) => {
                let member = store::members::find(tx, user).await?.ok_or(ActionError::NotFound)?;
                (member.name, member.email)
            }
            KeyOwner::ServiceAccount(account) => {
                let found = automation::accounts::find(tx, &ServiceAccountRef::Id(account)).await?;
                let account = found.ok_or(ActionError::NotFound)?;
                (account.name, format!("a service account of {}", cx.org.name))
            }
        };
        Ok(Self { id, name: name.into(), email: email.into() })
    }

    pub(super) async fn write(
        &self,
        cx: &OrgCx,
        tx: &mut OrgTx,
        invitation: &Invitation,
        name: Option<Line>,
        token: &Token,
    ) -> ActionResult<()> {
        let link = cx.ports.site.url(&format!("/invite/{}", token.text().expose()));
        let letter = letters::Invitation {
            org: cx.org.name.as_str().into(),
            inviter: self.name.clone(),
            inviter_email: self.email.clone(),
            role: invitation.role,
            team: invitation.team_name.as_deref().map(Line::of),
            link: link.into(),
            expires_at: invitation.expires_at.into(),
        };
        let letter = match name {
            Some(name) => {
                Letter::InvitationExistingAccount(InvitationExistingAccount { name, invitation: letter })
            }
            None => Letter::Invitation(letter),
        };
        cx.ports.post.queue(tx, &invitation.email, &letter).await.map_err(unposted)?;
        Ok(())
    }
}
