use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use super::line::{Kept, Line};
use crate::driver::addresses::{Change, LinkAddress, Netlink};
use crate::vrrp::VirtualRouterId;

/// The guardian itself, from start to end.
pub fn run() -> ExitCode {
    // Blocked for ever is as good as ignored.
    let asks_to_end = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];
    let _ = asks_to_end.into_iter().collect::<SigSet>().thread_block();
    match Watch::start().and_then(Watch::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Watch {
    /// Open from the beginning: when it is needed nothing shall be able to fail.
    netlink: Netlink,
    assigned: BTreeMap<VirtualRouterId, Assigned>,
    last_beat: Instant,
    /// The process groups of shuntd's commands.
    commands: BTreeSet<Pid>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

struct Assigned {
    kept: Kept,
    since: Instant,
}

impl Watch {
    fn start() -> io::Result<Watch> {
        Ok(Watch {
            netlink: Netlink::open()?,
            assigned: BTreeMap::new(),
            last_beat: Instant::now(),
            commands: BTreeSet::new(),
            rest: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        // Not through the buffer of the standard library, which poll does not see.
        let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let mut buffer = [0; 4096];
        let mut is_open = true;
        while is_open || !self.assigned.is_empty() {
            let deadline = self.assigned.values().map(|assigned| self.due(assigned)).min();
            if is_open && wait(&input, deadline)? {
                match input.read(&mut buffer) {
                    // Its last writer is dead. The kernel goes on forwarding until the others take over.
                    Ok(0) => {
                        is_open = false;
                        self.end_commands();
                    }
                    Ok(count) => self.take(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                // A beat that waits to be read is not one that is missing.
                continue;
            }
            if let Some(at) = deadline.filter(|_| !is_open) {
                thread::sleep(at.saturating_duration_since(Instant::now()));
            }
            let now = Instant::now();
            let due: Vec<VirtualRouterId> = self
                .assigned
                .iter()
                .filter(|(_, assigned)| self.due(assigned) <= now)
                .map(|(id, _)| *id)
                .collect();
            self.release(|id| due.contains(id));
        }
        Ok(())
    }

    fn due(&self, assigned: &Assigned) -> Instant {
        assigned.since.max(self.last_beat) + assigned.kept.deadman
    }

    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Some(line) = std::str::from_utf8(&line).ok().and_then(Line::parse) {
                self.obey(line);
            }
        }
    }

    fn obey(&mut self, line: Line) {
        match line {
            Line::Beat => self.last_beat = Instant::now(),
            Line::Keep { router, index, is_macvlan, deadman } => {
                let kept = Kept { router, index, is_macvlan, addresses: Vec::new(), deadman };
                self.assigned.insert(router, Assigned { kept, since: Instant::now() });
            }
            Line::Address { router, address } => {
                if let Some(assigned) = self.assigned.get_mut(&router) {
                    assigned.kept.addresses.push(address);
                }
            }
            Line::Forget(router) => drop(self.assigned.remove(&router)),
            Line::Runs(group) => drop(self.commands.insert(group)),
            Line::Ended(group) => drop(self.commands.remove(&group)),
        }
    }

    fn end_commands(&mut self) {
        for group in std::mem::take(&mut self.commands) {
            // An error says that there is nothing left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }

    /// Removes these addresses, once.
    fn release(&mut self, is_due: impl Fn(&VirtualRouterId) -> bool) {
        // What takes the kernel long comes last.
        let (mut changes, mut down) = (Vec::new(), Vec::new());
        self.assigned.retain(|id, Assigned { kept, .. }| {
            if is_due(id) {
                let Kept { index, is_macvlan, ref addresses, .. } = *kept;
                let on_link = |&address| LinkAddress { index, is_macvlan, address };
                changes.extend(addresses.iter().map(on_link).map(Change::Remove));
                down.extend(is_macvlan.then_some(Change::Down { index }));
            }
            !is_due(id)
        });
        changes.append(&mut down);
        // Nobody is there to tell.
        let _ = self.netlink.apply(&changes);
    }
}

/// Whether there is something to read before the deadline.
fn wait(input: &File, deadline: Option<Instant>) -> io::Result<bool> {
    let timeout = match deadline {
        None => PollTimeout::NONE,
        Some(at) => {
            // Not a moment too early.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        }
    };
    match poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(count) => Ok(count > 0),
        Err(nix::errno::Errno::EINTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
