//! The command line: commands, and a flag for every setting that is no secret.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::{
    app::{
        bootstrap::Wanted,
        policy::{self, PolicyOrder},
    },
    base::config::SETTINGS,
    io::db::builtin::CHILD_SUBCOMMAND,
};

/// The flags of all settings; clap wants names that live as long as the program.
static FLAGS: LazyLock<Vec<Option<String>>> =
    LazyLock::new(|| SETTINGS.iter().map(|setting| setting.flag()).collect());

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Serve until told to stop.
    Serve,
    /// Bring the database's schema up to date.
    Migrate,
    /// Look at everything we depend on.
    Doctor {
        /// For machines.
        is_json: bool,
    },
    /// Set an empty installation up.
    Bootstrap(Wanted),
    /// Tell how the master keys stand.
    KeysStatus {
        /// For machines.
        is_json: bool,
    },
    /// Move everything onto a new master key.
    KeysRotate,
    /// Verify an exported record.
    AuditVerify {
        /// The export.
        file: PathBuf,
        /// What was written outside the database.
        anchors: Option<PathBuf>,
    },
    /// Export an organization's record.
    AuditExport {
        /// The organization.
        org: String,
        /// Where to; standard output without it.
        out: Option<PathBuf>,
    },
    /// Check, test or try policy documents.
    Policy(PolicyOrder),
    /// Print the API's document.
    OpenApi,
    /// Become the built-in Postgres; only we ourselves ask for this.
    Postgres(Vec<OsString>),
}

/// A parsed command line.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to do.
    pub order: Order,
    /// Settings by key.
    pub flags: Vec<(String, String)>,
    /// The settings file, if named.
    pub config_file: Option<PathBuf>,
}

/// Parses the command line, the program's name first.
///
/// # Errors
/// When it is wrong, and when it asks for help or the version; the error prints itself.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let (order, inner) = match matches.subcommand() {
        None => (Order::Serve, &matches),
        Some(("migrate", inner)) => (Order::Migrate, inner),
        Some(("doctor", inner)) => (Order::Doctor { is_json: inner.get_flag("json") }, inner),
        Some(("bootstrap", inner)) => (Order::Bootstrap(wanted(inner)), inner),
        Some(("keys", outer)) => keys(outer),
        Some(("audit", outer)) => audit(outer),
        Some(("policy", outer)) => {
            let (order, inner) = policy::order(outer);
            (Order::Policy(order), inner)
        }
        Some(("openapi", inner)) => (Order::OpenApi, inner),
        Some((CHILD_SUBCOMMAND, inner)) => {
            let arguments = inner.get_many::<OsString>("arguments").unwrap_or_default();
            (Order::Postgres(arguments.cloned().collect()), inner)
        }
        Some((_, inner)) => (Order::Serve, inner),
    };
    Ok(Invocation { order, flags: flags(inner), config_file: inner.get_one("config").cloned() })
}

fn wanted(matches: &ArgMatches) -> Wanted {
    Wanted {
        org: text(matches, "org"),
        email: text(matches, "email"),
        reads_password: matches.get_flag("password-stdin"),
        is_json: matches.get_flag("json"),
    }
}

fn keys(outer: &ArgMatches) -> (Order, &ArgMatches) {
    match outer.subcommand() {
        Some(("status", inner)) => (Order::KeysStatus { is_json: inner.get_flag("json") }, inner),
        other => (Order::KeysRotate, other.map_or(outer, |(_, inner)| inner)),
    }
}

fn audit(outer: &ArgMatches) -> (Order, &ArgMatches) {
    match outer.subcommand() {
        Some(("export", inner)) => {
            let out = inner.get_one::<PathBuf>("out").cloned();
            (Order::AuditExport { org: text(inner, "org"), out }, inner)
        }
        other => {
            let inner = other.map_or(outer, |(_, inner)| inner);
            let path = |name| inner.get_one::<PathBuf>(name).cloned();
            (Order::AuditVerify { file: path("file").unwrap_or_default(), anchors: path("anchors") }, inner)
        }
    }
}

fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

fn flags(matches: &ArgMatches) -> Vec<(String, String)> {
    let given = |key: &str| matches.try_get_one::<String>(key).ok().flatten().cloned();
    SETTINGS.iter().filter_map(|setting| Some((setting.key.to_owned(), given(setting.key)?))).collect()
}

fn command() -> Command {
    let mut command = Command::new("portreeve")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Stands between AI agents and the tools they call")
        .after_help(
            "Every setting is also read from the environment (PORTREEVE_LISTEN for --listen) and from \
             portreeve.toml; secrets only from there. The file .env.example lists them all.",
        )
        .disable_help_subcommand(true)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help("Settings file [default: ./portreeve.toml, where it exists]"),
        )
        .subcommand(Command::new("serve").about("Serve until told to stop (what is done without a command)"))
        .subcommand(Command::new("migrate").about("Bring the database's schema up to date"))
        .subcommand(
            Command::new("doctor")
                .about("Look at everything Portreeve depends on: state, cause, fix")
                .arg(json()),
        )
        .subcommand(bootstrap())
        .subcommand(
            Command::new("keys")
                .about("The master keys")
                .subcommand_required(true)
                .subcommand(
                    Command::new("status").about("Tell how many data keys each one wraps").arg(json()),
                )
                .subcommand(Command::new("rotate").about("Move every data key onto a new master key")),
        )
        .subcommand(record())
        .subcommand(policy::command())
        .subcommand(Command::new("openapi").about("Print the OpenAPI document of the JSON API"))
        .subcommand(
            Command::new(CHILD_SUBCOMMAND).hide(true).arg(
                Arg::new("arguments")
                    .num_args(0..)
                    .trailing_var_arg(true)
                    .allow_hyphen_values(true)
                    .value_parser(value_parser!(OsString)),
            ),
        );
    for (setting, flag) in SETTINGS.iter().zip(FLAGS.iter()) {
        if let Some(flag) = flag {
            command = command.arg(
                Arg::new(setting.key)
                    .long(flag.as_str())
                    .value_name(setting.form)
                    .global(true)
                    .help(setting.meaning)
                    .help_heading("Settings"),
            );
        }
    }
    command
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

fn bootstrap() -> Command {
    Command::new("bootstrap")
        .about("Make the first organization, its owner and an API key; only on an empty installation")
        .arg(
            Arg::new("org")
                .long("org")
                .value_name("SLUG")
                .required(true)
                .help("Short name of the organization"),
        )
        .arg(Arg::new("email").long("email").value_name("E-MAIL").required(true).help("Address of its owner"))
        .arg(
            Arg::new("password-stdin")
                .long("password-stdin")
                .action(ArgAction::SetTrue)
                .help("Read the owner's password from standard input; without it they have none yet"),
        )
        .arg(json())
}

fn record() -> Command {
    let file = || value_parser!(PathBuf);
    Command::new("audit")
        .about("The audit record")
        .subcommand_required(true)
        .subcommand(
            Command::new("verify")
                .about("Verify an export; needs no database")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(file())
                        .help("The export; - reads standard input"),
                )
                .arg(
                    Arg::new("anchors")
                        .long("anchors")
                        .value_name("FILE")
                        .value_parser(file())
                        .help("The checkpoints kept outside the database"),
                ),
        )
        .subcommand(
            Command::new("export")
                .about("Export an organization's record with its proof")
                .arg(Arg::new("org").long("org").value_name("SLUG").required(true).help("The organization"))
                .arg(
                    Arg::new("out")
                        .long("out")
                        .value_name("FILE")
                        .value_parser(file())
                        .help("Where to [default: standard output]"),
                ),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::permission::Role;

    fn parsed(line: &str) -> Invocation {
        parse(line.split(' ').map(OsString::from)).expect("a right command line")
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        assert_eq!(parsed("portreeve").order, Order::Serve);
        assert_eq!(parsed("portreeve --listen 127.0.0.1:1").order, Order::Serve);
        assert_eq!(parsed("portreeve doctor --json").order, Order::Doctor { is_json: true });
    }

    #[test]
    fn settings_are_taken_before_and_after_the_command() {
        for line in ["portreeve --smtp-host mail serve", "portreeve serve --smtp-host mail"] {
            assert_eq!(parsed(line).flags, [("smtp.host".to_owned(), "mail".to_owned())], "{line}");
        }
    }

    #[test]
    fn commands_take_what_they_need() {
        let Order::Bootstrap(wanted) =
            parsed("portreeve bootstrap --org acme --email a@b.example --json").order
        else {
            panic!("another order");
        };
        assert_eq!(
            (wanted.org.as_str(), wanted.email.as_str(), wanted.is_json),
            ("acme", "a@b.example", true)
        );
        let verify = Order::AuditVerify { file: "x.jsonl".into(), anchors: Some("a".into()) };
        assert_eq!(parsed("portreeve audit verify x.jsonl --anchors a").order, verify);
        let eval =
            "portreeve policy eval p.json --tool t --person a@b.example --role auditor --team a --team b";
        let Order::Policy(PolicyOrder::Eval { known, .. }) = parsed(&format!("{eval} --ip ::1")).order else {
            panic!("another order");
        };
        assert_eq!((known.person.as_deref(), known.role), (Some("a@b.example"), Some(Role::Auditor)));
        assert_eq!(
            (known.teams.as_slice(), known.ip.is_some()),
            (["a".to_owned(), "b".to_owned()].as_slice(), true)
        );
        assert_eq!(parsed("portreeve keys rotate --data-dir /tmp/x").flags[0].0, "data_dir");
        for bad in ["portreeve bootstrap --org acme", "portreeve keys", "portreeve audit verify"] {
            assert!(parse(bad.split(' ').map(OsString::from)).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_have_no_flag() {
        let line = ["portreeve", "--database-url", "postgres://x"].map(OsString::from);
        assert!(parse(line.into_iter()).is_err());
    }
}
