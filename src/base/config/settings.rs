//! Every setting there is; flags, environment, file, help and `.env.example` are all read off this table.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in `portreeve.toml`; a dot separates section and name.
    pub key: &'static str,
    /// Its name in the environment.
    pub env: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What the value looks like.
    pub form: &'static str,
    /// Secrets have no flag: everyone on the machine can read a command line.
    pub is_secret: bool,
}

impl Setting {
    /// Its name on the command line, without the dashes.
    pub fn flag(&self) -> Option<String> {
        (!self.is_secret).then(|| self.key.replace(['.', '_'], "-"))
    }
}

const fn plain(key: &'static str, env: &'static str, form: &'static str, meaning: &'static str) -> Setting {
    Setting { key, env, meaning, form, is_secret: false }
}

const fn secret(key: &'static str, env: &'static str, form: &'static str, meaning: &'static str) -> Setting {
    Setting { key, env, meaning, form, is_secret: true }
}

/// All settings, in the order in which people look for them.
pub const SETTINGS: &[Setting] = &[
    plain(
        "data_dir",
        "PORTREEVE_DATA_DIR",
        "PATH",
        "Folder of the built-in database and keys, where DATABASE_URL is not set",
    ),
    plain("listen", "PORTREEVE_LISTEN", "ADDRESS:PORT", "Where to listen [default: 127.0.0.1:8080]"),
    plain(
        "base_url",
        "PORTREEVE_BASE_URL",
        "URL",
        "The address people and agents use [default: http://localhost with the port of `listen`]",
    ),
    plain(
        "metrics_listen",
        "PORTREEVE_METRICS_LISTEN",
        "ADDRESS:PORT",
        "Where /metrics is served; `off` for nowhere [default: 127.0.0.1:9090]",
    ),
    plain(
        "trusted_proxies",
        "PORTREEVE_TRUSTED_PROXIES",
        "CIDR,…",
        "Networks of reverse proxies whose X-Forwarded-For counts",
    ),
    secret(
        "database_url",
        "DATABASE_URL",
        "postgres://USER:PASSWORD@HOST/DATABASE",
        "Your own Postgres; makes this a production replica",
    ),
    secret(
        "owner_database_url",
        "PORTREEVE_OWNER_DATABASE_URL",
        "postgres://OWNER:PASSWORD@HOST/DATABASE",
        "The same database as the role that owns its tables, for migrations",
    ),
    plain(
        "database_max_connections",
        "PORTREEVE_DATABASE_MAX_CONNECTIONS",
        "NUMBER",
        "Connections to the database at the most [default: 16]",
    ),
    plain(
        "auto_migrate",
        "PORTREEVE_AUTO_MIGRATE",
        "true|false",
        "Whether `serve` migrates when PORTREEVE_OWNER_DATABASE_URL is set [default: true]",
    ),
    plain(
        "pg_bin_dir",
        "PORTREEVE_PG_BIN_DIR",
        "PATH",
        "Folder with the `postgres` and `initdb` to use for the built-in database",
    ),
    secret(
        "master_keys",
        "PORTREEVE_MASTER_KEYS",
        "k2:BASE64,k1:BASE64",
        "Master keys of 32 bytes each: the first seals, all open; required with DATABASE_URL",
    ),
    plain(
        "smtp.host",
        "PORTREEVE_SMTP_HOST",
        "HOST",
        "Mail server; without one, letters wait in the operator's outbox",
    ),
    plain("smtp.port", "PORTREEVE_SMTP_PORT", "PORT", "Its port [default: 465, 587 or 25, after `smtp.tls`]"),
    plain("smtp.username", "PORTREEVE_SMTP_USERNAME", "NAME", "Name to sign in to it"),
    secret("smtp.password", "PORTREEVE_SMTP_PASSWORD", "PASSWORD", "Password to sign in to it"),
    plain(
        "smtp.tls",
        "PORTREEVE_SMTP_TLS",
        "tls|starttls|none|none-anywhere",
        "How the connection to it is protected [default: tls]",
    ),
    plain("smtp.from", "PORTREEVE_SMTP_FROM", "NAME <ADDRESS>", "Sender of all letters"),
    plain(
        "egress_allow",
        "PORTREEVE_EGRESS_ALLOW",
        "CIDR[:PORT],…",
        "Internal networks that outbound requests may reach; none unless listed",
    ),
    plain(
        "egress_ca_file",
        "PORTREEVE_EGRESS_CA_FILE",
        "PATH",
        "PEM file of authorities that may vouch for servers, besides the public ones",
    ),
    plain("log", "PORTREEVE_LOG", "FILTER", "What to log, such as info or portreeve=debug [default: info]"),
    plain("log_format", "PORTREEVE_LOG_FORMAT", "text|json", "How to log [default: text]"),
    plain(
        "otlp_endpoint",
        "PORTREEVE_OTLP_ENDPOINT",
        "URL",
        "OpenTelemetry collector (OTLP over HTTP) that gets the traces, such as http://localhost:4318",
    ),
    plain(
        "audit_anchor_file",
        "PORTREEVE_AUDIT_ANCHOR_FILE",
        "PATH",
        "File outside the database to which signed audit checkpoints are appended as well",
    ),
];
