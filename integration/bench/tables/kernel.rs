//! A table into the kernel, and all of it moved to another exit when the one it uses is lost.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, GIVE_UP, Running, far_address, sender};
use crate::feed::{Nlri, Table};
use crate::lab::{Net, Node, within};
use crate::process::{memory, processor};
use crate::rounds::{self, Columns, Row};
use crate::routes::{self, Exit, Kernel, Target};

/// Routes that are asked for while they are put in.
const SAMPLE: usize = 1000;
/// Routes that are asked for while they are moved, again and again: a round of them takes half a millisecond.
const WATCHED: usize = 128;
/// For so long after the fault they are asked for without a pause.
const CLOSELY: Duration = Duration::from_millis(20);

/// Who puts routes into the kernel.
#[derive(Clone, Copy)]
pub enum Way {
    Daemon(Contender),
    /// Batches of raw requests, each with its gateway.
    Batches,
    /// Batches of raw requests, each with the same nexthop object.
    Object,
}

impl Row for Way {
    fn name(self) -> &'static str {
        match self {
            Way::Daemon(contender) => contender.name(),
            Way::Batches => "floor: raw batches",
            Way::Object => "floor: raw batches, a nexthop object",
        }
    }
}

/// How an exit is lost.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// The neighbour ends its session.
    Session,
    /// The link loses its carrier.
    Carrier,
}

/// `compat`: the kernel's `net.ipv4.nexthop_compat_mode`.
pub fn measure(
    contenders: &[Contender],
    sizes: &[usize],
    count: usize,
    faults: &[Fault],
    compat: &[u8],
) {
    // OpenBGPD has no kernel routes on Linux, and GoBGP leaves them to FRR's zebra.
    let ways: Vec<Way> = contenders
        .iter()
        .flat_map(|contender| match contender {
            Contender::Openbgpd | Contender::Gobgp => Vec::new(),
            Contender::Floor => vec![Way::Batches, Way::Object],
            daemon => vec![Way::Daemon(*daemon)],
        })
        .collect();
    for size in sizes {
        let table = Table::new(*size);
        for mode in compat {
            for fault in faults {
                let fault_name = match fault {
                    Fault::Session => "a session ends",
                    Fault::Carrier => "a link loses its carrier",
                };
                println!(
                    "\n{size} routes into the kernel, and to another exit as {fault_name}; \
                     nexthop_compat_mode {mode}:\n"
                );
                let columns = Columns(&[
                    "installed, s",
                    "routes/s",
                    "processor, s",
                    "peak memory, MiB",
                    "first moved, ms",
                    "all moved, ms",
                    "longest without a route, ms",
                ]);
                rounds::measure(&ways, count, columns, |way| {
                    let seen = match way {
                        Way::Daemon(contender) => daemon(contender, &table, *fault, *mode),
                        raw => floor(raw, &table, *mode),
                    };
                    let ms = |span: Duration| span.as_secs_f64() * 1000.0;
                    vec![
                        seen.installed.as_secs_f64(),
                        *size as f64 / seen.installed.as_secs_f64(),
                        seen.processor.as_secs_f64(),
                        seen.memory,
                        ms(seen.first),
                        ms(seen.all),
                        ms(seen.without),
                    ]
                });
            }
        }
    }
}

struct Seen {
    installed: Duration,
    processor: Duration,
    memory: f64,
    first: Duration,
    all: Duration,
    without: Duration,
}

fn daemon(contender: Contender, table: &Table, fault: Fault, mode: u8) -> Seen {
    let running = Running::start(contender, 2, 0, true);
    let node = &running.node;
    set_compat(node, mode);
    let kernel = Kernel::open(node);
    let feeds = [0, 1].map(|feed| Arc::new(table.updates(sender(feed))));
    let [better, other] = exits(node);
    let (there, used) = (routes::count(node), processor(node));
    let size: usize = table.sets.iter().map(Vec::len).sum();

    let start = Instant::now();
    running.feeds[0].send(&feeds[0]);
    for one in sample(table, SAMPLE) {
        while kernel.leaves_by(one) != Some(better.interface) {
            assert!(start.elapsed() < GIVE_UP, "{}: no route to {one}", contender.name());
            thread::sleep(Duration::from_millis(2));
        }
    }
    loop {
        let now = routes::count(node) - there;
        if now >= size {
            break;
        }
        assert!(start.elapsed() < GIVE_UP, "{}: {now} of {size} routes", contender.name());
        thread::sleep(Duration::from_millis(10));
    }
    let installed = start.elapsed();
    running.settled();
    let used = processor(node) - used;
    running.feeds[1].send(&feeds[1]);
    running.settled();

    let watched = sample(table, WATCHED);
    let start = Instant::now();
    match fault {
        Fault::Session => {
            running.feeds[0].speaker.refuse();
            running.feeds[0].sink.close();
        }
        Fault::Carrier => running.fars[0].down("router"),
    }
    let (first, all, without) = moved(&kernel, &watched, other, start);
    running.settled();
    let wrong = sample(table, usize::MAX)
        .into_iter()
        .filter(|address| kernel.leaves_by(*address) != Some(other.interface))
        .count();
    assert_eq!(wrong, 0, "{}: routes elsewhere", contender.name());
    Seen { installed, processor: used, memory: memory(node, "VmHWM"), first, all, without }
}

/// When the first of these routes has moved, when all have, and for how long one of them had none.
fn moved(
    kernel: &Kernel,
    watched: &[Ipv4Addr],
    to: Exit,
    start: Instant,
) -> (Duration, Duration, Duration) {
    let mut left: Vec<(Ipv4Addr, Option<Instant>)> =
        watched.iter().map(|address| (*address, None)).collect();
    let (mut first, mut without) = (None, Duration::ZERO);
    while !left.is_empty() {
        assert!(start.elapsed() < GIVE_UP, "{} routes are not moved", left.len());
        left.retain_mut(|(address, gone)| match kernel.leaves_by(*address) {
            Some(interface) if interface == to.interface => {
                first.get_or_insert_with(|| start.elapsed());
                without = without.max(gone.map_or(Duration::ZERO, |since| since.elapsed()));
                false
            }
            Some(_) => true,
            None => {
                gone.get_or_insert_with(Instant::now);
                true
            }
        });
        if start.elapsed() > CLOSELY {
            thread::sleep(Duration::from_millis(1));
        }
    }
    (first.unwrap_or_default(), start.elapsed(), without)
}

fn floor(way: Way, table: &Table, mode: u8) -> Seen {
    let mut net = Net::new();
    let node = net.node("router");
    for n in 0..2 {
        let far = net.node(&format!("neighbor{n}"));
        net.link(&node, &far, n);
    }
    set_compat(&node, mode);
    let kernel = Kernel::open(&node);
    let [better, other] = exits(&node);
    let all = || table.sets.iter().flatten();
    let used = processor_here();
    let start = Instant::now();
    let target = match way {
        Way::Object => {
            kernel.object(1, better);
            Target::Object(1)
        }
        _ => Target::Exit(better),
    };
    kernel.routes(all(), target);
    let (installed, processor) = (start.elapsed(), processor_here() - used);
    let start = Instant::now();
    let mut first = None;
    match way {
        Way::Object => kernel.object(1, other),
        _ => {
            for batch in table.sets.chunks(64) {
                kernel.routes(batch.iter().flatten(), Target::Exit(other));
                first.get_or_insert_with(|| start.elapsed());
            }
        }
    }
    let moved = start.elapsed();
    for address in sample(table, WATCHED) {
        assert_eq!(kernel.leaves_by(address), Some(other.interface));
    }
    let (memory, without) = (f64::NAN, Duration::ZERO);
    Seen { installed, processor, memory, first: first.unwrap_or(moved), all: moved, without }
}

/// Addresses in so many of the /24s, or in all of them: no prefix of a table is longer.
fn sample(table: &Table, count: usize) -> Vec<Ipv4Addr> {
    let all: Vec<&Nlri> = table.sets.iter().flatten().filter(|nlri| nlri[0] == 24).collect();
    let step = (all.len() / count).max(1);
    all.iter()
        .step_by(step)
        .map(|nlri| Ipv4Addr::from_bits(routes::address(nlri).to_bits() + 1))
        .collect()
}

fn exits(node: &Node) -> [Exit; 2] {
    [0, 1].map(|n| Exit {
        gateway: far_address(n),
        interface: routes::interface(node, &format!("neighbor{n}")),
    })
}

fn set_compat(node: &Node, mode: u8) {
    let path = "/proc/sys/net/ipv4/nexthop_compat_mode";
    within(node, || std::fs::write(path, mode.to_string()).unwrap());
}

/// The processor time of this thread.
fn processor_here() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
