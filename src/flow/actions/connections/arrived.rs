//! Tokens that came, whichever way, become an account of whom they are for, or renew one.

use crate::{
    base::{
        ids::{ConnectionId, UserId},
        permission::Permission,
    },
    domain::{
        audit::{self, Entry},
        connections::{
            AccountLabel, AccountOwner, Connection, NewConnection, Obtaining, Provider,
            store::{self as providers, accounts, noted, reach},
        },
    },
    flow::{
        actions::connections::{ConnectionRecord, about, looks_after},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::{Pair, stored},
    },
    io::db::DbError,
    protocol::oauth::{answer::Tokens, document::Facts},
};

/// How many accounts of one owner at one provider there may be: as many as a call chooses among.
const MOST: i64 = 50;

/// What came.
pub(super) struct Arrived<'a> {
    /// From which provider.
    pub(super) provider: &'a Provider,
    /// The version of it that was asked.
    pub(super) provider_version: i64,
    /// For whom.
    pub(super) owner: AccountOwner,
    /// The connection that is renewed; none for a new one.
    pub(super) renewed: Option<ConnectionId>,
    /// The scopes that were asked for.
    pub(super) asked: &'a [String],
    /// Whose account it is.
    pub(super) label: AccountLabel,
    /// The tokens.
    pub(super) tokens: &'a Tokens,
    /// What is kept beside them.
    pub(super) facts: Facts,
    /// Who connected it.
    pub(super) by: UserId,
}

/// As it is kept now.
pub(super) struct Kept {
    /// The connection.
    pub(super) connection: Connection,
    /// Whether it was there before.
    pub(super) is_renewed: bool,
    /// Whether it is shared, and yet the account of one person.
    pub(super) is_somebodys: bool,
}

impl Arrived<'_> {
    /// Keeps it.
    ///
    /// # Errors
    /// A refusal where the provider was changed meanwhile, or where it is another account than the one to be renewed;
    /// `Forbidden` where whoever set out for others may no longer.
    pub(super) async fn keep(self, cx: &OrgCx) -> ActionResult<Kept> {
        let Self { provider, label, tokens, .. } = self;
        let pair = Pair::of(tokens, None);
        let scopes = tokens.scopes.clone().unwrap_or_else(|| self.asked.to_vec());
        let mut tx = cx.tx().await?;
        // Meanwhile the provider may have become another one: what the one before gave is not the other's.
        if !providers::is_version(&mut tx, provider.id, self.provider_version).await? {
            return Err(changed(provider));
        }
        // Whoever set out for others may have lost the right to meanwhile.
        if self.owner.user().is_none() && !looks_after(cx, &mut tx, self.owner).await? {
            return Err(ActionError::Forbidden(Permission::ConnectionsWrite));
        }
        if let Some(renewed) = self.renewed {
            let before = accounts::find(&mut tx, renewed).await?.ok_or(ActionError::NotFound)?;
            // A key does not say whose it is, so any may follow another; a client that was changed is another, and follows all
            // the same.
            if provider.obtaining() == Obtaining::SignIn && before.label.id != label.id {
                return Err(other(&label, &before));
            }
        }
        let there = accounts::find_of_account(&mut tx, provider.id, self.owner, &label.id).await?;
        let renewed = self.renewed.or(there);
        let id = renewed.unwrap_or_else(ConnectionId::fresh);
        let sealed = pair.seal(&cx.ports.vault, &mut tx, id).await?;
        let mut tokens = stored(sealed, &pair, tokens, (scopes, self.facts), cx.now());
        tokens.has_refresh |= provider.obtaining() == Obtaining::Client;
        let action = if renewed.is_some() {
            if !accounts::renew(&mut tx, id, &label, &tokens, cx.now()).await? {
                return Err(ActionError::Changed);
            }
            "connection.renewed"
        } else {
            if accounts::count_for(&mut tx, provider.id, self.owner).await? >= MOST {
                return Err(too_many(provider));
            }
            let new =
                NewConnection { id, provider: provider.id, owner: self.owner, label, tokens, by: self.by };
            accounts::insert(&mut tx, &new, cx.now()).await.map_err(|error| not_kept(provider, error))?;
            "connection.connected"
        };
        let connection = accounts::find(&mut tx, id).await?.ok_or(ActionError::Changed)?;
        let withheld: Vec<_> = connection.missing(self.asked).into_iter().map(str::to_owned).collect();
        noted::withhold(&mut tx, id, &withheld).await?;
        let is_somebodys = connection.owner.user().is_none() && reach::is_somebodys(&mut tx, id).await?;
        let entry =
            about(Entry::admin(action, &cx.who()), &connection).after(&ConnectionRecord::of(&connection));
        audit::commit(tx, cx.now(), vec![entry]).await?;
        Ok(Kept { connection, is_renewed: renewed.is_some(), is_somebodys })
    }
}

fn not_kept(provider: &Provider, error: DbError) -> ActionError {
    // Somebody else connected the same at the same moment: what they did stands.
    if accounts::IS_ONE.iter().any(|rule| error.broke(rule)) {
        return ActionError::Changed;
    }
    if error.broke(accounts::IS_OF_A_MEMBER) {
        return ActionError::refused(
            "connect_no_member",
            format!(
                "You ceased to be a member while you were at {}. Nothing was connected; ask an admin to invite you again.",
                provider.name
            ),
        );
    }
    error.into()
}

fn too_many(provider: &Provider) -> ActionError {
    ActionError::refused(
        "connect_too_many",
        format!(
            "There are {MOST} accounts at {} already, and calls look at no more. Disconnect one that is not used any more.",
            provider.name
        ),
    )
}

/// The provider is another one than it was.
pub(super) fn changed(provider: &Provider) -> ActionError {
    ActionError::refused(
        "connect_provider_changed",
        format!("{} was changed while you were there. Nothing was connected; connect again.", provider.name),
    )
}

fn other(label: &AccountLabel, before: &Connection) -> ActionError {
    ActionError::refused(
        "connect_other_account",
        format!(
            "You signed in to another account ({}) than the one to be connected again ({}). Nothing was changed: \
             connect again and choose that one, or connect this one as a further account.",
            named(label),
            before.title()
        ),
    )
}

fn named(label: &AccountLabel) -> &str {
    [&label.email, &label.name, &label.id]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("one without a name", String::as_str)
}
