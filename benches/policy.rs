//! How long it takes to read and compile a policy, and to decide one call by it: `cargo bench --bench policy`.
//!
//! Prints nanoseconds, the best of several rounds. The cost of a call is not to grow with the number of tools that a
//! document names, only with what it says of the one that is called: one call under 2,000 tools and 10,000 conditions is to
//! take less than 5 µs, and the measurement fails where it takes longer. Behind it stand the calls that take longest: what an
//! agent may send to keep a replica busy.

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
        engine::{Call, Facts, Layer, LayerName, Outcome, Part, Program, Tool, decide},
    },
    protocol::mcp::strict::{self, Limits},
};

use timing::time;

/// How many nanoseconds one call under a large document may take.
const MOST: f64 = 5_000.0;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    usual(&mut out)?;
    worst(&mut out)
}

fn usual(out: &mut impl Write) -> io::Result<()> {
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
        let one_layer = time(|| drop(black_box(decide(black_box(&call), &one))));
        writeln!(
            out,
            "{tools:>8}{:>12}{:>14.0}{:>14.0}{:>14.0}{:>14.0}",
            tools * 5,
            time(|| drop(black_box(read()))) / 1e3,
            time(|| drop(black_box(Program::new(Arc::clone(&document))))) / 1e3,
            one_layer,
            time(|| drop(black_box(decide(black_box(&call), &four)))),
        )?;
        if one_layer > MOST {
            return Err(io::Error::other(format!("a call is to take at most {MOST} ns")));
        }
    }
    Ok(())
}

/// Calls that are as large as they may be, under documents that are as dear as they may be, in all four layers.
fn worst(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{:<44}{:>10}{:>14}", "the worst", "verdict", "ms 4 layers")?;
    for (what, all_tools, arguments) in attacks() {
        let text = format!(r#"{{"version":"1","default":"allow","all_tools":{all_tools}}}"#);
        let document = document::read(text.as_bytes())
            .map_err(|faults| io::Error::other(format!("{what}: {}", faults[0])))?;
        let program = Program::new(Arc::new(document));
        let raw = strict::check(arguments.as_bytes(), &Limits::default())
            .map_err(|_| io::Error::other("no JSON"))?;
        let tool = Tool { name: "get", class: Class::Read, is_reviewed: true };
        let call = Call { tool, arguments: Some(raw), facts: Facts::default() };
        let four = LayerName::ALL.map(|name| Layer { name, program: &program });
        let word = match decide(&call, &four).outcome {
            Outcome::Allow => "allow",
            Outcome::Ask(_) => "ask",
            Outcome::Deny(by) if matches!(by.part, Part::Beyond(..)) => "too large",
            Outcome::Deny(_) | Outcome::Hidden(_) => "deny",
        };
        let took = time(|| drop(black_box(decide(black_box(&call), &four))));
        writeln!(out, "{what:<44}{word:>10}{:>14.1}", took / 1e6)?;
    }
    Ok(())
}

/// What each is called, what holds for all tools, and the arguments.
fn attacks() -> Vec<(&'static str, String, String)> {
    let all = |of: usize, one: &dyn Fn(usize) -> String| (0..of).map(one).collect::<Vec<_>>().join(",");
    let rule = |list: &str, conditions: String| format!(r#"{{"{list}":[{{"conditions":[{conditions}]}}]}}"#);
    let is = |path: &str, op: &str, value: &str| {
        format!(r#"{{"path":"{path}","op":"{op}","value":{value},"quantifier":"all"}}"#)
    };
    let values = format!("[{}]", all(10_000, &|at| at.to_string()));
    let many = format!(r#"{{"k":[{}]}}"#, all(20_000, &|_| "9999".to_owned()));
    let keys = format!("{{{}}}", all(8_000, &|at| format!(r#""other{at}":{at}"#)));
    let text = format!(r#"{{"a":"{}"}}"#, "ab".repeat(5_000));
    let body = format!(r#"{{"a":"{}"}}"#, "\\n".repeat(2_000_000));
    let objects = format!(r#"{{"k":[{}]}}"#, all(50_000, &|at| format!(r#"{{"a":[{at},"x"],"b":{{}}}}"#)));
    let schema =
        r#"{"items":{"properties":{"a":{"items":{"type":["integer","string"]}}},"required":["a","b"]}}"#;
    let heavy = |at: usize| is("args.a", "regex", &format!(r#""[ab]*a[ab]{{1000}}c{at}""#));
    let light = |at: usize| is("args.a", "regex", &format!(r#""secret{at}|[a-z]+{at}x""#));
    let denied = |of: usize, one: &dyn Fn(usize) -> String| {
        format!(r#"{{"deny_if":[{}]}}"#, all(of, &|at| format!(r#"{{"conditions":[{}]}}"#, one(at))))
    };
    vec![
        ("20,000 values in a list of 10,000", rule("require", is("args.k[*]", "in", &values)), many.clone()),
        ("the same a hundred times", denied(100, &|_| is("args.k[*]", "eq", "5")), many),
        ("200 patterns that remember much, 10 kB", denied(200, &heavy), text.clone()),
        ("500 plain patterns, 10 kB", denied(500, &light), text),
        ("500 plain patterns, 4 MB", denied(500, &light), body.clone()),
        (
            "1,000 prefixes, 4 MB of escapes",
            denied(1_000, &|at| is("args.a", "starts_with", &format!(r#""{at}""#))),
            body,
        ),
        (
            "1,000 names, 8,000 other ones",
            denied(1_000, &|at| is(&format!("args.name{at}"), "exists", "true")),
            keys,
        ),
        ("a schema, 50,000 objects", rule("require", is("args.k", "matches_schema", schema)), objects),
    ]
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
