//! The operator's command, `shunt`.
//!
//! One call over the daemon's UNIX socket per command, then the answer as text or, with `--json`,
//! as the message of `proto/shunt/v1`. Commands are short-lived and often scripted, so the way
//! from start to answer is kept short: one thread, one connection, one round trip.
//!
//! - `arguments`: what may be typed, and its help.
//! - `daemon`: the connection, and what a failed call means; `remote`: another node, over the network.
//! - `failure`: what is printed when a command fails, and the exit codes.
//! - `output`: standard output, columns, colours, spans of time.
//! - `order`, `node`, `neighbors`, `groups`, `routes`, `ospf`, `bfd`, `vrrp`, `health`, `rpki`, `plan`, `switch`, `history`, `why`, `events`, `check`, `pages`, `pki`: one
//!   file or folder per command or family of commands, each asking and rendering.
//!
//! Answers go to standard output, everything else to standard error. A reader that goes away
//! (`shunt routes | head`) ends the command quietly.

mod arguments;
mod attributes;
mod bfd;
mod check;
mod daemon;
mod events;
mod failure;
mod groups;
mod health;
mod history;
mod mrt;
mod neighbors;
mod node;
mod order;
mod ospf;
mod output;
mod pages;
mod pki;
mod plan;
mod policy;
mod remote;
mod routes;
mod rpki;
mod switch;
mod vrrp;
mod why;

use std::process::ExitCode;

use clap::Parser;

use arguments::{
    Arguments, AuditCommand, Command, Expiry, HealthArguments, HealthCommand, MrtCommand,
    PlannedOrder, PolicyCommand, VrrpArguments,
};
use daemon::Daemon;
use failure::Failure;
use order::Order;
use output::Output;
use policy::PolicyTest;

/// Runs the command given on the command line and returns its exit code.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(arguments: Arguments) -> Result<(), Failure> {
    let out = Output::new(arguments.json);
    match arguments.command {
        // These need no daemon, hence no runtime either.
        Command::Check { file } => check::check(&file, out),
        Command::Audit(AuditCommand::Verify { file: Some(file) }) => {
            history::audit_file(&file, out)
        }
        Command::Policy(PolicyCommand::Test(PolicyTest { file: Some(file), route })) => {
            policy::test_file(route, &file, out)
        }
        Command::Completions { shell } => pages::completions(shell, out),
        Command::Man { directory } => pages::man(&directory),
        Command::Pki(command) => pki::pki(command, out),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()
                .map_err(|error| Failure::failed(format!("no event loop: {error}")))?;
            let daemon = match arguments.remote.remote()? {
                Some(remote) => Daemon::Remote(remote),
                None => Daemon::Local(arguments.socket),
            };
            runtime.block_on(converse(command, daemon, out))
        }
    }
}

async fn converse(command: Command, daemon: Daemon, out: Output) -> Result<(), Failure> {
    match command {
        Command::Announce { target, level, because, expiry, wait } => {
            Order { order: "announce", target, level, because, expiry, wait }
                .give(daemon, out)
                .await
        }
        Command::Withdraw { target, because, expiry, wait } => {
            let order = Order { order: "withdraw", target, level: None, because, expiry, wait };
            order.give(daemon, out).await
        }
        Command::Prefer { target, level, because, expiry, wait } => {
            let level = Some(level);
            Order { order: "prefer", target, level, because, expiry, wait }.give(daemon, out).await
        }
        Command::Release { target, because, wait } => {
            let expiry = Expiry { expires_after: None };
            let order = Order { order: "release", target, level: None, because, expiry, wait };
            order.give(daemon, out).await
        }
        Command::Drain { because, expiry, wait } => {
            let target = String::new();
            Order { order: "drain", target, level: None, because, expiry, wait }
                .give(daemon, out)
                .await
        }
        Command::Undrain { because, wait } => {
            let (target, expiry) = (String::new(), Expiry { expires_after: None });
            Order { order: "undrain", target, level: None, because, expiry, wait }
                .give(daemon, out)
                .await
        }
        Command::Plan(PlannedOrder::Prefer { prefix, level }) => {
            plan::plan(prefix, level, daemon, out).await
        }
        Command::Plan(PlannedOrder::Switch(planned)) => {
            switch::plan_switch(planned, daemon, out).await
        }
        Command::Plan(PlannedOrder::Evacuate(planned)) => {
            switch::plan_evacuation(planned, daemon, out).await
        }
        Command::Switch(arguments) => switch::switch(arguments, daemon, out).await,
        Command::Drill(arguments) => switch::drill(arguments, daemon, out).await,
        Command::Evacuate(arguments) => switch::evacuate(arguments, daemon, out).await,
        Command::Mrt(MrtCommand::Dump { file }) => mrt::dump(&file, daemon, out).await,
        Command::Ospf(command) => ospf::ospf(command, daemon, out).await,
        Command::Bfd { name } => bfd::bfd(name, daemon, out).await,
        Command::Vrrp(VrrpArguments { name, order: None }) => vrrp::vrrp(name, daemon, out).await,
        Command::Vrrp(VrrpArguments { order: Some(order), .. }) => {
            vrrp::order(order, daemon, out).await
        }
        Command::Health(HealthArguments { check, command: None }) => {
            health::health(check, daemon, out).await
        }
        Command::Health(HealthArguments {
            command: Some(HealthCommand::Try { check }), ..
        }) => health::try_check(check, daemon, out).await,
        Command::Rpki { prefix, origin_as } => rpki::rpki(prefix, origin_as, daemon, out).await,
        Command::Status => node::status(daemon, out).await,
        Command::Version => node::version(daemon, out).await,
        Command::Reload => node::reload(daemon, out).await,
        Command::Refresh { neighbor } => neighbors::refresh(neighbor, daemon, out).await,
        Command::Neighbors { name } => neighbors::neighbors(name, daemon, out).await,
        Command::Groups { name } => groups::groups(name, daemon, out).await,
        Command::Routes(selection) => routes::routes(selection, daemon, out).await,
        Command::Why { prefix } => why::why(prefix, daemon, out).await,
        Command::Policy(PolicyCommand::Test(PolicyTest { route, .. })) => {
            policy::test(route, daemon, out).await
        }
        Command::Events { follow, last } => events::events(follow, last, daemon, out).await,
        Command::History { group, last } => history::history(group, last, daemon, out).await,
        Command::Audit(AuditCommand::Verify { .. }) => history::audit(daemon, out).await,
        Command::Check { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Pki(_) => Ok(()),
    }
}
