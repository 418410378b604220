use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::policy::{
    document,
    engine::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, decide},
};

/// What the engine does with a call of a tool under a document.
fn handling(document: &Document, name: &str, class: Class, is_reviewed: bool) -> Option<Handling> {
    let program = Program::new(Arc::new(document.clone()));
    let tool = Tool { name, class, is_reviewed };
    let call = Call { tool, arguments: None, facts: Facts::default() };
    let verdict = decide(&call, &[Layer { name: LayerName::Server, program: &program }]);
    match verdict.outcome {
        Outcome::Hidden(_) => Some(Handling::Hide),
        Outcome::Ask(_) => Some(Handling::Ask),
        Outcome::Deny(_) => None,
        Outcome::Allow => Some(match verdict.reservations.as_slice() {
            [] => Handling::Allow,
            [one] if (one.counter.as_str(), &one.max) == ("writes", &Number::from(WRITES)) => {
                Handling::LimitWrites
            }
            [one] if (one.counter.as_str(), &one.max) == ("executions", &Number::from(EXECUTIONS)) => {
                Handling::LimitExecutions
            }
            other => panic!("{other:?}"),
        }),
    }
}

fn care(tools: &str, handling: Handling) -> Care {
    let tools = Pattern::parse(tools).expect("a pattern");
    Care { tools, handling, reason: format!("It is {}.", handling.as_str()) }
}

fn offered(name: &str, class: Class) -> Offered<'_> {
    Offered { name, class, is_chosen: false }
}

#[test]
fn without_tools_it_says_what_holds_for_each_class() {
    let document = suggest(&[], &[]).document;
    assert_eq!(
        document.canonical(),
        concat!(
            r#"{"version":"1","default":"deny","hide":["class:destructive"],"tools":{"#,
            r#""class:execute":{"limits":[{"counter":"executions","window":"minute","max":20,"scope":"grant"}]},"#,
            r#""class:financial":{"action":"require_approval"},"class:read":{},"#,
            r#""class:write":{"limits":[{"counter":"writes","window":"minute","max":60,"scope":"grant"}]}}}"#
        )
    );
    for class in Class::ALL {
        assert_eq!(handling(&document, "any", class, true), Some(class.handling()), "{class}");
        assert!(matches!(handling(&document, "any", class, false), None | Some(Handling::Hide)), "{class}");
    }
}

#[test]
fn what_is_known_of_a_tool_gives_it_a_rule_with_its_reason() {
    let cares = [care("run", Handling::Ask), care("peek", Handling::Allow), care("x_*", Handling::Hide)];
    let tools = [
        offered("run", Class::Execute),
        offered("peek", Class::Write),
        offered("x_get", Class::Read),
        offered("get", Class::Read),
    ];
    let found = suggest(&tools, &cares);
    let told: Vec<_> = found.tools.iter().map(|one| (one.handling, one.care)).collect();
    assert_eq!(
        told,
        [
            (Handling::Ask, Some("It is ask.")),
            (Handling::Allow, Some("It is allow.")),
            (Handling::Hide, Some("It is hide.")),
            (Handling::Allow, None),
        ]
    );
    let text = found.document.canonical();
    assert!(text.contains(r#""run":{"action":"require_approval","reason":"It is ask."}"#), "{text}");
    assert!(text.contains(r#""hide":["class:destructive","x_get"]"#), "{text}");
}

#[test]
fn only_a_fact_about_a_whole_name_makes_milder_and_never_against_a_person_or_out_of_hiding() {
    let cares = [care("pay", Handling::Allow), care("drop", Handling::Allow), care("w*", Handling::Allow)];
    let chosen = Offered { is_chosen: true, ..offered("pay", Class::Financial) };
    for (tool, wanted) in [
        (offered("pay", Class::Financial), Handling::Allow),
        (chosen, Handling::Ask),
        (offered("drop", Class::Destructive), Handling::Hide),
        (offered("write", Class::Write), Handling::LimitWrites),
    ] {
        assert_eq!(suggest(&[tool], &cares).tools[0].handling, wanted, "{tool:?}");
    }
    let stricter = [care("*", Handling::Ask)];
    assert_eq!(suggest(&[chosen], &stricter).tools[0], Handled { handling: Handling::Ask, care: None });
    let read = Offered { is_chosen: true, ..offered("get", Class::Read) };
    assert_eq!(suggest(&[read], &stricter).tools[0].handling, Handling::Ask);
}

#[test]
fn a_name_that_means_something_else_as_a_key_gets_no_rule() {
    let cares = [care("*", Handling::Hide)];
    for name in ["class:read", "get_*"] {
        let found = suggest(&[offered(name, Class::Read)], &cares);
        assert_eq!(found.document.canonical(), suggest(&[], &[]).document.canonical(), "{name}");
        assert_eq!(found.tools[0], Handled { handling: Handling::Allow, care: None });
    }
}

#[test]
fn a_document_is_read_however_many_tools_are_hidden() {
    let names: Vec<String> = (0..3000).map(|n| format!("tool_{n}")).collect();
    let tools: Vec<_> = names.iter().map(|name| offered(name, Class::Read)).collect();
    let cares = [care("tool_*", Handling::Hide)];
    let found = suggest(&tools, &cares);
    assert!(document::read(found.document.canonical().as_bytes()).is_ok());
}

fn any_tools() -> impl Strategy<Value = Vec<(String, Class, bool)>> {
    let name = prop_oneof![
        prop::sample::select(vec!["get", "run", "class:write", "class:odd", "a*", "é\"\\"])
            .prop_map(str::to_owned),
        "[a-c]{1,3}",
    ];
    let tool = (name, prop::sample::select(Class::ALL.to_vec()), any::<bool>());
    prop::collection::vec(tool, 0..8).prop_map(|mut tools| {
        tools.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        tools.dedup_by(|(a, ..), (b, ..)| a == b);
        tools
    })
}

fn any_cares() -> impl Strategy<Value = Vec<Care>> {
    let key = prop_oneof![
        prop::sample::select(vec!["get", "run", "*", "a*", "*c"]).prop_map(str::to_owned),
        "[a-c]{1,3}",
    ];
    let one = (key, prop::sample::select(Handling::ALL.to_vec()));
    prop::collection::vec(one.prop_map(|(key, handling)| care(&key, handling)), 0..6)
}

proptest! {
    #[test]
    fn a_suggestion_is_canonical_and_decides_as_it_says(tools in any_tools(), cares in any_cares()) {
        let offered: Vec<_> = tools
            .iter()
            .map(|(name, class, is_chosen)| Offered { name, class: *class, is_chosen: *is_chosen })
            .collect();
        let found = suggest(&offered, &cares);
        let text = found.document.canonical();
        let read = document::read(text.as_bytes());
        let read = read.unwrap_or_else(|faults| panic!("{faults:?} in {text}"));
        prop_assert_eq!(read.canonical(), text);
        for (tool, told) in offered.iter().zip(&found.tools) {
            prop_assert_eq!(handling(&read, tool.name, tool.class, true), Some(told.handling), "{}", tool.name);
            let unreviewed = handling(&read, tool.name, tool.class, false);
            prop_assert!(unreviewed.is_none_or(|one| one == Handling::Hide), "{}", tool.name);
        }
    }

    #[test]
    fn nothing_is_handled_milder_than_its_class_or_a_fact_of_its_whole_name_asks(
        tools in any_tools(), cares in any_cares(),
    ) {
        let offered: Vec<_> = tools
            .iter()
            .map(|(name, class, is_chosen)| Offered { name, class: *class, is_chosen: *is_chosen })
            .collect();
        for (tool, told) in offered.iter().zip(suggest(&offered, &cares).tools) {
            let is_its = |care: &&Care| matches!(&care.tools, Pattern::Exact(name) if name == tool.name);
            let asked = cares.iter().filter(is_its).map(|care| care.handling).min();
            let by_class = tool.class.handling();
            let mildest = if tool.is_chosen || by_class == Handling::Hide { by_class } else {
                asked.map_or(by_class, |asked| asked.min(by_class))
            };
            prop_assert!(told.handling >= mildest, "{}", tool.name);
        }
    }

    #[test]
    fn tools_that_come_later_fall_under_their_class(
        tools in any_tools(), cares in any_cares(), class in prop::sample::select(Class::ALL.to_vec()),
    ) {
        let offered: Vec<_> =
            tools.iter().map(|(name, class, _)| Offered { name, class: *class, is_chosen: false }).collect();
        let document = suggest(&offered, &cares).document;
        prop_assert_eq!(handling(&document, "later-one", class, true), Some(class.handling()));
    }
}
