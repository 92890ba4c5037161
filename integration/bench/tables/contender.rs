//! A daemon between neighbours that send tables and neighbours that take them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::feed::Sender;
use crate::floor;
use crate::lab::{Net, Node, within};
use crate::process::{Process, processor};
use crate::product::{self, Product, Scene};
use crate::rounds::Row;
use crate::speaker::{Sink, Speaker};

/// What has not happened by then will not.
pub const GIVE_UP: Duration = Duration::from_secs(300);

/// Those that are compared, and what nothing can be faster than.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Contender {
    Shunt,
    Bird,
    Openbgpd,
    Gobgp,
    Frr,
    /// A relay that does what cannot be left out: parse, keep in a hash table, emit.
    Floor,
}

impl Contender {
    pub const ALL: [Contender; 6] = [
        Contender::Shunt,
        Contender::Bird,
        Contender::Openbgpd,
        Contender::Gobgp,
        Contender::Frr,
        Contender::Floor,
    ];

    pub fn product(self) -> Option<Product> {
        match self {
            Contender::Shunt => Some(Product::Shunt),
            Contender::Bird => Some(Product::Bird),
            Contender::Openbgpd => Some(Product::Openbgpd),
            Contender::Gobgp => Some(Product::Gobgp),
            Contender::Frr => Some(Product::Frr),
            Contender::Floor => None,
        }
    }
}

impl Row for Contender {
    fn name(self) -> &'static str {
        self.product().map_or("floor", Product::name)
    }

    fn slow(self) -> bool {
        self == Contender::Gobgp
    }
}

/// The address of neighbour `n`; the daemon has that before it.
pub fn far_address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, n, 2)
}

/// Who sends the table: the lower the number, the shorter the path.
pub fn sender(feed: u8) -> Sender {
    let asn = 65001 + u16::from(feed);
    Sender { address: far_address(feed), asn, hops: 4 + feed, variant: 0 }
}

pub struct Feed {
    pub speaker: Speaker,
    pub sink: Sink,
}

impl Feed {
    /// Sends a table while the caller looks at what comes of it. Ends early with the session.
    pub fn send(&self, pieces: &Arc<Vec<Vec<u8>>>) {
        let (sink, pieces) = (self.sink.clone(), pieces.clone());
        thread::spawn(move || pieces.iter().try_for_each(|piece| sink.write(piece)));
    }
}

/// One that runs, with established neighbours.
pub struct Running {
    _daemon: Process,
    _helpers: Vec<Process>,
    _state: tempfile::TempDir,
    pub feeds: Vec<Feed>,
    pub takers: Vec<Speaker>,
    pub node: Node,
    /// Where the neighbours are, the feeds first.
    pub fars: Vec<Node>,
    _net: Net,
}

impl Running {
    /// All the neighbours wait to be dialled.
    pub fn start(contender: Contender, feeds: u8, takers: u8, kernel: bool) -> Running {
        Running::with(contender, feeds, takers, kernel, false)
    }

    /// The first feed, which dials by itself, is left to the caller. The second one is the first in `feeds`.
    pub fn flapping(contender: Contender) -> Running {
        Running::with(contender, 2, 1, false, true)
    }

    fn with(contender: Contender, feeds: u8, takers: u8, kernel: bool, flapping: bool) -> Running {
        let mut net = Net::new();
        let node = net.node("router");
        let fars: Vec<Node> =
            (0..feeds + takers).map(|n| net.node(&format!("neighbor{n}"))).collect();
        let mut speakers: Vec<Speaker> = (0..)
            .zip(&fars)
            .filter_map(|(n, far)| {
                net.link(&node, far, n);
                let waits = !(flapping && n == 0);
                waits.then(|| Speaker::start(far, far_address(n), 65001 + u16::from(n)))
            })
            .collect();
        let state = product::state(false);
        let scene = Scene {
            node: &node,
            neighbors: feeds + takers,
            announced: false,
            feeds,
            kernel,
            flapping,
            state: state.path(),
        };
        let (helpers, line) = match contender.product() {
            Some(product) => (product.prepare(&scene), product.daemon(&scene)),
            None => (Vec::new(), floor::line(feeds, takers)),
        };
        let daemon = within(&node, || Process::start(&line, &node.path("daemon.log")));
        let sinks: Vec<Sink> = speakers.iter().map(Speaker::established).collect();
        let takers = speakers.split_off(speakers.len() - usize::from(takers));
        let feeds = speakers.into_iter().zip(sinks);
        let feeds = feeds.map(|(speaker, sink)| Feed { speaker, sink }).collect();
        Running {
            _daemon: daemon,
            _helpers: helpers,
            _state: state,
            feeds,
            takers,
            node,
            fars,
            _net: net,
        }
    }

    /// Waits until it has no more to do.
    #[track_caller]
    pub fn settled(&self) {
        assert!(self.settles(GIVE_UP).is_some(), "it is never done");
    }

    /// The same; tells when it had no more to do, if that was soon enough.
    pub fn settles(&self, patience: Duration) -> Option<Instant> {
        let mut quiet = 0;
        let begun = Instant::now();
        let mut since = begun;
        let mut used = processor(&self.node);
        while quiet < 3 {
            if begun.elapsed() > patience {
                return None;
            }
            thread::sleep(Duration::from_millis(200));
            let now = processor(&self.node);
            if now.saturating_sub(used) < Duration::from_millis(20) {
                quiet += 1;
            } else {
                (quiet, since) = (0, Instant::now());
            }
            used = now;
        }
        Some(since)
    }
}
