//! The form that puts a new key in place of an old one.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use time::Duration;

use crate::{
    base::ids::ApiKeyId,
    domain::automation::ApiKeyEntry,
    flow::actions::api_keys,
    web::{
        console::{
            api_keys::{crumb, list_href, new::made_page},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            form::{Form, FormFaults, faults_of, version},
            page::{PageResult, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The form to rotate a key.
#[derive(Template)]
#[template(path = "console/api_keys/rotate.html")]
struct RotatePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    overlaps: Vec<Choice>,
    form: RotateForm,
    faults: FormFaults,
}

#[derive(Clone, Deserialize)]
pub(super) struct RotateForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    overlap_hours: String,
    #[serde(default)]
    version: String,
}

pub(super) async fn show(ask: OrgPage, Path((_, key)): Path<(String, String)>) -> PageResult {
    let entry = api_keys::rotatable(&ask.cx, &key).await?;
    let form = RotateForm {
        id: ApiKeyId::fresh().to_string(),
        overlap_hours: "24".to_owned(),
        version: entry.key.version.to_string(),
    };
    rotating(&ask, StatusCode::OK, entry, form, FormFaults::default()).await
}

pub(super) async fn rotate(
    ask: OrgPage,
    Path((_, key)): Path<(String, String)>,
    Form(mut form): Form<RotateForm>,
) -> PageResult {
    // What is no number is too many hours, and said beside the field.
    let overlap = Duration::hours(form.overlap_hours.parse::<u16>().unwrap_or(u16::MAX).into());
    let id = form.id.parse().ok();
    match api_keys::rotate(&ask.cx, &key, id, overlap, version(&form.version)).await {
        Ok(made) => made_page(&ask, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            let entry = api_keys::rotatable(&ask.cx, &key).await?;
            form.version = entry.key.version.to_string();
            rotating(&ask, StatusCode::UNPROCESSABLE_ENTITY, entry, form, faults).await
        }
    }
}

async fn rotating(
    ask: &OrgPage,
    status: StatusCode,
    entry: ApiKeyEntry,
    form: RotateForm,
    faults: FormFaults,
) -> PageResult {
    let back = format!("{}/{}", list_href(ask), entry.key.id);
    let mut shell = shell_of::org(ask, format!("Rotate {}", entry.key.name)).await?;
    shell.has_faults = !faults.is_empty();
    let overlaps = [
        ("0", "At once"),
        ("1", "In an hour"),
        ("24", "In a day"),
        ("72", "In 3 days"),
        ("168", "In 7 days"),
    ];
    page_with(
        status,
        &RotatePage {
            shell,
            crumbs: vec![crumb(ask), Crumb::to(entry.key.name, back.clone())],
            action: format!("{back}/rotate"),
            back,
            overlaps: overlaps
                .into_iter()
                .map(|(value, label)| Choice::new(value, label).chosen_by(&form.overlap_hours))
                .collect(),
            form,
            faults,
        },
    )
}

#[cfg(test)]
pub(in crate::web::console) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{faults, sample, shell},
        shell::Base,
    };

    let page = |faults| RotatePage {
        shell: shell(Base::Organization, "Rotate it"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        overlaps: vec![Choice::new("0", "At once").chosen(true)],
        form: RotateForm { id: String::new(), overlap_hours: "0".into(), version: "1".into() },
        faults,
    };
    vec![
        sample("API key: rotate", &page(FormFaults::default())),
        sample("API key: rotate, refused", &page(faults(&[("overlap_hours", "at most 168")]))),
    ]
}
