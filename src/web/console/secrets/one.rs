//! A new secret, and the page of one: for those of the organization and its teams, and for a person's own.

use askama::Template;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::secret::Secret,
    domain::secrets::StoredSecret,
    flow::actions::secrets::{Confirmed, SecretChange, SecretInput, SecretSheet},
    web::kit::{
        faults::PageError,
        form::{self, FormFaults},
        parts::{Choice, Crumb},
        shell::Shell,
    },
};

/// The form for a new secret.
#[derive(Template)]
#[template(path = "console/secrets/new.html")]
pub(in crate::web::console) struct NewPage {
    pub(in crate::web::console) shell: Shell,
    pub(in crate::web::console) crumbs: Vec<Crumb>,
    pub(in crate::web::console) action: String,
    pub(in crate::web::console) back: String,
    pub(in crate::web::console) lead: &'static str,
    /// Whose it can be; none where there is nothing to choose.
    pub(in crate::web::console) scopes: Vec<Choice>,
    pub(in crate::web::console) teams: Vec<Choice>,
    pub(in crate::web::console) form: SecretForm,
    pub(in crate::web::console) faults: FormFaults,
}

/// One secret.
#[derive(Template)]
#[template(path = "console/secrets/show.html")]
pub(in crate::web::console) struct SecretPage {
    shell: Shell,
    place: Place,
    secret: StoredSecret,
    scope: String,
    is_overdue: bool,
    is_unused: bool,
    may_write: bool,
    delete_title: String,
    delete_action: String,
    form: TermsForm,
    faults: FormFaults,
}

/// Where the page of a secret is, and what is around it.
pub(in crate::web::console) struct Place {
    pub(in crate::web::console) crumbs: Vec<Crumb>,
    /// Where the page is.
    pub(in crate::web::console) href: String,
    /// Where servers are listed; empty for whom they are not.
    pub(in crate::web::console) servers: String,
    /// Where its team is; empty where it has none.
    pub(in crate::web::console) team: String,
}

/// What was typed of a new secret. The value is never sent back.
#[derive(Clone, Default, Deserialize)]
pub(in crate::web::console) struct SecretForm {
    #[serde(default)]
    pub(in crate::web::console) scope: String,
    #[serde(default)]
    pub(in crate::web::console) team: String,
    #[serde(default)]
    pub(in crate::web::console) name: String,
    #[serde(default)]
    pub(in crate::web::console) description: String,
    #[serde(default)]
    pub(in crate::web::console) rotate_after_days: String,
    #[serde(default)]
    pub(in crate::web::console) value: Secret<String>,
}

impl SecretForm {
    pub(in crate::web::console) fn input(&self) -> SecretInput {
        // A team that is chosen while the secret is the organization's was left so by mistake, and does no harm.
        let team = if self.scope == "team" { self.team.clone() } else { String::new() };
        SecretInput {
            scope: self.scope.clone(),
            team,
            name: self.name.clone(),
            description: self.description.clone(),
            rotate_after_days: days(&self.rotate_after_days),
            value: self.value.clone(),
        }
    }
}

/// What was typed about a secret.
#[derive(Clone, Default, Deserialize)]
pub(in crate::web::console) struct TermsForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    rotate_after_days: String,
    #[serde(default)]
    pub(in crate::web::console) version: String,
}

impl TermsForm {
    fn of(secret: &StoredSecret) -> Self {
        Self {
            name: secret.name.clone(),
            description: secret.description.clone(),
            rotate_after_days: secret.rotate_after_days.map(|days| days.to_string()).unwrap_or_default(),
            version: secret.version.to_string(),
        }
    }

    pub(in crate::web::console) fn change(&self) -> SecretChange {
        SecretChange {
            name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            rotate_after_days: Some(days(&self.rotate_after_days)),
        }
    }
}

/// A new value.
#[derive(Deserialize)]
pub(in crate::web::console) struct RotateForm {
    #[serde(default)]
    pub(in crate::web::console) value: Secret<String>,
    #[serde(default)]
    pub(in crate::web::console) version: String,
}

/// A secret is to be destroyed.
#[derive(Deserialize)]
pub(in crate::web::console) struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    pub(in crate::web::console) version: String,
}

/// Reads a number of days; what is no number is out of every range.
fn days(text: &str) -> Option<i32> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.parse().unwrap_or(-1))
}

/// Whether whoever deletes a secret that servers ask for typed its name.
pub(in crate::web::console) fn confirmed(
    form: &DeleteForm,
    secret: &StoredSecret,
) -> Result<Confirmed, PageError> {
    if secret.used_by.is_empty() {
        return Ok(Confirmed::No);
    }
    form::confirmed(&form.confirm, &secret.name)?;
    Ok(Confirmed::Yes)
}

/// The page of a secret, with what was typed where that cannot be accepted.
pub(in crate::web::console) fn page(
    shell: Shell,
    place: Place,
    sheet: SecretSheet,
    now: OffsetDateTime,
    (typed, faults): (Option<TermsForm>, FormFaults),
) -> SecretPage {
    let SecretSheet { secret, may_write } = sheet;
    let scope = match &secret.team {
        Some(team) => format!("Team {}", team.name),
        None => secret.owner.scope().label().to_owned(),
    };
    // Saving again replaces what somebody else wrote meanwhile, as the message says.
    let form = typed.map_or_else(
        || TermsForm::of(&secret),
        |form| TermsForm { version: secret.version.to_string(), ..form },
    );
    SecretPage {
        shell,
        delete_title: format!("Destroy {}?", secret.name),
        delete_action: format!("{}/delete", place.href),
        place,
        scope,
        is_overdue: secret.is_overdue(now),
        is_unused: secret.is_unused(now),
        may_write,
        form,
        faults,
        secret,
    }
}

#[cfg(test)]
pub(in crate::web::console) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        base::ids::{SecretId, TeamId},
        domain::secrets::{SecretOwner, TeamOfSecret},
        web::kit::{
            samples::{AT, LONG, SHARP, faults, sample, shell},
            shell::Base,
        },
    };

    let secret = |servers: usize, is_team: bool| StoredSecret {
        id: SecretId::fresh(),
        owner: if is_team { SecretOwner::Team(TeamId::fresh()) } else { SecretOwner::Org },
        team: is_team.then(|| TeamOfSecret { slug: "crew".to_owned(), name: LONG.to_owned() }),
        name: "github_token".to_owned(),
        description: LONG.repeat(2),
        rotate_after_days: is_team.then_some(30),
        used_by: (0..servers).map(|n| format!("server-{n}")).collect(),
        created_at: AT,
        updated_at: AT,
        rotated_at: AT,
        last_used_at: Some(AT).filter(|_| is_team),
        version: 1,
    };
    let one = |servers, is_team, may_write, faults: FormFaults| {
        let place = Place {
            crumbs: vec![Crumb::to("Secrets", "/o/acme/secrets")],
            href: "/o/acme/secrets/x".into(),
            servers: "/o/acme/servers".into(),
            team: if is_team { "/o/acme/teams/crew".into() } else { String::new() },
        };
        let sheet = SecretSheet { secret: secret(servers, is_team), may_write };
        let now = AT + time::Duration::days(40);
        page(shell(Base::Organization, "github_token"), place, sheet, now, (None, faults))
    };
    let new = |text: &str, scopes: usize, faults| NewPage {
        shell: shell(Base::Organization, "New secret"),
        crumbs: Vec::new(),
        action: "/x".into(),
        back: "/y".into(),
        lead: "A named value.",
        scopes: (0..scopes).map(|n| Choice::new(format!("scope-{n}"), text).hint(LONG)).collect(),
        teams: (0..scopes).map(|n| Choice::new(format!("team-{n}"), text)).collect(),
        form: SecretForm { name: text.into(), description: text.into(), ..SecretForm::default() },
        faults,
    };
    let all = faults(&[("name", "no"), ("value", "no"), ("rotate_after_days", "no"), ("description", "no")]);
    vec![
        sample("secret: new", &new("", 0, FormFaults::default())),
        sample("secret: new, refused", &new(SHARP, 2, all.clone())),
        sample("secret: unused", &one(0, false, true, FormFaults::default())),
        sample("secret: of a team, to read", &one(1, true, false, FormFaults::default())),
        sample("secret: many servers", &one(40, true, true, all)),
    ]
}
