//! Trying how it goes at a provider, before anybody's account depends on it.

use askama::Template;
use axum::extract::Path;

use crate::{
    flow::actions::{
        connections::{self, Trial},
        findings::Stand,
    },
    web::{
        console::{
            findings::FindingRow,
            leave::leave,
            providers::{crumb, href, words},
            shell_of,
        },
        kit::{
            ask::{OrgPage, PersonPage},
            form::Form,
            page::{PageResult, page},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// What came of it.
#[derive(Template)]
#[template(path = "console/providers/trial.html")]
struct TrialPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    provider: String,
    back: String,
    went_well: bool,
    rows: Vec<FindingRow>,
}

impl TrialPage {
    fn of(shell: Shell, trial: Trial) -> Self {
        let list = format!("/o/{}/providers", trial.org);
        let back = format!("{list}/{}", trial.provider.slug);
        Self {
            shell,
            crumbs: vec![Crumb::to("Providers", list), Crumb::to(trial.provider.name.clone(), back.clone())],
            back,
            went_well: trial.steps.iter().all(|step| step.stand == Stand::Fine),
            provider: trial.provider.name,
            rows: trial.steps.into_iter().map(FindingRow::from).collect(),
        }
    }
}

/// Sends the browser to the provider.
pub(super) async fn sign_in(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(_): Form<Vec<(String, String)>>,
) -> PageResult {
    let begun = connections::begin_trial(&ask.cx, &name).await?;
    let shell = shell_of::org(&ask, format!("On to {}", begun.provider.name)).await?;
    let cancel = href(&ask, &begun.provider);
    leave(shell, &begun.provider.name, &words::host(&begun.provider), begun.url.as_str(), &cancel)
}

/// Has a client ask for a token.
pub(super) async fn client(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Form(_): Form<Vec<(String, String)>>,
) -> PageResult {
    let trial = connections::try_client(&ask.cx, &name).await?;
    let mut shown = TrialPage::of(shell_of::org(&ask, title(&trial)).await?, trial);
    shown.crumbs[0] = crumb(&ask);
    page(&shown)
}

/// What a way back brought that was only to be looked at.
pub(in crate::web::console) async fn tried(ask: &PersonPage, trial: Trial) -> PageResult {
    page(&TrialPage::of(shell_of::person(ask, title(&trial)).await?, trial))
}

fn title(trial: &Trial) -> String {
    format!("Test of {}", trial.provider.name)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::findings::sample_rows,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let one = |text: &str, went_well| TrialPage {
        shell: shell(Base::Organization, "Test of GitLab"),
        crumbs: vec![
            Crumb::to("Providers", "/o/acme/providers"),
            Crumb::to(text, "/o/acme/providers/gitlab"),
        ],
        provider: text.into(),
        back: "/o/acme/providers/gitlab".into(),
        went_well,
        rows: sample_rows(text),
    };
    vec![
        sample("provider, test: well", &one(LONG, true)),
        sample("provider, test: not well", &one(SHARP, false)),
    ]
}
