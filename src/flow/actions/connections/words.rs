//! What a provider's refusal means, who can help, and what to do.

use crate::{
    domain::connections::ADDRESS_REFUSED,
    flow::fault::ActionError,
    protocol::oauth::{
        callback::{BadCallback, Refused},
        claims::BadIdToken,
        failure::{FailureKind, TokenFailure},
    },
};

/// Of a callback that brings an error instead of a code (RFC 6749, section 4.1.2.1).
pub(super) fn refused(provider: &str, refused: &Refused) -> ActionError {
    let (code, sentence) = match refused.code.as_str() {
        "access_denied" | "user_cancelled_login" | "user_cancelled_authorize" | "consent_denied" => {
            ("connect_denied", denied(provider))
        }
        "consent_required" | "interaction_required" => ("connect_consent", consent(provider)),
        "invalid_scope" => (
            "connect_scope",
            format!(
                "{provider} does not know one of the scopes that are asked for. An admin corrects them on the provider's page."
            ),
        ),
        "unauthorized_client" | "invalid_client" => (
            "connect_client",
            format!(
                "{provider} does not accept the registered client. An admin checks its id, and what the app may do there."
            ),
        ),
        "redirect_uri_mismatch" | "invalid_redirect_uri" => ("connect_callback", callback(provider)),
        "invalid_request" => (
            "connect_request",
            format!(
                "{provider} did not accept the request. An admin compares the callback address and the scopes on the \
                 provider's page with what is set there."
            ),
        ),
        "temporarily_unavailable" | "server_error" => (
            "connect_away",
            format!("{provider} has trouble of its own right now. Try again in a few minutes."),
        ),
        _ => ("connect_refused", format!("{provider} refused. Try again, or show its words to an admin.")),
    };
    said(code, sentence, Some(&refused.code), refused.words.as_deref())
}

/// Of a code that brought no tokens.
pub(super) fn failed(provider: &str, failure: &TokenFailure) -> ActionError {
    let named = failure.code.as_deref().unwrap_or_default();
    let (code, sentence) = match (failure.kind, named) {
        (_, "redirect_uri_mismatch" | "invalid_redirect_uri") => ("connect_callback", callback(provider)),
        (
            FailureKind::BrokenClient,
            "invalid_client" | "unauthorized_client" | "incorrect_client_credentials",
        ) => (
            "connect_client",
            format!(
                "{provider} does not accept the client's id or secret. An admin enters them anew on the provider's page."
            ),
        ),
        (FailureKind::BrokenClient, "invalid_scope") => (
            "connect_scope",
            format!(
                "{provider} does not know one of the scopes that are asked for. An admin corrects them on the provider's page."
            ),
        ),
        (FailureKind::BrokenClient, ADDRESS_REFUSED) => (
            "connect_address",
            format!(
                "The rules of this installation keep {provider} from being called. Nothing was connected; its operator decides \
                 about addresses."
            ),
        ),
        (FailureKind::BrokenClient, _) => (
            "connect_client",
            format!("{provider} refused the registered client. An admin checks it on the provider's page."),
        ),
        (FailureKind::DeadGrant, "access_denied") => ("connect_denied", denied(provider)),
        (FailureKind::DeadGrant, "consent_required" | "interaction_required" | "login_required") => {
            ("connect_consent", consent(provider))
        }
        (FailureKind::DeadGrant, "account_inactive" | "user_is_deactivated" | "unverified_user_email") => (
            "connect_inactive",
            format!(
                "{provider} does not let this account in: it is switched off there, or its address is not confirmed. Set that \
                 right there, or have an administrator there do so; then connect again."
            ),
        ),
        (FailureKind::DeadGrant, _) => (
            "connect_code",
            format!(
                "{provider} did not take its own code: it was used before, was too old, or this server's clock is wrong. \
                 Connect again."
            ),
        ),
        (FailureKind::Transient, _) => (
            "connect_away",
            format!(
                "{provider} cannot be reached right now. Nothing was connected; try again in a few minutes."
            ),
        ),
        (FailureKind::Unknown, _) => (
            "connect_lost",
            format!("{provider} gave no answer that can be read. Nothing was connected; connect again."),
        ),
    };
    // That one is ours.
    let theirs = failure.code.as_deref().filter(|code| *code != ADDRESS_REFUSED);
    said(code, sentence, theirs, failure.words.as_deref())
}

/// Of a callback that is none.
pub(super) fn bad(provider: &str, bad: BadCallback) -> ActionError {
    ActionError::refused(
        "connect_answer",
        format!("What came back from {provider} is not to be trusted: {bad}. Connect again."),
    )
}

/// Of tokens of which the provider does not say whose they are.
pub(super) fn nameless(provider: &str) -> ActionError {
    ActionError::refused(
        "connect_nameless",
        format!(
            "{provider} gave a token, but did not say whose account it is. Nothing was connected; try again in a few minutes, \
             and if it stays so, an admin checks which scopes the provider's page asks for."
        ),
    )
}

/// Of an id token that says something else than was asked.
pub(super) fn bad_claims(provider: &str, bad: BadIdToken) -> ActionError {
    if bad == BadIdToken::Time {
        return ActionError::refused(
            "connect_identity",
            format!(
                "{provider} says who signed in, but by this server's clock that is not valid yet or not any more: one of the two \
                 clocks is wrong. Nothing was connected; the operator compares this server's clock with the right time."
            ),
        );
    }
    ActionError::refused(
        "connect_identity",
        format!(
            "{provider} says who signed in, but {bad}. Nothing was connected; connect again, and tell an admin if it stays so."
        ),
    )
}

fn denied(provider: &str) -> String {
    format!("{provider} was not given leave. Nothing was connected; try again when you want to allow it.")
}

fn consent(provider: &str) -> String {
    format!(
        "{provider} wants leave that was not given there yet, and for some scopes an administrator there has to give it. \
         Ask them to allow the application, then connect again."
    )
}

fn callback(provider: &str) -> String {
    format!(
        "{provider} expects another callback address. An admin copies the one on the provider's page into the app there, to the letter."
    )
}

fn said(code: &'static str, sentence: String, theirs: Option<&str>, words: Option<&str>) -> ActionError {
    let theirs = match (theirs, words) {
        (Some(theirs), Some(words)) => format!(" It said: {theirs}: {words}"),
        (Some(theirs), None) => format!(" It said: {theirs}."),
        (None, Some(words)) => format!(" It said: {words}"),
        (None, None) => String::new(),
    };
    ActionError::refused(code, format!("{sentence}{theirs}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(error: &ActionError) -> &str {
        error.code()
    }

    #[test]
    fn each_refusal_says_who_can_help_and_repeats_the_provider() {
        for (code, ours, helper) in [
            ("access_denied", "connect_denied", "try again"),
            ("consent_required", "connect_consent", "administrator there"),
            ("invalid_scope", "connect_scope", "An admin"),
            ("redirect_uri_mismatch", "connect_callback", "An admin"),
            ("invalid_client", "connect_client", "An admin"),
            ("server_error", "connect_away", "few minutes"),
            ("something_else", "connect_refused", "show its words"),
        ] {
            let error = refused("Acme", &Refused { code: code.into(), words: Some("Their words.".into()) });
            let text = error.to_string();
            assert_eq!(code_of(&error), ours);
            assert!(text.contains(helper) && text.contains(code) && text.ends_with("Their words."), "{text}");
        }
    }

    #[test]
    fn a_code_that_brings_nothing_is_told_by_its_kind() {
        let of = |kind, code: Option<&str>| {
            let failure = TokenFailure {
                kind,
                status: Some(400),
                code: code.map(str::to_owned),
                ..TokenFailure::lost()
            };
            failed("Acme", &failure).code()
        };
        assert_eq!(of(FailureKind::DeadGrant, Some("invalid_grant")), "connect_code");
        assert_eq!(of(FailureKind::BrokenClient, Some("invalid_client")), "connect_client");
        assert_eq!(of(FailureKind::BrokenClient, Some(ADDRESS_REFUSED)), "connect_address");
        assert_eq!(of(FailureKind::BrokenClient, Some("redirect_uri_mismatch")), "connect_callback");
        assert_eq!(of(FailureKind::BrokenClient, Some("invalid_scope")), "connect_scope");
        assert_eq!(of(FailureKind::DeadGrant, Some("access_denied")), "connect_denied");
        assert_eq!(of(FailureKind::DeadGrant, Some("consent_required")), "connect_consent");
        assert_eq!(of(FailureKind::DeadGrant, Some("account_inactive")), "connect_inactive");
        assert_eq!(of(FailureKind::Transient, None), "connect_away");
        assert_eq!(of(FailureKind::Unknown, None), "connect_lost");
    }

    #[test]
    fn clocks_that_differ_are_the_operators_to_compare() {
        let said = bad_claims("Acme", BadIdToken::Time).to_string();
        assert!(
            said.contains("one of the two clocks is wrong") && said.contains("the operator compares"),
            "{said}"
        );
        let other = bad_claims("Acme", BadIdToken::Nonce).to_string();
        assert!(other.contains("tell an admin") && !other.contains("clock"), "{other}");
    }
}
