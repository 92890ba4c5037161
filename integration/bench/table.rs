//! A full table from one neighbour to another, and orders while it is on its way.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Net, Node, within};
use crate::process::{Process, command, memory};
use crate::product::{self, Product, Scene};
use crate::speaker::{LOOK_EVERY, Sink, Speaker, table};
use crate::statistics::{Spans, head, ms, row};

/// A table that has not come through by then will not.
const GIVE_UP: Duration = Duration::from_secs(300);

/// How long one daemon is given orders under load.
const LOADED_FOR: Duration = Duration::from_secs(90);

/// A daemon between a neighbour that sends a table and one that takes it.
struct Relay {
    _daemon: Process,
    _helpers: Vec<Process>,
    _state: tempfile::TempDir,
    feed: Sink,
    _feeder: Speaker,
    taker: Speaker,
    node: Node,
    _net: Net,
}

const FEED: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 99, 0, 2), 65001);
const TAKER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 99, 1, 2), 65002);

impl Relay {
    fn start(product: Product) -> Relay {
        let mut net = Net::new();
        let (node, one, other) = (net.node("router"), net.node("feed"), net.node("taker"));
        net.link(&node, &one, 0);
        net.link(&node, &other, 1);
        let feeder = Speaker::start(&one, FEED.0, FEED.1);
        let taker = Speaker::start(&other, TAKER.0, TAKER.1);
        let state = product::state(false);
        let scene = Scene {
            node: &node,
            neighbors: 2,
            announced: false,
            transit: true,
            state: state.path(),
        };
        let helpers = product.prepare(&scene);
        let line = product.daemon(&scene);
        let daemon = within(&node, || Process::start(&line, &node.path("daemon.log")));
        let feed = feeder.established();
        taker.established();
        Relay {
            _daemon: daemon,
            _helpers: helpers,
            _state: state,
            feed,
            _feeder: feeder,
            taker,
            node,
            _net: net,
        }
    }
}

/// A table of `count` prefixes, from its first octet written until its last prefix has come out.
pub fn relay(products: &[Product], count: usize, rounds: usize) {
    let pieces = table(count, FEED.0, FEED.1, 0);
    let mut all: Vec<(Product, Spans, f64)> =
        products.iter().map(|product| (*product, Spans::default(), 0.0)).collect();
    for _ in 0..rounds {
        for (product, spans, peak) in &mut all {
            let relay = Relay::start(*product);
            let start = Instant::now();
            for piece in &pieces {
                relay.feed.write(piece).unwrap();
            }
            let counts = loop {
                let counts = relay.taker.counts();
                if counts.announced >= count {
                    break counts;
                }
                assert!(start.elapsed() < GIVE_UP, "{}: {} came", product.name(), counts.announced);
                thread::sleep(LOOK_EVERY);
            };
            spans.push(counts.last - start);
            *peak = peak.max(memory(&relay.node, "VmHWM"));
        }
    }
    println!("\nA table of {count} prefixes from neighbour to neighbour, median of {rounds}:\n");
    head(["daemon", "seconds", "peak memory, MiB"]);
    for (product, spans, peak) in &all {
        let seconds = format!("{:.2}", spans.percentile(50).as_secs_f64());
        row([product.name(), &seconds, &format!("{peak:.0}")]);
    }
}

/// Commands while a neighbour sends a table of `count` prefixes again and again, each time with other attributes, and
/// the neighbour that waits for the announcement is sent all of it as well.
pub fn loaded(products: &[Product], count: usize, orders: usize) {
    let tables: Vec<Vec<Vec<u8>>> =
        (0..2).map(|variant| table(count, FEED.0, FEED.1, variant * 77_777)).collect();
    println!("\nCommand to UPDATE while tables of {count} prefixes pass through, ms:\n");
    head(["daemon", "p50", "p99", "orders", "prefixes per second meanwhile"]);
    for product in products {
        let relay = Relay::start(*product);
        let stop = AtomicBool::new(false);
        let mut spans = Spans::default();
        let mut given = 0;
        let mut rate = 0.0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for piece in tables.iter().cycle().flatten() {
                    // An error says that the daemon has ended.
                    if stop.load(Ordering::Relaxed) || relay.feed.write(piece).is_err() {
                        return;
                    }
                }
            });
            while relay.taker.counts().announced < count / 10 {
                thread::sleep(LOOK_EVERY);
            }
            let (before, begun) = (relay.taker.counts().announced, Instant::now());
            let [announce, withdraw] =
                [true, false].map(|announce| product.command(&relay.node, announce));
            while given < orders && begun.elapsed() < LOADED_FOR {
                let start = within(&relay.node, || {
                    let mut command = command(&announce);
                    command.stdout(std::process::Stdio::null());
                    let start = Instant::now();
                    assert!(command.status().unwrap().success());
                    start
                });
                spans.push(relay.taker.announced() - start);
                given += 1;
                let output = within(&relay.node, || command(&withdraw).output().unwrap());
                assert!(output.status.success(), "{output:?}");
                relay.taker.withdrawn();
            }
            let passed = relay.taker.counts().announced - before;
            rate = passed as f64 / begun.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
        });
        let [middle, worst] = [50, 99].map(|percent| ms(spans.percentile(percent)));
        row([product.name(), &middle, &worst, &given.to_string(), &format!("{rate:.0}")]);
    }
}
