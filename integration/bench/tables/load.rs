//! A neighbour that sends table after table as fast as it can: how long orders take meanwhile, and how much of it the
//! daemon keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::contender::{Contender, GIVE_UP, Running, sender};
use crate::feed::{Sender, Table};
use crate::orders::{LONGEST, Orders};
use crate::process::memory;
use crate::rounds::{self, Columns, Row};
use crate::speaker::LOOK_EVERY;

/// How long tables are sent again without a pause.
const RESENT_FOR: Duration = Duration::from_secs(3);

/// How long a daemon may take for what it has taken.
const WAITED_FOR: Duration = Duration::from_secs(60);

/// Two tables of the same prefixes, each set of one with other attributes than in the other.
type Variants = Arc<[Vec<Vec<u8>>; 2]>;

fn variants(table: &Table) -> Variants {
    Arc::new([0, 1].map(|variant| table.updates(Sender { variant, ..sender(0) })))
}

/// Sends one after the other until it is told to stop.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Flood {
    fn start(running: &Running, variants: &Variants) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let (sink, variants, told) =
            (running.feeds[0].sink.clone(), variants.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut octets = 0;
            for piece in variants.iter().cycle().flatten() {
                // An error says that the daemon has ended.
                if told.load(Ordering::Relaxed) || sink.write(piece).is_err() {
                    break;
                }
                octets += piece.len() as u64;
            }
            octets
        });
        Flood { stop, thread }
    }

    /// Gives the octets that TCP has taken.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn came(running: &Running, count: usize, contender: Contender) {
    let begun = Instant::now();
    while running.takers[0].counts().announced < count {
        assert!(begun.elapsed() < GIVE_UP, "{}: the table does not come", contender.name());
        thread::sleep(LOOK_EVERY);
    }
}

/// Orders while tables pass through; the neighbour that waits for the announcement is sent all of it as well.
pub fn loading(contenders: &[Contender], sizes: &[usize], count: usize, orders: usize) {
    for size in sizes {
        let variants = variants(&Table::new(*size));
        println!("\nCommand to UPDATE while tables of {size} prefixes pass through:\n");
        let columns = Columns(&[
            "p50, ms",
            "p99, ms",
            "orders",
            "prefixes per second meanwhile",
            "peak memory, MiB",
        ]);
        rounds::measure(&daemons(contenders), count, columns, |contender| {
            let running = Running::start(contender, 1, 1, false);
            let product = contender.product().expect("a daemon");
            let mut given = Orders::new(product, &running);
            let flood = Flood::start(&running, &variants);
            came(&running, size / 10, contender);
            let (before, begun) = (running.takers[0].counts().announced, Instant::now());
            let mut done = 0;
            while done < orders && begun.elapsed() < LONGEST {
                given.give();
                done += 1;
            }
            assert_eq!(given.failed, 0, "{}: orders failed", contender.name());
            let passed = running.takers[0].counts().announced - before;
            let rate = passed as f64 / begun.elapsed().as_secs_f64();
            flood.stop();
            let peak = memory(&running.node, "VmHWM");
            vec![given.percentile(50), given.percentile(99), done as f64, rate, peak]
        });
    }
}

/// Memory while a neighbour that has sent its table sends it again and again, for some seconds.
pub fn resend(contenders: &[Contender], sizes: &[usize], count: usize) {
    for size in sizes {
        let variants = variants(&Table::new(*size));
        let seconds = RESENT_FOR.as_secs();
        println!("\nA neighbour re-sends {size} prefixes for {seconds} s, without a pause:\n");
        let columns = Columns(&[
            "memory before, MiB",
            "peak, MiB",
            "afterwards, MiB",
            "octets taken, MB",
            "busy after the end, s (at most 60)",
        ]);
        rounds::measure(&daemons(contenders), count, columns, |contender| {
            let running = Running::start(contender, 1, 1, false);
            for piece in &variants[1] {
                running.feeds[0].sink.write(piece).unwrap();
            }
            came(&running, *size, contender);
            running.settled();
            let before = memory(&running.node, "VmRSS");
            let flood = Flood::start(&running, &variants);
            thread::sleep(RESENT_FOR);
            let octets = flood.stop();
            let ended = Instant::now();
            let settled = running.settles(WAITED_FOR).map_or(WAITED_FOR, |at| at - ended);
            let (peak, after) = (memory(&running.node, "VmHWM"), memory(&running.node, "VmRSS"));
            vec![before, peak, after, octets as f64 / 1e6, settled.as_secs_f64()]
        });
    }
}

/// All but the floor, which takes no orders and forgets nothing.
pub fn daemons(contenders: &[Contender]) -> Vec<Contender> {
    contenders.iter().copied().filter(|one| *one != Contender::Floor).collect()
}
