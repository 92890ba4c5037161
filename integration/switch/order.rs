//! A `shunt` command that takes its time: what it says meanwhile, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::lab::PATIENCE;

/// `shunt switch` or `shunt evacuate` with `--json`, in the background.
pub struct Order {
    child: Child,
    lines: Receiver<Value>,
    errors: Receiver<String>,
    began: Instant,
    /// What it has said so far.
    pub said: Vec<Value>,
}

/// How it has ended.
pub struct Ended {
    /// The exit code.
    pub code: i32,
    pub said: Vec<Value>,
    pub errors: String,
    pub took: Duration,
}

impl Order {
    #[track_caller]
    pub fn begin(socket: &str, arguments: &[&str]) -> Order {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shunt"))
            .args(["--json", "--socket", socket])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (to_lines, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = to_lines.send(value);
            }
        });
        let (to_errors, errors) = channel();
        std::thread::spawn(move || {
            let text = std::io::read_to_string(error).unwrap_or_default();
            let _ = to_errors.send(text);
        });
        Order { child, lines, errors, began: Instant::now(), said: Vec::new() }
    }

    /// Waits until it says that a step (`""`: any) has come to a state (`begun`, `done`, `failed`).
    #[track_caller]
    pub fn wait(&mut self, step: &str, state: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(value) = self.lines.recv_timeout(left) else {
                panic!("no step {step} {state}: {:?}", self.said.last());
            };
            let is_it = (step.is_empty() || value["step"] == step) && value["state"] == state;
            self.said.push(value);
            if is_it {
                return;
            }
        }
    }

    /// Ctrl-C.
    #[track_caller]
    pub fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while let Ok(value) =
            self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.said.push(value);
        }
        let took = self.began.elapsed();
        assert!(Instant::now() < until, "it does not end: {:?}", self.said.last());
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let errors = self.errors.recv().unwrap_or_default();
        Ended { code, said: std::mem::take(&mut self.said), errors, took }
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit code {} after {:?}: {}", self.code, self.took, self.errors)?;
        for said in self.said.iter().filter(|said| said["state"] != "begun") {
            let word = |key: &str| said[key].as_str().unwrap_or_default();
            let back = if said["back"] == true { "back: " } else { "" };
            let took = Duration::from_micros(said["took_us"].as_u64().unwrap_or(0));
            let (group, step, state, text) =
                (word("group"), word("step"), word("state"), word("text"));
            match &said["ending"] {
                Value::Null => writeln!(f, "{group}: {back}{step} {state} {took:?} {text}")?,
                ending => {
                    let (why, unheard) = (&ending["why"], &ending["unheard"]);
                    writeln!(f, "{group}: {}, {why}, unheard: {unheard}", ending["outcome"])?;
                }
            }
        }
        Ok(())
    }
}

impl Ended {
    /// The outcome of each group, by name: `committed`, `rolled-back`, `refused`.
    pub fn outcome(&self, group: &str) -> String {
        self.ending(group)["outcome"].as_str().unwrap_or("none").to_owned()
    }

    /// The last that was said of a group.
    pub fn ending(&self, group: &str) -> Value {
        let of = |value: &&Value| value["group"] == group && !value["ending"].is_null();
        self.said.iter().rev().find(of).map(|value| value["ending"].clone()).unwrap_or_default()
    }

    /// It has ended well, with all these groups moved.
    #[track_caller]
    pub fn committed(&self, groups: &[&str]) {
        assert_eq!(self.code, 0, "{self:?}");
        for group in groups {
            assert_eq!(self.outcome(group), "committed", "{group}: {self:?}");
        }
    }
}
