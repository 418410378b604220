//! Looking at a server before it is added: what is typed is tried, and nothing is stored.

use std::time::Duration;

use serde::Serialize;

use crate::{
    base::{faults::Faults, permission::Permission},
    domain::{
        audit::{self, Entry},
        servers::{Declared, NewCredential, SeenTool, Transport, parse_url},
    },
    flow::{
        actions::servers::{
            CredentialInput,
            draft::{self, TriedCredential},
        },
        catalogue::{self, Carried, Onlooker, StepReport},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
};

/// How long somebody waits.
const WITHIN: Duration = Duration::from_secs(30);

/// What is tried.
#[derive(Clone, Debug, Default)]
pub struct ProbeInput {
    /// The address.
    pub url: String,
    /// `http` or `sse`; both are tried when left empty.
    pub transport: String,
    /// What requests carry.
    pub credentials: Vec<CredentialInput>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Probe {
    /// The address in its normal form.
    pub url: String,
    /// Every step, also those that were not reached.
    pub steps: Vec<StepReport>,
    /// Which transport the server speaks, where it was found out.
    pub transport: Option<Transport>,
    /// What it says of itself.
    pub declared: Declared,
    /// Its tools.
    pub tools: Vec<SeenTool>,
    /// The value that was tried, sealed for the page that adds the server; empty where there was none.
    pub draft: String,
}

impl Probe {
    /// Whether everything was found.
    pub const fn is_ok(&self) -> bool {
        self.transport.is_some()
    }
}

/// What the record keeps of a try.
#[derive(Serialize)]
struct ProbeRecord<'a> {
    host: &'a str,
    found: bool,
}

/// Tries an address with credentials that are not stored. It is recorded, because it reaches out.
///
/// # Errors
/// The faults of each field.
pub async fn probe(cx: &OrgCx, input: &ProbeInput) -> ActionResult<Probe> {
    cx.require(Permission::ServersWrite)?;
    let credentials = NewCredential::parse_all(&input.credentials)?;
    if credentials.iter().any(|credential| credential.source.is_secret()) {
        let message =
            "a look at an address carries values that are typed here; secrets come when the server is added";
        return Err(ActionError::field("source", message));
    }
    look(cx, &input.url, &input.transport, &credentials, Onlooker::default()).await
}

/// Tries an address with what was typed on the page of a new server.
///
/// # Errors
/// The faults of each field.
pub async fn probe_tried(
    cx: &OrgCx,
    url: &str,
    transport: &str,
    tried: &TriedCredential,
    onlooker: Onlooker,
) -> ActionResult<Probe> {
    cx.require(Permission::ServersWrite)?;
    let credential = tried.read(cx).await?;
    let credentials: Vec<NewCredential> = credential.into_iter().collect();
    let probe = look(cx, url, transport, &credentials, onlooker).await?;
    let draft = match credentials.first().and_then(|credential| credential.value.as_ref()) {
        Some(value) => draft::seal(cx, value).await?,
        None => String::new(),
    };
    Ok(Probe { draft, ..probe })
}

async fn look(
    cx: &OrgCx,
    url: &str,
    transport: &str,
    credentials: &[NewCredential],
    onlooker: Onlooker,
) -> ActionResult<Probe> {
    let mut faults = Faults::default();
    let url = faults.check("url", parse_url(url));
    let wanted = faults.check("transport", parse_transport(transport));
    let (Some(url), Some(wanted)) = (url, wanted) else { return Err(faults.into()) };
    let carried = Carried::typed(url.as_str(), credentials);
    let reading = catalogue::read(&cx.ports.egress, &carried, wanted, WITHIN, onlooker).await;
    drop(carried);
    let entry = Entry::admin("server.probed", &cx.who())
        .target("org", cx.id(), &cx.org.name)
        .after(&ProbeRecord { host: url.host(), found: reading.found.is_some() });
    audit::commit(cx.tx().await?, cx.now(), vec![entry]).await?;
    let found = reading.found;
    Ok(Probe {
        url: url.as_str().to_owned(),
        steps: reading.steps,
        transport: found.as_ref().map(|found| found.transport),
        declared: found.as_ref().map(|found| found.snapshot.declared.clone()).unwrap_or_default(),
        tools: found.map(|found| found.snapshot.tools).unwrap_or_default(),
        draft: String::new(),
    })
}

fn parse_transport(text: &str) -> Result<Option<Transport>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        "http" => Ok(Some(Transport::Http)),
        "sse" => Ok(Some(Transport::Sse)),
        _ => Err("choose http or sse, or leave it open"),
    }
}
