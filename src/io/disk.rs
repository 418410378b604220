//! How much room is left.

use std::path::Path;

/// Free bytes on the disk that holds a folder; `None` where the system does not say.
pub fn free(folder: &Path) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(found.blocks_available() * found.fragment_size())
}
