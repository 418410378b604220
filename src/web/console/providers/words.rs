//! Words about providers that several pages share.

use crate::domain::connections::{Enrolment, Preset, Provider, ProviderSource};

/// What kind of provider it is.
pub(super) fn kind(provider: &Provider) -> String {
    match &provider.source {
        ProviderSource::Preset { slug, .. } => {
            provider.preset().map_or_else(|| format!("Preset {slug}"), |preset| preset.name.clone())
        }
        ProviderSource::Own(parts) if parts.is_openid => "Described by itself".to_owned(),
        ProviderSource::Own(parts) if parts.resource.is_some() => "Named by a server".to_owned(),
        ProviderSource::Own(_) => "Custom".to_owned(),
        ProviderSource::Client(_) => "A client that acts in its own name".to_owned(),
        ProviderSource::Key { .. } => "Keys that people make there".to_owned(),
    }
}

/// How a client came to be known at a provider.
pub(super) const fn enrolment(enrolment: Enrolment) -> &'static str {
    match enrolment {
        Enrolment::Entered => "by a client that was entered here",
        Enrolment::Document => "by a document that Portreeve publishes",
        Enrolment::Registered => "by a client that registered itself",
    }
}

/// The host that people are sent to.
pub(super) fn host(provider: &Provider) -> String {
    provider.host().unwrap_or_default()
}

/// Scopes as they are typed: with spaces between.
pub(super) fn typed(scopes: &[String]) -> String {
    scopes.join(" ")
}

/// Scopes out of what was typed.
pub(super) fn scopes(text: &str) -> Vec<String> {
    text.split([' ', ',', '\n', '\r', '\t']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// How long ago the secret was set, where that is long enough to be said.
pub(super) fn age(days: i64) -> String {
    match days {
        ..=0 => "since today".to_owned(),
        1 => "for a day".to_owned(),
        2..=59 => format!("for {days} days"),
        _ => format!("for {} months", days / 30),
    }
}

/// How long a preset's tokens live, as far as is known; empty where that is not.
pub(super) fn lifetime(seconds: Option<u64>) -> String {
    let told = |count: u64, unit: &str| format!("about {count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        None => String::new(),
        Some(seconds) if seconds < 3_600 => told(seconds / 60, "minute"),
        Some(seconds) if seconds < 2 * 86_400 => told(seconds / 3_600, "hour"),
        Some(seconds) => told(seconds / 86_400, "day"),
    }
}

/// A label at the beginning of a line.
pub(super) fn capital(label: &str) -> String {
    let mut chars = label.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What is not confirmed about a preset, as one sentence; empty where all is.
pub(super) fn unverified(preset: &Preset) -> String {
    let facts: Vec<_> = preset.unverified.iter().map(|fact| fact.words()).collect();
    match facts.split_last() {
        None => String::new(),
        Some((last, [])) => format!("No document of the provider confirms {last}."),
        Some((last, rest)) => {
            format!("No document of the provider confirms {} and {last}.", rest.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connections::preset;

    #[test]
    fn scopes_are_read_as_they_are_typed() {
        assert_eq!(scopes(" a,b\r\n c  a "), ["a", "b", "c", "a"]);
        assert_eq!(typed(&scopes("a b")), "a b");
    }

    #[test]
    fn ages_and_doubts_are_told_in_sentences() {
        assert_eq!([0, 1, 59, 60].map(age), ["since today", "for a day", "for 59 days", "for 2 months"]);
        let doubts = |slug| unverified(preset(slug).expect("a preset"));
        assert_eq!(
            doubts("shopify"),
            "No document of the provider confirms whether it knows PKCE, how it is told to end a connection and how it says whose account it is."
        );
        assert_eq!(doubts("monday"), "");
        let told = [Some(1_800), Some(3_600), Some(86_400), Some(5_184_000), None].map(lifetime);
        assert_eq!(told, ["about 30 minutes", "about 1 hour", "about 24 hours", "about 60 days", ""]);
    }
}
