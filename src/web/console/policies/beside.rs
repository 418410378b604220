//! The simulator beside the rules: its form, for a page that holds its place, and what becomes of a call, alone.

use askama::Template;
use axum::http::HeaderMap;

use crate::{
    flow::actions::policies::Offered,
    web::{
        console::policies::{answers::Answer, simulator::CallForm},
        kit::{ask::OrgPage, form::FormFaults, parts::Choice},
    },
};

/// A call that was taken over from the record.
#[derive(Default)]
pub(super) struct Taken {
    /// What has to be known of it; empty where none was.
    pub(super) note: String,
    /// Whether its arguments are still to be filled in.
    pub(super) is_open: bool,
}

/// What is shown of a call and what becomes of it.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A page of its own.
    Page,
    /// The form and the answer, beside the rules.
    Beside,
    /// The answer alone.
    Answer,
}

impl Shape {
    /// A page, or this piece of one where script asks.
    pub(super) fn of(headers: &HeaderMap, piece: Self) -> Self {
        if headers.contains_key("hx-request") { piece } else { Self::Page }
    }
}

/// The form with what becomes of the call.
#[derive(Template)]
#[template(path = "console/policies/beside.html")]
pub(super) struct BesidePiece {
    pub(super) tried: Tried,
    pub(super) taken: Taken,
    pub(super) offered: Offered,
    pub(super) servers: Vec<Choice>,
    pub(super) agents: Vec<Choice>,
    /// Where real calls stand; empty for who does not read the log.
    pub(super) calls: String,
}

/// What becomes of the call, alone.
#[derive(Template)]
#[template(path = "console/policies/tried.html")]
pub(super) struct TriedPiece {
    pub(super) tried: Tried,
}

/// A call and what becomes of it.
pub(super) struct Tried {
    pub(super) csrf: String,
    /// Where the policy is.
    pub(super) href: String,
    /// The same call on the simulator's own page, without its arguments.
    pub(super) page: String,
    /// Whether there is no document to try it on.
    pub(super) is_blank: bool,
    pub(super) form: CallForm,
    pub(super) answers: Vec<Answer>,
    /// What it may be kept as a test with; empty where it was not tried, or the viewer writes no policies.
    pub(super) verdicts: Vec<Choice>,
    pub(super) faults: FormFaults,
}

impl Tried {
    pub(super) fn of(
        ask: &OrgPage,
        href: String,
        is_blank: bool,
        form: CallForm,
        answers: Vec<Answer>,
        verdicts: Vec<Choice>,
        faults: FormFaults,
    ) -> Self {
        let csrf = ask.browser.csrf.as_str().to_owned();
        let page = form.query(&format!("{href}/simulate"));
        Self { csrf, href, page, is_blank, form, answers, verdicts, faults }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::answers,
        kit::samples::{LONG, SHARP, piece},
    };

    let tried = |text: &str, answers: Vec<Answer>| Tried {
        csrf: "csrf".into(),
        href: "/o/acme/policies/crew".into(),
        page: "/o/acme/policies/crew/simulate".into(),
        is_blank: false,
        form: CallForm { tool: text.into(), arguments: text.into(), ..CallForm::default() },
        answers,
        verdicts: Vec::new(),
        faults: FormFaults::default(),
    };
    let beside = |text: &str, tried| BesidePiece {
        tried,
        taken: Taken { note: text.into(), is_open: false },
        offered: Offered {
            grants: vec![("grt_x".into(), text.into())],
            people: vec![(text.into(), text.into())],
            servers: Vec::new(),
            tools: vec![text.into()],
        },
        servers: vec![Choice::new("", text)],
        agents: vec![Choice::new("", text)],
        calls: text.into(),
    };
    vec![
        piece("beside: nothing tried", &beside("", tried("", Vec::new()))),
        piece("beside", &beside(SHARP, tried(SHARP, vec![answers::sample(SHARP)]))),
        piece(
            "tried",
            &TriedPiece { tried: tried(LONG, vec![answers::sample(LONG), answers::sample(LONG)]) },
        ),
    ]
}
