//! Forms: the extractor that lets a posted form in only from our own page.

use std::sync::Arc;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    base::faults::{Fault, Faults},
    flow::fault::ActionError,
    web::{
        Doors,
        kit::{browser::Browser, csrf, faults::PageError, parts},
    },
};

/// The longest form we read.
const MAX_BYTES: usize = 64 * 1024;
/// The longest form with documents in it: two policies, each letter of which may be sent as three.
const MAX_LONG_BYTES: usize = 8 * 1024 * 1024;

/// A posted form whose protection was checked.
pub struct Form<T>(pub T);

/// The same for a form that holds whole documents.
pub struct LongForm<T>(pub T);

#[derive(Deserialize)]
struct Protection {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<Doors>> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let bytes = protected(request, doors, MAX_BYTES, "64 kB").await?;
        fields(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Doors>> for LongForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, doors: &Arc<Doors>) -> Result<Self, PageError> {
        let bytes = protected(request, doors, MAX_LONG_BYTES, "8 MB").await?;
        fields(&bytes).map(Self)
    }
}

/// The bytes of a form whose protection was checked.
async fn protected(request: Request, doors: &Doors, most: usize, said: &str) -> Result<Bytes, PageError> {
    let browser = request.extensions().get::<Browser>().cloned();
    let (parts, body) = request.into_parts();
    if !is_form(&parts.headers) {
        return Err(stale_form().into());
    }
    if !csrf::same_site(&parts.headers, doors.origin()) {
        return Err(stale_form().into());
    }
    let bytes = to_bytes(body, most).await.map_err(|_| {
        let sentence = format!("The form is larger than {said}. Shorten it and send it again.");
        ActionError::refused("form_too_large", sentence)
    })?;
    let protection: Protection = serde_urlencoded::from_bytes(&bytes).map_err(|_| stale_form())?;
    if !browser.is_some_and(|browser| browser.csrf.matches(&protection.csrf)) {
        return Err(stale_form().into());
    }
    Ok(bytes)
}

fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PageError> {
    serde_urlencoded::from_bytes(bytes).map_err(|_| {
        ActionError::refused(
            "form_unreadable",
            "The form could not be read. Reload the page and fill it in again.",
        )
        .into()
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

fn stale_form() -> ActionError {
    ActionError::refused(
        "stale_form",
        "This form was opened in another session or on another site. Reload the page and send it again.",
    )
}

/// Reads an optional version from a hidden field.
pub fn version(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Refuses unless the name was typed as a destructive step asks for it.
pub fn confirmed(typed: &str, name: &str) -> Result<(), PageError> {
    if typed.trim() == name {
        return Ok(());
    }
    let sentence = format!("Nothing was changed: type {name} exactly to confirm. Go back and try again.");
    Err(ActionError::refused("not_confirmed", sentence).into())
}

/// What a page shows about the fields of a form that needs attention; empty at first.
#[derive(Clone, Debug, Default)]
pub struct FormFaults(Vec<parts::Fault>);

impl FormFaults {
    /// Faults whose fields are known only where they are found, such as those of a list of rows.
    pub fn from_list(faults: Vec<parts::Fault>) -> Self {
        let said = |fault: parts::Fault| parts::Fault { message: sentence(&fault.message), ..fault };
        Self(faults.into_iter().map(said).collect())
    }

    /// For the summary above the form.
    pub fn list(&self) -> &[parts::Fault] {
        &self.0
    }

    /// For beside one field; empty where nothing is wrong.
    pub fn of(&self, field: &str) -> &str {
        self.0.iter().find(|fault| fault.field == field).map_or("", |fault| &fault.message)
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Faults of which only some belong to a control of the page; the others stand in the summary alone.
    pub(super) fn shown(faults: &Faults, has_control: impl Fn(&Fault) -> bool) -> Self {
        let shown = |fault: &Fault| parts::Fault {
            field: if has_control(fault) { fault.field.to_owned() } else { String::new() },
            message: sentence(&fault.message),
        };
        Self(faults.iter().map(shown).collect())
    }
}

impl From<Faults> for FormFaults {
    fn from(faults: Faults) -> Self {
        Self::shown(&faults, |_| true)
    }
}

/// What is wrong with a field as a sentence for people: the API says it as the end of one, without a capital or a full stop.
///
/// A beginning that is typed in small letters, such as `args.` or a scope, keeps them.
pub(super) fn sentence(message: &str) -> String {
    let first = message.split(char::is_whitespace).next().unwrap_or_default();
    let is_word = first.trim_end_matches([',', ';', ':']).chars().all(|c| c.is_alphabetic() || c == '-');
    let mut letters = message.chars();
    let mut said = match letters.next() {
        Some(letter) if is_word => letter.to_uppercase().chain(letters).collect(),
        _ => message.to_owned(),
    };
    if !said.is_empty() && !said.ends_with(['.', '!', '?', '…']) {
        said.push('.');
    }
    said
}

/// Takes the field faults out of a failure, so that the page can be shown again; passes on everything else.
///
/// A change that came second is shown on the same page too, with what was typed.
pub fn faults_of(error: ActionError) -> Result<FormFaults, PageError> {
    match error {
        ActionError::Fields(faults) => Ok(faults.into()),
        ActionError::Changed => {
            let message = "Someone else changed this while you were typing. What you typed is still here; reload to \
                           see theirs, or save again to replace it.";
            Ok(FormFaults(vec![parts::Fault { field: String::new(), message: message.to_owned() }]))
        }
        other => Err(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        assert_eq!(sentence("use at least 12 characters; words do"), "Use at least 12 characters; words do.");
        assert_eq!(sentence("Choose another. It is taken."), "Choose another. It is taken.");
        assert_eq!(sentence("args.x is no path"), "args.x is no path.");
        assert_eq!(sentence("* already means everything"), "* already means everything.");
        assert_eq!(sentence("teams:raed is not a scope"), "teams:raed is not a scope.");
        assert_eq!(sentence(""), "");
        let mut faults = Faults::default();
        faults.add("name", "enter a name");
        assert_eq!(FormFaults::from(faults).of("name"), "Enter a name.");
    }
}
