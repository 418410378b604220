//! The account whose token a call carries: of whoever the agent acts for, else of a team of theirs, else of everybody.

use std::sync::Arc;

use crate::{
    base::{
        actor::Principal,
        ids::{ConnectionId, GrantId, ProviderId},
        trace::Fixer,
    },
    domain::{
        connections::{
            HeldAccount, SwitchedOffBy,
            store::held::{self, Holders},
        },
        grants::DecisionGrant,
        policy::engine::Facts,
        servers::NamedProvider,
    },
    flow::{
        decision::{ChosenFor, Holding, as_policies_see},
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            gateway::Gateway,
            judge::Permit,
            unconnected::{Missing, Places, Told},
        },
        tokens::{LiveToken, NoToken},
    },
    io::db::{OrgTx, Tx},
};

/// Why no token of an account can be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLack {
    provider: NamedProvider,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// Nobody connected one.
    None,
    /// It has to be connected again.
    Reauth(HeldAccount),
    /// It is switched off.
    Off(HeldAccount),
    /// It was not granted what the tool needs.
    Scopes(HeldAccount, Vec<String>),
    /// The same, and the provider did not grant it when it was asked; with the tool's page, below the organization's.
    Withheld(Vec<String>, String),
    /// The provider gives no token for now.
    Away,
    /// The provider refuses the registered client.
    Broken,
    /// The rules of this installation refuse the provider's address.
    Barred,
}

/// For which call an account is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// At which provider.
    pub provider: &'a NamedProvider,
    /// What it has to have been granted.
    pub scopes: &'a [String],
    /// The call.
    pub by: &'a Permit<'a>,
}

/// What serves a call.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The account's token.
    pub token: LiveToken,
    /// The account that serves where no rule chooses another.
    pub usual: Option<ConnectionId>,
}

/// The token of the account that serves a call; within, why there is none.
///
/// # Errors
/// When the database or the vault is away.
pub async fn serving(
    gateway: &Gateway,
    admitted: &Admitted,
    asked: Asked<'_>,
) -> ActionResult<Result<Serving, AccountLack>> {
    let Asked { provider, scopes, by } = asked;
    let lack = |why| Ok(Err(AccountLack { provider: provider.clone(), why }));
    let snapshot = &admitted.snapshot;
    let Some((held, usual)) = account(gateway, admitted, provider.id, by).await? else {
        return lack(Why::None);
    };
    // Of an account that was asked for nothing and given no scopes, what it may do is set at the provider; a server says so.
    let has_scopes = !held.scopes.is_empty() || !held.withheld.is_empty();
    let lacks = |scope: &&String| provider.tells_scopes && has_scopes && !held.scopes.contains(scope);
    let missing: Vec<_> = scopes.iter().filter(lacks).cloned().collect();
    if !missing.is_empty() && missing.iter().all(|scope| held.withheld.contains(scope)) {
        return lack(Why::Withheld(missing, tool_page(by)));
    }
    if !missing.is_empty() {
        return lack(Why::Scopes(HeldAccount::clone(&held), missing));
    }
    match gateway.tokens.live(snapshot.scope, &held).await? {
        Ok(token) => Ok(Ok(Serving { token, usual })),
        Err(NoToken::Reauth) => lack(Why::Reauth(HeldAccount::clone(&held))),
        Err(NoToken::Off) => lack(Why::Off(HeldAccount::clone(&held))),
        Err(NoToken::Gone) => lack(Why::None),
        Err(NoToken::Away) => lack(Why::Away),
        Err(NoToken::Broken) => lack(Why::Broken),
        Err(NoToken::Barred) => lack(Why::Barred),
    }
}

/// The account that serves a call of whoever the agent acts for: kept beside the snapshot while nobody is about to renew it, else
/// as the database has it now.
async fn account(
    gateway: &Gateway,
    admitted: &Admitted,
    provider: ProviderId,
    permit: &Permit<'_>,
) -> ActionResult<Option<(Arc<HeldAccount>, Option<ConnectionId>)>> {
    let (snapshot, principal) = (&admitted.snapshot, admitted.grant.principal);
    let of = |holding: &Holding| {
        let chosen = match permit.call().opened.account {
            // Its server knows the task by the account that began it.
            Some(account) => holding.one(account),
            None => holding.chosen(chosen_for(permit)),
        };
        Some((Arc::clone(chosen?), holding.usual()))
    };
    let kept = snapshot.accounts.kept(principal, provider);
    if let Some(kept) = kept.and_then(|kept| of(&kept)).filter(|(kept, _)| kept.is_settled(admitted.now)) {
        return Ok(Some(kept));
    }
    let (user, teams) = match principal {
        Principal::User(user) => {
            (Some(user), snapshot.teams_of(principal).iter().map(|(team, _)| *team).collect())
        }
        Principal::Team(team) => (None, vec![team]),
        Principal::ServiceAccount(_) => (None, Vec::new()),
    };
    let mut tx = OrgTx::begin(&gateway.db, snapshot.scope).await?;
    let found = held::serving(&mut tx, provider, Holders::These { user, teams: &teams }).await?;
    tx.done().await?;
    let Some(holding) = Holding::of(found).map(Arc::new) else { return Ok(None) };
    let found = of(&holding);
    if found.as_ref().is_some_and(|(found, _)| found.is_settled(admitted.now)) {
        snapshot.accounts.keep(principal, provider, holding);
    }
    Ok(found)
}

/// What rules may look at of a call: the tool as policies see it, and its arguments.
fn chosen_for<'p>(permit: &'p Permit<'_>) -> ChosenFor<'p> {
    let (call, facts) = (permit.call(), &permit.call().server.server);
    let server =
        Facts { server_slug: Some(facts.slug.as_str()), server_name: Some(&facts.name), ..Facts::default() };
    let tool = permit.tool().map(as_policies_see);
    let arguments = call.request().and_then(|request| request.params.arguments().ok().flatten());
    ChosenFor { tool, arguments, server }
}

/// The page of the tool that is called, below the organization's: there an admin says what it needs.
fn tool_page(permit: &Permit<'_>) -> String {
    let tools = format!("servers/{}/tools", permit.call().server.server.slug);
    let Some(tool) = permit.tool() else { return tools };
    let name: String = url::form_urlencoded::byte_serialize(tool.name.as_str().as_bytes()).collect();
    format!("{tools}/{}", name.replace('+', "%20"))
}

impl AccountLack {
    /// Of an account that was not granted these scopes.
    pub const fn of_scopes(provider: NamedProvider, held: HeldAccount, missing: Vec<String>) -> Self {
        Self { provider, why: Why::Scopes(held, missing) }
    }

    /// What is told of it.
    pub fn told(&self, server: &str, grant: &DecisionGrant, at: Places<'_>) -> Told {
        let fixer = self.fixer(grant.principal);
        let page = (fixer == Fixer::Person).then(|| self.page(at, Some(grant.id)));
        Told { missing: self.missing(), sentence: self.sentence(server, grant, at), fixer, page }
    }

    const fn missing(&self) -> Missing {
        match self.why {
            Why::None => Missing::Account,
            Why::Reauth(_) => Missing::Reauth,
            Why::Off(_) => Missing::Off,
            Why::Scopes(..) => Missing::Scopes,
            Why::Withheld(..) => Missing::Withheld,
            Why::Away => Missing::Provider,
            Why::Broken => Missing::Client,
            Why::Barred => Missing::Address,
        }
    }

    fn fixer(&self, principal: Principal) -> Fixer {
        let is_theirs = |held: &HeldAccount| matches!(principal, Principal::User(user) if held.owner.user() == Some(user));
        match &self.why {
            Why::None if !self.provider.is_shared_only && matches!(principal, Principal::User(_)) => {
                Fixer::Person
            }
            Why::Reauth(held) | Why::Scopes(held, _) if is_theirs(held) => Fixer::Person,
            Why::Off(held) if is_theirs(held) && held.switched_off_by() == Some(SwitchedOffBy::Owner) => {
                Fixer::Person
            }
            Why::Away => Fixer::Upstream,
            Why::Barred => Fixer::Operator,
            Why::None | Why::Reauth(_) | Why::Off(_) | Why::Scopes(..) | Why::Withheld(..) | Why::Broken => {
                Fixer::Admin
            }
        }
    }

    /// Where an account is connected at the provider.
    fn place(&self, at: Places<'_>) -> String {
        format!("{}/me/accounts/{}/connect/{}", at.base_url, at.org, self.provider.slug)
    }

    /// Where the person connects it, or switches it on, and sees which of their agents asks; for a shared account none is named.
    fn page(&self, at: Places<'_>, grant: Option<GrantId>) -> String {
        if let Why::Off(held) = &self.why {
            return format!("{}/me/accounts/{}/{}", at.base_url, at.org, held.id);
        }
        let mut query = Vec::with_capacity(3);
        if let Why::Reauth(held) | Why::Scopes(held, _) = &self.why {
            query.push(("connection", held.id.to_string()));
        }
        if let Why::Scopes(_, missing) = &self.why {
            query.push(("scopes", missing.join(" ")));
        }
        query.extend(grant.map(|grant| ("agent", grant.to_string())));
        format!("{}?{}", self.place(at), serde_urlencoded::to_string(query).unwrap_or_default())
    }

    fn sentence(&self, server: &str, grant: &DecisionGrant, at: Places<'_>) -> String {
        let (name, who) = (&self.provider.name, &grant.principal_name);
        let is_theirs = self.fixer(grant.principal) == Fixer::Person;
        let Places { base_url, org } = at;
        let page = || self.page(at, is_theirs.then_some(grant.id));
        match &self.why {
            Why::None if is_theirs => format!(
                "{server} needs an account of {who} at {name}, and none is connected. They can connect it at {}; then call \
                 again.",
                page()
            ),
            Why::None => format!(
                "{server} needs an account at {name}, and this agent acts for {who}, for whom none is connected. An admin can \
                 connect one for everybody at {}?for=org, or use a grant of a person who connected their own.",
                self.place(at)
            ),
            Why::Reauth(_) if is_theirs => format!(
                "The account of {who} at {name} has to be connected again, for {name} gives no new token. They can do so at \
                 {}; then call again.",
                page()
            ),
            Why::Reauth(_) => format!(
                "The shared account at {name} has to be connected again, for {name} gives no new token. Whoever looks after it \
                 can do so at {}.",
                page()
            ),
            Why::Off(_) if is_theirs => format!(
                "The account of {who} at {name} is switched off, so {server} was not called. They can switch it on at {}; then \
                 call again.",
                page()
            ),
            Why::Off(held) => format!(
                "The account at {name} that this call would use is switched off, so {server} was not called. {} can switch it on \
                 at {base_url}/o/{org}/providers/{}/accounts/{}.",
                if held.owner.user().is_some() { "An admin" } else { "Whoever looks after it" },
                self.provider.slug,
                held.id
            ),
            Why::Scopes(_, missing) if is_theirs => format!(
                "This tool needs more than the account of {who} at {name} was granted: {}. They can grant it at {}; then call \
                 again.",
                missing.join(", "),
                page()
            ),
            Why::Scopes(_, missing) => format!(
                "This tool needs more than the shared account at {name} was granted: {}. Whoever looks after it can grant it \
                 at {}.",
                missing.join(", "),
                page()
            ),
            Why::Withheld(missing, tool) => format!(
                "This tool is said to need {}, and {name} did not grant that when it was asked. Where {name} calls it otherwise, \
                 an admin corrects what the tool needs at {base_url}/o/{org}/{tool}. Where it was left out at the sign-in, \
                 connecting the account again grants it.",
                missing.join(", ")
            ),
            Why::Away => format!(
                "{name} gives no new token right now, so {server} was not called. It is tried again by itself; call again in a \
                 minute."
            ),
            Why::Broken => format!(
                "{name} refuses the client that is registered here, so {server} was not called. An admin can mend it at \
                 {base_url}/o/{org}/providers/{}.",
                self.provider.slug
            ),
            Why::Barred => format!(
                "The rules of this installation keep {name} from being called, so no new token can be fetched and {server} was \
                 not called. Its operator decides about addresses."
            ),
        }
    }
}
