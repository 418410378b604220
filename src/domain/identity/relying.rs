//! Asks for passkeys and checks the answers (WebAuthn): to sign in by, or as a second factor.
//!
//! The authenticator must verify its person each time, so one passkey is two factors. A counter that does not
//! grow is refused: it is the mark of a copied key.

use serde::{Deserialize, Serialize};
use url::{Host, Url};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder,
};
use webauthn_rs_proto::ResidentKeyRequirement;

use crate::{
    base::{email::Email, ids::UserId},
    domain::identity::{
        passkeys::{Credential, PasskeyError, PasskeysUnavailable, StoredPasskey},
        users::PersonName,
    },
};

/// Speaks WebAuthn for one base URL.
#[derive(Clone, Debug)]
pub struct Relying(Webauthn);

/// What to send to `navigator.credentials`, as JSON.
pub type Options = serde_json::Value;

/// Lies between challenge and answer when a passkey is added; kept in a ceremony, never sent out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration(PasskeyRegistration);

/// Lies between challenge and answer when a known person proves a passkey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof(PasskeyAuthentication);

/// Lies between challenge and answer when somebody signs in by passkey alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignIn(DiscoverableAuthentication);

/// A browser's answer to [`Relying::start_sign_in`], before anything in it is believed.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who it claims to be from.
    pub user: UserId,
    /// The credential it claims to be signed with; look it up by this.
    pub credential_id: Vec<u8>,
    answer: Box<PublicKeyCredential>,
}

impl Relying {
    /// Prepares for the URL that people reach this installation by.
    ///
    /// # Errors
    /// When browsers would not offer passkeys there; the text can be shown.
    pub fn new(base_url: &Url) -> Result<Self, PasskeysUnavailable> {
        let Some(Host::Domain(host)) = base_url.host() else {
            return Err(PasskeysUnavailable::NeedHostName);
        };
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if base_url.scheme() != "https" && !is_local {
            return Err(PasskeysUnavailable::NeedHttps);
        }
        WebauthnBuilder::new(host, base_url)
            .and_then(|builder| builder.rp_name("Portreeve").build())
            .map(Self)
            .map_err(PasskeysUnavailable::Unusable)
    }

    /// Asks for a new passkey; those the person has are not offered again.
    ///
    /// # Errors
    /// [`PasskeyError::Refused`] when the library refuses the names.
    pub fn start_registration(
        &self,
        user: UserId,
        email: &Email,
        name: &PersonName,
        existing: &[StoredPasskey],
    ) -> Result<(Options, Registration), PasskeyError> {
        let known = existing.iter().map(|passkey| passkey.credential.0.cred_id().clone()).collect();
        let (mut challenge, state) = self
            .0
            .start_passkey_registration(user.uuid(), email.as_str(), name.as_str(), Some(known))
            .map_err(PasskeyError::Refused)?;
        // The library asks authenticators not to remember the person; signing in without a name needs that
        // they do, and one that has no room may still serve as a second factor.
        if let Some(selection) = &mut challenge.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Preferred);
        }
        Ok((options(&challenge), Registration(state)))
    }

    /// Checks the browser's answer and gives the passkey to be stored.
    ///
    /// # Errors
    /// When the answer cannot be read or does not prove what was asked.
    pub fn finish_registration(
        &self,
        answer: &str,
        state: &Registration,
    ) -> Result<Credential, PasskeyError> {
        let answer: RegisterPublicKeyCredential = read(answer)?;
        self.0.finish_passkey_registration(&answer, &state.0).map(Credential).map_err(PasskeyError::Refused)
    }

    /// Asks a known person for one of their passkeys: as second factor, or for a sensitive act.
    ///
    /// Never call it for a person who only named an address: the options tell which passkeys exist.
    ///
    /// # Errors
    /// [`PasskeyError::NoPasskeys`] when they have none.
    pub fn start_proof(&self, passkeys: &[StoredPasskey]) -> Result<(Options, Proof), PasskeyError> {
        if passkeys.is_empty() {
            return Err(PasskeyError::NoPasskeys);
        }
        let credentials: Vec<Passkey> = passkeys.iter().map(|passkey| passkey.credential.0.clone()).collect();
        let (challenge, state) =
            self.0.start_passkey_authentication(&credentials).map_err(PasskeyError::Refused)?;
        Ok((options(&challenge), Proof(state)))
    }

    /// Checks a known person's answer and gives the passkey it came from, its counter moved on, to be stored.
    ///
    /// # Errors
    /// When the answer cannot be read, is from another passkey, or does not prove what was asked.
    pub fn finish_proof(
        &self,
        answer: &str,
        state: &Proof,
        passkeys: &[StoredPasskey],
    ) -> Result<StoredPasskey, PasskeyError> {
        let answer: PublicKeyCredential = read(answer)?;
        let result =
            self.0.finish_passkey_authentication(&answer, &state.0).map_err(PasskeyError::Refused)?;
        let used = passkeys.iter().find(|passkey| passkey.credential.0.cred_id() == result.cred_id());
        // One deleted while its person was being asked is no longer a proof.
        let mut used = used.ok_or(PasskeyError::NoPasskeys)?.clone();
        used.credential.0.update_credential(&result);
        Ok(used)
    }

    /// Asks whoever is there for a passkey of this installation; the options are alike for everybody.
    ///
    /// # Errors
    /// [`PasskeyError::Refused`] when the library cannot make a challenge.
    pub fn start_sign_in(&self) -> Result<(Options, SignIn), PasskeyError> {
        let (mut challenge, state) =
            self.0.start_discoverable_authentication().map_err(PasskeyError::Refused)?;
        // Whether to show a dialog or wait in the field's suggestions is the page's to say.
        challenge.mediation = None;
        Ok((options(&challenge), SignIn(state)))
    }

    /// Reads whose passkey an answer claims to come from, so that it can be looked up.
    ///
    /// # Errors
    /// When the answer cannot be read or names nobody.
    pub fn identify(&self, answer: &str) -> Result<Claim, PasskeyError> {
        let answer: PublicKeyCredential = read(answer)?;
        let (user, credential) =
            self.0.identify_discoverable_authentication(&answer).map_err(PasskeyError::Refused)?;
        let (user, credential_id) = (UserId::from_uuid(user), credential.to_vec());
        Ok(Claim { user, credential_id, answer: Box::new(answer) })
    }

    /// Checks an answer against the passkey found for it and gives that, its counter moved on, to be stored.
    ///
    /// # Errors
    /// When the passkey is another person's or the answer does not prove what was asked.
    pub fn finish_sign_in(
        &self,
        claim: &Claim,
        state: SignIn,
        mut found: StoredPasskey,
    ) -> Result<StoredPasskey, PasskeyError> {
        if found.user != claim.user {
            return Err(PasskeyError::NoPasskeys);
        }
        let result = self
            .0
            .finish_discoverable_authentication_v2(&claim.answer, state.0, &found.credential.0)
            .map_err(PasskeyError::Refused)?;
        found.credential.0.update_credential(&result);
        Ok(found)
    }
}

fn options(challenge: &impl Serialize) -> Options {
    serde_json::to_value(challenge).expect("a challenge is plain data")
}

fn read<T: for<'de> Deserialize<'de>>(answer: &str) -> Result<T, PasskeyError> {
    serde_json::from_str(answer).map_err(|_| PasskeyError::Unreadable)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::base::ids::PasskeyId;

    fn at(url: &str) -> Result<Relying, PasskeysUnavailable> {
        Relying::new(&url.parse().unwrap())
    }

    #[test]
    fn a_bare_address_or_plain_http_is_refused_with_a_reason() {
        for url in ["http://127.0.0.1:8080", "https://[::1]", "https://192.0.2.7"] {
            assert!(matches!(at(url), Err(PasskeysUnavailable::NeedHostName)), "{url}");
        }
        assert!(matches!(at("http://gate.example"), Err(PasskeysUnavailable::NeedHttps)));
        for url in [
            "http://localhost:8080",
            "http://a.localhost",
            "https://gate.example",
            "https://gate.example:8443/x",
        ] {
            assert!(at(url).is_ok(), "{url}");
        }
        assert!(at("http://127.0.0.1").unwrap_err().to_string().contains("localhost"));
    }

    #[test]
    fn a_registration_asks_for_a_verified_person_who_is_remembered() {
        let relying = at("https://gate.example").unwrap();
        let user = UserId::fresh();
        let (options, state) = relying
            .start_registration(user, &"ada@engine.example".parse().unwrap(), &"Ada".parse().unwrap(), &[])
            .unwrap();
        let asked = &options["publicKey"];
        assert_eq!(asked["rp"]["id"], "gate.example");
        assert_eq!(asked["user"]["id"], data_encoding::BASE64URL_NOPAD.encode(user.uuid().as_bytes()));
        assert_eq!(asked["authenticatorSelection"]["residentKey"], "preferred");
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
        let kept = serde_json::to_value(&state).unwrap();
        let state: Registration = serde_json::from_value(kept).unwrap();
        assert!(matches!(relying.finish_registration("{}", &state), Err(PasskeyError::Unreadable)));
        assert!(matches!(relying.finish_registration("", &state), Err(PasskeyError::Unreadable)));
    }

    #[test]
    fn the_options_to_sign_in_name_no_passkey_and_differ_only_in_the_challenge() {
        let relying = at("https://gate.example").unwrap();
        let (mut one, state) = relying.start_sign_in().unwrap();
        let (mut two, _) = relying.start_sign_in().unwrap();
        let challenge = one["publicKey"]["challenge"].take();
        assert_ne!(challenge, two["publicKey"]["challenge"].take());
        assert_eq!(one, two);
        assert_eq!(one["publicKey"]["userVerification"], "required");
        assert!(one["publicKey"]["allowCredentials"].as_array().is_none_or(Vec::is_empty));
        let kept = serde_json::to_string(&state).unwrap();
        assert!(serde_json::from_str::<SignIn>(&kept).is_ok());
    }

    #[test]
    fn a_person_without_passkeys_cannot_be_asked_for_one() {
        assert!(matches!(
            at("https://gate.example").unwrap().start_proof(&[]),
            Err(PasskeyError::NoPasskeys)
        ));
    }

    /// What a browser sends, but signed by nobody.
    fn answer(user: Option<UserId>) -> String {
        let handle = user.map(|user| data_encoding::BASE64URL_NOPAD.encode(user.uuid().as_bytes()));
        let (id, response) = ("AAAA", ["authenticatorData", "clientDataJSON", "signature"]);
        let mut response: serde_json::Map<_, _> =
            response.map(|key| (key.to_owned(), id.into())).into_iter().collect();
        response.insert("userHandle".into(), handle.into());
        let body = serde_json::json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": {}, "response": response,
        });
        body.to_string()
    }

    fn stored(user: UserId) -> StoredPasskey {
        let zeros = "A".repeat(43);
        let key = serde_json::json!({ "EC_EC2": { "curve": "SECP256R1", "x": zeros, "y": zeros } });
        let credential = serde_json::json!({ "cred": {
            "cred_id": "AAAA", "cred": { "type_": "ES256", "key": key }, "counter": 0, "transports": null,
            "user_verified": true, "backup_eligible": false, "backup_state": false, "extensions": {},
            "registration_policy": "required", "attestation": { "data": "None", "metadata": "None" },
            "attestation_format": "none",
        } });
        StoredPasskey {
            id: PasskeyId::fresh(),
            user,
            name: "key".into(),
            credential: serde_json::from_value(credential).unwrap(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            last_used_at: None,
        }
    }

    #[test]
    fn an_answer_that_names_nobody_is_refused() {
        let relying = at("https://gate.example").unwrap();
        assert!(matches!(relying.identify(&answer(None)), Err(PasskeyError::Refused(_))));
        assert!(matches!(relying.identify("null"), Err(PasskeyError::Unreadable)));
    }

    #[test]
    fn an_answer_to_no_challenge_of_ours_is_refused() {
        let relying = at("https://gate.example").unwrap();
        let (_, state) = relying.start_sign_in().unwrap();
        let user = UserId::fresh();
        let claim = relying.identify(&answer(Some(user))).unwrap();
        assert_eq!((claim.user, claim.credential_id.as_slice()), (user, stored(user).credential.id()));
        let of_another = relying.finish_sign_in(&claim, state.clone(), stored(UserId::fresh()));
        assert!(matches!(of_another, Err(PasskeyError::NoPasskeys)));
        assert!(matches!(relying.finish_sign_in(&claim, state, stored(user)), Err(PasskeyError::Refused(_))));

        let (options, proof) = relying.start_proof(&[stored(user)]).unwrap();
        assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], "AAAA");
        let kept: Proof = serde_json::from_value(serde_json::to_value(&proof).unwrap()).unwrap();
        let refused = relying.finish_proof(&answer(Some(user)), &kept, &[stored(user)]);
        assert!(matches!(refused, Err(PasskeyError::Refused(_))));
    }
}
