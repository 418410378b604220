//! Networks that an address may be in, made so that one look tells it however many they are.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks of `cidr`.
#[derive(Clone, Debug)]
pub struct Networks {
    networks: Vec<IpNet>,
    v4: Spans<u32>,
    v6: Spans<u128>,
}

/// Spans from the first of each to its last, in order and without overlaps.
#[derive(Clone, Debug)]
struct Spans<T>(Vec<(T, T)>);

impl Networks {
    /// These networks, in this order.
    pub fn new(networks: Vec<IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in &networks {
            match network {
                IpNet::V4(net) => v4.push((u32::from(net.network()), u32::from(net.broadcast()))),
                IpNet::V6(net) => v6.push((u128::from(net.network()), u128::from(net.broadcast()))),
            }
        }
        Self { networks, v4: Spans::of(v4), v6: Spans::of(v6) }
    }

    /// The networks as they were written.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether an address is in one of them.
    pub fn contain(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => self.v4.contain(u32::from(ip)),
            IpAddr::V6(ip) => self.v6.contain(u128::from(ip)),
        }
    }
}

impl<T: Copy + Ord> Spans<T> {
    fn of(mut all: Vec<(T, T)>) -> Self {
        all.sort_unstable();
        let mut spans: Vec<(T, T)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match spans.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => spans.push((first, last)),
            }
        }
        Self(spans)
    }

    fn contain(&self, one: T) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= one);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| one <= *last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network() -> impl Strategy<Value = IpNet> {
        // Few addresses, so that networks lie within and beside each other.
        let v4 = (0_u32..64, 26_u8..=32).prop_map(|(ip, length)| (IpAddr::from(ip.to_be_bytes()), length));
        let v6 = (0_u128..64, 122_u8..=128).prop_map(|(ip, length)| (IpAddr::from(ip.to_be_bytes()), length));
        let any = (any::<u32>(), 0_u8..=32).prop_map(|(ip, length)| (IpAddr::from(ip.to_be_bytes()), length));
        prop_oneof![v4, v6, any].prop_map(|(ip, length)| IpNet::new(ip, length).expect("a network").trunc())
    }

    proptest! {
        #[test]
        fn one_look_finds_what_looking_at_each_finds(all in prop::collection::vec(network(), 0..12), other in any::<u32>()) {
            let networks = Networks::new(all.clone());
            let near = (0_u32..80).map(|ip| IpAddr::from(ip.to_be_bytes()));
            let near_v6 = (0_u128..80).map(|ip| IpAddr::from(ip.to_be_bytes()));
            for ip in near.chain(near_v6).chain([IpAddr::from(other.to_be_bytes())]) {
                prop_assert_eq!(networks.contain(ip), all.iter().any(|network| network.contains(&ip)), "{}", ip);
            }
        }
    }
}
