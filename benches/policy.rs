//! How long it takes to read and compile a policy, and to decide one call by it: `cargo bench --bench policy`.
//!
//! Prints microseconds, the best of several rounds. The cost of a call is not to grow with the number of tools that a
//! document names, only with what it says of the one that is called: one call under 2,000 tools and 10,000 conditions is
//! to take less than 5 µs once the document is compiled, and the measurement fails where it takes longer; also where
//! every tool has as many conditions as any, and all those of the one that is called are looked at and none matches.
//! What it costs where many of the 10,000 are those of the called tool is printed beside it. Behind that stand the calls
//! that take longest: what an agent may send to keep a replica busy.

mod timing;

use std::{
    cmp::Ordering,
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

/// How many microseconds one call under a large document may take.
const MOST: f64 = 5.0;
/// How large that document is.
const TOOLS: usize = 2_000;
const CONDITIONS: usize = 10_000;

/// A document, and the tool that is called under it; the call may be made.
struct Case {
    /// What its conditions come to.
    what: String,
    tools: usize,
    conditions: usize,
    policy: String,
    called: String,
    /// Whether it must not take longer than [`MOST`].
    is_bound: bool,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    usual(&mut out)?;
    worst(&mut out)
}

fn usual(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>8}{:>12}  {:<40}{:>12}{:>15}{:>12}{:>14}",
        "tools",
        "conditions",
        "of the tool that is called",
        "us to read",
        "us to compile",
        "us a call",
        "us 4 layers"
    )?;
    let mut faults = Vec::new();
    for case in cases() {
        let took = measure(out, &case)?;
        if case.is_bound && took > MOST {
            faults.push(format!("{}: {took:.2} us, at most {MOST}", case.what));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(io::Error::other(faults.join("; "))) }
}

/// Prints what one case takes, and gives how many microseconds one call does under its document alone.
fn measure(out: &mut impl Write, case: &Case) -> io::Result<f64> {
    let read = || document::read(case.policy.as_bytes());
    let Ok(document) = read() else { return Err(io::Error::other("the policy is wrong")) };
    let document = Arc::new(document);
    let program = Program::new(Arc::clone(&document));
    let arguments = br#"{"owner":"acme","repository":"rockets","title":"The second stage separates late","labels":["bug","stage-2"],"amount":120.5}"#;
    let raw =
        strict::check(arguments, &Limits::of(arguments.len())).map_err(|_| io::Error::other("no JSON"))?;
    let call = Call {
        tool: Tool { name: &case.called, class: Class::Write, is_reviewed: true },
        arguments: Some(raw),
        facts: Facts { user_role: Some("member"), user_teams: &["web", "sre"], ..Facts::default() },
    };
    let one = [Layer { name: LayerName::Grant, program: &program }];
    let four = LayerName::ALL.map(|name| Layer { name, program: &program });
    if decide(&call, &one).outcome != Outcome::Allow {
        return Err(io::Error::other("the call is not allowed"));
    }
    let took = time(|| drop(black_box(decide(black_box(&call), &one)))) / 1e3;
    writeln!(
        out,
        "{:>8}{:>12}  {:<40}{:>12.0}{:>15.0}{took:>12.2}{:>14.2}",
        case.tools,
        case.conditions,
        case.what,
        time(|| drop(black_box(read()))) / 1e3,
        time(|| drop(black_box(Program::new(Arc::clone(&document))))) / 1e3,
        time(|| drop(black_box(decide(black_box(&call), &four)))) / 1e3,
    )?;
    Ok(took)
}

fn cases() -> Vec<Case> {
    let usual = |tools: usize| Case {
        what: "5, as is usual".to_owned(),
        tools,
        conditions: tools * 5,
        policy: policy(tools),
        called: tool(tools / 2),
        is_bound: true,
    };
    // No tool has more than those that are as many for each.
    let even = CONDITIONS / TOOLS;
    let failing = |most: usize| Case {
        what: format!("{most}, none matches"),
        tools: TOOLS,
        conditions: CONDITIONS,
        policy: lopsided(most),
        called: tool(TOOLS / 2),
        is_bound: most == even,
    };
    [10, 200, TOOLS].map(usual).into_iter().chain([even, 20, 100, 1_000].map(failing)).collect()
}

fn tool(at: usize) -> String {
    format!("tool_{at}")
}

/// Conditions that are all looked at, for each is a rule of its own that denies, and of which none matches the call: so
/// many for the tool that is called, and the others among the other tools.
fn lopsided(most: usize) -> String {
    let (others, left) = (TOOLS - 1, CONDITIONS - most);
    let rules = (0..TOOLS).map(|at| {
        let count = match at.cmp(&(TOOLS / 2)) {
            Ordering::Equal => most,
            Ordering::Less => left / others + usize::from(at < left % others),
            Ordering::Greater => left / others + usize::from(at - 1 < left % others),
        };
        let each: Vec<_> =
            (0..count).map(|at| format!(r#"{{"conditions":[{}]}}"#, FAILING[at % FAILING.len()])).collect();
        format!(r#""{}":{{"deny_if":[{}]}}"#, tool(at), each.join(","))
    });
    format!(r#"{{"version":"1","default":"deny","tools":{{{}}}}}"#, rules.collect::<Vec<_>>().join(","))
}

/// One of each kind that the usual document has; none matches the call.
const FAILING: [&str; 5] = [
    r#"{"path":"args.owner","op":"eq","value":"other"}"#,
    r#"{"path":"args.repository","op":"regex","value":"^secret-"}"#,
    r#"{"path":"args.amount","op":"gt","value":500}"#,
    r#"{"path":"args.labels[*]","op":"in","value":["secret","legal"]}"#,
    r#"{"path":"user.teams","op":"contains","value":"legal"}"#,
];

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
