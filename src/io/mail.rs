//! Sends mail: over SMTP, into memory for tests, or not at all where no mail server is set.
//!
//! Invariant: a mail goes out encrypted unless the operator chose otherwise in words; where STARTTLS is wanted and the
//! server has none, nothing is sent, no credentials either.
//! Invariant: no error and no debug text holds credentials or what a mail says. A server's reply is quoted only
//! where it answers to an address or a mail, never where it may answer to a sign-in, and without links.

use std::{
    error::Error as _,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use time::OffsetDateTime;

use crate::base::{email::Email, secret::Secret};

/// How long one step of the conversation with the server may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long sending one mail may take from first to last.
const SEND_TIMEOUT: Duration = Duration::from_secs(90);
/// How much of a server's reply an error quotes, in characters.
const REPLY_LENGTH: usize = 200;

/// How the conversation with the server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// STARTTLS must succeed before anything else is said; usual on port 587.
    StartTls,
    /// TLS from the first byte; usual on port 465.
    Implicit,
    /// None, which is allowed to a server on this machine only.
    NoneOnLoopback,
    /// None anywhere: the operator says that the network between is theirs.
    NoneAnywhere,
}

/// The mail server and how to speak with it.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the conversation is encrypted.
    pub encryption: SmtpEncryption,
    /// User name and password, where it wants them.
    pub credentials: Option<(String, Secret<String>)>,
    /// The name that mails are from.
    pub from_name: String,
    /// The address that mails are from.
    pub from: Email,
}

/// Why a mail server cannot be used as set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSmtpSettings {
    /// Mail would cross the network in the clear.
    #[error("mail to a server on another machine must be encrypted")]
    Unencrypted,
    /// The server's name cannot stand in a certificate.
    #[error("the mail server's host is neither a domain name nor an IP address")]
    Host,
    /// The sender's address cannot stand in a mail.
    #[error("the address that mails are from cannot be used in mail")]
    From,
}

/// A mail that is ready to be sent.
#[derive(Clone)]
pub struct Mail {
    /// Whom it is for.
    pub to: Email,
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The part of the message id before the `@`: the same whenever the same mail is sent again.
    pub reference: String,
    /// When it was written.
    pub date: OffsetDateTime,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("to", &self.to)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may.
    Transient,
    /// It will not: the server does not want this mail.
    Permanent,
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// No mail server is set.
    #[error("no mail server is set")]
    NotConfigured,
    /// The recipient's address cannot be written in a way that the server understands.
    #[error("the recipient's address cannot be used with this mail server")]
    Address,
    /// The server will never take this mail.
    #[error("the mail server refused the mail: {0}")]
    Refused(String),
    /// The server does not take this mail now.
    #[error("the mail server put the mail off: {0}")]
    PutOff(String),
    /// The server does not accept our credentials.
    #[error("the mail server refused our user name or password, or wants one (code {0})")]
    Credentials(u16),
    /// The server does not answer, or we do not understand one another.
    #[error("no conversation with the mail server: {0}")]
    Server(String),
}

impl MailError {
    /// Whether trying again may help. What the operator can set right counts as transient.
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Address | Self::Refused(_) => Failure::Permanent,
            Self::NotConfigured | Self::PutOff(_) | Self::Credentials(_) | Self::Server(_) => {
                Failure::Transient
            }
        }
    }

    /// Whether every other mail would fail the same way now.
    pub const fn concerns_every_mail(&self) -> bool {
        matches!(self, Self::NotConfigured | Self::Credentials(_) | Self::Server(_))
    }
}

/// The mails that a mailer in memory was given.
#[derive(Clone, Debug, Default)]
pub struct Postbox(Arc<Mutex<Vec<Mail>>>);

impl Postbox {
    /// All mails so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sends mail; clones share the connections.
#[derive(Clone, Debug)]
pub struct Mailer(Way);

#[derive(Clone, Debug)]
enum Way {
    None,
    Memory(Postbox),
    Smtp(Arc<Smtp>),
}

struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").finish_non_exhaustive()
    }
}

impl Mailer {
    /// No mail server: every mail is refused with [`MailError::NotConfigured`].
    pub const fn none() -> Self {
        Self(Way::None)
    }

    /// Keeps mails in memory, for tests.
    pub fn memory() -> (Self, Postbox) {
        let postbox = Postbox::default();
        (Self(Way::Memory(postbox.clone())), postbox)
    }

    /// Speaks SMTP; connects when the first mail is sent. Must be called within the runtime.
    ///
    /// # Errors
    /// When the settings contradict themselves.
    pub fn smtp(settings: SmtpSettings) -> Result<Self, BadSmtpSettings> {
        let from = address(&settings.from).ok_or(BadSmtpSettings::From)?;
        if settings.host.parse::<IpAddr>().is_err() && url::Host::parse(&settings.host).is_err() {
            return Err(BadSmtpSettings::Host);
        }
        let tls = || TlsParameters::new(settings.host.clone()).map_err(|_| BadSmtpSettings::Host);
        let tls = match settings.encryption {
            SmtpEncryption::StartTls => Tls::Required(tls()?),
            SmtpEncryption::Implicit => Tls::Wrapper(tls()?),
            SmtpEncryption::NoneOnLoopback if !is_loopback(&settings.host) => {
                return Err(BadSmtpSettings::Unencrypted);
            }
            SmtpEncryption::NoneOnLoopback | SmtpEncryption::NoneAnywhere => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(STEP_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(4).idle_timeout(Duration::from_secs(30)));
        if let Some((user, password)) = settings.credentials {
            transport = transport.credentials(Credentials::new(user, password.expose().clone()));
        }
        let name = Some(settings.from_name).filter(|name| !name.is_empty());
        let from = Mailbox::new(name, from);
        Ok(Self(Way::Smtp(Arc::new(Smtp { transport: transport.build(), from }))))
    }

    /// Whether mail can be sent at all.
    pub const fn is_configured(&self) -> bool {
        !matches!(self.0, Way::None)
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// When it was not sent, or when nobody knows whether it was.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        match &self.0 {
            Way::None => Err(MailError::NotConfigured),
            Way::Memory(postbox) => {
                postbox.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
                Ok(())
            }
            Way::Smtp(smtp) => {
                let message = compose(&smtp.from, mail)?;
                let sent = tokio::time::timeout(SEND_TIMEOUT, smtp.transport.send(message)).await;
                sent.map_err(|_| too_slow())?.map(|_| ()).map_err(|error| understand(&error, &mail.to))
            }
        }
    }

    /// Connects, signs in and says nothing else: for the operator's health page.
    ///
    /// # Errors
    /// When no conversation comes about.
    pub async fn check(&self) -> Result<(), MailError> {
        match &self.0 {
            Way::None => Err(MailError::NotConfigured),
            Way::Memory(_) => Ok(()),
            Way::Smtp(smtp) => {
                let answer = tokio::time::timeout(SEND_TIMEOUT, smtp.transport.test_connection()).await;
                match answer.map_err(|_| too_slow())? {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(MailError::Server("the connection was closed".to_owned())),
                    Err(error) => Err(understand_code(&error).unwrap_or_else(|| describe(&error))),
                }
            }
        }
    }
}

fn too_slow() -> MailError {
    MailError::Server(format!("it took longer than {} seconds", SEND_TIMEOUT.as_secs()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Domains go out in their ASCII form, which every server understands.
fn address(email: &Email) -> Option<Address> {
    let domain = url::Host::parse(email.domain()).ok()?;
    Address::new(email.local(), domain.to_string()).ok()
}

fn compose(from: &Mailbox, mail: &Mail) -> Result<Message, MailError> {
    let to = address(&mail.to).ok_or(MailError::Address)?;
    // A subject is one line; lettre would encode a line break, and some readers would show it.
    let subject: String = mail.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .message_id(Some(format!("<{}@{}>", mail.reference, from.email.domain())))
        .date(SystemTime::from(mail.date))
        // RFC 3834, section 5: nobody's absence note answers us.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
        .map_err(|_| MailError::Address)
}

fn understand(error: &lettre::transport::smtp::Error, to: &Email) -> MailError {
    match understand_code(error) {
        Some(known) => known,
        // RFC 6531: only some servers take such a local part, and lettre asks before it sends.
        None if error.is_client() && !to.local().is_ascii() => MailError::Address,
        None => describe(error),
    }
}

fn understand_code(error: &lettre::transport::smtp::Error) -> Option<MailError> {
    let code = u16::from(error.status()?);
    let reply = error.source().map(ToString::to_string).unwrap_or_default();
    Some(match code {
        // RFC 5321, section 4.2.2: the server is closing down.
        421 => MailError::Server("it is not available now (code 421)".to_owned()),
        // RFC 4954, section 6, and RFC 3207: all about signing in and encrypting.
        432 | 454 | 530 | 534 | 535 | 538 => MailError::Credentials(code),
        450..=452 => MailError::PutOff(quote(code, &reply)),
        550..=554 => MailError::Refused(quote(code, &reply)),
        400..=499 => MailError::PutOff(format!("code {code}")),
        _ => MailError::Refused(format!("code {code}")),
    })
}

/// Errors without a reply are the machine's or lettre's own words.
fn describe(error: &lettre::transport::smtp::Error) -> MailError {
    let what = match error.source() {
        _ if error.is_timeout() => "it does not answer in time".to_owned(),
        Some(cause) if !error.is_response() => plain(&cause.to_string()),
        _ => "its answer does not follow SMTP".to_owned(),
    };
    MailError::Server(what)
}

fn quote(code: u16, reply: &str) -> String {
    match plain(reply) {
        words if words.is_empty() => format!("code {code}"),
        words => format!("code {code}, {words}"),
    }
}

/// One short line in which nothing can be a link or a token out of the mail.
fn plain(reply: &str) -> String {
    let words = reply.split_whitespace().map(|word| {
        let suspicious = word.contains("://") || word.chars().count() > 60;
        if suspicious { "…".to_owned() } else { word.chars().filter(|c| !c.is_control()).collect() }
    });
    words.collect::<Vec<String>>().join(" ").chars().take(REPLY_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_reply_is_one_line_without_links() {
        let reply = "5.7.1\r\nspam:\u{7} https://portreeve.example/reset#prm_secret  found";
        assert_eq!(quote(554, reply), "code 554, 5.7.1 spam: … found");
        assert_eq!(quote(550, ""), "code 550");
        assert!(plain(&"a ".repeat(4000)).chars().count() <= REPLY_LENGTH);
    }

    #[test]
    fn domains_go_out_in_ascii() {
        let email = "jo@bücher.example".parse::<Email>().expect("an address");
        assert_eq!(address(&email).map(|a| a.to_string()).as_deref(), Some("jo@xn--bcher-kva.example"));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(["localhost", "127.0.0.1", "127.8.0.1", "::1"].into_iter().all(is_loopback));
        assert!(!["mail.example", "10.0.0.1", "localhost.example", "0.0.0.0"].into_iter().any(is_loopback));
    }
}
