//! The guardian: a child process that removes the virtual addresses if shuntd does not live.
//!
//! Killed, a process cannot clean up, and the kernel keeps its addresses: the others take over, and there are two of
//! each. A stopped or hung process is the same. So shuntd runs its own program a second time with a hidden argument,
//! and holds the only end that can write into the guardian's standard input. Through it go what is assigned (line.rs) and
//! the lane's beats, one with each advertisement. When none came for as long as the others take to give us up, the
//! guardian removes what is assigned, once: not earlier, as the kernel of a killed process goes on forwarding, and not later,
//! as then somebody else has the addresses. At the end of the pipe it kills the commands that still run, which otherwise nobody
//! would wait for, and ends as well when nothing is left to do. It does nothing else, not even log.
//!
//! It is started with the first virtual router, started again if it ends, and deaf to what asks shuntd to end,
//! which it outlives by a moment.

mod child;
mod line;

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::Pid;

pub use child::run;
pub use line::Kept;

use super::syscalls;
use crate::vrrp::VirtualRouterId;
use line::Line;

/// The hidden first argument.
pub const ARGUMENT: &str = "guardian";

/// A guardian that ends earlier is not started again before.
const LEAST_LIFE: Duration = Duration::from_secs(1);

/// The kernel closes the files of a process that was killed from the highest number down, and needs milliseconds for each raw
/// socket. So the pipe's number is a high one, within the 1024 that are always permitted.
const CLOSED_FIRST: i32 = 1000;

/// Says that the lane lives. May be called from everywhere and never waits.
#[derive(Clone, Debug)]
pub struct Beat(Arc<PipeWriter>);

impl Beat {
    /// To be called at least with each advertisement that is sent as Active.
    pub fn beat(&self) {
        // If the pipe is full the guardian does not live, and there is nothing to be done here.
        let _ = (&*self.0).write(Line::BEAT);
    }

    /// For the commands that are to end with shuntd.
    pub fn wards(&self) -> Wards {
        Wards(Some(self.0.clone()))
    }
}

/// Commands that run, each as the leader of its process group. Never waits. By default there is no guardian to be told.
#[derive(Clone, Debug, Default)]
pub struct Wards(Option<Arc<PipeWriter>>);

impl Wards {
    /// If shuntd dies, it is killed with all of its group.
    pub fn runs(&self, group: Pid) {
        self.write(&Line::Runs(group));
    }

    /// It has ended, or was killed.
    pub fn ended(&self, group: Pid) {
        self.write(&Line::Ended(group));
    }

    fn write(&self, line: &Line) {
        if let Some(guardian) = &self.0 {
            // As with a beat.
            let _ = (&**guardian).write(line.to_string().as_bytes());
        }
    }
}

/// The parent's side.
pub struct Guardian {
    program: PathBuf,
    /// What a guardian gets as standard input. Kept, so that the lane's end is the same for the next one.
    input: PipeReader,
    output: Arc<PipeWriter>,
    is_running: bool,
    ended: Arc<dyn Fn() + Send + Sync>,
}

impl Guardian {
    /// `ended` is called when a guardian has ended.
    pub fn new(
        program: PathBuf,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<(Guardian, Beat)> {
        // Closed in other children, by the standard library.
        let (input, output) = pipe()?;
        for end in [input.as_fd(), output.as_fd()] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let output = Arc::new(match syscalls::duplicate(&output, CLOSED_FIRST) {
            Ok(high) => high.into(),
            // Fewer are permitted. It takes a little longer then.
            Err(_) => output,
        });
        let beat = Beat(output.clone());
        let ended = Arc::new(ended);
        Ok((Guardian { program, input, output, is_running: false, ended }, beat))
    }

    /// Starts it unless it runs.
    pub fn ensure(&mut self) {
        if !self.is_running {
            self.start();
        }
    }

    /// These are about to be assigned.
    pub fn keep(&mut self, kept: &Kept) {
        self.ensure();
        self.write(&kept.lines());
    }

    /// They are no longer.
    pub fn forget(&mut self, router: VirtualRouterId) {
        self.write(&[Line::Forget(router)]);
    }

    /// After one has ended.
    pub fn restart(&mut self, all: &[Kept]) {
        self.is_running = false;
        // What the dead one did not read is old.
        let mut old = [0; 4096];
        while matches!(self.input.read(&mut old), Ok(1..)) {}
        if !all.is_empty() {
            tracing::warn!("the guardian of the virtual addresses has ended and is started again");
        }
        for kept in all {
            self.keep(kept);
        }
    }

    fn start(&mut self) {
        match self.spawn() {
            Ok(mut child) => {
                self.is_running = true;
                let (started, ended) = (Instant::now(), self.ended.clone());
                let wait = move || {
                    let _ = child.wait();
                    thread::sleep(LEAST_LIFE.saturating_sub(started.elapsed()));
                    ended();
                };
                // Without the thread it is not noticed should it end.
                if let Err(error) = thread::Builder::new().name("guardian".to_owned()).spawn(wait) {
                    tracing::error!("nobody watches over the guardian: {error}");
                }
            }
            Err(error) => tracing::error!(
                "the guardian does not start, so virtual addresses will stay if shuntd is killed: {error}"
            ),
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg0("shuntd-guardian")
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(self.input.try_clone()?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What stops a job of a terminal must not stop both.
            .process_group(0)
            .spawn()
    }

    fn write(&self, lines: &[Line]) {
        for line in lines {
            // Less than PIPE_BUF at a time, so that a beat cannot come in between.
            if let Err(error) = (&*self.output).write(line.to_string().as_bytes()) {
                tracing::error!("the guardian cannot be told what is assigned: {error}");
            }
        }
    }
}
