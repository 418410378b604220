//! A credential between the try and the adding, or between the preview and the saving: its value travels through the browser
//! sealed, so that a person types it once and no page shows it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    base::{
        faults::Faults,
        ids::{DataKeyId, UserId},
        secret::Secret,
    },
    domain::{
        audit::{self, Unrecorded},
        servers::{CredentialForm, NewCredential},
        vault::{Cell, Sealed},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// A header that somebody typed on the page of a new server, or typed there before and tried.
#[derive(Clone, Debug, Default)]
pub struct TriedCredential {
    /// The header's name.
    pub name: String,
    /// The text around the value.
    pub template: String,
    /// The value, where it was typed.
    pub value: Option<Secret<String>>,
    /// The sealed value of an earlier try.
    pub draft: String,
}

impl TriedCredential {
    /// The credential; `None` where there is no value.
    pub(super) async fn read(&self, cx: &OrgCx) -> ActionResult<Option<NewCredential>> {
        let typed = self.value.clone().filter(|value| !value.expose().is_empty());
        let value = match typed {
            Some(value) => Some(value),
            None => open(cx, &self.draft, "credential_value").await?,
        };
        let Some(value) = value else { return Ok(None) };
        let form = CredentialForm {
            target: "header".to_owned(),
            name: self.name.clone(),
            source: String::new(),
            secret: String::new(),
            provider: String::new(),
            template: self.template.clone(),
            value: Some(value),
        };
        NewCredential::parse(&form).map(Some).map_err(|faults| renamed(&faults).into())
    }
}

/// The sealed value, for the page to carry.
pub(super) async fn seal(cx: &OrgCx, value: &Secret<String>) -> ActionResult<String> {
    let Some(user) = cx.user() else { return Ok(String::new()) };
    let mut tx = cx.tx().await?;
    let sealed = cx.ports.vault.seal(&mut tx, cell(user), value.expose().as_bytes()).await?;
    // The seal may have made the organization's first data key, which has to stay.
    audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    Ok(URL_SAFE_NO_PAD.encode([sealed.key.uuid().as_bytes(), &sealed.bytes[..]].concat()))
}

/// Opens what [`seal`] made for the same person; nothing for an empty text. What does not open is a fault of the page's field.
pub(super) async fn open(
    cx: &OrgCx,
    draft: &str,
    field: &'static str,
) -> ActionResult<Option<Secret<String>>> {
    let Some(user) = cx.user().filter(|_| !draft.is_empty()) else { return Ok(None) };
    let again = || ActionError::field(field, "enter the value once more");
    let bytes = URL_SAFE_NO_PAD.decode(draft).map_err(|_| again())?;
    let (key, bytes) = bytes.split_at_checked(16).ok_or_else(again)?;
    let key = DataKeyId::from_uuid(Uuid::from_slice(key).map_err(|_| again())?);
    let mut tx = cx.tx().await?;
    let opened = cx.ports.vault.open(&mut tx, cell(user), &Sealed { key, bytes: bytes.to_vec() }).await;
    tx.done().await?;
    let opened = opened.map_err(|_| again())?;
    Ok(Some(Secret::new(String::from_utf8_lossy(opened.expose()).into_owned())))
}

fn cell(user: UserId) -> Cell {
    Cell::new("server_drafts", "value", user)
}

/// The faults under the names of that page's fields.
fn renamed(faults: &Faults) -> Faults {
    let mut renamed = Faults::default();
    for fault in faults {
        let field = match fault.field {
            "name" => "credential_name",
            "value" => "credential_value",
            other => other,
        };
        renamed.add(field, fault.message.clone());
    }
    renamed
}
