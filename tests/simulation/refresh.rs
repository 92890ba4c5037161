//! What one neighbour is sent, octet by octet: an agent with the test in the place of the driver.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use shunt::agent::{Action, Agent, Event, PeerAction, PeerId, Start};
use shunt::bgp::{self, ConnectionId};
use shunt::config;
use shunt::group::Intents;
use shunt::types::{Asn, Family, Prefix, RouterId, Time, Wall};
use shunt::wire::bgp::{
    Announced, AsPath, Attributes, Capability, Decoder, Message, NextHop, Nlri, Open,
    RefreshSubtype, RouteRefresh, Update,
};

use crate::topology::Text;

/// Routes that the feed has: more than go out in one portion.
const ROUTES: u32 = 6000;

const FEED: (PeerId, ConnectionId, u8) = (PeerId(0), ConnectionId(1), 1);
const SINK: (PeerId, ConnectionId, u8) = (PeerId(1), ConnectionId(2), 2);

struct Bench {
    agent: Agent,
    now: Time,
    /// Octets that the sink was sent.
    sent: BytesMut,
}

impl Bench {
    fn new() -> Bench {
        let text = Text::node("relay", "dc1", 64500, "192.0.2.9")
            .neighbor(
                "feed",
                "10.0.0.1",
                64501,
                "passive = true\nimport = \"all\"\nexport = \"none\"",
            )
            .neighbor(
                "sink",
                "10.0.0.2",
                64502,
                "passive = true\nimport = \"none\"\nexport = \"transit\"",
            )
            .done();
        let agent = Agent::new(Start {
            config: config::parse(&text, "shunt.toml", &mut |_| Err(String::new())).unwrap(),
            intents: Intents::default(),
            health: String::new(),
            wall: Wall::from_micros(0),
            seed: 1,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        });
        let mut bench = Bench { agent, now: Time::ZERO, sent: BytesMut::new() };
        // The kernel: one network, no routes.
        let network: Prefix = "10.0.0.0/24".parse().unwrap();
        for observed in [
            shunt::fib::Observed::DumpBegun,
            shunt::fib::Observed::Link { index: 1, name: "eth0".to_owned(), up: true, mtu: 1500 },
            shunt::fib::Observed::Address { interface: 1, address: address(9).ip(), network },
            shunt::fib::Observed::DumpDone,
        ] {
            bench.agent.handle(Event::Kernel(observed), bench.now);
        }
        bench
    }

    fn session(&mut self, (peer, _, _): (PeerId, ConnectionId, u8), event: bgp::Event) {
        self.agent.handle(Event::Peer { peer, event }, self.now);
        while let Some(action) = self.agent.poll() {
            if let Action::Peer { peer, action: PeerAction::Send { bytes, .. } } = action
                && peer == SINK.0
            {
                self.sent.extend_from_slice(&bytes);
            }
        }
    }

    fn receive(&mut self, from: (PeerId, ConnectionId, u8), message: Message) {
        self.session(from, bgp::Event::Received { connection: from.1, message });
    }

    fn up(&mut self, neighbor: (PeerId, ConnectionId, u8)) {
        let (_, connection, host) = neighbor;
        let (local, remote) = (address(9), address(host));
        self.session(neighbor, bgp::Event::Accepted { connection, local, remote });
        self.receive(neighbor, Message::Open(open(host)));
        self.receive(neighbor, Message::Keepalive);
    }

    /// Ticks until the agent has nothing more to do now; all that it sends is taken at once.
    fn work_off(&mut self) {
        while self.agent.deadline().is_some_and(|at| at <= self.now) {
            self.agent.tick(self.now);
            self.session(SINK, bgp::Event::Written { connection: SINK.1, octets: usize::MAX });
        }
    }
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), 179)
}

fn open(host: u8) -> Open {
    let asn = Asn(64500 + u32::from(host));
    Open {
        asn,
        hold_time: 9,
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, host)),
        capabilities: vec![
            Capability::multiprotocol(Family::Ipv4),
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
            Capability::FourOctetAs(asn),
        ],
    }
}

#[test]
fn a_refresh_asked_for_while_the_table_is_still_on_its_way_comes_behind_end_of_rib() {
    let mut bench = Bench::new();
    bench.now += Duration::from_secs(1);
    bench.up(FEED);
    let mut attributes = Attributes::originated(NextHop::V4(Ipv4Addr::new(10, 0, 0, 1)));
    attributes.as_path = AsPath::sequence([Asn(64501)]);
    let prefix = |n: u32| Prefix::host(IpAddr::from((0x0b00_0000 + n).to_be_bytes()));
    let nlri = (0..ROUTES).map(|n| Nlri::from(prefix(n))).collect();
    let update = Update { announced: vec![Announced { attributes, nlri }], ..Update::default() };
    bench.receive(FEED, Message::Update(update));
    bench.work_off();

    bench.up(SINK);
    let request = RouteRefresh::new(Family::Ipv4, RefreshSubtype::Request);
    bench.receive(SINK, Message::RouteRefresh(request));
    bench.work_off();

    let mut decoder = Decoder::new(open(SINK.2));
    decoder.feed(&bench.sent);
    let (mut routes, mut story) = (0, Vec::new());
    while let Some(message) = decoder.next() {
        match message.unwrap() {
            Message::Update(Update { end_of_rib: Some(_), .. }) => {
                story.push((routes, "End-of-RIB"))
            }
            Message::Update(update) => {
                routes += update.announced.iter().map(|a| a.nlri.len()).sum::<usize>();
            }
            Message::RouteRefresh(RouteRefresh { subtype, .. }) => story.push(match subtype {
                RefreshSubtype::Begin => (routes, "BoRR"),
                _ => (routes, "EoRR"),
            }),
            _ => {}
        }
    }
    let all = ROUTES as usize;
    assert_eq!(story, [(all, "End-of-RIB"), (all, "BoRR"), (2 * all, "EoRR")]);
}
