//! The daemon: see `shunt::driver`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use shunt::driver::{self, Exit, Options, guardian, keeper};

/// Announces service prefixes to BGP neighbours and lets `shunt` move them.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 stopped by a signal; 1 other; 2 wrong command line; \
    3 configuration; 4 another daemon runs; 5 port in use; 6 missing privilege; 7 unusable state or \
    socket directory."
)]
struct Arguments {
    /// Configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/shunt/shunt.toml")]
    config: PathBuf,
    /// Control socket, made by the daemon for `shunt`.
    #[arg(long, value_name = "PATH", default_value = "/run/shunt/shunt.sock")]
    socket: PathBuf,
    /// Directory for what outlives the daemon: the operators' orders.
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/shunt")]
    state: PathBuf,
    /// What is logged: a level, or a filter such as `info,shunt::driver=debug`.
    #[arg(long, value_name = "FILTER", env = "SHUNT_LOG", default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    // shuntd runs itself so; not for people.
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(first) if first == guardian::ARGUMENT => return guardian::run(),
        Some(first) if first == keeper::ARGUMENT => return keeper::run(words),
        Some(_) | None => {}
    }
    let Arguments { config, socket, state, log } = Arguments::parse();
    let result = driver::start_log(&log)
        .map_err(Exit::Other)
        .and_then(|()| driver::run(&Options { config, socket, state }));
    driver::flush_log();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("shuntd: {exit}");
            exit.code()
        }
    }
}
