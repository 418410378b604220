//! The policy that is suggested for a server: what it does with each tool and why, and the button that adopts it.

use std::cmp::Reverse;

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Handling},
    domain::{
        policy::{
            edit::Decision,
            suggest::{EXECUTIONS, WRITES},
        },
        servers::ClassBy,
    },
    flow::actions::policies::{self, AdoptionOutcome, Suggested, SuggestedTool},
    web::{
        console::{
            policies::{
                diff::{Changes, DiffLine, numbered},
                href as policy_href, list_href,
            },
            servers::{self, words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form},
            moment,
            page::{PageResult, go_saying, page},
            parts::{Crumb, Tab},
            pretty::pretty,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const ONE: &str = "/o/{org}/servers/{server}/suggested";
/// What adopting records where nothing stands there; a draft of what stands there is no event.
const ADOPTED: Effect = Effect::Records(&["policy.created", "policy.published", "layers.changed"]);
/// How many tools the page shows.
const MOST_TOOLS: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::default().page(ONE, Access::Org(Permission::ServersRead), show).form(
        &format!("{ONE}/adopt"),
        Access::Org(Permission::PoliciesWrite),
        ADOPTED,
        adopt,
    )
}

/// The page.
#[derive(Template)]
#[template(path = "console/policies/suggested.html")]
struct SuggestedPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    tabs: Vec<Tab>,
    server: String,
    server_href: String,
    /// Where a draft about this server is begun.
    new_href: String,
    /// The well-known server that it is, and when what is known of its tools was checked.
    known: Option<(&'static str, String)>,
    standing: Standing,
    baseline: Option<BaselineLine>,
    counts: Vec<Count>,
    rows: Vec<ToolRow>,
    more: usize,
    changes: Option<Changes>,
    lines: Vec<DiffLine>,
    version: i64,
    can_adopt: bool,
}

/// What adopting comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing stands there: it is in force at once.
    Free,
    /// It is in force already.
    InForce,
    /// Something else stands there: it is a draft.
    Other,
}

struct BaselineLine {
    name: String,
    href: String,
    version: i32,
}

/// How many tools are handled in a way.
struct Count {
    word: &'static str,
    tone: &'static str,
    glyph: &'static str,
    count: usize,
}

struct ToolRow {
    name: String,
    title: String,
    class: &'static str,
    class_tone: &'static str,
    reason: String,
    by_admin: bool,
    /// What is said of a tool that waits for a review; empty for one that does not.
    waits: &'static str,
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
    /// What that means; empty where the word says it.
    detail: String,
    /// Why it is something else than its class says; empty where its class decides.
    care: String,
    /// What is decided today, where that is something else; empty for the same or nothing.
    today: &'static str,
}

#[derive(Deserialize)]
pub(super) struct AdoptForm {
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    // It is a page of the server, beside its other ones.
    ask.cx.require(Permission::ServersRead)?;
    let found = policies::suggested(&ask.cx, &name).await?;
    let shell = shell_of::org(&ask, format!("Suggested policy for {}", found.server.name)).await?;
    let server_href = servers::href(&ask, found.server.slug.as_str());
    let baseline = found.baseline.as_ref().map(|baseline| BaselineLine {
        name: baseline.policy.name.clone(),
        href: policy_href(&ask, &baseline.policy.slug),
        version: baseline.policy.live.unwrap_or_default(),
    });
    let new_href = format!("{}/new?server={}", list_href(&ask), found.server.slug);
    let can_adopt = ask.cx.may(Permission::PoliciesWrite);
    let crumbs = vec![servers::crumb(&ask), Crumb::to(found.server.name.clone(), &server_href)];
    page(&SuggestedPage::of((shell, crumbs, server_href, new_href), &found, baseline, can_adopt))
}

pub(super) async fn adopt(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(form): Form<AdoptForm>,
) -> PageResult {
    let adoption = policies::adopt(&ask.cx, &name, form::version(&form.version)).await?;
    let policy = &adoption.sheet.policy;
    let said = match adoption.outcome {
        AdoptionOutcome::InForce => {
            format!("{} is the baseline now. It holds from the next call on.", policy.name)
        }
        AdoptionOutcome::AlreadyInForce => {
            format!("{} says this already. Nothing was changed.", policy.name)
        }
        AdoptionOutcome::Draft => {
            format!("It is a draft of {} now. Nothing in force changes until it is published.", policy.name)
        }
        AdoptionOutcome::DraftBeside => {
            format!(
                "{} is a draft now. Nothing in force changes until it is published and made the baseline.",
                policy.name
            )
        }
    };
    Ok(go_saying(&policy_href(&ask, &policy.slug), Toast::say(said)))
}

impl SuggestedPage {
    fn of(
        (shell, crumbs, server_href, new_href): (Shell, Vec<Crumb>, String, String),
        found: &Suggested,
        baseline: Option<BaselineLine>,
        can_adopt: bool,
    ) -> Self {
        let standing = match &baseline {
            None => Standing::Free,
            Some(_) if found.is_in_force() => Standing::InForce,
            Some(_) => Standing::Other,
        };
        let mut rows: Vec<&SuggestedTool> = found.tools.iter().collect();
        // What a person should look at stands first; among equals the order of names stays.
        rows.sort_by_key(|tool| Reverse(tool.handling));
        let known = found.known.filter(|known| !known.tools.is_empty());
        let before = found.baseline.as_ref().map(|baseline| baseline.document.as_str());
        Self {
            tabs: servers::tabs(&server_href, "/suggested", None),
            server: found.server.name.clone(),
            known: known.map(|known| {
                let checked_on = known.tools_checked_on.as_deref().unwrap_or(known.checked_on);
                (known.name.as_str(), moment::date(checked_on))
            }),
            counts: counts(&found.tools),
            more: rows.len().saturating_sub(MOST_TOOLS),
            rows: rows.into_iter().take(MOST_TOOLS).map(ToolRow::of).collect(),
            changes: (standing == Standing::Other).then(|| Changes::of(before, &found.document)),
            lines: numbered(&pretty(&found.document)),
            version: found.version(),
            can_adopt,
            shell,
            crumbs,
            server_href,
            new_href,
            standing,
            baseline,
        }
    }

    /// What the button says.
    const fn verb(&self) -> &'static str {
        match self.standing {
            Standing::Other => "Adopt as a draft",
            Standing::Free | Standing::InForce => "Adopt",
        }
    }
}

fn counts(tools: &[SuggestedTool]) -> Vec<Count> {
    let ways: [&[Handling]; 4] = [
        &[Handling::Hide],
        &[Handling::Ask],
        &[Handling::LimitWrites, Handling::LimitExecutions],
        &[Handling::Allow],
    ];
    let count = |ways: &[Handling]| {
        let (tone, glyph, word) = word_of(ways[0]);
        let count = tools.iter().filter(|tool| ways.contains(&tool.handling)).count();
        Count { word, tone, glyph, count }
    };
    ways.into_iter().map(count).filter(|one| one.count > 0).collect()
}

/// The tone, the icon and the word for what is done with a tool.
const fn word_of(handling: Handling) -> (&'static str, &'static str, &'static str) {
    match handling {
        Handling::Allow => ("allow", "ok", "Allowed"),
        Handling::LimitWrites | Handling::LimitExecutions => ("rule", "clock", "Limited"),
        Handling::Ask => ("ask", "ask", "Asks"),
        Handling::Hide => ("quiet", "hide", "Hidden"),
    }
}

fn detail(handling: Handling) -> String {
    match handling {
        Handling::Allow => String::new(),
        Handling::LimitWrites => format!("{WRITES} a minute for each grant, all that write together"),
        Handling::LimitExecutions => {
            format!("{EXECUTIONS} a minute for each grant, all that execute together")
        }
        Handling::Ask => "Somebody has to agree to each call".to_owned(),
        Handling::Hide => "Agents do not see it".to_owned(),
    }
}

/// What the baseline decides, where that is something else than what is suggested.
const fn today(decision: Decision, handling: Handling) -> &'static str {
    match (decision, handling) {
        (Decision::Allow, Handling::Allow | Handling::LimitWrites | Handling::LimitExecutions)
        | (Decision::Ask, Handling::Ask)
        | (Decision::Hide, Handling::Hide) => "",
        (Decision::Allow, _) => "allowed",
        (Decision::Ask, _) => "asks",
        (Decision::Deny, _) => "denied",
        (Decision::Hide, _) => "hidden",
    }
}

impl ToolRow {
    fn of(tool: &SuggestedTool) -> Self {
        let (tone, glyph, word) = word_of(tool.handling);
        Self {
            name: words::shown(tool.name.as_str()),
            title: words::shown(&tool.title),
            class: tool.class.label(),
            class_tone: words::class_tone(tool.class),
            reason: words::said(&tool.class_reason),
            by_admin: tool.class_by == ClassBy::Admin,
            waits: if tool.state.waits() { tool.state.label() } else { "" },
            tone,
            glyph,
            word,
            detail: detail(tool.handling),
            care: tool.care.clone().unwrap_or_default(),
            today: tool.today.map_or("", |decision| today(decision, tool.handling)),
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        base::risk::Class,
        domain::servers::{Severity, ToolState},
        web::kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let tool = |at: usize, text: &str| SuggestedTool {
        name: format!("get_{at}").parse().expect("a name"),
        title: text.into(),
        state: ToolState::ALL[at % ToolState::ALL.len()],
        class: Class::ALL[at % Class::ALL.len()],
        severity: Severity::Medium,
        class_reason: format!("Its name says `{text}`."),
        class_by: if at.is_multiple_of(3) { ClassBy::Admin } else { ClassBy::Rule },
        handling: Handling::ALL[at % Handling::ALL.len()],
        care: at.is_multiple_of(2).then(|| text.to_owned()),
        today: at.is_multiple_of(4).then_some(Decision::Deny),
    };
    let page = |count: usize, text: &str, standing: Standing, can_adopt: bool| {
        let tools: Vec<_> = (0..count).map(|at| tool(at, text)).collect();
        let document = r#"{"version":"1","default":"deny","tools":{"class:read":{}}}"#;
        let other = r#"{"version":"1","default":"allow"}"#;
        SuggestedPage {
            shell: shell(Base::Organization, "Suggested policy for GitHub"),
            crumbs: vec![Crumb::to("Servers", "/o/acme/servers"), Crumb::to(text, "/o/acme/servers/github")],
            tabs: servers::tabs("/o/acme/servers/github", "/suggested", None),
            server: text.into(),
            server_href: "/o/acme/servers/github".into(),
            new_href: "/o/acme/policies/new?server=github".into(),
            known: (count > 1).then(|| ("GitHub", "27 Nov 2026".to_owned())),
            standing,
            baseline: (standing != Standing::Free).then(|| BaselineLine {
                name: text.into(),
                href: "/o/acme/policies/x".into(),
                version: 3,
            }),
            counts: counts(&tools),
            rows: tools.iter().map(ToolRow::of).collect(),
            more: count,
            changes: (standing == Standing::Other).then(|| Changes::of(Some(other), document)),
            lines: numbered(&pretty(document)),
            version: 7,
            can_adopt,
        }
    };
    vec![
        sample("suggested: no tools", &page(0, SHARP, Standing::Free, true)),
        sample("suggested: one", &page(1, SHARP, Standing::Free, true)),
        sample("suggested: in force", &page(3, LONG, Standing::InForce, true)),
        sample("suggested: something else stands there", &page(30, LONG, Standing::Other, true)),
        sample("suggested: read", &page(5, SHARP, Standing::Other, false)),
    ]
}
