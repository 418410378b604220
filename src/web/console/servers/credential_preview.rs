//! What a new or another credential would bring, as the page shows it before anything is saved.

use crate::{
    domain::servers::{Credential, CredentialSource},
    flow::actions::servers::CredentialsPreview,
    web::console::servers::{
        credentials::{CredentialForm, source_words},
        needs::{NeedRow, foreseen},
    },
};

/// What would change, and who would lack what.
pub(super) struct PreviewCard {
    pub(super) title: String,
    pub(super) sentence: String,
    pub(super) rows: Vec<Differing>,
    pub(super) needs: Vec<NeedRow>,
}

/// One part of a credential, now and then; empty where there is none.
pub(super) struct Differing {
    pub(super) label: &'static str,
    pub(super) now: String,
    pub(super) then: String,
}

impl Differing {
    pub(super) fn is_same(&self) -> bool {
        self.now == self.then
    }
}

impl PreviewCard {
    pub(super) fn of(slug: &str, found: CredentialsPreview, form: &CredentialForm) -> Self {
        let then = found.after.iter().find(|one| form.leads_to(one));
        let now = found.before.iter().find(|one| form.starts_from(one));
        let verb = if now.is_some() { "change" } else { "be added" };
        Self {
            title: then.map(|one| format!("{} would {verb}", one.name)).unwrap_or_default(),
            sentence: sentence(&found.server.name, found.lacking()),
            rows: then.map(|then| rows(now, then)).unwrap_or_default(),
            needs: foreseen(slug, found.needs),
        }
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        use crate::web::kit::samples::{LONG, SHARP};
        let row = |label, now: &str| Differing { label, now: now.to_owned(), then: SHARP.to_owned() };
        Self {
            title: format!("{LONG} would change"),
            sentence: sentence(SHARP, 4_711),
            rows: vec![row("Name", LONG), row("Where", SHARP), row("Source", "")],
            needs: (0..5).map(NeedRow::sample).collect(),
        }
    }
}

fn sentence(server: &str, lacking: i64) -> String {
    match lacking {
        0 => format!("No member would lack anything that requests to {server} ask for."),
        1 => format!(
            "One member would lack something, and their calls to {server} are refused until it is there."
        ),
        n => format!(
            "At least {n} members would lack something, and their calls to {server} are refused until it is there."
        ),
    }
}

fn rows(now: Option<&Credential>, then: &Credential) -> Vec<Differing> {
    let row = |label, part: fn(&Credential) -> String| Differing {
        label,
        now: now.map(part).unwrap_or_default(),
        then: part(then),
    };
    let mut rows = vec![
        row("Name", |one| one.name.clone()),
        row("Where", |one| one.target.as_str().to_owned()),
        row("Text", |one| one.template.clone()),
        row("Source", source_words),
    ];
    let is_static = |one: &Credential| one.source == CredentialSource::Static;
    if is_static(then) || now.is_some_and(is_static) {
        let held = now.filter(|one| is_static(one));
        let now = held.map(|_| "Sealed here".to_owned()).unwrap_or_default();
        // A value that was typed comes under another id.
        let then = match (is_static(then), held.is_some_and(|held| held.id == then.id)) {
            (true, true) => now.clone(),
            (true, false) => "The one that you typed".to_owned(),
            (false, _) => "Destroyed".to_owned(),
        };
        rows.push(Differing { label: "Value", now, then });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::ids::CredentialId, domain::servers::CredentialTarget};

    fn carried(source: CredentialSource, secret: Option<&str>) -> Credential {
        Credential {
            id: CredentialId::fresh(),
            target: CredentialTarget::Header,
            name: "X-Key".to_owned(),
            source,
            provider: None,
            secret: secret.map(str::to_owned),
            template: "{value}".to_owned(),
            value: None,
        }
    }

    fn told(now: Option<&Credential>, then: &Credential) -> Vec<String> {
        let differing = rows(now, then).into_iter().filter(|row| !row.is_same());
        differing.map(|row| format!("{}: {} → {}", row.label, row.now, row.then)).collect()
    }

    #[test]
    fn only_what_would_change_differs_and_no_value_is_named() {
        let typed = carried(CredentialSource::Static, None);
        assert!(told(Some(&typed), &typed).is_empty());
        let another = carried(CredentialSource::Static, None);
        assert_eq!(told(Some(&typed), &another), ["Value: Sealed here → The one that you typed"]);
        let own = carried(CredentialSource::UserSecret, Some("own"));
        let differs = ["Source: Sealed value → own of the person", "Value: Sealed here → Destroyed"];
        assert_eq!(told(Some(&typed), &own), differs);
        assert_eq!(told(None, &own).len(), 4);
    }

    #[test]
    fn how_many_would_lack_something_is_said_as_far_as_it_is_known() {
        assert!(sentence("GitHub", 0).starts_with("No member would lack"));
        assert!(sentence("GitHub", 1).starts_with("One member would lack"));
        assert!(sentence("GitHub", 7).starts_with("At least 7 members would lack"));
    }
}
