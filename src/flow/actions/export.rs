//! Exports of the audit log: the whole chain with proof, or some events as a table.
//!
//! Invariant: an export is recorded before its first byte, so that the export itself holds the record of it.
//! Invariant: memory does not grow with the number of events.

use std::{io::Write, sync::Arc};

use serde::Serialize;
use time::{OffsetDateTime, macros::format_description};

use crate::{
    base::{page::PageRequest, permission::Permission, slug::Slug},
    domain::{
        audit::{self, ChainHead, Entry, EventFilter, ExportWriter, Scope, Urgency, Who},
        tenancy::{OrgRef, store},
    },
    flow::{
        actions::events::{EventInput, filter_of},
        cx::{OrgCx, Ports},
        fault::{ActionError, ActionResult},
        sealing::{self, Seal},
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// How many rows of a table are read at once.
const ROWS: u16 = 1000;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The whole chain, one JSON object a line, with hashes and signatures; `portreeve audit verify` reads it.
    Jsonl,
    /// Some events as a table for a spreadsheet; it proves nothing.
    Csv,
}

impl Format {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> ActionResult<Self> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            _ => {
                Err(ActionError::field("format", "is jsonl (the whole record, with proof) or csv (a table)"))
            }
        }
    }
}

/// What the record keeps of an export.
#[derive(Serialize)]
struct ExportRecord {
    format: &'static str,
    filtered: bool,
}

/// An export under way, given out piece by piece.
#[derive(Debug)]
pub struct Export {
    ports: Arc<Ports>,
    scope: OrgScope,
    /// What a browser should call the file.
    pub file_name: String,
    /// In which form.
    pub format: Format,
    state: State,
}

#[derive(Debug)]
enum State {
    Proof(Box<Proving>),
    Table { filter: Box<EventFilter>, after: Option<i64>, is_begun: bool },
    Over,
}

#[derive(Debug)]
struct Proving {
    writer: ExportWriter<Vec<u8>>,
    head: ChainHead,
    at: OffsetDateTime,
    after: Option<i64>,
    seal: Seal,
}

/// Begins an export for someone in the organization.
///
/// # Errors
/// Where they may not, or a filter cannot be read, or a filter is given with a form that always holds everything.
pub async fn begin(cx: &OrgCx, format: Format, input: &EventInput) -> ActionResult<Export> {
    cx.require(Permission::AuditExport)?;
    if format == Format::Jsonl && !input.is_empty() {
        let why = "jsonl proves the record as a whole and takes no filters; leave them out, or ask for csv";
        return Err(ActionError::field("format", why));
    }
    let mut tx = cx.tx().await?;
    let filter = filter_of(cx, &mut tx, input).await?;
    tx.done().await?;
    start(&cx.ports, cx.scope, &cx.org.slug, &cx.who(), format, filter, !input.is_empty()).await
}

/// Writes an organization's whole record with proof; for the command line, whose user holds the database.
///
/// # Errors
/// `NotFound` where there is no such organization; a defect where `out` refuses.
pub async fn export(ports: &Arc<Ports>, org: &str, out: &mut (impl Write + Send)) -> ActionResult<()> {
    let name: OrgRef = org.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = SystemTx::begin(&ports.db).await?;
    let found = store::orgs::find_for_operator(&mut tx, &name).await?;
    tx.done().await?;
    let org = found.ok_or(ActionError::NotFound)?;
    let who = Who::system("portreeve audit export");
    let (scope, filter) = (OrgScope::proven(org.id), EventFilter::default());
    let mut export = start(ports, scope, &org.slug, &who, Format::Jsonl, filter, false).await?;
    while let Some(piece) = export.next().await? {
        out.write_all(&piece).map_err(ActionError::defect)?;
    }
    out.flush().map_err(ActionError::defect)
}

async fn start(
    ports: &Arc<Ports>,
    scope: OrgScope,
    slug: &Slug,
    who: &Who,
    format: Format,
    filter: EventFilter,
    filtered: bool,
) -> ActionResult<Export> {
    let now = ports.clock.now();
    let entry = Entry::admin("audit.exported", who).after(&ExportRecord { format: format.name(), filtered });
    let tx = OrgTx::begin(&ports.db, scope).await?;
    audit::commit(tx, now, vec![entry]).await?;
    let state = match format {
        Format::Jsonl => State::Proof(Box::new(prove(ports, scope).await?)),
        Format::Csv => State::Table { filter: Box::new(filter), after: None, is_begun: false },
    };
    let day = now.date().format(format_description!("[year]-[month]-[day]")).unwrap_or_default();
    let file_name = format!("{slug}-audit-{day}.{}", format.name());
    Ok(Export { ports: Arc::clone(ports), scope, file_name, format, state })
}

/// Seals the chain up to now and writes the header.
async fn prove(ports: &Ports, scope: OrgScope) -> ActionResult<Proving> {
    let seal = sealing::seal(ports).await?;
    sealing::checkpoint(ports, scope, &seal, Urgency::Now).await?;
    // The order that the writer asks for: time, keys, head.
    let at = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let keys = audit::list_public_keys(&mut tx).await?;
    let head = audit::head(&mut tx).await?;
    tx.done().await?;
    let mut writer = ExportWriter::begin(Vec::new(), Scope::Organization(scope.org()), at, keys)
        .map_err(ActionError::defect)?;
    writer.chain(head).map_err(ActionError::defect)?;
    Ok(Proving { writer, head, at, after: None, seal })
}

impl Export {
    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When the database is away. What was given out so far then lacks its end: in jsonl the signed last line.
    pub async fn next(&mut self) -> ActionResult<Option<Vec<u8>>> {
        let mut tx = match self.state {
            State::Over => return Ok(None),
            _ => OrgTx::begin(&self.ports.db, self.scope).await?,
        };
        let (piece, state) = match std::mem::replace(&mut self.state, State::Over) {
            State::Over => (Vec::new(), State::Over),
            State::Proof(proving) => proving.next(&mut tx).await?,
            State::Table { filter, after, is_begun } => table(&mut tx, filter, after, is_begun).await?,
        };
        tx.done().await?;
        self.state = state;
        Ok(Some(piece))
    }
}

impl Proving {
    async fn next(mut self: Box<Self>, tx: &mut OrgTx) -> ActionResult<(Vec<u8>, State)> {
        let batch = audit::read_batch(tx, self.after, &self.head, self.at).await?;
        self.writer.batch(&batch).map_err(ActionError::defect)?;
        self.after = batch.next;
        if self.after.is_some() {
            return Ok((self.writer.take(), State::Proof(self)));
        }
        let Self { writer, seal, .. } = *self;
        let rest = writer.finish(seal.signer()).map_err(ActionError::defect)?;
        Ok((rest, State::Over))
    }
}

async fn table(
    tx: &mut OrgTx,
    filter: Box<EventFilter>,
    after: Option<i64>,
    is_begun: bool,
) -> ActionResult<(Vec<u8>, State)> {
    let page = audit::list(tx, &filter, &PageRequest { limit: ROWS, after }).await?;
    let mut text = if is_begun { String::new() } else { audit::csv_head() };
    text.extend(page.items.iter().map(audit::csv_row));
    let after = page.items.last().map(|row| row.seq);
    let state =
        if page.next.is_some() { State::Table { filter, after, is_begun: true } } else { State::Over };
    Ok((text.into_bytes(), state))
}
