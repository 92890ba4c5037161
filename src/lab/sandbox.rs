use std::env;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use clap::ValueEnum;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getegid, geteuid};

use super::Failure;
use super::arguments::Options;

/// As `shuntd`: a privilege is missing.
const NOT_PERMITTED: u8 = 6;

/// What ends the demo before its time.
const INTERRUPTIONS: [Signal; 4] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Where namespaces are named and all files of the lab are: a tmpfs that hides the host's directory.
const RUN: &str = "/run";

/// Runs the demo in namespaces of its own, and returns when the last process in them is gone.
pub fn enter(options: &Options) -> Result<ExitCode, Failure> {
    let own = env::current_exe().map_err(|error| Failure::of("own program", error))?;
    separate()?;

    // From here on signals are taken by `wait`, so that none ends this process before the inner one.
    let signals: SigSet = INTERRUPTIONS.into_iter().chain([Signal::SIGCHLD]).collect();
    signals.thread_block().map_err(|error| Failure::of("signals", error))?;

    let mut inside = Command::new(own);
    inside.arg("inside");
    inside.args(options.hold.then_some("--hold"));
    inside.args(options.json.then_some("--json"));
    if let Some(scenario) = options.drill.and_then(|scenario| scenario.to_possible_value()) {
        inside.args(["--drill", scenario.get_name()]);
    }
    // `ip` is in sbin, which an ordinary user's path may lack.
    let path = env::var("PATH").unwrap_or_default();
    inside.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    let mut child = inside.spawn().map_err(|error| Failure::of("starting inside", error))?;
    wait(&mut child, &signals).map_err(|error| Failure::of("waiting for the demo", error))
}

/// Gives this process network, mounts and children apart from the host's; without root by way of a
/// user namespace, in which the caller is root.
fn separate() -> Result<(), Failure> {
    let apart = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        match unshare(apart) {
            // A container's root may lack the right and still be allowed user namespaces.
            Err(Errno::EPERM) => {}
            result => return result.map_err(not_permitted),
        }
    }
    unshare(apart | CloneFlags::CLONE_NEWUSER).map_err(not_permitted)?;
    // Without the first the kernel refuses the third (user_namespaces(7)).
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        fs::write(Path::new("/proc/self").join(file), text).map_err(not_permitted)?;
    }
    Ok(())
}

fn not_permitted(error: impl Into<io::Error>) -> Failure {
    let error = error.into();
    Failure {
        sentence: format!(
            "the demo makes network namespaces of its own, and this user may not ({error}): run it as root, or \
             allow user namespaces (`sysctl user.max_user_namespaces`, and where it exists \
             `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)"
        ),
        code: NOT_PERMITTED,
    }
}

/// Waits for the inner process. Interrupted, it kills it, and with it all others: it is process 1 of its namespace, and
/// can only be waited for when they are gone.
fn wait(child: &mut Child, signals: &SigSet) -> io::Result<ExitCode> {
    loop {
        let signal = signals.wait()?;
        if signal != Signal::SIGCHLD {
            child.kill()?;
            child.wait()?;
            return Ok(died_of(signal as i32));
        }
        if let Some(status) = child.try_wait()? {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return Ok(
                code.map_or_else(|| died_of(status.signal().unwrap_or_default()), ExitCode::from)
            );
        }
    }
}

/// As shells say it.
fn died_of(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}

/// Makes the inner process at home: it ends with the outer one, and has a `/run` and a `/proc` of its own.
pub fn inside() -> Result<(), Failure> {
    // What the outer one blocked was handed down, and would be to every daemon.
    SigSet::empty().thread_set_mask().map_err(|error| Failure::of("signals", error))?;
    set_pdeathsig(Signal::SIGKILL).map_err(|error| Failure::of("parent's death signal", error))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(not_permitted)?;
    let tmpfs = |target: &Path| mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::empty(), none);
    tmpfs(Path::new(RUN)).map_err(not_permitted)?;
    // Where `ip netns` looks. Everywhere but on very old systems this leads to /run.
    if let Ok(var_run) = fs::canonicalize("/var/run")
        && var_run != Path::new(RUN)
    {
        tmpfs(&var_run).map_err(not_permitted)?;
    }
    // Only for those who look around with `ps`: containers may forbid it, and nothing here needs it.
    let _ = mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none);
    Ok(())
}
