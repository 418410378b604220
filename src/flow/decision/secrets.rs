//! What servers are sent of secrets, sealed as it is stored.
//!
//! Those of the organization and its teams that some server asks for are read with the snapshot: they are few, and no call
//! then asks the database for them. Those of people are read when an agent of theirs first needs one, and kept beside the
//! snapshot: an organization may have thousands of people with secrets, of whom few have an agent at work.
//!
//! What is kept goes with the snapshot, and not with time: every change of a secret raises the organization's epoch, and no
//! call that was served by an older snapshot is put on record. So a value that was rotated or destroyed is sent by no
//! replica after whoever did it was answered.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    base::ids::{TeamId, UserId},
    domain::{
        secrets::{Scope, SealedSecret, SecretOwner},
        servers::CredentialSource,
    },
};

/// How many people's secrets are kept beside one snapshot; beyond, all are forgotten and read anew.
const MOST_PEOPLE: usize = 10_000;

/// What one person keeps for themselves, by name.
pub type OwnSecrets = HashMap<String, Arc<SealedSecret>>;

/// What servers are sent of secrets, as of one epoch.
#[derive(Debug, Default)]
pub struct Secrets {
    shared: HashMap<(SecretOwner, String), Arc<SealedSecret>>,
    people: RwLock<HashMap<UserId, Arc<OwnSecrets>>>,
}

impl Secrets {
    /// With those of the organization and its teams.
    pub fn of(shared: Vec<(SecretOwner, String, SealedSecret)>) -> Self {
        let shared = shared.into_iter().map(|(owner, name, sealed)| ((owner, name), Arc::new(sealed)));
        Self { shared: shared.collect(), people: RwLock::default() }
    }

    /// The organization's secret of this name.
    pub fn of_org(&self, name: &str) -> Option<Arc<SealedSecret>> {
        self.shared.get(&(SecretOwner::Org, name.to_owned())).cloned()
    }

    /// The secret of this name of the first of these teams by slug that has one.
    pub fn of_teams<'t>(
        &self,
        teams: impl IntoIterator<Item = (TeamId, &'t str)>,
        name: &str,
    ) -> Option<Arc<SealedSecret>> {
        let key = |team| (SecretOwner::Team(team), name.to_owned());
        let having = teams.into_iter().filter_map(|(team, slug)| Some((slug, self.shared.get(&key(team))?)));
        having.min_by_key(|(slug, _)| *slug).map(|(_, sealed)| Arc::clone(sealed))
    }

    /// What a person keeps for themselves, where that was read before.
    pub fn kept_of(&self, user: UserId) -> Option<Arc<OwnSecrets>> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).get(&user).cloned()
    }

    /// Keeps what was read of a person's.
    pub fn keep(&self, user: UserId, own: Vec<(String, SealedSecret)>) -> Arc<OwnSecrets> {
        let own: OwnSecrets = own.into_iter().map(|(name, sealed)| (name, Arc::new(sealed))).collect();
        let own = Arc::new(own);
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= MOST_PEOPLE {
            people.clear();
        }
        people.insert(user, Arc::clone(&own));
        own
    }
}

/// Whose secret a source means; none where it is no secret.
pub const fn scope_of(source: CredentialSource) -> Option<Scope> {
    match source {
        CredentialSource::Static | CredentialSource::Oauth => None,
        CredentialSource::OrgSecret => Some(Scope::Org),
        CredentialSource::TeamSecret => Some(Scope::Team),
        CredentialSource::UserSecret => Some(Scope::User),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{DataKeyId, SecretId};

    fn sealed(byte: u8) -> SealedSecret {
        SealedSecret { id: SecretId::fresh(), key: DataKeyId::fresh(), bytes: vec![byte] }
    }

    #[test]
    fn of_several_teams_that_have_it_the_first_by_slug_serves() {
        let (crew, ops, idle) = (TeamId::fresh(), TeamId::fresh(), TeamId::fresh());
        let secrets = Secrets::of(vec![
            (SecretOwner::Team(ops), "token".to_owned(), sealed(2)),
            (SecretOwner::Team(crew), "token".to_owned(), sealed(1)),
            (SecretOwner::Org, "token".to_owned(), sealed(0)),
        ]);
        let found = |teams: &[(TeamId, &str)]| {
            secrets.of_teams(teams.iter().copied(), "token").map(|sealed| sealed.bytes[0])
        };
        assert_eq!(found(&[(ops, "ops"), (crew, "crew"), (idle, "a-team")]), Some(1));
        assert_eq!(found(&[(ops, "ops")]), Some(2));
        assert_eq!(found(&[(idle, "a-team")]), None);
        assert_eq!(secrets.of_org("token").map(|sealed| sealed.bytes[0]), Some(0));
        assert!(secrets.of_org("other").is_none());
    }

    #[test]
    fn what_people_keep_is_kept_apart_and_bounded() {
        let secrets = Secrets::default();
        let user = UserId::fresh();
        assert!(secrets.kept_of(user).is_none());
        secrets.keep(user, vec![("token".to_owned(), sealed(7))]);
        assert_eq!(secrets.kept_of(user).and_then(|own| own.get("token").map(|s| s.bytes[0])), Some(7));
        for _ in 0..MOST_PEOPLE {
            secrets.keep(UserId::fresh(), Vec::new());
        }
        assert!(secrets.kept_of(user).is_none(), "room was made");
    }
}
