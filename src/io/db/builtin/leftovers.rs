//! What an earlier run may have left: running processes, a stale pid file, sockets.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::io::db::builtin::BuiltInError;

/// How often we look again.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until no Postgres works in the cluster, asking ever more firmly, then removes what stands in the way.
///
/// A zombie postmaster has no working directory and so does not count; its pid file would make Postgres refuse.
pub(super) fn clear(cluster: &Path, sockets: &Path) -> Result<(), BuiltInError> {
    let pid_file = cluster.join("postmaster.pid");
    let postmaster =
        fs::read_to_string(&pid_file).ok().and_then(|text| text.lines().next()?.trim().parse().ok());
    let began = Instant::now();
    let mut last = None;
    loop {
        let live = users_of(cluster, postmaster);
        if live.is_empty() {
            break;
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err(BuiltInError::StillRunning { path: cluster.to_owned(), pids: live });
        }
        let head = postmaster.filter(|pid| live.contains(pid));
        let wish = firmness(head.is_some(), began.elapsed());
        if last != wish
            && let Some(signal) = wish
        {
            last = wish;
            // After the death of our parent the first wish is only the kernel's, repeated.
            if signal != Signal::SIGINT {
                tracing::warn!(pids = ?live, %signal, "processes of an earlier run still use the database");
            }
            // A postmaster ends its own; without one each must be told.
            for pid in head.map_or_else(|| live.clone(), |head| vec![head]) {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
        thread::sleep(LOOK);
    }
    let _ = fs::remove_file(pid_file);
    for entry in fs::read_dir(sockets).into_iter().flatten().flatten() {
        // By name: as root we would follow if the database's user swapped the folder.
        if entry.file_name().as_encoded_bytes().starts_with(b".s.PGSQL.") {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Without a postmaster, what remains ends by itself as soon as it looks up from its work.
fn firmness(has_postmaster: bool, waited: Duration) -> Option<Signal> {
    match (has_postmaster, waited.as_secs()) {
        (true, 0..20) => Some(Signal::SIGINT),
        (true, 20..40) | (false, 2..10) => Some(Signal::SIGQUIT),
        (false, 0..2) => None,
        (true, 40..) | (false, 10..) => Some(Signal::SIGKILL),
    }
}

/// Postgres processes that work in the cluster: each has its folder as working directory.
#[cfg(target_os = "linux")]
fn users_of(cluster: &Path, _postmaster: Option<i32>) -> Vec<i32> {
    let works_here = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == cluster)
            && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(works_here).collect()
}

/// Without `/proc` only the postmaster can be recognized, by the folder in its command line.
#[cfg(not(target_os = "linux"))]
fn users_of(cluster: &Path, postmaster: Option<i32>) -> Vec<i32> {
    let works_here = |pid: &i32| {
        std::process::Command::new("/bin/ps")
            .args(["-o", "command=", "-p", &pid.to_string()])
            .output()
            .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(&*cluster.to_string_lossy()))
    };
    postmaster.into_iter().filter(works_here).collect()
}
