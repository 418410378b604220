//! Who Postgres runs as: ourselves, or, when we are root, somebody who is not.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use nix::unistd::{Uid, User, geteuid};

use crate::io::db::builtin::BuiltInError;

/// A user that root becomes before it becomes Postgres.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
}

impl Account {
    /// Nobody when we are an ordinary user; else the cluster's owner, `postgres` or `nobody`.
    pub(super) fn choose(cluster: &Path) -> Result<Option<Self>, BuiltInError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let owner =
            fs::metadata(cluster).ok().map(|found| Uid::from_raw(found.uid())).filter(|uid| !uid.is_root());
        let user = owner
            .and_then(|uid| User::from_uid(uid).ok().flatten())
            .or_else(|| ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()))
            .ok_or(BuiltInError::NoAccount)?;
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name }))
    }

    /// Checks that the account can walk down to a folder.
    pub(super) fn can_enter_parents_of(&self, folder: &Path) -> Result<(), BuiltInError> {
        let closed = |dir: &Path| {
            fs::metadata(dir).is_ok_and(|found| {
                let bit = match () {
                    () if found.uid() == self.uid => 0o100,
                    () if found.gid() == self.gid => 0o010,
                    () => 0o001,
                };
                found.mode() & bit == 0
            })
        };
        match folder.ancestors().skip(1).find(|dir| closed(dir)) {
            Some(dir) => Err(BuiltInError::NotEnterable { folder: dir.to_owned(), user: self.name.clone() }),
            None => Ok(()),
        }
    }
}
