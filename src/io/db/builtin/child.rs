//! The step between us and Postgres: this program starts itself under a hidden subcommand, which gives up
//! root, ties its life to ours, and becomes the program it was asked for.
//!
//! The order matters: a change of user clears the wish to be signaled, so it is made last (prctl(2),
//! PR_SET_PDEATHSIG). The signal is tied to the *thread* that forked, so whoever spawns must not end early.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Gid, Pid, Uid, geteuid, getppid};

use crate::io::db::builtin::{CHILD_SUBCOMMAND, account::Account};

/// A command that becomes `program` as another user and dies with the calling thread.
pub(super) fn command(
    program: &Path,
    account: Option<&Account>,
    working_dir: &Path,
) -> std::io::Result<Command> {
    // The link leads to our own image even after an upgrade has replaced the file.
    let ourselves =
        if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let id = |of: fn(&Account) -> u32| account.map_or("-".to_owned(), |account| of(account).to_string());
    let mut command = Command::new(ourselves);
    command
        .arg(CHILD_SUBCOMMAND)
        .arg(std::process::id().to_string())
        .arg(id(|account| account.uid))
        .arg(id(|account| account.gid))
        .arg(working_dir)
        .arg(program)
        // Nothing of our environment reaches it: secrets may be in there.
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        // Ctrl-C is for us: the database must outlive the draining of requests.
        .process_group(0);
    Ok(command)
}

/// Becomes the program named by the hidden subcommand's arguments; returns only the reason why it could not.
pub fn become_child(args: &[OsString]) -> String {
    let [parent, uid, gid, working_dir, program, rest @ ..] = args else {
        return "this subcommand is for Portreeve's own use".to_owned();
    };
    let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u32>().ok());
    if let (Some(uid), Some(gid)) = (number(uid), number(gid))
        && geteuid().is_root()
        && let Err(error) = give_up_root(Uid::from_raw(uid), Gid::from_raw(gid))
    {
        return format!("root could not be given up: {error}");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGINT) {
        return format!("the kernel does not tie processes together: {error}");
    }
    // The parent may have gone before the wish was made.
    if number(parent) != u32::try_from(getppid().as_raw()).ok() || getppid() == Pid::from_raw(0) {
        return "the process that asked for this is gone".to_owned();
    }
    let error = Command::new(program).args(rest).current_dir(working_dir).exec();
    format!("{} cannot be run: {error}", Path::new(program).display())
}

#[cfg(not(target_vendor = "apple"))]
fn give_up_root(uid: Uid, gid: Gid) -> nix::Result<()> {
    nix::unistd::setgroups(&[gid])?;
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(uid)
}

#[cfg(target_vendor = "apple")]
fn give_up_root(uid: Uid, gid: Gid) -> nix::Result<()> {
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(uid)
}
