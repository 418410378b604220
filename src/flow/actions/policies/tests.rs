//! Promises that a policy is held to: kept with it, tried on each draft, in the way of a publication that breaks one.

use serde::Serialize;

use crate::{
    base::{faults::Faults, ids::PolicyTestId, permission::Permission, wording},
    domain::{
        audit::{self, Entry},
        policy::{
            document::Document,
            kept::{Policy, PolicyTest},
            store::{tests as store, versions},
        },
    },
    flow::{
        actions::policies::{
            named, read,
            simulate::{Ground, SimulatedCall, next_version},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{DbError, Tx},
};

/// How many tests a policy may have.
const MOST: i64 = 500;
/// What may become of a call.
pub const VERDICTS: [&str; 4] = ["allow", "require_approval", "deny", "hide"];

/// What a person types about a test.
#[derive(Clone, Debug, Default)]
pub struct TestInput {
    /// Its name.
    pub name: String,
    /// The call.
    pub call: SimulatedCall,
    /// `allow`, `require_approval`, `deny` or `hide`.
    pub expected: String,
}

/// A test, and what came of it.
#[derive(Clone, Debug)]
pub struct TestRun {
    /// The test.
    pub test: PolicyTest,
    /// Its call; none where it cannot be read any more.
    pub call: Option<SimulatedCall>,
    /// The verdict, or why there is none.
    pub found: Result<&'static str, String>,
    /// The part that decided.
    pub rule: String,
}

impl TestRun {
    /// Whether the promise holds.
    pub fn holds(&self) -> bool {
        self.found.as_ref().is_ok_and(|verdict| *verdict == self.test.expected)
    }
}

/// What the record keeps of a test.
#[derive(Serialize)]
struct TestRecord<'a> {
    name: &'a str,
    expected: &'a str,
}

/// The tests of a policy, tried on the draft, else on what is in force.
pub async fn run_tests(cx: &OrgCx, name: &str) -> ActionResult<(Policy, Vec<TestRun>)> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let tests = store::list(&mut tx, policy.id).await?;
    tx.done().await?;
    let draft = policy.draft.as_ref().map(|draft| read(&draft.document)).transpose()?;
    let runs = tried(cx, &policy, draft, tests).await?;
    Ok((policy, runs))
}

/// How many tests of a policy do not hold on one of its versions.
///
/// # Errors
/// A fault of `version` where there is none.
pub async fn failing_on(cx: &OrgCx, name: &str, number: i32) -> ActionResult<usize> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let tests = store::list(&mut tx, policy.id).await?;
    let found = versions::find(&mut tx, policy.id, number).await?;
    tx.done().await?;
    let Some((_, text)) = found else {
        return Err(ActionError::field("version", "there is no such version of this policy"));
    };
    let runs = tried(cx, &policy, Some(read(&text)?), tests).await?;
    Ok(runs.iter().filter(|run| !run.holds()).count())
}

/// What comes of a policy's tests on a document, else on what is in force.
async fn tried(
    cx: &OrgCx,
    policy: &Policy,
    document: Option<Document>,
    tests: Vec<PolicyTest>,
) -> ActionResult<Vec<TestRun>> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let mut ground = Ground::of(cx, policy).await?;
    let on = document.map(|document| next_version(policy, document)).or_else(|| ground.live());
    let Some(on) = on else { return Ok(Vec::new()) };
    let on = [on];
    let mut runs = Vec::with_capacity(tests.len());
    for test in tests {
        let call: Option<SimulatedCall> = serde_json::from_str(&test.call).ok();
        let decided = match &call {
            Some(call) => ground.decide(cx, call, &on).await,
            None => Err(ActionError::field("call", "the call cannot be read any more")),
        };
        let (found, rule) = match decided {
            Ok(decided) => match decided.into_iter().next() {
                Some(one) => (Ok(one.verdict), one.rule),
                None => (Err("nothing was decided".to_owned()), String::new()),
            },
            // What a test names may have gone; what is away is no outcome of a test.
            Err(ActionError::Fields(faults)) => (Err(faults.to_string()), String::new()),
            Err(other) => return Err(other),
        };
        runs.push(TestRun { test, call, found, rule });
    }
    Ok(runs)
}

/// Keeps a test with a policy.
///
/// # Errors
/// Every fault with its field; a refusal where there are too many.
pub async fn add_test(cx: &OrgCx, name: &str, input: &TestInput) -> ActionResult<PolicyTest> {
    cx.require(Permission::PoliciesWrite)?;
    let mut faults = Faults::default();
    let test_name = faults.check("name", wording::parse_name(&input.name));
    if !VERDICTS.contains(&input.expected.as_str()) {
        faults.add("expected", "choose allow, require_approval, deny or hide");
    }
    if input.call.tool.trim().is_empty() {
        faults.add("call.tool", "name a tool");
    }
    faults.into_result(())?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    if store::count(&mut tx, policy.id).await? >= MOST {
        let sentence = format!("A policy has at most {MOST} tests. Delete one first.");
        return Err(ActionError::refused("too_many_tests", sentence));
    }
    let test = PolicyTest {
        id: PolicyTestId::fresh(),
        name: test_name.unwrap_or_default(),
        call: serde_json::to_string(&input.call).map_err(ActionError::defect)?.into(),
        expected: input.expected.clone(),
        created_at: cx.now(),
    };
    store::insert(&mut tx, policy.id, &test, cx.user()).await.map_err(name_taken)?;
    let entry = Entry::admin("policy_test.created", &cx.who())
        .target("policy", policy.id, &policy.name)
        .after(&TestRecord { name: &test.name, expected: &test.expected });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(test)
}

/// Drops a test of a policy.
pub async fn drop_test(cx: &OrgCx, name: &str, id: &str) -> ActionResult<()> {
    cx.require(Permission::PoliciesWrite)?;
    let id: PolicyTestId = id.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let gone = store::delete(&mut tx, policy.id, id).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("policy_test.deleted", &cx.who())
        .target("policy", policy.id, &policy.name)
        .before(&TestRecord { name: &gone, expected: "" });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(())
}

fn name_taken(error: DbError) -> ActionError {
    if error.broke(store::NAME_IS_FREE) {
        ActionError::field("name", "another test of this policy has this name; choose another")
    } else {
        error.into()
    }
}
