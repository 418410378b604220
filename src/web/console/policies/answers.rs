//! What became of a call on trial, as pages show it.

use crate::{
    base::permission::Role,
    domain::{limits::Counted, policy::engine::LayerName},
    flow::{
        actions::policies::Decided,
        decision::{Asked, Clause},
    },
    web::console::{
        policies::around::{CodeLine, around},
        traces::{self, Reader, TraceLine},
    },
};

/// What became of a call under one document.
pub(super) struct Answer {
    /// Under which.
    pub(super) title: String,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    pub(super) message: String,
    pub(super) lines: Vec<TraceLine>,
    pub(super) decider: Option<Decider>,
    /// The conditions of the rule that decided.
    pub(super) clauses: Vec<ClauseLine>,
    /// What the call would count.
    pub(super) counts: Vec<String>,
    /// Who would be asked.
    pub(super) needs: Vec<String>,
}

/// The part of a policy that decided.
pub(super) struct Decider {
    pub(super) layer: &'static str,
    pub(super) policy: String,
    pub(super) href: String,
    pub(super) version: i32,
    pub(super) rule: String,
    pub(super) lines: Vec<CodeLine>,
}

/// A condition, and what it found.
pub(super) struct ClauseLine {
    pub(super) words: String,
    pub(super) holds: bool,
    /// What it looked at, in words.
    pub(super) found: String,
}

impl From<&Clause> for ClauseLine {
    fn from(clause: &Clause) -> Self {
        let found = match clause.found.as_slice() {
            [] => "nothing there".to_owned(),
            values => values.join(", "),
        };
        Self { words: clause.words.clone(), holds: clause.holds, found }
    }
}

/// The tone, the icon and the word of a verdict.
pub(super) fn word_of(verdict: &str) -> (&'static str, &'static str, &'static str) {
    match verdict {
        "allow" => ("allow", "ok", "Allow"),
        "require_approval" => ("ask", "ask", "Ask"),
        "hide" => ("quiet", "hide", "Hide"),
        _ => ("deny", "deny", "Deny"),
    }
}

/// A layer, as the end of "the policy of the …".
pub(super) const fn layer_words(layer: LayerName) -> &'static str {
    match layer {
        LayerName::Org => "organization",
        LayerName::Team => "team",
        LayerName::Server => "server",
        LayerName::Grant => "grant",
    }
}

impl Answer {
    pub(super) fn of(title: String, decided: &Decided, slug: &str, role: Role) -> Self {
        let (tone, glyph, word) = word_of(decided.verdict);
        let decider = decided.policy.as_ref().zip(decided.layer).map(|(policy, layer)| Decider {
            layer: layer_words(layer),
            policy: policy.slug.clone(),
            href: format!("/o/{slug}/policies/{}", policy.slug),
            version: policy.number,
            rule: decided.rule.clone(),
            lines: around(&policy.program.document().canonical(), &decided.rule),
        });
        let policy_id = decided.policy.as_ref().map(|policy| policy.id);
        let counts = decided.claims.iter().map(|one| match &one.claim.counted {
            Counted::Amount { amount, .. } => format!(
                "{amount} of {} in {}, for each {}, by {}",
                one.claim.most, one.claim.counter, one.claim.owner.scope, one.policy
            ),
            Counted::Place => format!(
                "a place among {} calls under way ({}), by {}",
                one.claim.most, one.claim.counter, one.policy
            ),
        });
        Self {
            title,
            tone,
            glyph,
            word,
            message: decided.message.clone(),
            lines: traces::lines(&decided.trace, policy_id, Reader { slug, role, is_theirs: false }),
            decider,
            clauses: decided.clauses.iter().map(ClauseLine::from).collect(),
            counts: counts.collect(),
            needs: decided.needs.iter().map(needs).collect(),
        }
    }
}

fn needs(asked: &Asked) -> String {
    let rule = asked.need.name.clone().unwrap_or_else(|| asked.need.part.to_string());
    format!("{rule} of {}, the policy of the {}", asked.policy, layer_words(asked.need.layer))
}

#[cfg(test)]
pub(super) fn sample(text: &str) -> Answer {
    Answer {
        title: text.into(),
        tone: "deny",
        glyph: "deny",
        word: "Deny",
        message: text.into(),
        lines: traces::sample_lines(),
        decider: Some(Decider {
            layer: "grant",
            policy: "crew".into(),
            href: "/o/acme/policies/crew".into(),
            version: 3,
            rule: "/tools/merge/deny_if/0".into(),
            lines: around(r#"{"version":"1","default":"deny"}"#, "/default"),
        }),
        clauses: vec![ClauseLine { words: text.into(), holds: false, found: text.into() }],
        counts: vec![text.into()],
        needs: vec![text.into()],
    }
}
