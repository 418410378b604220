//! A person's own pages.

mod accounts;
mod grants;
mod orgs;
mod passkeys;
mod profile;
mod second_factor;
mod security;
mod sessions;

use portreeve::{
    base::{ids::UserId, page::PageRequest},
    domain::audit::{self, EventFilter, Record},
    io::db::{SystemTx, Tx},
};
use time::Duration;

use crate::kit::{
    app::TestApp,
    database::{connect, execute},
};

/// What the installation's own record holds about a person, oldest first.
async fn records(app: &TestApp, user: UserId) -> Vec<Record> {
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let filter = EventFilter { user: Some(user), ..EventFilter::default() };
    let page = PageRequest { limit: 200, after: None };
    let mut found = Vec::new();
    for row in audit::list(&mut tx, &filter, &page).await.unwrap().items.into_iter().rev() {
        found.extend(audit::find(&mut tx, row.id).await.unwrap().unwrap().record);
    }
    tx.done().await.unwrap();
    found
}

/// The actions of [`records`].
async fn actions(app: &TestApp, user: UserId) -> Vec<String> {
    records(app, user).await.into_iter().map(|record| record.action).collect()
}

/// Subjects and addressees of the letters so far.
async fn letters(app: &TestApp) -> Vec<(String, String)> {
    app.run_jobs().await;
    let mails = app.postbox.mails();
    mails.into_iter().map(|mail| (mail.to.to_string(), mail.subject)).collect()
}

/// Lets the last proof of everybody become old.
fn let_proofs_pass(app: &TestApp) {
    app.clock.advance(Duration::minutes(11));
}

/// Makes an organization ask for a second factor.
async fn require_second_factor(app: &TestApp, slug: &str) {
    let mut conn = connect(&app.database.superuser()).await;
    let sql = format!("update orgs set require_second_factor = true where slug = '{slug}'");
    assert_eq!(execute(&mut conn, &sql).await, 1);
}

/// The code that an app shows for the key on the enrollment page.
fn code_of(app: &TestApp, html: &str) -> String {
    let key = html.split("id=\"totp-text\">").nth(1).unwrap().split('<').next().unwrap();
    let bytes = data_encoding::BASE32_NOPAD.decode(key.replace(' ', "").as_bytes()).unwrap();
    let secret: [u8; 20] = bytes.try_into().unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(app.clock.now().unix_timestamp().try_into().unwrap()).to_string()
}
