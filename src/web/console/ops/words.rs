//! Sizes, spans and letters in words.

use std::borrow::Cow;

use time::Duration;

use crate::web::console::audit::words::label;

/// Every kind of letter there is, in words.
const LETTERS: [(&str, &str); 23] = [
    ("access_asked", "Access asked for"),
    ("access_decided", "Access decided"),
    ("account_ends", "Account that is about to end, or has"),
    ("account_reconnect", "Account to be connected again"),
    ("api_key_created", "API key created"),
    ("approval_asked", "Approval asked for"),
    ("email_changed", "E-mail address changed"),
    ("invitation", "Invitation"),
    ("invitation_existing_account", "Invitation of somebody with an account"),
    ("new_sign_in", "Sign-in from a new place"),
    ("org_deletion_asked", "Deletion of an organization asked for"),
    ("ownership_transferred", "Ownership handed over"),
    ("passkey_added", "Passkey added"),
    ("password_changed", "Password changed"),
    ("policy_proposed", "Policy to be published"),
    ("provider_refused", "Registered client refused"),
    ("provider_silent", "Provider that gives no new tokens"),
    ("removed_from_org", "Removed from an organization"),
    ("reset_password", "Link to choose a new password"),
    ("second_factor_changed", "Second factor changed"),
    ("sign_up_existing", "Sign-up with a known address"),
    ("test_letter", "Test letter"),
    ("verify_email", "Link to confirm an address"),
];

/// What a letter is about.
pub(super) fn letter(kind: &str) -> Cow<'static, str> {
    let known = LETTERS.iter().find(|(name, _)| *name == kind);
    known.map_or_else(|| Cow::Owned(label(kind)), |(_, words)| Cow::Borrowed(*words))
}

/// A size, such as `12.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// A span, such as `4 s` or `3 days`, in its largest whole unit.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.whole_seconds().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A count with its noun, which takes an `s` unless there is one.
pub(super) fn count(number: i64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_letter_has_its_words() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/mail");
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
        let folders = entries.filter(|entry| entry.path().is_dir());
        let kinds: BTreeSet<String> =
            folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(kinds, LETTERS.iter().map(|(kind, _)| (*kind).to_owned()).collect());
        assert_eq!(letter("never_heard_of"), "Never heard of");
    }

    #[test]
    fn sizes_and_spans_are_told_in_their_largest_unit() {
        assert_eq!(
            [size(0), size(999), size(12_345_678), size(250_000_000_000)],
            ["0 bytes", "999 bytes", "12.3 MB", "250 GB"]
        );
        assert_eq!(
            [span(Duration::seconds(4)), span(Duration::minutes(3)), span(Duration::days(3))],
            ["4 s", "3 min", "3 days"]
        );
        assert_eq!([count(1, "data key"), count(0, "letter")], ["1 data key", "0 letters"]);
    }
}
