//! A limit that has no room for a call, for the agent and the record.

use crate::{
    domain::{audit::PolicyPart, limits::Counted, policy::number::Number},
    flow::decision::Claimed,
};

/// A limit that has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The counter, in words.
    counter: String,
    /// How much is allowed.
    most: String,
    /// In which span, and for whom; how many at once, where there is none.
    span: Option<String>,
    /// How much is used.
    used: String,
    /// The short name of the policy.
    pub policy: String,
    /// In how many seconds there may be room; none where the call can never fit.
    pub retry_after: Option<u32>,
    /// How much is left; none where places are counted, or where it cannot be written down.
    pub left: Option<String>,
    /// How much the call counts, where that can never fit.
    beyond: Option<String>,
    /// The part of the policy.
    pub part: PolicyPart,
    words: Option<String>,
}

impl Reached {
    /// What a claim found.
    pub fn of(claimed: &Claimed, used: String, retry_after: u32) -> Self {
        let owner = match claimed.claim.owner.scope {
            "org" => "the organization",
            "user" => "each person",
            "team" => "each team",
            "client" => "each client",
            "server" => "each server",
            _ => "each grant",
        };
        let span = match &claimed.claim.counted {
            Counted::Amount { span, .. } => Some(format!("per {span} for {owner}")),
            Counted::Place => None,
        };
        let number = |text: &str| Number::parse(text).ok();
        let most = number(&claimed.claim.most);
        let (left, beyond) = match &claimed.claim.counted {
            Counted::Amount { amount, .. } => {
                let left = most.as_ref().and_then(|most| most.left_of(&number(&used)?));
                let beyond = most.zip(number(amount)).is_some_and(|(most, amount)| amount > most);
                (left.map(|left| left.to_string()), beyond.then(|| amount.clone()))
            }
            Counted::Place => (None, None),
        };
        Self {
            counter: claimed.claim.counter.clone(),
            most: claimed.claim.most.clone(),
            span,
            used,
            policy: claimed.policy.clone(),
            retry_after: beyond.is_none().then_some(retry_after),
            left,
            beyond,
            part: PolicyPart {
                effect: "limit".into(),
                layer: claimed.layer.as_str().into(),
                policy: claimed.claim.policy,
                rule: claimed.part.to_string(),
                version: claimed.version,
            },
            words: claimed.words.clone(),
        }
    }

    /// One sentence for the agent: why, and when to come back.
    pub fn sentence(&self) -> String {
        let Self { policy, most, used, counter, .. } = self;
        let said = self.words.as_deref().map(|words| format!("{} ", words.trim())).unwrap_or_default();
        match (&self.span, &self.beyond) {
            (Some(span), Some(amount)) => format!(
                "{said}The policy {policy} allows {most} {counter} {span}, and this call counts {amount}, which can never \
                 fit. Do not try it again as it is."
            ),
            (Some(span), None) => {
                let when = wait(self.retry_after.unwrap_or_default());
                format!(
                    "{said}The policy {policy} allows {most} {counter} {span}, and {used} are used. Try again in {when}."
                )
            }
            (None, _) => format!(
                "{said}The policy {policy} lets {most} calls of this kind run at once, and {used} are running. Try again \
                 when one has ended."
            ),
        }
    }

    /// What was found, for a trace.
    pub fn fact(&self) -> String {
        match &self.span {
            Some(span) if let Some(amount) = &self.beyond => {
                format!("{amount} at once, of {} {} {span}", self.most, self.counter)
            }
            Some(span) => format!("{} of {} {} {span} are used", self.used, self.most, self.counter),
            None => format!("{} of {} calls of this kind are running", self.used, self.most),
        }
    }
}

/// So many seconds, as people say it.
fn wait(seconds: u32) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds.max(1), "second"),
        120..=7199 => (seconds.div_ceil(60), "minute"),
        7200..=172_799 => (seconds.div_ceil(3600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_the_unit_that_fits() {
        let told: Vec<_> = [0, 1, 59, 120, 3601, 90_000, 400_000].into_iter().map(wait).collect();
        assert_eq!(
            told,
            ["1 second", "1 second", "59 seconds", "2 minutes", "61 minutes", "25 hours", "5 days"]
        );
    }
}
