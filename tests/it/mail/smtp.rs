//! What the mailer says to a mail server, and what it makes of the answers.

use std::{collections::HashMap, io, time::Duration};

use portreeve::{
    base::{email::Email, secret::Secret},
    io::mail::{BadSmtpSettings, Failure, Mail, MailError, Mailer, SmtpEncryption, SmtpSettings},
};
use time::macros::datetime;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const PASSWORD: &str = "hunter2-hunter2";

/// A mail server on loopback that can be told to answer badly; what it hears comes out of the receiver, one
/// conversation line or one whole mail at a time.
async fn server(answers: &[(&'static str, &'static str)]) -> (u16, mpsc::UnboundedReceiver<String>) {
    let answers: HashMap<_, _> = answers.iter().copied().collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, answers.clone(), heard.clone()));
        }
    });
    (port, hears)
}

async fn converse(
    stream: TcpStream,
    answers: HashMap<&'static str, &'static str>,
    heard: mpsc::UnboundedSender<String>,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 test ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        heard.send(line).ok();
        let usual = match verb.as_str() {
            "EHLO" => "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            "DATA" => "354 go on",
            "AUTH" => "235 welcome",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        let answer = answers.get(verb.as_str()).copied().unwrap_or(usual);
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if answer.starts_with("354") {
            let mut mail = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                mail.push('\n');
            }
            heard.send(mail).ok();
            let taken = answers.get("END").copied().unwrap_or("250 kept");
            writer.write_all(format!("{taken}\r\n").as_bytes()).await?;
        }
    }
    Ok(())
}

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

fn settings(port: u16, encryption: SmtpEncryption) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption,
        credentials: Some(("porter".to_owned(), Secret::new(PASSWORD.to_owned()))),
        from_name: "Portreeve".to_owned(),
        from: email("portreeve@acme.example"),
    }
}

fn open_mailer(port: u16) -> Mailer {
    Mailer::smtp(settings(port, SmtpEncryption::NoneOnLoopback)).unwrap()
}

fn mail_to(to: &str) -> Mail {
    Mail {
        to: email(to),
        subject: "Zażółć\r\nBcc: all@victim.example".to_owned(),
        text: "In words: https://portreeve.example/reset/0123\n.\nA dot stood alone.\n".to_owned(),
        html: "<p>In <b>HTML</b>: ü</p>".to_owned(),
        reference: "ltr_0123".to_owned(),
        date: datetime!(2026-11-21 14:05 UTC),
    }
}

/// Everything that was heard so far.
fn drain(hears: &mut mpsc::UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| hears.try_recv().ok()).collect()
}

async fn failure(answers: &[(&'static str, &'static str)]) -> MailError {
    let (port, _hears) = server(answers).await;
    open_mailer(port).send(&mail_to("ada@acme.example")).await.unwrap_err()
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_html_with_its_headers() {
    let (port, mut hears) = server(&[]).await;
    open_mailer(port).send(&mail_to("ada@acme.example")).await.unwrap();
    let heard = drain(&mut hears);
    assert!(heard.iter().any(|l| l.starts_with("MAIL FROM:<portreeve@acme.example>")), "{heard:?}");
    assert_eq!(heard.iter().filter(|l| l.starts_with("RCPT TO:")).count(), 1, "{heard:?}");
    let mail = heard.iter().find(|l| l.contains('\n')).expect("a mail");
    for part in [
        "From: Portreeve <portreeve@acme.example>\n",
        "To: ada@acme.example\n",
        "Message-ID: <ltr_0123@acme.example>\n",
        "Date: Sat, 21 Nov 2026 14:05:00 +0000\n",
        "Auto-Submitted: auto-generated\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\n",
        "Content-Type: text/html; charset=utf-8\n",
        "https://portreeve.example/reset/0123\n.\nA dot stood alone.",
    ] {
        assert!(mail.contains(part), "{part:?} in {mail}");
    }
    assert!(mail.find("text/plain") < mail.find("text/html"), "the richer form comes last");
    assert!(!mail.lines().any(|line| line.starts_with("Bcc")), "{mail}");
}

#[tokio::test]
async fn connections_are_used_again() {
    let (port, mut hears) = server(&[]).await;
    let mailer = open_mailer(port);
    for _ in 0..10 {
        mailer.send(&mail_to("ada@acme.example")).await.unwrap();
    }
    let heard = drain(&mut hears);
    assert_eq!(heard.iter().filter(|l| l.contains("Message-ID")).count(), 10);
    let connections = heard.iter().filter(|l| l.starts_with("EHLO")).count();
    assert!((1..10).contains(&connections), "{connections}");
}

#[tokio::test]
async fn an_unknown_recipient_is_a_permanent_failure() {
    let error = failure(&[("RCPT", "550 5.1.1 no such mailbox")]).await;
    assert_eq!(error, MailError::Refused("code 550, 5.1.1 no such mailbox".to_owned()));
    assert_eq!((error.failure(), error.concerns_every_mail()), (Failure::Permanent, false));
}

#[tokio::test]
async fn a_full_mailbox_and_greylisting_are_transient_failures() {
    for answers in [("RCPT", "452 4.2.2 mailbox full"), ("END", "451 4.7.1 come back later")] {
        let error = failure(&[answers]).await;
        assert!(matches!(error, MailError::PutOff(_)), "{error:?}");
        assert_eq!((error.failure(), error.concerns_every_mail()), (Failure::Transient, false));
    }
}

#[tokio::test]
async fn a_refusal_of_what_the_mail_says_quotes_no_link() {
    let error = failure(&[("END", "554 5.7.1 blocked: https://portreeve.example/reset/0123")]).await;
    assert_eq!(error, MailError::Refused("code 554, 5.7.1 blocked: …".to_owned()));
}

#[tokio::test]
async fn refused_credentials_are_the_operators_to_set_right_and_are_not_repeated() {
    let (port, mut hears) =
        server(&[("AUTH", "535 5.7.8 AUTH PLAIN AHBvcnRlcgBodW50ZXIyLWh1bnRlcjI= is wrong")]).await;
    let mailer = open_mailer(port);
    let error = mailer.send(&mail_to("ada@acme.example")).await.unwrap_err();
    assert_eq!(error, MailError::Credentials(535));
    assert_eq!((error.failure(), error.concerns_every_mail()), (Failure::Transient, true));
    assert_eq!(mailer.check().await.unwrap_err(), MailError::Credentials(535));
    assert!(
        drain(&mut hears).iter().any(|line| line.contains("AHBvcnRlcgBodW50ZXIyLWh1bnRlcjI=")),
        "we did sign in"
    );
    let printed = format!("{error} {error:?} {mailer:?} {:?}", settings(port, SmtpEncryption::StartTls));
    assert!(!printed.contains(PASSWORD) && !printed.contains("AHBvcnRlcg"), "{printed}");
}

#[tokio::test]
async fn a_server_that_echoes_a_sign_in_it_does_not_understand_is_not_quoted() {
    let error = failure(&[("AUTH", "502 unknown: AUTH PLAIN AHBvcnRlcgBodW50ZXIyLWh1bnRlcjI=")]).await;
    assert!(!format!("{error} {error:?}").contains("AHBvcnRlcg"), "{error:?}");
}

#[tokio::test]
async fn where_starttls_is_wanted_and_missing_nothing_is_said() {
    let (port, mut hears) = server(&[]).await;
    let mailer = Mailer::smtp(settings(port, SmtpEncryption::StartTls)).unwrap();
    let error = mailer.send(&mail_to("ada@acme.example")).await.unwrap_err();
    assert!(matches!(&error, MailError::Server(why) if why.contains("STARTTLS")), "{error:?}");
    assert_eq!((error.failure(), error.concerns_every_mail()), (Failure::Transient, true));
    let heard = drain(&mut hears);
    let told = ["AUTH", "MAIL", "RCPT", "DATA"];
    assert!(heard.iter().any(|line| line.starts_with("EHLO")), "{heard:?}");
    assert!(!heard.iter().any(|line| told.iter().any(|verb| line.starts_with(verb))), "{heard:?}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_refused_where_tls_is_implicit() {
    let (port, _hears) = server(&[]).await;
    let mailer = Mailer::smtp(settings(port, SmtpEncryption::Implicit)).unwrap();
    let error = mailer.send(&mail_to("ada@acme.example")).await.unwrap_err();
    assert!(matches!(error, MailError::Server(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_down_concerns_every_mail() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mailer = open_mailer(port);
    let answer =
        tokio::time::timeout(Duration::from_secs(10), mailer.send(&mail_to("ada@acme.example"))).await;
    let error = answer.expect("a closed port answers at once").unwrap_err();
    assert!(matches!(error, MailError::Server(_)), "{error:?}");
    assert_eq!((error.failure(), error.concerns_every_mail()), (Failure::Transient, true));
    assert!(matches!(mailer.check().await, Err(MailError::Server(_))));
}

#[tokio::test]
async fn a_local_part_that_the_server_cannot_take_is_a_permanent_failure() {
    let (port, _hears) = server(&[]).await;
    let error = open_mailer(port).send(&mail_to("jürgen@acme.example")).await.unwrap_err();
    assert_eq!((error.failure(), error), (Failure::Permanent, MailError::Address));
}

#[tokio::test]
async fn mail_in_the_clear_stays_on_this_machine_unless_the_operator_says_so() {
    let to = |host: &str, encryption| {
        let host = host.to_owned();
        Mailer::smtp(SmtpSettings { host, ..settings(25, encryption) }).map(|_| ())
    };
    assert_eq!(to("mail.acme.example", SmtpEncryption::NoneOnLoopback), Err(BadSmtpSettings::Unencrypted));
    assert_eq!(to("mail.acme.example", SmtpEncryption::NoneAnywhere), Ok(()));
    assert_eq!(to("localhost", SmtpEncryption::NoneOnLoopback), Ok(()));
    assert_eq!(to("mail acme", SmtpEncryption::StartTls), Err(BadSmtpSettings::Host));
}

#[tokio::test]
async fn without_a_server_nothing_is_sent_and_that_is_said() {
    let mailer = Mailer::none();
    assert!(!mailer.is_configured());
    assert_eq!(mailer.send(&mail_to("ada@acme.example")).await, Err(MailError::NotConfigured));
}

#[tokio::test]
async fn a_mailer_in_memory_keeps_what_it_was_given() {
    let (mailer, postbox) = Mailer::memory();
    mailer.clone().send(&mail_to("ada@acme.example")).await.unwrap();
    let mails = postbox.mails();
    assert_eq!(mails.len(), 1);
    assert!(!format!("{mails:?} {mailer:?}").contains("/reset/"));
}
