//! A request for access that waits, as the inbox of approvals shows it: what stands there whole is given with one press.

use time::OffsetDateTime;

use crate::{
    flow::actions::access_requests::AccessSheet,
    web::console::access::cards::{Card, OutlookLine, is_grave, is_grave_class},
};

/// More tools than these stand on the request's own page: where something is cut, nothing is given.
const MOST_TOOLS: usize = 12;

/// A request that waits.
pub(in crate::web::console) struct WaitingAccess {
    pub(in crate::web::console) card: Card,
    /// What would become of the tools that are asked for by name.
    pub(in crate::web::console) outlook: Vec<OutlookLine>,
    /// Where it is given; empty where it is read on its own page first, and for who does not decide about it.
    pub(in crate::web::console) decide: String,
    /// Why the viewer does not decide; empty where they do.
    pub(in crate::web::console) refusal: String,
    /// Whether giving asks for a proof.
    pub(in crate::web::console) is_grave: bool,
}

impl WaitingAccess {
    /// `base` is where requests have their pages.
    pub(in crate::web::console) fn of(base: &str, sheet: AccessSheet, now: OffsetDateTime) -> Self {
        let AccessSheet { request, refusal, mut outlook, .. } = sheet;
        let href = format!("{base}/{}", request.id);
        let class = request.asked.class();
        let is_grave = outlook.iter().any(is_grave) || class.is_some_and(is_grave_class);
        // A class is said whole in a few words; of tools each is looked at.
        let is_whole =
            class.is_some() || outlook.len() == request.asked.tools().len() && outlook.len() <= MOST_TOOLS;
        outlook.truncate(if class.is_some() { 0 } else { MOST_TOOLS });
        Self {
            outlook: outlook.into_iter().map(OutlookLine::from).collect(),
            decide: if is_whole && refusal.is_none() { format!("{href}/decide") } else { String::new() },
            refusal: refusal.map(|why| why.to_string()).unwrap_or_default(),
            is_grave,
            card: Card::of(href, request, now),
        }
    }

    #[cfg(test)]
    pub(in crate::web::console) fn sample(text: &str, at: usize) -> Self {
        use crate::domain::access::AccessState;
        let [decide, refusal] = match at % 3 {
            0 => ["/o/acme/access/x/decide", ""],
            1 => ["", text],
            _ => ["", ""],
        };
        Self {
            card: Card::sample(text, AccessState::Pending),
            outlook: (0..at % 4).map(|n| OutlookLine::sample(text, n)).collect(),
            decide: decide.to_owned(),
            refusal: refusal.to_owned(),
            is_grave: at.is_multiple_of(2),
        }
    }
}
