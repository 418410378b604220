//! The way to a server, step by step.

use std::sync::Arc;

use http::{Method, StatusCode};
use portreeve::io::net::{
    address::Denial,
    client::{Egress, Request},
    error::{ConnectFault, EgressError, Part},
    stages::{Fact, Stage, Walk, walk},
    tls::TlsFault,
};

use super::{
    local,
    tls::{Authority, at},
    with_names,
};
use crate::kit::{
    fake_names::FakeNames,
    fake_server::{FakeServer, Script, closed_port},
};

async fn go(egress: &Egress, url: &str) -> Walk {
    walk(egress, url, |target| Request::new(Method::GET, target), |_| ()).await
}

fn stages(walk: &Walk) -> Vec<Stage> {
    walk.steps.iter().map(|step| step.stage).collect()
}

#[tokio::test]
async fn every_step_to_a_protected_server_tells_what_it_found() {
    let authority = Authority::new();
    let server = authority.server("tools.example", 2099).await;
    let walk = go(&authority.client(), &at(&server)).await;
    assert_eq!(walk.failure(), None);
    let facts: Vec<Fact> = walk.steps.iter().map(|step| step.outcome.clone().unwrap()).collect();
    let peer = format!("127.0.0.1:{}", server.port()).parse().unwrap();
    let certificate = walk.certificate.clone().unwrap();
    assert_eq!(certificate.issuer, "Example Internal Authority");
    assert_eq!(certificate.expires_at.year(), 2099);
    assert_eq!(
        facts,
        [
            Fact::Fit,
            Fact::Found { addresses: vec!["127.0.0.1".parse().unwrap()], refused: 0 },
            Fact::Connected { peer },
            Fact::Secured { version: "TLS 1.3", certificate: Some(certificate) },
            Fact::Answered { status: StatusCode::OK },
        ]
    );
    assert_eq!(stages(&walk), [Stage::Address, Stage::Dns, Stage::Tcp, Stage::Tls, Stage::Http]);
    assert_eq!(walk.reply.unwrap().read(100).await.unwrap(), "protected");
}

#[tokio::test]
async fn the_way_ends_where_it_fails() {
    let huge = Script::answer("200 OK", &[("x", &"a".repeat(70 * 1024))], "");
    let server = FakeServer::scripted([huge]).await;
    let names = FakeNames::default()
        .says("inside.example", "10.0.0.1")
        .says("tools.example", "127.0.0.1")
        .fails("broken.example");
    let egress = with_names(&["127.0.0.0/8"], Arc::new(names));
    let closed = closed_port().await;
    let cases = [
        ("https://169.254.169.254/".to_owned(), Stage::Address, None),
        ("https://broken.example/".to_owned(), Stage::Dns, Some(EgressError::Lookup)),
        ("https://inside.example/".to_owned(), Stage::Dns, None),
        (
            format!("https://tools.example:{closed}/"),
            Stage::Tcp,
            Some(EgressError::Connect(ConnectFault::Refused)),
        ),
        (server.url("/"), Stage::Http, Some(EgressError::TooLarge(Part::Headers))),
    ];
    for (url, stage, wanted) in cases {
        let walk = go(&egress, &url).await;
        let failure = walk.failure().unwrap();
        assert_eq!(walk.steps.last().unwrap().stage, stage, "{url}");
        match wanted {
            Some(wanted) => assert_eq!(*failure, wanted, "{url}"),
            None => assert!(
                matches!(failure, EgressError::Refused(Denial::Internal { .. })),
                "{url}: {failure:?}"
            ),
        }
        assert!(walk.reply.is_none());
        assert!(walk.steps.iter().rev().skip(1).all(|step| step.outcome.is_ok()));
    }
}

#[tokio::test]
async fn a_certificate_that_was_refused_is_shown_all_the_same() {
    let authority = Authority::new();
    let server = authority.server("other.example", 2099).await;
    let walk = go(&authority.client(), &at(&server)).await;
    assert_eq!(walk.failure(), Some(&EgressError::Tls(TlsFault::WrongHost)));
    assert_eq!(walk.certificate.unwrap().issuer, "Example Internal Authority");
    assert_eq!(walk.steps.len(), 4);
}

#[tokio::test]
async fn http_is_called_unprotected() {
    let server = FakeServer::answering(|_| Script::text("plain")).await;
    let walk = go(&local(), &server.url("/")).await;
    assert_eq!(walk.steps[3].outcome, Ok(Fact::Unprotected));
    assert_eq!(walk.steps.len(), 5);
}
