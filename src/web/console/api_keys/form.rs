//! The form for a new key, between what the page sends and what the action takes.

use time::{Date, Duration, OffsetDateTime, Time, macros::format_description};

use crate::{
    base::{ids::ApiKeyId, permission::Permission},
    domain::automation::Expiry,
    flow::{
        actions::api_keys::{KeyInput, OwnerInput, ScopesInput},
        fault::ActionError,
    },
    web::{console::api_keys::owner_input, kit::parts::Choice},
};

/// The word for choosing scopes one by one.
const CHOSEN: &str = "chosen";

/// What was typed. Several scopes share one name, so the form is read pair by pair.
#[derive(Clone, Default)]
pub(super) struct KeyForm {
    pub(super) id: String,
    pub(super) service_account: String,
    pub(super) name: String,
    pub(super) reach: String,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: String,
    pub(super) expires_on: String,
}

/// Scopes of one noun.
pub(super) struct ScopeGroup {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) choices: Vec<Choice>,
}

impl KeyForm {
    /// An empty form with the id that its key will have, so that sending it twice makes one key.
    pub(super) fn fresh(service_account: &str) -> Self {
        Self {
            id: ApiKeyId::fresh().to_string(),
            service_account: service_account.to_owned(),
            reach: "read".to_owned(),
            expires_at: "90".to_owned(),
            ..Self::default()
        }
    }

    /// The form as it was sent.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "id" => form.id = value,
                "service_account" => form.service_account = value,
                "name" => form.name = value,
                "reach" => form.reach = value,
                "scopes" => form.scopes.push(value),
                "expires_at" => form.expires_at = value,
                "expires_on" => form.expires_on = value,
                _ => {}
            }
        }
        form
    }

    /// Whom the key is for.
    pub(super) fn owner(&self) -> OwnerInput {
        owner_input(&self.service_account)
    }

    /// What the action takes.
    pub(super) fn input(&self, now: OffsetDateTime) -> Result<KeyInput, ActionError> {
        let scopes = match self.reach.as_str() {
            "read" => ScopesInput::ReadOnly,
            "all" => ScopesInput::These(vec!["*".to_owned()]),
            CHOSEN => ScopesInput::These(self.scopes.clone()),
            _ => return Err(ActionError::field("reach", "choose what the key may do")),
        };
        Ok(KeyInput {
            id: self.id.parse().ok(),
            name: self.name.clone(),
            owner: self.owner(),
            scopes,
            expiry: self.expiry(now)?,
        })
    }

    fn expiry(&self, now: OffsetDateTime) -> Result<Expiry, ActionError> {
        if self.expires_at != "date" {
            let days = self.expires_at.parse();
            return days
                .map(Expiry::Days)
                .map_err(|_| ActionError::field("expires_at", "choose when the key ends"));
        }
        let form = format_description!("[year]-[month]-[day]");
        let day = Date::parse(self.expires_on.trim(), form)
            .ok()
            .and_then(Date::next_day)
            .ok_or_else(|| ActionError::field("expires_on", "enter a day such as 2027-03-31"))?;
        let end = day.with_time(Time::MIDNIGHT).assume_utc();
        if end <= now || end - now > Duration::days(365) {
            return Err(ActionError::field("expires_on", "choose a day from today on, within a year"));
        }
        Ok(Expiry::At(end))
    }

    /// The presets.
    pub(super) fn reaches(&self) -> Vec<Choice> {
        let choices = [
            ("read", "Only read", "Sees what the owner's role sees, changes nothing."),
            ("all", "Everything that the owner may", "Follows the owner's role, also when it changes."),
            (CHOSEN, "Only what I choose", "The least that the script needs is best."),
        ];
        let choice = |(value, label, hint)| Choice::new(value, label).hint(hint).chosen_by(&self.reach);
        choices.into_iter().map(choice).collect()
    }

    /// The scopes to choose from, by noun in the order of the role matrix.
    pub(super) fn groups(&self, permissions: &[Permission]) -> Vec<ScopeGroup> {
        let mut groups: Vec<ScopeGroup> = Vec::new();
        for permission in permissions {
            let noun = permission.scope().split(':').next().unwrap_or_default();
            let id = format!("scopes-{noun}");
            let chosen = self.scopes.iter().any(|scope| scope == permission.scope());
            let choice = Choice::new(permission.scope(), permission.label()).chosen(chosen);
            match groups.iter_mut().find(|group| group.id == id) {
                Some(group) => group.choices.push(choice),
                None => groups.push(ScopeGroup { id, title: title(noun), choices: vec![choice] }),
            }
        }
        groups
    }

    /// When the key may end.
    pub(super) fn expiries(&self) -> Vec<Choice> {
        let choices = [
            ("7", "In 7 days"),
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In a year"),
            ("date", "On a date"),
        ];
        choices
            .into_iter()
            .map(|(value, label)| Choice::new(value, label).chosen_by(&self.expires_at))
            .collect()
    }
}

/// A scope's noun, as the console calls what it is about.
fn title(noun: &str) -> String {
    let named = match noun {
        "org" => "Organization",
        "api-keys" => "API keys",
        "providers" => "OAuth providers",
        "connections" => "Connected accounts",
        "access" => "Access requests",
        "audit" => "Audit log",
        _ => {
            let mut letters = noun.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            return first.into_iter().chain(letters.map(|c| if c == '-' { ' ' } else { c })).collect();
        }
    };
    named.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_offered_once_and_beside_those_of_its_noun() {
        let groups = KeyForm::default().groups(Permission::ALL);
        let mut offered: Vec<&str> =
            groups.iter().flat_map(|group| &group.choices).map(|choice| choice.value.as_str()).collect();
        let mut all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.scope()).collect();
        offered.sort_unstable();
        all.sort_unstable();
        assert_eq!(offered, all);
        let titles: Vec<&str> = groups.iter().map(|group| group.title.as_str()).collect();
        assert!(titles.contains(&"Service accounts") && titles.contains(&"API keys"), "{titles:?}");
        let mut ids: Vec<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), groups.len());
    }
}
