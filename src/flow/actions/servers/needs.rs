//! Which secrets a server asks for, and whom it would lack.

use crate::{
    base::permission::Permission,
    domain::{
        secrets::{Lacking, Scope, store::served},
        servers::{Credential, Server, store},
    },
    flow::{actions::servers::named, cx::OrgCx, decision::scope_of, fault::ActionResult},
    io::db::{OrgTx, Tx},
};

/// A secret that a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub scope: Scope,
    /// Whether there is one for whoever looks.
    pub is_met: bool,
    /// The members for whom there is none: of a secret of the organization's nobody is listed, for it is there for all or
    /// for none.
    pub lacking: Lacking,
}

/// The secrets that a server asks for, each once, in the order of its credentials.
pub async fn needs(cx: &OrgCx, name: &str) -> ActionResult<(Server, Vec<Need>)> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let credentials = store::credentials::list(&mut tx, server.id).await?;
    let needs = of(cx, &mut tx, &credentials).await?;
    tx.done().await?;
    Ok((server, needs))
}

async fn of(cx: &OrgCx, tx: &mut OrgTx, credentials: &[Credential]) -> ActionResult<Vec<Need>> {
    let mut needs: Vec<Need> = Vec::new();
    for credential in credentials {
        let (Some(scope), Some(name)) = (scope_of(credential.source), &credential.secret) else { continue };
        if needs.iter().any(|need| (need.scope, &need.name) == (scope, name)) {
            continue;
        }
        let is_met = served::find_for(tx, scope, name, cx.user()).await?.is_some();
        let lacking = match scope {
            Scope::Org => Lacking::default(),
            Scope::Team | Scope::User => served::lacking(tx, scope, name).await?,
        };
        needs.push(Need { name: name.clone(), scope, is_met, lacking });
    }
    Ok(needs)
}

/// The names of secrets that a server can ask for, as far as they are known to the organization.
pub async fn nameable_secrets(cx: &OrgCx) -> ActionResult<Vec<String>> {
    cx.require(Permission::ServersWrite)?;
    let mut tx = cx.tx().await?;
    let names = served::names(&mut tx).await?;
    tx.done().await?;
    Ok(names)
}
