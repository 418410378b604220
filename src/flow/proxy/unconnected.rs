//! What a call lacks whose server asks for secrets or accounts that are not there, and who can see to it.

use crate::{
    base::{actor::Principal, trace::Fixer},
    domain::{grants::DecisionGrant, secrets::Scope},
};

/// Of what kind it is that a call lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A secret.
    Secret,
    /// An account that nobody connected.
    Account,
    /// An account that has to be connected again.
    Reauth,
    /// An account that is switched on.
    Off,
    /// What an account was granted is too little for the tool.
    Scopes,
    /// What a tool needs and the provider did not grant although it was asked.
    Withheld,
    /// A provider that answers.
    Provider,
    /// A provider that takes the client registered here.
    Client,
    /// A provider whose address may be called from here.
    Address,
}

impl Missing {
    /// All kinds.
    #[cfg(test)]
    pub const ALL: [Self; 9] = [
        Self::Secret,
        Self::Account,
        Self::Reauth,
        Self::Off,
        Self::Scopes,
        Self::Withheld,
        Self::Provider,
        Self::Client,
        Self::Address,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Secret => "secret_missing",
            Self::Account => "account_not_connected",
            Self::Reauth => "account_needs_reauth",
            Self::Off => "account_switched_off",
            Self::Scopes => "account_lacks_scopes",
            Self::Withheld => "account_scopes_withheld",
            Self::Provider => "provider_away",
            Self::Client => "provider_refuses_client",
            Self::Address => "provider_address_refused",
        }
    }

    /// With what the text for a model begins: where connecting something helps, it says so.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Secret | Self::Account | Self::Reauth | Self::Scopes => "[CONNECT ACCOUNT]",
            Self::Off | Self::Withheld | Self::Provider | Self::Client | Self::Address => {
                "[PORTREEVE DENIED]"
            }
        }
    }

    /// What would have passed.
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Secret => "every secret that the server asks for",
            Self::Account => "a connected account",
            Self::Reauth => "an account whose tokens the provider renews",
            Self::Off => "an account that is switched on",
            Self::Scopes | Self::Withheld => "an account that was granted what the tool needs",
            Self::Provider => "a provider that answers",
            Self::Client => "a client that the provider takes",
            Self::Address => "a provider whose address may be called",
        }
    }

    /// In how many seconds another try may pass, where nobody has to do anything.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::Provider => Some(60),
            _ => None,
        }
    }
}

/// What is not there of what a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconnected {
    /// The server's name.
    pub server: String,
    /// Of what kind the first of it is.
    pub missing: Missing,
    /// Who can add the first of it.
    pub fixer: Fixer,
    /// Of each what it is and what to do, as sentences.
    pub lacks: Vec<String>,
    /// Where the client leads its person, where it does so and the person can see to it.
    pub link: Option<Link>,
}

/// A page that a client leads its person to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its address.
    pub page: String,
    /// With what the call is made again, where the client's era has such.
    pub state: Option<String>,
}

impl Unconnected {
    /// All of it, in one text.
    pub fn sentence(&self) -> String {
        self.lacks.join(" ")
    }

    /// What was found, in a few words.
    pub fn fact(&self) -> String {
        match self.lacks.as_slice() {
            [one] => one.clone(),
            all => format!("{} things that {} asks for are not there", all.len(), self.server),
        }
    }
}

/// Where people add secrets.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The address of this installation, without a slash at the end.
    pub base_url: &'a str,
    /// The organization's short name.
    pub org: &'a str,
}

/// A secret that a server asks for and that does not serve whoever an agent acts for.
#[derive(Clone, Copy, Debug)]
pub struct Lack<'a> {
    /// Whose it would be.
    pub scope: Scope,
    /// Its name.
    pub name: &'a str,
}

/// What is not there, in words: what it is and what to do, who can see to it, and where, for a person who can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of what kind it is.
    pub missing: Missing,
    /// What it is, and what to do.
    pub sentence: String,
    /// Who can see to it.
    pub fixer: Fixer,
    /// The page where the person does, where it is theirs.
    pub page: Option<String>,
}

impl Lack<'_> {
    /// What is told of it.
    pub fn told(self, server: &str, grant: &DecisionGrant, at: Places<'_>) -> Told {
        let fixer = self.fixer(grant.principal);
        let page = (fixer == Fixer::Person).then(|| self.page(at));
        Told { missing: Missing::Secret, sentence: self.sentence(server, grant, at), fixer, page }
    }

    /// Where the person adds it.
    pub fn page(self, at: Places<'_>) -> String {
        format!("{}/me/secrets/{}/new?name={}", at.base_url, at.org, self.name)
    }

    /// Who can see to it.
    pub const fn fixer(self, principal: Principal) -> Fixer {
        match (self.scope, principal) {
            (Scope::User, Principal::User(_)) => Fixer::Person,
            _ => Fixer::Admin,
        }
    }

    /// What it is, and what to do.
    pub fn sentence(self, server: &str, grant: &DecisionGrant, at: Places<'_>) -> String {
        let Places { base_url, org } = at;
        let (name, who) = (self.name, &grant.principal_name);
        let instead = "an admin can let the server use a secret of the organization";
        match (self.scope, grant.principal) {
            (Scope::Org, _) => format!(
                "{server} asks for the organization's secret {name}, which is not there. An admin can add it at \
                 {base_url}/o/{org}/secrets."
            ),
            (Scope::Team, Principal::User(_)) => format!(
                "{server} asks for the secret {name} of a team, and no team of {who} has one. An owner or admin of a \
                 team of theirs, or an admin, can add it at {base_url}/o/{org}/secrets."
            ),
            (Scope::Team, Principal::Team(_)) => format!(
                "{server} asks for the secret {name} of the team {who}, which has none. An owner or admin of the \
                 team, or an admin, can add it at {base_url}/o/{org}/secrets."
            ),
            (Scope::Team, Principal::ServiceAccount(_)) => format!(
                "{server} asks for the secret {name} of a team, and this agent acts for the service account {who}, \
                 which is in no team. Use a grant of a team or a person, or {instead}."
            ),
            (Scope::User, Principal::User(_)) => format!(
                "{server} asks for a secret of {who}'s own, {name}, which they have not added. They can add it at \
                 {}; then call again.",
                self.page(at)
            ),
            (Scope::User, Principal::Team(_)) => format!(
                "{server} asks for a person's own secret, {name}, and this agent acts for the team {who}. Use a grant \
                 of a person, or {instead} or of the team."
            ),
            (Scope::User, Principal::ServiceAccount(_)) => format!(
                "{server} asks for a person's own secret, {name}, and this agent acts for the service account {who}. \
                 Use a grant of a person, or {instead}."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{
            ids::{GrantId, ServiceAccountId, TeamId, UserId},
            risk::Class,
        },
        domain::grants::{Bindings, ServersOf},
    };

    fn grant(principal: Principal) -> DecisionGrant {
        DecisionGrant {
            id: GrantId::fresh(),
            label: "Claude".to_owned(),
            principal,
            principal_name: "Ada".to_owned(),
            principal_handle: "ada@example.com".to_owned(),
            is_principal_active: true,
            servers: ServersOf::All,
            ceiling: Class::Write,
            policy: None,
            role: None,
            expires_at: None,
            suspension: None,
            revocation: None,
            bindings: Bindings::default(),
            tokens: Vec::new(),
        }
    }

    #[test]
    fn every_lack_says_what_is_missing_and_who_can_see_to_it() {
        let at = Places { base_url: "https://p.example", org: "acme" };
        let principals = [
            Principal::User(UserId::fresh()),
            Principal::Team(TeamId::fresh()),
            Principal::ServiceAccount(ServiceAccountId::fresh()),
        ];
        for scope in Scope::ALL {
            for principal in principals {
                let lack = Lack { scope, name: "github_token" };
                let told = lack.sentence("GitHub", &grant(principal), at);
                assert!(told.starts_with("GitHub asks for") && told.contains("github_token"), "{told}");
                let is_theirs = (scope, principal) == (Scope::User, principals[0]);
                assert_eq!(told.contains("/me/secrets/acme/new?name=github_token"), is_theirs, "{told}");
                assert_eq!(lack.fixer(principal) == Fixer::Person, is_theirs);
                let is_strange = scope != Scope::Org && told.contains("this agent acts for");
                let is_no_person = scope == Scope::User && principal != principals[0];
                let is_in_no_team = scope == Scope::Team && principal == principals[2];
                assert_eq!(is_strange, is_no_person || is_in_no_team, "{told}");
            }
        }
    }

    #[test]
    fn several_lacks_are_told_together() {
        let lacks = vec!["One.".to_owned(), "Two.".to_owned()];
        let both = Unconnected {
            server: "GitHub".to_owned(),
            missing: Missing::Account,
            fixer: Fixer::Admin,
            lacks,
            link: None,
        };
        assert_eq!(both.sentence(), "One. Two.");
        assert_eq!(both.fact(), "2 things that GitHub asks for are not there");
    }
}
