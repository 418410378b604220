//! People, organizations and keys that tests begin with, planted through the rooms' own stores.

use portreeve::{
    base::{
        actor::KeyOwner,
        email::Email,
        ids::{ApiKeyId, InvitationId, OrgId, ProviderId, ServerId, ServiceAccountId, TeamId, UserId},
        permission::Role,
    },
    domain::{
        audit::{self, Unrecorded},
        automation::{
            ApiKeyForm, Expiry, IssuedKey, NewApiKey, NewServiceAccount, ServiceAccountForm,
            store as automation,
        },
        connections::{Enrolment, Provider, ProviderSource, store as connections},
        identity::{
            password::PasswordHash,
            sessions::{Method, NewSession},
            store as identity,
            strength::{Known, NewPassword},
            users::{EmailStanding, NewUser, Rank},
        },
        servers::{Check, Checked, NewServer, SeenTool, ServerForm, Snapshot, store},
        tenancy::{Invited, NewInvitation, NewOrg, NewTeam, store as tenancy},
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};
use sqlx::AssertSqlSafe;

use crate::kit::{
    app::TestApp,
    database::{connect, execute},
    http::{Script, Visitor},
};

/// The password of every planted person.
pub(crate) const PASSWORD: &str = "correct horse battery staple 7";

/// A planted person, signed in at the console.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: String,
    /// Their browser.
    pub(crate) browser: Visitor,
}

/// A planted organization.
#[derive(Clone, Debug)]
pub(crate) struct PlantedOrg {
    pub(crate) id: OrgId,
    pub(crate) slug: String,
}

impl TestApp {
    /// A person with a verified address and [`PASSWORD`], in no organization, signed in.
    pub(crate) async fn person(&self, name: &str) -> Person {
        self.person_of_rank(name, Rank::Ordinary).await
    }

    /// A person who keeps the installation, signed in.
    pub(crate) async fn operator(&self, name: &str) -> Person {
        self.person_of_rank(name, Rank::Operator).await
    }

    async fn person_of_rank(&self, name: &str, rank: Rank) -> Person {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let new = NewUser {
            email: email.parse().unwrap(),
            name: name.parse().unwrap(),
            standing: EmailStanding::Verified,
            rank,
        };
        let hash = self.password_hash(&new.email).await;
        let mut tx = SystemTx::begin(self.db()).await.unwrap();
        let id =
            identity::users::insert(&mut tx, &new, Some(&hash), self.clock.now()).await.unwrap().unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        let browser = self.signed_in(id).await;
        Person { id, email, browser }
    }

    async fn password_hash(&self, email: &Email) -> PasswordHash {
        let known = Known::about(email, "", &[]);
        let password = NewPassword::parse(PASSWORD.to_owned().into(), &known).unwrap();
        self.ports.hasher.hash(password).await.unwrap()
    }

    /// A new browser in which this person has just signed in.
    pub(crate) async fn signed_in(&self, user: UserId) -> Visitor {
        let new = NewSession { user, methods: vec![Method::Password], ip: None, user_agent: None };
        let mut tx = SystemTx::begin(self.db()).await.unwrap();
        let (token, _) = identity::sessions::insert(&mut tx, &new, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        let mut visitor = self.visitor();
        visitor.set_cookie("portreeve_session", token.text().expose());
        visitor
    }

    /// An organization without members.
    pub(crate) async fn org(&self, slug: &str) -> PlantedOrg {
        let id = OrgId::fresh();
        let new = NewOrg::parse(slug, slug).unwrap();
        let mut tx = self.org_tx(id).await;
        tenancy::orgs::insert(&mut tx, &new, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        PlantedOrg { id, slug: slug.to_owned() }
    }

    /// Makes a person a member.
    pub(crate) async fn join(&self, org: &PlantedOrg, user: UserId, role: Role) {
        let mut tx = self.org_tx(org.id).await;
        let _ = tenancy::members::insert(&mut tx, user, role, None, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    }

    /// A signed-in person with a role in an organization.
    pub(crate) async fn member(&self, org: &PlantedOrg, name: &str, role: Role) -> Person {
        let person = self.person(name).await;
        self.join(org, person.id, role).await;
        person
    }

    /// A script with a key of that person; see [`TestApp::bearer_of`].
    pub(crate) async fn key_of(&self, org: &PlantedOrg, user: UserId, role: Role, scopes: &[&str]) -> Script {
        let bearer = self.bearer_of(org, user, role, scopes).await;
        self.script(Some(&bearer))
    }

    /// The text of a key of that person, carrying scopes (`*` for all of the person's).
    pub(crate) async fn bearer_of(
        &self,
        org: &PlantedOrg,
        user: UserId,
        role: Role,
        scopes: &[&str],
    ) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let form = ApiKeyForm { name: "test key", scopes: &scopes, expiry: Expiry::Days(30) };
        let new = NewApiKey::parse(form, KeyOwner::User(user), role, self.clock.now()).unwrap();
        let issued = IssuedKey::fresh();
        let mut tx = self.org_tx(org.id).await;
        automation::keys::insert(&mut tx, &new, &issued, Some(user), self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        issued.text().expose().clone()
    }

    /// A team without members.
    pub(crate) async fn team(&self, org: &PlantedOrg, slug: &str) -> TeamId {
        let new = NewTeam::parse(slug, slug, "").unwrap();
        let mut tx = self.org_tx(org.id).await;
        let id = tenancy::teams::insert(&mut tx, &new, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }

    /// A service account with a key.
    pub(crate) async fn service_account(&self, org: &PlantedOrg, slug: &str) -> (ServiceAccountId, ApiKeyId) {
        let form = ServiceAccountForm { slug, name: slug, description: "", role: "auditor" };
        let new = NewServiceAccount::parse(form).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let account = automation::accounts::insert(&mut tx, &new, None, self.clock.now()).await.unwrap();
        let form = ApiKeyForm { name: slug, scopes: &["*".to_owned()], expiry: Expiry::Days(30) };
        let owner = KeyOwner::ServiceAccount(account.id);
        let new = NewApiKey::parse(form, owner, account.role, self.clock.now()).unwrap();
        let issued = IssuedKey::fresh();
        automation::keys::insert(&mut tx, &new, &issued, None, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        (account.id, issued.id())
    }

    /// An open invitation by a member, of which no letter was written.
    pub(crate) async fn invitation(&self, org: &PlantedOrg, inviter: UserId) -> InvitationId {
        let new = NewInvitation::parse("invited@example.com", "member", None).unwrap();
        let inviter = KeyOwner::User(inviter);
        let mut tx = self.org_tx(org.id).await;
        let made = tenancy::invitations::issue(&mut tx, &new, None, inviter, self.clock.now()).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        match made {
            Invited::Issued(issue) => issue.id,
            Invited::AlreadyInvited(_) | Invited::AlreadyMember(_) => panic!("nobody was invited before"),
        }
    }

    /// A transaction in an organization.
    pub(crate) async fn org_tx(&self, org: OrgId) -> OrgTx {
        OrgTx::begin(self.db(), OrgScope::proven(org)).await.unwrap()
    }

    /// One number, as a superuser sees it.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let mut conn = connect(&self.database.superuser()).await;
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut conn).await.unwrap()
    }

    /// Waits until a number is this, for what is written behind an answer.
    pub(crate) async fn until_number(&self, query: &str, wanted: i64) {
        let mut last = None;
        for _ in 0..200 {
            last = Some(self.number(query).await);
            if last == Some(wanted) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{query} gives {last:?}, not {wanted}");
    }

    /// Waits until somebody waits for a lock of the database.
    pub(crate) async fn until_a_lock_is_waited_for(&self) {
        let waiting = "select least(count(*), 1) from pg_locks l join pg_stat_activity a using (pid)
            where not l.granted and a.datname = current_database()";
        self.until_number(waiting, 1).await;
    }

    /// Carries out a statement, as a superuser.
    pub(crate) async fn change(&self, statement: &str) -> u64 {
        let mut conn = connect(&self.database.superuser()).await;
        execute(&mut conn, statement).await
    }

    /// A server with one tool of each standing, and something of everything else; nobody is asked there.
    pub(crate) async fn server(&self, org: &PlantedOrg, slug: &str) -> ServerId {
        // An address that may not be called, so that no test waits for it.
        let url = format!("https://192.0.2.7/{slug}");
        let form = ServerForm { slug, name: slug, description: "", transport: "http", url: &url };
        let new = NewServer::parse(form).unwrap();
        let read = |text: &str| SeenTool::read(text).unwrap();
        let snapshot = Snapshot {
            tools: vec![
                read(r#"{"name":"get_issue","description":"Reads an issue."}"#),
                read(r#"{"name":"delete_repo","description":"Removes a repository."}"#),
            ],
            ..Snapshot::default()
        };
        let now = self.clock.now();
        let due = now + time::Duration::days(365);
        let mut tx = self.org_tx(org.id).await;
        let server = store::servers::insert(&mut tx, &new, true, None, now).await.unwrap();
        let _ = store::catalogue::apply(&mut tx, server.id, &snapshot, due, now).await.unwrap();
        let reviewed = ["get_issue".parse().unwrap()];
        let which = store::tools::Which::Named(&reviewed);
        let _ = store::tools::accept(&mut tx, server.id, which, None, now).await.unwrap();
        let check = Check { at: now, latency_ms: 12, outcome: Checked::Well };
        store::checks::record(&mut tx, server.id, &check).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        server.id
    }

    /// A provider of a preset without variables, whose client has no secret, and whose preset's version was not counted.
    pub(crate) async fn provider(&self, org: &PlantedOrg, preset: &str) -> ProviderId {
        let now = self.clock.now();
        let provider = Provider {
            id: ProviderId::fresh(),
            slug: preset.parse().unwrap(),
            name: preset.to_owned(),
            source: ProviderSource::Preset {
                slug: preset.to_owned(),
                version: 0,
                variables: Default::default(),
            },
            enrolment: Enrolment::Entered,
            callback: None,
            shares_with: None,
            client_id: "client".to_owned(),
            secret: None,
            scopes: vec!["read:user".to_owned()],
            user_scopes: Vec::new(),
            created_by: None,
            created_at: now,
            updated_at: now,
            disabled_at: None,
            version: 1,
        };
        let mut tx = self.org_tx(org.id).await;
        connections::insert(&mut tx, &provider).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        provider.id
    }

    /// The actions in an organization's record, oldest first.
    pub(crate) async fn recorded(&self, org: &PlantedOrg) -> Vec<String> {
        let mut tx = self.org_tx(org.id).await;
        let page = portreeve::base::page::PageRequest { limit: 200, after: None };
        let events = audit::list(&mut tx, &audit::EventFilter::default(), &page).await.unwrap();
        tx.done().await.unwrap();
        events.items.into_iter().rev().map(|event| event.action).collect()
    }
}
