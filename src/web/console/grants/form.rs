//! The form for a grant, between what the page sends and what the action takes.

use time::{Date, Duration, OffsetDateTime, Time, macros::format_description};

use crate::{
    base::{ids::GrantId, risk::Class},
    domain::grants::NamedServer,
    flow::{
        actions::grants::{
            GrantFound, GrantInput, GrantPatch, NamedPolicy, NamedServers, PrincipalInput, ServersInput,
        },
        fault::ActionError,
    },
    web::kit::parts::Choice,
};

/// The word for choosing servers one by one.
const CHOSEN: &str = "chosen";
/// The word for an end that stays as it is.
const KEPT: &str = "kept";
/// The word for an end on a day.
const DATE: &str = "date";

/// What was typed. Several servers share one name, so the form is read pair by pair.
#[derive(Clone, Debug, Default)]
pub(super) struct GrantFields {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) label: String,
    pub(super) principal: String,
    pub(super) reach: String,
    pub(super) servers: Vec<String>,
    pub(super) class_ceiling: String,
    pub(super) policy: String,
    pub(super) expires_at: String,
    pub(super) expires_on: String,
    pub(super) networks: String,
    pub(super) clients: String,
    /// Whether it is about a grant that has an end or none to keep.
    is_change: bool,
}

impl GrantFields {
    /// An empty form with the id that its grant will have, so that sending it twice makes one grant.
    pub(super) fn fresh(principal: &str) -> Self {
        Self {
            id: GrantId::fresh().to_string(),
            principal: principal.to_owned(),
            reach: "all".to_owned(),
            class_ceiling: Class::Read.as_str().to_owned(),
            expires_at: "90".to_owned(),
            ..Self::default()
        }
    }

    /// The form with what a grant is now.
    pub(super) fn about(found: &GrantFound) -> Self {
        let grant = &found.entry.grant;
        let (reach, servers) = match &found.servers {
            NamedServers::All => ("all", Vec::new()),
            NamedServers::Some(servers) => {
                (CHOSEN, servers.iter().map(|server| server.slug.clone()).collect())
            }
        };
        Self {
            version: grant.version.to_string(),
            label: grant.label.clone(),
            reach: reach.to_owned(),
            servers,
            class_ceiling: grant.ceiling.as_str().to_owned(),
            policy: found.entry.policy_slug.clone().unwrap_or_default(),
            expires_at: KEPT.to_owned(),
            networks: grant.bindings.cidr_texts().join("\n"),
            clients: grant.bindings.clients().join("\n"),
            is_change: true,
            ..Self::default()
        }
    }

    /// The form as it was sent.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "id" => form.id = value,
                "version" => (form.version, form.is_change) = (value, true),
                "label" => form.label = value,
                "principal" => form.principal = value,
                "reach" => form.reach = value,
                "servers" => form.servers.push(value),
                "class_ceiling" => form.class_ceiling = value,
                "policy" => form.policy = value,
                "expires_at" => form.expires_at = value,
                "expires_on" => form.expires_on = value,
                "bindings.cidrs" => form.networks = value,
                "bindings.clients" => form.clients = value,
                _ => {}
            }
        }
        form
    }

    /// What the action takes for a new grant.
    pub(super) fn input(&self, now: OffsetDateTime) -> Result<GrantInput, ActionError> {
        Ok(GrantInput {
            id: self.id.parse().ok(),
            label: self.label.clone(),
            principal: PrincipalInput::Named(self.principal.clone()),
            servers: self.chosen_servers()?,
            class_ceiling: self.class_ceiling.clone(),
            policy: Some(self.policy.clone()),
            expires_at: self.expiry(now)?.flatten(),
            cidrs: lines(&self.networks),
            clients: lines(&self.clients),
        })
    }

    /// What the action takes for a change.
    pub(super) fn patch(&self, now: OffsetDateTime) -> Result<GrantPatch, ActionError> {
        Ok(GrantPatch {
            label: Some(self.label.clone()),
            servers: Some(self.chosen_servers()?),
            class_ceiling: Some(self.class_ceiling.clone()),
            policy: Some(Some(self.policy.clone())),
            expires_at: self.expiry(now)?,
            cidrs: Some(lines(&self.networks)),
            clients: Some(lines(&self.clients)),
        })
    }

    fn chosen_servers(&self) -> Result<ServersInput, ActionError> {
        match self.reach.as_str() {
            "all" => Ok(ServersInput::All),
            CHOSEN => Ok(ServersInput::Some(self.servers.clone())),
            _ => Err(ActionError::field("reach", "choose all servers, or some")),
        }
    }

    /// When it ends; the outer nothing leaves it as it is.
    fn expiry(&self, now: OffsetDateTime) -> Result<Option<Option<OffsetDateTime>>, ActionError> {
        match self.expires_at.as_str() {
            KEPT if self.is_change => Ok(None),
            "never" => Ok(Some(None)),
            DATE => Ok(Some(Some(end_of(&self.expires_on, now)?))),
            days => {
                let days: u16 = days
                    .parse()
                    .map_err(|_| ActionError::field("expires_at", "choose when the grant ends"))?;
                Ok(Some(Some(now + Duration::days(days.into()))))
            }
        }
    }

    /// All servers, or some.
    pub(super) fn reaches(&self) -> Vec<Choice> {
        let choices = [
            ("all", "All servers", "Also those that are added later."),
            (CHOSEN, "Only these", "The fewest that the agent needs are best."),
        ];
        let choice = |(value, label, hint)| Choice::new(value, label).hint(hint).chosen_by(&self.reach);
        choices.into_iter().map(choice).collect()
    }

    /// The servers to choose from.
    pub(super) fn server_choices(&self, servers: &[NamedServer]) -> Vec<Choice> {
        let choice = |server: &NamedServer| {
            let state = if server.is_enabled { "" } else { ", disabled now" };
            Choice::new(&server.slug, &server.name)
                .hint(format!("{}{state}", server.slug))
                .chosen(self.servers.contains(&server.slug))
        };
        servers.iter().map(choice).collect()
    }

    /// The classes, mildest first.
    pub(super) fn ceilings(&self) -> Vec<Choice> {
        let choice = |class: Class| {
            let label = if class == Class::Read {
                "Only read".to_owned()
            } else {
                format!("Up to {}", class.label().to_lowercase())
            };
            let hint = format!("Tools that {}", class.meaning());
            Choice::new(class.as_str(), label).hint(hint).chosen_by(&self.class_ceiling)
        };
        Class::ALL.into_iter().map(choice).collect()
    }

    /// The policies to choose from, and none.
    pub(super) fn policies(&self, policies: &[NamedPolicy]) -> Vec<Choice> {
        let none = Choice::new("", "None of its own: what the layers above allow");
        let named = policies.iter().map(|policy| Choice::new(&policy.slug, &policy.name));
        std::iter::once(none).chain(named).map(|choice| choice.chosen_by(&self.policy)).collect()
    }

    /// When it may end.
    pub(super) fn expiries(&self) -> Vec<Choice> {
        let kept = self.is_change.then(|| Choice::new(KEPT, "As it is now"));
        let choices = [
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In a year"),
            ("never", "Never"),
            (DATE, "On a date"),
        ];
        let choices = choices.into_iter().map(|(value, label)| Choice::new(value, label));
        kept.into_iter().chain(choices).map(|choice| choice.chosen_by(&self.expires_at)).collect()
    }
}

/// The end of a day that somebody typed, UTC.
pub(super) fn end_of(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, ActionError> {
    let day = Date::parse(text.trim(), format_description!("[year]-[month]-[day]"))
        .ok()
        .and_then(Date::next_day)
        .ok_or_else(|| ActionError::field("expires_on", "enter a day such as 2027-03-31"))?;
    let end = day.with_time(Time::MIDNIGHT).assume_utc();
    if end <= now {
        return Err(ActionError::field("expires_on", "choose a day from today on"));
    }
    Ok(end)
}

/// One entry a line; commas divide too.
fn lines(text: &str) -> Vec<String> {
    text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn form(expires_at: &str, expires_on: &str, is_change: bool) -> GrantFields {
        GrantFields {
            expires_at: expires_at.to_owned(),
            expires_on: expires_on.to_owned(),
            is_change,
            ..GrantFields::fresh("")
        }
    }

    #[test]
    fn an_end_is_after_days_on_a_day_never_or_as_it_is() {
        let ends = |at: &str, on: &str, is_change| form(at, on, is_change).expiry(NOW).ok();
        assert_eq!(ends("30", "", false), Some(Some(Some(NOW + Duration::days(30)))));
        assert_eq!(ends("never", "", false), Some(Some(None)));
        assert_eq!(ends(DATE, "2026-11-21", false), Some(Some(Some(datetime!(2026-11-22 0:00 UTC)))));
        assert_eq!(ends(KEPT, "", true), Some(None));
        for (at, on) in [(KEPT, ""), (DATE, "2026-11-20"), (DATE, "soon"), ("", "")] {
            assert_eq!(ends(at, on, false), None, "{at} {on}");
        }
    }

    #[test]
    fn lists_are_typed_one_a_line_or_with_commas() {
        assert_eq!(lines(" a\r\nb, c\n\n,"), ["a", "b", "c"]);
    }
}
