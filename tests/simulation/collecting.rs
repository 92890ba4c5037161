//! Collectors of BMP: what they are told leads to the tables of the node, however slowly they read.

use std::collections::BTreeMap;
use std::time::Duration;

use shunt::agent::{CollectorEvent, Event};
use shunt::api::v1::RoutesRequest;
use shunt::sim::{Link, NodeId, World};
use shunt::types::Family;
use shunt::wire::bgp::{Message, SessionFacts};

use crate::topology::*;

const CONNECTION: u64 = 7;
/// More than may wait for a collector, with the portions that come on top of it.
const MOST_WAITING: usize = 1 << 20;

struct Watched {
    world: World,
    feed: NodeId,
    relay: NodeId,
    sink: NodeId,
    /// Octets that the collector has been sent and has not taken.
    waiting: Vec<u8>,
    /// What it has learned: by peer type, flags and peer, prefix and AS path.
    known: BTreeMap<(u8, u8, Vec<u8>), BTreeMap<String, String>>,
    peers: Vec<Vec<u8>>,
    ends: usize,
}

/// A table passes from a feed to a sink, and the node in the middle has a collector.
fn watched(count: u32) -> Watched {
    let mut world = World::new(1);
    let feed = Text::node("feed", "isp", 64496, "192.0.2.1").many(count).neighbor(
        "relay",
        "10.254.0.2",
        64500,
        "import = \"none\"\nexport = \"groups\"",
    );
    let relay = Text::node("relay", "dc1", 64500, "192.0.2.2")
        .neighbor("feed", "10.254.0.1", 64496, "import = \"all\"\nexport = \"none\"")
        .neighbor("sink", "10.254.1.2", 64497, "import = \"none\"\nexport = \"transit\"");
    let collector = "[bmp.archive]\naddress = \"192.0.2.9\"\n\
                     monitor = [\"in-post\", \"out-post\", \"loc-rib\"]\n";
    let sink = Text::node("sink", "isp", 64497, "192.0.2.3").neighbor(
        "relay",
        "10.254.1.1",
        64500,
        "import = \"all\"\nexport = \"none\"",
    );
    let feed = world.node(&feed.done());
    let relay = world.node(&(relay.done() + collector));
    let sink = world.node(&sink.done());
    world.link((feed, "10.254.0.1/24"), (relay, "10.254.0.2/24"), Link::default());
    world.link((relay, "10.254.1.1/24"), (sink, "10.254.1.2/24"), Link::default());
    for node in [feed, relay, sink] {
        world.start(node);
    }
    let (waiting, known, peers) = (Vec::new(), BTreeMap::new(), Vec::new());
    Watched { world, feed, relay, sink, waiting, known, peers, ends: 0 }
}

impl Watched {
    fn event(&mut self, event: CollectorEvent) {
        let event = Event::Collector { collector: "archive".to_owned(), event };
        self.world.deliver(self.relay, event);
    }

    fn connect(&mut self) {
        self.event(CollectorEvent::Connected { connection: CONNECTION });
    }

    fn run(&mut self, span: Duration) {
        self.world.run_for(span);
        let sent = self.world.take_collected(self.relay, "archive");
        self.waiting.extend(sent);
    }

    /// The collector takes all that there is, until there is no more.
    fn take_all(&mut self) {
        loop {
            self.run(Duration::from_millis(10));
            if self.waiting.is_empty() {
                return;
            }
            let taken = std::mem::take(&mut self.waiting);
            let mut rest = &taken[..];
            while !rest.is_empty() {
                assert_eq!(rest[0], 3, "the version");
                let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
                let (message, others) = rest.split_at(length);
                self.learn(message[5], &message[6..]);
                rest = others;
            }
            self.event(CollectorEvent::Written { connection: CONNECTION, octets: taken.len() });
        }
    }

    fn learn(&mut self, kind: u8, body: &[u8]) {
        if kind == 4 {
            return;
        }
        let (kind_of_peer, flags, peer) = (body[0], body[1], body[10..26].to_vec());
        match kind {
            0 => {
                let facts = SessionFacts {
                    four_octet_as: true,
                    families: Family::ALL.to_vec(),
                    ..SessionFacts::default()
                };
                let Message::Update(update) = Message::parse(&body[42..], &facts).unwrap() else {
                    panic!("no UPDATE")
                };
                assert!(self.peers.contains(&peer), "a route before its Peer Up");
                self.ends += usize::from(update.end_of_rib.is_some());
                let table = self.known.entry((kind_of_peer, flags, peer)).or_default();
                for nlri in &update.withdrawn {
                    let known = table.remove(&nlri.prefix.to_string());
                    assert!(known.is_some(), "{} was not there", nlri.prefix);
                }
                for routes in &update.announced {
                    let path = routes.attributes.as_path.to_string();
                    table.extend(
                        routes.nlri.iter().map(|nlri| (nlri.prefix.to_string(), path.clone())),
                    );
                }
            }
            2 => {
                self.known.retain(|(.., of), _| *of != peer);
                self.peers.retain(|of| *of != peer);
            }
            3 => self.peers.push(peer),
            other => panic!("type {other}"),
        }
    }

    /// What a table of the collector has: its number of routes, all with this AS path.
    #[track_caller]
    fn has(&self, kind: u8, flags: u8, count: usize, path: &str) {
        let tables = self.known.iter().filter(|((k, f, _), _)| (*k, *f) == (kind, flags));
        let routes: Vec<(&String, &String)> = tables.flat_map(|(_, routes)| routes).collect();
        assert_eq!(routes.len(), count, "kind {kind}, flags {flags:#x}");
        assert!(routes.iter().all(|(_, of)| *of == path), "{:?}", routes.first());
    }

    #[track_caller]
    fn has_all(&self, count: usize) {
        self.has(0, 0x40, count, "64496");
        self.has(0, 0x50, count, "64500 64496");
        self.has(3, 0, count, "64496");
    }

    fn complete(&self) -> bool {
        let now = self.world.agent_now(self.relay);
        self.world.agent(self.relay).unwrap().status(now).collectors[0].complete
    }
}

#[test]
fn a_collector_that_comes_late_is_told_the_tables_and_their_ends() {
    let mut watched = watched(3000);
    watched.run(Duration::from_secs(10));
    assert!(watched.waiting.is_empty(), "nothing before it is connected");
    watched.connect();
    watched.take_all();
    watched.has_all(3000);
    // Two sessions of one family with two tables each, and Loc-RIB of both families.
    assert_eq!(watched.ends, 2 * 2 + 2);
    assert!(watched.complete());
}

#[test]
fn what_changes_is_told_and_only_that() {
    let mut watched = watched(3000);
    watched.connect();
    watched.run(Duration::from_secs(10));
    watched.take_all();
    watched.has_all(3000);
    let feed = watched.feed;
    watched.world.order(feed, "withdraw", "10.0.0.7/32", "");
    watched.run(Duration::from_secs(1));
    // One UPDATE for each table.
    let octets = watched.waiting.len();
    assert!((1..500).contains(&octets), "{octets} octets for one prefix");
    watched.take_all();
    watched.has_all(2999);
    // A session that ends takes its tables along.
    let sink = watched.sink;
    watched.world.kill(sink);
    watched.run(Duration::from_secs(10));
    watched.take_all();
    watched.has(0, 0x50, 0, "");
    watched.has(3, 0, 2999, "64496");
    watched.world.kill(feed);
    watched.run(Duration::from_secs(10));
    watched.take_all();
    watched.has_all(0);
    watched.world.start(feed);
    watched.world.start(sink);
    watched.run(Duration::from_secs(20));
    watched.take_all();
    watched.has_all(2999);
}

#[test]
fn a_collector_that_does_not_read_costs_a_bounded_queue() {
    let mut watched = watched(8000);
    watched.connect();
    watched.run(Duration::from_secs(20));
    assert!(!watched.complete());
    // The table flaps meanwhile, and the sink has it all the same.
    for _ in 0..3 {
        let feed = watched.feed;
        watched.world.kill(feed);
        watched.run(Duration::from_secs(2));
        watched.world.start(feed);
        watched.run(Duration::from_secs(20));
    }
    assert!(watched.waiting.len() < MOST_WAITING, "{} octets wait", watched.waiting.len());
    let request = RoutesRequest::default();
    let agent = watched.world.agent(watched.sink).unwrap();
    let (routes, _) = agent.routes(&request, None, 100, watched.world.now()).unwrap();
    assert_eq!(routes.len(), 100);
    watched.take_all();
    watched.has_all(8000);
    // It goes away: nothing is kept for it.
    watched.event(CollectorEvent::Closed { reason: "closed by the collector".to_owned() });
    let feed = watched.feed;
    watched.world.kill(feed);
    watched.run(Duration::from_secs(5));
    assert!(watched.waiting.is_empty());
}
