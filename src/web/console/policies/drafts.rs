//! Dropping a draft.

use axum::extract::Path;
use serde::Deserialize;

use crate::{
    flow::actions::policies,
    web::{
        console::policies::href,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form},
            page::{PageResult, go_saying},
        },
    },
};

#[derive(Deserialize)]
pub(super) struct DiscardForm {
    #[serde(default)]
    version: String,
}

pub(super) async fn discard(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<DiscardForm>,
) -> PageResult {
    let sheet = policies::drop_draft(&ask.cx, &name, form::version(&form.version)).await?;
    let said = match sheet.policy.live {
        Some(live) => format!("The draft is gone. Version {live} stays in force."),
        None => "The draft is gone. Nothing is in force.".to_owned(),
    };
    Ok(go_saying(&href(&ask, &sheet.policy.slug), Toast::say(said)))
}
