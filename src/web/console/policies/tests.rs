//! Tests of a policy: what was promised, what becomes of it on the draft, else on what is in force; add and delete.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    flow::actions::policies::{self, Offered, TestInput, TestRun, without_call},
    web::{
        console::{
            policies::{
                Head,
                answers::word_of,
                simulator::{CallForm, agent_choices, href_of, verdict_choices},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            page::{PageResult, go_saying, page_with},
            parts::Choice,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/tests.html")]
struct TestsPage {
    shell: Shell,
    head: Head,
    href: String,
    /// On what they were tried: "the draft", "version 3".
    on: String,
    failing: usize,
    rows: Vec<TestRow>,
    can_write: bool,
    form: TestForm,
    call: CallForm,
    offered: Offered,
    servers: Vec<Choice>,
    agents: Vec<Choice>,
    verdicts: Vec<Choice>,
    faults: FormFaults,
}

struct TestRow {
    name: String,
    /// The call in words.
    call: String,
    /// The call in the simulator, without values of arguments.
    simulate: String,
    expected: &'static str,
    tone: &'static str,
    glyph: &'static str,
    actual: &'static str,
    /// Why there is no verdict.
    problem: String,
    rule: String,
    holds: bool,
    delete: String,
    dialog: String,
    title: String,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct TestForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    expected: String,
    #[serde(flatten)]
    call: CallForm,
}

#[derive(Deserialize)]
pub(super) struct Press {}

impl TestRow {
    fn of(href: &str, at: usize, run: TestRun) -> Self {
        let holds = run.holds();
        let (tone, glyph, actual) = match &run.found {
            Ok(verdict) => word_of(verdict),
            Err(_) => ("rule", "warn", "Not tried"),
        };
        let call = run.call.map(CallForm::of).unwrap_or_default();
        let who = [&call.grant, &call.user].into_iter().find(|who| !who.is_empty());
        let who = who.map(|who| format!(" by {who}")).unwrap_or_default();
        let arguments = if call.arguments.is_empty() { "" } else { " with arguments" };
        Self {
            call: format!("{}{arguments}{who}", call.tool),
            simulate: call.query(&format!("{href}/simulate")),
            expected: word_of(&run.test.expected).2,
            tone,
            glyph,
            actual,
            problem: run.found.err().unwrap_or_default(),
            rule: run.rule,
            holds,
            delete: format!("{href}/tests/{}/delete", run.test.id),
            dialog: format!("delete-{at}"),
            title: format!("Delete the test “{}”?", run.test.name),
            name: run.test.name,
        }
    }
}

pub(super) async fn list(ask: OrgPage, Path((_, policy)): Path<(String, String)>) -> PageResult {
    shown(&ask, StatusCode::OK, &policy, TestForm::default(), FormFaults::default()).await
}

async fn shown(
    ask: &OrgPage,
    status: StatusCode,
    policy: &str,
    form: TestForm,
    faults: FormFaults,
) -> PageResult {
    let sheet = policies::find(&ask.cx, policy).await?;
    let (_, mut runs) = policies::run_tests(&ask.cx, policy).await?;
    // What fails first; the order of the list otherwise.
    runs.sort_by_key(TestRun::holds);
    let offered = policies::offer(&ask.cx, &form.call.server).await?;
    let href = href_of(ask, &sheet);
    let servers = std::iter::once(Choice::new("", "As the policy has it"))
        .chain(offered.servers.iter().map(|server| Choice::new(&server.slug, &server.name)));
    let page = TestsPage {
        shell: shell_of::org(ask, format!("Tests of {}", sheet.policy.name))
            .await?
            .with_faults(!faults.is_empty()),
        head: Head::of(ask, &sheet.policy, "/tests"),
        on: match (&sheet.policy.draft, sheet.policy.live) {
            (Some(_), _) => "the draft".to_owned(),
            (None, Some(number)) => format!("version {number}"),
            (None, None) => String::new(),
        },
        failing: runs.iter().filter(|run| !run.holds()).count(),
        servers: Choice::chosen_of(servers, &form.call.server),
        agents: agent_choices(&offered, &form.call.grant),
        rows: runs.into_iter().enumerate().map(|(at, run)| TestRow::of(&href, at, run)).collect(),
        href,
        can_write: ask.cx.may(Permission::PoliciesWrite),
        verdicts: verdict_choices(if form.expected.is_empty() { "deny" } else { &form.expected }),
        call: form.call.clone(),
        form,
        offered,
        faults,
    };
    page_with(status, &page)
}

pub(super) async fn add(
    ask: OrgPage,
    Path((_, policy)): Path<(String, String)>,
    Form(form): Form<TestForm>,
) -> PageResult {
    let added = match form.call.call() {
        Ok(call) => {
            let input = TestInput { name: form.name.clone(), call, expected: form.expected.clone() };
            policies::add_test(&ask.cx, &policy, &input).await.map_err(without_call)
        }
        Err(error) => Err(error),
    };
    match added {
        Ok(test) => {
            let sheet = policies::find(&ask.cx, &policy).await?;
            let said = format!("“{}” is kept. It is tried on every draft.", test.name);
            Ok(go_saying(&format!("{}/tests", href_of(&ask, &sheet)), Toast::say(said)))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            shown(&ask, StatusCode::UNPROCESSABLE_ENTITY, &policy, form, faults).await
        }
    }
}

pub(super) async fn remove(
    ask: OrgPage,
    Path((_, policy, test)): Path<(String, String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    policies::drop_test(&ask.cx, &policy, &test).await?;
    let sheet = policies::find(&ask.cx, &policy).await?;
    Ok(go_saying(&format!("{}/tests", href_of(&ask, &sheet)), Toast::say("The test is gone.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let row = |at: usize, text: &str| TestRow {
        name: text.into(),
        call: text.into(),
        simulate: "/o/acme/policies/crew/simulate?tool=x".into(),
        expected: "Deny",
        tone: "allow",
        glyph: "ok",
        actual: "Allow",
        problem: if at == 0 { text.into() } else { String::new() },
        rule: "/tools/merge/deny_if/0".into(),
        holds: at > 1,
        delete: "/o/acme/policies/crew/tests/x/delete".into(),
        dialog: format!("delete-{at}"),
        title: text.into(),
    };
    let page = |count: usize, text: &str, faults| TestsPage {
        shell: shell(Base::Organization, "Tests of Crew"),
        head: super::sample_head("GitHub", true, true),
        href: "/o/acme/policies/crew".into(),
        on: "the draft".into(),
        failing: count.min(2),
        rows: (0..count).map(|at| row(at, text)).collect(),
        can_write: count != 1,
        form: TestForm { name: text.into(), ..TestForm::default() },
        call: CallForm { tool: text.into(), ..CallForm::default() },
        offered: Offered::default(),
        servers: vec![Choice::new("", text)],
        agents: Vec::new(),
        verdicts: verdict_choices("deny"),
        faults,
    };
    let all = ["name", "expected", "grant", "user", "client", "server", "tool", "arguments", "ip", "at"];
    let all: Vec<_> = all.into_iter().map(|field| (field, "no")).collect();
    vec![
        sample("tests: none", &page(0, "", FormFaults::default())),
        sample("tests: read", &page(1, SHARP, FormFaults::default())),
        sample("tests: many", &page(50, LONG, FormFaults::default())),
        sample("tests: refused", &page(3, SHARP, faults(&all))),
    ]
}
