//! Which secrets and accounts a server asks for, and whom it would lack.

use crate::{
    base::permission::Permission,
    domain::{
        connections::{
            ConnectionState,
            store::{
                held::{self, Holders},
                reach,
            },
        },
        secrets::{Lacking, Scope, store::served},
        servers::{Credential, NamedProvider, Server, store},
    },
    flow::{actions::servers::named, cx::OrgCx, decision::scope_of, fault::ActionResult},
    io::db::{OrgTx, Tx},
};

/// Something that a server asks for, and whom it would lack.
#[derive(Clone, Debug)]
pub struct Need {
    /// Its name, or that of the provider where the account is.
    pub name: String,
    /// What it is.
    pub what: Wanted,
    /// Whether there is one for whoever looks.
    pub is_met: bool,
    /// The members for whom there is none: of a secret of the organization's nobody is listed, for it is there for all or
    /// for none.
    pub lacking: Lacking,
}

impl Need {
    /// Whether both are one thing that is asked for.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.what, &self.name) == (&other.what, &other.name)
    }
}

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A secret.
    Secret(Scope),
    /// An account of whoever calls, or one that is shared with them.
    Account {
        /// The provider's short name.
        provider: String,
        /// Whether people cannot connect one of their own.
        is_shared_only: bool,
    },
}

/// How many members are named who lack an account.
const NAMED: i64 = 5;

/// The secrets and accounts that a server asks for, each once, in the order of its credentials.
pub async fn needs(cx: &OrgCx, name: &str) -> ActionResult<(Server, Vec<Need>)> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let credentials = store::credentials::list(&mut tx, server.id).await?;
    let needs = of(cx, &mut tx, &credentials).await?;
    tx.done().await?;
    Ok((server, needs))
}

/// What credentials ask for, each once, in their order.
pub(super) async fn of(cx: &OrgCx, tx: &mut OrgTx, credentials: &[Credential]) -> ActionResult<Vec<Need>> {
    let mut needs: Vec<Need> = Vec::new();
    for credential in credentials {
        let need = match (&credential.provider, scope_of(credential.source), &credential.secret) {
            (Some(provider), ..) => account(cx, tx, provider).await?,
            (None, Some(scope), Some(name)) => secret(cx, tx, scope, name).await?,
            _ => continue,
        };
        if !needs.iter().any(|known| known.is_same(&need)) {
            needs.push(need);
        }
    }
    Ok(needs)
}

async fn secret(cx: &OrgCx, tx: &mut OrgTx, scope: Scope, name: &str) -> ActionResult<Need> {
    let is_met = served::find_for(tx, scope, name, cx.user()).await?.is_some();
    let lacking = match scope {
        Scope::Org => Lacking::default(),
        Scope::Team | Scope::User => served::lacking(tx, scope, name).await?,
    };
    Ok(Need { name: name.to_owned(), what: Wanted::Secret(scope), is_met, lacking })
}

async fn account(cx: &OrgCx, tx: &mut OrgTx, provider: &NamedProvider) -> ActionResult<Need> {
    let serving = held::serving(tx, provider.id, Holders::Member(cx.user())).await?;
    let is_met = serving.first().is_some_and(|one| one.state != ConnectionState::NeedsReauth);
    let (count, first) = reach::lacking(tx, provider.id, NAMED).await?;
    let what = Wanted::Account { provider: provider.slug.clone(), is_shared_only: provider.is_shared_only };
    Ok(Need { name: provider.name.clone(), what, is_met, lacking: Lacking { count, first } })
}

/// The names of secrets that a server can ask for, as far as they are known to the organization.
pub async fn nameable_secrets(cx: &OrgCx) -> ActionResult<Vec<String>> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let names = served::names(&mut tx).await?;
    tx.done().await?;
    Ok(names)
}
