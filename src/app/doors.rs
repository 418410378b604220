//! Builds what flows work with, starts the workers, and opens every door.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio_util::task::TaskTracker;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    app::{
        faults::{Fault, FaultKind, reason},
        health::Check,
        keyring,
        serve::App,
    },
    base::{
        clock::Clock,
        config::{self, Config, MasterKey, SmtpTls},
        email::Email,
    },
    domain::{
        identity::{
            attempts::Limits,
            password::{Cost, Hasher},
            relying::Relying,
        },
        vault::{MasterRing, Vault},
    },
    flow::{
        actions::{ops::health, set_up},
        cx::{Ports, Site},
        jobs::{Runner, RunnerParts, Waker, rewrap, table},
        letters::Post,
        proxy::gateway::{Gateway, GatewayParts},
        tokens::{Tokens, TokensParts},
    },
    io::{
        anchors::AnchorFile,
        db::Db,
        mail::{Mailer, SmtpEncryption, SmtpSettings},
        net::{
            address::AddressPolicy,
            client::{Egress, EgressSettings},
            tls::Authorities,
        },
    },
    web::{Doors, mcp::Agents, router},
};

/// How many jobs one replica runs at once.
const WORKERS: usize = 4;
/// How often the installation is counted for the metrics.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// How often connections to others that nobody needs any more are closed.
const SWEEP_EVERY: Duration = Duration::from_secs(20);

/// What is opened to the outside, once everything it needs is there.
#[derive(Default)]
pub struct Opened {
    /// All routes but those of the probes.
    pub router: Router,
    /// The door of agents, past the router.
    pub agents: Option<Agents>,
    /// What readiness depends on, besides the database and its migrations.
    pub checks: Vec<(&'static str, Check)>,
    /// A one-time link to be shown at the terminal instead of the plain address.
    pub first_run: Option<Url>,
}

/// Opens every door.
///
/// # Errors
/// When something a door needs is missing.
pub async fn open(app: Arc<App>) -> Result<Opened, Fault> {
    let vault = vault(&app.config, &app.master_keys, &app.clock)?;
    self_test(&app.db, &vault).await?;
    let ports =
        ports(&app.config, &app.base_url, app.bound, &app.db, (&app.clock, &app.tasks), vault.clone())?;
    let ports = Arc::new(ports);
    let first_run = first_run(&ports).await?;
    start_workers(&app, &ports);
    app.tasks.spawn(measure(Arc::clone(&app), Arc::clone(&ports)));
    app.tasks.spawn(sweep(Arc::clone(&app), ports.egress.clone()));
    let gateway = Arc::new(gateway(&app, &ports));
    app.metrics.watch_strangers(gateway.throttle.gauges());
    let doors = Doors::new(Arc::clone(&ports), gateway, app.config.web.trusted_proxies.clone());
    let doors = Arc::new(doors);
    let agents = Some(Agents::over(Arc::clone(&doors)));
    Ok(Opened { router: router(doors), agents, checks: vec![("keys", keys_check(app, vault))], first_run })
}

fn gateway(app: &App, ports: &Ports) -> Gateway {
    Gateway::new(GatewayParts {
        db: ports.db.clone(),
        clock: ports.clock.clone(),
        vault: ports.vault.clone(),
        post: ports.post.clone(),
        egress: ports.egress.clone(),
        tokens: ports.tokens.clone(),
        base_url: ports.site.base_url.clone(),
        replica: app.replica,
        tasks: app.tasks.clone(),
        stop: app.stopping.clone(),
        waker: ports.waker.clone(),
    })
}

/// The ring of the master keys; stricter than the settings, which only know the form of a key.
///
/// # Errors
/// When a key is not one to seal with.
pub fn ring(keys: &[MasterKey]) -> Result<MasterRing, Fault> {
    let mut text = Zeroizing::new(String::with_capacity(keys.len() * 80));
    for key in keys {
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(comma);
        text.push_str(&key.id);
        text.push(':');
        STANDARD.encode_string(key.key.expose(), &mut text);
    }
    MasterRing::parse(&text).map_err(|bad| {
        let remedy = "Correct PORTREEVE_MASTER_KEYS, or the key file of the data directory.";
        Fault::new(FaultKind::Keys, bad.to_string(), remedy)
    })
}

/// Proves that the keys are this database's.
///
/// # Errors
/// When they are not, with what to do, or the database is away.
pub async fn self_test(db: &Db, vault: &Vault) -> Result<(), Fault> {
    rewrap::self_test(db, vault).await.map_err(|error| Fault::of_vault("", &error))
}

/// A vault over these keys; where they lie in the data directory, it reads them again when it needs to.
///
/// # Errors
/// When a key is not one to seal with.
pub fn vault(config: &Config, keys: &[MasterKey], clock: &Clock) -> Result<Vault, Fault> {
    let vault = Vault::new(ring(keys)?, clock.clone());
    if !config.is_production() {
        let config = config.clone();
        vault.read_ring_from(move || ring(&keyring::existing(&config).ok()?).ok());
    }
    Ok(vault)
}

/// What flows work with. `bound` is where we listen, or will.
///
/// # Errors
/// When the settings of the mail server or of outbound requests cannot be used.
pub fn ports(
    config: &Config,
    base_url: &Url,
    bound: SocketAddr,
    db: &Db,
    (clock, tasks): (&Clock, &TaskTracker),
    vault: Vault,
) -> Result<Ports, Fault> {
    let site = base_url.as_str().trim_end_matches('/').to_owned();
    let mailer = mailer(config.smtp.as_ref())?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let post =
        Post { db: db.clone(), clock: clock.clone(), mailer, vault: vault.clone(), site: site.clone() };
    let egress = egress(config, bound)?;
    let tokens = Tokens::new(TokensParts {
        db: db.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        egress: egress.clone(),
        post: post.clone(),
        base_url: site.clone(),
        tasks: tasks.clone(),
    });
    Ok(Ports {
        db: db.clone(),
        clock: clock.clone(),
        data_dir: (!config.is_production()).then(|| config.data_dir.clone()),
        hasher: Hasher::new(Cost::STANDARD, cores),
        // An address of digits cannot have passkeys; the pages say so.
        relying: Relying::new(base_url).ok(),
        limits: Limits::default(),
        waker: Waker::default(),
        site: Site {
            base_url: site,
            sends_mail: post.mailer.is_configured(),
            production: config.is_production(),
            anchor_file: config.audit_anchor_file.clone().map(AnchorFile::at),
        },
        post,
        vault,
        egress,
        tokens,
    })
}

/// The client for requests to others, which never reaches our own listeners.
///
/// # Errors
/// When the file of authorities cannot be used.
pub fn egress(config: &Config, bound: SocketAddr) -> Result<Egress, Fault> {
    let own: Vec<SocketAddr> = [Some(bound), config.web.metrics_listen].into_iter().flatten().collect();
    let mut settings = EgressSettings::new(AddressPolicy::new(&config.egress_allow, &own));
    if let Some(file) = &config.egress_ca_file {
        settings.authorities = authorities(file)?;
    }
    Ok(Egress::new(settings))
}

fn authorities(file: &Path) -> Result<Authorities, Fault> {
    let wrong = |what: String| {
        let sentence =
            format!("the file of certificate authorities {} cannot be used: {what}", file.display());
        Fault::new(FaultKind::Settings, sentence, "Correct PORTREEVE_EGRESS_CA_FILE, or leave it out.")
    };
    let pem = std::fs::read(file).map_err(|error| wrong(reason(&error)))?;
    Authorities::default().with_pem(&pem).map_err(|bad| wrong(bad.to_string()))
}

/// The link that sets an empty installation up.
async fn first_run(ports: &Arc<Ports>) -> Result<Option<Url>, Fault> {
    let link = set_up::fresh_link(ports).await.map_err(|error| Fault::of_action(&error))?;
    Ok(link.and_then(|link| link.expose().parse().ok()))
}

/// The way to the mail server, if there is one.
///
/// # Errors
/// When its settings cannot be used.
pub fn mailer(settings: Option<&config::SmtpSettings>) -> Result<Mailer, Fault> {
    let Some(smtp) = settings else { return Ok(Mailer::none()) };
    let wrong = |what: String| {
        Fault::new(FaultKind::Settings, what, "Correct the smtp settings; .env.example explains them.")
    };
    let (from_name, from) =
        sender(&smtp.from).ok_or_else(|| wrong("smtp.from is no e-mail address".to_owned()))?;
    let credentials = smtp.username.clone().zip(smtp.password.clone());
    let encryption = match smtp.tls {
        SmtpTls::Tls => SmtpEncryption::Implicit,
        SmtpTls::StartTls => SmtpEncryption::StartTls,
        SmtpTls::None => SmtpEncryption::NoneOnLoopback,
        SmtpTls::NoneAnywhere => SmtpEncryption::NoneAnywhere,
    };
    let settings =
        SmtpSettings { host: smtp.host.clone(), port: smtp.port, encryption, credentials, from_name, from };
    Mailer::smtp(settings).map_err(|bad| wrong(bad.to_string()))
}

/// Reads `NAME <ADDRESS>`, or the address alone.
fn sender(text: &str) -> Option<(String, Email)> {
    let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
        None => ("", text),
    };
    let name = if name.is_empty() { "Portreeve" } else { name };
    Some((name.to_owned(), address.trim().parse().ok()?))
}

fn start_workers(app: &App, ports: &Arc<Ports>) {
    let parts = RunnerParts {
        db: app.db.clone(),
        clock: app.clock.clone(),
        replica: app.replica,
        workers: WORKERS,
        waker: ports.waker.clone(),
        tracker: app.tasks.clone(),
        stop: app.stopping.clone(),
    };
    let runner = Runner::new(parts, table::registry(), Arc::clone(ports));
    app.metrics.watch_jobs(runner.gauges());
    runner.start();
}

async fn sweep(app: Arc<App>, egress: Egress) {
    while !app.stopping.is_cancelled() {
        egress.sweep();
        let _ = tokio::time::timeout(SWEEP_EVERY, app.stopping.cancelled()).await;
    }
}

/// Counts the installation every few seconds, for whoever reads the metrics.
async fn measure(app: Arc<App>, ports: Arc<Ports>) {
    while !app.stopping.is_cancelled() {
        match health::figures(&ports).await {
            Ok(figures) => app.metrics.set_figures(figures),
            Err(error) => tracing::debug!(%error, "the installation was not counted"),
        }
        let _ = tokio::time::timeout(MEASURE_EVERY, app.stopping.cancelled()).await;
    }
}

fn keys_check(app: Arc<App>, vault: Vault) -> Check {
    Arc::new(move || {
        let (app, vault) = (Arc::clone(&app), vault.clone());
        Box::pin(async move {
            self_test(&app.db, &vault).await.map_err(|_| "do not open what the database holds")
        })
    })
}
