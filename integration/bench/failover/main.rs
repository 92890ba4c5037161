//! How long a death is not seen, and how long it hurts: BFD, VRRP and the survivor of a pair, from outside.
//!
//! shunt beside BIRD, FRR and keepalived, each as fast as it can sensibly be told to be, in network namespaces. Needs
//! root and the packages that `integration/setup test` installs. `cargo bench --bench failover -- --help` tells what
//! can be chosen; `docs/performance.md` has the figures and how they were measured.

mod detection;
#[path = "../../lab/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the interop tests need more of it")]
mod lab;
mod port;
#[path = "../process.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod process;
mod product;
mod sessions;
#[path = "../speaker.rs"]
#[allow(dead_code, reason = "the other benchmarks need more of it")]
mod speaker;
#[path = "../statistics.rs"]
mod statistics;
mod survivor;
mod takeover;
#[path = "../area/watch.rs"]
mod watch;

use clap::{Parser, ValueEnum};

use product::Product;

#[derive(Parser)]
struct Arguments {
    /// What is measured; all by default.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Only these daemons; keepalived goes with all of them.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Product>,
    /// Only these daemons as the core router that a firewall dies before.
    #[arg(long, value_enum, value_delimiter = ',')]
    cores: Vec<Product>,
    /// BFD's intervals, ms: three of them are the detection time.
    #[arg(long, value_delimiter = ',', default_values_t = [5, 10, 50])]
    intervals: Vec<u16>,
    /// Faults of each kind that BFD is to see.
    #[arg(long, default_value_t = 50)]
    faults: usize,
    /// Changes of the active router of each kind; of those with an advertisement per second a third.
    #[arg(long, default_value_t = 12)]
    takeovers: usize,
    /// Deaths of a firewall, of each kind.
    #[arg(long, default_value_t = 5)]
    deaths: usize,
    /// Added by `cargo bench`. Without it, as `cargo test --benches` runs this, nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A neighbour's fault until a third router has the WITHDRAW.
    Detection,
    /// The active router's end until the other one forwards.
    Takeover,
    /// The processor time of 100 BFD sessions.
    Sessions,
    /// A firewall's silent death under traffic.
    Survivor,
}

fn main() {
    let arguments = Arguments::parse();
    if !arguments.bench {
        return;
    }
    let chosen = |only: &[Product]| match only {
        [] => Product::ALL.to_vec(),
        only => only.to_vec(),
    };
    let products = &chosen(&arguments.only);
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Detection) {
        detection::measure(products, &arguments.intervals, arguments.faults);
    }
    if wanted(Part::Takeover) {
        takeover::measure(products.contains(&Product::Shunt), arguments.takeovers);
    }
    if wanted(Part::Sessions) {
        sessions::measure(products);
    }
    if wanted(Part::Survivor) {
        survivor::measure(products, &chosen(&arguments.cores), arguments.deaths);
    }
}
