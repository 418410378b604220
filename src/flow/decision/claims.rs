//! From what policies count to the claims that the record takes: whose each count is, and no count twice.

use crate::{
    base::{actor::Principal, crypto::digest},
    domain::{
        limits::{Claim, Counted, Owner, Span},
        policy::{
            document::{OnExceed, Scope, Window, WindowKind},
            engine::{LayerName, Part, Reservation, Slots},
        },
    },
    flow::decision::{Caller, InForce, Say, ServerFacts},
};

/// What is said and done where a claim finds no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The claim.
    pub claim: Claim,
    /// The short name of the policy.
    pub policy: String,
    /// The version.
    pub version: i32,
    /// The layer.
    pub layer: LayerName,
    /// The part of the document.
    pub part: Part,
    /// What becomes of the call.
    pub on_exceed: OnExceed,
    /// What the document says of it.
    pub words: Option<String>,
}

/// What a call counts. Limits of one counter share a count: the call counts in it once, by the largest amount, and the
/// smallest of the limits is the one that holds.
pub(super) fn claims(
    caller: &Caller<'_>,
    server: &ServerFacts,
    says: &[Say<'_>],
    reservations: &[Reservation],
    slots: &[Slots],
) -> Vec<Claimed> {
    let mut all: Vec<Claimed> = Vec::new();
    for one in reservations {
        let Some((say, policy)) = seat(says, one.seat) else { continue };
        for owner in owners(caller, server, say, one.scope) {
            merge(&mut all, reserved(one, say, policy, owner));
        }
    }
    for one in slots {
        let Some((say, policy)) = seat(says, one.seat) else { continue };
        if one.is_observed {
            continue;
        }
        let claim = Claim {
            policy: policy.id,
            counter: one.part.to_string(),
            owner: Owner { scope: "org", id: String::new() },
            most: one.most.to_string(),
            counted: Counted::Place,
        };
        let claimed = Claimed {
            claim,
            policy: policy.slug.clone(),
            version: policy.number,
            layer: say.layer,
            part: one.part.clone(),
            on_exceed: OnExceed::Deny,
            words: None,
        };
        merge(&mut all, claimed);
    }
    all
}

fn seat<'s>(says: &'s [Say<'_>], seat: usize) -> Option<(&'s Say<'s>, &'s InForce)> {
    let say = says.get(seat)?;
    Some((say, say.policy?))
}

fn reserved(one: &Reservation, say: &Say<'_>, policy: &InForce, owner: Owner) -> Claimed {
    let span = match one.window {
        Window::Minute => Span::Calendar("minute"),
        Window::Hour => Span::Calendar("hour"),
        Window::Day => Span::Calendar("day"),
        Window::Month => Span::Calendar("month"),
        Window::Seconds(seconds) => Span::Seconds(seconds),
    };
    let claim = Claim {
        policy: policy.id,
        counter: one.counter.clone(),
        owner,
        most: one.max.to_string(),
        counted: Counted::Amount {
            span,
            slides: one.kind == WindowKind::Sliding,
            amount: one.amount.to_string(),
            value: one.distinct.as_ref().map(|value| digest::sha256(value.as_bytes())),
            gives_back: !one.count_errors,
            is_observed: one.is_observed,
        },
    };
    Claimed {
        claim,
        policy: policy.slug.clone(),
        version: policy.number,
        layer: say.layer,
        part: one.part.clone(),
        on_exceed: one.on_exceed,
        words: one.words.clone(),
    }
}

/// Whose count it is. A person in several teams counts in each of them.
fn owners(caller: &Caller<'_>, server: &ServerFacts, say: &Say<'_>, scope: Scope) -> Vec<Owner> {
    let grant = caller.grant;
    let one = |scope: &'static str, id: String| vec![Owner { scope, id }];
    match scope {
        Scope::Grant => one("grant", grant.id.to_string()),
        Scope::User => one("user", grant.principal.id_text()),
        Scope::Client => {
            // As the software names itself; all that gives no name shares one count.
            let name = caller.client.map(|client| client.name.trim().to_lowercase());
            one("client", name.unwrap_or_default())
        }
        Scope::Server => one("server", server.server.id.to_string()),
        Scope::Org => one("org", caller.snapshot.org().to_string()),
        Scope::Team => {
            if let Some(team) = say.team {
                return one("team", team.to_string());
            }
            let teams = caller.snapshot.teams_of(grant.principal);
            match grant.principal {
                Principal::User(_) if !teams.is_empty() => {
                    teams.iter().map(|(team, _)| Owner { scope: "team", id: team.to_string() }).collect()
                }
                // Who is in no team shares with nobody.
                principal => one("team", principal.id_text()),
            }
        }
    }
}

fn merge(all: &mut Vec<Claimed>, new: Claimed) {
    let Some(same) = all.iter_mut().find(|one| one.claim.key() == new.claim.key()) else {
        return all.push(new);
    };
    let is_less = |a: &str, b: &str| match (number(a), number(b)) {
        (Some(a), Some(b)) => a < b,
        _ => false,
    };
    if let (Counted::Amount { amount: kept, .. }, Counted::Amount { amount, .. }) =
        (&mut same.claim.counted, &new.claim.counted)
        && is_less(kept, amount)
    {
        kept.clone_from(amount);
    }
    if is_less(&new.claim.most, &same.claim.most) {
        let counted = same.claim.counted.clone();
        *same = new;
        same.claim.counted = counted;
    }
}

fn number(text: &str) -> Option<crate::domain::policy::number::Number> {
    crate::domain::policy::number::Number::parse(text).ok()
}
