//! What a call counts, in the form that the record's statement reads.

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::base::{
    crypto::digest,
    ids::{EventId, PolicyId},
};

/// In which span is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// `minute`, `hour`, `day` or `month` of the calendar, UTC.
    Calendar(&'static str),
    /// So many seconds.
    Seconds(u32),
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Calendar(name) => f.write_str(name),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

/// Whose count it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// `grant`, `user`, `team`, `client`, `server` or `org`.
    pub scope: &'static str,
    /// Which one.
    pub id: String,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Amounts in a span.
    Amount {
        /// In which span.
        span: Span,
        /// Whether the span ends now and began so long ago.
        slides: bool,
        /// How much, as a decimal.
        amount: String,
        /// Where different values are counted: the digest of this one.
        value: Option<digest::Digest>,
        /// Whether it is given back where the call ends in an error.
        gives_back: bool,
        /// Whether it only counts, and stops nothing.
        is_observed: bool,
    },
    /// Calls that are under way.
    Place,
}

/// What a call counts in one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The policy.
    pub policy: PolicyId,
    /// The counter; for places the part of the document.
    pub counter: String,
    /// Whose.
    pub owner: Owner,
    /// How much is allowed, as a decimal.
    pub most: String,
    /// What is counted.
    pub counted: Counted,
}

/// A claim as the statement reads it; the letters are explained where the statement is.
#[derive(Serialize)]
struct Written<'a> {
    k: String,
    m: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    w: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    g: bool,
    #[serde(skip_serializing_if = "is_false")]
    b: bool,
    #[serde(skip_serializing_if = "is_false")]
    o: bool,
    #[serde(skip_serializing_if = "is_false")]
    l: bool,
    p: uuid::Uuid,
    c: &'a str,
    t: &'static str,
    y: &'a str,
    n: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
const fn is_false(is: &bool) -> bool {
    !*is
}

impl Claim {
    /// The digest that names the counter.
    pub fn key(&self) -> digest::Digest {
        let span = match &self.counted {
            Counted::Amount { span, slides, value, .. } => {
                format!("{span}{}{}", if *slides { "~" } else { "" }, if value.is_some() { "#" } else { "" })
            }
            Counted::Place => "now".to_owned(),
        };
        let policy = self.policy.to_string();
        let parts = ["portreeve/limit/1", &policy, &self.counter, &span, self.owner.scope, &self.owner.id];
        let mut bytes = Vec::with_capacity(160);
        for part in parts {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        digest::sha256(&bytes)
    }

    /// Whether something is held until the call ends.
    pub const fn is_held(&self) -> bool {
        matches!(self.counted, Counted::Place | Counted::Amount { gives_back: true, .. })
    }

    const fn is_observed(&self) -> bool {
        matches!(self.counted, Counted::Amount { is_observed: true, .. })
    }

    /// Whether it is an amount and no more: nothing is held for the call, and no values are told apart.
    fn is_plain(&self) -> bool {
        matches!(self.counted, Counted::Amount { value: None, gives_back: false, .. })
            && self.whole_amount().is_some()
    }

    fn whole_amount(&self) -> Option<u128> {
        let Counted::Amount { amount, .. } = &self.counted else { return None };
        amount.parse().ok()
    }

    fn written(&self, key: &digest::Digest) -> Written<'_> {
        let mut written = Written {
            k: HEXLOWER.encode(key),
            m: &self.most,
            a: None,
            v: None,
            w: None,
            s: None,
            g: false,
            b: false,
            o: false,
            l: false,
            p: self.policy.uuid(),
            c: &self.counter,
            t: self.owner.scope,
            y: &self.owner.id,
            n: String::new(),
        };
        match &self.counted {
            Counted::Amount { span, slides, amount, value, gives_back, is_observed } => {
                written.a = Some(amount);
                written.v = value.as_ref().map(|value| HEXLOWER.encode(value));
                match span {
                    Span::Calendar(name) => written.w = Some(name),
                    Span::Seconds(seconds) => written.s = Some(*seconds),
                }
                (written.g, written.b, written.o) = (*slides, *gives_back, *is_observed);
                written.n = span.to_string();
            }
            Counted::Place => written.l = true,
        }
        written
    }
}

/// The round of a call that another one goes on from.
#[derive(Serialize)]
struct WrittenRound {
    r: uuid::Uuid,
}

/// Either of them.
#[derive(Serialize)]
#[serde(untagged)]
enum Taken<'a> {
    Claim(Written<'a>),
    Round(WrittenRound),
}

/// What a call counts, written for the statement that takes it.
#[derive(Clone, Debug)]
pub struct Taking {
    /// All claims, in their order, and the round that the call goes on from.
    pub text: String,
    /// The claims with their keys, where they can be summed up with those of other calls.
    plain: Option<Vec<(digest::Digest, Claim)>>,
}

/// Writes all claims of a call, and the round that it goes on from; nothing where there are none.
///
/// Their places in the text are those in the slice.
pub fn write(claims: Vec<Claim>, round: Option<EventId>) -> Option<Taking> {
    if claims.is_empty() && round.is_none() {
        return None;
    }
    let is_plain = round.is_none() && claims.iter().all(Claim::is_plain);
    let round = round.map(|round| Taken::Round(WrittenRound { r: round.uuid() }));
    let keyed: Vec<_> = claims.into_iter().map(|one| (one.key(), one)).collect();
    let written: Vec<_> =
        keyed.iter().map(|(key, one)| Taken::Claim(one.written(key))).chain(round).collect();
    let text = serde_json::to_string(&written).ok()?;
    drop(written);
    Some(Taking { text, plain: is_plain.then_some(keyed) })
}

/// What several calls count altogether: where that has room, each of them has. Nothing where none counts anything.
///
/// # Errors
/// [`NoSum`] where each has to be looked at by itself.
pub fn sum<'a>(takings: impl IntoIterator<Item = &'a Taking>) -> Result<Option<String>, NoSum> {
    let mut sums: Vec<Summed<'a>> = Vec::new();
    for taking in takings {
        for (key, claim) in taking.plain.as_ref().ok_or(NoSum)? {
            match sums.iter_mut().find(|one| one.key == key) {
                Some(same) => same.add(claim)?,
                None => sums.push(Summed::of(key, claim)?),
            }
        }
    }
    if sums.is_empty() {
        return Ok(None);
    }
    let amounts: Vec<_> = sums.iter().map(|one| one.amount.to_string()).collect();
    let written: Vec<_> = sums
        .iter()
        .zip(&amounts)
        .map(|(one, amount)| Written { a: Some(amount), ..one.claim.written(one.key) })
        .collect();
    serde_json::to_string(&written).map(Some).map_err(|_| NoSum)
}

/// What calls count cannot be summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSum;

/// What several calls count in one place.
struct Summed<'a> {
    key: &'a digest::Digest,
    claim: &'a Claim,
    amount: u128,
}

impl<'a> Summed<'a> {
    fn of(key: &'a digest::Digest, claim: &'a Claim) -> Result<Self, NoSum> {
        Ok(Self { key, claim, amount: claim.whole_amount().ok_or(NoSum)? })
    }

    /// Only what differs in nothing but the amount has one sum.
    fn add(&mut self, claim: &Claim) -> Result<(), NoSum> {
        if self.claim.most != claim.most || self.claim.is_observed() != claim.is_observed() {
            return Err(NoSum);
        }
        let amount = claim.whole_amount().ok_or(NoSum)?;
        self.amount = self.amount.checked_add(amount).ok_or(NoSum)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(counter: &str, id: &str) -> Claim {
        Claim {
            policy: PolicyId::from_uuid(uuid::Uuid::from_u128(1)),
            counter: counter.to_owned(),
            owner: Owner { scope: "grant", id: id.to_owned() },
            most: "20".to_owned(),
            counted: Counted::Amount {
                span: Span::Calendar("hour"),
                slides: false,
                amount: "1".to_owned(),
                value: None,
                gives_back: false,
                is_observed: false,
            },
        }
    }

    #[test]
    fn counters_are_told_apart_by_all_that_names_them() {
        let (a, b) = (claim("merges", "grt_1"), claim("merges", "grt_1"));
        assert_eq!(a.key(), b.key());
        let moved = Claim {
            counter: "mergesg".to_owned(),
            owner: Owner { scope: "grant", id: "rt_1".to_owned() },
            ..a.clone()
        };
        for other in [claim("merge", "grt_1"), claim("merges", "grt_2"), moved] {
            assert_ne!(a.key(), other.key());
        }
        assert_ne!(a.key(), Claim { counted: Counted::Place, ..b }.key());
    }

    #[test]
    fn a_value_is_written_as_its_digest() {
        let mut one = claim("people", "grt_1");
        if let Counted::Amount { value, .. } = &mut one.counted {
            *value = Some([0xab; 32]);
        }
        let text = write(vec![one], None).expect("claims").text;
        assert!(text.contains(&format!(r#""v":"{}""#, "ab".repeat(32))), "{text}");
        assert!(write(Vec::new(), None).is_none());
    }

    #[test]
    fn plain_amounts_have_a_sum() {
        let taking = |claims| write(claims, None).expect("claims");
        let three = Claim { most: "20".to_owned(), ..claim("merges", "grt_1") };
        let calls = [
            taking(vec![claim("merges", "grt_1"), claim("merges", "grt_2")]),
            taking(vec![three.clone()]),
            taking(vec![claim("merges", "grt_1")]),
        ];
        let text = sum(&calls).expect("a sum").expect("something");
        let sums: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        assert_eq!(sums.iter().map(|one| one["a"].as_str()).collect::<Vec<_>>(), [Some("3"), Some("1")]);
        assert_eq!(sums[0]["k"], HEXLOWER.encode(&three.key()));
        assert_eq!(sum(&[]), Ok(None));
    }

    #[test]
    fn what_is_more_than_an_amount_has_none() {
        let amount = |change: &dyn Fn(&mut Claim)| {
            let mut one = claim("merges", "grt_1");
            change(&mut one);
            sum(&[
                write(vec![claim("merges", "grt_1")], None).expect("one"),
                write(vec![one], None).expect("one"),
            ])
        };
        assert!(amount(&|_| {}).is_ok());
        assert_eq!(amount(&|one| one.most = "7".to_owned()), Err(NoSum), "another most");
        assert_eq!(amount(&|one| one.counted = Counted::Place), Err(NoSum), "a place");
        type Change = fn(&mut String, &mut Option<digest::Digest>, &mut bool, &mut bool);
        let changes: [Change; 4] = [
            |amount, _, _, _| *amount = "1.5".to_owned(),
            |_, value, _, _| *value = Some([1; 32]),
            |_, _, gives_back, _| *gives_back = true,
            |_, _, _, is_observed| *is_observed = true,
        ];
        for change in changes {
            let changed = amount(&|one| {
                if let Counted::Amount { amount, value, gives_back, is_observed, .. } = &mut one.counted {
                    change(amount, value, gives_back, is_observed);
                }
            });
            assert_eq!(changed, Err(NoSum));
        }
        let round = write(Vec::new(), Some(EventId::fresh())).expect("a round");
        assert_eq!(sum([&round]), Err(NoSum), "a round");
    }
}
