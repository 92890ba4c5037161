//! Full tables, shunt beside its peers and beside what nothing can be faster than: from outside, in namespaces.
//!
//! The neighbours are small programs of the benchmark's own; no daemon is measured with its own code. The order of
//! the daemons changes from round to round, and each figure is the median of the rounds. Needs root and the packages that
//! `integration/setup test` installs. `cargo bench --bench tables -- --help` tells what can be chosen;
//! `docs/performance.md` has the figures and how they were measured.

mod contender;
#[path = "../feed.rs"]
mod feed;
mod feedloss;
mod flap;
mod floor;
mod kernel;
#[path = "../../lab/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the interop tests need more of it")]
mod lab;
mod load;
mod orders;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod process;
#[path = "../product.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod product;
mod relay;
mod replay;
mod rounds;
mod routes;
#[path = "../speaker.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod speaker;
#[path = "../statistics.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod statistics;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use nix::sys::signal::{SigSet, Signal};

use contender::Contender;
use kernel::Fault;

#[derive(Parser)]
struct Arguments {
    /// What is measured; all by default.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Only these.
    #[arg(long, value_enum, value_delimiter = ',', env = "BENCH_ONLY")]
    only: Vec<Contender>,
    /// Prefixes of a table; each size is measured. Of itself 100,000, 500,000 and 1,000,000 for `relay`, 100,000 for
    /// `resend`, else 500,000.
    #[arg(long, value_delimiter = ',', env = "BENCH_PREFIXES")]
    prefixes: Vec<usize>,
    /// `kernel`: how the exit is lost.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Fault::Session, Fault::Carrier])]
    faults: Vec<Fault>,
    /// `kernel`: net.ipv4.nexthop_compat_mode, 1 is the system's default.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 0])]
    compat: Vec<u8>,
    /// How often each is measured; GoBGP once.
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 3)]
    rounds: usize,
    /// `loading`: orders to each daemon, in each round.
    #[arg(long, env = "BENCH_ORDERS", default_value_t = 100)]
    orders: usize,
    /// `flap`: for how long, seconds. One round.
    #[arg(long, env = "BENCH_FLAP_SECONDS", default_value_t = 300)]
    flap_seconds: u64,
    /// Be the relay that is the floor, with so many neighbours that send and that take.
    #[arg(long, hide = true, num_args = 2)]
    as_floor: Option<Vec<u8>>,
    /// Added by `cargo bench`. Without it, as `cargo test --benches` runs this, nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A table from one neighbour to another.
    Relay,
    /// The better one of two feeds is lost.
    Feedloss,
    /// A table into the kernel, and to another exit when the first one is lost.
    Kernel,
    /// Orders while tables pass through.
    Loading,
    /// The memory that a neighbour costs which re-sends its table without a pause.
    Resend,
    /// A neighbour with a table comes and goes every second.
    Flap,
}

/// Ends the daemons and their namespaces when this program is told to end; when it fails, their owners do.
fn leave_nothing_behind() {
    let told = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    told.thread_block().unwrap();
    std::thread::spawn(move || {
        let signal = told.wait().unwrap();
        let mine = format!("shunt-t{}.", std::process::id());
        for line in lab::run("ip", &["netns", "list"]).unwrap_or_default().lines() {
            let Some(name) = line.split(' ').next().filter(|name| name.starts_with(&mine)) else {
                continue;
            };
            for pid in lab::run("ip", &["netns", "pids", name]).unwrap_or_default().lines() {
                let _ = lab::run("kill", &["-KILL", pid.trim()]);
            }
            let _ = lab::run("ip", &["netns", "del", name]);
        }
        std::process::exit(128 + signal as i32);
    });
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.bench {
        return;
    }
    if let Some([feeds, takers]) = arguments.as_floor.as_deref() {
        return floor::run(*feeds, *takers);
    }
    leave_nothing_behind();
    let contenders = match arguments.only.as_slice() {
        [] => &Contender::ALL,
        only => only,
    };
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let rounds = arguments.rounds;
    let sizes = |own: &'static [usize]| match arguments.prefixes.as_slice() {
        [] => own.to_vec(),
        chosen => chosen.to_vec(),
    };
    let half_a_million = sizes(&[500_000]);
    if wanted(Part::Relay) {
        relay::relay(contenders, &sizes(&[100_000, 500_000, 1_000_000]), rounds);
    }
    if wanted(Part::Feedloss) {
        feedloss::measure(contenders, &half_a_million, rounds);
    }
    if wanted(Part::Kernel) {
        let (faults, compat) = (&arguments.faults, &arguments.compat);
        kernel::measure(contenders, &half_a_million, rounds, faults, compat);
    }
    if wanted(Part::Loading) {
        load::loading(contenders, &half_a_million, rounds, arguments.orders);
    }
    if wanted(Part::Resend) {
        load::resend(contenders, &sizes(&[100_000]), rounds);
    }
    if wanted(Part::Flap) {
        let seconds = Duration::from_secs(arguments.flap_seconds);
        flap::measure(contenders, &half_a_million, seconds);
    }
    if rounds::failed() {
        eprintln!("Not all could be measured: see above.");
        std::process::exit(1);
    }
}
