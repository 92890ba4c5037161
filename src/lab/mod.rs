//! `shunt-lab`: a network of namespaces on one machine, in which the real `shuntd` and `shunt` can be seen at work.
//!
//! `shunt-lab demo` runs in two processes. The outer one ([`sandbox`]) makes namespaces for users (unless it is
//! root), mounts, processes and the network, starts itself again inside as `shunt-lab inside`, and does nothing but wait.
//! The inner one is process 1 of its namespace: whatever ends it or the outer one, the kernel ends every process in there,
//! and with the last of them go the networks and the files, which are on a tmpfs that only they could see.
//!
//! ```text
//!  demo.rs     the steps: what is done, what is expected, what is printed
//!  report.rs   what a step came to, as text and as JSON
//!  hold.rs     the shell that is left open
//!  daemon.rs   one shuntd, and the shunt commands given to it
//!  probe.rs    a stream of numbered datagrams, and who answered which
//!  responder.rs  the service that answers
//!  topology.rs   nodes, links, addresses, configurations
//!  network.rs    namespaces and links by `ip`
//!  sandbox.rs    the room all this happens in
//! ```

mod arguments;
mod daemon;
mod demo;
mod hold;
mod network;
mod probe;
mod report;
mod responder;
mod sandbox;
mod topology;
mod traffic;

use std::fmt;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, Options};

/// Runs the command given on the command line and returns its exit code.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(options) => sandbox::enter(&options),
        Command::Drill { scenario, json } => {
            sandbox::enter(&Options { hold: false, json, drill: Some(scenario) })
        }
        Command::Inside(options) => sandbox::inside().and_then(|()| demo::run(&options)),
        Command::Responder { address, site } => {
            responder::run(address, &site).map(|()| ExitCode::SUCCESS)
        }
        Command::Traffic { client } => traffic::watch(&client).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("shunt-lab: {failure}");
        ExitCode::from(failure.code)
    })
}

/// Why the lab ends early: one sentence, and the exit code.
#[derive(Debug)]
struct Failure {
    sentence: String,
    code: u8,
}

impl Failure {
    fn new(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), code: 1 }
    }

    /// `what` failed because of `error`.
    fn of(what: impl fmt::Display, error: impl fmt::Display) -> Failure {
        Failure::new(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
