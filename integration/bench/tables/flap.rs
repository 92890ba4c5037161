//! A neighbour with a full table that comes and goes every second, for minutes: what it costs the others.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, Running, far_address, sender};
use crate::feed::Table;
use crate::lab::{Node, PATIENCE, wait_for, within};
use crate::load::daemons;
use crate::orders::Orders;
use crate::process::{Process, memory};
use crate::product;
use crate::rounds::{self, Columns, Row};
use crate::speaker::{Event, Sink, Speaker};

const EVERY: Duration = Duration::from_secs(1);
/// Between two orders.
const PAUSE: Duration = Duration::from_millis(100);

type Pieces = Arc<Vec<Vec<u8>>>;

/// The neighbour: it dials, sends its table for as long as it is there, and goes without a word.
#[derive(Clone)]
struct Flapper {
    far: Node,
    pieces: Pieces,
}

impl Flapper {
    /// A session, if the daemon wants one now.
    fn dial(&self) -> Option<Sink> {
        let router = Ipv4Addr::new(10, 99, 0, 1);
        let speaker = Speaker::dial(&self.far, router, far_address(0), sender(0).asn).ok()?;
        match speaker.next(EVERY) {
            Some(Event::Established(sink)) => Some(sink),
            _ => None,
        }
    }

    fn dial_until_up(&self) -> Sink {
        wait_for("session of the flapping neighbour", PATIENCE, || {
            self.dial().ok_or_else(|| "refused".to_owned())
        })
    }

    /// All of the table, in a session that stays.
    fn stay(&self) -> Sink {
        let sink = self.dial_until_up();
        for piece in self.pieces.iter() {
            sink.write(piece).unwrap();
        }
        sink
    }

    /// Comes and goes until it is told to stop; gives how often, and how many tables the daemon has taken in all.
    fn flap(&self, stop: &AtomicBool) -> (usize, f64) {
        let (mut times, mut pieces) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let Some(sink) = self.dial() else {
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            let until = Instant::now() + EVERY;
            let (writer, all) = (sink.clone(), self.pieces.clone());
            let written = thread::spawn(move || {
                all.iter().take_while(|piece| writer.write(piece).is_ok()).count()
            });
            thread::sleep(until.saturating_duration_since(Instant::now()));
            sink.close();
            times += 1;
            pieces += written.join().unwrap_or_default();
        }
        (times, pieces as f64 / self.pieces.len() as f64)
    }
}

pub fn measure(contenders: &[Contender], sizes: &[usize], flapping: Duration) {
    // One that needs minutes for a table would only be seen not to come along.
    let contenders: Vec<Contender> =
        daemons(contenders).into_iter().filter(|one| !one.slow()).collect();
    for size in sizes {
        let table = Table::new(*size);
        let feeds = [0, 1].map(|feed| Arc::new(table.updates(sender(feed))));
        println!(
            "\nThe better one of two feeds of {size} prefixes comes and goes every second, for {} s:\n",
            flapping.as_secs()
        );
        let columns = Columns(&[
            "times",
            "tables taken",
            "memory before, MiB",
            "peak, MiB",
            "afterwards, MiB",
            "announce p50, ms",
            "p99, ms",
            "worst, ms",
            "orders failed",
            "other sessions lost",
            "longest silence, ms",
            "BFD sessions lost",
        ]);
        rounds::measure(&contenders, 1, columns, |contender| once(contender, &feeds, flapping));
    }
}

fn once(contender: Contender, feeds: &[Pieces; 2], flapping: Duration) -> Vec<f64> {
    let running = Running::flapping(contender);
    let product = contender.product().expect("a daemon");
    let steady = &running.feeds[0];
    let bfd = Bfd::start(contender, &running.fars[1]);
    let flapper = Flapper { far: running.fars[0].clone(), pieces: feeds[0].clone() };
    steady.send(&feeds[1]);
    running.settled();
    let sink = flapper.stay();
    running.settled();
    let before = memory(&running.node, "VmRSS");
    let up = bfd.as_ref().map(Bfd::up_since);
    sink.close();

    let stop = Arc::new(AtomicBool::new(false));
    let (flaps, told) = (flapper.clone(), stop.clone());
    let flaps = thread::spawn(move || flaps.flap(&told));
    let mut orders = Orders::new(product, &running);
    let begun = Instant::now();
    while begun.elapsed() < flapping {
        orders.give();
        thread::sleep(PAUSE);
    }
    stop.store(true, Ordering::Relaxed);
    let (times, taken) = flaps.join().unwrap();

    let _sink = flapper.stay();
    running.settled();
    let lost = steady.speaker.sessions() + running.takers[0].sessions() - 2;
    let bfd_lost = match (up, bfd.as_ref().map(Bfd::up_since)) {
        (Some(before), Some(after)) => f64::from(u8::from(before != after)),
        _ => f64::NAN,
    };
    vec![
        times as f64,
        taken,
        before,
        memory(&running.node, "VmHWM"),
        memory(&running.node, "VmRSS"),
        orders.percentile(50),
        orders.percentile(99),
        orders.percentile(100),
        orders.failed as f64,
        lost as f64,
        steady.speaker.counts().silence.as_secs_f64() * 1000.0,
        bfd_lost,
    ]
}

/// The other end of the BFD session to the steady feed, for those that have BFD in their own process.
struct Bfd {
    _bird: Process,
    far: Node,
}

impl Bfd {
    fn start(contender: Contender, far: &Node) -> Option<Bfd> {
        if !matches!(contender, Contender::Shunt | Contender::Bird) {
            return None;
        }
        far.write("bird.conf", &product::bird_far());
        let line = product::bird_line(far);
        let bird = within(far, || Process::start(&line, &far.path("bird.log")));
        let bfd = Bfd { _bird: bird, far: far.clone() };
        bfd.up_since();
        // It fails by itself on a machine whose cores are all busy.
        far.hasten();
        Some(bfd)
    }

    /// Waits until it is up.
    fn up_since(&self) -> String {
        wait_for("BFD session", PATIENCE, || {
            let socket = product::socket(&self.far);
            let shown = self.far.run("birdc", &["-s", &socket, "show bfd sessions"])?;
            let words = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let mut up = words.filter_map(|words| match words[..] {
                ["10.99.1.1", _, "Up", since, ..] => Some(since.to_owned()),
                _ => None,
            });
            up.next().ok_or_else(|| shown.clone())
        })
    }
}
