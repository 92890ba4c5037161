//! Two neighbours send the same prefixes, and the one with the shorter paths is lost.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, GIVE_UP, Running, sender};
use crate::feed::Table;
use crate::process::{memory, processor};
use crate::replay::replay;
use crate::rounds::{self, Columns, Row};
use crate::speaker::{LOOK_EVERY, Speaker};

/// Nothing further comes after so long: FRR collects changes for 50 ms.
const QUIET: Duration = Duration::from_millis(700);

pub fn measure(contenders: &[Contender], sizes: &[usize], count: usize) {
    for size in sizes {
        let table = Table::new(*size);
        let wanted = table.index();
        let feeds = [0, 1].map(|feed| Arc::new(table.updates(sender(feed))));
        let sets = table.sets.len();
        println!(
            "\nThe better one of two feeds of {size} prefixes is lost; {sets} UPDATEs suffice:\n"
        );
        let columns = Columns(&[
            "first change, ms",
            "all, s",
            "UPDATEs",
            "of those needed",
            "processor, s",
            "peak memory, MiB",
        ]);
        rounds::measure(contenders, count, columns, |contender| {
            let running = Running::start(contender, 2, 1, false);
            let [taker] = &running.takers[..] else { panic!("one taker") };
            for (feed, pieces) in running.feeds.iter().zip(&feeds) {
                feed.send(pieces);
                came(taker, *size, contender);
                running.settled();
            }
            let before = (taker.counts().announced, processor(&running.node));
            taker.record();
            running.feeds[0].speaker.refuse();
            let start = Instant::now();
            running.feeds[0].sink.close();
            came(taker, before.0 + size, contender);
            while taker.counts().last.elapsed() < QUIET {
                thread::sleep(LOOK_EVERY);
            }
            let used = processor(&running.node) - before.1;
            let outcome = replay(&taker.recorded(), &wanted, sender(1).asn);
            assert_eq!(outcome.wrong, 0, "{}: wrong at the end", contender.name());
            let since = |at: Option<Instant>| at.map_or(Duration::ZERO, |at| at - start);
            vec![
                since(outcome.first).as_secs_f64() * 1000.0,
                since(outcome.all).as_secs_f64(),
                outcome.updates as f64,
                outcome.updates as f64 / sets as f64,
                used.as_secs_f64(),
                memory(&running.node, "VmHWM"),
            ]
        });
    }
}

/// Waits until so many prefixes have been announced.
fn came(taker: &Speaker, count: usize, contender: Contender) {
    let begun = Instant::now();
    while taker.counts().announced < count {
        let came = taker.counts().announced;
        assert!(begun.elapsed() < GIVE_UP, "{}: {came} of {count}", contender.name());
        thread::sleep(LOOK_EVERY);
    }
}
