//! An OSPF area from outside: how long an order takes until a third router forwards by it, what a start and a
//! restart cost, and what a large area costs.
//!
//! shunt, FRR and BIRD 2 in turn, in network namespaces, with default timers except for Hellos every second. Needs
//! root and the packages that `integration/setup test` installs. `cargo bench --bench area -- --help` tells what can
//! be chosen; `docs/performance.md` has the figures and how they were measured.

mod adjacency;
#[path = "../../../benches/fed.rs"]
#[allow(dead_code, reason = "`benches/ospf.rs` needs more of it")]
mod fed;
#[path = "../../lab/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the interop tests need more of it")]
mod lab;
mod large;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod process;
mod product;
mod restart;
mod sites;
mod speaker;
#[path = "../statistics.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod statistics;
mod switch;
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod watch;

use clap::{Parser, ValueEnum};

use product::Product;

#[derive(Parser)]
struct Arguments {
    /// What is measured; all by default.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Only these daemons.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Product>,
    /// Only these as the third router.
    #[arg(long, value_enum, value_delimiter = ',')]
    observers: Vec<Product>,
    /// Changes of each kind, half of them reversals.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// Starts and restarts of each daemon, and changes of a large area.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Added by `cargo bench`. Without it, as `cargo test --benches` runs this, nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A command until a third router's kernel has changed.
    Switch,
    /// The same where the reversal changes the LSA that the switch has changed.
    Same,
    /// The daemon's start until its neighbour calls it Full, and until both have a route.
    Adjacency,
    /// SIGKILL of the preferred announcer and its start, under traffic.
    Restart,
    /// Memory and processor time in an area of 1,000 routers and 10,000 externals.
    Large,
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.bench {
        return;
    }
    let all = |only: &[Product], all: &[Product]| {
        if only.is_empty() { all.to_vec() } else { only.to_vec() }
    };
    let products = all(&arguments.only, &Product::ALL);
    let observers = all(&arguments.observers, &[Product::Frr, Product::Bird]);
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Switch) {
        switch::measure(&products, &observers, arguments.changes);
    }
    if wanted(Part::Same) {
        switch::measure_same(&products, &observers, (arguments.changes / 10).max(1));
    }
    if wanted(Part::Adjacency) {
        adjacency::measure(&products, &observers, arguments.rounds);
    }
    if wanted(Part::Restart) {
        restart::measure(&products, &observers, arguments.rounds / 5);
    }
    if wanted(Part::Large) {
        large::measure(&products, arguments.rounds);
    }
}
