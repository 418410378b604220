//! Versions of presets: a provider is spoken with as the version says that somebody took over, and hears of newer ones.

use crate::{
    domain::connections::{Preset, Provider, ProviderSource, Template, preset, presets::preset_at},
    protocol::oauth::{address::Address, call::Call, client::ClientAuth},
};

/// A version of its preset that is newer than the one a provider goes by.
#[derive(Clone, Debug)]
pub struct NewerPreset {
    /// It.
    pub to: &'static Preset,
    /// What would differ; empty where what the provider was made from is not known here.
    pub differences: Vec<PresetDifference>,
    /// Whether what was entered for the provider is enough for it.
    pub is_fitting: bool,
}

/// One thing that two versions of a preset say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetDifference {
    /// What it is.
    pub what: &'static str,
    /// As the version says that is in use; empty where it says nothing.
    pub now: String,
    /// As the newer one says.
    pub then: String,
}

impl Provider {
    /// The preset that it was made from, in the version that was taken over; in the present one where this program does not
    /// have that version, and nothing where it has none.
    pub fn preset(&self) -> Option<&'static Preset> {
        let (slug, version) = self.preset_version()?;
        preset_at(slug, version).or_else(|| preset(slug))
    }

    /// The short name of its preset and the version that was taken over.
    pub fn preset_version(&self) -> Option<(&str, i32)> {
        match &self.source {
            ProviderSource::Preset { slug, version, .. } => Some((slug.as_str(), *version)),
            ProviderSource::Own(_) | ProviderSource::Client(_) | ProviderSource::Key { .. } => None,
        }
    }

    /// The present version of its preset, where an older one was taken over.
    pub fn newer_preset(&self) -> Option<NewerPreset> {
        let ProviderSource::Preset { slug, version, variables } = &self.source else { return None };
        let to = preset(slug).filter(|to| to.version > *version)?;
        // A secret is no key, nor a key a secret.
        let keeps_proof = self.signs() == (to.client_auth == ClientAuth::PrivateKeyJwt);
        Some(NewerPreset {
            to,
            differences: preset_at(slug, *version).map(|from| differences(from, to)).unwrap_or_default(),
            is_fitting: keeps_proof && Template::of_preset(to, variables).is_ok(),
        })
    }
}

/// What a version of a preset says otherwise than another.
fn differences(from: &Preset, to: &Preset) -> Vec<PresetDifference> {
    let said = |what, part: fn(&Preset) -> String| {
        let (now, then) = (part(from), part(to));
        (now != then).then_some(PresetDifference { what, now, then })
    };
    let parts: [Option<PresetDifference>; 16] = [
        said("Where people agree", |one| one.authorize.to_string()),
        said("Where it gives tokens", |one| one.token.to_string()),
        said("Where tokens are renewed", |one| address(one.refresh.as_ref())),
        said("Issuer", |one| one.issuer.clone().unwrap_or_default()),
        said("How the client authenticates", |one| one.client_auth.as_str().to_owned()),
        said("PKCE", |one| one.pkce.as_str().to_owned()),
        said("Scopes of a new provider", |one| one.scopes.join(" ")),
        said("Parameters of the sign-in", |one| pairs(&one.authorize_parameters)),
        said("Headers of requests for tokens", |one| pairs(&one.token_headers)),
        said("Fields of the first request", |one| pairs(&one.token_parameters)),
        said("Fields of a renewal", |one| pairs(&one.refresh_parameters)),
        said("Where it says whose account it is", |one| calls(&one.account)),
        said("Where a token is ended", |one| calls(one.revoke.as_slice())),
        said("Where its people end a connection", |one| address(one.settings.as_ref())),
        said("Refresh", |one| one.refreshing.meaning().to_owned()),
        said("Good to know", |one| [one.notes.as_slice(), &one.unconfirmed].concat().join(" ")),
    ];
    let mut found: Vec<_> = parts.into_iter().flatten().collect();
    // These are said in a notation of our own, which helps nobody to judge them.
    if details(from) != details(to) {
        let as_in = |one: &Preset| format!("as version {} says", one.version);
        found.push(PresetDifference {
            what: "Details of requests and answers",
            now: as_in(from),
            then: as_in(to),
        });
    }
    found
}

fn address(address: Option<&Address>) -> String {
    address.map(ToString::to_string).unwrap_or_default()
}

fn pairs(map: &std::collections::BTreeMap<String, String>) -> String {
    map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn calls(calls: &[Call]) -> String {
    let call = |call: &Call| format!("{} {}", call.method.as_str(), call.url);
    calls.iter().map(call).collect::<Vec<_>>().join(", ")
}

fn details(one: &Preset) -> String {
    let scopes = (&one.separator, &one.user_scope_parameter);
    let asked = (&one.body, scopes, &one.refresh_repeats, &one.host_rule, &one.assertions_for);
    let answered = (&one.nested, &one.keeps, &one.keeps_of_callback, &one.labels, &one.lengthen);
    format!("{:?}", (asked, answered, &one.variables, &one.account, &one.revoke))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_are_compared_part_by_part_and_nothing_that_differs_is_left_out() {
        let old = preset("hubspot").expect("a preset");
        let mut new = Preset { version: 2, ..old.clone() };
        assert!(differences(old, &new).is_empty());
        new.token = "https://api.hubapi.com/oauth/2027-03/token".parse().expect("an address");
        new.revoke = None;
        new.authorize_parameters.insert("prompt".to_owned(), "consent".to_owned());
        let found = differences(old, &new);
        let what: Vec<_> = found.iter().map(|one| one.what).collect();
        let told = [
            "Where it gives tokens",
            "Parameters of the sign-in",
            "Where a token is ended",
            "Details of requests and answers",
        ];
        assert_eq!(what, told);
        assert_eq!(found[0].now, "https://api.hubapi.com/oauth/2026-03/token");
        assert_eq!((found[1].now.as_str(), found[1].then.as_str()), ("", "prompt=consent"));
        assert_eq!(found[3].then, "as version 2 says");
        let mut finer = old.clone();
        finer.keeps_of_callback.push("realmId".to_owned());
        assert_eq!(differences(old, &finer).len(), 1, "what has no words of its own is told all the same");
    }
}
