//! `portreeve doctor`: everything we depend on, its state, the cause and the fix.
//!
//! Invariant: it starts nothing and changes nothing, so it may run beside `serve`.

use std::{
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    process::ExitCode,
    time::Duration,
};

use serde::Serialize;
use sqlx::postgres::PgConnectOptions;

use crate::{
    app::{
        announce, doors,
        faults::Fault,
        keyring,
        postgres::{self, Postgres},
    },
    base::{
        clock::Clock,
        config::{Config, ConfigError},
    },
    io::{
        db::{
            Db, PoolSettings,
            builtin::{Access, Binaries, DataDir, DirUse},
            migrate,
        },
        disk,
    },
};

const PATIENCE: Duration = Duration::from_secs(3);
/// Less free space than this is worth a warning.
const LITTLE_SPACE: u64 = 512 * 1024 * 1024;

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Not in use.
    Off,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Failed,
}

/// One thing, its state, the cause of the state and, where one is needed, the fix.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    name: &'static str,
    state: State,
    cause: String,
    fix: Option<String>,
}

impl Finding {
    fn new(name: &'static str, state: State, cause: impl Into<String>) -> Self {
        Self { name, state, cause: cause.into(), fix: None }
    }

    fn ok(name: &'static str, cause: impl Into<String>) -> Self {
        Self::new(name, State::Ok, cause)
    }

    fn failed(name: &'static str, fault: Fault) -> Self {
        Self { fix: Some(fault.remedy), ..Self::new(name, State::Failed, fault.sentence) }
    }

    fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// Looks at everything and prints what was found; fails when something does not work.
///
/// # Errors
/// When not even a look is possible.
pub fn doctor(config: Result<Config, ConfigError>, is_json: bool) -> Result<ExitCode, Fault> {
    let findings = match config {
        Err(error) => vec![Finding::failed("settings", error.into())],
        Ok(config) => examine(&config)?,
    };
    let is_well = findings.iter().all(|finding| finding.state != State::Failed);
    if is_json {
        announce::say(serde_json::json!({ "ok": is_well, "findings": findings }));
    } else {
        findings.iter().for_each(print);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(finding: &Finding) {
    let state = match finding.state {
        State::Ok => "ok",
        State::Off => "off",
        State::Warning => "WARNING",
        State::Failed => "FAILED",
    };
    announce::say(format_args!("{state:<8} {:<18} {}", finding.name, finding.cause));
    if let Some(fix) = &finding.fix {
        announce::say(format_args!("{:27} fix: {fix}", ""));
    }
}

fn examine(config: &Config) -> Result<Vec<Finding>, Fault> {
    let kind =
        if config.is_production() { "production, with your own Postgres" } else { "built-in Postgres" };
    let mut findings = vec![Finding::ok("settings", kind)];
    if !config.is_production() {
        findings.push(data_dir(config));
        findings.push(binaries(config));
    }
    findings.push(keys(config));
    findings.extend(database(config)?);
    findings.push(listener(config));
    findings.push(base_url(config));
    findings.push(mail(config));
    findings.push(collector(config));
    Ok(findings)
}

fn data_dir(config: &Config) -> Finding {
    const NAME: &str = "data directory";
    let path = config.data_dir.display();
    match DataDir::usage(&config.data_dir) {
        Err(error) => Finding::failed(NAME, error.into()),
        Ok(DirUse::Missing) => Finding::new(NAME, State::Off, format!("{path} is made at the first start")),
        Ok(usage) => {
            let user = match usage {
                DirUse::Held(Some(pid)) => format!("in use by process {pid}"),
                DirUse::Held(None) => "in use".to_owned(),
                DirUse::Free | DirUse::Missing => "not in use".to_owned(),
            };
            let free = disk::free(&config.data_dir);
            let space = free.map(|bytes| format!(", {} MB free", bytes / 1024 / 1024)).unwrap_or_default();
            let cause = format!("{path}, {user}{space}");
            match free {
                Some(bytes) if bytes < LITTLE_SPACE => Finding::new(NAME, State::Warning, cause)
                    .with_fix("Free some space before the disk is full."),
                _ => Finding::ok(NAME, cause),
            }
        }
    }
}

fn binaries(config: &Config) -> Finding {
    const NAME: &str = "Postgres programs";
    match Binaries::for_data_dir(&postgres::surroundings(config), &config.data_dir) {
        Ok(found) => Finding::ok(NAME, format!("Postgres {} in {}", found.major, found.folder.display())),
        Err(error) => Finding::failed(NAME, error.into()),
    }
}

fn keys(config: &Config) -> Finding {
    const NAME: &str = "master keys";
    let is_untouched = matches!(DataDir::usage(&config.data_dir), Ok(DirUse::Missing));
    if !config.is_production() && is_untouched {
        return Finding::new(NAME, State::Off, "made at the first start");
    }
    match keyring::existing(config) {
        Ok(keys) => {
            let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
            Finding::ok(NAME, format!("{} (the first seals)", ids.join(", ")))
        }
        Err(fault) => Finding::failed(NAME, fault),
    }
}

fn database(config: &Config) -> Result<Vec<Finding>, Fault> {
    let (options, label) = match &config.database.url {
        Some(url) => match Postgres::of_operator(config, url) {
            Ok(postgres) => (postgres.app, postgres.label),
            Err(fault) => return Ok(vec![Finding::failed("database", fault)]),
        },
        None => {
            if !matches!(DataDir::usage(&config.data_dir), Ok(DirUse::Held(_))) {
                return Ok(vec![Finding::new(
                    "database",
                    State::Off,
                    "it runs while `portreeve serve` runs",
                )]);
            }
            match Access::of_running(&config.data_dir, &postgres::surroundings(config)) {
                Ok(Some(access)) => (access.app_options(), format!("in {}", config.data_dir.display())),
                Ok(None) => {
                    return Ok(vec![Finding::new("database", State::Warning, "it is just being made")]);
                }
                Err(error) => return Ok(vec![Finding::failed("database", error.into())]),
            }
        }
    };
    let runtime = postgres::runtime()?;
    Ok(runtime.block_on(database_findings(config, options, &label)))
}

async fn database_findings(config: &Config, options: PgConnectOptions, label: &str) -> Vec<Finding> {
    let db = Db::lazy(options.clone(), PoolSettings { max: 1, patience: PATIENCE });
    // The pool says only that it waited in vain; one connection of its own says why.
    let schema = match tokio::time::timeout(PATIENCE, migrate::check(&options)).await {
        Ok(Err(migrate::SchemaError::Away(error))) => {
            return vec![Finding::failed("database", Fault::of_sqlx(label, &error))];
        }
        Err(_) => {
            return vec![Finding::failed("database", Fault::of_sqlx(label, &sqlx::Error::PoolTimedOut))];
        }
        Ok(schema) => schema,
    };
    let role = match db.check_role().await {
        Ok(Ok(())) => Finding::ok("database role", "held by row-level security"),
        Ok(Err(role)) => Finding::failed("database role", Fault::of_role(&role)),
        Err(error) => Finding::failed("database role", Fault::of_db(label, &error)),
    };
    let is_migrated = schema.is_ok();
    let schema = match schema {
        Ok(()) => Finding::ok("migrations", "all applied"),
        Err(error) => Finding::failed("migrations", Fault::of_schema(label, &error)),
    };
    let mut findings = vec![Finding::ok("database", format!("{label}, answers"))];
    // What is sealed stands in tables that only the migrations make.
    if is_migrated {
        findings.extend(opening(config, &db).await);
    }
    findings.extend([role, schema]);
    findings
}

/// Whether the keys open what the database holds.
async fn opening(config: &Config, db: &Db) -> Option<Finding> {
    const NAME: &str = "sealed values";
    let vault = doors::vault(config, &keyring::existing(config).ok()?, &Clock::system()).ok()?;
    Some(match doors::self_test(db, &vault).await {
        Ok(()) => Finding::ok(NAME, "open with these master keys"),
        Err(fault) => Finding::failed(NAME, fault),
    })
}

fn listener(config: &Config) -> Finding {
    const NAME: &str = "listener";
    let address = config.web.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::new(NAME, State::Off, format!("{address} is free; nothing is served")),
        Err(_) if is_portreeve(address) => Finding::ok(NAME, format!("Portreeve answers on {address}")),
        Err(error) => Finding::failed(NAME, Fault::cannot_listen(address, "--listen", &error)),
    }
}

/// Whether whoever listens there answers our probe.
fn is_portreeve(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.contains("x-request-id: req_"))
}

fn base_url(config: &Config) -> Finding {
    const NAME: &str = "base URL";
    let url = config.web.url_when_bound(config.web.listen);
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_number = matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)));
    let shown = url.as_str().trim_end_matches('/');
    match () {
        () if url.scheme() == "http" && !is_local => {
            Finding::new(NAME, State::Warning, format!("{shown} is not protected on the way")).with_fix(
                "Put a reverse proxy with TLS in front and set PORTREEVE_BASE_URL to its https address.",
            )
        }
        () if is_number => {
            Finding::new(NAME, State::Warning, format!("{shown} has no name, so passkeys do not work"))
                .with_fix("Set PORTREEVE_BASE_URL to an address with a host name.")
        }
        () => Finding::ok(NAME, shown),
    }
}

fn mail(config: &Config) -> Finding {
    const NAME: &str = "mail";
    const FIX: &str =
        "Check PORTREEVE_SMTP_HOST, PORTREEVE_SMTP_PORT, name, password and PORTREEVE_SMTP_TLS.";
    let Some(smtp) = &config.smtp else {
        return Finding::new(NAME, State::Off, "letters wait in the operator's outbox");
    };
    let reached = reach(NAME, &smtp.host, smtp.port, FIX);
    if reached.state != State::Ok {
        return reached;
    }
    // The mailer's connections belong to the runtime: it is made and dropped within.
    let outcome = postgres::runtime().and_then(|runtime| {
        runtime.block_on(async { Ok(doors::mailer(config.smtp.as_ref())?.check().await) })
    });
    match outcome {
        Ok(Ok(())) => Finding::ok(NAME, format!("{}:{} lets us in", smtp.host, smtp.port)),
        Ok(Err(error)) => {
            Finding::new(NAME, State::Failed, format!("{}:{}: {error}", smtp.host, smtp.port)).with_fix(FIX)
        }
        Err(fault) => Finding::failed(NAME, fault),
    }
}

fn collector(config: &Config) -> Finding {
    const NAME: &str = "trace collector";
    match &config.telemetry.otlp_endpoint {
        None => Finding::new(NAME, State::Off, "no traces are sent"),
        Some(url) => {
            let port = url.port_or_known_default().unwrap_or(4318);
            reach(NAME, url.host_str().unwrap_or_default(), port, "Check PORTREEVE_OTLP_ENDPOINT.")
        }
    }
}

fn reach(name: &'static str, host: &str, port: u16, fix: &str) -> Finding {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = (host, port).to_socket_addrs().and_then(|mut addresses| {
        let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
        TcpStream::connect_timeout(&address, PATIENCE)
    });
    match found {
        Ok(_) => Finding::ok(name, format!("{host}:{port} takes connections")),
        Err(error) => {
            let why = crate::app::faults::reason(&error);
            Finding::new(name, State::Failed, format!("{host}:{port} cannot be reached: {why}")).with_fix(fix)
        }
    }
}
