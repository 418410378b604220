//! What is said to the person at the terminal, apart from the log.

use url::Url;

/// Says one line on standard output: the result that somebody, or a script, waits for.
#[expect(clippy::print_stdout, reason = "the one place that speaks on standard output")]
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
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
