//! A grant as the proxy needs it to judge calls, without asking the database again.

use std::fmt;

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        crypto::digest::{self, Digest},
        ids::{GrantId, GrantTokenId, PolicyId, ServerId},
        permission::Role,
        risk::Class,
    },
    domain::grants::{Bindings, GrantState, ServersOf, Stop, TokenState},
};

/// Everything about one grant that a decision rests on, as of one epoch.
#[derive(Clone, Debug)]
pub struct DecisionGrant {
    /// Its id.
    pub id: GrantId,
    /// Its name, for the record and the agent.
    pub label: String,
    /// In whose name.
    pub principal: Principal,
    /// The principal's name, for the record.
    pub principal_name: String,
    /// The principal's address or slug.
    pub principal_handle: String,
    /// A member who is not disabled, a service account that is not disabled, or a team that is there.
    pub is_principal_active: bool,
    /// On which servers.
    pub servers: ServersOf,
    /// The strongest class of tools.
    pub ceiling: Class,
    /// The policy of its own layer.
    pub policy: Option<PolicyId>,
    /// The person's role in the organization; none where it acts in nobody's name.
    pub role: Option<Role>,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it rests, and why.
    pub suspension: Option<Stop>,
    /// Since when it is over, and why.
    pub revocation: Option<Stop>,
    /// From where and with which software.
    pub bindings: Bindings,
    /// Its tokens, those included that have ended lately, so that an agent hears why it is refused.
    pub tokens: Vec<DecisionToken>,
}

impl DecisionGrant {
    /// Whether it is in force at a moment, and if not, the first reason against it.
    pub fn state(&self, now: OffsetDateTime) -> GrantState {
        GrantState::of(
            self.revocation.is_some(),
            self.expires_at,
            self.is_principal_active,
            self.suspension.is_some(),
            now,
        )
    }

    /// Whether it reaches a server.
    pub fn covers(&self, server: ServerId) -> bool {
        self.servers.covers(server)
    }
}

/// One token of a grant, as far as it is needed to recognize it.
#[derive(Clone)]
pub struct DecisionToken {
    /// Its id, which a carried token holds.
    pub id: GrantTokenId,
    /// The hash of its secret.
    pub hash: Digest,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl DecisionToken {
    /// Whether a hash of a carried secret is this token's; takes the same time wherever they differ.
    pub fn matches(&self, hash: &Digest) -> bool {
        digest::same(&self.hash, hash)
    }

    /// Whether it works at a moment, as far as the token itself says.
    pub fn state(&self, now: OffsetDateTime) -> TokenState {
        TokenState::of(self.revoked_at, self.expires_at, now)
    }
}

impl fmt::Debug for DecisionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionToken")
            .field("id", &self.id.to_string())
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::{base::crypto::token::Token, domain::grants::IssuedToken};

    #[test]
    fn a_token_is_recognized_by_its_hash_and_its_end_is_exclusive() {
        const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);
        let issued = IssuedToken::fresh();
        let token = DecisionToken {
            id: issued.id(),
            hash: issued.token.hash(),
            expires_at: NOW + Duration::DAY,
            revoked_at: None,
        };
        assert!(token.matches(&issued.token.hash()));
        let other = Token::issue(crate::base::crypto::token::TokenKind::Grant, issued.id());
        assert!(!token.matches(&other.hash()));
        assert_eq!(token.state(NOW), TokenState::Live);
        assert_eq!(token.state(NOW + Duration::DAY), TokenState::Expired);
        assert!(!format!("{token:?}").contains("hash"));
    }
}
