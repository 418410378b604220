//! What is said to the person at the terminal, apart from the log.

use std::io::{self, Write};

use url::Url;

/// Says one line on standard output: the result that somebody, or a script, waits for. Where nobody reads any more, as behind
/// `head`, nothing is said; whatever else keeps it from being written is told.
pub fn say(line: impl std::fmt::Display) {
    if let Err(error) = put(line) {
        complain(&format!("standard output cannot be written: {error}"));
    }
}

/// Says one line on standard output as [`say`] does, for commands of which it is the whole result.
///
/// # Errors
/// What keeps it from being written, but for a reader that went away.
pub fn put(line: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says one line on standard error: why a command failed, or what takes so long.
#[expect(clippy::print_stderr, reason = "the one place that speaks on standard error beside the log")]
pub fn complain(line: &str) {
    eprintln!("{line}");
}

/// Says where Portreeve is now served; a first-run link is a secret and is said nowhere else.
pub fn ready(base_url: &Url, first_run: Option<&Url>) {
    match first_run {
        Some(link) => say(format_args!("Portreeve is ready. Set it up at {link}")),
        None => say(format_args!("Portreeve is ready at {}", base_url.as_str().trim_end_matches('/'))),
    }
}
