//! People and how they prove who they are.
//!
//! Owns users, passwords, TOTP secrets, recovery codes, passkeys, browser sessions, ceremonies (what lies
//! between the steps of a sign-in), links sent by mail, and the limits on attempts. Deliberately lacks
//! organizations: a person belongs to none by themselves, and no role is known here. Sealing of TOTP secrets
//! is the vault's; this room stores sealed bytes and the id of their key.
//!
//! Invariant: of every carried secret only a digest is stored; of a password only its argon2id hash.
//! Invariant: a password is hashed for keeping only after it passed the strength rules
//! ([`strength::NewPassword`]).
//! Invariant: a TOTP step, a recovery code, a mailed link and a ceremony are each good once, also under a
//! race.
//! Invariant: no number of failures locks a person out by their name alone; only an address is slowed down.

pub mod attempts;
pub mod ceremonies;
pub mod devices;
pub mod mail_tokens;
pub mod passkeys;
pub mod password;
pub mod recovery;
pub mod relying;
pub mod sessions;
pub mod store;
pub mod strength;
pub mod totp;
pub mod users;
pub mod zones;
