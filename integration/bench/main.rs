//! The whole of shunt beside its peers, from outside: what an operator and a neighbour see of it, in time.
//!
//! Each daemon runs in network namespaces of its own, between neighbours that [`speaker`] plays. Needs root and the
//! packages that `integration/setup test` installs. `cargo bench --bench announce -- --help` tells what can be
//! chosen; `docs/performance.md` has the figures and how they were measured.

mod announce;
#[path = "../lab/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the interop tests need more of it")]
mod lab;
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod process;
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod product;
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod speaker;
mod start;
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod statistics;

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
    /// Orders of each kind.
    #[arg(long, default_value_t = 200)]
    orders: usize,
    /// Starts of each daemon.
    #[arg(long, default_value_t = 30)]
    starts: usize,
    /// Added by `cargo bench`. Without it, as `cargo test --benches` runs this, nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An order until the neighbour has its UPDATE, idle.
    Announce,
    /// The daemon's start until the neighbour has its first route.
    Start,
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.bench {
        return;
    }
    let products = match arguments.only.as_slice() {
        [] => &Product::ALL,
        only => only,
    };
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Announce) {
        announce::measure(products, arguments.orders);
    }
    if wanted(Part::Start) {
        start::measure(products, arguments.starts);
    }
}
