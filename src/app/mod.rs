//! The roof: builds every long-lived thing once, opens every door, and closes them again.
//!
//! Owns the command line, start and stop, telemetry and the faults a start can end with.
//! Invariant: nothing is decided here about who may do what; the floors below do that.
//! Invariant: a command ends with success, or with one sentence, its remedy and an exit code.

pub mod announce;
pub mod beside;
pub mod bootstrap;
pub mod cli;
pub mod doctor;
pub mod doors;
pub mod faults;
pub mod health;
pub mod keyring;
pub mod keys;
pub mod metrics;
pub mod observe;
pub mod policy;
pub mod postgres;
pub mod record;
pub mod replica;
pub mod serve;
pub mod server;
pub mod telemetry;

use std::{ffi::OsString, process::ExitCode};

use crate::{
    app::{
        cli::{Invocation, Order},
        faults::{Fault, FaultKind},
    },
    base::config::Config,
    io::db::builtin,
    web::{kit::openapi, routes},
};

/// Does what the command line asks for.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let invocation = match cli::parse(arguments) {
        Ok(invocation) => invocation,
        Err(asked) => asked.exit(),
    };
    if let Order::Postgres(arguments) = &invocation.order {
        announce::complain(&builtin::become_child(arguments));
        return ExitCode::FAILURE;
    }
    match obey(&invocation) {
        Ok(code) => code,
        Err(fault) => fault.report(),
    }
}

fn obey(invocation: &Invocation) -> Result<ExitCode, Fault> {
    // These need no settings, so wrong ones do not keep them.
    match &invocation.order {
        Order::OpenApi => {
            announce::say(openapi::document(routes().operations()));
            return Ok(ExitCode::SUCCESS);
        }
        Order::Policy(order) => return Ok(policy::obey(order)),
        Order::AuditVerify { file, anchors } => {
            return record::verify(file, anchors.as_deref()).map(|()| ExitCode::SUCCESS);
        }
        _ => {}
    }
    let config = Config::load(&invocation.flags, invocation.config_file.as_deref());
    if let Order::Doctor { is_json } = invocation.order {
        return doctor::doctor(config, is_json);
    }
    let config = config?;
    match &invocation.order {
        Order::Serve => serve::serve(config, doors::open)?,
        Order::Migrate => {
            let outcome = postgres::migrate(&config)?;
            announce::say(outcome);
        }
        Order::Bootstrap(wanted) => bootstrap::bootstrap(&config, wanted)?,
        Order::KeysStatus { is_json } => keys::status(&config, *is_json)?,
        Order::KeysRotate => keys::rotate(&config)?,
        Order::AuditExport { org, out } => record::export(&config, org, out.as_deref())?,
        Order::Doctor { .. }
        | Order::Postgres(_)
        | Order::OpenApi
        | Order::Policy(_)
        | Order::AuditVerify { .. } => {
            return Err(Fault::new(
                FaultKind::Other,
                "this command was handled before",
                "report this defect",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
