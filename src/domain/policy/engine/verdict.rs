//! What becomes of a call, and what has to be counted or asked before.

use crate::{
    base::unprinted::Unprinted,
    domain::policy::{
        document::{Ask, OnExceed, Scope, Window, WindowKind},
        engine::{
            judge::LayerName,
            trace::{Effect, Part, Trace},
        },
        number::Number,
    },
};

/// What becomes of a call.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// It may be made, after somebody agreed, or not at all.
    pub outcome: Outcome,
    /// What it counts where; it is made only where all have room.
    pub reservations: Vec<Reservation>,
    /// Where only so many calls may be under way at once.
    pub slots: Vec<Slots>,
    /// What stops or asks besides where what is not known turns out so; nothing where all is known.
    pub open: Vec<Open>,
    /// Why.
    pub trace: Trace,
}

/// A rule of which nobody can tell yet whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where among the call's layers it is, counted from 0.
    pub seat: usize,
    /// The part of its document.
    pub part: Part,
    /// What it asks for where it holds.
    pub effect: Effect,
    /// The name of the rule.
    pub name: Option<String>,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may be made.
    Allow,
    /// It may be made where all of these agreed.
    Ask(Vec<Need>),
    /// It is not made.
    Deny(Blocked),
    /// To whoever calls there is no such tool.
    Hidden(Blocked),
}

/// An agreement that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where among the call's layers it is, counted from 0.
    pub seat: usize,
    /// The layer that asks for it.
    pub layer: LayerName,
    /// The part of its document.
    pub part: Part,
    /// The name of the rule.
    pub name: Option<String>,
    /// What the document says of it: of the rule, else of the tool.
    pub words: Option<String>,
    /// Who has to agree.
    pub ask: Ask,
}

/// What stops a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The layer.
    pub layer: Option<LayerName>,
    /// The part of its document.
    pub part: Part,
    /// The name of the rule.
    pub name: Option<String>,
    /// What the document says of it.
    pub words: Option<String>,
}

/// What a call counts in one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Where among the call's layers it is, counted from 0.
    pub seat: usize,
    /// The layer that the limit is of.
    pub layer: LayerName,
    /// The part of its document.
    pub part: Part,
    /// What counts.
    pub counter: String,
    /// In which span.
    pub window: Window,
    /// How spans follow one another.
    pub kind: WindowKind,
    /// How much is allowed.
    pub max: Number,
    /// Who shares it.
    pub scope: Scope,
    /// How much the call counts.
    pub amount: Number,
    /// Where different values are counted: this one.
    pub distinct: Option<Unprinted<String>>,
    /// Whether it counts too where the call ends in an error.
    pub count_errors: bool,
    /// What becomes of the call where there is no room.
    pub on_exceed: OnExceed,
    /// What the document says of it.
    pub words: Option<String>,
    /// Whether it only counts, and stops nothing.
    pub is_observed: bool,
}

/// How many calls may be under way at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Where among the call's layers it is, counted from 0.
    pub seat: usize,
    /// The layer.
    pub layer: LayerName,
    /// The part of its document.
    pub part: Part,
    /// How many.
    pub most: u32,
    /// Whether it only counts, and stops nothing.
    pub is_observed: bool,
}
