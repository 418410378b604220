//! The letters Portreeve writes, and how they get from a change to the mail server.
//!
//! Owns the words of every letter (with `templates/mail/<letter>/`), their rendering, queueing and delivery. This is
//! the one place above the doors' floor that makes HTML: a letter is made when its change happens, by a job as well
//! as by a request, so it cannot wait for a door.
//!
//! Invariant: a letter carries no image, no foreign link and nothing that tells whether it was read.
//! Invariant: what people typed enters a letter only as [`Line`]: one line, no control or direction characters; so
//! it can neither add a header nor look like a paragraph of ours.
//! Invariant: outside memory a rendered letter exists only sealed, because its links may open accounts.

mod letter;
mod post;
mod render;
mod words;

pub use letter::{
    AccessAsked, AccessDecided, AccountEnds, AccountReconnect, ApiKeyCreated, ApprovalAsked, EmailChanged,
    Invitation, InvitationExistingAccount, Letter, NewSignIn, OrgDeletionAsked, OwnershipTransferred,
    PasskeyAdded, PasswordChanged, PolicyProposed, ProviderRefused, ProviderSilent, RemovedFromOrg,
    ResetPassword, SecondFactorChange, SecondFactorChanged, SignUpExisting, TestLetter, VerifyEmail,
};
pub use post::{DELIVER_LETTERS, Post, PostError, SWEEP_LETTERS};
pub use render::Rendered;
pub use words::{Line, Moment};
