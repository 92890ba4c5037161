//! How long a service's fault hurts when health checks are to see it, and what thousands of checks cost.
//!
//! shunt beside ExaBGP's healthcheck and keepalived's checkers, in network namespaces. Needs root and the packages that
//! `integration/setup test` installs. `cargo bench --bench health -- --help` tells what can be chosen;
//! `docs/performance.md` has the figures and how they were measured.

#[path = "../../lab/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the interop tests need more of it")]
mod lab;
mod many;
mod outage;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod process;
mod product;
mod server;
mod service;
#[path = "../statistics.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod statistics;
mod wire;

use std::net::SocketAddrV4;
use std::time::Duration;

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
    /// Faults of each kind.
    #[arg(long, default_value_t = 7)]
    faults: usize,
    /// Checks in one daemon.
    #[arg(long, default_value_t = 2000)]
    checks: usize,
    /// Seconds for which they are watched, while all is well and while nothing answers.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Be the service at this address, and do nothing else.
    #[arg(long, hide = true)]
    serve: Option<SocketAddrV4>,
    /// What it answers.
    #[arg(long, hide = true, default_value = "")]
    body: String,
    /// Added by `cargo bench`. Without it, as `cargo test --benches` runs this, nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A fault of a service until a client is served by the other site, with checks each 100 ms.
    Outage,
    /// The same with defaults, and as examples have it.
    Usual,
    /// Thousands of checks in one daemon.
    Many,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.serve {
        service::be(address, &arguments.body);
    }
    if !arguments.bench {
        return;
    }
    let products = match arguments.only.as_slice() {
        [] => &Product::ALL,
        only => only,
    };
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Outage) {
        outage::measure(products, &outage::FAST, arguments.faults, false);
    }
    if wanted(Part::Usual) {
        outage::measure(products, &outage::USUAL, arguments.faults, true);
    }
    if wanted(Part::Many) {
        many::measure(products, arguments.checks, Duration::from_secs(arguments.seconds));
    }
}
