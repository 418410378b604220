use serde_json::json;

use super::*;

fn class(name: &str, definition: &Value) -> Classified {
    classify(&name.parse().expect("a name"), definition)
}

fn with_arguments(names: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    json!({"inputSchema": {"type": "object", "properties": properties}})
}

/// Names of tools that people use, as their servers spell them.
const NAMES: [(&str, Class); 78] = [
    ("get_file_contents", Class::Read),
    ("list_commits", Class::Read),
    ("search_repositories", Class::Read),
    ("issue_read", Class::Read),
    ("pull_request_read", Class::Read),
    ("get_me", Class::Read),
    ("get_workflow_run", Class::Read),
    ("list_workflow_runs", Class::Read),
    ("read_text_file", Class::Read),
    ("list_directory", Class::Read),
    ("get_file_info", Class::Read),
    ("read_graph", Class::Read),
    ("open_nodes", Class::Write),
    ("fetch", Class::Read),
    ("search", Class::Read),
    ("resolve-library-id", Class::Read),
    ("query-docs", Class::Read),
    ("notion-search", Class::Read),
    ("notion-fetch", Class::Read),
    ("API-post-search", Class::Write),
    ("API-retrieve-a-page", Class::Read),
    ("getJiraIssue", Class::Read),
    ("searchJiraIssuesUsingJql", Class::Read),
    ("slack_get_channel_history", Class::Read),
    ("conversations_search_messages", Class::Read),
    ("find_organizations", Class::Read),
    ("get_refund", Class::Read),
    ("list_invoices", Class::Read),
    ("describe_table", Class::Read),
    ("browser_snapshot", Class::Write),
    ("create_or_update_file", Class::Write),
    ("create_issue", Class::Write),
    ("issue_write", Class::Write),
    ("add_issue_comment", Class::Write),
    ("merge_pull_request", Class::Write),
    ("push_files", Class::Write),
    ("fork_repository", Class::Write),
    ("write_file", Class::Write),
    ("edit_file", Class::Write),
    ("move_file", Class::Write),
    ("create_entities", Class::Write),
    ("slack_post_message", Class::Write),
    ("slack_reply_to_thread", Class::Write),
    ("send_email", Class::Write),
    ("editJiraIssue", Class::Write),
    ("transitionJiraIssue", Class::Write),
    ("notion-create-pages", Class::Write),
    ("browser_click", Class::Write),
    ("browser_type", Class::Write),
    ("update_customer", Class::Write),
    ("sequentialthinking", Class::Write),
    ("actions_run_trigger", Class::Execute),
    ("execute_sql", Class::Execute),
    ("browser_evaluate", Class::Execute),
    ("run_code", Class::Execute),
    ("bash", Class::Execute),
    ("shell_exec", Class::Execute),
    ("deploy_edge_function", Class::Execute),
    ("apply_migration", Class::Execute),
    ("kubectl_apply", Class::Execute),
    ("deploy_to_vercel", Class::Execute),
    ("run_terminal_cmd", Class::Execute),
    ("delete_file", Class::Destructive),
    ("delete_entities", Class::Destructive),
    ("API-delete-a-block", Class::Destructive),
    ("removeReaction", Class::Destructive),
    ("drop_collection", Class::Destructive),
    ("reset_branch", Class::Destructive),
    ("revoke_token", Class::Destructive),
    ("git_reset", Class::Destructive),
    ("find_and_delete", Class::Destructive),
    ("run_and_delete", Class::Destructive),
    ("create_refund", Class::Financial),
    ("create_payment_link", Class::Financial),
    ("create_invoice", Class::Financial),
    ("pay_invoice", Class::Financial),
    ("transfer_funds", Class::Financial),
    ("purchase_domain", Class::Financial),
];

#[test]
fn names_in_use_get_the_class_a_person_would_give() {
    let wrong: Vec<_> = NAMES
        .iter()
        .map(|(name, wanted)| (*name, *wanted, class(name, &json!({})).class))
        .filter(|(_, wanted, found)| wanted != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_reason_names_the_word_or_the_argument() {
    assert_eq!(class("delete_repo", &json!({})).reason, "Its name says `delete`.");
    let run = class("magic", &with_arguments(&["command"]));
    assert_eq!((run.class, run.severity), (Class::Execute, Severity::High));
    assert_eq!(run.reason, "It takes an argument `command`, which is run.");
    let unknown = class("magic", &json!({}));
    assert_eq!((unknown.class, unknown.by), (Class::Write, ClassBy::Rule));
    assert_eq!(unknown.reason, "Nothing tells what it does, so it counts as one that writes.");
}

#[test]
fn arguments_raise_what_a_name_hides() {
    for (name, arguments, wanted) in [
        ("query_database", vec!["sql"], Class::Execute),
        ("get_data", vec!["Code"], Class::Execute),
        ("submit", vec!["amount", "currency"], Class::Financial),
        ("submit", vec!["amount"], Class::Write),
        ("push_branch", vec!["branch", "force"], Class::Destructive),
        ("list_directory", vec!["path", "recursive"], Class::Read),
        ("list_directory", vec!["path", "force"], Class::Read),
        ("create_directory", vec!["recursive"], Class::Write),
    ] {
        assert_eq!(class(name, &with_arguments(&arguments)).class, wanted, "{name} {arguments:?}");
    }
    let nested = json!({"inputSchema": {"properties": {"params": {"properties": {"script": {}}}}}});
    assert_eq!(class("magic", &nested).class, Class::Execute);
}

#[test]
fn hints_raise_at_will_and_lower_only_where_nothing_contradicts() {
    for (name, hints, wanted, by) in [
        ("magic", json!({"readOnlyHint": true}), Class::Read, ClassBy::Annotation),
        ("delete_repo", json!({"readOnlyHint": true}), Class::Destructive, ClassBy::Rule),
        ("create_issue", json!({"readOnlyHint": true}), Class::Write, ClassBy::Rule),
        ("get_issue", json!({"readOnlyHint": false}), Class::Write, ClassBy::Annotation),
        ("get_issue", json!({"destructiveHint": true}), Class::Destructive, ClassBy::Annotation),
        (
            "get_issue",
            json!({"readOnlyHint": true, "destructiveHint": true}),
            Class::Destructive,
            ClassBy::Annotation,
        ),
        ("delete_repo", json!({"destructiveHint": false}), Class::Destructive, ClassBy::Rule),
        ("pay", json!({"destructiveHint": true}), Class::Financial, ClassBy::Rule),
        ("magic", json!({"destructiveHint": false}), Class::Write, ClassBy::Rule),
        ("magic", json!({"readOnlyHint": "true"}), Class::Write, ClassBy::Rule),
    ] {
        let found = class(name, &json!({"annotations": hints}));
        assert_eq!((found.class, found.by), (wanted, by), "{name} {hints}");
    }
    let hidden =
        json!({"annotations": {"readOnlyHint": true}, "inputSchema": {"properties": {"command": {}}}});
    assert_eq!(class("magic", &hidden).class, Class::Execute);
}

#[test]
fn severity_follows_class_and_circumstance() {
    let gentle = json!({"destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
    for (name, definition, wanted) in [
        ("get_issue", json!({}), Severity::Low),
        ("get_secret", json!({}), Severity::Medium),
        ("create_issue", json!({}), Severity::Medium),
        ("create_issue", json!({"annotations": gentle}), Severity::Low),
        ("create_directory", with_arguments(&["recursive"]), Severity::High),
        ("run_code", json!({}), Severity::High),
    ] {
        assert_eq!(class(name, &definition).severity, wanted, "{name}");
    }
}
