//! Connected accounts: one owner's tokens at one provider, and how they fare.

use std::{fmt, str::FromStr};

use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectRequestId, ConnectionId, DataKeyId, ProviderId, SessionId, TeamId, UserId},
    domain::connections::FormerPlace,
    protocol::oauth::{document::Facts, failure::FailureKind},
};

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountOwner {
    /// One person's: it serves what agents do in their name.
    User(UserId),
    /// A team's: it serves those who are in it.
    Team(TeamId),
    /// Everybody's.
    Org,
}

impl AccountOwner {
    /// The name in the database and the API.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Team(_) => "team",
            Self::Org => "org",
        }
    }

    /// The person.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Team(_) | Self::Org => None,
        }
    }

    /// The team.
    pub const fn team(self) -> Option<TeamId> {
        match self {
            Self::Team(team) => Some(team),
            Self::User(_) | Self::Org => None,
        }
    }

    /// Of the two columns that say it.
    pub(super) fn of(user: Option<UserId>, team: Option<TeamId>) -> Self {
        match (user, team) {
            (Some(user), _) => Self::User(user),
            (None, Some(team)) => Self::Team(team),
            (None, None) => Self::Org,
        }
    }
}

/// How a connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Its token serves calls.
    Active,
    /// A new token is being fetched.
    Refreshing,
    /// The provider does not give a new token for now; that will pass.
    ErrorBackoff,
    /// Only its owner can help, by connecting again.
    NeedsReauth,
    /// It was ended here.
    Revoked,
    /// It was switched off.
    Disabled,
}

impl ConnectionState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::Refreshing,
        Self::ErrorBackoff,
        Self::NeedsReauth,
        Self::Revoked,
        Self::Disabled,
    ];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Refreshing => "refreshing",
            Self::ErrorBackoff => "error_backoff",
            Self::NeedsReauth => "needs_reauth",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who switched an account off, as its reason says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchedOffBy {
    /// Its owner, or whoever looks after it.
    Owner,
    /// An admin, of somebody's account: its owner does not switch it on.
    Admin,
}

impl SwitchedOffBy {
    /// The reason in the database, the API and the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "by_owner",
            Self::Admin => "by_admin",
        }
    }

    /// What a connection's state and reason say.
    fn of(state: ConnectionState, reason: &str) -> Option<Self> {
        let is_off = state == ConnectionState::Disabled;
        // Whatever else the reason says, nobody but an admin lifts it.
        is_off.then(|| if reason == Self::Owner.as_str() { Self::Owner } else { Self::Admin })
    }
}

/// The code of an address that the rules of this installation keep from being called.
pub const ADDRESS_REFUSED: &str = "address_refused";

/// What keeps new tokens from coming until somebody does something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The provider refuses the client that an admin registered.
    Client,
    /// The rules of this installation refuse the provider's address.
    Address,
}

impl Blocked {
    /// What a failure says, by its kind and its code.
    pub fn of(kind: &str, code: &str) -> Option<Self> {
        let is_blocked = kind == FailureKind::BrokenClient.as_str();
        is_blocked.then(|| if code == ADDRESS_REFUSED { Self::Address } else { Self::Client })
    }
}

/// The text names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose active, refreshing, error_backoff, needs_reauth, revoked or disabled")]
pub struct NotAState;

impl FromStr for ConnectionState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAState)
    }
}

/// What a provider says of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountLabel {
    /// The provider's id of it; empty where it says none.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its address.
    pub email: String,
    /// The workspace, site or tenant that it belongs to.
    pub workspace: String,
}

/// The last thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: OffsetDateTime,
    /// What, as a code.
    pub code: String,
    /// The provider's own words; empty where there were none.
    pub words: String,
}

/// A connected account. Its tokens are not in it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id, which stays when it is connected again.
    pub id: ConnectionId,
    /// At which provider.
    pub provider: ProviderId,
    /// The provider's short name.
    pub provider_slug: String,
    /// The provider's name.
    pub provider_name: String,
    /// Whose it is.
    pub owner: AccountOwner,
    /// The name of the person or team; empty for everybody's.
    pub owner_name: String,
    /// What its owner calls it; empty where the account's own name will do.
    pub name: String,
    /// What the provider says of the account.
    pub label: AccountLabel,
    /// Whether it is the one of its owner's that agents use.
    pub is_default: bool,
    /// For which calls it is used all the same: conditions as policies write them; empty for none.
    pub account_if: String,
    /// How it fares.
    pub state: ConnectionState,
    /// Why, as a code; empty while all is well.
    pub reason: String,
    /// Since when.
    pub since: OffsetDateTime,
    /// What was granted.
    pub scopes: Vec<String>,
    /// What a server said that it needs beyond.
    pub wanted: Vec<String>,
    /// Whether new tokens can be fetched without its owner.
    pub has_refresh: bool,
    /// When its token ends; none where the provider does not say.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last certain to work.
    pub last_ok_at: Option<OffsetDateTime>,
    /// When a new token is tried for again.
    pub retry_at: Option<OffsetDateTime>,
    /// What keeps it from coming until somebody does something.
    pub blocked: Option<Blocked>,
    /// What last went wrong.
    pub last_error: Option<LastError>,
    /// Who connected it.
    pub connected_by: Option<UserId>,
    /// When it was first connected.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Rises with every change that people see.
    pub version: i64,
}

impl Connection {
    /// What a page calls it: the owner's name for it, else what the provider calls the account.
    pub fn title(&self) -> &str {
        let all = [&self.name, &self.label.name, &self.label.email, &self.label.id, &self.provider_name];
        all.into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
    }

    /// Who switched it off, where it is.
    pub fn switched_off_by(&self) -> Option<SwitchedOffBy> {
        SwitchedOffBy::of(self.state, &self.reason)
    }

    /// Which of these scopes it was not granted.
    pub fn missing<'s>(&self, wanted: &'s [String]) -> Vec<&'s str> {
        wanted.iter().filter(|scope| !self.scopes.contains(scope)).map(String::as_str).collect()
    }
}

/// What last went wrong with an account.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Which.
    pub connection: ConnectionId,
    /// What it is called; empty where it has no name.
    pub title: String,
    /// When.
    pub at: OffsetDateTime,
    /// What, as a code.
    pub code: String,
    /// The provider's own words; empty where there were none.
    pub words: String,
}

/// Which connections a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionFilter {
    /// Of this person.
    pub user: Option<UserId>,
    /// Of no person: of teams and of everybody.
    pub is_shared: bool,
    /// At this provider.
    pub provider: Option<ProviderId>,
    /// In this state.
    pub state: Option<ConnectionState>,
}

/// Tokens as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTokens {
    /// The key that sealed them.
    pub key: DataKeyId,
    /// Access and refresh token, sealed as one value.
    pub bytes: Vec<u8>,
}

/// Tokens of an account that was ended here, which its provider is still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEnding {
    /// The connection that they were of.
    pub id: ConnectionId,
    /// The provider.
    pub provider: ProviderId,
    /// Whose the account was, where it was a person's.
    pub user: Option<UserId>,
    /// What pages called it.
    pub title: String,
    /// What the provider said beside the tokens.
    pub facts: Facts,
    /// The tokens.
    pub tokens: SealedTokens,
    /// How often the provider was told in vain.
    pub attempts: i32,
    /// When it is not told any more.
    pub until: OffsetDateTime,
    /// Where they are to be ended, where their provider has moved since: nowhere else.
    pub former: Option<FormerPlace>,
}

impl TokenEnding {
    /// The version that the provider had where they came from; zero where it stands there still.
    pub fn former_version(&self) -> i64 {
        self.former.as_ref().map_or(0, |former| former.version)
    }
}

/// A connection as a call needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAccount {
    /// Which.
    pub id: ConnectionId,
    /// At which provider.
    pub provider: ProviderId,
    /// Whose it is.
    pub owner: AccountOwner,
    /// Whether it is the one of its owner's that agents use.
    pub is_default: bool,
    /// For which calls it is used all the same: conditions as policies write them; empty for none.
    pub account_if: String,
    /// How it fares.
    pub state: ConnectionState,
    /// Why, as a code; empty while all is well.
    pub reason: String,
    /// What was granted.
    pub scopes: Vec<String>,
    /// What was not, although it was asked for.
    pub withheld: Vec<String>,
    /// What the provider said beside the tokens.
    pub facts: Facts,
    /// Its tokens; none once it was ended.
    pub tokens: Option<SealedTokens>,
    /// Which pair they are.
    pub token_version: i64,
    /// Whether new ones can be fetched without its owner.
    pub has_refresh: bool,
    /// When they were given.
    pub issued_at: OffsetDateTime,
    /// When the access token ends; none where the provider does not say.
    pub expires_at: Option<OffsetDateTime>,
    /// When new ones can be fetched no more; none where the provider does not say.
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// The end that its owner was written to about, or that is no news.
    pub ending_told_for: Option<OffsetDateTime>,
    /// Until when nobody tries for new ones, after a failure.
    pub retry_at: Option<OffsetDateTime>,
    /// What keeps new ones from coming until somebody does something.
    pub blocked: Option<Blocked>,
    /// How often the refresh token was sent without an answer that was stored.
    pub presented: i32,
    /// How often in a row no new token came.
    pub failures: i32,
    /// When it was last certain to work.
    pub last_ok_at: Option<OffsetDateTime>,
}

impl HeldAccount {
    /// Who switched it off, where it is.
    pub fn switched_off_by(&self) -> Option<SwitchedOffBy> {
        SwitchedOffBy::of(self.state, &self.reason)
    }
}

/// Tokens that a provider gave, to be stored.
#[derive(Clone, Debug)]
pub struct NewTokens {
    /// Access and refresh token, sealed.
    pub sealed: SealedTokens,
    /// Whether there is a refresh token among them.
    pub has_refresh: bool,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When the access token ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When the refresh token ends.
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// What the provider said beside them.
    pub facts: Facts,
}

/// An account that was just connected.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// Its id, made before, for its tokens are sealed for it.
    pub id: ConnectionId,
    /// At which provider.
    pub provider: ProviderId,
    /// Whose it is.
    pub owner: AccountOwner,
    /// What the provider says of the account.
    pub label: AccountLabel,
    /// Its tokens.
    pub tokens: NewTokens,
    /// Who connected it.
    pub by: UserId,
}

/// A request for an account that is under way: the browser is at the provider.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// Its id.
    pub id: ConnectRequestId,
    /// Who asked.
    pub user: UserId,
    /// In which browser session; another one does not finish it.
    pub session: SessionId,
    /// At which provider.
    pub provider: ProviderId,
    /// The version of the provider that was asked; another one does not finish it.
    pub provider_version: i64,
    /// For whom the account is to be.
    pub owner: AccountOwner,
    /// The connection that is renewed; none for a new one.
    pub connection: Option<ConnectionId>,
    /// What was asked for.
    pub scopes: Vec<String>,
    /// Verifier and nonce, sealed.
    pub proof: SealedTokens,
    /// The page to go on to; empty for the usual one.
    pub return_to: String,
    /// Whether what comes of it is only looked at.
    pub is_trial: bool,
    /// Until when it can be finished.
    pub expires_at: OffsetDateTime,
}
