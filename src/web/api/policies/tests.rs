//! `policies/{policy}/tests` of the JSON API: promises that a policy is held to.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{ids::PolicyTestId, permission::Permission},
    domain::policy::kept::PolicyTest,
    flow::actions::policies::{self, SimulatedCall, TestInput, TestRun},
    web::{
        api::policies::simulation::CallBody,
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/policies/{policy}/tests", "listPolicyTests")
                .about("Policies", "Try the tests of a policy on its draft, else on what is in force")
                .needs(Permission::PoliciesRead)
                .gives::<TestsView>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(
                "/orgs/{org}/policies/{policy}/tests",
                "createPolicyTest",
                Effect::Records(&["policy_test.created"]),
            )
            .about("Policies", "Keep a call and what has to become of it with a policy")
            .needs(Permission::PoliciesWrite)
            .takes::<TestBody>()
            .gives::<TestView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::delete(
                "/orgs/{org}/policies/{policy}/tests/{test}",
                "deletePolicyTest",
                Effect::Records(&["policy_test.deleted"]),
            )
            .about("Policies", "Drop a test")
            .needs(Permission::PoliciesWrite)
            .gives_nothing(),
            remove,
        )
}

/// What has to become of a call.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PolicyTestVerdict")]
enum Expected {
    Allow,
    RequireApproval,
    Deny,
    Hide,
}

impl Expected {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
            Self::Hide => "hide",
        }
    }
}

/// A new test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPolicyTest")]
struct TestBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    call: CallBody,
    expected: Expected,
}

/// A test.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyTest")]
struct TestView {
    id: PolicyTestId,
    name: String,
    expected: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
}

impl From<PolicyTest> for TestView {
    fn from(test: PolicyTest) -> Self {
        Self { id: test.id, name: test.name, expected: test.expected, created_at: test.created_at }
    }
}

/// A test and what came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyTestRun")]
struct RunView {
    #[serde(flatten)]
    test: TestView,
    tool: String,
    /// Whether the promise holds.
    holds: bool,
    /// The verdict; null where the call names something that is gone.
    verdict: Option<&'static str>,
    /// Why there is no verdict.
    problem: Option<String>,
    /// The part of the document that decided, as a JSON pointer.
    rule: String,
}

impl From<TestRun> for RunView {
    fn from(run: TestRun) -> Self {
        let holds = run.holds();
        let (verdict, problem) = match run.found {
            Ok(verdict) => (Some(verdict), None),
            Err(problem) => (None, Some(problem)),
        };
        let tool = run.call.map(|call| call.tool).unwrap_or_default();
        Self { test: run.test.into(), tool, holds, verdict, problem, rule: run.rule }
    }
}

/// All tests of a policy and what came of them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PolicyTests")]
struct TestsView {
    items: Vec<RunView>,
    next_cursor: Option<()>,
}

async fn list(cx: KeyAsk, Path((_, policy)): Path<(String, String)>) -> ApiResult {
    let (_, runs) = policies::run_tests(&cx, &policy).await?;
    let items = runs.into_iter().map(RunView::from).collect();
    Ok(json::plain(StatusCode::OK, &TestsView { items, next_cursor: None }))
}

async fn create(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    Body(body): Body<TestBody>,
) -> ApiResult {
    let call = SimulatedCall::from(body.call);
    let input = TestInput { name: body.name, call, expected: body.expected.as_str().to_owned() };
    let test = policies::add_test(&cx, &policy, &input).await?;
    Ok(json::plain(StatusCode::CREATED, &TestView::from(test)))
}

async fn remove(cx: KeyAsk, Path((_, policy, test)): Path<(String, String, String)>) -> ApiResult {
    policies::drop_test(&cx, &policy, &test).await?;
    Ok(json::nothing())
}
