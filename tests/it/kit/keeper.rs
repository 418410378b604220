//! Child processes that cannot outlive us.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

/// A command that runs `program` under a shell which holds one end of a pipe. When this process goes, even by
/// `kill -9`, the pipe closes; the shell then sends `signal`, waits for the program and removes `leavings`.
///
/// Keep the spawned child for as long as this process lives: dropping it closes the pipe.
pub(super) fn kept<I>(program: &Path, args: I, signal: &str, leavings: &Path) -> Command
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", SCRIPT, "keeper", signal])
        .arg(leavings)
        .arg(program)
        .args(args)
        .stdin(Stdio::piped())
        // A group of its own, so that a terminal's interrupt reaches only us; the rest follows when we are gone.
        .process_group(0);
    shell
}

const SCRIPT: &str = r#"
signal=$1 leavings=$2
shift 2
"$@" </dev/null &
child=$!
exec >/dev/null 2>&1
read -r _
kill -s "$signal" "$child"
wait "$child"
# What the program started may still be writing while it ends.
for _ in 1 2 3 4 5; do
    rm -rf -- "$leavings" && sleep 1
    [ -e "$leavings" ] || break
done
"#;

/// Makes this process's folder for `purpose`. Folders of processes that are gone, and whose keeper was killed as
/// well, are removed first.
pub(crate) fn own_folder(place: &Path, purpose: &str) -> PathBuf {
    let prefix = format!("portreeve-test-{purpose}-");
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid) || pid == process::id()) {
            // Whoever else looks at the same time may be quicker, and a living keeper finishes by itself.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    let own = place.join(format!("{prefix}{}", process::id()));
    fs::create_dir(&own).unwrap_or_else(|error| panic!("cannot create {}: {error}", own.display()));
    own
}

/// Whether a process with this id runs.
pub(super) fn is_alive(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None) != Err(Errno::ESRCH)
}
