//! The daemon of the preferred site is killed and started again at once, while traffic runs.

use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Prober, Responder};
use crate::product::{Product, service};
use crate::sites::Sites;
use crate::statistics::{head, row};

const PROBE_EVERY: Duration = Duration::from_millis(1);

/// How long is looked on: longer than any of them needs.
const LOOK_ON: Duration = Duration::from_secs(25);

struct Seen {
    sent: usize,
    lost: usize,
    sites: Vec<String>,
}

fn restart(announcer: Product, observer: Product) -> Seen {
    let mut sites = Sites::start(announcer, observer, 1);
    let service = service(0).to_string();
    let _responders = [0, 1].map(|n| Responder::start(&sites.sites[n].role.node, &service));
    let prober = Prober::every(PROBE_EVERY, &sites.core, "192.0.2.1", &service);
    // The second site's neighbour state, the first one's acknowledgements: all of it is to be settled.
    thread::sleep(Duration::from_secs(8));
    let begin = Instant::now();
    sites.sites[0].kill();
    sites.sites[0].start();
    let (sent, lost, sites) = prober.seen(begin, begin + LOOK_ON);
    Seen { sent, lost, sites }
}

pub fn measure(products: &[Product], observers: &[Product], rounds: usize) {
    println!("\nThe preferred announcer killed and started at once, probes every millisecond:\n");
    head(["announced by", "third router", "sent", "lost, in each of the restarts", "answered by"]);
    for &observer in observers {
        let all: Vec<(Product, Vec<Seen>)> = thread::scope(|scope| {
            let threads = products.iter().map(|&announcer| {
                let work = move || (0..rounds).map(|_| restart(announcer, observer)).collect();
                (announcer, scope.spawn(work))
            });
            let threads: Vec<_> = threads.collect();
            let results = threads.into_iter().map(|(name, thread)| (name, thread.join().unwrap()));
            results.collect()
        });
        for (announcer, seen) in all {
            let sent = seen.first().map_or(0, |seen| seen.sent).to_string();
            let lost: Vec<String> = seen.iter().map(|seen| seen.lost.to_string()).collect();
            let sites = seen.last().map(|seen| seen.sites.join(" ")).unwrap_or_default();
            row([announcer.name(), observer.name(), &sent, &lost.join(", "), &sites]);
        }
    }
}
