//! Limits on attempts, shared by all replicas: rules as values, and what is limited as digests.
//!
//! Invariant: no key is made of an account alone, except to hold back letters to one address; so nobody can
//! be locked out by somebody who knows their name (OWASP ASVS 5.0, 6.1.1).

use std::net::{IpAddr, Ipv6Addr};

use time::Duration;

use crate::base::{
    crypto::{digest, digest::Digest},
    email::Email,
};

/// So many at once, and one more each time `every` has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many may come at once.
    pub burst: u32,
    /// How long until one comes back.
    pub every: Duration,
}

impl Budget {
    /// How far ahead of its time a try may come.
    pub(super) fn reach(self) -> Duration {
        self.every * self.burst
    }
}

/// Some tries without waiting; each further one waits four times as long, up to a longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many tries in a row are free.
    pub free: u32,
    /// The wait after the first try beyond those.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After how much quiet all is forgotten.
    pub forget_after: Duration,
}

impl Backoff {
    /// The wait after each try in a row; the last one repeats.
    pub fn waits(self) -> Vec<Duration> {
        let mut waits = vec![Duration::ZERO; self.free as usize];
        let mut wait = self.first;
        while wait < self.longest {
            waits.push(wait);
            // At least a second more each time, so that the list ends whatever the settings say.
            wait = Duration::max(wait * 4, wait + Duration::SECOND);
        }
        waits.push(self.longest);
        waits
    }
}

/// All limits; a test may raise them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sign-ins by address.
    pub sign_in: Budget,
    /// Sign-ins to one account from one address.
    pub sign_in_to_account: Backoff,
    /// Questions for a passkey by address: the page to sign in asks one by itself, and only the answer is a try.
    pub passkey_questions: Budget,
    /// Sign-ups by address.
    pub sign_up: Budget,
    /// Requests for a reset link by address.
    pub recovery: Budget,
    /// Letters to one mailbox.
    pub letters_to: Budget,
    /// Codes tried in one sign-in, and by one person.
    pub codes: Budget,
}

impl Default for Limits {
    /// Enough for a person who errs, too few for a machine that guesses.
    fn default() -> Self {
        Self {
            sign_in: Budget { burst: 3, every: Duration::seconds(20) },
            passkey_questions: Budget { burst: 30, every: Duration::seconds(2) },
            sign_in_to_account: Backoff {
                free: 3,
                first: Duration::seconds(2),
                longest: Duration::minutes(15),
                forget_after: Duration::hours(24),
            },
            sign_up: Budget { burst: 3, every: Duration::minutes(20) },
            recovery: Budget { burst: 3, every: Duration::minutes(20) },
            letters_to: Budget { burst: 1, every: Duration::hours(1) },
            codes: Budget { burst: 10, every: Duration::minutes(1) },
        }
    }
}

impl Limits {
    /// Limits that no test reaches by accident.
    pub fn generous() -> Self {
        let budget = Budget { burst: 10_000, every: Duration::MILLISECOND };
        Self {
            sign_in: budget,
            passkey_questions: budget,
            sign_in_to_account: Backoff { free: 10_000, ..Self::default().sign_in_to_account },
            sign_up: budget,
            recovery: budget,
            letters_to: budget,
            codes: budget,
        }
    }
}

/// What is limited, as a digest: neither address nor account can be read from the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(Digest);

impl Key {
    /// Sign-ins by address.
    pub fn sign_in(ip: Option<IpAddr>) -> Self {
        Self::of("sign_in", &[&prefix(ip)])
    }

    /// Questions for a passkey by address.
    pub fn passkey_question(ip: Option<IpAddr>) -> Self {
        Self::of("passkey_question", &[&prefix(ip)])
    }

    /// Sign-ins to one account from one address, whether the account exists or not.
    pub fn sign_in_to_account(email: &Email, ip: Option<IpAddr>) -> Self {
        Self::of("sign_in_to_account", &[email.key().as_bytes(), &prefix(ip)])
    }

    /// Sign-ups by address.
    pub fn sign_up(ip: Option<IpAddr>) -> Self {
        Self::of("sign_up", &[&prefix(ip)])
    }

    /// Requests for a reset link by address.
    pub fn recovery(ip: Option<IpAddr>) -> Self {
        Self::of("recovery", &[&prefix(ip)])
    }

    /// Letters to one mailbox, of one kind.
    pub fn letters_to(email: &Email, kind: &str) -> Self {
        Self::of("letters_to", &[email.key().as_bytes(), kind.as_bytes()])
    }

    /// Codes tried, named by the id of the sign-in under way or of the signed-in person.
    pub fn codes<K>(id: crate::base::ids::Id<K>) -> Self {
        Self::of("codes", &[id.uuid().as_bytes()])
    }

    /// The digest as the database holds it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(name: &str, parts: &[&[u8]]) -> Self {
        let mut text = b"portreeve/attempts/1".to_vec();
        for part in [name.as_bytes()].iter().chain(parts) {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        Self(digest::sha256(&text))
    }
}

/// The part of an address that one subscriber holds: all of IPv4, the first 64 bits of IPv6.
fn prefix(ip: Option<IpAddr>) -> Vec<u8> {
    match ip.map(|ip| ip.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        Some(IpAddr::V6(v6)) => (v6 & Ipv6Addr::from(u128::MAX << 64)).octets().to_vec(),
    }
}

/// An attempt came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {} seconds", self.seconds())]
pub struct TooSoon {
    /// How long to wait.
    pub retry_after: Duration,
}

impl TooSoon {
    /// The wait in whole seconds, at least one, for `Retry-After`.
    pub fn seconds(self) -> u64 {
        let whole = u64::try_from(self.retry_after.whole_seconds()).unwrap_or(0);
        (whole + u64::from(self.retry_after.subsec_nanoseconds() > 0)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CeremonyId, UserId};

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_subscriber_has_one_key_however_the_address_is_written() {
        assert_eq!(Key::sign_in(ip("2001:db8:1:2:3:4:5:6")), Key::sign_in(ip("2001:db8:1:2::1")));
        assert_ne!(Key::sign_in(ip("2001:db8:1:2::1")), Key::sign_in(ip("2001:db8:1:3::1")));
        assert_eq!(Key::sign_in(ip("::ffff:192.0.2.1")), Key::sign_in(ip("192.0.2.1")));
        assert_ne!(Key::sign_in(ip("192.0.2.1")), Key::sign_in(ip("192.0.2.2")));
        assert_ne!(Key::sign_in(ip("192.0.2.1")), Key::sign_in(None));
    }

    #[test]
    fn keys_of_different_things_differ() {
        let email: Email = "Ada@engine.example".parse().unwrap();
        let here = ip("192.0.2.1");
        let keys = [
            Key::sign_in(here),
            Key::sign_up(here),
            Key::recovery(here),
            Key::sign_in_to_account(&email, here),
            Key::sign_in_to_account(&email, ip("192.0.2.2")),
            Key::letters_to(&email, "reset_password"),
            Key::letters_to(&email, "verify_email"),
            Key::codes(UserId::fresh()),
            Key::codes(CeremonyId::fresh()),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b), "{i}");
        }
        let same: Email = "ada@ENGINE.example".parse().unwrap();
        assert_eq!(Key::sign_in_to_account(&same, here), Key::sign_in_to_account(&email, here));
    }

    #[test]
    fn the_wait_grows_fourfold_up_to_the_longest() {
        let waits: Vec<_> =
            Limits::default().sign_in_to_account.waits().iter().map(|wait| wait.whole_seconds()).collect();
        assert_eq!(waits, [0, 0, 0, 2, 8, 32, 128, 512, 900]);
    }

    #[test]
    fn a_wait_of_nothing_still_grows() {
        let backoff = Backoff {
            free: 0,
            first: Duration::ZERO,
            longest: Duration::seconds(3),
            forget_after: Duration::HOUR,
        };
        assert_eq!(backoff.waits().last(), Some(&Duration::seconds(3)));
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds_rounded_up() {
        let told = |wait| TooSoon { retry_after: wait }.seconds();
        assert_eq!(told(Duration::ZERO), 1);
        assert_eq!(told(Duration::milliseconds(19_001)), 20);
        assert_eq!(told(Duration::seconds(20)), 20);
        assert_eq!(
            TooSoon { retry_after: Duration::seconds(7) }.to_string(),
            "too many attempts; try again in 7 seconds"
        );
    }
}
