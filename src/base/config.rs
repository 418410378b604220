//! Settings: flags over environment over `portreeve.toml`, parsed once into typed sections.
//!
//! Invariant: this is the only place that reads flags, environment and file.
//! Invariant: all faults are reported together, each with the name under which the setting was given, and none
//! repeats a secret.

mod reader;
mod settings;
mod sources;
mod values;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use url::Url;

use crate::base::{crypto::seal::SealKey, secret::Secret};

pub use settings::{SETTINGS, Setting};
pub use values::master_keys;

/// All settings, parsed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the built-in database and its keys live.
    pub data_dir: PathBuf,
    /// Our own addresses.
    pub web: WebSettings,
    /// Postgres.
    pub database: DatabaseSettings,
    /// What the built-in Postgres needs from around us.
    pub built_in: BuiltInPlaces,
    /// Master keys from the settings; the first seals. Empty where the keys lie in the data directory.
    pub master_keys: Vec<MasterKey>,
    /// The mail server, if there is one.
    pub smtp: Option<SmtpSettings>,
    /// Internal networks that outbound requests may reach.
    pub egress_allow: Vec<EgressRule>,
    /// Certificates of authorities that may vouch for servers, besides the public ones.
    pub egress_ca_file: Option<PathBuf>,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
    /// Where signed audit checkpoints are written as well.
    pub audit_anchor_file: Option<PathBuf>,
}

/// Where we listen and how we are called.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// Main listener.
    pub listen: SocketAddr,
    /// Listener of `/metrics`, if any.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether that listener was asked for; one that was not may be missing.
    pub is_metrics_listen_given: bool,
    /// The address people use, if set; see [`WebSettings::url_when_bound`].
    pub base_url: Option<Url>,
    /// Reverse proxies whose word about the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
}

impl WebSettings {
    /// The address people use, once the port is known.
    pub fn url_when_bound(&self, bound: SocketAddr) -> Url {
        // Passkeys need a name, so a loopback address is called by its own.
        let host = match bound.ip() {
            ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        self.base_url.clone().unwrap_or_else(|| {
            Url::parse(&format!("http://{host}:{}", bound.port())).expect("an address and port make a URL")
        })
    }
}

/// Which Postgres.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Your own; without it we run one.
    pub url: Option<Secret<String>>,
    /// The same, as the role that migrates.
    pub owner_url: Option<Secret<String>>,
    /// Connections at the most.
    pub max_connections: u32,
    /// Whether `serve` migrates when it can.
    pub auto_migrate: bool,
}

/// Where the built-in Postgres finds programs and room for its socket.
#[derive(Clone, Debug, Default)]
pub struct BuiltInPlaces {
    /// The only folder to take binaries from.
    pub pg_bin_dir: Option<PathBuf>,
    /// Folders to look into first.
    pub search_path: Vec<PathBuf>,
    /// The user's own runtime folder.
    pub runtime_dir: Option<PathBuf>,
}

/// A key that seals data keys.
#[derive(Clone, Debug)]
pub struct MasterKey {
    /// Its name, stored beside what it has sealed.
    pub id: String,
    /// The key.
    pub key: SealKey,
}

/// The mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name to sign in with, if it wants one.
    pub username: Option<String>,
    /// Password to sign in with.
    pub password: Option<Secret<String>>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Sender of all letters.
    pub from: String,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the first byte.
    Tls,
    /// After a plain greeting, and required.
    StartTls,
    /// Not at all; only to a server on this machine.
    None,
    /// Not at all, wherever the server is: the network between is the operator's.
    NoneAnywhere,
}

impl SmtpTls {
    const fn usual_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None | Self::NoneAnywhere => 25,
        }
    }
}

/// An internal network that outbound requests may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressRule {
    /// The network.
    pub network: IpNet,
    /// The only port, if named.
    pub port: Option<u16>,
}

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
    /// Collector of traces, if any.
    pub otlp_endpoint: Option<Url>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "a setting is wrong: {one}"),
            many => {
                write!(f, "{} settings are wrong:", many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
            }
        }
    }
}

/// What we read besides settings: who we are and where things are kept on this machine.
#[derive(Clone, Debug, Default)]
struct Machine {
    is_root: bool,
    data_home: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    path: Vec<PathBuf>,
}

impl Config {
    /// Reads flags (by key), the environment, and the file: the named one, else `./portreeve.toml` where it exists.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(flags: &[(String, String)], file: Option<&Path>) -> Result<Self, ConfigError> {
        let named = file.unwrap_or(Path::new("portreeve.toml"));
        let text = match std::fs::read_to_string(named) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => None,
            Err(error) => {
                return Err(ConfigError(vec![format!(
                    "the file {} cannot be read: {error}",
                    named.display()
                )]));
            }
        };
        let name = named.display().to_string();
        let file = text.as_deref().map(|text| (name.as_str(), text));
        Self::assemble(flags, &environment(), file, machine())
    }

    /// Whether this is a replica over the operator's own Postgres.
    pub fn is_production(&self) -> bool {
        self.database.url.is_some()
    }

    fn assemble(
        flags: &[(String, String)],
        env: &[(String, String)],
        file: Option<(&str, &str)>,
        machine: Machine,
    ) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let given = sources::gather(flags, env, file, &mut faults);
        reader::read(given, faults, machine)
    }
}

/// Variables whose name or value is no text cannot be ours.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn machine() -> Machine {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let path = std::env::var_os("PATH").unwrap_or_default();
    Machine {
        is_root: nix::unistd::geteuid().is_root(),
        data_home: absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share"))),
        runtime_dir: absolute("XDG_RUNTIME_DIR"),
        path: std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect(),
    }
}

fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
