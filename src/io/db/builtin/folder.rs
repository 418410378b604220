//! The data directory: its lock, its format, and the private files beside the database.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User, geteuid};

use crate::{base::secret::Secret, io::db::builtin::BuiltInError};

/// What this version writes; raised when an older version could no longer use the folder.
const FORMAT: u32 = 1;
const MARKER: &str = "format";
const LOCK: &str = "lock";
/// What may lie in a folder before it is a data directory: our own beginnings, and what a fresh volume holds.
const HARMLESS: [&str; 2] = [LOCK, "lost+found"];

/// Whether somebody holds a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirUse {
    /// There is none yet.
    Missing,
    /// Nobody does.
    Free,
    /// A process does; its id, as far as it has said.
    Held(Option<u32>),
}

/// A data directory that this process alone may use, for as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Takes the folder, making it where it is missing.
    ///
    /// # Errors
    /// When it is in use, not ours, not a data directory, of a newer format, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, BuiltInError> {
        make_root(path)?;
        let path = fs::canonicalize(path).map_err(BuiltInError::at(path))?;
        check_owner(&path)?;
        check_content(&path)?;
        let lock = lock(&path)?;
        let dir = Self { path, _lock: lock };
        match read_format(&dir.path)? {
            None => write_file(&dir.path.join(MARKER), format!("{FORMAT}\n").as_bytes())?,
            Some(found) if found > FORMAT => {
                return Err(BuiltInError::NewerFormat { path: dir.path, found, known: FORMAT });
            }
            Some(_) => {}
        }
        Ok(dir)
    }

    /// Looks without taking anything.
    ///
    /// # Errors
    /// When the folder is of a newer format, not ours, or cannot be read.
    pub fn usage(path: &Path) -> Result<DirUse, BuiltInError> {
        check_owner(path)?;
        match read_format(path)? {
            None => return Ok(DirUse::Missing),
            Some(found) if found > FORMAT => {
                return Err(BuiltInError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
            }
            Some(_) => {}
        }
        let name = path.join(LOCK);
        let lock = File::open(&name).map_err(BuiltInError::at(&name))?;
        // Shared, and given back at once: two who look do not disturb each other.
        match lock.try_lock_shared() {
            Ok(()) => Ok(DirUse::Free),
            Err(TryLockError::WouldBlock) => Ok(DirUse::Held(holder(lock))),
            Err(TryLockError::Error(error)) => Err(BuiltInError::at(&name)(error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a finished database lies in it.
    pub fn has_cluster(&self) -> bool {
        cluster(&self.path).is_dir()
    }

    /// Reads a private file; `None` when there is none.
    ///
    /// # Errors
    /// When others can read it, or it cannot be read.
    pub fn read_private(&self, name: &str) -> Result<Option<Secret<String>>, BuiltInError> {
        read_private(&self.path, name)
    }

    /// Reads a private file of a data directory that another process may hold; `None` when there is none.
    ///
    /// # Errors
    /// When others can read it, or it cannot be read.
    pub fn peek_private(root: &Path, name: &str) -> Result<Option<Secret<String>>, BuiltInError> {
        read_private(root, name)
    }

    /// Writes a private file once, all or nothing, readable by this user only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_private(&self, name: &str, text: &Secret<String>) -> Result<(), BuiltInError> {
        let folder = self.path.join("keys");
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(BuiltInError::at(&folder)(error));
            }
            _ => {}
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(BuiltInError::at(&folder))?;
        write_file(&private(&self.path, name), text.expose().as_bytes())
    }

    /// Replaces a private file of a data directory that another process may hold, one process at a time.
    ///
    /// `change` gets what the file says now, and gives what it is to say or nothing where it may stay.
    ///
    /// # Errors
    /// When others can read it, or it cannot be read or written.
    pub fn change_private(
        root: &Path,
        name: &str,
        change: impl FnOnce(Option<Secret<String>>) -> Option<Secret<String>>,
    ) -> Result<(), BuiltInError> {
        let turn = private(root, "changing");
        let held = File::options().write(true).create(true).truncate(false).mode(0o600).open(&turn);
        let held = held.map_err(BuiltInError::at(&turn))?;
        held.lock().map_err(BuiltInError::at(&turn))?;
        match change(read_private(root, name)?) {
            Some(text) => write_file(&private(root, name), text.expose().as_bytes()),
            None => Ok(()),
        }
    }

    /// Where the log of Postgres goes: beside the database's folder, so that its user cannot redirect it.
    pub fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), BuiltInError> {
    let half = path.with_extension("half");
    let written = (|| {
        let _ = fs::remove_file(&half);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&half)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, path)?;
        File::open(path.parent().unwrap_or(path))?.sync_all()
    })();
    written.map_err(BuiltInError::at(path))
}

/// The database's folder inside a data directory; as root it belongs to the database's user.
pub(super) fn postgres(root: &Path) -> PathBuf {
    root.join("postgres")
}

/// The finished cluster.
pub(super) fn cluster(root: &Path) -> PathBuf {
    postgres(root).join("cluster")
}

fn private(root: &Path, name: &str) -> PathBuf {
    root.join("keys").join(name)
}

pub(super) fn read_private(root: &Path, name: &str) -> Result<Option<Secret<String>>, BuiltInError> {
    let path = private(root, name);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BuiltInError::at(&path)(error)),
    };
    if file.metadata().map_err(BuiltInError::at(&path))?.mode() & 0o077 != 0 {
        return Err(BuiltInError::Exposed(path));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(BuiltInError::at(&path))?;
    Ok(Some(Secret::new(text)))
}

fn make_root(path: &Path) -> Result<(), BuiltInError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(BuiltInError::at(path))?;
    }
    // As root the database's user must pass through; what lies inside is closed one by one.
    let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)).map_err(BuiltInError::at(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(BuiltInError::at(path)(error)),
    }
}

fn check_owner(path: &Path) -> Result<(), BuiltInError> {
    let Ok(marker) = fs::symlink_metadata(path.join(MARKER)) else {
        return Ok(());
    };
    let owner = Uid::from_raw(marker.uid());
    if owner == geteuid() {
        return Ok(());
    }
    let name = User::from_uid(owner).ok().flatten().map_or_else(|| owner.to_string(), |user| user.name);
    Err(BuiltInError::BelongsToOther { path: path.to_owned(), owner: name })
}

fn check_content(path: &Path) -> Result<(), BuiltInError> {
    if path.join(MARKER).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(BuiltInError::at(path))? {
        let name = entry.map_err(BuiltInError::at(path))?.file_name();
        let name = name.to_string_lossy();
        if !HARMLESS.contains(&name.as_ref()) && name != format!("{MARKER}.half") {
            return Err(BuiltInError::Foreign { path: path.to_owned(), found: name.into_owned() });
        }
    }
    // An empty folder that root was given becomes ours, and so passable for the database's user.
    if geteuid().is_root() {
        fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(BuiltInError::at(path))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, BuiltInError> {
    let name = path.join(LOCK);
    let mut lock = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(BuiltInError::at(path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(BuiltInError::InUse { path: path.to_owned(), pid: holder(lock) });
        }
        Err(TryLockError::Error(error)) => return Err(BuiltInError::at(&name)(error)),
    }
    // Only for the message above; a full disk must not be noticed here first.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()));
    Ok(lock)
}

/// Who wrote their process id into the lock.
fn holder(mut lock: File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn read_format(path: &Path) -> Result<Option<u32>, BuiltInError> {
    let marker = path.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| BuiltInError::UnreadableFormat(marker)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BuiltInError::at(&marker)(error)),
    }
}
