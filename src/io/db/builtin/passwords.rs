//! The three roles' passwords: random, kept in a private file, never shown.

use crate::{
    base::{crypto::random, secret::Secret},
    io::db::builtin::{BuiltInError, DataDir, folder},
};

const FILE: &str = "database";

/// The passwords of the private cluster's roles.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    /// Of the role that only sets the others up.
    pub(super) keeper: Secret<String>,
    /// Of `portreeve_owner`.
    pub(super) owner: Secret<String>,
    /// Of `portreeve_app`.
    pub(super) app: Secret<String>,
}

impl Passwords {
    /// Reads them, or draws and keeps new ones while there is no cluster that knows others.
    pub(super) fn of(dir: &DataDir, has_cluster: bool) -> Result<Self, BuiltInError> {
        if let Some(kept) = Self::kept(dir.path())? {
            return Ok(kept);
        }
        if has_cluster {
            return Err(BuiltInError::PasswordsMissing(dir.path().join("keys").join(FILE)));
        }
        let drawn = Self { keeper: draw(), owner: draw(), app: draw() };
        let text =
            [&drawn.keeper, &drawn.owner, &drawn.app].map(|password| password.expose().as_str()).join("\n");
        dir.write_private(FILE, &Secret::new(text))?;
        Ok(drawn)
    }

    /// Reads them; `None` where there are none.
    pub(super) fn kept(root: &std::path::Path) -> Result<Option<Self>, BuiltInError> {
        let Some(text) = folder::read_private(root, FILE)? else {
            return Ok(None);
        };
        let mut lines = text.expose().lines().map(|line| Secret::new(line.to_owned()));
        Ok(match (lines.next(), lines.next(), lines.next()) {
            (Some(keeper), Some(owner), Some(app)) => Some(Self { keeper, owner, app }),
            _ => None,
        })
    }
}

/// 256 random bits in letters that need no quoting in SQL.
fn draw() -> Secret<String> {
    Secret::new(data_encoding::HEXLOWER.encode(&random::bytes::<32>()))
}
