mod accounts;
mod idempotency;
mod keys;

use portreeve::{
    base::{
        actor::KeyOwner,
        crypto::token::{Token, TokenKind},
        ids::OrgId,
        permission::Role,
    },
    domain::automation::{
        ApiKey, ApiKeyForm, Expiry, IssuedKey, NewApiKey, NewServiceAccount, PresentedKey, ServiceAccount,
        ServiceAccountForm, store,
    },
};
use time::OffsetDateTime;

use crate::rooms::{NOW, World, drop_it, keep};

fn new_account(slug: &str, role: &str) -> NewServiceAccount {
    let form = ServiceAccountForm { slug, name: "Nightly Build", description: "", role };
    NewServiceAccount::parse(form).expect("a good form")
}

async fn account(world: &World, org: OrgId, slug: &str, role: &str) -> ServiceAccount {
    let mut tx = world.org_tx(org).await;
    let account =
        store::accounts::insert(&mut tx, &new_account(slug, role), None, NOW).await.expect("inserted");
    keep(tx).await;
    account
}

async fn key(world: &World, org: OrgId, owner: KeyOwner, scopes: &[&str]) -> (ApiKey, Token) {
    let scopes: Vec<_> = scopes.iter().map(|s| (*s).to_owned()).collect();
    let form = ApiKeyForm { name: "Deploy", scopes: &scopes, expiry: Expiry::Days(30) };
    let new = NewApiKey::parse(form, owner, Role::Admin, NOW).expect("a good form");
    let issued = IssuedKey::fresh();
    let mut tx = world.org_tx(org).await;
    let key = store::keys::insert(&mut tx, &new, &issued, None, NOW).await.expect("inserted");
    keep(tx).await;
    (key, Token::parse(TokenKind::ApiKey, issued.text().expose()).expect("our own token"))
}

async fn present(world: &World, token: &Token, now: OffsetDateTime) -> Option<PresentedKey> {
    let mut tx = world.system_tx().await;
    let presented = store::keys::find_by_token(&mut tx, token, now).await.expect("an answer");
    drop_it(tx).await;
    presented
}
