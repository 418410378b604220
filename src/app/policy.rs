//! `portreeve policy`: documents checked, tested and tried without a database.

use std::{
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    app::announce,
    base::{clock::Clock, permission::Role, risk::Class},
    domain::policy::{
        SCHEMA,
        cases::{Cases, CasesError},
        document::{self, Document, Fault},
        engine::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, Verdict, decide},
        import::{Imported, import},
    },
    flow::proxy::told,
    protocol::mcp::strict::{self, Limits},
};

/// What to do with documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOrder {
    /// Tell every fault.
    Check {
        /// The documents.
        files: Vec<PathBuf>,
        /// Print them in their one form.
        prints_canonical: bool,
    },
    /// Decide cases and tell what is not as they say.
    Test {
        /// Files of cases.
        files: Vec<PathBuf>,
    },
    /// Decide one call.
    Eval {
        /// The document.
        file: PathBuf,
        /// The tool.
        tool: String,
        /// Its class.
        class: Class,
        /// The arguments.
        arguments: Option<String>,
        /// What else is known of it.
        known: Box<Known>,
        /// For machines.
        is_json: bool,
    },
    /// Make a document of a policy of Intercept.
    Import {
        /// The policy.
        file: PathBuf,
    },
    /// Print the JSON Schema of documents.
    Schema,
}

/// What is known of a call beside its arguments: what is not said is not known, but for the moment, which is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The person's address.
    pub person: Option<String>,
    /// The person's role.
    pub role: Option<Role>,
    /// The teams that the person is in.
    pub teams: Vec<String>,
    /// The team that the grant is for.
    pub grant_team: Option<String>,
    /// How the client calls itself.
    pub client: Option<String>,
    /// Its version.
    pub client_version: Option<String>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// When.
    pub at: Option<OffsetDateTime>,
}

/// A document has faults, or a case is not as it says.
const WRONG: u8 = 1;
/// A file cannot be read, or the result cannot be written.
const UNREADABLE: u8 = 2;
/// A human would be asked.
const ASKED: u8 = 3;
/// The call would not be made.
const DENIED: u8 = 4;

/// The command's part of the command line.
pub fn command() -> Command {
    let file = || {
        let file = Arg::new("file").value_name("FILE").required(true);
        file.value_parser(value_parser!(PathBuf))
    };
    let files = || {
        let file = Arg::new("files").value_name("FILE").required(true).num_args(1..);
        file.value_parser(value_parser!(PathBuf))
    };
    Command::new("policy")
        .about("Policy documents; needs no database")
        .subcommand_required(true)
        .subcommand(
            Command::new("check")
                .about("Tell everything that is wrong with documents")
                .arg(files().help("Documents, or policies of Intercept as YAML; - reads standard input"))
                .arg(
                    Arg::new("canonical")
                        .long("canonical")
                        .action(ArgAction::SetTrue)
                        .help("Print them in their one form"),
                ),
        )
        .subcommand(
            Command::new("test")
                .about("Decide the cases of files and tell what is not as they say")
                .arg(files().help("Files of cases with their document")),
        )
        .subcommand(
            Command::new("eval")
                .about("Decide one call and say why")
                .arg(file().help("The document; - reads standard input"))
                .arg(
                    Arg::new("tool")
                        .long("tool")
                        .value_name("NAME")
                        .required(true)
                        .help("The tool that is called"),
                )
                .arg(
                    Arg::new("class")
                        .long("class")
                        .value_name("CLASS")
                        .value_parser(|text: &str| text.parse::<Class>().map_err(|bad| bad.to_string()))
                        .default_value("read")
                        .help("What it does at worst"),
                )
                .arg(Arg::new("args").long("args").value_name("JSON").help("The arguments"))
                .args(facts())
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")),
        )
        .subcommand(
            Command::new("import")
                .about("Make a document of a policy of Intercept, and say what is not as it was")
                .arg(file().help("The policy, as YAML; - reads standard input")),
        )
        .subcommand(Command::new("schema").about("Print the JSON Schema of documents, for editors"))
}

/// What can be said of a call beside its arguments.
fn facts() -> [Arg; 8] {
    let fact = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let role = |text: &str| {
        let all = Role::ALL.map(Role::as_str).join(", ");
        text.parse::<Role>().map_err(|_| format!("choose one of: {all}"))
    };
    let moment = |text: &str| {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "enter a moment such as 2026-01-31T08:00:00Z")
    };
    [
        fact("person", "E-MAIL", "In whose name it is made"),
        fact("role", "ROLE", "The person's role").value_parser(role),
        fact("team", "SLUG", "A team that the person is in; may be given more than once")
            .action(ArgAction::Append),
        fact("grant-team", "SLUG", "The team that the grant is for"),
        fact("client", "NAME", "How the client calls itself"),
        fact("client-version", "VERSION", "The client's version"),
        fact("ip", "ADDRESS", "From where it comes").value_parser(value_parser!(IpAddr)),
        fact("time", "MOMENT", "When it comes, such as 2026-01-31T08:00:00Z [default: now]")
            .value_parser(moment),
    ]
}

fn known(inner: &ArgMatches) -> Known {
    let text = |name| inner.get_one::<String>(name).cloned();
    Known {
        person: text("person"),
        role: inner.get_one::<Role>("role").copied(),
        teams: inner.get_many::<String>("team").unwrap_or_default().cloned().collect(),
        grant_team: text("grant-team"),
        client: text("client"),
        client_version: text("client-version"),
        ip: inner.get_one::<IpAddr>("ip").copied(),
        at: inner.get_one::<OffsetDateTime>("time").copied(),
    }
}

/// What was asked for, and where its flags are.
pub fn order(outer: &ArgMatches) -> (PolicyOrder, &ArgMatches) {
    let files =
        |inner: &ArgMatches| inner.get_many::<PathBuf>("files").unwrap_or_default().cloned().collect();
    let file = |inner: &ArgMatches| inner.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    match outer.subcommand() {
        Some(("eval", inner)) => {
            let text = |name| inner.get_one::<String>(name).cloned();
            let order = PolicyOrder::Eval {
                file: file(inner),
                tool: text("tool").unwrap_or_default(),
                class: inner.get_one::<Class>("class").copied().unwrap_or(Class::Read),
                arguments: text("args"),
                known: Box::new(known(inner)),
                is_json: inner.get_flag("json"),
            };
            (order, inner)
        }
        Some(("import", inner)) => (PolicyOrder::Import { file: file(inner) }, inner),
        Some(("schema", inner)) => (PolicyOrder::Schema, inner),
        Some(("test", inner)) => (PolicyOrder::Test { files: files(inner) }, inner),
        other => {
            let inner = other.map_or(outer, |(_, inner)| inner);
            let prints_canonical =
                inner.try_get_one::<bool>("canonical").ok().flatten().copied().unwrap_or_default();
            (PolicyOrder::Check { files: files(inner), prints_canonical }, inner)
        }
    }
}

/// Does it.
pub fn obey(order: &PolicyOrder) -> ExitCode {
    let code = match order {
        PolicyOrder::Check { files, prints_canonical } => {
            files.iter().map(|file| check(file, *prints_canonical)).max().unwrap_or_default()
        }
        PolicyOrder::Import { file } => take_in(file),
        PolicyOrder::Schema => print(SCHEMA.trim_end()),
        PolicyOrder::Test { files } => files.iter().map(|file| test(file)).max().unwrap_or_default(),
        PolicyOrder::Eval { file, tool, class, arguments, known, is_json } => {
            eval(file, (tool, *class), arguments.as_deref(), known, *is_json)
        }
    };
    ExitCode::from(code)
}

/// A policy of Intercept is taken as [`take_in`] would, and told as such.
fn check(file: &Path, prints_canonical: bool) -> u8 {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(code) => return code,
    };
    let (read, is_what) = if is_json(&text) {
        let document = document::read(text.as_bytes());
        (document.map(|document| Imported { document, notes: Vec::new() }), "in order")
    } else {
        (import(&text), "a policy of Intercept that can be imported")
    };
    let Imported { document, notes } = match read {
        Ok(read) => read,
        Err(faults) => {
            tell(file, &faults);
            return WRONG;
        }
    };
    let code = if prints_canonical {
        print(&document.canonical())
    } else {
        print(&format!("{}: {is_what}, {} tools named", file.display(), document.tools.len()))
    };
    notes.iter().for_each(|note| announce::complain(note));
    code
}

/// Whether a text means to be JSON: YAML that is written as an object of JSON is taken for one.
fn is_json(text: &str) -> bool {
    text.trim_start().chars().next().is_none_or(|first| matches!(first, '{' | '[' | '"'))
}

/// Prints the document on standard output, and what is not as it was on standard error.
fn take_in(file: &Path) -> u8 {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(code) => return code,
    };
    match import(&text) {
        Ok(imported) => {
            let code = print(&imported.document.canonical());
            imported.notes.iter().for_each(|note| announce::complain(note));
            code
        }
        Err(faults) => {
            tell(file, &faults);
            WRONG
        }
    }
}

fn print(text: &str) -> u8 {
    match announce::put(text) {
        Ok(()) => 0,
        Err(error) => {
            announce::complain(&format!("standard output cannot be written: {error}"));
            UNREADABLE
        }
    }
}

fn test(file: &Path) -> u8 {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(code) => return code,
    };
    let cases = match Cases::read(&text) {
        Ok(cases) => cases,
        Err(error) => {
            announce::complain(&format!("{}: {error}", file.display()));
            if let CasesError::Document(_, faults) = &error {
                tell(file, faults);
            }
            return WRONG;
        }
    };
    let mut deviations = cases.deviations();
    // What an agent is told rests on what is decided.
    if deviations.is_empty() {
        deviations = told::deviations(&cases);
    }
    for deviation in &deviations {
        announce::say(format_args!("{}: {deviation}", file.display()));
    }
    announce::say(format_args!(
        "{}: {} of {} cases as they say",
        file.display(),
        cases.count() - deviations.len(),
        cases.count()
    ));
    if deviations.is_empty() { 0 } else { WRONG }
}

fn eval(
    file: &Path,
    (name, class): (&str, Class),
    arguments: Option<&str>,
    known: &Known,
    is_json: bool,
) -> u8 {
    let document = match read(file) {
        Ok(document) => document,
        Err(code) => return code,
    };
    let limits = Limits::default();
    let arguments = arguments.map(|text| strict::check(text.as_bytes(), &limits)).transpose();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(fault) => {
            announce::complain(&format!("the arguments are refused: {fault}"));
            return UNREADABLE;
        }
    };
    let program = Program::new(Arc::new(document));
    let teams: Vec<&str> = known.teams.iter().map(String::as_str).collect();
    let facts = Facts {
        user_email: known.person.as_deref(),
        user_role: known.role.map(Role::as_str),
        user_teams: &teams,
        team_slug: known.grant_team.as_deref(),
        client_name: known.client.as_deref(),
        client_version: known.client_version.as_deref(),
        ip: known.ip,
        now: Some(known.at.unwrap_or_else(|| Clock::system().now())),
        ..Facts::default()
    };
    let call = Call { tool: Tool { name, class, is_reviewed: true }, arguments, facts };
    let verdict = decide(&call, &[Layer { name: LayerName::Grant, program: &program }]);
    let (word, code) = match &verdict.outcome {
        Outcome::Allow => ("allow", 0),
        Outcome::Ask(_) => ("ask", ASKED),
        Outcome::Deny(_) => ("deny", DENIED),
        Outcome::Hidden(_) => ("hidden", DENIED),
    };
    if is_json {
        announce::say(json!({ "verdict": word, "trace": verdict.trace }));
    } else {
        announce::say(word);
        explain(&verdict);
    }
    code
}

fn explain(verdict: &Verdict) {
    for reason in verdict.trace.layers.iter().flat_map(|layer| &layer.reasons) {
        let name = reason.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let words = reason.words.as_deref().map(|words| format!(": {words}")).unwrap_or_default();
        announce::say(format_args!("  {}{name}{words}", reason.part));
    }
    for one in &verdict.reservations {
        announce::say(format_args!("  counts {} of {} in {}", one.amount, one.max, one.counter));
    }
}

fn read(file: &Path) -> Result<Document, u8> {
    let text = text_of(file)?;
    document::read(text.as_bytes()).map_err(|faults| {
        tell(file, &faults);
        WRONG
    })
}

fn tell(file: &Path, faults: &[Fault]) {
    for fault in faults {
        announce::say(format_args!("{}: {fault}", file.display()));
    }
}

fn text_of(file: &Path) -> Result<String, u8> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| {
        announce::complain(&format!("{} cannot be read: {error}", file.display()));
        UNREADABLE
    })
}
