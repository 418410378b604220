//! When a new token is fetched, and what becomes of a connection when none comes.
//!
//! Pure: the time comes in as an argument, and so does chance.

use time::{Duration, OffsetDateTime};

use crate::{
    domain::connections::{ConnectionState, HeldAccount, NewTokens},
    protocol::oauth::failure::{FailureKind, TokenFailure},
};

/// No token is used closer to its end than this, however short it lives.
const LEAST_MARGIN: Duration = Duration::seconds(60);
/// None is renewed earlier before its end than this, however long it lives.
const GREATEST_MARGIN: Duration = Duration::seconds(300);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::seconds(60);
/// The longest that a provider is left alone because it asks for it: an hour's mistake of one in front of it is no day's outage.
const LONGEST_ASKED: Duration = Duration::minutes(15);
/// A refresh token that is not used for long may lapse, so it is used once in such a time at least.
pub const KEEP_ALIVE: Duration = Duration::days(7);
/// A token that ends later than this is used without looking for a newer one: longer than the greatest margin and a round of the
/// job that renews.
const SETTLED: Duration = Duration::minutes(10);
/// Whoever replaces a token that ends later than this says so to all replicas.
const FAR: Duration = Duration::minutes(8);
/// What lives shorter is not renewed by itself.
const LEAST_BY_ITSELF: Duration = Duration::minutes(10);
/// How often is looked for what is due.
const ROUND: Duration = Duration::seconds(60);
/// So close to its end a token counts as ended: providers count whole seconds, and a call takes its time to arrive.
const LAST_MOMENT: Duration = Duration::seconds(1);
/// For how long a provider is told of an account that was ended here, where it does not listen at once.
pub const TELL_FOR: Duration = Duration::days(1);
/// How long before an end that only its owner can put off they are written to.
pub const TELL_AHEAD: Duration = Duration::days(3);
/// The end of what does not live longer than this is no news.
pub const LONG_LIFE: Duration = Duration::days(7);
/// Providers count whole seconds from their own answers: an end that is named again differs by no more than this.
const SAME_END: Duration = Duration::hours(1);
/// How often a refresh token is sent in a row without an answer that was stored: once, and once more. Beyond that it rests in
/// between.
pub const MOST_PRESENTED: i32 = 2;

/// What a call does about a connection's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is used.
    Fresh,
    /// It is used, and a new one is fetched meanwhile.
    Ageing,
    /// A new one is waited for.
    Stale,
    /// It has ended, and no new one can be had without its owner.
    Ended,
}

/// How long before its end a token is renewed. A token that lives for less than twice the least margin is used for half of
/// its life.
pub fn margin(lives_for: Duration) -> Duration {
    (lives_for / 10_i32).clamp(LEAST_MARGIN, GREATEST_MARGIN).min(lives_for / 2_i32)
}

impl HeldAccount {
    /// What is to be done about its token now.
    pub fn freshness(&self, now: OffsetDateTime) -> Freshness {
        let Some(ends) = self.expires_at else { return Freshness::Fresh };
        if now + margin(ends - self.issued_at) < ends {
            return Freshness::Fresh;
        }
        // Of one that lives for seconds only a part of the last is lost.
        let is_alive = now < ends - LAST_MOMENT.min((ends - self.issued_at) / 10);
        match (self.has_refresh, is_alive) {
            (true, true) => Freshness::Ageing,
            (true, false) => Freshness::Stale,
            (false, true) => Freshness::Fresh,
            (false, false) => Freshness::Ended,
        }
    }

    /// Whether nobody fetches a new token soon, so that this one may be used without looking whether there is a newer one. What
    /// replaces it all the same raises the organization's epoch; see [`HeldAccount::is_far_from_its_end`].
    pub fn is_settled(&self, now: OffsetDateTime) -> bool {
        self.state == ConnectionState::Active
            && self.tokens.is_some()
            && !self.is_idle(now)
            && self.expires_at.is_none_or(|ends| ends - now > SETTLED)
    }

    /// Whether replicas may hold its token without looking; with room for clocks that differ.
    pub fn is_far_from_its_end(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_none_or(|ends| ends - now > FAR)
    }

    /// Whether a new token is fetched before anybody asks for one. What lives for minutes only is renewed when it is used.
    pub fn is_due_by_itself(&self, now: OffsetDateTime) -> bool {
        let Some(ends) = self.expires_at.filter(|ends| now < *ends) else { return false };
        let lives_for = ends - self.issued_at;
        self.has_refresh && lives_for >= LEAST_BY_ITSELF && now + margin(lives_for) + ROUND >= ends
    }

    /// Whether its refresh token should be used so that it does not lapse.
    pub fn is_idle(&self, now: OffsetDateTime) -> bool {
        self.has_refresh && now - self.issued_at >= KEEP_ALIVE
    }

    /// Whether nobody should try for a new token yet.
    pub fn is_resting(&self, now: OffsetDateTime) -> bool {
        self.retry_at.is_some_and(|at| now < at)
    }
}

impl HeldAccount {
    /// Whether its token has ended and no new one can be had without its owner.
    pub fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.freshness(now) == Freshness::Ended
    }

    /// The end that its owner is to be written to about now, where nobody else can put it off and they were not yet.
    pub fn ending_to_tell(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let ends = match self.has_refresh {
            true => self.refresh_expires_at?,
            false => self.expires_at.filter(|ends| *ends - self.issued_at > LONG_LIFE)?,
        };
        let is_near = now < ends && ends <= now + TELL_AHEAD;
        (is_near && self.ending_told_for != Some(ends)).then_some(ends)
    }

    /// The end that is no news once a pair is stored whose refresh token ends then: one that renewing moves is none.
    pub fn told_after(&self, ends: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let Some(ends) = ends else { return self.ending_told_for };
        let is_moved = match self.refresh_expires_at {
            Some(before) => ends > before + SAME_END,
            None => ends - now <= LONG_LIFE,
        };
        let was_told = self.refresh_expires_at.is_some() && self.ending_told_for == self.refresh_expires_at;
        if is_moved || was_told { Some(ends) } else { self.ending_told_for }
    }
}

impl NewTokens {
    /// The end of a refresh token that always is near.
    pub fn no_news(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.refresh_expires_at.filter(|ends| *ends - now <= LONG_LIFE)
    }
}

/// What becomes of a connection for which no new token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// The same is tried once more at once: nobody knows whether the first request arrived.
    Again,
    /// It rests until then.
    Rest {
        /// When a new token is tried for again.
        until: OffsetDateTime,
    },
    /// It rests until then, and nobody knows whether what was sent arrived: the provider says so when it is sent again.
    Doubt {
        /// When the same is sent again.
        until: OffsetDateTime,
    },
    /// Only its owner can help.
    Reauth,
    /// Only who registered the provider can help; a token that still lives is used until it ends.
    Broken {
        /// When a new token is tried for again.
        until: OffsetDateTime,
    },
}

impl Aftermath {
    /// Of a failure, after so many in a row before it, the refresh token having been sent so often without a stored answer.
    /// `chance` is a number from 0 to 1000.
    pub fn of(
        failure: &TokenFailure,
        failures: i32,
        presented: i32,
        now: OffsetDateTime,
        chance: u16,
    ) -> Self {
        match failure.kind {
            FailureKind::DeadGrant => Self::Reauth,
            FailureKind::Unknown if presented < MOST_PRESENTED => Self::Again,
            // It may have been taken for good. The provider's word for that is all that ends an account: an outage that loses
            // answers looks the same.
            FailureKind::Unknown => Self::doubt(failures, now, chance),
            FailureKind::Transient => {
                Self::Rest { until: now + pause(failures, chance).max(asked(failure, chance)) }
            }
            FailureKind::BrokenClient => Self::Broken { until: now + LONGEST_PAUSE },
        }
    }

    /// Of what was sent, by whoever, without an answer that was stored.
    pub fn doubt(failures: i32, now: OffsetDateTime, chance: u16) -> Self {
        Self::Doubt { until: now + pause(failures, chance) }
    }

    /// The state that follows.
    pub const fn state(self) -> ConnectionState {
        match self {
            Self::Again | Self::Rest { .. } | Self::Doubt { .. } | Self::Broken { .. } => {
                ConnectionState::ErrorBackoff
            }
            Self::Reauth => ConnectionState::NeedsReauth,
        }
    }

    /// Whether the provider said what follows from, so that nothing of what was sent is in doubt.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Rest { .. } | Self::Broken { .. })
    }

    /// Whether what was sent may have arrived.
    pub const fn is_doubtful(self) -> bool {
        matches!(self, Self::Doubt { .. })
    }

    /// When a new token is tried for again.
    pub const fn retry_at(self) -> Option<OffsetDateTime> {
        match self {
            Self::Rest { until } | Self::Doubt { until } | Self::Broken { until } => Some(until),
            Self::Again | Self::Reauth => None,
        }
    }
}

/// How long to wait before a provider that did not end an account is told again, after so many times: each time twice as long.
pub fn until_told_again(attempts: i32) -> Duration {
    Duration::minutes(1_i64 << attempts.clamp(0, 7))
}

/// How long the provider asks to be left alone, where it does.
fn asked(failure: &TokenFailure, chance: u16) -> Duration {
    let asked = failure.wait.map_or(Duration::ZERO, |wait| wait.try_into().unwrap_or(LONGEST_ASKED));
    lengthened(asked.min(LONGEST_ASKED), chance)
}

/// 1, 2, 4 … 60 seconds, and up to a quarter more by chance, so that replicas and people do not come at once.
fn pause(failures: i32, chance: u16) -> Duration {
    let doubled = 1_i64 << failures.clamp(0, 6);
    lengthened(Duration::seconds(doubled).min(LONGEST_PAUSE), chance)
}

fn lengthened(whole: Duration, chance: u16) -> Duration {
    whole + whole * i32::from(chance.min(1000)) / 4000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::ids::{ConnectionId, ProviderId},
        domain::connections::AccountOwner,
    };

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    fn held(lives_for: Option<i64>, has_refresh: bool) -> HeldAccount {
        HeldAccount {
            id: ConnectionId::fresh(),
            provider: ProviderId::fresh(),
            owner: AccountOwner::Org,
            is_default: true,
            account_if: String::new(),
            state: ConnectionState::Active,
            reason: String::new(),
            scopes: Vec::new(),
            withheld: Vec::new(),
            facts: Default::default(),
            tokens: None,
            token_version: 1,
            has_refresh,
            issued_at: at(0),
            expires_at: lives_for.map(at),
            refresh_expires_at: None,
            ending_told_for: None,
            retry_at: None,
            blocked: None,
            presented: 0,
            failures: 0,
            last_ok_at: None,
        }
    }

    #[test]
    fn a_token_is_renewed_a_tenth_of_its_life_before_its_end_within_bounds() {
        for (lives_for, before) in [(3_600, 300), (1_000, 100), (300, 60), (100, 50), (2, 1), (86_400, 300)] {
            assert_eq!(margin(Duration::seconds(lives_for)), Duration::seconds(before), "{lives_for}");
        }
    }

    #[test]
    fn a_token_is_used_while_it_lives_and_waited_for_when_it_does_not() {
        let hour = held(Some(3_600), true);
        for (second, freshness) in [
            (0, Freshness::Fresh),
            (3_299, Freshness::Fresh),
            (3_300, Freshness::Ageing),
            (3_598, Freshness::Ageing),
            (3_599, Freshness::Stale),
            (3_600, Freshness::Stale),
        ] {
            assert_eq!(hour.freshness(at(second)), freshness, "{second}");
        }
        let once = held(Some(3_600), false);
        assert_eq!(
            (once.freshness(at(3_598)), once.freshness(at(3_599))),
            (Freshness::Fresh, Freshness::Ended)
        );
        let moments = held(Some(2), false);
        let after = |millis| moments.freshness(at(0) + Duration::milliseconds(millis));
        assert_eq!((after(1_799), after(1_800)), (Freshness::Fresh, Freshness::Ended));
        assert_eq!(held(None, false).freshness(at(9_999_999)), Freshness::Fresh);
    }

    #[test]
    fn what_lives_long_enough_is_renewed_by_itself_before_a_call_would_have_to() {
        let hour = held(Some(3_600), true);
        for (second, is_due) in [(3_239, false), (3_240, true), (3_599, true), (3_600, false)] {
            assert_eq!(hour.is_due_by_itself(at(second)), is_due, "{second}");
        }
        assert!(!held(Some(300), true).is_due_by_itself(at(299)));
        assert!(!held(Some(3_600), false).is_due_by_itself(at(3_500)));
        assert!(!held(None, true).is_due_by_itself(at(3_500)));
    }

    #[test]
    fn what_nobody_uses_is_kept_alive_once_a_week() {
        let idle = held(Some(3_600), true);
        assert!(!idle.is_idle(at(7 * 86_400 - 1)) && idle.is_idle(at(7 * 86_400)));
        assert!(!held(Some(3_600), false).is_idle(at(99 * 86_400)));
    }

    #[test]
    fn an_end_that_only_its_owner_can_put_off_is_told_once_some_days_before() {
        const DAY: i64 = 86_400;
        let once = held(Some(30 * DAY), false);
        for (second, ends) in [(27 * DAY - 1, None), (27 * DAY, Some(at(30 * DAY))), (30 * DAY, None)] {
            assert_eq!(once.ending_to_tell(at(second)), ends, "{second}");
        }
        let told = HeldAccount { ending_told_for: Some(at(30 * DAY)), ..once };
        assert_eq!(told.ending_to_tell(at(28 * DAY)), None);
        assert_eq!(held(Some(7 * DAY), false).ending_to_tell(at(6 * DAY)), None, "it never lives long");
        assert_eq!(held(Some(3_600), true).ending_to_tell(at(3_500)), None, "it renews itself");
    }

    #[test]
    fn the_end_of_a_refresh_token_is_news_unless_renewing_moves_it() {
        const DAY: i64 = 86_400;
        let held = HeldAccount { refresh_expires_at: Some(at(90 * DAY)), ..held(Some(3_600), true) };
        assert_eq!(held.ending_to_tell(at(88 * DAY)), Some(at(90 * DAY)));
        // Said again, to the second; and said no more.
        assert_eq!(held.told_after(Some(at(90 * DAY + 1)), at(80 * DAY)), None);
        assert_eq!(held.told_after(None, at(80 * DAY)), None);
        assert_eq!(held.told_after(Some(at(170 * DAY)), at(80 * DAY)), Some(at(170 * DAY)));
        let told = HeldAccount { ending_told_for: held.refresh_expires_at, ..held };
        assert_eq!(told.told_after(Some(at(90 * DAY - 1)), at(88 * DAY)), Some(at(90 * DAY - 1)));
    }

    #[test]
    fn each_kind_of_failure_leads_where_it_can_be_helped() {
        let failure = |kind| TokenFailure { kind, ..TokenFailure::unsent() };
        let of = |kind, failures, presented| Aftermath::of(&failure(kind), failures, presented, at(0), 0);
        assert_eq!(of(FailureKind::DeadGrant, 0, 1), Aftermath::Reauth);
        assert_eq!(of(FailureKind::Unknown, 0, 1), Aftermath::Again);
        assert_eq!(of(FailureKind::Unknown, 0, 2), Aftermath::Doubt { until: at(1) });
        assert_eq!(of(FailureKind::Unknown, 9, 7), Aftermath::Doubt { until: at(60) });
        assert!(
            !of(FailureKind::Unknown, 0, 2).is_answered() && of(FailureKind::Unknown, 0, 2).is_doubtful()
        );
        assert_eq!(of(FailureKind::Transient, 0, 1), Aftermath::Rest { until: at(1) });
        assert_eq!(of(FailureKind::Transient, 3, 1), Aftermath::Rest { until: at(8) });
        assert_eq!(of(FailureKind::Transient, 99, 1), Aftermath::Rest { until: at(60) });
        assert_eq!(of(FailureKind::BrokenClient, 0, 1).retry_at(), Some(at(60)));
        assert_eq!(of(FailureKind::BrokenClient, 0, 1).state(), ConnectionState::ErrorBackoff);
    }

    #[test]
    fn a_provider_is_left_alone_for_as_long_as_it_asks_within_bounds() {
        use std::time::Duration as Asked;

        let of = |wait, failures| {
            let failure = TokenFailure::unsent().after(wait);
            Aftermath::of(&failure, failures, 1, at(0), 0).retry_at()
        };
        assert_eq!(of(Some(Asked::from_secs(120)), 0), Some(at(120)));
        assert_eq!(of(Some(Asked::ZERO), 0), Some(at(1)));
        assert_eq!(of(Some(Asked::from_secs(5)), 9), Some(at(60)));
        assert_eq!(of(Some(Asked::from_secs(u64::MAX)), 0), Some(at(900)));
        let dead = TokenFailure { kind: FailureKind::DeadGrant, ..TokenFailure::unsent() };
        assert_eq!(dead.clone().after(Some(Asked::from_secs(120))), dead);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_75_seconds_and_never_none(failures in any::<i32>(), chance in any::<u16>()) {
            let pause = pause(failures, chance);
            prop_assert!(pause >= Duration::seconds(1) && pause <= Duration::seconds(75));
        }

        #[test]
        fn a_margin_never_eats_more_than_half_of_a_life(seconds in 0_i64..10_000_000) {
            let life = Duration::seconds(seconds);
            prop_assert!(margin(life) * 2 <= life && margin(life) <= GREATEST_MARGIN);
        }
    }
}
