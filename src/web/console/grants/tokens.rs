//! Tokens of a grant: new, shown once, replaced, revoked. The pages are shared with a person's own agents.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    base::{ids::GrantTokenId, permission::Permission, secret::Secret},
    domain::grants::{GrantToken, Overlap, TokenExpiry},
    flow::{
        actions::grants::{
            GrantFound,
            tokens::{self, MadeToken, TokenInput},
        },
        fault::ActionError,
    },
    web::{
        console::{
            grants::{crumb, form, list_href, place},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            form::{Form, FormFaults, faults_of},
            page::{PageResult, page, page_with},
            parts::{Choice, Crumb},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let write = Access::Org(Permission::GrantsWrite);
    let all = "/o/{org}/agents/{grant}/tokens";
    let one = "/o/{org}/agents/{grant}/tokens/{grant_token}";
    let rotated = Effect::Records(&["grant_token.created", "grant_token.rotated"]);
    Routes::default()
        .page(&format!("{all}/new"), write, new)
        .form(&format!("{all}/new"), write, Effect::Records(&["grant_token.created"]), mint)
        .page(&format!("{one}/rotate"), write, rotate_page)
        .form(&format!("{one}/rotate"), write, rotated, rotate)
        .form(&format!("{one}/revoke"), write, Effect::Records(&["grant_token.revoked"]), revoke)
}

/// What was typed about a new token.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::web::console) struct MintFields {
    #[serde(default)]
    pub(in crate::web::console) id: String,
    #[serde(default)]
    pub(in crate::web::console) label: String,
    #[serde(default)]
    pub(in crate::web::console) expires_at: String,
    #[serde(default)]
    pub(in crate::web::console) expires_on: String,
}

impl MintFields {
    /// An empty form with the id that its token will have, so that sending it twice makes one token.
    pub(in crate::web::console) fn fresh(label: &str) -> Self {
        Self {
            id: GrantTokenId::fresh().to_string(),
            label: label.to_owned(),
            expires_at: "90".to_owned(),
            expires_on: String::new(),
        }
    }

    /// What the action takes.
    pub(in crate::web::console) fn input(&self, now: OffsetDateTime) -> Result<TokenInput, ActionError> {
        let expiry = match self.expires_at.as_str() {
            "date" => TokenExpiry::At(form::end_of(&self.expires_on, now)?),
            days => days
                .parse()
                .map(TokenExpiry::Days)
                .map_err(|_| ActionError::field("expires_at", "choose when the token ends"))?,
        };
        Ok(TokenInput { id: self.id.parse().ok(), label: self.label.clone(), expiry })
    }

    /// When it may end.
    pub(in crate::web::console) fn expiries(&self) -> Vec<Choice> {
        let choices = [
            ("7", "In 7 days"),
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In a year"),
            ("date", "On a date"),
        ];
        let choice = |(value, label)| Choice::new(value, label).chosen_by(&self.expires_at);
        choices.into_iter().map(choice).collect()
    }
}

/// What was typed about a replacement.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::web::console) struct RotateFields {
    #[serde(default)]
    pub(in crate::web::console) id: String,
    #[serde(default)]
    pub(in crate::web::console) overlap_minutes: String,
}

impl RotateFields {
    /// The form as it is first shown.
    pub(in crate::web::console) fn fresh() -> Self {
        Self { id: GrantTokenId::fresh().to_string(), overlap_minutes: "1440".to_owned() }
    }

    /// How long the old one lives on.
    pub(in crate::web::console) fn overlap(&self) -> Result<Overlap, ActionError> {
        let minutes = self.overlap_minutes.parse().unwrap_or(-1);
        Overlap::minutes(minutes).map_err(|bad| ActionError::field("overlap_minutes", format!("{bad}")))
    }

    fn overlaps(&self) -> Vec<Choice> {
        let choices = [
            ("0", "At once"),
            ("60", "In an hour"),
            ("1440", "In a day"),
            ("4320", "In 3 days"),
            ("10080", "In 7 days"),
        ];
        let choice = |(value, label)| Choice::new(value, label).chosen_by(&self.overlap_minutes);
        choices.into_iter().map(choice).collect()
    }
}

/// The form for a new token.
#[derive(Template)]
#[template(path = "console/grants/mint.html")]
pub(in crate::web::console) struct MintPage {
    pub(in crate::web::console) shell: Shell,
    pub(in crate::web::console) crumbs: Vec<Crumb>,
    pub(in crate::web::console) back: String,
    pub(in crate::web::console) ends_at: Option<OffsetDateTime>,
    pub(in crate::web::console) expiries: Vec<Choice>,
    pub(in crate::web::console) form: MintFields,
    pub(in crate::web::console) faults: FormFaults,
}

/// The form to replace a token.
#[derive(Template)]
#[template(path = "console/grants/rotate.html")]
pub(in crate::web::console) struct RotatePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    overlaps: Vec<Choice>,
    form: RotateFields,
    faults: FormFaults,
}

/// The one time that a token is shown.
#[derive(Template)]
#[template(path = "console/grants/made.html")]
pub(in crate::web::console) struct MadePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    back: String,
    connect: String,
    title: String,
    text: Secret<String>,
    expires_at: OffsetDateTime,
    is_rotation: bool,
    old_ends_at: Option<OffsetDateTime>,
    old_is_over: bool,
}

impl MintPage {
    /// The page below a list of grants.
    pub(in crate::web::console) fn of(
        mut shell: Shell,
        crumb: Crumb,
        base: &str,
        found: &GrantFound,
        form: MintFields,
        faults: FormFaults,
    ) -> Self {
        shell.has_faults = !faults.is_empty();
        let grant = &found.entry.grant;
        let back = format!("{base}/{}", grant.id);
        Self {
            shell,
            crumbs: vec![crumb, Crumb::to(&grant.label, &back)],
            back,
            ends_at: grant.expires_at,
            expiries: form.expiries(),
            form,
            faults,
        }
    }
}

impl RotatePage {
    /// The page below a list of grants.
    pub(in crate::web::console) fn of(
        mut shell: Shell,
        crumb: Crumb,
        base: &str,
        (found, token): &(GrantFound, GrantToken),
        form: RotateFields,
        faults: FormFaults,
    ) -> Self {
        shell.has_faults = !faults.is_empty();
        let grant = &found.entry.grant;
        let back = format!("{base}/{}", grant.id);
        Self {
            shell,
            crumbs: vec![crumb, Crumb::to(&grant.label, &back)],
            action: format!("{back}/tokens/{}/rotate", token.id),
            back,
            overlaps: form.overlaps(),
            form,
            faults,
        }
    }
}

impl MadePage {
    /// The page below a list of grants; `connect` leads on to the client, where the viewer connects it.
    pub(in crate::web::console) fn of(
        shell: Shell,
        crumb: Crumb,
        base: &str,
        connect: String,
        made: MadeToken,
    ) -> Self {
        let grant = &made.found.entry.grant;
        let back = format!("{base}/{}", grant.id);
        let old = made.replaced;
        Self {
            shell,
            crumbs: vec![crumb, Crumb::to(&grant.label, &back)],
            back,
            connect,
            title: made.token.label,
            text: made.text,
            expires_at: made.token.expires_at,
            is_rotation: old.is_some(),
            old_is_over: old.as_ref().is_some_and(|old| old.revoked_at.is_some()),
            old_ends_at: old.map(|old| old.expires_at),
        }
    }
}

async fn new(ask: OrgPage, Path((_, grant)): Path<(String, String)>) -> PageResult {
    let found = tokens::mintable(&ask.cx, &grant).await?;
    mint_page(&ask, StatusCode::OK, &found, MintFields::fresh(""), FormFaults::default()).await
}

async fn mint(
    ask: OrgPage,
    Path((_, grant)): Path<(String, String)>,
    Form(form): Form<MintFields>,
) -> PageResult {
    let made = match form.input(ask.cx.now()) {
        Ok(input) => tokens::mint(&ask.cx, &grant, &input).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => made_page(&ask, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            let found = tokens::mintable(&ask.cx, &grant).await?;
            mint_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, &found, form, faults).await
        }
    }
}

async fn mint_page(
    ask: &OrgPage,
    status: StatusCode,
    found: &GrantFound,
    form: MintFields,
    faults: FormFaults,
) -> PageResult {
    let shell = shell_of::org(ask, "New token").await?;
    page_with(status, &MintPage::of(shell, crumb(ask), &list_href(ask), found, form, faults))
}

async fn made_page(ask: &OrgPage, made: MadeToken) -> PageResult {
    let shell = shell_of::org(ask, format!("Copy {}", made.token.label)).await?;
    let is_mine = ask.cx.user().is_some() && made.found.entry.grant.principal.user() == ask.cx.user();
    let connect = if is_mine {
        format!("/me/agents/connect?grant={}&made={}", made.found.entry.grant.id, made.token.id)
    } else {
        String::new()
    };
    page(&MadePage::of(shell, crumb(ask), &list_href(ask), connect, made))
}

async fn rotate_page(ask: OrgPage, Path((_, grant, token)): Path<(String, String, String)>) -> PageResult {
    let found = tokens::rotatable(&ask.cx, &grant, &token).await?;
    rotating(&ask, StatusCode::OK, &found, RotateFields::fresh(), FormFaults::default()).await
}

async fn rotate(
    ask: OrgPage,
    Path((_, grant, token)): Path<(String, String, String)>,
    Form(form): Form<RotateFields>,
) -> PageResult {
    let made = match form.overlap() {
        Ok(overlap) => tokens::rotate(&ask.cx, &grant, &token, form.id.parse().ok(), overlap).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => made_page(&ask, made).await,
        Err(error) => {
            let faults = faults_of(error)?;
            let found = tokens::rotatable(&ask.cx, &grant, &token).await?;
            rotating(&ask, StatusCode::UNPROCESSABLE_ENTITY, &found, form, faults).await
        }
    }
}

async fn rotating(
    ask: &OrgPage,
    status: StatusCode,
    found: &(GrantFound, GrantToken),
    form: RotateFields,
    faults: FormFaults,
) -> PageResult {
    let shell = shell_of::org(ask, format!("Replace {}", found.1.label)).await?;
    page_with(status, &RotatePage::of(shell, crumb(ask), &list_href(ask), found, form, faults))
}

#[derive(Deserialize)]
struct Nothing {}

async fn revoke(
    ask: OrgPage,
    Path((_, grant, token)): Path<(String, String, String)>,
    Form(_): Form<Nothing>,
) -> PageResult {
    let token = tokens::revoke(&ask.cx, &grant, &token).await?;
    Ok(place::token_revoked(&format!("{}/{}", list_href(&ask), token.grant), &token.label))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let crumbs = || vec![Crumb::to("Agents", "/o/acme/agents"), Crumb::to(LONG, "/o/acme/agents/x")];
    let mint = |form: MintFields, faults| MintPage {
        shell: shell(Base::Organization, "New token"),
        crumbs: crumbs(),
        back: "/o/acme/agents/x".into(),
        ends_at: Some(AT).filter(|_| form.label.is_empty()),
        expiries: form.expiries(),
        form,
        faults,
    };
    let rotate = |faults| RotatePage {
        shell: shell(Base::Organization, LONG),
        crumbs: crumbs(),
        action: "/x".into(),
        back: "/y".into(),
        overlaps: RotateFields::fresh().overlaps(),
        form: RotateFields::fresh(),
        faults,
    };
    let made = |is_rotation: bool, old_is_over: bool| MadePage {
        shell: shell(Base::Organization, "Copy it"),
        crumbs: crumbs(),
        back: "/o/acme/agents/x".into(),
        connect: if is_rotation { String::new() } else { "/me/agents/connect".into() },
        title: LONG.into(),
        text: Secret::new("prg_sample".to_owned()),
        expires_at: AT,
        is_rotation,
        old_ends_at: Some(AT).filter(|_| !old_is_over),
        old_is_over,
    };
    let all = faults(&[("", "no"), ("label", "no"), ("expires_at", "no"), ("expires_on", "no")]);
    vec![
        sample("token, new: empty", &mint(MintFields::fresh(""), FormFaults::default())),
        sample("token, new: refused", &mint(MintFields::fresh(SHARP), all)),
        sample("token, replace", &rotate(FormFaults::default())),
        sample("token, replace: refused", &rotate(faults(&[("overlap_minutes", "no")]))),
        sample("token: made", &made(false, false)),
        sample("token: replaced", &made(true, false)),
        sample("token: replaced at once", &made(true, true)),
    ]
}
