//! How long a daemon takes from its start until its neighbour calls it Full, and until traffic can flow.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shunt::types::Rng;

use crate::lab::{Net, PATIENCE, wait_for};
use crate::product::{Product, Role, Router, service};
use crate::statistics::{Spans, head, ms, row};
use crate::watch::Watch;

/// The neighbour runs at least for so long.
const SETTLED: Duration = Duration::from_secs(3);

/// Behind the neighbour.
const BEHIND: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

#[derive(Default)]
struct Figures {
    full: Spans,
    ours: Spans,
    theirs: Spans,
}

/// One start in a network of its own, so that nobody knows the router from an earlier life.
fn start(product: Product, neighbor: Product, rng: &mut Rng, figures: &mut Figures) {
    let (_net, node, other) = Net::pair("router", "peer");
    other.address("lo", &format!("{BEHIND}/32"));
    let (mut ours, mut theirs) = (Watch::start(&node), Watch::start(&other));
    let role = Role {
        node: other.clone(),
        number: 2,
        links: vec!["router"],
        loopback: true,
        services: 0,
        metrics: [1, 1],
        verbose: true,
    };
    let _neighbor = Router::running(neighbor, role);
    let links = vec!["peer"];
    let role = Role {
        node,
        number: 1,
        links,
        loopback: false,
        services: 1,
        metrics: [20, 10],
        verbose: false,
    };
    let mut router = Router::prepared(product, role);
    // Anywhere between two Hellos.
    thread::sleep(SETTLED + Duration::from_millis(rng.below(1000)));
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = router.start();
    let there = theirs.goes(service(0), Some(Ipv4Addr::new(10, 99, 0, 1)));
    let here = ours.goes(BEHIND, Some(Ipv4Addr::new(10, 99, 0, 2)));
    let log = other.path("daemon.log");
    let full = wait_for("Full in the neighbour's log", PATIENCE, || {
        let text = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
        let line = text.lines().find(|line| line.contains("Full"));
        line.and_then(time_of_day).ok_or(text)
    });
    figures.full.push(since(wall, full));
    figures.ours.push(here - start);
    figures.theirs.push(there - start);
}

/// The time in a line of a log: `2026-01-31 12:00:00.123456`.
fn time_of_day(line: &str) -> Option<Duration> {
    line.split_whitespace().find_map(|word| {
        let (time, micros) = word.split_once('.')?;
        let parts = time.split(':').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let &[hours, minutes, seconds] = parts.as_slice() else { return None };
        let micros = micros.get(..6)?.parse().ok()?;
        Some(
            Duration::from_secs((hours * 60 + minutes) * 60 + seconds)
                + Duration::from_micros(micros),
        )
    })
}

/// The log may have local time, which differs by whole quarters of an hour.
fn since(wall: Duration, time: Duration) -> Duration {
    const QUARTER: u128 = 900_000_000;
    let micros = (time.as_micros() + QUARTER - wall.as_micros() % QUARTER) % QUARTER;
    Duration::from_micros(u64::try_from(micros).expect("less than a quarter of an hour"))
}

pub fn measure(products: &[Product], neighbors: &[Product], rounds: usize) {
    println!("\nStart of the daemon until …, ms, {rounds} starts:\n");
    head([
        "daemon",
        "neighbour",
        "Full p50",
        "worst",
        "route here p50",
        "worst",
        "route there p50",
        "worst",
    ]);
    // They mostly wait, each for itself.
    let all: Vec<_> = thread::scope(|scope| {
        let pairs = neighbors
            .iter()
            .flat_map(|&neighbor| products.iter().map(move |&product| (product, neighbor)));
        let threads: Vec<_> = pairs
            .enumerate()
            .map(|(number, (product, neighbor))| {
                let thread = scope.spawn(move || {
                    let mut figures = Figures::default();
                    let mut rng = Rng::new(number as u64);
                    (0..rounds).for_each(|_| start(product, neighbor, &mut rng, &mut figures));
                    figures
                });
                (product, neighbor, thread)
            })
            .collect();
        let results = threads
            .into_iter()
            .map(|(product, neighbor, thread)| (product, neighbor, thread.join().unwrap()));
        results.collect()
    });
    for (product, neighbor, Figures { full, ours, theirs }) in &all {
        let [full, ours, theirs] = [full, ours, theirs]
            .map(|spans| [50, 100].map(|percent| ms(spans.percentile(percent))));
        let names = [product.name(), neighbor.name()];
        row([names[0], names[1], &full[0], &full[1], &ours[0], &ours[1], &theirs[0], &theirs[1]]);
    }
}
