//! Policies: list, new, and the pages of one: the editor in words, the JSON, what brings two drafts together, the
//! publication, versions, settings; trying a call, tests, layers, what holds after all of them, and what is suggested for a
//! server.

mod answers;
mod around;
mod beside;
pub(super) mod diff;
mod drafts;
mod editor;
mod effective;
mod impact;
mod layers;
mod list;
mod merge;
mod new;
pub(super) mod observed;
mod publish;
mod replay;
mod second;
mod settings;
mod simulator;
mod suggested;
mod tests;
mod text;
mod version;
mod versions;

use crate::{
    base::permission::Permission,
    domain::policy::{
        kept::{Places, Policy},
        words::{Bit, Phrase},
    },
    flow::actions::policies::PolicySheet,
    web::kit::{
        ask::OrgPage,
        parts::{Crumb, Tab},
        routes::{Access, Effect, Routes},
    },
};

/// Why saving a draft is no event.
const DRAFT: Effect = Effect::Unrecorded("a draft puts nothing in force; its publication is recorded");
/// What a publication records.
const PUBLISHED: Effect = Effect::Records(&["policy.published"]);

/// The pages of one policy, in the order of its tabs, with what follows its own address.
const TABS: [(&str, &str); 7] = [
    ("Rules", ""),
    ("JSON", "/json"),
    ("Try a call", "/simulate"),
    ("Tests", "/tests"),
    ("Replay", "/replay"),
    ("Versions", "/versions"),
    ("Settings", "/settings"),
];

/// The decisions with their words and icons.
pub(super) const DECISIONS: [(&str, &str, &str); 4] =
    [("allow", "Allow", "ok"), ("ask", "Ask", "ask"), ("deny", "Deny", "deny"), ("hide", "Hide", "hide")];

/// The tone of a decision.
pub(super) fn tone_of(word: &str) -> &str {
    if word == "hide" { "quiet" } else { word }
}

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::PoliciesRead);
    let write = Access::Org(Permission::PoliciesWrite);
    let one = "/o/{org}/policies/{policy}";
    let at = |rest: &str| format!("{one}{rest}");
    Routes::default()
        .page("/o/{org}/policies", read, list::list)
        .page("/o/{org}/policies/new", write, new::new)
        .form("/o/{org}/policies/new", write, Effect::Records(&["policy.created"]), new::create)
        .page("/o/{org}/policies/effective", read, effective::show)
        .page("/o/{org}/policies/layers", read, layers::show)
        .form("/o/{org}/policies/layers", write, Effect::Records(&["layers.changed"]), layers::save)
        .page(one, read, editor::show)
        .form(&at("/edit"), write, DRAFT, editor::edit)
        .page(&at("/exception"), read, editor::exception)
        .form(&at("/exception"), write, DRAFT, editor::save)
        .form(&at("/exception/remove"), write, DRAFT, editor::remove)
        .page(&at("/reason"), read, editor::reason)
        .form(&at("/reason"), write, DRAFT, editor::save_reason)
        .page(&at("/json"), read, text::show)
        .form(&at("/json"), write, DRAFT, text::save)
        .form(&at("/discard"), write, DRAFT, drafts::discard)
        .page(&at("/merge"), write, merge::show)
        .form(&at("/merge"), write, DRAFT, merge::merge)
        .page(&at("/publish"), write, publish::show)
        .form(&at("/publish"), write, PUBLISHED, publish::publish)
        .form(&at("/propose"), write, Effect::Records(&["policy.proposed"]), second::propose)
        .form(
            &at("/propose/withdraw"),
            write,
            Effect::Records(&["policy.proposal_withdrawn"]),
            second::withdraw,
        )
        .page(&at("/versions"), read, versions::list)
        .page(&at("/versions/{number}"), read, version::show)
        .form(&at("/versions/{number}/restore"), write, DRAFT, version::restore)
        .form(&at("/versions/{number}/rollback"), write, PUBLISHED, version::rollback)
        .page(&at("/settings"), read, settings::show)
        .form(&at("/settings"), write, Effect::Records(&["policy.changed"]), settings::save)
        .form(&at("/delete"), write, Effect::Records(&["policy.deleted"]), settings::delete)
        .page(&at("/simulate"), read, simulator::show)
        .form(&at("/simulate"), read, Effect::Unrecorded(simulator::UNRECORDED), simulator::try_it)
        .page(&at("/tests"), read, tests::list)
        .form(&at("/tests"), write, Effect::Records(&["policy_test.created"]), tests::add)
        .form(&at("/tests/{test}/delete"), write, Effect::Records(&["policy_test.deleted"]), tests::remove)
        .and(replay::routes())
        .and(observed::routes())
        .and(suggested::routes())
}

/// What stands above every page of a policy.
pub(super) struct Head {
    /// Where the policy is.
    pub(super) href: String,
    pub(super) name: String,
    pub(super) description: String,
    /// The number of the version in force; nothing until it is published.
    pub(super) live: Option<i32>,
    pub(super) has_draft: bool,
    /// Whether somebody asks that it be published.
    pub(super) is_proposed: bool,
    /// Whether another version came into force since the draft was begun.
    pub(super) is_stale: bool,
    pub(super) can_write: bool,
    /// What nobody here could agree to at present; only on the pages where it is written and published.
    pub(super) warnings: Vec<String>,
    /// What the viewer saw, for forms.
    pub(super) version: i64,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) tabs: Vec<Tab>,
}

impl Head {
    /// Of a policy; `tab` is what follows its address on the tab that is shown.
    pub(super) fn of(ask: &OrgPage, policy: &Policy, tab: &str) -> Self {
        let href = href(ask, &policy.slug);
        Self {
            name: policy.name.clone(),
            description: policy.description.clone(),
            live: policy.live,
            has_draft: policy.draft.is_some(),
            is_proposed: policy.proposal.is_some(),
            is_stale: policy.is_draft_stale(),
            can_write: ask.cx.may(Permission::PoliciesWrite),
            warnings: Vec::new(),
            version: policy.version,
            crumbs: vec![crumb(ask)],
            tabs: TABS.map(|(label, rest)| Tab::new(label, format!("{href}{rest}"), rest == tab)).into(),
            href,
        }
    }

    /// The same with what has to be known before it is published.
    pub(super) fn warning(ask: &OrgPage, sheet: &PolicySheet, tab: &str) -> Self {
        Self { warnings: sheet.warnings.clone(), ..Self::of(ask, &sheet.policy, tab) }
    }

    /// The number that a publication would give.
    pub(super) fn next(&self) -> i32 {
        self.live.unwrap_or_default() + 1
    }
}

/// A piece of a phrase, for a template.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_code: bool,
}

/// The pieces of a phrase.
pub(super) fn pieces(phrase: Phrase) -> Vec<Piece> {
    let piece = |bit| match bit {
        Bit::Say(text) => Piece { text, is_code: false },
        Bit::Code(text) => Piece { text, is_code: true },
    };
    phrase.0.into_iter().map(piece).collect()
}

/// Where a policy is in force, in words; empty for nowhere.
pub(super) fn place_words(places: Places) -> String {
    let counted = |count: i64, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {one}s")),
    };
    let org = places.is_org.then(|| "the organization".to_owned());
    let all =
        [counted(places.teams, "team"), counted(places.servers, "server"), counted(places.grants, "grant")];
    org.into_iter().chain(all.into_iter().flatten()).collect::<Vec<_>>().join(", ")
}

/// The first step of the way to a policy's pages.
pub(super) fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Policies", list_href(ask))
}

pub(super) fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/policies", ask.cx.org.slug)
}

pub(super) fn href(ask: &OrgPage, slug: &str) -> String {
    format!("{}/{slug}", list_href(ask))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    [
        list::samples(),
        new::samples(),
        editor::samples(),
        text::samples(),
        merge::samples(),
        publish::samples(),
        replay::samples(),
        observed::samples(),
        versions::samples(),
        version::samples(),
        settings::samples(),
        effective::samples(),
        layers::samples(),
        simulator::samples(),
        beside::samples(),
        suggested::samples(),
        tests::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What stands above a page of a policy of this name.
#[cfg(test)]
fn sample_head(name: &str, has_draft: bool, can_write: bool) -> Head {
    let href = "/o/acme/policies/github".to_owned();
    Head {
        name: name.into(),
        description: name.into(),
        live: has_draft.then_some(14),
        has_draft,
        is_proposed: false,
        is_stale: has_draft,
        can_write,
        warnings: if can_write { vec![name.into()] } else { Vec::new() },
        version: 7,
        crumbs: vec![Crumb::to("Policies", "/o/acme/policies")],
        tabs: TABS.map(|(label, rest)| Tab::new(label, format!("{href}{rest}"), rest == "/json")).into(),
        href,
    }
}

/// A policy that is in force for everybody.
#[cfg(test)]
fn sample_policy() -> crate::domain::policy::kept::Policy {
    use crate::{
        base::ids::PolicyId,
        domain::policy::kept::{Places, Policy},
        web::kit::samples::AT,
    };
    Policy {
        id: PolicyId::fresh(),
        slug: "github".into(),
        name: "GitHub".into(),
        description: String::new(),
        server: None,
        live: Some(14),
        draft: None,
        proposal: None,
        places: Places { is_org: true, ..Places::default() },
        created_at: AT,
        updated_at: AT,
        version: 1,
    }
}
