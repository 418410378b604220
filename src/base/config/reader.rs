//! From the texts of all settings to the typed sections, and the rules between settings.

use std::{net::SocketAddr, path::PathBuf};

use crate::base::config::{
    BuiltInPlaces, Config, ConfigError, DatabaseSettings, LogFormat, Machine, SmtpSettings, SmtpTls,
    TelemetrySettings, WebSettings, sources::AllGiven, values,
};

/// Notices of Postgres, such as that something exists already, are no news to anybody.
const USUAL_LOG: &str = "info,sqlx::postgres::notice=warn";

/// Reads all settings; what is wrong joins what was wrong already.
pub(super) fn read(given: AllGiven, faults: Vec<String>, machine: Machine) -> Result<Config, ConfigError> {
    let mut reader = Reader { given, faults };
    let config = reader.read(machine);
    reader.check_production();
    match config {
        Some(config) if reader.faults.is_empty() => Ok(config),
        _ => Err(ConfigError(reader.faults)),
    }
}

struct Reader {
    given: AllGiven,
    faults: Vec<String>,
}

impl Reader {
    fn take<T>(&mut self, key: &'static str, parse: fn(&str) -> values::Parsed<T>) -> Option<T> {
        let given = self.given.get(key)?;
        match parse(given.text.trim()) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.faults.push(format!("{}: {wrong}", given.origin));
                None
            }
        }
    }

    fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    fn read(&mut self, machine: Machine) -> Option<Config> {
        Some(Config {
            web: self.web(),
            database: self.database(),
            master_keys: self.take("master_keys", values::master_keys).unwrap_or_default(),
            smtp: self.smtp(),
            egress_allow: self.take("egress_allow", values::egress).unwrap_or_default(),
            egress_ca_file: self.take("egress_ca_file", values::path),
            telemetry: self.telemetry(),
            audit_anchor_file: self.take("audit_anchor_file", values::path),
            data_dir: self.data_dir(&machine)?,
            built_in: self.built_in(machine),
        })
    }

    fn web(&mut self) -> WebSettings {
        WebSettings {
            listen: self.take("listen", values::address).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            metrics_listen: self
                .take("metrics_listen", values::address_or_off)
                .unwrap_or(Some(SocketAddr::from(([127, 0, 0, 1], 9090)))),
            is_metrics_listen_given: self.has("metrics_listen"),
            base_url: self.take("base_url", values::base_url),
            trusted_proxies: self.take("trusted_proxies", values::networks).unwrap_or_default(),
        }
    }

    fn database(&mut self) -> DatabaseSettings {
        DatabaseSettings {
            url: self.take("database_url", values::database_url),
            owner_url: self.take("owner_database_url", values::database_url),
            max_connections: self.take("database_max_connections", values::connections).unwrap_or(16),
            auto_migrate: self.take("auto_migrate", values::truth).unwrap_or(true),
        }
    }

    fn telemetry(&mut self) -> TelemetrySettings {
        TelemetrySettings {
            log: self.take("log", values::log_filter).unwrap_or_else(|| USUAL_LOG.to_owned()),
            log_format: self.take("log_format", values::log_format).unwrap_or(LogFormat::Text),
            otlp_endpoint: self.take("otlp_endpoint", values::collector_url),
        }
    }

    fn smtp(&mut self) -> Option<SmtpSettings> {
        if !self.given.keys().any(|key| key.starts_with("smtp.")) {
            return None;
        }
        for (key, env) in [("smtp.host", "PORTREEVE_SMTP_HOST"), ("smtp.from", "PORTREEVE_SMTP_FROM")] {
            if !self.has(key) {
                self.faults.push(format!("{env} is missing: sending mail needs it"));
            }
        }
        if self.has("smtp.password") && !self.has("smtp.username") {
            self.faults.push("PORTREEVE_SMTP_USERNAME is missing: the password for mail needs it".to_owned());
        }
        let tls = self.take("smtp.tls", values::smtp_tls).unwrap_or(SmtpTls::Tls);
        let port = self.take("smtp.port", values::port).unwrap_or(tls.usual_port());
        let username = self.take("smtp.username", values::text);
        let password = self.take("smtp.password", values::secret);
        let (host, from) = (self.take("smtp.host", values::text), self.take("smtp.from", values::sender));
        Some(SmtpSettings { host: host?, port, username, password, tls, from: from? })
    }

    fn data_dir(&mut self, machine: &Machine) -> Option<PathBuf> {
        if self.has("data_dir") {
            return self.take("data_dir", values::path);
        }
        if machine.is_root {
            return Some("/var/lib/portreeve".into());
        }
        let found = machine.data_home.as_ref().map(|home| home.join("portreeve"));
        if found.is_none() && !self.has("database_url") {
            self.faults
                .push("PORTREEVE_DATA_DIR is missing: there is no home folder to keep data in".to_owned());
        }
        Some(found.unwrap_or_default())
    }

    fn built_in(&mut self, machine: Machine) -> BuiltInPlaces {
        let mut search_path = machine.path;
        // Where scripts/get-postgres puts it.
        search_path.extend(machine.data_home.map(|home| home.join("portreeve-postgres/bin")));
        let pg_bin_dir = self.take("pg_bin_dir", values::path);
        BuiltInPlaces { pg_bin_dir, search_path, runtime_dir: machine.runtime_dir }
    }

    /// A production replica is complete or does not start.
    fn check_production(&mut self) {
        if self.has("database_url") {
            let required = [
                ("master_keys", "PORTREEVE_MASTER_KEYS", "the same keys on every replica"),
                ("base_url", "PORTREEVE_BASE_URL", "the address people and agents use"),
            ];
            for (key, env, what) in required {
                if !self.has(key) {
                    self.faults.push(format!("{env} is missing: with DATABASE_URL it must be set ({what})"));
                }
            }
            return;
        }
        // Without it a private and empty database would be served in the place of the one that these are for.
        for (key, env) in
            [("owner_database_url", "PORTREEVE_OWNER_DATABASE_URL"), ("master_keys", "PORTREEVE_MASTER_KEYS")]
        {
            if self.has(key) {
                self.faults.push(format!("DATABASE_URL is missing: {env} is set"));
            }
        }
    }
}
