//! The keeper: a process between shuntd and the command of a check, so that nothing is left of it.
//!
//! Who makes itself a session of its own (setsid(2)), or forks twice, leaves a process group, and its parents. But not the
//! keeper, to whom the kernel gives all orphans below it (PR_SET_CHILD_SUBREAPER of prctl(2)). When the command has ended, or
//! shuntd has closed the other end of its standard input, be it by dying, it kills its children until there are none, and ends
//! as the command did. It is shuntd's own program with a hidden argument, like the guardian, and has one thread.
//!
//! Only who kills the keeper itself escapes: it has the same user.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

/// The hidden first argument. The command follows.
pub const ARGUMENT: &str = "keeper";

/// What has not died after this waits for a disk. It dies when it may, and does nothing any more.
const PATIENCE: Duration = Duration::from_secs(1);
/// Milliseconds between two looks, if nothing is heard of children that die.
const LOOK: u8 = 10;

/// By which program commands of checks are kept.
#[derive(Clone, Debug, Default)]
pub struct Keeper(Option<PathBuf>);

impl Keeper {
    /// `program` is run with [`ARGUMENT`]. By default there is no keeper, which is for tests.
    pub fn new(program: PathBuf) -> Keeper {
        Keeper(Some(program))
    }

    /// The command, and the leash of its keeper, which is let go by dropping it.
    pub fn command(&self, program: &str) -> io::Result<(Command, Option<Leash>)> {
        let Some(keeper) = &self.0 else { return Ok((Command::new(program), None)) };
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(keeper);
        command.arg0("shuntd-keeper").arg(ARGUMENT).arg(program);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        Ok((command, Some(Leash(ours))))
    }
}

/// When it is dropped, the keeper kills the command with all that it has started.
#[derive(Debug)]
pub struct Leash(UnixStream);

impl Leash {
    /// Waits until the command has started.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn started(&mut self) -> io::Result<()> {
        let mut refusal = [0; 4];
        self.0.read_exact(&mut refusal)?;
        match i32::from_ne_bytes(refusal) {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// The keeper itself, from start to end, with the words of the command.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    match keep(words) {
        Ok(Some(WaitStatus::Exited(_, code))) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Ok(Some(WaitStatus::Signaled(_, signal, _))) => {
            // One core is enough.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            let _ = SigSet::from(signal).thread_unblock();
            let _ = raise(signal);
            ExitCode::FAILURE
        }
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}

fn keep(mut words: impl Iterator<Item = OsString>) -> io::Result<Option<WaitStatus>> {
    let mut shuntd = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let died = SigSet::from(Signal::SIGCHLD);
    // What asks shuntd to end may ask all of its processes. The command's own mask is empty.
    let asks_to_end = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];
    asks_to_end.into_iter().chain([Signal::SIGCHLD]).collect::<SigSet>().thread_block()?;
    let deaths = SignalFd::with_flags(&died, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    set_child_subreaper(true)?;
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let command = Command::new(program).args(words).stdin(Stdio::null()).process_group(0).spawn();
    let refusal = command.as_ref().err().map(|error| error.raw_os_error().unwrap_or(libc::EIO));
    // An error says that nobody waits for it any more, as the poll will.
    let _ = shuntd.write_all(&refusal.unwrap_or(0).to_ne_bytes());
    let leader = Pid::from_raw(i32::try_from(command?.id()).map_err(io::Error::other)?);
    loop {
        let mut watched = [
            PollFd::new(shuntd.as_fd(), PollFlags::POLLIN),
            PollFd::new(deaths.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        // It says nothing, so that there is something to read at its end only.
        let is_over = watched.first().and_then(PollFd::any) == Some(true);
        while let Ok(Some(_)) = deaths.read_signal() {}
        if is_over || has_ended(leader) {
            return Ok(end_all(leader, &deaths));
        }
    }
}

/// It is not waited for yet, so that its number stays its own.
fn has_ended(leader: Pid) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(leader), look), Ok(WaitStatus::StillAlive))
}

/// Kills everything below this process. Gives how the command ended.
fn end_all(leader: Pid, deaths: &SignalFd) -> Option<WaitStatus> {
    let begin = Instant::now();
    let mut ended = None;
    // All at once, so that nothing is forked meanwhile. An error says that nothing is left of it.
    let _ = killpg(leader, Signal::SIGKILL);
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break,
                Ok(status) if status.pid() == Some(leader) => ended = Some(status),
                Ok(_) => {}
                // There is none left.
                Err(_) => return ended,
            }
        }
        if begin.elapsed() > PATIENCE {
            return ended;
        }
        for child in children() {
            // Those that were killed leave theirs to us.
            let _ = kill(child, Signal::SIGKILL);
        }
        let _ = poll(&mut [PollFd::new(deaths.as_fd(), PollFlags::POLLIN)], LOOK);
        while let Ok(Some(_)) = deaths.read_signal() {}
    }
}

fn children() -> Vec<Pid> {
    let listed = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    let pids = listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
    pids.map(Pid::from_raw).collect()
}
