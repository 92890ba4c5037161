//! Programs inside a namespace, started without anything in between that would count as theirs.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::lab::Node;

/// A program and its arguments.
pub type Line = Vec<String>;

/// A daemon that ends with this value, with its children.
pub struct Process(Child);

impl Process {
    /// Starts it in the namespace that the caller is [`within`]; what it says goes to `log`.
    #[track_caller]
    pub fn start(line: &Line, log: &str) -> Process {
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command(line)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Process(child.unwrap_or_else(|error| panic!("{line:?}: {error}")))
    }

    /// Sends a signal to it and its children.
    pub fn signal(&self, signal: Signal) {
        killpg(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

pub fn command(line: &Line) -> Command {
    let (program, arguments) = line.split_first().expect("a line names a program");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The sum of a field of `/proc/PID/status`, such as `VmRSS`, over all processes inside `node`, in MiB.
pub fn memory(node: &Node, field: &str) -> f64 {
    let pids = node.run("ip", &["netns", "pids", node.namespace()]).unwrap_or_default();
    let kib = |pid: &str| -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    pids.split_whitespace().filter_map(kib).sum::<f64>() / 1024.0
}

/// The memory of all processes inside `node`, in MiB, where what is shared counts for each of those that share it in
/// part (`Pss` of `/proc/PID/smaps_rollup`).
pub fn shared_out(node: &Node) -> f64 {
    let pids = node.run("ip", &["netns", "pids", node.namespace()]).unwrap_or_default();
    let kib = |pid: &str| -> Option<f64> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    pids.split_whitespace().filter_map(kib).sum::<f64>() / 1024.0
}

/// The processor time that all processes in a node have used.
pub fn processor(node: &Node) -> Duration {
    let pids = node.run("ip", &["netns", "pids", node.namespace()]).unwrap_or_default();
    let of_task = |task: std::fs::DirEntry| -> Option<u64> {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let nanos = pids.split_whitespace().flat_map(|pid| {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        tasks.flatten().filter_map(of_task).collect::<Vec<_>>()
    });
    Duration::from_nanos(nanos.sum())
}
