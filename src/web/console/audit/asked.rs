//! What the address of the list asks for, and the links that ask for a little more or less.

use time::OffsetDateTime;

use crate::{
    base::{faults::Faults, page::PageRequest},
    domain::audit::EventRow,
    flow::actions::events::{Log, Turn},
    web::{
        console::{
            audit::{
                outcome,
                panel::Panel,
                tokens::{Bad, Token, Tokens},
                words,
            },
            traces::Reader,
        },
        kit::{
            ask::OrgPage,
            parts::{Choice, Tab},
        },
    },
};

const SPANS: [(&str, &str); 4] =
    [("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days")];

/// A filter in use, and where the list without it is.
pub(super) struct Chip {
    pub(super) key: &'static str,
    pub(super) value: String,
    pub(super) text: String,
    pub(super) href: String,
}

/// One event in the list.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) at: OffsetDateTime,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) outcome: &'static str,
    pub(super) who: String,
    pub(super) note: &'static str,
    pub(super) deed: String,
    pub(super) current: bool,
}

/// What the address of the list says.
pub(super) struct Asked {
    pub(super) base: String,
    pub(super) kind: Option<String>,
    pub(super) tokens: Tokens,
    pub(super) turn: Turn,
    /// As in the address, to be repeated by links within the page.
    pub(super) cursor: Vec<(&'static str, String)>,
    pub(super) event: Option<String>,
}

impl Asked {
    pub(super) fn read(ask: &OrgPage, pairs: &[(String, String)]) -> Self {
        let one = |name: &str| {
            let value = pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            value.filter(|value| !value.is_empty())
        };
        let typed: Vec<&str> =
            pairs.iter().filter(|(key, _)| key == "q").map(|(_, value)| value.as_str()).collect();
        let mut tokens = Tokens::parse(&typed.join(" "));
        let mut place = |name: &str| {
            let cursor = one(name)?;
            match PageRequest::<i64>::parse(None, Some(&cursor)) {
                Ok(request) => request.after,
                Err(_) => {
                    tokens.bad.push(Bad {
                        text: format!("{name}={cursor}"),
                        why: "is no place that this log gave; it is shown from its newest event.".to_owned(),
                    });
                    None
                }
            }
        };
        let (turn, cursor) = match (place("cursor"), place("newer")) {
            (Some(seq), _) => (Turn::Older(seq), one("cursor").map(|cursor| ("cursor", cursor))),
            (None, Some(seq)) => (Turn::Newer(seq), one("newer").map(|cursor| ("newer", cursor))),
            (None, None) => (Turn::First, None),
        };
        Self {
            base: format!("/o/{}/audit", ask.cx.org.slug),
            kind: one("kind"),
            tokens,
            turn,
            cursor: cursor.into_iter().collect(),
            event: one("event"),
        }
    }

    /// Leaves out what the flow could not read, and says so.
    pub(super) fn reject(&mut self, faults: &Faults) {
        self.tokens.reject(faults);
        if let Some(fault) = faults.iter().find(|fault| fault.field == "kind") {
            let kind = self.kind.take().unwrap_or_default();
            let why = format!("kind {}.", fault.message);
            self.tokens.bad.push(Bad { text: format!("kind={kind}"), why });
        }
    }

    /// The list with these filters, from its start.
    pub(super) fn with(&self, filters: &str) -> String {
        self.address("", self.kind.as_deref(), filters, &[])
    }

    /// The list as it is, with something more in its address.
    pub(super) fn here(&self, more: &[(&'static str, String)]) -> String {
        self.address("", self.kind.as_deref(), &self.tokens.text_without(""), more)
    }

    pub(super) fn address(
        &self,
        path: &str,
        kind: Option<&str>,
        filters: &str,
        more: &[(&'static str, String)],
    ) -> String {
        let own = [("kind", kind.unwrap_or_default()), ("q", filters)];
        let more = more.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs: Vec<_> = own.into_iter().chain(more).filter(|(_, value)| !value.is_empty()).collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{query}", self.base)
    }

    pub(super) fn event(&self, id: impl ToString) -> String {
        let mut more = self.cursor.clone();
        more.push(("event", id.to_string()));
        self.here(&more)
    }

    pub(super) fn tabs(&self) -> Vec<Tab> {
        const DENIED: &str = "decision:refused";

        let is_denied = self.tokens.good.iter().any(|token| token.text() == DENIED);
        let others = self.tokens.text_without("decision");
        let tab = |label: &str, kind: Option<&str>| {
            let filters = if is_denied { &others } else { &self.tokens.text_without("") };
            let is_current = self.kind.as_deref() == kind && !(is_denied && kind == Some("call"));
            Tab::new(label, self.address("", kind, filters, &[]), is_current)
        };
        let denied = format!("{others} {DENIED}");
        let denied = self.address("", Some("call"), denied.trim_start(), &[]);
        let is_current = is_denied && self.kind.as_deref() == Some("call");
        vec![
            tab("All", None),
            tab("Calls", Some("call")),
            Tab::new("Denied", denied, is_current),
            tab("Admin changes", Some("admin")),
            tab("Sign-ins", Some("auth")),
        ]
    }

    pub(super) fn span(&self) -> Option<&Token> {
        self.tokens
            .good
            .iter()
            .find(|token| token.key == "from" && SPANS.iter().any(|(span, _)| *span == token.value))
    }

    pub(super) fn spans(&self) -> Vec<Choice> {
        let chosen = self.span().map(Token::text).unwrap_or_default();
        let mut choices = vec![Choice::new("", "Any time")];
        choices.extend(SPANS.map(|(span, label)| Choice::new(format!("from:{span}"), label)));
        choices.into_iter().map(|choice| choice.chosen_by(&chosen)).collect()
    }

    /// A filter as a chip; an id is shown by the name that an event on the page gives it.
    pub(super) fn chip(&self, token: &Token, rows: &[EventRow]) -> Chip {
        let of_actor = |row: &&EventRow| row.actor_id.as_deref() == Some(token.value.as_str());
        let of_target = |row: &&EventRow| row.target_id.as_deref() == Some(token.value.as_str());
        let named = match token.key {
            "person" | "not_person" => rows.iter().find(of_actor).map(|row| row.actor_name.clone()),
            "target" => rows.iter().find(of_target).and_then(|row| row.target_name.clone()),
            _ => None,
        };
        Chip {
            key: token.name(),
            value: named.unwrap_or_else(|| token.value.clone()),
            text: token.text(),
            href: self.with(&self.tokens.text_without(token.key)),
        }
    }

    pub(super) fn drops(&self, log: &Log) -> Vec<Chip> {
        let tokens = self.tokens.good.iter().filter(|token| log.droppable.contains(&token.key));
        let mut drops: Vec<Chip> = tokens.map(|token| self.chip(token, &[])).collect();
        if log.droppable.contains(&"kind") {
            drops.push(Chip {
                key: "kind",
                value: String::new(),
                text: "the choice of one kind".to_owned(),
                href: self.address("", None, &self.tokens.text_without(""), &[]),
            });
        }
        drops
    }

    pub(super) fn row(&self, row: &EventRow) -> Row {
        let (tone, glyph, outcome) = outcome(row.decision);
        let id = row.id.to_string();
        Row {
            current: self.event.as_ref() == Some(&id),
            href: self.event(id),
            at: row.at,
            tone,
            glyph,
            outcome,
            who: words::actor(row),
            note: words::actor_note(row),
            deed: words::deed(row, None),
        }
    }

    pub(super) fn panel(&self, log: &Log, reader: Reader<'_>) -> Option<Panel> {
        let seen = log.seen.as_ref()?;
        let at = log.rows.iter().position(|row| row.id == seen.detail.row.id);
        let beside = |row: Option<&EventRow>| row.map(|row| self.event(row.id)).unwrap_or_default();
        let mut panel = Panel::of(seen, reader, &self.base, |key, value| {
            let mut tokens = self.tokens.clone();
            tokens.set(Token { key, value });
            self.with(&tokens.text_without(""))
        });
        panel.newer = beside(at.and_then(|at| at.checked_sub(1)).and_then(|at| log.rows.get(at)));
        panel.older = beside(at.and_then(|at| log.rows.get(at + 1)));
        panel.close = self.here(&self.cursor);
        Some(panel)
    }
}
