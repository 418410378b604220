//! What kept an account from a new token, in a sentence that says who can help and how.

use crate::{domain::connections::ADDRESS_REFUSED, protocol::oauth::failure::FailureKind};

/// What a provider's name for a trouble means; nothing for a name of its own, of which only its words tell more.
pub fn meaning(provider: &str, code: &str) -> Option<String> {
    const DEAD: &str = FailureKind::DeadGrant.as_str();
    const PASSING: &str = FailureKind::Transient.as_str();
    const LOST: &str = FailureKind::Unknown.as_str();
    Some(match code {
        "invalid_grant" | "invalid_refresh_token" | "bad_refresh_token" | "token_revoked" | DEAD => format!(
            "The leave that was given at {provider} is gone: it was withdrawn there, ended with a new password, or was not used \
             for long. Whoever owns the account connects it again."
        ),
        "token_expired" | "expired_token" => format!(
            "What renews the account at {provider} has reached its end. Whoever owns the account connects it again."
        ),
        "consent_required" | "interaction_required" | "login_required" => format!(
            "{provider} wants its owner to sign in or agree once more. Whoever owns the account connects it again; where an \
             administrator there has to agree first, they ask them."
        ),
        "access_denied" => format!(
            "{provider} was told not to let this application in any more. Whoever owns the account, or an administrator there, \
             allows it again; then its owner connects it again."
        ),
        "account_inactive" | "user_is_deactivated" => format!(
            "The account is switched off at {provider}. An administrator there switches it on; then its owner connects it again."
        ),
        "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => format!(
            "{provider} does not accept the client's id or secret. An admin enters them anew on the provider's page; \
             accounts stay connected."
        ),
        "redirect_uri_mismatch" | "invalid_redirect_uri" => format!(
            "{provider} expects another callback address. An admin copies the one on the provider's page into the app \
             there, to the letter; accounts stay connected."
        ),
        "invalid_scope" => format!(
            "{provider} does not know one of the scopes, or gives it no more. An admin corrects them on the provider's page; \
             accounts stay connected."
        ),
        ADDRESS_REFUSED => format!(
            "The rules of this installation keep {provider} from being called. Its operator decides about addresses."
        ),
        "temporarily_unavailable" | "server_error" | "slow_down" | "service_unavailable" | PASSING => {
            format!(
                "{provider} cannot be reached, or has trouble of its own. It is tried again by itself; nobody has to do anything."
            )
        }
        LOST => format!(
            "An answer of {provider} was lost on the way. It is tried again by itself; nobody has to do anything."
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_says_who_can_help_and_how() {
        for (code, what, who) in [
            ("invalid_grant", "it was withdrawn there", "Whoever owns the account connects it again"),
            ("token_revoked", "it was withdrawn there", "Whoever owns the account connects it again"),
            ("token_expired", "has reached its end", "Whoever owns the account connects it again"),
            ("consent_required", "agree once more", "administrator there"),
            ("access_denied", "not to let this application in", "an administrator there"),
            ("account_inactive", "is switched off", "An administrator there"),
            ("invalid_client", "id or secret", "An admin enters them anew"),
            ("redirect_uri_mismatch", "another callback address", "An admin copies"),
            ("invalid_scope", "one of the scopes", "An admin corrects them"),
            (ADDRESS_REFUSED, "rules of this installation", "Its operator"),
            ("transient", "cannot be reached", "nobody has to do anything"),
            ("unknown_outcome", "was lost on the way", "nobody has to do anything"),
        ] {
            let said = meaning("Acme", code).expect(code);
            assert!(said.contains("Acme") && said.contains(what) && said.contains(who), "{code}: {said}");
        }
        assert_eq!(meaning("Acme", "acme_says_no"), None, "its own words have to do");
    }
}
