//! Which Postgres of those on this machine to run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::io::db::builtin::{BuiltInError, Surroundings, folder};

/// The oldest major version that Portreeve works with.
pub const OLDEST_MAJOR: u32 = 15;

/// Where distributions keep one folder per version, each with a `bin` inside.
const VERSIONED: [&str; 5] = [
    "/usr/lib/postgresql",
    "/usr",
    "/usr/local/opt",
    "/opt/homebrew/opt",
    "/Applications/Postgres.app/Contents/Versions",
];

/// A folder that holds `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// Its major version.
    pub major: u32,
}

impl Binaries {
    /// The newest usable version, or the very version an existing cluster was made with.
    ///
    /// # Errors
    /// [`BuiltInError::NoBinaries`].
    pub fn find(surroundings: &Surroundings, wanted: Option<u32>) -> Result<Self, BuiltInError> {
        let mut found: Vec<Self> = Vec::new();
        for folder in candidates(surroundings) {
            if found.iter().all(|known| known.folder != folder)
                && let Some(major) = major_of(&folder)
            {
                found.push(Self { folder, major });
            }
        }
        choose(&found, wanted).ok_or_else(|| {
            let mut found: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
            found.sort_unstable();
            found.dedup();
            BuiltInError::NoBinaries { wanted, found, looked_in: surroundings.pg_bin_dir.clone() }
        })
    }

    /// The version that a data directory needs, or the newest where it has no database yet.
    ///
    /// # Errors
    /// [`BuiltInError::NoBinaries`].
    pub fn for_data_dir(surroundings: &Surroundings, data_dir: &Path) -> Result<Self, BuiltInError> {
        Self::find(surroundings, Self::wanted_by(&folder::cluster(data_dir)))
    }

    /// The major version an existing cluster was made with.
    pub(super) fn wanted_by(cluster: &Path) -> Option<u32> {
        fs::read_to_string(cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
    }
}

fn choose(found: &[Binaries], wanted: Option<u32>) -> Option<Binaries> {
    // The first of equals wins: `PATH` comes before the usual places.
    let mut best: Option<&Binaries> = None;
    for binaries in found {
        let fits = wanted.map_or(binaries.major >= OLDEST_MAJOR, |wanted| binaries.major == wanted);
        if fits && best.is_none_or(|best| binaries.major > best.major) {
            best = Some(binaries);
        }
    }
    best.cloned()
}

fn candidates(surroundings: &Surroundings) -> Vec<PathBuf> {
    if let Some(named) = &surroundings.pg_bin_dir {
        return vec![named.clone()];
    }
    // Debian puts links into PATH, and only for some programs: the folder they point into has them all.
    let behind_link = |dir: &PathBuf| {
        fs::canonicalize(dir.join("postgres")).ok().and_then(|p| p.parent().map(Path::to_owned))
    };
    let mut out: Vec<PathBuf> = surroundings.search_path.iter().filter_map(behind_link).collect();
    for root in VERSIONED {
        let Ok(entries) = fs::read_dir(root) else { continue };
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        folders.sort_unstable();
        out.append(&mut folders);
    }
    out
}

fn major_of(folder: &Path) -> Option<u32> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let program = folder.join("postgres");
    if !program.is_file() {
        return None;
    }
    let said = Command::new(program).arg("--version").env_clear().output().ok()?;
    parse_major(&String::from_utf8_lossy(&said.stdout))
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, also with `16beta1`.
fn parse_major(said: &str) -> Option<u32> {
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u32]) -> Vec<Binaries> {
        majors.iter().map(|major| Binaries { folder: format!("/pg/{major}").into(), major: *major }).collect()
    }

    #[test]
    fn the_version_is_read_from_every_usual_form() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("postgres (PostgreSQL) 18"), Some(18));
        assert_eq!(parse_major("command not found"), None);
    }

    #[test]
    fn the_newest_version_is_taken_for_a_new_cluster() {
        assert_eq!(choose(&installed(&[15, 17, 16]), None).map(|b| b.major), Some(17));
        assert_eq!(choose(&installed(&[13, 14]), None), None);
        assert_eq!(choose(&[], None), None);
    }

    #[test]
    fn an_existing_cluster_gets_the_version_that_made_it() {
        assert_eq!(choose(&installed(&[15, 17, 16]), Some(15)).map(|b| b.major), Some(15));
        assert_eq!(choose(&installed(&[17, 16]), Some(15)), None);
    }

    #[test]
    fn the_first_of_equal_versions_wins() {
        let both = [
            Binaries { folder: "/first".into(), major: 17 },
            Binaries { folder: "/second".into(), major: 17 },
        ];
        assert_eq!(choose(&both, None).map(|b| b.folder), Some("/first".into()));
    }

    #[test]
    fn a_named_folder_is_the_only_one_searched() {
        let surroundings =
            Surroundings { pg_bin_dir: Some("/nowhere/bin".into()), ..Surroundings::default() };
        let error = Binaries::find(&surroundings, None).expect_err("nothing is there");
        assert_eq!(error.to_string(), "no Postgres server was found in /nowhere/bin");
    }
}
