//! Policies written in words: decisions, exceptions and what holds for the whole, each a form that rewrites the draft.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    browser::Browser,
    http::{Page, Script, Visitor},
};

const ONE: &str = "/o/acme/policies/crew";
const EDIT: &str = "/o/acme/policies/crew/edit";
const EXCEPTION: &str = "/o/acme/policies/crew/exception";

/// A policy about a server with the tools `get_issue` (read) and `delete_repo` (destructive, to be reviewed).
async fn crew(app: &TestApp, document: Value) -> (Visitor, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    app.server(&org, "upstream").await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let new = json!({"name": "Crew", "server": "upstream", "document": document});
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    (ada.browser, key)
}

async fn draft(key: &Script) -> Value {
    key.get("/api/v1/orgs/acme/policies/crew").await.body["draft"]["document"].clone()
}

/// The value of the button that decides about a key.
fn button(page: &Page, decision: &str, key: &str) -> String {
    let values = page.body.split("value=\"").map(|rest| rest.split('"').next().unwrap_or_default());
    let mut fitting = values
        .filter(|value| value.starts_with(&format!("{decision} ")) && value.ends_with(&format!(" {key}")));
    fitting.next().unwrap_or_else(|| panic!("no button to {decision} {key}: {}", page.body)).to_owned()
}

/// Presses the button that decides about a key.
async fn decide(by: &mut Visitor, decision: &str, key: &str) -> Page {
    let page = by.get(ONE).await.expect(StatusCode::OK);
    let (csrf, set) = (by.csrf(), button(&page, decision, key));
    let page = by.post(EDIT, &[("csrf", &csrf), ("set", &set)]).await.expect(StatusCode::SEE_OTHER);
    by.follow(page).await.expect(StatusCode::OK)
}

/// Fills in the form of an exception.
async fn except(by: &mut Visitor, key: &str, kind: &str, at: &str, fields: &[(&str, &str)]) -> Page {
    let query = serde_urlencoded::to_string([("key", key), ("kind", kind), ("at", at)]).unwrap();
    let page = by.get(&format!("{EXCEPTION}?{query}")).await.expect(StatusCode::OK);
    let mut forms = page.forms(EXCEPTION);
    let mut form = forms.remove(forms.iter().position(|form| form.method == "post").unwrap());
    for (name, value) in fields {
        form.set(name, value);
    }
    by.post(EXCEPTION, &form.pairs()).await
}

#[tokio::test]
async fn decisions_are_made_per_tool_class_and_name_and_taken_back() {
    let app = TestApp::start().await;
    let (mut ada, key) =
        crew(&app, json!({"version": "1", "default": "deny", "tools": {"class:read": {"concurrency": 2}}}))
            .await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    for words in [
        "get_issue",
        "delete_repo",
        "Destructive",
        "class:read",
        "as unlisted tools",
        "waits for review",
        "at most 2 at once",
    ] {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    decide(&mut ada, "ask", "get_issue").await;
    let tools = json!({"class:read": {"concurrency": 2}, "get_issue": {"action": "require_approval", "concurrency": 2}});
    assert_eq!(draft(&key).await["tools"], tools, "what was inherited stays");
    decide(&mut ada, "hide", "class:destructive").await;
    let page = ada.get(ONE).await;
    assert!(page.says("Hidden by class:destructive"));
    assert_eq!(draft(&key).await["hide"], json!(["class:destructive"]));

    let page = ada.submit(&page, EDIT, &[]).await;
    assert_eq!(
        page.status,
        StatusCode::SEE_OTHER,
        "the form of the whole changes nothing by itself: {}",
        page.body
    );
    let page = ada.get(ONE).await;
    let mut forms = page.forms(EDIT);
    let mut whole = forms.remove(0);
    whole.set("default", "require_approval");
    whole.set("unreviewed", "default");
    whole.set("mode", "observe");
    ada.post(EDIT, &whole.pairs()).await.expect(StatusCode::SEE_OTHER);
    let now = draft(&key).await;
    assert_eq!(
        (&now["default"], &now["mode"], &now["unreviewed_tools"]),
        (&json!("require_approval"), &json!("observe"), &json!("default"))
    );

    let csrf = ada.csrf();
    let added = [("csrf", csrf.as_str()), ("key", "list_*"), ("decision", "allow")];
    ada.post(EDIT, &added).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(draft(&key).await["tools"]["list_*"], json!({}));
    let twice = ada.post(EDIT, &[("csrf", &csrf), ("key", "list_*"), ("decision", "deny")]).await;
    assert!(ada.follow(twice).await.says("It was not replaced"));
    let bad = ada.post(EDIT, &[("csrf", &csrf), ("key", "class:reed"), ("decision", "deny")]).await;
    assert!(bad.expect(StatusCode::UNPROCESSABLE_ENTITY).says("There is no class reed"));
    let page = ada.get(&format!("{ONE}?q=list_")).await;
    let forget = page
        .body
        .split("name=\"forget\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    ada.post(EDIT, &[("csrf", &csrf), ("forget", &forget)]).await.expect(StatusCode::SEE_OTHER);
    assert!(draft(&key).await["tools"].get("list_*").is_none());
}

#[tokio::test]
async fn every_kind_of_exception_is_added_changed_and_removed() {
    let app = TestApp::start().await;
    let (mut ada, key) = crew(&app, json!({"version": "1", "default": "allow"})).await;
    let condition = [("path-0", "args.env"), ("op-0", "in"), ("operand-0", "production\nstaging")];
    let fields = [&condition[..], &[("name", "Not here"), ("on_deny", "Closed.")]].concat();
    except(&mut ada, "get_issue", "deny_if", "", &fields).await.expect(StatusCode::SEE_OTHER);
    let fields = [&condition[..], &[("approvers", "team:leads"), ("quorum", "2"), ("within", "8h")]].concat();
    except(&mut ada, "get_issue", "require_approval_if", "", &fields).await.expect(StatusCode::SEE_OTHER);
    let limit = [
        ("max", "20"),
        ("window", "hour"),
        ("scope", "user"),
        ("counter", "reads"),
        ("window_kind", "sliding"),
        ("on_exceed", "require_approval"),
        ("count_errors", "false"),
        ("distinct", "args.id"),
    ];
    except(&mut ada, "get_issue", "limits", "", &limit).await.expect(StatusCode::SEE_OTHER);
    except(&mut ada, "get_issue", "concurrency", "", &[("entry", "4")]).await.expect(StatusCode::SEE_OTHER);
    except(&mut ada, "get_issue", "redact", "", &[("entry", "args.token")])
        .await
        .expect(StatusCode::SEE_OTHER);
    except(
        &mut ada,
        "",
        "require",
        "",
        &[("path-0", "ip"), ("op-0", "cidr"), ("operand-0", "10.0.0.0/8"), ("mode", "observe")],
    )
    .await
    .expect(StatusCode::SEE_OTHER);
    let conditions = json!([{"path": "args.env", "op": "in", "value": ["production", "staging"]}]);
    let wanted = json!({
        "deny_if": [{"name": "Not here", "conditions": conditions, "on_deny": "Closed."}],
        "require_approval_if": [{"conditions": conditions, "approvers": "team:leads", "quorum": 2, "within": "28800s"}],
        "limits": [{"counter": "reads", "window": "hour", "kind": "sliding", "max": 20, "scope": "user",
            "distinct": "args.id", "count_errors": false, "on_exceed": "require_approval"}],
        "concurrency": 4, "redact": ["args.token"]});
    let now = draft(&key).await;
    assert_eq!(now["tools"]["get_issue"], wanted);
    let all =
        json!([{"mode": "observe", "conditions": [{"path": "ip", "op": "cidr", "value": "10.0.0.0/8"}]}]);
    assert_eq!(now["all_tools"]["require"], all);

    let page = ada.get(ONE).await;
    for words in
        ["at most 4 at once", "is masked", "20 different", "2 of the team ", "within 8 hours", "only tried"]
    {
        assert!(page.says(words), "{words}: {}", page.body);
    }
    let changed = [("op-0", "exists"), ("operand-0", "false"), ("quantifier-0", "all")];
    except(&mut ada, "get_issue", "deny_if", "0", &changed).await.expect(StatusCode::SEE_OTHER);
    let wanted = json!([{"path": "args.env", "op": "exists", "value": false, "quantifier": "all"}]);
    assert_eq!(draft(&key).await["tools"]["get_issue"]["deny_if"][0]["conditions"], wanted);
    for kind in ["deny_if", "require_approval_if", "limits", "concurrency", "redact"] {
        let page =
            ada.get(&format!("{EXCEPTION}?key=get_issue&kind={kind}&at=0")).await.expect(StatusCode::OK);
        let mut forms = page.forms(EXCEPTION);
        let form = forms.remove(forms.iter().position(|form| form.method == "post").unwrap());
        ada.post(&format!("{EXCEPTION}/remove"), &form.pairs()).await.expect(StatusCode::SEE_OTHER);
    }
    assert_eq!(draft(&key).await["tools"]["get_issue"], json!({}));
    ada.get(&format!("{EXCEPTION}?key=get_issue&kind=redact&at=0")).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn why_is_said_of_a_decision_and_taken_back() {
    let app = TestApp::start().await;
    let (mut ada, key) = crew(
        &app,
        json!({"version": "1", "default": "allow", "tools": {"get_*": {"action": "deny", "reason": "Ask first."}}}),
    )
    .await;
    let there = "/o/acme/policies/crew/reason";
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    assert!(page.says("reason: Ask first."), "{}", page.body);
    let page = ada.get(&format!("{there}?key=get_issue")).await.expect(StatusCode::OK);
    assert!(page.body.contains("value=\"Ask first.\""), "what it is under stands there: {}", page.body);
    let stale = page;
    let saved = ada.submit(&stale, there, &[("reason", " Use the mirror. ")]).await;
    let page = ada.follow(saved).await.expect(StatusCode::OK);
    assert!(page.says("Saved in the draft.") && page.says("reason: Use the mirror."), "{}", page.body);
    let own = json!({"action": "deny", "reason": "Use the mirror."});
    assert_eq!(draft(&key).await["tools"]["get_issue"], own);
    let second = ada.submit(&stale, there, &[("reason", "No.")]).await.expect(StatusCode::CONFLICT);
    assert!(second.says("Somebody else changed the rules of get_issue meanwhile."), "{}", second.body);
    assert_eq!(draft(&key).await["tools"]["get_issue"], own);
    let long = "x".repeat(501);
    let long =
        ada.submit(&second, there, &[("reason", &long)]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(long.says("This has at most 500 characters."), "{}", long.body);
    let none = ada.submit(&second, there, &[("reason", "")]).await;
    let page = ada.follow(none).await.expect(StatusCode::OK);
    assert!(page.body.contains("/reason?key=get_issue"), "{}", page.body);
    assert_eq!(draft(&key).await["tools"]["get_issue"], json!({"action": "deny"}));
    for query in ["", "?key=class:none"] {
        ada.get(&format!("{there}{query}")).await.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_exception_stands_beside_its_field() {
    let app = TestApp::start().await;
    let (mut ada, key) = crew(&app, json!({"version": "1", "default": "allow"})).await;
    let page = except(&mut ada, "get_issue", "limits", "", &[("max", "many"), ("counter", "")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.says("A limit names its counter") && page.says("This has to be a number that is not negative.")
    );
    assert!(page.body.contains("href=\"#f-max\"") && page.body.contains("value=\"many\""), "{}", page.body);
    let page = except(
        &mut ada,
        "get_issue",
        "deny_if",
        "",
        &[("path-0", "argh.x"), ("op-0", "gt"), ("operand-0", "x")],
    )
    .await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.says("Condition 1, path: A path begins with args.") && page.body.contains("href=\"#f-path-0\""),
        "{}",
        page.body
    );
    assert_eq!(draft(&key).await, json!({"version": "1", "default": "allow"}));
}

#[tokio::test]
async fn two_editors_change_different_rules_and_never_the_same_one_unseen() {
    let app = TestApp::start().await;
    let (mut ada, key) =
        crew(&app, json!({"version": "1", "default": "deny", "tools": {"get_issue": {}}})).await;
    let page = ada.get(ONE).await.expect(StatusCode::OK);
    let stale = button(&page, "deny", "get_issue");
    decide(&mut ada, "ask", "get_issue").await;
    let csrf = ada.csrf();
    let other = button(&page, "allow", "class:write");
    ada.post(EDIT, &[("csrf", &csrf), ("set", &other)]).await.expect(StatusCode::SEE_OTHER);
    let now = draft(&key).await;
    assert_eq!(
        (&now["tools"]["get_issue"]["action"], &now["tools"]["class:write"]),
        (&json!("require_approval"), &json!({}))
    );
    let page = ada.post(EDIT, &[("csrf", &csrf), ("set", &stale)]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.follow(page).await.says("Somebody else changed this meanwhile. It was not replaced"));
    assert_eq!(draft(&key).await["tools"]["get_issue"]["action"], json!("require_approval"));
}

#[tokio::test]
async fn an_exception_is_found_again_after_somebody_changed_another_of_the_same_tool() {
    let app = TestApp::start().await;
    let rule = |value: &str| json!({"conditions": [{"path": "args.env", "op": "eq", "value": value}]});
    let tools = json!({"get_issue": {"deny_if": [rule("a"), rule("b")]}});
    let (mut ada, key) = crew(&app, json!({"version": "1", "default": "allow", "tools": tools})).await;
    let path = format!("{EXCEPTION}?key=get_issue&kind=deny_if&at=1");
    let page = ada.get(&path).await.expect(StatusCode::OK);
    let mut forms = page.forms(EXCEPTION);
    let mut form = forms.remove(forms.iter().position(|form| form.method == "post").unwrap());
    form.set("operand-0", "c");
    let first = ada.get(&format!("{EXCEPTION}?key=get_issue&kind=deny_if&at=0")).await;
    let mut forms = first.forms(EXCEPTION);
    let gone = forms.remove(forms.iter().position(|form| form.method == "post").unwrap());
    ada.post(&format!("{EXCEPTION}/remove"), &gone.pairs()).await.expect(StatusCode::SEE_OTHER);
    let page = ada.post(EXCEPTION, &form.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(page.says("saved again, it changes this exception alone"), "{}", page.body);
    let mut forms = page.forms(EXCEPTION);
    let again = forms.remove(forms.iter().position(|form| form.method == "post").unwrap());
    ada.post(EXCEPTION, &again.pairs()).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(draft(&key).await["tools"]["get_issue"]["deny_if"], json!([rule("c")]));
}

/// A browser with somebody's session.
async fn browser_of(app: &TestApp, visitor: &Visitor) -> Option<Browser> {
    let browser = Browser::open().await?;
    browser.goto(&format!("{}/login", app.origin())).await;
    browser.console().await;
    let session = visitor.cookie("portreeve_session").unwrap();
    let cookie = json!({ "name": "portreeve_session", "value": session, "url": app.origin() });
    browser.cdp("Network.setCookie", cookie).await;
    browser.resize(1440, 900).await;
    Some(browser)
}

#[tokio::test]
async fn with_script_each_step_is_saved_and_shown_at_once_and_the_focus_stays() {
    let app = TestApp::start().await;
    let (ada, key) = crew(&app, json!({"version": "1", "default": "deny"})).await;
    let Some(browser) = browser_of(&app, &ada).await else {
        return;
    };
    browser.goto(&format!("{}{ONE}", app.origin())).await;
    browser.eval("document.querySelector('button[value$=\" get_issue\"].ask').focus()").await;
    browser.press(&["Enter"]).await;
    browser.see(".json .code", "\"get_issue\"").await;
    browser
        .wait_for("document.activeElement.matches('button[value$=\" get_issue\"].ask[aria-pressed=true]')")
        .await;
    assert_eq!(draft(&key).await["tools"]["get_issue"]["action"], "require_approval");
    browser.eval("const s = document.querySelector('[name=default]'); s.value = 'allow'; s.dispatchEvent(new Event('change', {bubbles: true}))").await;
    browser.see(".json .code", "\"default\": \"allow\"").await;

    browser.see(".impact", "If you publish this draft").await;
    browser.wait_for("document.querySelector('#draft-acts a[href$=\"/publish\"]')").await;
    browser.wait_for("document.querySelector('.sim [name=tool]')").await;
    browser.fill(".sim [name=tool]", "get_issue").await;
    browser.click(".sim form button").await;
    browser.see("#tried", "With the draft: Ask").await;
    browser.click("button[value$=\" get_issue\"].deny").await;
    browser.see("#tried", "With the draft: Deny").await;
    browser.click("button[value$=\" get_issue\"].ask").await;
    browser.see("#tried", "With the draft: Ask").await;

    // The call is kept for whoever typed it, and what somebody else left in this tab is not.
    browser.eval("sessionStorage.setItem('call usr_other /x', '{}')").await;
    browser.goto(&format!("{}{EXCEPTION}?key=get_issue&kind=deny_if", app.origin())).await;
    let own = format!("call {} ", browser.attribute("html", "data-person").await.unwrap());
    let kept = "Object.keys(sessionStorage).filter((key) => key.startsWith('call '))";
    browser.wait_for(&format!("{kept}.length === 1 && {kept}[0].startsWith('{own}')")).await;
    browser.fill("[name=path-0]", "args.env").await;
    browser.see("#saved", "needs a value").await;
    browser.fill("[name=operand-0]", "production").await;
    browser.see("#saved", "Saved in the draft.").await;
    browser.fill("[name=operand-0]", "staging").await;
    browser.see("#saved", "\"staging\"").await;
    browser.wait_for("document.activeElement.name == 'operand-0'").await;
    let rules = json!([{"conditions": [{"path": "args.env", "op": "eq", "value": "staging"}]}]);
    assert_eq!(
        draft(&key).await["tools"]["get_issue"]["deny_if"],
        rules,
        "one rule is kept, not one for each letter"
    );

    browser.goto(&format!("{}{ONE}", app.origin())).await;
    browser.wait_for("document.querySelector('.sim [name=tool]')?.value == 'get_issue'").await;
    browser.see("#tried", "With the draft: Ask").await;

    browser.goto(&format!("{}{ONE}/json", app.origin())).await;
    browser.fill("[name=text]", "{\"version\": \"1\",\n\"default\": \"deni\"}").await;
    browser.see("#kept", "Not saved yet").await;
    browser.see("#says", "Did you mean deny?").await;
    browser.fill("[name=text]", "{\"version\": \"1\",\n\"default\": \"allow\"}").await;
    browser.see("#kept", "Saved in the draft.").await;
    assert_eq!(draft(&key).await, json!({"version": "1", "default": "allow"}));
    browser.fill("[name=text]", "{\"version\": \"1\",\n\"default\": \"deni\"}").await;
    browser.click("button[value=save]").await;
    browser.see(".summary", "Did you mean deny?").await;
    browser.click("[data-line='2']").await;
    browser.wait_for("getSelection().toString() == '\"default\": \"deni\"}' || document.activeElement.selectionStart == 16").await;
    browser.finish_refused().await;
}
