//! A full table from one neighbour to another.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, GIVE_UP, Running, sender};
use crate::feed::Table;
use crate::process::{memory, processor};
use crate::rounds::{self, Columns, Row};
use crate::speaker::LOOK_EVERY;

/// A table, from its first octet written until its last prefix has come out: seconds, processor seconds, peak MiB.
pub fn relay(contenders: &[Contender], sizes: &[usize], count: usize) {
    for size in sizes {
        let table = Table::new(*size);
        let wanted = table.index();
        let pieces = Arc::new(table.updates(sender(0)));
        println!("\nA table of {size} prefixes from neighbour to neighbour:\n");
        let columns = Columns(&["seconds", "processor, s", "peak memory, MiB"]);
        rounds::measure(contenders, count, columns, |contender| {
            let running = Running::start(contender, 1, 1, false);
            let [feed] = &running.feeds[..] else { panic!("one feed") };
            let [taker] = &running.takers[..] else { panic!("one taker") };
            let before = processor(&running.node);
            taker.record();
            let start = Instant::now();
            feed.send(&pieces);
            while taker.counts().announced < *size {
                assert!(start.elapsed() < GIVE_UP, "{}: it does not come", contender.name());
                thread::sleep(LOOK_EVERY);
            }
            let used = processor(&running.node) - before;
            let outcome = crate::replay::replay(&taker.recorded(), &wanted, 65001);
            assert_eq!(outcome.wrong, 0, "{}: wrong at the end", contender.name());
            let span = outcome.all.map_or(Duration::ZERO, |at| at - start);
            vec![span.as_secs_f64(), used.as_secs_f64(), memory(&running.node, "VmHWM")]
        });
    }
}
