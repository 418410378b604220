//! A call whose server refused the token of an account: made once more with a new one where that changes nothing twice, and
//! otherwise left to whoever calls.

use crate::{
    base::risk::Class,
    flow::proxy::{
        admit::Admitted,
        credential::{self, Credential, UsedAccount},
        gateway::Gateway,
        judge::Permit,
    },
    protocol::mcp::method::{Method, Target},
};

/// What becomes of a call that was refused so.
pub enum Again {
    /// It is made once more, with this.
    With(Credential),
    /// Whoever calls may do so again: a new token is being fetched.
    Later,
    /// Another token would fare no better, or there is none.
    Never,
}

/// Sees to a new token, and waits for it where the call may be made once more.
pub async fn refused(
    gateway: &Gateway,
    admitted: &Admitted,
    permit: &Permit<'_>,
    used: UsedAccount,
) -> Again {
    let scope = admitted.snapshot.scope;
    if !is_repeatable(permit) {
        return match gateway.tokens.refused(scope, used.id, used.version).await {
            true => Again::Later,
            false => Again::Never,
        };
    }
    let newer = match gateway.tokens.replaced(scope, used.id, used.version).await {
        Ok(Some(newer)) => newer,
        Ok(None) => return Again::Never,
        Err(error) => {
            tracing::warn!(%error, connection = %used.id, "a refused token cannot be replaced");
            return Again::Never;
        }
    };
    match credential::open_with(gateway, admitted, permit, Some(&newer)).await {
        // A rule may have chosen another account meanwhile; the call was put on record with the one before.
        Ok(credential) if credential.account().is_some_and(|one| one.id == used.id) => {
            Again::With(credential)
        }
        Ok(_) | Err(_) => Again::Never,
    }
}

/// Whether a server that did act on it after all would have done nothing that another time does twice.
fn is_repeatable(permit: &Permit<'_>) -> bool {
    let Some(request) = permit.call().request() else { return false };
    let method = request.method();
    match method.target() {
        Target::Tool => permit.class() == Some(Class::Read),
        Target::Prompt | Target::Reference | Target::List(_) => true,
        Target::Resource => matches!(method, Method::ResourcesRead | Method::ResourcesDirectoryRead),
        _ => matches!(method, Method::Initialize | Method::Ping | Method::ServerDiscover),
    }
}

/// What went wrong, and that another try may pass.
pub fn in_a_moment(sentence: &str) -> String {
    format!("{sentence}. A new token is being fetched; call again in a moment")
}
