//! What is known of a call beside its arguments.

use std::net::IpAddr;

use time::OffsetDateTime;

use crate::{base::risk::Class, domain::policy::path::Field};

/// The tool that is called.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does at worst.
    pub class: Class,
    /// Whether a person accepted it as it is.
    pub is_reviewed: bool,
}

/// What is known of who calls, of what they use and of where they are. What is not known is left out, and no condition on
/// it holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The person's id.
    pub user_id: Option<&'a str>,
    /// The person's address.
    pub user_email: Option<&'a str>,
    /// The person's name.
    pub user_name: Option<&'a str>,
    /// The person's role.
    pub user_role: Option<&'a str>,
    /// The slugs of the person's teams.
    pub user_teams: &'a [&'a str],
    /// The id of the team that the grant is for.
    pub team_id: Option<&'a str>,
    /// Its slug.
    pub team_slug: Option<&'a str>,
    /// How the client calls itself.
    pub client_name: Option<&'a str>,
    /// Its version.
    pub client_version: Option<&'a str>,
    /// The grant's id.
    pub grant_id: Option<&'a str>,
    /// Its label.
    pub grant_label: Option<&'a str>,
    /// Its class ceiling.
    pub grant_ceiling: Option<Class>,
    /// The server's id.
    pub server_id: Option<&'a str>,
    /// Its short name.
    pub server_slug: Option<&'a str>,
    /// Its name.
    pub server_name: Option<&'a str>,
    /// From where the call came.
    pub ip: Option<IpAddr>,
    /// When it came.
    pub now: Option<OffsetDateTime>,
}

/// A fact as conditions see it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact<'a> {
    /// A text.
    Text(&'a str),
    /// An address.
    Ip(IpAddr),
    /// A moment.
    Moment(OffsetDateTime),
}

impl<'a> Facts<'a> {
    /// The values of a fact; none where it is not known.
    pub(super) fn of(&self, field: Field, tool: &Tool<'a>) -> FactValues<'a> {
        let text = match field {
            Field::UserTeams => return FactValues { one: None, teams: self.user_teams },
            Field::Ip => return FactValues::one(self.ip.map(|ip| Fact::Ip(ip.to_canonical()))),
            Field::Time => return FactValues::one(self.now.map(Fact::Moment)),
            Field::UserId => self.user_id,
            Field::UserEmail => self.user_email,
            Field::UserName => self.user_name,
            Field::UserRole => self.user_role,
            Field::TeamId => self.team_id,
            Field::TeamSlug => self.team_slug,
            Field::ClientName => self.client_name,
            Field::ClientVersion => self.client_version,
            Field::GrantId => self.grant_id,
            Field::GrantLabel => self.grant_label,
            Field::GrantCeiling => self.grant_ceiling.map(Class::as_str),
            Field::ServerId => self.server_id,
            Field::ServerSlug => self.server_slug,
            Field::ServerName => self.server_name,
            Field::ToolName => Some(tool.name),
            Field::ToolClass => Some(tool.class.as_str()),
        };
        FactValues::one(text.map(Fact::Text))
    }
}

/// The values of a fact, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct FactValues<'a> {
    one: Option<Fact<'a>>,
    teams: &'a [&'a str],
}

impl<'a> FactValues<'a> {
    fn one(one: Option<Fact<'a>>) -> Self {
        Self { one, teams: &[] }
    }
}

impl<'a> Iterator for FactValues<'a> {
    type Item = Fact<'a>;

    fn next(&mut self) -> Option<Fact<'a>> {
        if let Some(one) = self.one.take() {
            return Some(one);
        }
        let (first, rest) = self.teams.split_first()?;
        self.teams = rest;
        Some(Fact::Text(first))
    }
}
