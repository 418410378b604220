//! A second person before a policy comes into force: asking for one, and taking that back.

use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::ids::UserId,
    domain::policy::kept::Proposal,
    flow::actions::policies,
    web::{
        console::policies::{
            href,
            publish::{PublishForm, render, told},
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, faults_of},
            page::{PageResult, go_saying},
        },
    },
};

/// How far a draft is on its way to a second person.
pub(super) enum Second {
    /// None is wanted.
    Unwanted,
    /// Nobody asked for one yet.
    Ask,
    /// The viewer asked; somebody else publishes it.
    Own,
    /// Somebody else asked, and the viewer may publish it.
    Others { by: String, note: String },
}

impl Second {
    pub(super) fn of(is_wanted: bool, proposal: Option<&Proposal>, viewer: Option<UserId>) -> Self {
        match proposal {
            _ if !is_wanted => Self::Unwanted,
            None => Self::Ask,
            Some(proposal) if proposal.by.is_some() && proposal.by == viewer => Self::Own,
            Some(Proposal { by_name, note, .. }) => Self::Others { by: by_name.clone(), note: note.clone() },
        }
    }

    /// Whether the viewer may publish.
    pub(super) const fn may_publish(&self) -> bool {
        matches!(self, Self::Unwanted | Self::Others { .. })
    }
}

/// Asks that the draft be published by somebody else.
pub(super) async fn propose(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<PublishForm>,
) -> PageResult {
    match policies::propose(&ask.cx, &name, &form.note, form::version(&form.version)).await {
        Ok(sheet) => {
            let toast = Toast::say("You asked for its publication. Those who may publish got a letter.");
            Ok(go_saying(&format!("{}/publish", href(&ask, &sheet.policy.slug)), toast))
        }
        Err(error) => {
            let faults = faults_of(told(error))?;
            let sheet = policies::find(&ask.cx, &name).await?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, sheet, form, faults).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WithdrawForm {
    #[serde(default)]
    why: String,
    #[serde(default)]
    version: String,
}

/// Takes the question back, or says no to it.
pub(super) async fn withdraw(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<WithdrawForm>,
) -> PageResult {
    let sheet = policies::withdraw(&ask.cx, &name, &form.why, form::version(&form.version)).await?;
    let toast = Toast::say("Nobody asks for its publication any longer. The draft stays.");
    Ok(go_saying(&format!("{}/publish", href(&ask, &sheet.policy.slug)), toast))
}
