//! Taking over the present version of a provider's preset.

use crate::{
    base::permission::Permission,
    domain::connections::{Provider, store},
    flow::{
        actions::providers::{named, record},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
};

/// Has a provider be spoken with as the present version of its preset says.
///
/// # Errors
/// `Changed` where that is not the version that was looked at, or where someone else was faster than the version of the
/// provider seen; a refusal where there is no newer one, or where it asks for more than was entered.
pub async fn take_preset(
    cx: &OrgCx,
    name: &str,
    version: Option<i32>,
    seen: Option<i64>,
) -> ActionResult<Provider> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let before = named(&mut tx, name).await?;
    let Some(newer) = before.newer_preset() else {
        return Err(ActionError::refused(
            "preset_is_current",
            format!("There is no newer version of what {} is made from.", before.name),
        ));
    };
    if version != Some(newer.to.version) {
        return Err(ActionError::Changed);
    }
    if !newer.is_fitting {
        let sentence = format!(
            "Version {} of {} asks for something that was not entered for {}. Add the provider again, and delete this \
             one once nobody is connected through it.",
            newer.to.version, newer.to.name, before.name
        );
        return Err(ActionError::refused("preset_asks_for_more", sentence));
    }
    let outcome = store::set_preset_version(&mut tx, before.id, newer.to.version, seen, cx.now()).await?;
    record(cx, tx, "provider.preset_taken", settled(outcome)?).await
}
