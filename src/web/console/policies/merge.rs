//! Two who wrote at the same time, or a publication since the draft was begun: what each side changed, and the choice.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::Path, http::StatusCode};

use crate::{
    base::permission::Permission,
    domain::policy::{
        document::{self, Document, Fault},
        merge::{Meeting, PartName, Side, joined, meetings},
    },
    flow::{
        actions::policies::{self, BLANK, PolicySheet, Saved},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{
                Head,
                diff::{DiffLine, numbered},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{LongForm, version},
            page::{PageResult, go, go_saying, page_with},
            parts::Crumb,
            pretty::pretty,
            shell::Shell,
        },
    },
};

/// With what a text meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// With what somebody else wrote meanwhile.
    Draft,
    /// With what came into force since the draft was begun.
    Live,
}

impl Against {
    const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "console/policies/merge.html")]
struct MergePage {
    shell: Shell,
    head: Head,
    against: &'static str,
    /// Whose text the other one is.
    theirs: String,
    base: String,
    yours: String,
    rows: Vec<MeetingRow>,
    faults: Vec<String>,
}

/// A part in which the two differ.
struct MeetingRow {
    number: usize,
    name: String,
    /// Whether it is a key of `tools`.
    is_tool: bool,
    base: Vec<DiffLine>,
    theirs: Vec<DiffLine>,
    yours: Vec<DiffLine>,
    /// `theirs`, `yours`, `edit`, or nothing yet.
    pick: String,
    /// What stands in the field that is edited.
    text: String,
    /// Whether both sides changed it.
    is_conflict: bool,
}

/// What two texts are, and what they began from.
pub(super) struct Sides {
    pub(super) against: Against,
    pub(super) base: String,
    pub(super) yours: String,
}

/// The choices that were posted, by field.
type Picks = HashMap<String, String>;

pub(super) async fn show(ask: OrgPage, Path((_, name)): Path<(String, String)>) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let sheet = policies::find(&ask.cx, &name).await?;
    let Some(draft) = sheet.policy.draft.as_ref().filter(|_| sheet.policy.is_draft_stale()) else {
        return Ok(go(&Head::of(&ask, &sheet.policy, "").href));
    };
    let base = match draft.from {
        Some(from) => policies::version(&ask.cx, &name, from).await?.2,
        None => BLANK.to_owned(),
    };
    let sides = Sides { against: Against::Live, base, yours: draft.document.clone() };
    render(&ask, StatusCode::OK, &sheet, &sides, &Picks::new(), Vec::new()).await
}

pub(super) async fn merge(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    LongForm(pairs): LongForm<Vec<(String, String)>>,
) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let mut picks: Picks = pairs.into_iter().collect();
    let mut take = |field: &str| picks.remove(field).unwrap_or_default();
    let against = if take("against") == "live" { Against::Live } else { Against::Draft };
    let (base, yours, seen) = (take("base"), take("yours"), take("version"));
    let sides = Sides { against, base, yours };
    let sheet = policies::find(&ask.cx, &name).await?;
    if version(&seen) != Some(sheet.policy.version) {
        let said = "It was changed once more while you chose. Look at it as it is now.".to_owned();
        return render(&ask, StatusCode::CONFLICT, &sheet, &sides, &Picks::new(), vec![said]).await;
    }
    let text = match chosen(&sheet, &sides, &picks)? {
        Ok(text) => text,
        Err(faults) => {
            return render(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, &sides, &picks, faults).await;
        }
    };
    match policies::save_over(&ask.cx, &name, &text, "", version(&seen)).await {
        Ok(Saved::Kept(kept)) => {
            if against == Against::Live {
                policies::rebase(&ask.cx, &name, Some(kept.policy.version)).await?;
            }
            let said = "The draft has both now. Nothing in force has changed.";
            Ok(go_saying(&Head::of(&ask, &kept.policy, "").href, Toast::say(said)))
        }
        Ok(Saved::Collided(sheet)) => {
            let said = "It was changed once more while you chose. Look at it as it is now.".to_owned();
            render(&ask, StatusCode::CONFLICT, &sheet, &sides, &Picks::new(), vec![said]).await
        }
        Err(ActionError::Document(faults)) => {
            let faults = faults.iter().map(Fault::to_string).collect();
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, &sheet, &sides, &picks, faults).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What the other side is.
fn theirs(sheet: &PolicySheet, against: Against) -> &str {
    match against {
        Against::Draft => sheet.working(),
        Against::Live => sheet.document.as_deref().unwrap_or(BLANK),
    }
}

fn read(text: &str) -> Result<Document, ActionError> {
    document::read(text.as_bytes()).map_err(ActionError::Document)
}

fn met(sheet: &PolicySheet, sides: &Sides) -> Result<(Document, Vec<Meeting>), ActionError> {
    let base = read(&sides.base).or_else(|_| read(BLANK))?;
    let theirs = read(theirs(sheet, sides.against))?;
    let found = meetings(&base, &theirs, &read(&sides.yours)?);
    Ok((theirs, found))
}

/// The document that the choices make, or what is missing.
fn chosen(
    sheet: &PolicySheet,
    sides: &Sides,
    picks: &Picks,
) -> Result<Result<String, Vec<String>>, ActionError> {
    let (theirs, found) = met(sheet, sides)?;
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    for (number, one) in found.into_iter().enumerate() {
        match picks.get(&format!("pick-{number}")).map(String::as_str) {
            Some("theirs") => {}
            Some("yours") => parts.push((one.part, one.yours)),
            Some("edit") => {
                let text = picks.get(&format!("text-{number}")).map(|text| text.trim().to_owned());
                parts.push((one.part, text.filter(|text| !text.is_empty())));
            }
            _ => faults.push(format!("Choose what becomes of {}.", one.part.text())),
        }
    }
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    Ok(joined(&theirs, &parts).map_err(|bad| vec![format!("{bad}.")]))
}

/// The page, also as the answer to whoever came second.
pub(super) async fn render(
    ask: &OrgPage,
    status: StatusCode,
    sheet: &PolicySheet,
    sides: &Sides,
    picks: &Picks,
    faults: Vec<String>,
) -> PageResult {
    let (_, found) = met(sheet, sides)?;
    let mut head = Head::of(ask, &sheet.policy, "");
    head.crumbs.push(Crumb::to(sheet.policy.name.clone(), head.href.clone()));
    let theirs = match sides.against {
        Against::Live => format!("Version {}", sheet.policy.live.unwrap_or_default()),
        Against::Draft => {
            let by = sheet.policy.draft.as_ref().and_then(|draft| draft.by_name.clone());
            by.unwrap_or_else(|| "The other".to_owned())
        }
    };
    let page = MergePage {
        shell: shell_of::org(ask, format!("Bring together: {}", head.name))
            .await?
            .with_faults(!faults.is_empty()),
        head,
        against: sides.against.word(),
        theirs,
        base: sides.base.clone(),
        yours: sides.yours.clone(),
        rows: found.into_iter().enumerate().map(|(number, one)| MeetingRow::of(number, one, picks)).collect(),
        faults,
    };
    page_with(status, &page)
}

impl MeetingRow {
    /// Whether this is what was picked.
    fn is(&self, word: &str) -> bool {
        self.pick == word
    }

    fn of(number: usize, one: Meeting, picks: &Picks) -> Self {
        let lines =
            |text: &Option<String>| text.as_deref().map(|text| numbered(&pretty(text))).unwrap_or_default();
        let suggested = match one.suggested() {
            Some(Side::Theirs) => "theirs",
            Some(Side::Yours) => "yours",
            None => "",
        };
        let pick = picks.get(&format!("pick-{number}")).cloned().unwrap_or_else(|| suggested.to_owned());
        let text = picks.get(&format!("text-{number}")).cloned();
        Self {
            number,
            is_tool: matches!(one.part, PartName::Tool(_)),
            name: one.part.text().to_owned(),
            base: lines(&one.base),
            theirs: lines(&one.theirs),
            yours: lines(&one.yours),
            pick,
            text: text.unwrap_or_else(|| one.yours.as_deref().map(pretty).unwrap_or_default()),
            is_conflict: suggested.is_empty(),
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::policies::sample_head,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let row = |number: usize| {
        let part = if number == 0 { PartName::Whole("hide".into()) } else { PartName::Tool(SHARP.into()) };
        let text = |text: &str| Some(format!(r#"{{"reason":"{text}"}}"#));
        let theirs = if number.is_multiple_of(3) { None } else { text(LONG) };
        MeetingRow::of(number, Meeting { part, base: text("a"), theirs, yours: text("b") }, &Picks::new())
    };
    let page = |count: usize, faults: Vec<String>| MergePage {
        shell: shell(Base::Organization, "Bring together"),
        head: sample_head(LONG, true, true),
        against: "live",
        theirs: LONG.into(),
        base: BLANK.into(),
        yours: BLANK.into(),
        rows: (0..count).map(row).collect(),
        faults,
    };
    vec![
        sample("policy, merge: nothing", &page(0, Vec::new())),
        sample("policy, merge", &page(3, Vec::new())),
        sample("policy, merge: many", &page(30, vec![SHARP.into(), LONG.into()])),
    ]
}
