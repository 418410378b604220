//! Whether a provider knows the address that it sends browsers back to: nobody can ask it, but somebody may have come back.

use time::OffsetDateTime;

use crate::{
    base::trace::Fixer,
    domain::connections::{Obtaining, Provider},
    flow::{
        actions::{
            findings::{Finding, Stand},
            providers::callback_of,
        },
        cx::OrgCx,
    },
};

/// The way back from a provider, by when somebody connected an account there last.
pub(in crate::flow::actions) fn way_back(
    cx: &OrgCx,
    provider: &Provider,
    last: Option<OffsetDateTime>,
) -> Finding {
    if provider.obtaining() != Obtaining::SignIn {
        return Finding::fine("callback", "Nobody is sent to this provider, so nobody comes back from it.");
    }
    let came = match last {
        Some(at) => {
            let day = at.to_offset(time::UtcOffset::UTC).date();
            format!("Somebody came back from there on {day}.")
        }
        None => "Nobody has come back from there yet, so whether it does is not known.".to_owned(),
    };
    let found = format!(
        "Whoever connects comes back to {}, which has to stand there letter for letter. Calls do not need it. {came}",
        callback_of(cx, provider.callback_id())
    );
    if !cx.ports.site.is_secure() {
        let fix = "Most providers send people back to https alone: start Portreeve with such an address as its base URL.";
        return Finding::of("callback", Stand::Look, (found, fix), Fixer::Operator, "");
    }
    if last.is_some() {
        return Finding::fine("callback", found);
    }
    let fix = "Compare it with what is set there, then test the sign-in on the provider's page.";
    let page = format!("/o/{}/providers/{}", cx.org.slug, provider.slug);
    Finding::of("callback", Stand::Look, (found, fix), Fixer::Admin, page)
}
