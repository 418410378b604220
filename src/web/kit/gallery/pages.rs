//! The example pages' types, one for each file in `tests/gallery`.

use askama::Template;
use time::OffsetDateTime;

use crate::web::kit::{
    listing::Listing,
    parts::{Check, Choice, Crumb, Fault, Qr, Tab},
    shell::Shell,
};

#[derive(Template)]
#[template(path = "../tests/gallery/members.html")]
pub(super) struct Members {
    pub(super) shell: Shell,
    pub(super) people: Vec<String>,
    pub(super) tabs: Vec<Tab>,
    pub(super) choices: Vec<Choice>,
    pub(super) list: Listing,
    pub(super) at: OffsetDateTime,
}

#[derive(Template)]
#[template(path = "../tests/gallery/member.html")]
pub(super) struct Member {
    pub(super) shell: Shell,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) at: OffsetDateTime,
    pub(super) never: Option<OffsetDateTime>,
}

#[derive(Template)]
#[template(path = "../tests/gallery/overview.html")]
pub(super) struct Overview {
    pub(super) shell: Shell,
    pub(super) checks: Vec<Check>,
    pub(super) at: OffsetDateTime,
}

#[derive(Template)]
#[template(path = "../tests/gallery/signin.html")]
pub(super) struct SignIn {
    pub(super) shell: Shell,
    pub(super) faults: Vec<Fault>,
}

#[derive(Template)]
#[template(path = "../tests/gallery/enroll.html")]
pub(super) struct Enroll {
    pub(super) shell: Shell,
    pub(super) code: Qr,
}

#[derive(Template)]
#[template(path = "../tests/gallery/settings.html")]
pub(super) struct Settings {
    pub(super) shell: Shell,
    pub(super) faults: Vec<Fault>,
    pub(super) choices: Vec<Choice>,
    pub(super) codes: Vec<String>,
    pub(super) tabs: Vec<Tab>,
}

#[derive(Template)]
#[template(path = "../tests/gallery/audit.html")]
pub(super) struct Audit {
    pub(super) list: Listing,
    pub(super) shell: Shell,
    pub(super) people: Vec<String>,
    pub(super) tabs: Vec<Tab>,
    pub(super) at: OffsetDateTime,
}

#[derive(Template)]
#[template(path = "../tests/gallery/ops.html")]
pub(super) struct Ops {
    pub(super) shell: Shell,
    pub(super) at: OffsetDateTime,
}

impl SignIn {
    fn fault(&self, field: &str) -> &str {
        self.faults.iter().find(|fault| fault.field == field).map_or("", |fault| &fault.message)
    }
}
