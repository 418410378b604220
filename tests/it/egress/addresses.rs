//! Where requests may go.

use std::sync::Arc;

use portreeve::{
    base::config::EgressRule,
    io::net::{
        address::{AddressPolicy, Denial},
        client::{Egress, EgressSettings},
        error::EgressError,
        target::TargetError,
    },
};

use super::{get, policy, text, with_names};
use crate::kit::{
    fake_names::FakeNames,
    fake_server::{FakeServer, Script},
};

/// Loopback and other internal addresses, as browsers, libraries and attackers spell them.
const SPELLINGS: [&str; 78] = [
    // decimal, short, octal and hexadecimal
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.0.0.1",
    "0x7f.0.1",
    "127.0x0.1",
    "127.255.255.254",
    "127.127.127.127",
    "127.0.0.1.",
    "2130706433.",
    "0x7f.1.",
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "0.0",
    "000.000.000.000",
    // letters that stand for others
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "②①③⓪⑦⓪⑥④③③",
    "０ｘ７ｆ.１",
    "%31%32%37.0.0.1",
    "%31%32%37%2e%30%2e%30%2e%31",
    "127%2E0%2E0%2E1",
    "1\u{ad}27.0.0.1",
    "127.0\u{200b}.0.1",
    // version six, and version four inside it
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0.0.0.1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fd00::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    // other inside addresses
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "100.100.100.200",
    "168.63.129.16",
    "192.168.1.1",
    "192.168.257",
    "172.16.0.1",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
];

/// What no spelling of a host may hold.
const TRICKS: [&str; 16] = [
    "https://public.example@127.0.0.1:PORT/",
    "https://public.example:pass@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\\@public.example/",
    "https:\\\\127.0.0.1:PORT/",
    "https:///127.0.0.1:PORT/",
    "https:127.0.0.1:PORT",
    "HTTPS://127.0.0.1:PORT/",
    "\thttps://127.0.0.1:PORT/\n",
    "ht\ntps://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/#@public.example",
    "https://[::1%25lo]:PORT/",
    "https://[127.0.0.1]:PORT/",
    "//127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/",
    "https://127.0.0.1:000PORT/",
];

#[tokio::test]
async fn no_spelling_of_an_internal_address_is_ever_called() {
    let canary = FakeServer::canary().await;
    let egress = with_names(&["10.0.0.0/8"], Arc::new(FakeNames::default()));
    for host in SPELLINGS {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{}/", canary.port());
            let refused = get(&egress, &url).await.expect_err(&url);
            let is_internal =
                matches!(refused, EgressError::Refused(Denial::Internal { .. } | Denial::Unassigned));
            assert!(is_internal, "{url}: {refused:?}");
        }
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn no_trick_with_a_url_reaches_inside() {
    let canary = FakeServer::canary().await;
    let egress = with_names(&["10.0.0.0/8"], Arc::new(FakeNames::default()));
    for trick in TRICKS {
        let url = trick.replace("PORT", &canary.port().to_string());
        get(&egress, &url).await.expect_err(&url);
        get(&egress, &url.replace("https", "http")).await.expect_err(&url);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn names_that_stand_for_internal_addresses_are_refused() {
    let canary = FakeServer::canary().await;
    let names = FakeNames::default()
        .says("inside.example", "127.0.0.1")
        .says("alias.example", "127.0.0.1 ::1 10.1.2.3")
        .says("mapped.example", "::ffff:127.0.0.1")
        .says("metadata.google.internal", "169.254.169.254")
        .says("nothing.example", "")
        .says("localhost", "::1 127.0.0.1")
        .fails("broken.example");
    let egress = with_names(&["192.168.0.0/16"], Arc::new(names));
    let failed =
        async |host: &str| get(&egress, &format!("https://{host}:{}/", canary.port())).await.expect_err(host);
    let refused = [
        "inside.example",
        "alias.example",
        "mapped.example",
        "metadata.google.internal",
        "localhost",
        "LOCALHOST.",
    ];
    for host in refused {
        let error = failed(host).await;
        assert!(matches!(error, EgressError::Refused(Denial::Internal { .. })), "{host}: {error:?}");
        assert!(error.to_string().contains("PORTREEVE_EGRESS_ALLOW"), "{error}");
    }
    for host in ["nothing.example", "broken.example", "unknown.example"] {
        assert_eq!(failed(host).await, EgressError::Lookup, "{host}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn the_names_of_this_machine_are_refused_with_the_system_resolver_too() {
    let canary = FakeServer::canary().await;
    let egress = Egress::new(EgressSettings::new(policy(&[])));
    for host in ["localhost", "LocalHost", "localhost.", "ｌｏｃａｌｈｏｓｔ"] {
        let error = get(&egress, &format!("https://{host}:{}/", canary.port())).await.expect_err(host);
        assert!(matches!(error, EgressError::Refused(Denial::Internal { .. })), "{host}: {error:?}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_every_time() {
    let honest = FakeServer::answering(|_| Script::answer("200 OK", &[("connection", "close")], "out")).await;
    let canary = FakeServer::canary_at(&format!("127.0.0.2:{}", honest.port())).await;
    let names = Arc::new(
        FakeNames::default().says("rebind.example", "127.0.0.1").says("rebind.example", "127.0.0.2"),
    );
    let egress = with_names(&["127.0.0.1/32"], Arc::clone(&names) as _);
    let url = format!("http://rebind.example:{}/", honest.port());
    assert_eq!(text(&egress, &url).await.as_deref(), Ok("out"));
    // One lookup for one connection: nothing asks again between judging and connecting.
    assert_eq!(names.asked().len(), 1);
    for _ in 0..3 {
        let error = get(&egress, &url).await.expect_err("it points inside now");
        assert!(matches!(error, EgressError::Refused(Denial::Internal { .. })), "{error:?}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn of_several_answers_only_those_allowed_are_called() {
    let server = FakeServer::answering(|_| Script::text("out")).await;
    let canary = FakeServer::canary_at(&format!("127.0.0.2:{}", server.port())).await;
    let names = FakeNames::default().says("mixed.example", "127.0.0.2 ::1 127.0.0.1 127.0.0.2");
    let egress = with_names(&["127.0.0.1/32"], Arc::new(names));
    let url = format!("http://mixed.example:{}/", server.port());
    assert_eq!(text(&egress, &url).await.as_deref(), Ok("out"));
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn the_operators_list_opens_a_network_or_one_port_of_it() {
    let server = FakeServer::answering(|_| Script::text("inside")).await;
    let other = FakeServer::canary().await;
    let listed = |allow: &str| with_names(&[allow], Arc::new(FakeNames::default()));
    let one_port = format!("127.0.0.1/32 {}", server.port());
    for allow in ["127.0.0.0/8", one_port.as_str()] {
        assert_eq!(text(&listed(allow), &server.url("/")).await.as_deref(), Ok("inside"), "{allow}");
    }
    for allow in [one_port.as_str(), "10.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128"] {
        let error = get(&listed(allow), &other.url("/")).await.expect_err(allow);
        assert!(matches!(error, EgressError::Refused(Denial::Internal { .. })), "{allow}: {error:?}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn our_own_listener_is_never_called_not_even_from_a_list() {
    let canary = FakeServer::canary().await;
    let rule = EgressRule { network: "127.0.0.0/8".parse().unwrap(), port: None };
    for own in [format!("127.0.0.1:{}", canary.port()), format!("0.0.0.0:{}", canary.port())] {
        let egress = Egress::new(EgressSettings::new(AddressPolicy::new(&[rule], &[own.parse().unwrap()])));
        let error = get(&egress, &canary.url("/")).await.expect_err("ourselves");
        assert_eq!(error, EgressError::Refused(Denial::Ourselves));
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn http_and_ports_of_other_protocols_are_refused_before_anything_is_looked_up() {
    let names = Arc::new(FakeNames::default().says("tools.example", "127.0.0.1"));
    let egress = with_names(&[], Arc::clone(&names) as _);
    let plain = egress.target("http://tools.example/").expect_err("http without a list");
    assert_eq!(plain, TargetError::Refused(Denial::Plain));
    assert!(names.asked().is_empty());
    let egress = with_names(&["127.0.0.0/8"], names);
    for port in [22, 25, 5432, 6379] {
        let error = get(&egress, &format!("http://tools.example:{port}/")).await.expect_err("no HTTP there");
        assert_eq!(error, EgressError::Refused(Denial::Port(port)));
    }
}
