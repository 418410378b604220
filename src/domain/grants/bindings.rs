//! From where, and with which software, a grant may be used.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::faults::Faults;

/// How many networks a grant names at the most.
pub const MOST_CIDRS: usize = 50;
/// How many clients a grant names at the most.
pub const MOST_CLIENTS: usize = 20;

const LONGEST_CLIENT: usize = 100;

/// The networks and clients that a grant is bound to; an empty list binds to nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    cidrs: Vec<IpNet>,
    clients: Vec<String>,
}

impl Bindings {
    /// Takes what somebody typed; repeated entries count once.
    ///
    /// # Errors
    /// Faults at `bindings.cidrs` and `bindings.clients`.
    pub fn parse(cidrs: &[String], clients: &[String]) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let cidrs = faults.check("bindings.cidrs", parse_cidrs(cidrs)).unwrap_or_default();
        let clients = faults.check("bindings.clients", parse_clients(clients)).unwrap_or_default();
        faults.into_result(Self { cidrs, clients })
    }

    /// Bindings as the database keeps them.
    pub(super) const fn stored(cidrs: Vec<IpNet>, clients: Vec<String>) -> Self {
        Self { cidrs, clients }
    }

    /// The networks.
    pub fn cidrs(&self) -> &[IpNet] {
        &self.cidrs
    }

    /// The names of clients, as somebody typed them.
    pub fn clients(&self) -> &[String] {
        &self.clients
    }

    /// The networks as texts.
    pub fn cidr_texts(&self) -> Vec<String> {
        self.cidrs.iter().map(ToString::to_string).collect()
    }

    /// Whether anybody may use the grant from anywhere.
    pub fn is_empty(&self) -> bool {
        self.cidrs.is_empty() && self.clients.is_empty()
    }

    /// Whether the grant may be used from an address; an unknown address is outside of every network.
    pub fn admit_ip(&self, ip: Option<IpAddr>) -> bool {
        let ip = ip.map(|ip| ip.to_canonical());
        self.cidrs.is_empty() || ip.is_some_and(|ip| self.cidrs.iter().any(|net| net.contains(&ip)))
    }

    /// Whether the grant may be used by a client that calls itself so; one that does not say is none of them.
    pub fn admit_client(&self, name: Option<&str>) -> bool {
        self.clients.is_empty() || name.is_some_and(|name| self.clients.iter().any(|one| same(one, name)))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.trim().to_lowercase()
}

fn parse_cidrs(texts: &[String]) -> Result<Vec<IpNet>, String> {
    let mut nets = Vec::new();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let net = parse_cidr(text)?;
        if !nets.contains(&net) {
            nets.push(net);
        }
    }
    if nets.len() > MOST_CIDRS {
        return Err(format!("name at most {MOST_CIDRS} networks"));
    }
    Ok(nets)
}

fn parse_cidr(text: &str) -> Result<IpNet, String> {
    let net = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{}` is no network; write it like 192.0.2.0/24 or 2001:db8::/32", cut(text)))?;
    // Callers are compared in their IPv4 form, so such a range would never match.
    if matches!(net.addr(), IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        return Err(format!("`{net}` is an IPv4 network in IPv6 form; write it as IPv4"));
    }
    if net.trunc() != net {
        return Err(format!(
            "`{net}` names an address within a network; write {} or {}/{}",
            net.trunc(),
            net.addr(),
            net.max_prefix_len()
        ));
    }
    Ok(net)
}

fn parse_clients(texts: &[String]) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        if name.chars().count() > LONGEST_CLIENT {
            return Err(format!("a client's name has at most {LONGEST_CLIENT} characters"));
        }
        if name.chars().any(char::is_control) {
            return Err("leave out line breaks and control characters".to_owned());
        }
        if !names.iter().any(|known| same(known, name)) {
            names.push(name.to_owned());
        }
    }
    if names.len() > MOST_CLIENTS {
        return Err(format!("name at most {MOST_CLIENTS} clients"));
    }
    Ok(names)
}

/// Enough of a wrong text to recognize it.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(cidrs: &[&str], clients: &[&str]) -> Result<Bindings, Faults> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Bindings::parse(&owned(cidrs), &owned(clients))
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn no_binding_admits_everything_and_any_binding_refuses_the_unknown() {
        let free = Bindings::default();
        assert!(free.is_empty() && free.admit_ip(None) && free.admit_client(None));
        let tied = bound(&["192.0.2.0/24"], &["Claude-Code"]).expect("good");
        assert!(!tied.admit_ip(None) && !tied.admit_client(None));
    }

    #[test]
    fn networks_hold_their_addresses_in_either_form() {
        let tied = bound(&["192.0.2.0/24", " 2001:db8::/32 ", "198.51.100.7"], &[]).expect("good");
        for inside in ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8:1::1", "198.51.100.7"] {
            assert!(tied.admit_ip(ip(inside)), "{inside}");
        }
        for outside in ["192.0.3.9", "2001:db9::1", "198.51.100.8"] {
            assert!(!tied.admit_ip(ip(outside)), "{outside}");
        }
        assert_eq!(tied.cidr_texts(), ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]);
    }

    #[test]
    fn clients_are_compared_without_regard_to_case() {
        let tied = bound(&[], &["Claude-Code", "claude-code", "cursor"]).expect("good");
        assert_eq!(tied.clients(), ["Claude-Code", "cursor"]);
        assert!(tied.admit_client(Some("CLAUDE-code ")) && !tied.admit_client(Some("codex")));
    }

    #[test]
    fn a_bad_binding_says_what_to_write() {
        for (cidr, remedy) in [
            ("office", "192.0.2.0/24"),
            ("10.0.0.1/8", "10.0.0.0/8 or 10.0.0.1/32"),
            ("::ffff:10.0.0.0/104", "write it as IPv4"),
        ] {
            let faults = bound(&[cidr], &[]).expect_err(cidr);
            let fault = faults.iter().next().expect("one");
            assert_eq!(fault.field, "bindings.cidrs");
            assert!(fault.message.contains(remedy), "{}", fault.message);
        }
        let many: Vec<_> = (0..21).map(|n| format!("client {n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let faults = bound(&[], &many).expect_err("too many");
        assert!(faults.iter().all(|fault| fault.field == "bindings.clients"));
        assert!(bound(&[], &many[..20]).is_ok());
        assert!(bound(&[], &["a\nb"]).is_err());
    }
}
