//! A process in the background.

use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A running program. It leads a process group of its own, which ends with this value.
pub struct Daemon {
    name: String,
    child: Child,
    log: String,
}

impl Daemon {
    /// Starts a program that leads a session (`setsid` on its command line), with output appended to `log`.
    #[track_caller]
    pub fn spawn(name: &str, program: &str, arguments: &[&str], log: &str) -> Daemon {
        let out = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program}: {error}: `integration/setup test` installs what is missing")
            });
        Daemon { name: name.to_owned(), child, log: log.to_owned() }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Octets of memory that the process has resident.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        kib.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0) << 10
    }

    /// `Err` with its exit status once the process has ended.
    pub fn alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} has ended: {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// Ends the process and its children at once (SIGKILL): nobody is told.
    pub fn kill(&mut self) {
        // ip(8) and setsid(1) replace themselves, so the child's id is the daemon's, and its group's.
        if let Ok(id) = i32::try_from(self.child.id())
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Ends the process at once, and not its children.
    #[track_caller]
    pub fn kill_alone(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }

    /// Sends a signal to the process and its children.
    #[track_caller]
    pub fn signal_all(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        killpg(Pid::from_raw(id), signal).unwrap();
    }

    /// Sends a signal to the process alone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn stop(&mut self) -> std::process::ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    #[track_caller]
    pub fn wait(&mut self) -> std::process::ExitStatus {
        super::wait_for(&format!("end of {}", self.name), super::PATIENCE, || {
            match self.child.try_wait() {
                Ok(Some(status)) => Ok(status),
                other => Err(format!("{other:?}")),
            }
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
