//! Whom we believe, and what is said when we do not.

use std::{sync::Arc, time::Duration};

use portreeve::io::net::{
    client::{Egress, EgressSettings},
    error::{EgressError, Phase},
    tls::{Authorities, TlsFault},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{get, settings, text};
use crate::kit::{
    fake_names::FakeNames,
    fake_server::{FakeServer, Script},
};

/// An authority that the operator named, or did not.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Example Internal Authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server with a certificate for `name` that is valid until the end of a year.
    pub(super) async fn server(&self, name: &str, until: i32) -> FakeServer {
        let (mut params, key) =
            (CertificateParams::new([name.to_owned()]).unwrap(), KeyPair::generate().unwrap());
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        serve(certificate.der().clone(), &key).await
    }

    /// A client that knows the authority, to which `tools.example` is on loopback.
    pub(super) fn client(&self) -> Egress {
        let authorities = Authorities::default().with_pem(self.0.pem().as_bytes()).unwrap();
        Egress::new(EgressSettings { authorities, ..with_names() })
    }
}

fn with_names() -> EgressSettings {
    let names = FakeNames::default().says("tools.example", "127.0.0.1");
    EgressSettings { resolver: Arc::new(names), ..settings(&["127.0.0.0/8"]) }
}

async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> FakeServer {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    FakeServer::protected(config, |_| Script::text("protected")).await
}

pub(super) fn at(server: &FakeServer) -> String {
    format!("https://tools.example:{}/", server.port())
}

#[tokio::test]
async fn an_authority_of_the_operator_vouches_for_a_server() {
    let authority = Authority::new();
    let server = authority.server("tools.example", 2099).await;
    let egress = authority.client();
    for _ in 0..2 {
        assert_eq!(text(&egress, &at(&server)).await.as_deref(), Ok("protected"));
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.asked()[0].header("host"), Some(format!("tools.example:{}", server.port()).as_str()));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_believed_is_refused_with_its_cause() {
    let authority = Authority::new();
    let known = authority.client();
    let unknown = Egress::new(with_names());
    let cases = [
        (&unknown, authority.server("tools.example", 2099).await, TlsFault::UnknownIssuer),
        (&known, authority.server("other.example", 2099).await, TlsFault::WrongHost),
        (&known, authority.server("tools.example", 2021).await, TlsFault::Expired),
    ];
    for (egress, server, fault) in cases {
        let error = get(egress, &at(&server)).await.expect_err("not to be believed");
        assert_eq!(error, EgressError::Tls(fault));
        assert!(!error.may_have_arrived());
        assert!(server.asked().is_empty());
    }
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_refused() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["tools.example".to_owned()]).unwrap();
    let server = serve(params.self_signed(&key).unwrap().der().clone(), &key).await;
    let error = get(&Egress::new(with_names()), &at(&server)).await.expect_err("nobody vouches");
    assert_eq!(error, EgressError::Tls(TlsFault::UnknownIssuer));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_speaks_no_tls_is_told_from_what_does_not_speak() {
    let egress = Egress::new(with_names());
    for greeting in
        ["220 mail.example ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", "\x15\x03"]
    {
        let garbage = FakeServer::greeting(greeting.as_bytes()).await;
        let error = get(&egress, &at(&garbage)).await.expect_err("no TLS");
        let wanted = if greeting.len() > 5 { TlsFault::NotTls } else { TlsFault::HungUp };
        assert_eq!(error, EgressError::Tls(wanted), "{greeting:?}");
    }

    let rude = FakeServer::greeting(b"").await;
    let error = get(&egress, &at(&rude)).await.expect_err("it hangs up");
    assert_eq!(error, EgressError::Tls(TlsFault::HungUp));
}

#[tokio::test]
async fn agreeing_on_tls_has_its_time() {
    let silent = FakeServer::canary().await;
    let hurried = EgressSettings { connect_within: Duration::from_millis(60), ..with_names() };
    let error = get(&Egress::new(hurried), &at(&silent)).await.expect_err("silence");
    assert_eq!(error, EgressError::Timeout(Phase::Handshake));
    assert!(!error.may_have_arrived());
    silent.is_left().await;
}
