//! What becomes of an account for which no new token came, and who is written to.

use crate::{
    base::{
        email::Email,
        page::{MAX_LIMIT, PageRequest},
        permission::Role,
    },
    domain::{
        audit::{self, Entry, Unrecorded, Who},
        connections::{
            Aftermath, Blocked, Connection, HeldAccount, MOST_PRESENTED,
            store::{accounts, leases, noted},
        },
        tenancy::{MemberFilter, store as tenancy},
    },
    flow::{
        fault::{ActionError, ActionResult},
        letters::{AccountReconnect, Letter, Line, ProviderRefused, ProviderSilent},
        tokens::{NoToken, Tokens, send},
    },
    io::db::{OrgScope, OrgTx, Tx},
    protocol::oauth::failure::{FailureKind, TokenFailure},
};

/// What refreshes by itself, in the record.
const REFRESH: &str = "token refresh";
/// For how long a refusal of the registered client, or a provider's silence, is no news.
const NEWS_FOR: time::Duration = time::Duration::days(1);
/// Admins hear of a provider that has given an account no new token for so long: shorter outages pass by themselves.
const SILENT_AFTER: time::Duration = time::Duration::hours(1);

/// What admins hear of a provider.
#[derive(Clone, Copy)]
enum News {
    /// It refuses the registered client.
    Refused,
    /// It has given no new token for long.
    Silent,
}

/// What a letter about an account says beside the account.
pub(super) struct Told {
    /// The organization.
    pub(super) org: Line,
    /// The account's page.
    pub(super) page: String,
    /// Whether it goes to those who administer the organization, for whoever connected the account has left.
    pub(super) is_admin: bool,
}

impl News {
    const fn action(self) -> &'static str {
        match self {
            Self::Refused => "provider.refused",
            Self::Silent => "provider.silent",
        }
    }
}

impl Tokens {
    /// Stores why no new token came, and writes to whoever has to know.
    ///
    /// # Errors
    /// When the database or the vault is away.
    pub(super) async fn fail(
        &self,
        scope: OrgScope,
        held: &HeldAccount,
        aftermath: Aftermath,
        failure: &TokenFailure,
    ) -> ActionResult<NoToken> {
        let now = self.parts().clock.now();
        let code = failure.code.as_deref().unwrap_or_else(|| failure.kind.as_str());
        let failed = leases::Failed {
            aftermath,
            is_unleased: failure.kind == FailureKind::Unknown
                && aftermath.is_doubtful()
                && held.presented >= MOST_PRESENTED,
            is_unsent: *failure == TokenFailure::unsent() || *failure == send::barred(),
            kind: failure.kind,
            code: &code.chars().take(100).collect::<String>(),
            words: failure.words.as_deref().unwrap_or_default(),
        };
        let blocked = Blocked::of(failure.kind.as_str(), failed.code);
        let is_refusal = blocked == Some(Blocked::Client);
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        // One refusal is every account's; the first of a day is on record and told, the others are on their pages.
        let is_refusal_new = is_refusal
            && !noted::was_refused_since(&mut tx, held.provider, failed.code, now - NEWS_FOR).await?;
        let is_stored = leases::fail(&mut tx, held, failed, now).await?;
        if !is_stored {
            tx.done().await?;
            // Somebody else brought a pair, or it was ended.
            return Ok(NoToken::Away);
        }
        let seen = accounts::find(&mut tx, held.id).await?.ok_or(ActionError::Changed)?;
        if aftermath == Aftermath::Reauth {
            let letter = |Told { org, page, is_admin }| {
                Letter::AccountReconnect(AccountReconnect {
                    provider: Line::of(&seen.provider_name),
                    account: Line::of(seen.title()),
                    org,
                    page,
                    is_admin,
                })
            };
            self.tell(&mut tx, &seen, letter).await?;
            let entry = Entry::admin("connection.needs_reauth", &Who::system(REFRESH)).target(
                "connection",
                seen.id,
                seen.title(),
            );
            let entry = match seen.owner.user() {
                Some(user) => entry.about(user),
                None => entry,
            };
            audit::commit(tx, now, vec![entry.failed().note(failed.code)]).await?;
            return Ok(NoToken::Reauth);
        }
        let is_long = !is_refusal && now - seen.since >= SILENT_AFTER;
        let news = if is_refusal_new {
            Some(News::Refused)
        } else if is_long && noted::tell_of_silence(&mut tx, seen.provider, now, now - NEWS_FOR).await? {
            Some(News::Silent)
        } else {
            None
        };
        match news {
            Some(news) => {
                self.alert(&mut tx, &seen, news, failed.code).await?;
                let entry = Entry::admin(news.action(), &Who::system(REFRESH));
                let entry = entry.target("provider", seen.provider, &seen.provider_slug);
                audit::commit(tx, now, vec![entry.failed().note(failed.code)]).await?;
            }
            None => audit::commit_unrecorded(tx, Unrecorded::TokenRefresh).await?,
        }
        Ok(NoToken::resting(blocked))
    }

    /// Writes to whoever has to connect it again: its owner or who connected it, and where they have left the owners and admins.
    pub(super) async fn tell(
        &self,
        tx: &mut OrgTx,
        seen: &Connection,
        letter: impl FnOnce(Told) -> Letter,
    ) -> ActionResult<()> {
        let Some(org) = tenancy::orgs::find(tx).await? else { return Ok(()) };
        let page = format!("{}/me/accounts/{}/{}", self.parts().base_url, org.slug, seen.id);
        let member = match seen.owner.user().or(seen.connected_by) {
            Some(user) => tenancy::members::find(tx, user).await?,
            None => None,
        };
        let told = Told { org: Line::of(&org.name), page, is_admin: member.is_none() };
        let letter = letter(told);
        let Some(member) = member else { return self.tell_admins(tx, &letter).await };
        let Ok(email) = member.email.parse::<Email>() else { return Ok(()) };
        self.parts().post.queue(tx, &email, &letter).await?;
        Ok(())
    }

    /// Writes to the owners and admins.
    async fn alert(&self, tx: &mut OrgTx, seen: &Connection, news: News, code: &str) -> ActionResult<()> {
        let Some(found) = tenancy::orgs::find(tx).await? else { return Ok(()) };
        let (org, provider) = (Line::of(&found.name), Line::of(&seen.provider_name));
        let page = format!("{}/o/{}/providers/{}", self.parts().base_url, found.slug, seen.provider_slug);
        let letter = match news {
            News::Refused => {
                Letter::ProviderRefused(ProviderRefused { org, provider, code: Line::of(code), page })
            }
            News::Silent => {
                Letter::ProviderSilent(ProviderSilent { org, provider, since: seen.since.into(), page })
            }
        };
        self.tell_admins(tx, &letter).await
    }

    async fn tell_admins(&self, tx: &mut OrgTx, letter: &Letter) -> ActionResult<()> {
        for role in [Role::Owner, Role::Admin] {
            let filter = MemberFilter { role: Some(role), ..MemberFilter::default() };
            let page = PageRequest { limit: MAX_LIMIT, after: None };
            let members = tenancy::members::list(tx, &filter, &page).await?.items;
            let to = members.iter().map(|member| member.email.as_str());
            self.parts().post.queue_for(tx, to, letter).await?;
        }
        Ok(())
    }
}
