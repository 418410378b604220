//! Who is asking, and with which hands.
//!
//! Invariant: an [`OrgCx`] exists only after membership or key was checked, a [`PersonCx`] only after a session was,
//! an [`OperatorCx`] only for an operator. Each is made in `flow/enter.rs` and nowhere else.

use std::{ops::Deref, path::PathBuf, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::{Actor, Origin},
        clock::Clock,
        ids::{OrgId, UserId},
        permission::{Permission, Role},
    },
    domain::{
        audit::Who,
        identity::{attempts::Limits, password::Hasher, relying::Relying, sessions::Session, users::User},
        tenancy::Org,
        vault::Vault,
    },
    flow::{
        fault::{ActionError, ActionResult},
        jobs::Waker,
        letters::Post,
        tokens::Tokens,
    },
    io::{
        anchors::AnchorFile,
        db::{Db, OrgScope, OrgTx, PersonScope, PersonTx, SystemTx},
        net::client::Egress,
    },
};

/// The long-lived things that actions work with; built once by the app.
#[derive(Debug)]
pub struct Ports {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The folder of the built-in database and its keys; none where the operator runs their own.
    pub data_dir: Option<PathBuf>,
    /// Sealed values.
    pub vault: Vault,
    /// Password hashing, a few at a time.
    pub hasher: Hasher,
    /// Passkeys; absent where the site's address cannot have any.
    pub relying: Option<Relying>,
    /// Protective limits.
    pub limits: Limits,
    /// Tells this replica's workers that there is work.
    pub waker: Waker,
    /// Letters.
    pub post: Post,
    /// Requests to servers of others.
    pub egress: Egress,
    /// Tokens of connected accounts.
    pub tokens: Tokens,
    /// How the installation is reached and set up.
    pub site: Site,
}

/// How the installation is reached and set up.
#[derive(Clone, Debug)]
pub struct Site {
    /// The address people and agents use, without a slash at the end.
    pub base_url: String,
    /// Whether letters leave by SMTP; otherwise the operator reads them in the outbox.
    pub sends_mail: bool,
    /// Whether this is a production replica.
    pub production: bool,
    /// The file outside the database to which signed audit checkpoints are appended as well.
    pub anchor_file: Option<AnchorFile>,
}

impl Site {
    /// Whether the address is https.
    pub fn is_secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// A full address for a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The host, as people see it.
    pub fn host(&self) -> &str {
        self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, host)| host)
    }
}

/// Anyone, before they are known.
#[derive(Clone, Debug)]
pub struct Cx {
    /// The hands.
    pub ports: Arc<Ports>,
    /// From where.
    pub origin: Origin,
}

impl Cx {
    /// The present moment.
    pub fn now(&self) -> OffsetDateTime {
        self.ports.clock.now()
    }

    /// A transaction before anybody is known.
    pub async fn system_tx(&self) -> ActionResult<SystemTx> {
        Ok(SystemTx::begin(&self.ports.db).await?)
    }

    /// A transaction within an organization whose right was proven otherwise, such as by an invitation.
    pub async fn tx_of(&self, scope: OrgScope) -> ActionResult<OrgTx> {
        Ok(OrgTx::begin(&self.ports.db, scope).await?)
    }

    /// A transaction on the rows of a person who was just recognized.
    pub async fn tx_of_person(&self, scope: PersonScope) -> ActionResult<PersonTx> {
        Ok(PersonTx::begin(&self.ports.db, scope).await?)
    }

    /// Nobody, for the record of an attempt.
    pub fn nobody(&self, name: impl Into<String>) -> Who {
        Who { actor: Actor::Nobody, name: name.into(), origin: Some(self.origin.clone()) }
    }
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct PersonCx {
    pub(super) cx: Cx,
    /// The person.
    pub user: User,
    /// Their session.
    pub session: Session,
}

impl PersonCx {
    /// The person's id.
    pub const fn id(&self) -> UserId {
        self.user.id
    }

    /// A transaction on the person's own rows.
    pub async fn tx(&self) -> ActionResult<PersonTx> {
        self.cx.tx_of_person(PersonScope::proven(self.user.id)).await
    }

    /// Refuses unless the person has proven themselves within the last minutes.
    pub fn require_proof(&self) -> ActionResult<()> {
        if self.session.is_fresh(self.cx.now()) { Ok(()) } else { Err(ActionError::NeedsProof) }
    }

    /// The person, for the record.
    pub fn who(&self) -> Who {
        Who {
            actor: Actor::User { user: self.user.id, session: self.session.id },
            name: self.user.name.as_str().to_owned(),
            origin: Some(self.cx.origin.clone()),
        }
    }
}

impl Deref for PersonCx {
    type Target = Cx;

    fn deref(&self) -> &Cx {
        &self.cx
    }
}

/// Someone inside one organization: a member in a browser, or a key.
#[derive(Clone, Debug)]
pub struct OrgCx {
    pub(super) cx: Cx,
    pub(super) scope: OrgScope,
    /// The organization.
    pub org: Org,
    /// The role that authority comes from.
    pub role: Role,
    pub(super) who: Who,
    /// The scopes of a key; a person in a browser has their role's.
    pub(super) scopes: Option<Vec<Permission>>,
    /// The person in the browser.
    pub person: Option<PersonCx>,
}

impl OrgCx {
    /// The organization's id.
    pub const fn id(&self) -> OrgId {
        self.scope.org()
    }

    /// Whether the caller holds a permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission) && self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission))
    }

    /// Refuses without a permission.
    pub fn require(&self, permission: Permission) -> ActionResult<()> {
        if self.may(permission) { Ok(()) } else { Err(ActionError::Forbidden(permission)) }
    }

    /// Refuses unless the person has just proven themselves; a key proves itself with every request.
    pub fn require_proof(&self) -> ActionResult<()> {
        self.person.as_ref().map_or(Ok(()), PersonCx::require_proof)
    }

    /// The person behind the act: the member, or the person whose key it is.
    pub const fn user(&self) -> Option<UserId> {
        self.who.actor.user()
    }

    /// A transaction within the organization.
    pub async fn tx(&self) -> ActionResult<OrgTx> {
        self.cx.tx_of(self.scope).await
    }

    /// The actor, for the record.
    pub fn who(&self) -> Who {
        self.who.clone()
    }
}

impl Deref for OrgCx {
    type Target = Cx;

    fn deref(&self) -> &Cx {
        &self.cx
    }
}

/// A person who keeps the installation; sees counts and configuration, never arguments or tokens.
#[derive(Clone, Debug)]
pub struct OperatorCx {
    pub(super) person: PersonCx,
}

impl Deref for OperatorCx {
    type Target = PersonCx;

    fn deref(&self) -> &PersonCx {
        &self.person
    }
}
