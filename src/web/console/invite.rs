//! An invitation, at its link.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    flow::{
        actions::invite::{self, Caller, JoinInput, Shown},
        fault::{ActionError, Refused},
    },
    web::{
        console::{shell_of, sign_in::with_session},
        kit::{
            ask::Visitor,
            carried,
            form::{self, Form, FormFaults},
            page::{PageResult, go, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let accepts = Effect::Records(&["invitation.accepted", "invitation.refused", "member.added"]);
    let joins =
        Effect::Records(&["account.created", "session.started", "invitation.accepted", "member.added"]);
    Routes::default()
        .page("/invite/{token}", Access::Anyone, show)
        .form("/invite/{token}", Access::Anyone, accepts, accept)
        .form("/invite/{token}/join", Access::Anyone, joins, join)
}

/// The invitation, with what the one who looks can do about it.
#[derive(Template)]
#[template(path = "auth/invite.html")]
struct InvitePage {
    shell: Shell,
    invitation: Shown,
    action: String,
    sign_in: String,
    name: String,
    faults: FormFaults,
}

/// Why the link does not work.
#[derive(Template)]
#[template(path = "auth/invite_refused.html")]
struct RefusedPage {
    shell: Shell,
    why: String,
}

#[derive(Deserialize)]
struct AcceptForm {
    #[serde(default)]
    invitation: String,
}

#[derive(Deserialize)]
struct JoinForm {
    #[serde(default)]
    invitation: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Secret<String>,
}

async fn show(visitor: Visitor, Path(token): Path<String>) -> PageResult {
    invite_page(&visitor, StatusCode::OK, &token, String::new(), FormFaults::default()).await
}

async fn invite_page(
    visitor: &Visitor,
    status: StatusCode,
    token: &str,
    name: String,
    faults: FormFaults,
) -> PageResult {
    let invitation = match invite::show(&visitor.cx, token, visitor.person.as_ref()).await {
        Ok(invitation) => invitation,
        Err(error) => return refused(visitor, error),
    };
    let mut shell = shell_of::open(visitor, &format!("Join {}", invitation.org));
    shell.has_faults = !faults.is_empty();
    let action = format!("/invite/{token}");
    let sign_in = carried::with_return("/login", carried::PATH);
    let signs_in = invitation.caller == Caller::HasAccount;
    let page =
        page_with(status, &InvitePage { shell, invitation, action: action.clone(), sign_in, name, faults })?;
    Ok(if signs_in { carried::kept(page, &action, visitor.cx.ports.site.is_secure()) } else { page })
}

/// A refusal has a page of its own; every other failure is said as everywhere.
fn refused(visitor: &Visitor, error: ActionError) -> PageResult {
    match error {
        ActionError::Refused(Refused { code, sentence }) => {
            let status = match code {
                "invitation_unknown" => StatusCode::NOT_FOUND,
                "invitation_used" | "invitation_expired" | "invitation_revoked" | "org_deleted" => {
                    StatusCode::GONE
                }
                _ => StatusCode::CONFLICT,
            };
            let shell = shell_of::open(visitor, "This invitation cannot be accepted");
            page_with(status, &RefusedPage { shell, why: sentence })
        }
        other => Err(other.into()),
    }
}

async fn accept(visitor: Visitor, Path(token): Path<String>, Form(form): Form<AcceptForm>) -> PageResult {
    let Some(person) = &visitor.person else {
        let secure = visitor.cx.ports.site.is_secure();
        return Ok(carried::go_and_return("/login", &format!("/invite/{token}"), secure));
    };
    match invite::accept(person, &token, &form.invitation).await {
        Ok(home) => Ok(go(&home)),
        Err(error) => refused(&visitor, error),
    }
}

async fn join(visitor: Visitor, Path(token): Path<String>, Form(form): Form<JoinForm>) -> PageResult {
    let input = JoinInput { name: form.name.clone(), password: form.password };
    match invite::join(&visitor.cx, &token, &form.invitation, &input).await {
        Ok((session, home)) => Ok(with_session(go(&home), &visitor, &session)),
        Err(ActionError::Fields(faults)) => {
            let faults = form::faults_of(ActionError::Fields(faults))?;
            invite_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &token, form.name, faults).await
        }
        Err(error) => refused(&visitor, error),
    }
}

impl InvitePage {
    /// Whom the caller is signed in as, where it is somebody else.
    fn other(&self) -> &str {
        match &self.invitation.caller {
            Caller::SomebodyElse(email) => email,
            _ => "",
        }
    }

    /// The role, as part of a sentence.
    fn role(&self) -> String {
        self.invitation.role.label().to_lowercase()
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::{ids::InvitationId, permission::Role};
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |caller, name: &str, faults| InvitePage {
        shell: shell(Base::Open, "You are invited"),
        invitation: Shown {
            id: InvitationId::fresh(),
            org: LONG.into(),
            inviter: LONG.into(),
            role: Role::Owner,
            email: "new@acme.example".parse().expect("an address"),
            expires_at: AT,
            caller,
        },
        action: "/invite/x".into(),
        sign_in: "/login".into(),
        name: name.into(),
        faults,
    };
    let refused = RefusedPage { shell: shell(Base::Open, "This link does not work"), why: SHARP.into() };
    vec![
        sample("invitation", &page(Caller::MayJoin, "", FormFaults::default())),
        sample("invitation: has an account", &page(Caller::HasAccount, "", FormFaults::default())),
        sample("invitation: closed", &page(Caller::MayNotJoin, "", FormFaults::default())),
        sample("invitation: theirs", &page(Caller::Invited, "", FormFaults::default())),
        sample(
            "invitation: refused",
            &page(Caller::MayJoin, SHARP, faults(&[("name", "no"), ("password", "too common")])),
        ),
        sample("invitation: dead link", &refused),
    ]
}
