//! Whom we believe to be who they say, and what is wrong when we do not.
//!
//! Invariant: certificates are always checked. What a diagnosis sees of a certificate is looked at beside that check.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// More of a name in a certificate is not shown.
const NAME_LENGTH: usize = 100;

/// What is wrong with the protection of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate's time is over.
    #[error("the server's certificate has expired")]
    Expired,
    /// The certificate's time has not come.
    #[error("the server's certificate is not valid yet; is the clock of this machine right?")]
    NotYetValid,
    /// The certificate is for another name.
    #[error("the server's certificate is for another host")]
    WrongHost,
    /// Nobody we know has issued the certificate.
    #[error(
        "the server's certificate was issued by nobody known here; the operator can name an authority with \
         PORTREEVE_EGRESS_CA_FILE"
    )]
    UnknownIssuer,
    /// The certificate was called back.
    #[error("the server's certificate has been revoked")]
    Revoked,
    /// The certificate is no server's, or badly made.
    #[error("the server's certificate cannot be used: it is an authority's own, or badly made")]
    Unusable,
    /// What answers is not TLS.
    #[error("the server does not speak TLS on that port")]
    NotTls,
    /// No version or cipher is common to both.
    #[error("the server offers no version of TLS that is still safe")]
    Incompatible,
    /// The server does not want us.
    #[error("the server refused the TLS connection; it may ask for a certificate of ours")]
    Refused,
    /// The server hung up while agreeing on TLS.
    #[error("the server hung up while agreeing on TLS")]
    HungUp,
}

/// A file of authorities that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no certificate of an authority in PEM form")]
pub struct BadAuthority;

/// Who may vouch for a server.
#[derive(Clone, Debug)]
pub struct Authorities(RootCertStore);

impl Default for Authorities {
    /// Those that Mozilla's browsers know, built in: the same on every machine.
    fn default() -> Self {
        Self(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }
}

impl Authorities {
    /// With those of a PEM file besides.
    ///
    /// # Errors
    /// When there are none in it, or one cannot be read.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, BadAuthority> {
        let before = self.0.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.0.add(certificate.map_err(|_| BadAuthority)?).map_err(|_| BadAuthority)?;
        }
        if self.0.len() == before { Err(BadAuthority) } else { Ok(self) }
    }
}

/// What a server's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Who issued it, or an empty text.
    pub issuer: String,
    /// The end of its time.
    pub expires_at: OffsetDateTime,
}

impl Certificate {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let expires_at = certificate.validity().not_after.to_datetime();
        Some(Self { issuer: shown(certificate.issuer()), expires_at })
    }
}

/// The common name, or else the organization; without anything that could pass for more than a name.
fn shown(name: &X509Name<'_>) -> String {
    let entry = name.iter_common_name().chain(name.iter_organization()).next();
    let text = entry.and_then(|entry| entry.as_str().ok()).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect()
}

/// Checks certificates; clones share sessions to resume.
#[derive(Clone)]
pub(super) struct Tls {
    verifier: Arc<WebPkiServerVerifier>,
    config: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(authorities: Authorities) -> Self {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(authorities.0), Arc::new(provider()))
                .build()
                .expect("there are always built-in authorities and never revocation lists");
        let config = Arc::new(config(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>));
        Self { verifier, config }
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The same checks, which let the witness see the certificate first.
    pub(super) fn witnessed(&self, witness: &Witness) -> Arc<ClientConfig> {
        let verifier = Arc::clone(&self.verifier);
        Arc::new(config(Arc::new(Witnessed { verifier, witness: witness.clone() })))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn config(verifier: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions that are safe")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Remembers the certificate that a server showed, whether or not it was accepted.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<Mutex<Option<Certificate>>>);

impl Witness {
    pub(super) fn seen(&self) -> Option<Certificate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct Witnessed {
    verifier: Arc<WebPkiServerVerifier>,
    witness: Witness,
}

impl ServerCertVerifier for Witnessed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Certificate::read(end_entity);
        *self.witness.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The fault behind an error of a stream, where TLS is what failed.
pub(super) fn fault_of(error: &io::Error) -> Option<TlsFault> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match cause {
        rustls::Error::InvalidCertificate(wrong) => of_certificate(wrong),
        rustls::Error::NoCertificatesPresented | rustls::Error::UnsupportedNameType => TlsFault::Unusable,
        rustls::Error::AlertReceived(alert) => match alert {
            rustls::AlertDescription::ProtocolVersion
            | rustls::AlertDescription::HandshakeFailure
            | rustls::AlertDescription::InsufficientSecurity => TlsFault::Incompatible,
            _ => TlsFault::Refused,
        },
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => TlsFault::Incompatible,
        _ => TlsFault::NotTls,
    })
}

fn of_certificate(wrong: &CertificateError) -> TlsFault {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongHost
        }
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Revoked => TlsFault::Revoked,
        _ => TlsFault::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_authority_is_refused() {
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(Authorities::default().with_pem(text.as_bytes()).err(), Some(BadAuthority), "{text}");
        }
    }

    #[test]
    fn every_cause_has_a_sentence_of_its_own() {
        let fault = |error: rustls::Error| fault_of(&io::Error::new(io::ErrorKind::InvalidData, error));
        let certificate = |wrong| fault(rustls::Error::InvalidCertificate(wrong));
        assert_eq!(certificate(CertificateError::Expired), Some(TlsFault::Expired));
        assert_eq!(certificate(CertificateError::NotValidYet), Some(TlsFault::NotYetValid));
        assert_eq!(certificate(CertificateError::NotValidForName), Some(TlsFault::WrongHost));
        assert_eq!(certificate(CertificateError::UnknownIssuer), Some(TlsFault::UnknownIssuer));
        assert_eq!(certificate(CertificateError::Revoked), Some(TlsFault::Revoked));
        assert_eq!(certificate(CertificateError::BadEncoding), Some(TlsFault::Unusable));
        assert_eq!(fault(rustls::Error::DecryptError), Some(TlsFault::NotTls));
        assert_eq!(fault_of(&io::ErrorKind::UnexpectedEof.into()), None);
    }
}
