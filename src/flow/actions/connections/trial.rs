//! Signing in at a provider to see whether that works and what it says. Nothing of it is kept.

use crate::{
    base::{permission::Permission, trace::Fixer},
    domain::{
        audit::{self, Entry},
        connections::{AccountLabel, AccountOwner, Obtaining, Provider},
    },
    flow::{
        actions::{
            connections::{
                begin::{Begun, SetOut, set_out},
                finish::Came,
                unkept::{Unkept, UnkeptEnd},
                words,
            },
            findings::{Finding, Stand},
            providers::named,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, Refused},
        tokens::{Armed, UpstreamEnd},
    },
    io::db::Tx,
    protocol::oauth::{answer::Tokens, client::ClientAuth, document::Facts},
};

/// What a trial came to.
#[derive(Debug)]
pub struct Trial {
    /// The organization's short name.
    pub org: String,
    /// The provider.
    pub provider: Provider,
    /// Each step, from the sign-in to the end of what it brought.
    pub steps: Vec<Finding>,
}

/// The steps after the first, by their codes.
const STEPS: [&str; 5] = ["token", "renewal", "scopes", "account", "ending"];

/// Sends an admin's browser to the provider, to come back with what is only looked at. A provider that is switched off may be
/// tried before it is switched on.
///
/// # Errors
/// `NotFound` where nobody signs in there; `NotSignedIn` for whoever is no person in a browser.
pub async fn begin_trial(cx: &OrgCx, name: &str) -> ActionResult<Begun> {
    cx.require(Permission::ProvidersWrite)?;
    let person = cx.person.as_ref().ok_or(ActionError::NotSignedIn)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    let out = SetOut {
        owner: AccountOwner::User(person.id()),
        connection: None,
        scopes: provider.scopes.clone(),
        return_to: String::new(),
        is_trial: true,
    };
    set_out(cx, tx, provider, out).await
}

/// Has the client of a provider ask for a token in its own name, and tells what came.
///
/// # Errors
/// `NotFound` for another kind of provider.
pub async fn try_client(cx: &OrgCx, name: &str) -> ActionResult<Trial> {
    cx.require(Permission::ProvidersWrite)?;
    let mut tx = cx.tx().await?;
    let provider = named(&mut tx, name).await?;
    if provider.obtaining() != Obtaining::Client {
        return Err(ActionError::NotFound);
    }
    let armed = Armed::of(&cx.ports.vault, &mut tx, provider).await?.ok_or(ActionError::NotFound)?;
    tx.done().await?;
    let scopes = armed.provider.scopes.clone();
    let request = armed.template.client_credentials(&armed.proven(cx.now()), &scopes);
    let answer = armed.ask(&cx.ports.egress, &request).await;
    let came = answer.map_err(|failure| words::failed(&armed.provider.name, &failure)).map(|answer| {
        let facts = armed.template.facts(&answer.rest, &Facts::new());
        let label = AccountLabel { id: armed.client.id.clone(), ..AccountLabel::default() };
        Came { answer, label, facts }
    });
    told(cx, armed, &scopes, came).await
}

/// What is told of what came, or of why nothing did.
pub(super) async fn told(
    cx: &OrgCx,
    armed: Armed,
    asked: &[String],
    came: ActionResult<Came>,
) -> ActionResult<Trial> {
    cx.require(Permission::ProvidersWrite)?;
    let (steps, note) = match came {
        Ok(came) => (steps(cx, &armed, asked, &came).await?, "ok"),
        Err(ActionError::Refused(Refused { sentence, code, .. })) => {
            (refused(cx, &armed.provider, sentence), code)
        }
        Err(error) => return Err(error),
    };
    let entry = Entry::admin("provider.tried", &cx.who())
        .target("provider", armed.provider.id, &armed.provider.name)
        .note(note);
    let entry = if note == "ok" { entry } else { entry.failed() };
    let tx = cx.tx().await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(Trial { org: cx.org.slug.to_string(), provider: armed.provider, steps })
}

fn refused(cx: &OrgCx, provider: &Provider, sentence: String) -> Vec<Finding> {
    let page = format!("/o/{}/providers/{}", cx.org.slug, provider.slug);
    let first =
        Finding::of("sign_in", Stand::Broken, (sentence, "Look at the provider's page."), Fixer::Admin, page);
    std::iter::once(first).chain(STEPS.map(Finding::not_reached)).collect()
}

async fn steps(cx: &OrgCx, armed: &Armed, asked: &[String], came: &Came) -> ActionResult<Vec<Finding>> {
    let tokens = armed.tokens_of(&came.answer);
    let name = &armed.provider.name;
    let is_client = armed.provider.obtaining() == Obtaining::Client;
    let sign_in = match is_client {
        true if armed.template.client_auth() == ClientAuth::PrivateKeyJwt => {
            format!("{name} knows the client and takes what it signs.")
        }
        true => format!("{name} knows the client and takes its secret."),
        false => format!("You signed in at {name}, came back, and it took its own code."),
    };
    let mut steps = vec![Finding::fine("sign_in", sign_in), token(name, tokens)];
    steps.push(renewal(cx, &armed.provider, tokens, is_client));
    steps.push(scopes(cx, &armed.provider, asked, tokens));
    steps.push(account(armed, &came.label, is_client));
    steps.push(ending(cx, armed, came, tokens).await?);
    Ok(steps)
}

fn token(name: &str, tokens: &Tokens) -> Finding {
    let lives = match tokens.expires_in {
        Some(seconds) if seconds < 120 => format!("It gave a token for {seconds} seconds."),
        Some(seconds) if seconds < 7_200 => format!("It gave a token for {} minutes.", seconds / 60),
        Some(seconds) => format!("It gave a token for {} hours.", seconds / 3_600),
        None => format!("It gave a token. {name} names no end of it."),
    };
    Finding::fine("token", lives)
}

fn renewal(cx: &OrgCx, provider: &Provider, tokens: &Tokens, is_client: bool) -> Finding {
    if is_client {
        return Finding::fine("renewal", "The client asks anew whenever a token ends.");
    }
    match (&tokens.refresh, tokens.expires_in) {
        (Some(_), _) => {
            Finding::fine("renewal", "It gave a refresh token: accounts are renewed by themselves.")
        }
        (None, None) => Finding::fine("renewal", "It gave no refresh token, and the token has no end."),
        (None, Some(_)) => {
            let told = (
                "It gave no refresh token: people have to connect again whenever a token ends.",
                "Ask for what its documentation calls offline access, often the scope offline_access.",
            );
            let page = format!("/o/{}/providers/{}/edit", cx.org.slug, provider.slug);
            Finding::of("renewal", Stand::Look, told, Fixer::Admin, page)
        }
    }
}

fn scopes(cx: &OrgCx, provider: &Provider, asked: &[String], tokens: &Tokens) -> Finding {
    let Some(granted) = &tokens.scopes else {
        let found = "It does not say what it granted, which means: everything that was asked for.";
        return Finding::fine("scopes", found);
    };
    let missing: Vec<_> = asked.iter().filter(|scope| !granted.contains(scope)).map(String::as_str).collect();
    if missing.is_empty() {
        return Finding::fine("scopes", "It granted everything that was asked for.");
    }
    let told = (
        format!("It did not grant: {}.", missing.join(", ")),
        "Look whether the application there may ask for it, or leave it out.",
    );
    let page = format!("/o/{}/providers/{}/edit", cx.org.slug, provider.slug);
    Finding::of("scopes", Stand::Look, told, Fixer::Admin, page)
}

fn account(armed: &Armed, label: &AccountLabel, is_client: bool) -> Finding {
    if is_client {
        return Finding::fine("account", format!("Agents act as the client {}.", label.id));
    }
    if !armed.template.names_accounts() {
        let found =
            "It has no place that says whose account it is: each connection counts as an account of its own.";
        return Finding::fine("account", found);
    }
    let all = [&label.name, &label.email, &label.workspace, &label.id];
    let known: Vec<_> = all.into_iter().filter(|text| !text.is_empty()).map(String::as_str).collect();
    Finding::fine("account", format!("It says whose account it is: {}.", known.join(", ")))
}

/// Ends what the trial brought, unless that would end somebody's account along with it, as some providers do.
async fn ending(cx: &OrgCx, armed: &Armed, came: &Came, tokens: &Tokens) -> ActionResult<Finding> {
    let end = Unkept::of(armed, &came.label, tokens, &came.facts).end(cx).await?;
    Ok(match end {
        UnkeptEnd::ByThemselves => {
            let found = "Tokens cannot be ended there from outside. Those of this trial were not kept, and end by themselves.";
            Finding::fine("ending", found)
        }
        UnkeptEnd::Spared => {
            let found = "This account is connected here, and some providers end all its tokens at once: those of this trial were \
                         not kept, and end by themselves.";
            Finding::fine("ending", found)
        }
        UnkeptEnd::Told(UpstreamEnd::Ended) => {
            Finding::fine("ending", "It ended the tokens of this trial when it was told.")
        }
        UnkeptEnd::Told(UpstreamEnd::ByHand | UpstreamEnd::Failed) => {
            let told = (
                "It did not end the tokens of this trial when it was told. They were not kept.",
                "Whoever disconnects an account should look at the provider's own page for it.",
            );
            Finding::of("ending", Stand::Look, told, Fixer::Upstream, "")
        }
    })
}
