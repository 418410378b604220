//! Grants and their tokens, as they are kept.

mod carried;
mod judged;
mod rows;

use portreeve::{
    base::{
        actor::Principal,
        crypto::token::{Token, TokenKind},
        ids::{GrantId, OrgId, ServerId, ServiceAccountId, TeamId, UserId},
    },
    domain::grants::{
        DecisionGrant, Grant, GrantForm, GrantToken, IssuedToken, NewGrant, NewToken, ServersOf, Stop,
        TokenExpiry, TokenForm,
        store::{decisions, grants, tokens},
    },
};
use time::OffsetDateTime;

use crate::rooms::{NOW, World, drop_it, keep};

fn form(label: &str, servers: ServersOf) -> GrantForm<'_> {
    GrantForm {
        label,
        servers,
        class_ceiling: "write",
        policy: None,
        expires_at: None,
        cidrs: &[],
        clients: &[],
    }
}

fn stop(by: Option<UserId>, reason: &str) -> Stop {
    Stop { at: NOW, by, reason: reason.to_owned() }
}

async fn grant(world: &World, org: OrgId, principal: Principal, label: &str) -> Grant {
    let new = NewGrant::parse(principal, form(label, ServersOf::All), NOW).expect("a good form");
    let mut tx = world.org_tx(org).await;
    let grant = grants::insert(&mut tx, GrantId::fresh(), &new, None, NOW).await.expect("inserted");
    keep(tx).await;
    grant
}

async fn token(world: &World, org: OrgId, grant: &Grant, days: u16) -> (GrantToken, Token) {
    let form = TokenForm { label: "laptop", expiry: TokenExpiry::Days(days) };
    let new = NewToken::parse(form, grant, NOW).expect("a good form");
    let issued = IssuedToken::fresh();
    let mut tx = world.org_tx(org).await;
    let token = tokens::insert(&mut tx, &new, &issued, None, NOW).await.expect("inserted");
    keep(tx).await;
    (token, Token::parse(TokenKind::Grant, issued.text().expose()).expect("our own token"))
}

async fn epoch(world: &World, org: OrgId) -> i64 {
    world.number(&format!("select epoch from orgs where id = '{}'", org.uuid())).await
}

async fn snapshot(world: &World, org: OrgId, now: OffsetDateTime) -> Vec<DecisionGrant> {
    let mut tx = world.org_tx(org).await;
    let loaded = decisions::load_for_decisions(&mut tx, now).await.expect("loaded");
    drop_it(tx).await;
    loaded
}

async fn team_of(world: &World, org: OrgId) -> TeamId {
    let team = TeamId::fresh();
    world
        .sql(&format!(
            "insert into teams (org_id, id, slug, name, created_at, updated_at)
            values ('{}', '{}', 'platform', 'Platform', now(), now())",
            org.uuid(),
            team.uuid()
        ))
        .await;
    team
}

async fn account_of(world: &World, org: OrgId) -> ServiceAccountId {
    let account = ServiceAccountId::fresh();
    world
        .sql(&format!(
            "insert into service_accounts (org_id, id, slug, name, role, created_at, updated_at)
            values ('{}', '{}', 'nightly', 'Nightly', 'member', now(), now())",
            org.uuid(),
            account.uuid()
        ))
        .await;
    account
}

async fn server_of(world: &World, org: OrgId, slug: &str) -> ServerId {
    let server = ServerId::fresh();
    world
        .sql(&format!(
            "insert into servers (org_id, id, slug, name, transport, url, created_at, updated_at, refresh_due_at)
            values ('{}', '{}', '{slug}', '{slug}', 'http', 'https://{slug}.test/mcp', now(), now(), now())",
            org.uuid(),
            server.uuid()
        ))
        .await;
    server
}
