//! Hashes and verifies passwords with argon2id, a few at a time.
//!
//! One hash takes 19 MiB and some 25 ms of a core, so an unbounded number of them would be an attack. A
//! [`Hasher`] runs as many as there are cores, lets 64 wait and refuses the rest at once.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use data_encoding::BASE64_NOPAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    base::{crypto::random, secret::Secret},
    domain::identity::strength::NewPassword,
};

/// How many may wait for a core.
const QUEUE: usize = 64;

/// What one hash costs; what an attacker pays for each guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// OWASP ASVS 5.0, appendix C.
    pub const STANDARD: Self = Self { memory: 19_456, passes: 2, lanes: 1 };
}

/// A PHC string, as the database holds it.
#[derive(Clone, Debug)]
pub struct PasswordHash(Secret<String>);

impl PasswordHash {
    /// Takes a hash as the database holds it.
    pub fn stored(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The PHC string.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Whether a password is the person's.
#[derive(Debug)]
pub enum Verdict {
    /// It is. Where the cost has risen since it was hashed, the same password hashed anew, to be stored.
    Right {
        /// To be stored by `store::users::replace_hash`.
        rehashed: Option<PasswordHash>,
    },
    /// It is not, or there is no such person, or they have no password.
    Wrong,
}

/// Why no answer can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// Too many are waiting; answer 503 and let the person try again.
    #[error("too many sign-ins at this moment")]
    Busy,
    /// What is stored is no argon2 hash.
    #[error("a stored password hash cannot be read")]
    Unreadable,
}

/// Hashes and verifies; clones share the same cores and queue.
#[derive(Clone, Debug)]
pub struct Hasher {
    argon2: Argon2<'static>,
    cost: Cost,
    /// Hashed against where there is no hash, so that an unknown person takes as long as a known one.
    dummy: PasswordHash,
    line: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

impl Hasher {
    /// A hasher that keeps at most `cores` cores busy.
    pub fn new(cost: Cost, cores: usize) -> Self {
        let cores = cores.max(1);
        let params = Params::new(cost.memory, cost.passes, cost.lanes, None)
            .expect("costs are constants within bounds");
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            cost,
            dummy: dummy(cost),
            line: Arc::new(Semaphore::new(cores + QUEUE)),
            cores: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Hashes a password that passed the strength rules.
    ///
    /// # Errors
    /// [`HasherError::Busy`].
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, HasherError> {
        let this = self.clone();
        self.in_turn(move || Ok(this.hash_now(password.secret()))).await
    }

    /// Verifies a password; takes the same time for a wrong password, a person without one and nobody.
    ///
    /// # Errors
    /// [`HasherError::Busy`], or [`HasherError::Unreadable`] for a damaged row.
    pub async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        let this = self.clone();
        self.in_turn(move || this.verify_now(&password, stored.as_ref())).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = self.line.clone().try_acquire_owned().map_err(|_| HasherError::Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(|_| HasherError::Busy)?;
        // The permits move along: when the caller goes away, the core stays taken until the hash is done.
        let held: [OwnedSemaphorePermit; 2] = [place, core];
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(held);
            answer
        });
        // Only a runtime that shuts down takes a started hash away.
        done.await.unwrap_or(Err(HasherError::Busy))
    }

    fn hash_now(&self, password: &Secret<String>) -> PasswordHash {
        let salt: [u8; 16] = random::bytes();
        let hash: phc::PasswordHash = self
            .argon2
            .hash_password_with_salt(password.expose().as_bytes(), &salt)
            .expect("argon2 takes any password below 4 GiB with a 16-byte salt");
        PasswordHash(Secret::new(hash.to_string()))
    }

    fn verify_now(
        &self,
        password: &Secret<String>,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        let hash = phc::PasswordHash::new(stored.unwrap_or(&self.dummy).expose())
            .map_err(|_| HasherError::Unreadable)?;
        let params = Params::try_from(&hash).map_err(|_| HasherError::Unreadable)?;
        let matches = self.argon2.verify_password(password.expose().as_bytes(), &hash).is_ok();
        if stored.is_none() || !matches {
            return Ok(Verdict::Wrong);
        }
        let rehashed = self.is_cheaper(&params).then(|| self.hash_now(password));
        Ok(Verdict::Right { rehashed })
    }

    fn is_cheaper(&self, params: &Params) -> bool {
        params.m_cost() < self.cost.memory
            || params.t_cost() < self.cost.passes
            || params.p_cost() < self.cost.lanes
    }
}

/// A hash that no password has, of the given cost.
fn dummy(cost: Cost) -> PasswordHash {
    let salt = BASE64_NOPAD.encode(&random::bytes::<16>());
    let output = BASE64_NOPAD.encode(&random::bytes::<32>());
    let Cost { memory, passes, lanes } = cost;
    PasswordHash::stored(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}"))
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::domain::identity::strength::Known;

    const CHEAP: Cost = Cost { memory: 16, passes: 1, lanes: 1 };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn good(text: &str) -> NewPassword {
        NewPassword::parse(secret(text), &Known::default()).unwrap()
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let hasher = Hasher::new(CHEAP, 2);
        let hash = hasher.hash(good("tangled orbit mulberry")).await.unwrap();
        let right = hasher.verify(secret("tangled orbit mulberry"), Some(hash.clone())).await.unwrap();
        assert!(matches!(right, Verdict::Right { rehashed: None }));
        for wrong in ["tangled orbit mulberrY", "tangled orbit mulberry ", ""] {
            let verdict = hasher.verify(secret(wrong), Some(hash.clone())).await.unwrap();
            assert!(matches!(verdict, Verdict::Wrong), "{wrong}");
        }
        assert!(matches!(hasher.verify(secret("tangled orbit mulberry"), None).await, Ok(Verdict::Wrong)));
        assert!(!format!("{hash:?} {hasher:?}").contains("argon2id$"));
    }

    #[tokio::test]
    async fn a_hash_states_the_standard_cost_and_a_salt_of_its_own() {
        let hasher = Hasher::new(Cost::STANDARD, 2);
        let one = hasher.hash(good("tangled orbit mulberry")).await.unwrap();
        let two = hasher.hash(good("tangled orbit mulberry")).await.unwrap();
        assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(one.expose(), two.expose());
        let params = |text: &str| text.rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(params(hasher.dummy.expose()), params(one.expose()));
        assert_eq!(hasher.dummy.expose().len(), one.expose().len());
    }

    #[tokio::test]
    async fn a_cheaper_hash_is_made_anew_when_its_password_is_proven() {
        let old = Hasher::new(CHEAP, 1).hash(good("tangled orbit mulberry")).await.unwrap();
        let hasher = Hasher::new(Cost { passes: 2, ..CHEAP }, 1);
        let Verdict::Right { rehashed: Some(new) } =
            hasher.verify(secret("tangled orbit mulberry"), Some(old.clone())).await.unwrap()
        else {
            panic!("the old hash is cheaper");
        };
        assert!(new.expose().contains("t=2"));
        let again = hasher.verify(secret("tangled orbit mulberry"), Some(new)).await.unwrap();
        assert!(matches!(again, Verdict::Right { rehashed: None }));
        assert!(matches!(hasher.verify(secret("another orbit"), Some(old)).await, Ok(Verdict::Wrong)));
    }

    #[tokio::test]
    async fn a_damaged_hash_is_told_apart_from_a_wrong_password() {
        let hasher = Hasher::new(CHEAP, 1);
        for damaged in ["", "plain", "$argon2id$v=19$m=x$aaaa$bbbb"] {
            let answer = hasher.verify(secret("x"), Some(PasswordHash::stored(damaged.into()))).await;
            assert_eq!(answer.err(), Some(HasherError::Unreadable), "{damaged}");
        }
    }

    #[tokio::test]
    async fn the_sixty_fifth_in_the_queue_is_refused_at_once() {
        let hasher = Hasher::new(CHEAP, 1);
        let core = hasher.cores.clone().acquire_owned().await.unwrap();
        let running = hasher.line.clone().acquire_owned().await.unwrap();
        let mut waiting: Vec<_> = (0..QUEUE).map(|_| Box::pin(hasher.verify(secret("x"), None))).collect();
        for one in &mut waiting {
            let pending = std::future::poll_fn(|cx| Poll::Ready(one.as_mut().poll(cx).is_pending())).await;
            assert!(pending);
        }
        assert_eq!(hasher.verify(secret("x"), None).await.err(), Some(HasherError::Busy));
        drop(waiting.pop());
        drop((core, running));
        assert!(waiting.remove(0).await.is_ok());
        drop(waiting);
        assert!(hasher.verify(secret("x"), None).await.is_ok());
    }
}
