//! Reviewing tools: accepting and refusing what is offered, and setting what rules cannot know.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    base::{crypto::digest, faults::Faults, permission::Permission, risk::Class, update::Change, wording},
    domain::{
        audit::{self, Entry, Unrecorded},
        servers::{
            Fingerprint, Server, Tool, ToolChange, ToolName,
            store::{self, tools::Which},
        },
        tenancy::store::orgs,
    },
    flow::{
        actions::servers::{ToolSheet, look::sheet_of, named},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
};

/// How many tools one review may name.
const MOST: usize = 1_000;
/// How many of them a record names.
const MOST_NAMES: usize = 100;

/// What a person sets about a tool; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct ToolInput {
    /// Another class; an empty text goes back to what rules and hints give.
    pub class: Option<String>,
    /// Why; what the person was asked for on the page.
    pub reason: Option<String>,
    /// Whether agents may see and call it.
    pub enabled: Option<bool>,
    /// Scopes that a connected account needs.
    pub required_scopes: Option<Vec<String>>,
}

/// Names what a person had before their eyes: a review with another tag than theirs is not carried out.
pub fn review_tag<'a>(tools: impl Iterator<Item = (&'a ToolName, Fingerprint)>) -> String {
    let mut lines: Vec<String> = tools.map(|(name, fingerprint)| format!("{name} {fingerprint}")).collect();
    lines.sort_unstable();
    let digest = digest::sha256(lines.join("\n").as_bytes());
    Fingerprint(digest).short()
}

/// Accepts tools as they are now; `*` stands for all that wait. Returns how many.
///
/// # Errors
/// A fault of `tools` where one is not offered; `Changed` where they are no longer what the person saw.
pub async fn accept(cx: &OrgCx, server: &str, tools: &[String], seen: Option<&str>) -> ActionResult<usize> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, server).await?;
    let names = names(&mut tx, &server, tools).await?;
    let which = names.as_deref().map_or(Which::Waiting, Which::Named);
    let done = store::tools::accept(&mut tx, server.id, which, cx.user(), cx.now()).await?;
    keep(cx, tx, &server, "server.tools_accepted", done, seen).await
}

/// Refuses tools as they are now; `*` stands for all that wait. Returns how many.
///
/// # Errors
/// A fault of `tools` where one is not offered; `Changed` where they are no longer what the person saw.
pub async fn refuse(cx: &OrgCx, server: &str, tools: &[String], seen: Option<&str>) -> ActionResult<usize> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, server).await?;
    let names = names(&mut tx, &server, tools).await?;
    let which = names.as_deref().map_or(Which::Waiting, Which::Named);
    let done = store::tools::refuse(&mut tx, server.id, which, cx.user(), cx.now()).await?;
    keep(cx, tx, &server, "server.tools_refused", done, seen).await
}

/// What the record keeps of a review.
#[derive(Serialize)]
struct ReviewRecord {
    /// Names with the digests of what was reviewed.
    tools: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

async fn keep(
    cx: &OrgCx,
    mut tx: OrgTx,
    server: &Server,
    action: &'static str,
    done: Vec<(ToolName, Fingerprint)>,
    seen: Option<&str>,
) -> ActionResult<usize> {
    let tag = review_tag(done.iter().map(|(name, fingerprint)| (name, *fingerprint)));
    if seen.is_some_and(|seen| seen != tag) {
        return Err(ActionError::Changed);
    }
    if done.is_empty() {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(0);
    }
    orgs::bump_epoch(&mut tx).await?;
    let tools = done.iter().take(MOST_NAMES);
    let tools = tools.map(|(name, digest)| (name.to_string(), Value::String(digest.to_string()))).collect();
    let more = done.len().checked_sub(MOST_NAMES).filter(|more| *more > 0);
    let entry = Entry::admin(action, &cx.who())
        .target("server", server.id, &server.name)
        .after(&ReviewRecord { tools, more });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(done.len())
}

/// The tools that a review names; `None` for all that wait.
async fn names(tx: &mut OrgTx, server: &Server, tools: &[String]) -> ActionResult<Option<Vec<ToolName>>> {
    if tools.iter().any(|name| name == "*") {
        return Ok(None);
    }
    let mut faults = Faults::default();
    if tools.is_empty() {
        faults.add("tools", "name the tools, or send [\"*\"] for all that wait");
    }
    if tools.len() > MOST {
        faults.add("tools", format!("name at most {MOST} tools at once"));
    }
    let mut found = Vec::new();
    for name in tools.iter().take(MOST) {
        let known = match name.parse::<ToolName>() {
            Ok(parsed) => store::tools::find(tx, server.id, &parsed).await?.map(|tool| tool.name),
            Err(_) => None,
        };
        match known {
            Some(known) => found.push(known),
            None => faults.add("tools", format!("this server offers no tool {name:.60}")),
        }
    }
    Ok(Some(faults.into_result(found)?))
}

/// What the record keeps of a tool.
#[derive(Serialize)]
struct ToolRecord<'a> {
    class: &'static str,
    class_by: &'static str,
    class_reason: &'a str,
    enabled: bool,
    required_scopes: &'a [String],
}

impl<'a> From<&'a Tool> for ToolRecord<'a> {
    fn from(tool: &'a Tool) -> Self {
        Self {
            class: tool.class.as_str(),
            class_by: tool.class_by.as_str(),
            class_reason: &tool.class_reason,
            enabled: tool.is_enabled,
            required_scopes: &tool.required_scopes,
        }
    }
}

/// Changes what people set about a tool.
///
/// # Errors
/// The faults of each field; `Changed` where someone else was faster than the version seen.
pub async fn change_tool(
    cx: &OrgCx,
    server: &str,
    tool: &str,
    input: &ToolInput,
    seen: Option<i64>,
) -> ActionResult<ToolSheet> {
    cx.require(Permission::ServersWrite)?;
    let change = parse(input)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, server).await?;
    let name: ToolName = tool.parse().map_err(|_| ActionError::NotFound)?;
    let outcome = store::tools::update(&mut tx, server.id, &name, &change, seen).await?;
    let Change { before, after } = settled(outcome)?;
    let entry = Entry::admin("server.tool_changed", &cx.who())
        .target("tool", format!("{}/{name}", server.slug), name.as_str())
        .changed(&ToolRecord::from(&before), &ToolRecord::from(&after));
    let sheet = sheet_of(&mut tx, server, after).await?;
    if entry.has_change() {
        orgs::bump_epoch(&mut tx).await?;
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        tx.done().await?;
    }
    Ok(sheet)
}

fn parse(input: &ToolInput) -> Result<ToolChange, Faults> {
    let mut faults = Faults::default();
    let mut change = ToolChange { enabled: input.enabled, ..ToolChange::default() };
    match input.class.as_deref().map(str::trim) {
        None => {}
        Some("") => change.resets_class = true,
        Some(text) => {
            let class: Option<Class> = faults.check("class", text.parse());
            let reason = input.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
            let reason = wording::parse_description(reason.unwrap_or("Set by an admin."));
            let reason = faults.check("reason", reason);
            change.class = class.zip(reason);
        }
    }
    if let Some(scopes) = &input.required_scopes {
        let is_scope = |scope: &String| {
            // RFC 6749, section 3.3.
            (1..=200).contains(&scope.len())
                && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        if scopes.len() > 50 || !scopes.iter().all(is_scope) {
            faults.add("required_scopes", "list at most 50 scopes, each without spaces and quotation marks");
        }
        change.required_scopes = Some(scopes.clone());
    }
    faults.into_result(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_what_was_seen_in_any_order() {
        let names: [ToolName; 2] = ["a", "b"].map(|name| name.parse().expect("a name"));
        let [one, two] = [1, 2].map(|n| Fingerprint([n; 32]));
        let tag = review_tag([(&names[0], one), (&names[1], two)].into_iter());
        assert_eq!(tag, review_tag([(&names[1], two), (&names[0], one)].into_iter()));
        assert_ne!(tag, review_tag([(&names[0], two), (&names[1], one)].into_iter()));
        assert_eq!(tag.len(), 12);
    }

    #[test]
    fn what_is_set_about_a_tool_has_bounds() {
        let input = |class: Option<&str>, scopes: Option<&[&str]>| ToolInput {
            class: class.map(str::to_owned),
            required_scopes: scopes.map(|all| all.iter().map(|s| (*s).to_owned()).collect()),
            ..ToolInput::default()
        };
        let change = parse(&input(Some("read"), Some(&["repo", "read:org"]))).expect("fine");
        assert_eq!(change.class, Some((Class::Read, "Set by an admin.".to_owned())));
        assert!(parse(&input(Some(""), None)).expect("fine").resets_class);
        assert!(parse(&input(Some("mild"), None)).is_err());
        assert!(parse(&input(None, Some(&["a b"]))).is_err());
        let long = ToolInput { reason: Some("x".repeat(501)), ..input(Some("read"), None) };
        assert!(parse(&long).is_err());
    }
}
