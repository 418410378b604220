//! From a name to the addresses that a request may go to.
//!
//! Invariant: only [`resolve`] makes a [`Cleared`], and only of addresses that the policy admitted just now.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::io::net::{
    address::{AddressPolicy, Denial},
    error::{EgressError, Phase},
    target::{Name, Target},
};

/// Names that are looked up at the same time; each occupies a thread.
const AT_ONCE: usize = 64;
/// Of many addresses only so many are tried.
const MOST: usize = 8;

/// What a lookup will say.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Knows the addresses of names.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of a name, unjudged.
    fn lookup(&self, name: &str) -> Lookup<'_>;
}

/// Asks the system: its hosts file, its name servers.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Resolver for SystemResolver {
    fn lookup(&self, name: &str) -> Lookup<'_> {
        let name = name.to_owned();
        Box::pin(async move {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
            // The thread keeps its place to the end, even when nobody waits any more: name servers that never
            // answer cannot take all threads away.
            let asked = tokio::task::spawn_blocking(move || {
                let found =
                    (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect());
                drop(place);
                found
            });
            asked.await.map_err(io::Error::other)?
        })
    }
}

/// Addresses that the policy admitted, in the order in which to try them; never empty.
#[derive(Clone, Debug)]
pub(super) struct Cleared {
    addresses: Vec<SocketAddr>,
    dropped: usize,
}

impl Cleared {
    /// Where a connection may go.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many answers were refused.
    pub(super) const fn dropped(&self) -> usize {
        self.dropped
    }
}

/// The addresses of a target that may be called.
///
/// # Errors
/// `Refused` where none may be, `Lookup` and `Timeout` where there are none.
pub(super) async fn resolve(
    target: &Target,
    policy: &AddressPolicy,
    resolver: &dyn Resolver,
    within: Duration,
) -> Result<Cleared, EgressError> {
    let found = match target.host() {
        Name::Address(ip) => vec![*ip],
        Name::Domain(name) => {
            let answer = tokio::time::timeout(within, resolver.lookup(name)).await;
            answer.map_err(|_| EgressError::Timeout(Phase::Lookup))?.map_err(|_| EgressError::Lookup)?
        }
    };
    clear(&found, target, policy)
}

fn clear(found: &[IpAddr], target: &Target, policy: &AddressPolicy) -> Result<Cleared, EgressError> {
    let mut addresses = Vec::with_capacity(found.len().min(MOST));
    let mut denied: Vec<Denial> = Vec::new();
    for ip in found {
        match policy.admit(target.protection(), *ip, target.port()) {
            // An IPv4 address inside an IPv6 one is called as what it is.
            Ok(()) => addresses.push(SocketAddr::new(ip.to_canonical(), target.port())),
            Err(denial) => denied.push(denial),
        }
    }
    let dropped = denied.len();
    if addresses.is_empty() {
        return Err(denied.first().map_or(EgressError::Lookup, |denial| EgressError::Refused(*denial)));
    }
    let mut addresses = interleaved(addresses);
    addresses.truncate(MOST);
    Ok(Cleared { addresses, dropped })
}

/// The two families by turns (RFC 8305, section 4), so that a broken one costs little.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let starts_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == starts_with_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return mixed,
            (one, other) => mixed.extend(one.into_iter().chain(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleared(found: &[&str], url: &str) -> Result<Cleared, EgressError> {
        let policy = AddressPolicy::default();
        let target = Target::parse(url, &policy).expect("a target");
        let found: Vec<IpAddr> = found.iter().map(|ip| ip.parse().expect("an address")).collect();
        clear(&found, &target, &policy)
    }

    #[test]
    fn refused_answers_are_dropped_and_the_others_take_turns() {
        let found =
            ["10.0.0.1", "2606:4700::1", "2606:4700::2", "::1", "8.8.8.8", "::ffff:8.8.4.4", "127.0.0.1"];
        let cleared = cleared(&found, "https://mixed.example/").expect("some are public");
        let shown: Vec<String> = cleared.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["[2606:4700::1]:443", "8.8.8.8:443", "[2606:4700::2]:443", "8.8.4.4:443"]);
        assert_eq!(cleared.dropped(), 3);
    }

    #[test]
    fn where_none_is_left_the_policy_is_named() {
        let refused =
            cleared(&["10.0.0.1", "127.0.0.1"], "https://inside.example/").expect_err("all internal");
        assert!(matches!(refused, EgressError::Refused(Denial::Internal { .. })), "{refused:?}");
        assert_eq!(cleared(&[], "https://nothing.example/").expect_err("no answer"), EgressError::Lookup);
    }

    #[test]
    fn a_flood_of_addresses_is_cut() {
        let many: Vec<String> = (1..=200).map(|last| format!("8.8.8.{last}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(cleared(&many, "https://many.example/").expect("public").addresses().len(), MOST);
    }
}
