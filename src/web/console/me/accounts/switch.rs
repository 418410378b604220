//! Switching an account off and on again.

use axum::extract::Path;
use serde::Deserialize;

use super::LIST;
use crate::{
    domain::connections::{Connection, ConnectionState, SwitchedOffBy},
    flow::actions::me::accounts,
    web::kit::{
        ask::PersonPage,
        flash::Toast,
        form::Form,
        page::{PageResult, go_saying},
    },
};

/// What can be switched about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Off,
    On,
    /// Only an admin switches it on.
    OnByAdmin,
    /// It serves no calls, so there is nothing to switch.
    Nothing,
}

impl Switch {
    pub(super) fn of(connection: &Connection) -> Self {
        use ConnectionState::{Active, Disabled, ErrorBackoff, NeedsReauth, Refreshing, Revoked};

        match (connection.state, connection.switched_off_by()) {
            (Active | Refreshing | ErrorBackoff, _) => Self::Off,
            (Disabled, Some(SwitchedOffBy::Owner)) => Self::On,
            (Disabled, _) => Self::OnByAdmin,
            (NeedsReauth | Revoked, _) => Self::Nothing,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    #[serde(default)]
    to: String,
}

pub(super) async fn save(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(form): Form<SwitchForm>,
) -> PageResult {
    let is_on = form.to == "on";
    accounts::switch(&ask.cx, &org, &id, is_on).await?;
    let (said, back) = match is_on {
        true => ("Switched on: agents can use it from now on.", "off"),
        false => ("Switched off: no call is made with it from now on.", "on"),
    };
    let one = format!("{LIST}/{org}/{id}");
    let toast = Toast::with_undo(said, format!("{one}/switch"), [("to", back.to_owned())]);
    Ok(go_saying(&one, toast))
}
