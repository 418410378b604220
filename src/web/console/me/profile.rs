//! Name, time zone, color scheme and shortcuts.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    domain::identity::{
        users::{Theme, User},
        zones::TimeZone,
    },
    flow::actions::me::profile::{self, ProfileInput},
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::Choice,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let own_view = Effect::Unrecorded("how the console is lit is the person's own view");
    Routes::default()
        .page("/me/profile", Access::Person, show)
        .form("/me/profile", Access::Person, Effect::Records(&["profile.changed"]), change)
        .form("/me/profile/theme", Access::Person, own_view, light)
}

#[derive(Template)]
#[template(path = "console/me/profile.html")]
struct ProfilePage {
    shell: Shell,
    user: User,
    form: ProfileForm,
    shortcuts: bool,
    zones: Vec<Choice>,
    themes: Vec<Choice>,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
struct ProfileForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    time_zone: String,
    #[serde(default)]
    shortcuts: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct ThemeForm {
    #[serde(default)]
    theme: String,
}

async fn show(ask: PersonPage) -> PageResult {
    let user = &ask.cx.user;
    let form = ProfileForm {
        name: user.name.to_string(),
        time_zone: user.time_zone.to_string(),
        shortcuts: if user.shortcuts.is_on() { "on".to_owned() } else { String::new() },
        version: user.version.to_string(),
    };
    profile_page(&ask, StatusCode::OK, form, FormFaults::default()).await
}

async fn change(ask: PersonPage, Form(mut form): Form<ProfileForm>) -> PageResult {
    let input = ProfileInput {
        name: form.name.clone(),
        time_zone: form.time_zone.clone(),
        shortcuts: form.shortcuts == "on",
    };
    match profile::update(&ask.cx, &input, form::version(&form.version)).await {
        Ok(_) => Ok(go_saying("/me/profile", Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            form.version = ask.cx.user.version.to_string();
            profile_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn light(ask: PersonPage, Form(form): Form<ThemeForm>) -> PageResult {
    let theme = profile::set_theme(&ask.cx, &form.theme).await?;
    let said = match theme {
        Theme::System => "The console follows your system's colors.",
        Theme::Light => "The console is light now.",
        Theme::Dark => "The console is dark now.",
    };
    Ok(go_saying("/me/profile", Toast::say(said)))
}

async fn profile_page(
    ask: &PersonPage,
    status: StatusCode,
    form: ProfileForm,
    faults: FormFaults,
) -> PageResult {
    let mut shell = shell_of::person(ask, "Profile").await?;
    shell.has_faults = !faults.is_empty();
    let user = ask.cx.user.clone();
    let zone = |zone: TimeZone| {
        Choice::new(zone.as_str(), zone.as_str().replace('_', " ")).chosen_by(&form.time_zone)
    };
    let theme = |theme: Theme| {
        let label = match theme {
            Theme::System => "As the system",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        };
        Choice::new(theme.as_str(), label).chosen(theme == user.theme)
    };
    let (zones, themes) = (TimeZone::all().map(zone).collect(), Theme::ALL.map(theme).to_vec());
    let shortcuts = form.shortcuts == "on";
    page_with(status, &ProfilePage { shell, user, form, shortcuts, zones, themes, faults })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::samples::user;
    use crate::web::kit::{
        samples::{SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |name: &str, faults| ProfilePage {
        shell: shell(Base::Account, "Profile"),
        user: user(),
        form: ProfileForm { name: name.into(), ..ProfileForm::default() },
        shortcuts: true,
        zones: (0..400).map(|n| Choice::new(format!("Zone/{n}"), format!("Zone {n}"))).collect(),
        themes: vec![Choice::new("system", "As the system").chosen(true)],
        faults,
    };
    vec![
        sample("profile", &page("Mara Lindqvist", FormFaults::default())),
        sample("profile: refused", &page(SHARP, faults(&[("name", "enter a name"), ("time_zone", "no")]))),
    ]
}
