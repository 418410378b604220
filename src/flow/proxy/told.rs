//! What an agent is told of the calls of cases: the proxy's words for what the engine decided, so that cases hold both
//! to theirs.
//!
//! Cases name no policies, so each is called by its layer. An approval is asked for at the time of the case, at
//! midnight where it has none, and there are people to ask; a limit has room; and a tool that nobody reviewed was
//! reviewed before it changed.

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::{ApprovalId, GrantId, PolicyId},
    domain::{
        approvals::WrittenNeed,
        policy::{
            cases::{Cases, Decided, Deviation},
            engine::LayerName,
        },
        servers::ToolState,
    },
    flow::{
        decision::{Asked, InForce, Say, asked_or_stopped},
        proxy::{
            approve::{Waiting, Way, Word, part_of},
            judge::stopped,
            plight::reasons,
            refusal::Refusal,
        },
    },
};

/// The version that each policy is in.
const VERSION: i32 = 1;

/// The cases whose agents are told something other than they say. A case that says nothing of it is not looked at.
pub fn deviations(cases: &Cases) -> Vec<Deviation> {
    let policies = Policies::of(cases);
    let each = cases.decided().into_iter().filter_map(|case| {
        let (name, said) = (case.name.to_owned(), case.told?);
        let told = policies.told(case);
        let found = told.as_deref().unwrap_or("nothing, for the call may be made");
        (told.as_deref() != Some(said))
            .then(|| Deviation { name, found: format!("the agent is told {found}") })
    });
    each.collect()
}

/// The policies of cases, as if they were in force.
struct Policies(Vec<(LayerName, Arc<InForce>)>);

impl Policies {
    fn of(cases: &Cases) -> Self {
        let each = cases.programs().iter().map(|(layer, program)| {
            let (slug, program) = (layer.as_str().to_owned(), Arc::new(program.clone()));
            (*layer, Arc::new(InForce { id: PolicyId::fresh(), slug, number: VERSION, program }))
        });
        Self(each.collect())
    }

    /// What the agent of a case is told; nothing where its call may be made.
    fn told(&self, case: Decided<'_>) -> Option<String> {
        let policies = self.0.iter();
        let says: Vec<Say<'_>> = policies
            .map(|(layer, policy)| Say { layer: *layer, id: policy.id, team: None, policy: Some(policy) })
            .collect();
        let Decided { tool, now, verdict, .. } = case;
        let refusal = match asked_or_stopped(verdict.outcome, &tool, &verdict.trace, &says) {
            Ok(needs) => Refusal::Approval(Box::new(waiting(&needs, tool.name, now)?)),
            Err(what) => stopped(what, tool.name, ToolState::Changed),
        };
        Some(refusal.text().into_owned())
    }
}

/// A call that waits for these; nothing where there is nobody to wait for.
fn waiting(needs: &[Asked], tool: &str, now: Option<OffsetDateTime>) -> Option<Waiting> {
    let first = needs.first()?;
    let within = needs.iter().map(|asked| asked.need.ask.within).min().unwrap_or_default();
    let written: Vec<WrittenNeed> = needs.iter().map(Asked::written).collect();
    let approvers: Vec<_> = written.iter().map(WrittenNeed::in_words).collect();
    Some(Waiting {
        id: ApprovalId::fresh(),
        grant: GrantId::fresh(),
        subject: tool.to_owned(),
        approvers: approvers.join(" and "),
        notes: reasons(needs),
        expires_at: now.unwrap_or(OffsetDateTime::UNIX_EPOCH) + Duration::seconds(within.into()),
        word: Word::None,
        policy: first.policy.clone(),
        part: part_of(first),
        page: String::new(),
        way: Way::Later,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        path::{Path, PathBuf},
    };

    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize)]
    struct Written<'t> {
        #[serde(borrow)]
        cases: Vec<&'t RawValue>,
    }

    fn corpus() -> Vec<PathBuf> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
        let entries = fs::read_dir(folder).expect("the folder is there");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    fn read(path: &Path) -> (String, Cases) {
        let text = fs::read_to_string(path).expect("a readable file");
        let cases = Cases::read(&text).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        (text, cases)
    }

    /// What the agent of each case is told, in the order of the cases.
    fn told(cases: &Cases) -> Vec<Option<String>> {
        let (policies, decided) = (Policies::of(cases), cases.decided());
        assert_eq!(decided.len(), cases.count(), "every case can be decided");
        decided.into_iter().map(|case| policies.told(case)).collect()
    }

    /// Cases with what their agents are told written behind each, in place of what stood there.
    fn rewritten(text: &str, told: &[Option<String>]) -> String {
        let Written { cases } = serde_json::from_str(text).expect("cases");
        let (mut out, mut rest) = (String::new(), text);
        for (case, told) in cases.into_iter().zip(told) {
            let case = case.get();
            let (before, after) = rest.split_once(case).expect("it was read from there");
            out.push_str(before);
            let column = out.len() - out.rfind('\n').map_or(0, |end| end + 1);
            out.push_str(&with(case, told.as_deref(), column));
            rest = after;
        }
        out + rest
    }

    /// One case with what its agent is told, on a line of its own.
    fn with(case: &str, told: Option<&str>, column: usize) -> String {
        const KEY: &str = "\"told\":";
        let mut case = case.to_owned();
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&case).expect("a case");
        if let Some(there) = members.get("told") {
            // It is always the last member.
            let key = case.rfind(KEY).expect("it was read from there");
            let start = case[..key].rfind(',').expect("a name stands before it");
            let value = case[key + KEY.len()..].find(there.get()).expect("it was read from there");
            case.replace_range(start..key + KEY.len() + value + there.get().len(), "");
        }
        let Some(told) = told else { return case };
        let told = serde_json::to_string(told).expect("a text");
        let members = case[..case.len() - 1].trim_end();
        let (indent, end) = match case.starts_with("{\n") {
            true => (" ".repeat(column + 2), format!("\n{}", " ".repeat(column))),
            false => (" ".repeat(column + 1), String::new()),
        };
        format!("{members},\n{indent}{KEY} {told}{end}}}")
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "only a test that writes its own snapshot asks for this")]
    fn the_agent_of_each_case_of_the_corpus_is_told_what_it_says() {
        let is_writing = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
        let mut faults = Vec::new();
        for path in corpus() {
            let (text, cases) = read(&path);
            let told = told(&cases);
            if is_writing {
                fs::write(&path, rewritten(&text, &told)).expect("written");
            }
            let (_, cases) = read(&path);
            for (case, told) in cases.decided().iter().zip(told) {
                if case.told != told.as_deref() {
                    faults.push(format!(
                        "{}: {}: says {:?}, is {told:?}",
                        path.display(),
                        case.name,
                        case.told
                    ));
                }
            }
        }
        assert!(faults.is_empty(), "UPDATE_SNAPSHOTS=1 writes what is missing:\n{}", faults.join("\n"));
    }

    #[test]
    fn what_an_agent_is_told_is_looked_at_where_a_case_says_it() {
        let read = |said: &str| {
            Cases::read(&format!(
                r#"{{"layers":{{"team":{{"version":"1","default":"deny","hide":["secret_*"],"tools":{{
                    "pay":{{"require_approval_if":[{{"name":"large","conditions":[],"approvers":"role:admin"}}]}},
                    "get":{{"deny_if":[{{"on_deny":"Not today","conditions":[{{"path":"args.a","op":"exists","value":true}}]}}]}}
                }}}}}},"cases":[{{"name":"one",{said}}}]}}"#
            ))
            .expect("cases")
        };
        let told = |said: &str| told(&read(said)).remove(0);
        let denied = r#""tool":"get","args":{"a":1},"verdict":"deny""#;
        let text = "[PORTREEVE DENIED] The policy team, rule /tools/get/deny_if/0, denies the tool get. Not today. Other \
                    arguments may pass.";
        assert_eq!(told(denied).as_deref(), Some(text));
        assert_eq!(
            told(r#""tool":"secret_x","verdict":"hidden""#).as_deref(),
            Some("Unknown tool: secret_x")
        );
        assert_eq!(told(r#""tool":"get","args":{},"verdict":"allow""#), None);
        let asked =
            told(r#""tool":"pay","verdict":"ask","facts":{"time":"2026-01-31T08:00:00Z"}"#).expect("asked");
        assert_eq!(
            asked,
            "[APPROVAL NEEDED] The policy team asks a human before pay is called with these arguments: anyone with the role \
             admin. Rule large. They may decide until 08:30 UTC. Call it again with exactly the same arguments when they have \
             agreed."
        );
        let found = |said: &str| deviations(&read(said)).iter().map(ToString::to_string).collect::<Vec<_>>();
        let right = format!(r#"{denied},"told":"{text}""#);
        assert!(found(denied).is_empty() && found(&right).is_empty());
        let wrong = found(&format!(r#"{denied},"told":"No.""#));
        assert_eq!(wrong, [format!("one: the agent is told {text}")]);
        let allowed = found(r#""tool":"get","args":{},"verdict":"allow","told":"No.""#);
        assert_eq!(allowed, ["one: the agent is told nothing, for the call may be made"]);
    }

    #[test]
    fn a_text_is_written_behind_its_case_and_in_place_of_another() {
        let bare = r#"{
  "cases": [
    {"name": "a", "args": {"told": {}}},
    {
      "name": "b"
    },
    {"name": "c"}
  ]
}"#;
        let told = [Some("No \"}\"."), Some("No."), None].map(|text| text.map(str::to_owned));
        let written = rewritten(bare, &told);
        assert_eq!(
            written,
            r#"{
  "cases": [
    {"name": "a", "args": {"told": {}},
     "told": "No \"}\"."},
    {
      "name": "b",
      "told": "No."
    },
    {"name": "c"}
  ]
}"#
        );
        assert_eq!(rewritten(&written, &told), written);
        assert_eq!(rewritten(&written, &[None, None, None]), bare);
    }
}
