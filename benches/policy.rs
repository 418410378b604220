//! How long it takes to read and compile a policy, and to decide one call by it: `cargo bench --bench policy`.
//!
//! Prints nanoseconds, the best of several rounds. The cost of a call is not to grow with the number of tools that a
//! document names, only with what it says of the one that is called.

mod timing;

use std::{
    hint::black_box,
    io::{self, Write},
    sync::Arc,
};

use portreeve::{
    base::risk::Class,
    domain::policy::{
        document,
        engine::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, decide},
    },
    protocol::mcp::strict::{self, Limits},
};

use timing::time;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:>8}{:>12}{:>14}{:>14}{:>14}{:>14}",
        "tools", "conditions", "us to read", "us to compile", "ns a call", "ns 4 layers"
    )?;
    for tools in [10, 200, 2_000] {
        let text = policy(tools);
        let read = || document::read(text.as_bytes());
        let Ok(document) = read() else { return Err(io::Error::other("the policy is wrong")) };
        let document = Arc::new(document);
        let program = Program::new(Arc::clone(&document));
        let arguments = br#"{"owner":"acme","repository":"rockets","title":"The second stage separates late","labels":["bug","stage-2"],"amount":120.5}"#;
        let raw = strict::check(arguments, &Limits::of(arguments.len()))
            .map_err(|_| io::Error::other("no JSON"))?;
        let name = format!("tool_{}", tools / 2);
        let call = Call {
            tool: Tool { name: &name, class: Class::Write, is_reviewed: true },
            arguments: Some(raw),
            facts: Facts { user_role: Some("member"), user_teams: &["web", "sre"], ..Facts::default() },
        };
        let one = [Layer { name: LayerName::Grant, program: &program }];
        let four = LayerName::ALL.map(|name| Layer { name, program: &program });
        if decide(&call, &one).outcome != Outcome::Allow {
            return Err(io::Error::other("the call is not allowed"));
        }
        writeln!(
            out,
            "{tools:>8}{:>12}{:>14.0}{:>14.0}{:>14.0}{:>14.0}",
            tools * 5,
            time(|| drop(black_box(read()))) / 1e3,
            time(|| drop(black_box(Program::new(Arc::clone(&document))))) / 1e3,
            time(|| drop(black_box(decide(black_box(&call), &one)))),
            time(|| drop(black_box(decide(black_box(&call), &four)))),
        )?;
    }
    Ok(())
}

/// Five conditions and a limit for each tool.
fn policy(tools: usize) -> String {
    let rules = (0..tools).map(|at| {
        format!(
            r#""tool_{at}":{{"require":[{{"conditions":[{{"path":"args.owner","op":"eq","value":"acme"}},{{"path":"args.repository","op":"regex","value":"^[a-z-]+$"}}]}}],
            "deny_if":[{{"name":"large","conditions":[{{"path":"args.amount","op":"gt","value":500}}]}},{{"conditions":[{{"path":"args.labels[*]","op":"in","value":["secret","legal"]}},{{"path":"user.teams","op":"contains","value":"legal"}}]}}],
            "limits":[{{"counter":"calls","window":"hour","max":100,"scope":"grant"}}]}}"#
        )
    });
    format!(r#"{{"version":"1","default":"deny","tools":{{{}}}}}"#, rules.collect::<Vec<_>>().join(","))
}
