//! Typed ids: UUIDv7 in the database, prefix plus Crockford base32 outside.
//!
//! Invariant: an id of one kind never parses as an id of another.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::{Decode, Encode, Postgres, Type, encode::IsNull, error::BoxDynError, postgres};
use uuid::Uuid;

/// What distinguishes one kind of id from another.
pub trait Kind: 'static {
    /// The letters before the underscore.
    const PREFIX: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident $marker:ident $prefix:literal;)*) => {$(
        #[doc(hidden)]
        pub enum $marker {}
        impl Kind for $marker { const PREFIX: &'static str = $prefix; }
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )*};
}

kinds! {
    /// An organization.
    OrgId Org "org";
    /// A person.
    UserId User "usr";
    /// A team.
    TeamId Team "tem";
    /// A service account.
    ServiceAccountId ServiceAccount "svc";
    /// An API key.
    ApiKeyId ApiKey "key";
    /// An invitation.
    InvitationId Invitation "inv";
    /// A browser session.
    SessionId Session "ses";
    /// A passkey.
    PasskeyId Passkey "pky";
    /// A recovery code.
    RecoveryCodeId RecoveryCode "rcv";
    /// A link sent by mail to prove an address or reset a password.
    MailTokenId MailToken "mtk";
    /// A half-finished sign-in or passkey ceremony.
    CeremonyId Ceremony "cer";
    /// A connected account.
    ConnectionId Connection "con";
    /// A request for an account that is under way.
    ConnectRequestId ConnectRequest "cnr";
    /// One record of the audit log.
    EventId Event "evt";
    /// One request that reached us.
    RequestId Request "req";
    /// A letter in the outbox.
    LetterId Letter "ltr";
    /// A background job.
    JobId Job "job";
    /// A data key that seals an organization's values.
    DataKeyId DataKey "dek";
    /// A key that signs audit checkpoints.
    SigningKeyId SigningKey "sgk";
    /// One running process of Portreeve.
    ReplicaId Replica "rep";
    /// An upstream MCP server.
    ServerId Server "srv";
    /// One header or parameter that a server's requests carry.
    CredentialId Credential "crd";
    /// An OAuth application that an organization registered at a provider.
    ProviderId Provider "prv";
    /// What an agent may do, in whose name.
    GrantId Grant "grt";
    /// One carried token of a grant.
    GrantTokenId GrantToken "gtk";
    /// A named value that servers are sent.
    SecretId KeptSecret "sec";
    /// A policy.
    PolicyId Policy "pol";
    /// A promise that a policy is held to.
    PolicyTestId PolicyTest "ptt";
    /// One exact call that waits for a human.
    ApprovalId Approval "apr";
    /// A call that waits for a human as a task of its agent.
    CallTaskId CallTask "tsk";
    /// A question of a server that an agent is to answer.
    CallQuestionId CallQuestion "qst";
    /// What somebody asks for that their agents may not do yet.
    AccessRequestId AccessRequest "acr";
    /// Any sealed row that has no noun of its own.
    SealedId Sealed "sea";
}

/// An id of kind `K`.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// A new id that sorts after all earlier ones of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
    pub fn fresh() -> Self {
        Self(Uuid::now_v7(), PhantomData)
    }
}

impl<K> Id<K> {
    /// Takes an id as the database holds it.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id as the database holds it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.as_u128();
        let mut text = [0u8; 26];
        for (i, slot) in text.iter_mut().enumerate() {
            let shift = 125 - 5 * i as u32;
            *slot = ALPHABET[(n >> shift) as usize & 31];
        }
        let text = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(text)
    }
}

/// Why a text is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{expected}_`")]
pub struct NotAnId {
    expected: &'static str,
}

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = NotAnId { expected: K::PREFIX };
        let digits = text.strip_prefix(K::PREFIX).and_then(|t| t.strip_prefix('_')).ok_or(wrong.clone())?;
        if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
            return Err(wrong);
        }
        let mut n = 0u128;
        for b in digits.bytes() {
            let value = ALPHABET.iter().position(|a| *a == b).ok_or(wrong.clone())?;
            n = n << 5 | value as u128;
        }
        Ok(Self(Uuid::from_u128(n), PhantomData))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}
impl<K: Kind> schemars::JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Id_{}", K::PREFIX).into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX),
        })
    }
}

impl<K> Type<Postgres> for Id<K> {
    fn type_info() -> postgres::PgTypeInfo {
        <Uuid as Type<Postgres>>::type_info()
    }
    fn compatible(ty: &postgres::PgTypeInfo) -> bool {
        <Uuid as Type<Postgres>>::compatible(ty)
    }
}
impl<K> postgres::PgHasArrayType for Id<K> {
    fn array_type_info() -> postgres::PgTypeInfo {
        <Uuid as postgres::PgHasArrayType>::array_type_info()
    }
}
impl<'q, K> Encode<'q, Postgres> for Id<K> {
    fn encode_by_ref(&self, buf: &mut postgres::PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Uuid as Encode<'q, Postgres>>::encode_by_ref(&self.0, buf)
    }
}
impl<'r, K> Decode<'r, Postgres> for Id<K> {
    fn decode(value: postgres::PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <Uuid as Decode<'r, Postgres>>::decode(value).map(Self::from_uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_reads_back(n: u128) {
            let id = OrgId::from_uuid(Uuid::from_u128(n));
            prop_assert_eq!(id.to_string().parse::<OrgId>(), Ok(id));
        }

        #[test]
        fn text_order_is_id_order(a: u128, b: u128) {
            let (x, y) = (OrgId::from_uuid(Uuid::from_u128(a)), OrgId::from_uuid(Uuid::from_u128(b)));
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = text.parse::<OrgId>();
        }
    }

    #[test]
    fn another_kind_is_refused() {
        let id = UserId::fresh();
        assert!(id.to_string().parse::<OrgId>().is_err());
    }
}
