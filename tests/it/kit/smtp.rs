//! A mail server that keeps what it is given.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Listens on loopback and accepts every letter.
pub(crate) struct MailSink {
    port: u16,
    letters: mpsc::UnboundedReceiver<Letter>,
}

/// A letter as it came over the wire.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The addresses of `RCPT TO`.
    pub(crate) recipients: Vec<String>,
    /// Headers and bodies, lines ended by `\n`, still encoded.
    pub(crate) content: String,
}

impl MailSink {
    /// Starts to listen.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, letters) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, sender.clone()));
            }
        });
        Self { port, letters }
    }

    /// The port on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Whether every letter that came was taken out.
    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// The next letter; fails the test when none comes.
    pub(crate) async fn next(&mut self) -> Letter {
        let letter = tokio::time::timeout(Duration::from_secs(10), self.letters.recv()).await;
        letter.expect("no letter came within ten seconds").expect("the sink is open as long as we ask it")
    }
}

/// One connection, as much of RFC 5321 as a well-behaved sender needs.
async fn converse(stream: TcpStream, letters: mpsc::UnboundedSender<Letter>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut recipients = Vec::new();
    writer.write_all(b"220 sink ESMTP\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let command = line.to_ascii_uppercase();
        let answer: &[u8] = if command.starts_with("EHLO") {
            b"250-sink\r\n250 8BITMIME\r\n"
        } else if let Some(address) = command.strip_prefix("RCPT TO:") {
            let given = &line[line.len() - address.len()..];
            recipients.push(given.split(['<', '>']).nth(1).unwrap_or(given).to_owned());
            b"250 ok\r\n"
        } else if command == "DATA" {
            writer.write_all(b"354 go on\r\n").await?;
            let mut content = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                content.push_str(line.strip_prefix('.').unwrap_or(&line));
                content.push('\n');
            }
            letters.send(Letter { recipients: std::mem::take(&mut recipients), content }).ok();
            b"250 kept\r\n"
        } else if command == "QUIT" {
            return writer.write_all(b"221 bye\r\n").await;
        } else {
            b"250 ok\r\n"
        };
        writer.write_all(answer).await?;
    }
    Ok(())
}
