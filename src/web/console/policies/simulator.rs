//! The simulator: what would become of a call, under what is in force and under the draft, without making it.

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::permission::Permission,
    flow::{
        actions::policies::{self, Offered, PolicySheet, SimulatedCall, Simulation, without_call},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                answers::{Answer, word_of},
                beside::{BesidePiece, Shape, Taken, Tried, TriedPiece},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            form::{Form, FormFaults, faults_of},
            listing::with_query,
            page::{PageResult, go, page_with},
            parts::Choice,
            query::Query,
            shell::Shell,
        },
    },
};

/// Why a try is no event.
pub(super) const UNRECORDED: &str = "nothing is changed and no server is asked";

/// The page.
#[derive(Template)]
#[template(path = "console/policies/simulator.html")]
struct SimulatorPage {
    shell: Shell,
    head: Head,
    href: String,
    /// Whether there is a document at all.
    is_blank: bool,
    /// The rules with the same call beside them, without its arguments.
    edit: String,
    form: CallForm,
    offered: Offered,
    servers: Vec<Choice>,
    /// Agents to choose from; none for who may not see them.
    agents: Vec<Choice>,
    taken: Taken,
    answers: Vec<Answer>,
    /// What the call may be kept as a test with; empty where it was not tried, or the viewer writes no policies.
    verdicts: Vec<Choice>,
    faults: FormFaults,
}

/// A call, as it is typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct CallForm {
    #[serde(default)]
    pub(super) event: String,
    #[serde(default)]
    pub(super) grant: String,
    #[serde(default)]
    pub(super) user: String,
    #[serde(default)]
    pub(super) client: String,
    #[serde(default)]
    pub(super) server: String,
    #[serde(default)]
    pub(super) tool: String,
    #[serde(default)]
    pub(super) arguments: String,
    #[serde(default)]
    pub(super) ip: String,
    #[serde(default)]
    pub(super) at: String,
}

impl CallForm {
    /// What of a call may stand in an address.
    pub(super) const ADDRESSED: [&str; 8] =
        ["event", "grant", "user", "client", "server", "tool", "ip", "at"];

    pub(super) fn of(call: SimulatedCall) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        Self {
            event: String::new(),
            grant: text(call.grant),
            user: text(call.user),
            client: text(call.client),
            server: text(call.server),
            tool: call.tool,
            arguments: call.arguments.map(|arguments| arguments.0).unwrap_or_default(),
            ip: text(call.ip),
            at: call.at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default(),
        }
    }

    /// The call.
    ///
    /// # Errors
    /// Where the moment is none.
    pub(super) fn call(&self) -> Result<SimulatedCall, ActionError> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let at = text(&self.at).map(|at| OffsetDateTime::parse(&at, &Rfc3339));
        let at = at
            .transpose()
            .map_err(|_| ActionError::field("at", "enter a moment such as 2026-01-31T08:00:00Z"))?;
        Ok(SimulatedCall {
            grant: text(&self.grant),
            user: text(&self.user),
            client: text(&self.client),
            server: text(&self.server),
            tool: self.tool.trim().to_owned(),
            arguments: text(&self.arguments).map(Into::into),
            ip: text(&self.ip),
            at,
        })
    }

    /// The address of a page with this call; values of arguments stand in no address.
    pub(super) fn query(&self, href: &str) -> String {
        let pairs = [
            ("grant", &self.grant),
            ("user", &self.user),
            ("client", &self.client),
            ("server", &self.server),
            ("tool", &self.tool),
            ("ip", &self.ip),
            ("at", &self.at),
        ];
        with_query(href, pairs.into_iter().map(|(name, value)| (name, value.trim())))
    }
}

/// The page with a call as its address says, or one that is on record.
pub(super) async fn show(
    ask: OrgPage,
    Path((_, policy)): Path<(String, String)>,
    headers: HeaderMap,
    Query(mut form): Query<CallForm>,
) -> PageResult {
    let shape = Shape::of(&headers, Shape::Beside);
    // What stands in an address is kept in logs and histories.
    form.arguments.clear();
    let mut taken = Taken::default();
    if !form.event.is_empty() {
        match policies::recorded_call(&ask.cx, &form.event).await {
            Ok(found) => {
                taken.note = match (&found.call.arguments, found.keys.as_slice()) {
                    (Some(_), _) => {
                        "It was asked about, so its arguments are kept and stand below.".to_owned()
                    }
                    (None, []) => "It had no arguments, as far as the record says.".to_owned(),
                    (None, keys) => format!(
                        "Values of arguments are not kept, only their names: {}. Fill in what you want to try.",
                        keys.join(", ")
                    ),
                };
                taken.is_open = found.call.arguments.is_none() && !found.keys.is_empty();
                form = CallForm { event: form.event, ..CallForm::of(found.call) };
                if taken.is_open {
                    // Without them the answer would be about another call, and might be another one.
                    form.arguments = blank(&found.keys);
                    let sheet = policies::find(&ask.cx, &policy).await?;
                    return shown(&ask, &sheet, shape, form, taken, None, FormFaults::default()).await;
                }
            }
            Err(error) => {
                let faults = faults_of(error)?;
                let sheet = policies::find(&ask.cx, &policy).await?;
                return shown(&ask, &sheet, shape, form, taken, None, faults).await;
            }
        }
    }
    tried(&ask, &policy, shape, form, taken).await
}

/// Arguments of these names, for somebody to fill in.
fn blank(keys: &[String]) -> String {
    let named: serde_json::Map<_, _> =
        keys.iter().map(|key| (key.clone(), serde_json::Value::Null)).collect();
    serde_json::to_string_pretty(&named).unwrap_or_default()
}

/// Tries what was typed: without arguments by an address that can be kept and sent.
pub(super) async fn try_it(
    ask: OrgPage,
    Path((_, policy)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<CallForm>,
) -> Result<Response, PageError> {
    let shape = Shape::of(&headers, Shape::Answer);
    if matches!(shape, Shape::Page) && form.arguments.trim().is_empty() {
        let sheet = policies::find(&ask.cx, &policy).await?;
        return Ok(go(&form.query(&format!("{}/simulate", href_of(&ask, &sheet)))));
    }
    tried(&ask, &policy, shape, form, Taken::default()).await
}

async fn tried(ask: &OrgPage, policy: &str, shape: Shape, form: CallForm, taken: Taken) -> PageResult {
    let sheet = policies::find(&ask.cx, policy).await?;
    let mut faults = FormFaults::default();
    if form.tool.trim().is_empty() {
        if !form.arguments.trim().is_empty() {
            faults = faults_of(ActionError::field("tool", "name a tool"))?;
        }
        return shown(ask, &sheet, shape, form, taken, None, faults).await;
    }
    if is_blank(&sheet) {
        return shown(ask, &sheet, shape, form, taken, None, faults).await;
    }
    let simulated = match form.call() {
        Ok(call) => policies::simulate(&ask.cx, policy, None, &call).await.map_err(without_call),
        Err(error) => Err(error),
    };
    match simulated {
        Ok(found) => shown(ask, &sheet, shape, form, taken, Some(found), faults).await,
        Err(error) => {
            let faults = faults_of(error)?;
            shown(ask, &sheet, shape, form, taken, None, faults).await
        }
    }
}

/// Whether there is no document to try a call on.
fn is_blank(sheet: &PolicySheet) -> bool {
    sheet.policy.live.is_none() && sheet.policy.draft.is_none()
}

async fn shown(
    ask: &OrgPage,
    sheet: &PolicySheet,
    shape: Shape,
    form: CallForm,
    taken: Taken,
    found: Option<Simulation>,
    faults: FormFaults,
) -> PageResult {
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let href = href_of(ask, sheet);
    let verdicts = match &found {
        Some(found) if ask.cx.may(Permission::PoliciesWrite) => verdict_choices(found.tried.verdict),
        _ => Vec::new(),
    };
    let answers = found.map(|found| answers(ask, sheet, &found)).unwrap_or_default();
    let is_blank = is_blank(sheet);
    if matches!(shape, Shape::Answer) {
        let tried = Tried::of(ask, href, is_blank, form, answers, verdicts, faults);
        return page_with(status, &TriedPiece { tried });
    }
    let offered = policies::offer(&ask.cx, offered_for(&form, sheet)).await?;
    let own = sheet.server.clone().map_or("The only one that has the tool", |_| "The policy’s own");
    let servers = std::iter::once(Choice::new("", own))
        .chain(offered.servers.iter().map(|server| Choice::new(&server.slug, &server.name)));
    // A call on record names its server by id.
    let named = offered.servers.iter().find(|server| server.id.to_string() == form.server);
    let chosen = named.map_or(form.server.as_str(), |server| server.slug.as_str());
    let servers = Choice::chosen_of(servers, chosen);
    let agents = agent_choices(&offered, &form.grant);
    if matches!(shape, Shape::Beside) {
        let reads_log = ask.cx.may(Permission::AuditRead);
        let calls = if reads_log { format!("/o/{}/audit?kind=call", ask.cx.org.slug) } else { String::new() };
        let tried = Tried::of(ask, href, is_blank, form, answers, verdicts, faults);
        return page_with(status, &BesidePiece { tried, taken, offered, servers, agents, calls });
    }
    let edit = match form.event.as_str() {
        "" => form.query(&href),
        event => with_query(&href, [("event", event)]),
    };
    let page = SimulatorPage {
        shell: shell_of::org(ask, format!("Try a call with {}", sheet.policy.name))
            .await?
            .with_faults(!faults.is_empty()),
        head: Head::of(ask, &sheet.policy, "/simulate"),
        is_blank,
        href,
        edit,
        form,
        offered,
        servers,
        agents,
        taken,
        answers,
        verdicts,
        faults,
    };
    page_with(status, &page)
}

/// The server whose tools are offered: that of the call, else the policy's.
fn offered_for<'a>(form: &'a CallForm, sheet: &'a PolicySheet) -> &'a str {
    if form.server.is_empty() { sheet.server.as_deref().unwrap_or_default() } else { &form.server }
}

/// Agents to choose from; none for who may not see them.
pub(super) fn agent_choices(offered: &Offered, chosen: &str) -> Vec<Choice> {
    if offered.grants.is_empty() {
        return Vec::new();
    }
    let nobody = Choice::new("", "No agent in particular");
    let grants = offered.grants.iter().map(|(id, label)| Choice::new(id, label));
    Choice::chosen_of(std::iter::once(nobody).chain(grants), chosen)
}

/// Allow, ask, deny and hide, to choose from.
pub(super) fn verdict_choices(chosen: &str) -> Vec<Choice> {
    let choice = |verdict: &'static str| Choice::new(verdict, word_of(verdict).2).chosen_by(chosen);
    policies::VERDICTS.into_iter().map(choice).collect()
}

fn answers(ask: &OrgPage, sheet: &PolicySheet, found: &Simulation) -> Vec<Answer> {
    let of = |title: String, decided| Answer::of(title, decided, ask.cx.org.slug.as_str(), ask.cx.role);
    let live =
        sheet.policy.live.map_or("In force".to_owned(), |number| format!("In force, version {number}"));
    if sheet.policy.draft.is_none() {
        return vec![of(live, &found.tried)];
    }
    let draft = of("With the draft".to_owned(), &found.tried);
    found.live.as_ref().map(|decided| of(live, decided)).into_iter().chain([draft]).collect()
}

/// Where a policy is.
pub(super) fn href_of(ask: &OrgPage, sheet: &PolicySheet) -> String {
    format!("/o/{}/policies/{}", ask.cx.org.slug, sheet.policy.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::answers,
        kit::{
            samples::{LONG, SHARP, faults, sample, shell},
            shell::Base,
        },
    };

    let page = |text: &str, answers: Vec<Answer>, faults| SimulatorPage {
        shell: shell(Base::Organization, "Try a call with Crew"),
        head: super::sample_head("GitHub", true, true),
        href: "/o/acme/policies/crew".into(),
        is_blank: false,
        edit: "/o/acme/policies/crew?tool=x".into(),
        form: CallForm { tool: text.into(), arguments: text.into(), ..CallForm::default() },
        offered: Offered {
            grants: vec![("grt_x".into(), text.into())],
            people: vec![(text.into(), text.into())],
            servers: Vec::new(),
            tools: vec![text.into()],
        },
        servers: vec![Choice::new("", text)],
        agents: vec![Choice::new("", text)],
        taken: Taken { note: text.into(), is_open: false },
        verdicts: if answers.is_empty() { Vec::new() } else { verdict_choices("deny") },
        answers,
        faults,
    };
    let all = ["event", "grant", "user", "client", "server", "tool", "arguments", "ip", "at"];
    let all: Vec<_> = all.into_iter().map(|field| (field, "no")).collect();
    let blank = SimulatorPage { is_blank: true, ..page("", Vec::new(), FormFaults::default()) };
    vec![
        sample("simulator: blank", &blank),
        sample("simulator: nothing tried", &page("", Vec::new(), FormFaults::default())),
        sample("simulator", &page(SHARP, vec![answers::sample(SHARP)], FormFaults::default())),
        sample(
            "simulator: both",
            &page(LONG, vec![answers::sample(LONG), answers::sample(LONG)], FormFaults::default()),
        ),
        sample("simulator: refused", &page(LONG, Vec::new(), faults(&all))),
    ]
}
