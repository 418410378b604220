//! Which addresses a request may go to.
//!
//! Invariant: whatever is not known to be public is refused, unless the operator listed it.
//! Invariant: the operator's list opens neither our own listeners nor, unless it names them closely, loopback and the
//! link-local network where clouds keep credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::base::config::EgressRule;

/// How a request is protected on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Not at all: http.
    Plain,
    /// By TLS: https.
    Tls,
}

/// What an address is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out on the internet.
    Public,
    /// Internal, and on the operator's list.
    Listed,
    /// Not to be reached.
    Refused(Denial),
}

/// Why an address is not to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// One of our own listeners.
    #[error("Portreeve itself listens there")]
    Ourselves,
    /// An internal or special network.
    #[error("it is {what} ({network}); only the operator can allow that, with PORTREEVE_EGRESS_ALLOW")]
    Internal {
        /// What kind of address it is, with its article.
        what: &'static str,
        /// The network it is in.
        network: IpNet,
    },
    /// An address that was given to nobody.
    #[error("it is no public address; only the operator can allow it, with PORTREEVE_EGRESS_ALLOW")]
    Unassigned,
    /// A port on which something else than HTTP is spoken.
    #[error("port {0} belongs to another protocol than HTTP")]
    Port(u16),
    /// http to an address that is not listed.
    #[error(
        "http is allowed only to addresses that the operator listed in PORTREEVE_EGRESS_ALLOW; use https"
    )]
    Plain,
}

/// The rules for addresses: fixed ones, the operator's list, and where we listen ourselves.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    allow: Vec<EgressRule>,
    own: Vec<SocketAddr>,
}

impl AddressPolicy {
    /// The fixed rules, with what the operator allows and where we listen.
    pub fn new(allow: &[EgressRule], own: &[SocketAddr]) -> Self {
        Self { allow: allow.to_vec(), own: own.to_vec() }
    }

    /// What an address and port are to us.
    pub fn verdict(&self, ip: IpAddr, port: u16) -> Verdict {
        let ip = ip.to_canonical();
        if self.is_own(ip, port) {
            return Verdict::Refused(Denial::Ourselves);
        }
        let special = special(ip);
        let is_listed = |rule: &&EgressRule| covers(rule, ip, port, special);
        match self.allow.iter().filter(is_listed).max_by_key(|rule| rule.port.is_some()) {
            // Who names the port knows what answers there.
            Some(rule) if rule.port.is_some() || !is_foreign(port) => return Verdict::Listed,
            Some(_) => return Verdict::Refused(Denial::Port(port)),
            None => {}
        }
        match special {
            Some(special) => {
                Verdict::Refused(Denial::Internal { what: special.what, network: special.network })
            }
            None if !is_unicast(ip) => Verdict::Refused(Denial::Unassigned),
            None if is_foreign(port) => Verdict::Refused(Denial::Port(port)),
            None => Verdict::Public,
        }
    }

    /// Whether a request so protected may go there.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, protection: Protection, ip: IpAddr, port: u16) -> Result<(), Denial> {
        match (self.verdict(ip, port), protection) {
            (Verdict::Refused(denial), _) => Err(denial),
            (Verdict::Public, Protection::Plain) => Err(Denial::Plain),
            (Verdict::Public, Protection::Tls) | (Verdict::Listed, _) => Ok(()),
        }
    }

    /// Whether the operator lists anything at all.
    pub fn has_list(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Whether a connection that came about ends at ourselves: we may listen on every address of this machine, which
    /// are not known beforehand, and the system answers such a call from the very address that was called.
    pub(super) fn is_loop(&self, local: SocketAddr, peer: SocketAddr) -> bool {
        let is_here = local.ip().to_canonical() == peer.ip().to_canonical();
        is_here && self.own.iter().any(|own| own.port() == peer.port() && own.ip().is_unspecified())
    }

    fn is_own(&self, ip: IpAddr, port: u16) -> bool {
        let is_this_machine = ip.is_loopback() || ip.is_unspecified();
        self.own.iter().filter(|own| own.port() == port).any(|own| {
            let own = own.ip().to_canonical();
            own == ip || (is_this_machine && (own.is_unspecified() || own.is_loopback()))
        })
    }
}

/// A network that is not the internet.
#[derive(Clone, Copy, Debug)]
struct Special {
    network: IpNet,
    what: &'static str,
    /// Whether a rule of the operator must name this network, or a part of it, to count.
    is_close: bool,
}

const fn v4(first: [u8; 4], length: u8, what: &'static str) -> Special {
    let [a, b, c, d] = first;
    let network = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    Special { network, what, is_close: false }
}

const fn v6(a: u16, b: u16, c: u16, length: u8, what: &'static str) -> Special {
    let network = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length));
    Special { network, what, is_close: false }
}

const fn host(length: u8, last: u16, what: &'static str) -> Special {
    let network = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, last), length));
    Special { network, what, is_close: false }
}

const fn close(special: Special) -> Special {
    Special { network: special.network, what: special.what, is_close: true }
}

/// The special-purpose registries of RFC 6890 and what was added to them since; the narrowest counts.
const SPECIAL: [Special; 36] = [
    close(v4([0, 0, 0, 0], 8, "an address of this machine")),
    v4([10, 0, 0, 0], 8, "a private address"),
    v4([100, 64, 0, 0], 10, "an address inside a carrier's network"),
    close(v4([127, 0, 0, 0], 8, "a loopback address")),
    close(v4([169, 254, 0, 0], 16, "a link-local address")),
    v4([172, 16, 0, 0], 12, "a private address"),
    v4([192, 0, 0, 0], 24, "a special address"),
    v4([192, 0, 2, 0], 24, "an address for documentation"),
    v4([192, 88, 99, 0], 24, "an address of a 6to4 relay"),
    v4([192, 168, 0, 0], 16, "a private address"),
    v4([198, 18, 0, 0], 15, "an address for measurements"),
    v4([198, 51, 100, 0], 24, "an address for documentation"),
    v4([203, 0, 113, 0], 24, "an address for documentation"),
    v4([224, 0, 0, 0], 4, "a multicast address"),
    v4([240, 0, 0, 0], 4, "a reserved address"),
    close(host(128, 0, "an address of this machine")),
    close(host(128, 1, "a loopback address")),
    host(96, 0, "an address of the abandoned IPv4-compatible kind"),
    v6(0x64, 0xff9b, 1, 48, "an address of a local translator"),
    v6(0x100, 0, 0, 64, "an address that discards everything"),
    v6(0x2001, 0x2, 0, 48, "an address for measurements"),
    v6(0x2001, 0, 0, 32, "an address of a Teredo tunnel"),
    v6(0x2001, 0, 0, 23, "a special address"),
    v6(0x2001, 0xdb8, 0, 32, "an address for documentation"),
    v6(0x2002, 0, 0, 16, "an address of a 6to4 tunnel"),
    v6(0x3fff, 0, 0, 20, "an address for documentation"),
    v6(0x5f00, 0, 0, 16, "an address for segment routing"),
    v6(0xfc00, 0, 0, 7, "a private address"),
    close(v6(0xfe80, 0, 0, 10, "a link-local address")),
    v6(0xfec0, 0, 0, 10, "an address of the abandoned site-local kind"),
    v6(0xff00, 0, 0, 8, "a multicast address"),
    // Where clouds keep credentials, besides the link-local network.
    close(v4([100, 100, 100, 200], 32, "a metadata address of a cloud")),
    close(v4([168, 63, 129, 16], 32, "a metadata address of a cloud")),
    close(v4([192, 0, 0, 192], 32, "a metadata address of a cloud")),
    close(v6(0xfd00, 0xec2, 0, 32, "a metadata address of a cloud")),
    close(v6(0xfd20, 0xce, 0, 32, "a metadata address of a cloud")),
];

/// NAT64 (RFC 6052): the last four bytes are the IPv4 address that the translator goes to.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The special network of an address, if it is in one.
fn special(ip: IpAddr) -> Option<&'static Special> {
    let inner = match ip {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    };
    SPECIAL.iter().filter(|special| special.network.contains(&inner)).max_by_key(|s| s.network.prefix_len())
}

/// Whether an address can be out on the internet at all (RFC 4291, section 2.4).
fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.segments()[0] >> 13 == 1 || NAT64.contains(&v6),
    }
}

fn covers(rule: &EgressRule, ip: IpAddr, port: u16, special: Option<&Special>) -> bool {
    let is_close_enough =
        special.is_none_or(|special| !special.is_close || special.network.contains(&rule.network));
    rule.network.contains(&ip) && rule.port.is_none_or(|only| only == port) && is_close_enough
}

/// Whether something else than HTTP is at home on a port. The first part is the list that browsers refuse
/// (Fetch standard, "port blocking"), the second what holds state without asking who calls.
fn is_foreign(port: u16) -> bool {
    const FOREIGN: [u16; 105] = [
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
        103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512,
        513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719,
        1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
        10080, //
        138, 445, 873, 1433, 1521, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 6379,
        9042, 9092, 10250, 11211, 27017,
    ];
    FOREIGN.contains(&port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(network: &str, port: Option<u16>) -> EgressRule {
        EgressRule { network: network.parse().expect("a network"), port }
    }

    fn of(policy: &AddressPolicy, ip: &str, port: u16) -> Verdict {
        policy.verdict(ip.parse().expect("an address"), port)
    }

    #[test]
    fn the_first_and_the_last_address_of_every_special_network_are_refused() {
        let policy = AddressPolicy::default();
        for special in &SPECIAL {
            for ip in [special.network.network(), special.network.broadcast()] {
                let verdict = policy.verdict(ip, 443);
                assert!(matches!(verdict, Verdict::Refused(Denial::Internal { .. })), "{ip}: {verdict:?}");
            }
        }
    }

    #[test]
    fn what_borders_on_them_is_public() {
        let outside = "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
            169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 \
            192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.114.0 223.255.255.255 \
            8.8.8.8 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2606:4700::1111 64:ff9b::8.8.8.8 \
            ::ffff:8.8.8.8";
        for ip in outside.split_whitespace() {
            assert_eq!(of(&AddressPolicy::default(), ip, 443), Verdict::Public, "{ip}");
        }
    }

    #[test]
    fn an_internal_address_inside_another_form_is_refused() {
        let wrapped = "::ffff:127.0.0.1 ::ffff:10.1.2.3 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::127.0.0.1 \
            64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::10.0.0.1 64:ff9b:1::8.8.8.8 2002:7f00:1:: \
            2002:a00:1:: 2002:808:808:: 2001:0:7f00:1:: ::ffff:0:127.0.0.1 :: ::1 ::2 4000:: 8000::1 e000::1";
        for ip in wrapped.split_whitespace() {
            let verdict = of(&AddressPolicy::default(), ip, 443);
            assert!(matches!(verdict, Verdict::Refused(_)), "{ip}: {verdict:?}");
        }
    }

    #[test]
    fn a_listed_network_is_open_on_the_ports_of_http_or_on_its_own() {
        let policy = AddressPolicy::new(&[rule("10.1.0.0/16", None), rule("10.2.0.7/32", Some(5432))], &[]);
        assert_eq!(of(&policy, "10.1.2.3", 8000), Verdict::Listed);
        assert_eq!(of(&policy, "::ffff:10.1.2.3", 443), Verdict::Listed);
        assert_eq!(of(&policy, "10.1.2.3", 5432), Verdict::Refused(Denial::Port(5432)));
        assert_eq!(of(&policy, "10.2.0.7", 5432), Verdict::Listed);
        for (ip, port) in [("10.2.0.7", 443), ("10.2.0.8", 5432), ("10.3.0.1", 443), ("127.0.0.1", 443)] {
            assert!(
                matches!(of(&policy, ip, port), Verdict::Refused(Denial::Internal { .. })),
                "{ip}:{port}"
            );
        }
    }

    #[test]
    fn loopback_and_metadata_open_only_when_named_closely() {
        let wide = [rule("0.0.0.0/0", None), rule("::/0", None), rule("fc00::/7", None)];
        let policy = AddressPolicy::new(&wide, &[]);
        assert_eq!(of(&policy, "10.0.0.1", 443), Verdict::Listed);
        let closed = "127.0.0.1 0.0.0.0 169.254.169.254 100.100.100.200 168.63.129.16 fd00:ec2::254 fe80::1 ::1 :: \
            ::ffff:127.0.0.1 64:ff9b::127.0.0.1";
        for ip in closed.split_whitespace() {
            assert!(matches!(of(&policy, ip, 443), Verdict::Refused(_)), "{ip}");
        }
        let policy = AddressPolicy::new(&[rule("127.0.0.0/8", None), rule("::1/128", Some(8443))], &[]);
        assert_eq!(of(&policy, "127.0.0.1", 443), Verdict::Listed);
        assert_eq!(of(&policy, "::1", 8443), Verdict::Listed);
        assert!(matches!(of(&policy, "::1", 443), Verdict::Refused(_)));
    }

    #[test]
    fn our_own_listeners_are_never_reached() {
        let allow = [rule("127.0.0.0/8", None), rule("10.0.0.0/8", Some(9090)), rule("0.0.0.0/8", None)];
        let own = ["127.0.0.1:8080", "0.0.0.0:9090", "8.8.4.4:8443"].map(|own| own.parse().expect("ours"));
        let policy = AddressPolicy::new(&allow, &own);
        for (ip, port) in
            [("127.0.0.1", 8080), ("0.0.0.0", 8080), ("::1", 9090), ("127.0.0.9", 9090), ("8.8.4.4", 8443)]
        {
            assert_eq!(of(&policy, ip, port), Verdict::Refused(Denial::Ourselves), "{ip}:{port}");
        }
        assert_eq!(of(&policy, "127.0.0.1", 8081), Verdict::Listed);
        let ends = |local: &str, peer: &str| {
            policy.is_loop(local.parse().expect("local"), peer.parse().expect("peer"))
        };
        assert!(ends("10.0.0.5:40000", "10.0.0.5:9090"));
        assert!(!ends("10.0.0.5:40000", "10.0.0.6:9090") && !ends("10.0.0.5:40000", "10.0.0.5:8080"));
    }

    #[test]
    fn plain_http_goes_only_to_listed_addresses() {
        let policy = AddressPolicy::new(&[rule("10.0.0.0/8", None)], &[]);
        let admit = |protection, ip: &str| policy.admit(protection, ip.parse().expect("an address"), 8080);
        assert_eq!(admit(Protection::Plain, "10.0.0.1"), Ok(()));
        assert_eq!(admit(Protection::Tls, "8.8.8.8"), Ok(()));
        assert_eq!(admit(Protection::Plain, "8.8.8.8"), Err(Denial::Plain));
    }

    #[test]
    fn ports_of_other_protocols_are_refused_in_words() {
        let verdict = of(&AddressPolicy::default(), "8.8.8.8", 25);
        assert_eq!(verdict, Verdict::Refused(Denial::Port(25)));
        let text = |ip: &str| match of(&AddressPolicy::default(), ip, 443) {
            Verdict::Refused(denial) => denial.to_string(),
            other => panic!("{ip}: {other:?}"),
        };
        assert_eq!(
            text("10.9.8.7"),
            "it is a private address (10.0.0.0/8); only the operator can allow that, with PORTREEVE_EGRESS_ALLOW"
        );
        for port in [80, 443, 3000, 8000, 8080, 8443, 9000, 65535] {
            assert_eq!(of(&AddressPolicy::default(), "8.8.8.8", port), Verdict::Public, "{port}");
        }
    }
}
