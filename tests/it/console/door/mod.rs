//! The door: set-up, sign-in and what belongs to it, invitations, new organizations.

mod found;
mod invite;
mod passkey;
mod prove;
mod quiet;
mod recover;
mod set_up;
mod sign_in;
mod sign_up;

use http::StatusCode;
use portreeve::{
    base::{
        actor::KeyOwner,
        ids::{InvitationId, UserId},
        page::PageRequest,
        permission::Role,
        secret::Secret,
    },
    domain::{
        audit::{self, EventFilter, EventRow, Unrecorded},
        identity::{
            recovery::RecoveryCode,
            store as identity,
            totp::{self, TotpSecret},
        },
        instance::{self, SignUp},
        tenancy::{Invited, Issue, NewInvitation, store as tenancy},
        vault::Cell,
    },
    io::db::{SystemTx, Tx},
};

use crate::kit::{
    app::TestApp,
    http::{Page, Visitor},
    people::{PASSWORD, PlantedOrg},
};

/// The secret of RFC 6238, appendix B.
const TOTP: &[u8; 20] = b"12345678901234567890";

impl TestApp {
    /// Lets people sign up as `mode` says.
    async fn sign_up_is(&self, mode: SignUp) {
        let mut tx = SystemTx::begin(self.db()).await.unwrap();
        let _ = instance::update_sign_up(&mut tx, mode, None, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    }

    /// The instance's own record, oldest first.
    async fn instance_events(&self) -> Vec<EventRow> {
        let mut tx = SystemTx::begin(self.db()).await.unwrap();
        let page = PageRequest { limit: 200, after: None };
        let mut events = audit::list(&mut tx, &EventFilter::default(), &page).await.unwrap().items;
        tx.done().await.unwrap();
        events.reverse();
        events
    }

    /// The actions in the instance's own record, oldest first.
    async fn instance_actions(&self) -> Vec<String> {
        self.instance_events().await.into_iter().map(|event| event.action).collect()
    }

    /// Gives a person an authenticator app with [`TOTP`], and one recovery code.
    async fn second_factor(&self, user: UserId) -> String {
        let place = totp::place_of(user);
        let codes = RecoveryCode::fresh_set();
        let mut tx = SystemTx::begin(self.db()).await.unwrap();
        let sealed =
            self.ports.vault.seal(&mut tx, Cell::new(place.table, place.column, user), TOTP).await.unwrap();
        let now = self.clock.now();
        identity::totp::insert(&mut tx, user, &sealed.bytes, sealed.key, now).await.unwrap();
        let secret = TotpSecret::from_bytes(&Secret::new(TOTP.to_vec())).unwrap();
        let before = now - time::Duration::minutes(10);
        let step = secret.check(&code_at(before), before).unwrap();
        assert!(identity::totp::confirm(&mut tx, user, step, now).await.unwrap());
        identity::recovery::replace(&mut tx, user, &codes, now).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        codes[0].text().expose().clone()
    }

    /// The code that the app shows now.
    fn code(&self) -> String {
        code_at(self.clock.now())
    }

    /// Invites an address; the link's token is in the answer.
    async fn invite(&self, org: &PlantedOrg, by: UserId, email: &str, role: Role) -> Issue {
        let new = NewInvitation::parse(email, role.as_str(), None).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let inviter = KeyOwner::User(by);
        let invited =
            tenancy::invitations::issue(&mut tx, &new, None, inviter, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        let Invited::Issued(issue) = invited else { panic!("{email} was not invited") };
        issue
    }

    /// Sends an invitation anew.
    async fn reinvite(&self, org: &PlantedOrg, by: UserId, id: InvitationId) -> Issue {
        let mut tx = self.org_tx(org.id).await;
        let inviter = KeyOwner::User(by);
        let outcome =
            tenancy::invitations::reissue(&mut tx, id, inviter, None, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        let portreeve::base::update::Update::Done(issue) = outcome else { panic!("{outcome:?}") };
        issue
    }

    /// Sends what is due and gives the path of the link in the latest letter to `email` that has one below `path`.
    async fn link(&self, email: &str, path: &str) -> Option<String> {
        self.run_jobs().await;
        let mails = self.postbox.mails();
        let start = format!("{}{path}", self.origin());
        let mut letters = mails.iter().rev().filter(|mail| mail.to.as_str() == email);
        letters.find_map(|mail| {
            let from = mail.text.find(&start)? + self.origin().len();
            let rest = &mail.text[from..];
            Some(rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())].to_owned())
        })
    }

    /// The subjects of what was sent to an address.
    async fn subjects(&self, email: &str) -> Vec<String> {
        self.run_jobs().await;
        let mails = self.postbox.mails();
        mails.iter().filter(|mail| mail.to.as_str() == email).map(|mail| mail.subject.clone()).collect()
    }
}

/// The code of [`TOTP`] at a moment.
fn code_at(at: time::OffsetDateTime) -> String {
    let totp = totp_rs::Builder::new().with_secret(*TOTP).build().unwrap();
    totp.generate(u64::try_from(at.unix_timestamp()).unwrap()).to_string()
}

/// Goes through both steps of a sign-in; gives what the second answered.
async fn sign_in(visitor: &mut Visitor, email: &str, password: &str) -> Page {
    let page = visitor.get("/login").await.expect(StatusCode::OK);
    let page = visitor.submit(&page, "/login", &[("email", email)]).await.expect(StatusCode::OK);
    visitor.submit(&page, "/login/password", &[("password", password)]).await
}

/// Signs in with the password that every planted person has.
async fn sign_in_well(visitor: &mut Visitor, email: &str) {
    sign_in(visitor, email, PASSWORD).await.expect(StatusCode::SEE_OTHER);
}
