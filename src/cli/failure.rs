use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

/// Exit codes, in the words of `shunt --help`. Code 2 is mostly given by the argument parser.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   refused, or failed; nothing was changed unless the message says so
  2   the command line is wrong
  3   no daemon on the socket, or it went away or stayed silent; another node is not reached
  4   permission denied: by the socket, or for want of the right certificate
  5   the order is in force, but not every established neighbor acknowledged it in time
  6   the configuration file has mistakes
  7   the check that was tried did not answer as it should, or could not be asked
  8   the switch was rolled back: the group, or one of several, is where it was
  9   the switch is committed, but not every node has heard of it yet
  10  the plan is stale: the world has changed since; nothing was changed
  11  the switch goes on, but this command does not follow it any more
  12  the drill was not passed; the group is where it was
  13  the drill could not put the group back: it is at the other site, or nobody knows";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NoDaemon = 3,
    Denied = 4,
    Unacknowledged = 5,
    Configuration = 6,
    NotWell = 7,
    RolledBack = 8,
    Unheard = 9,
    Stale = 10,
    Left = 11,
    NotPassed = 12,
    Astray = 13,
}

/// Why a command ends early: what is said on standard error, and with which code it exits.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// Printed before the rest as it is, or empty.
    details: String,
    /// What and where, in one sentence. Empty if all has been said.
    message: String,
    /// What to do, or empty.
    advice: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, details: String::new(), message: message.into(), advice: String::new() }
    }

    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, message)
    }

    /// The answer has been printed and says it all; only the exit code is left to give.
    pub fn silent(exit: Exit) -> Failure {
        Failure::new(exit, "")
    }

    /// With a text that came ready for printing, such as mistakes in a file.
    pub fn details(mut self, details: impl Into<String>) -> Failure {
        self.details = details.into();
        self
    }

    pub fn advise(mut self, advice: impl Into<String>) -> Failure {
        self.advice = advice.into();
        self
    }

    /// Says it on standard error.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            let style = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
            let mut text = String::new();
            if !self.details.is_empty() {
                let _ = writeln!(text, "{}\n", self.details.trim_end());
            }
            let _ = writeln!(text, "{style}error:{style:#} {}", self.message.trim_end());
            for line in self.advice.lines() {
                let _ = writeln!(text, "  {line}");
            }
            // Nobody is left to tell when this fails.
            let _ = anstream::stderr().lock().write_all(text.as_bytes());
        }
        ExitCode::from(self.exit as u8)
    }
}

impl Failure {
    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A failed write of the answer. A reader that has had enough is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::silent(Exit::Done),
            _ => Failure::failed(format!("cannot write the answer: {error}")),
        }
    }
}
