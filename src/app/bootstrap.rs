//! `portreeve bootstrap`: the first organization, its owner and an API key, for scripts.

use std::io::BufRead;

use crate::{
    app::{
        announce, beside,
        faults::{self, Fault, FaultKind},
    },
    base::{config::Config, secret::Secret},
    flow::actions::set_up,
};

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The organization's slug.
    pub org: String,
    /// The owner's address.
    pub email: String,
    /// Whether their password comes on standard input.
    pub reads_password: bool,
    /// For machines.
    pub is_json: bool,
}

/// Sets an empty installation up.
///
/// # Errors
/// When it is not empty, a value cannot be accepted, or the database cannot be used.
pub fn bootstrap(config: &Config, wanted: &Wanted) -> Result<(), Fault> {
    let password = if wanted.reads_password { Some(password()?) } else { None };
    beside::run(config, async |beside| {
        let made = set_up::bootstrap(&beside.ports, &wanted.org, &wanted.email, password)
            .await
            .map_err(|error| Fault::of_action(&error))?;
        let printed = serde_json::to_value(&made).expect("texts serialize");
        if wanted.is_json {
            announce::say(printed);
        } else {
            let (slug, email) = (&made.org.slug, &made.user.email);
            announce::say(format_args!("Made the organization {slug} with the owner {email}."));
            announce::say(format_args!(
                "API key, shown only now: {}",
                printed["api_key"].as_str().unwrap_or_default()
            ));
            announce::say(format_args!("Sign in at {}/login", beside.ports.site.base_url));
        }
        Ok(())
    })
}

/// The first line of standard input.
fn password() -> Result<Secret<String>, Fault> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        let sentence = format!("the password cannot be read: {}", faults::reason(&error));
        Fault::new(FaultKind::Settings, sentence, "Write it to standard input, on one line.")
    })?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Fault::new(
            FaultKind::Settings,
            "no password came on standard input",
            "Write it there on one line, or leave --password-stdin out.",
        ));
    }
    Ok(Secret::new(password.to_owned()))
}
