//! A router that is fed a large area by a neighbour in the same process, which is only what this needs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use shunt::ospf::{
    Address, Area, AreaKind, Authentication, Event, InterfaceSettings, Link as Port, NetworkKind,
    Router, Settings, SpfDelays, Watch,
};
use shunt::types::{Rng, RouterId, Time, Wall};
use shunt::wire::ospf::{
    ALL_SPF_ROUTERS, AreaId, Body, DatabaseDescription, ExternalLsa, Hello, Link, LinkKind, Lsa,
    LsaBody, LsaKey, LsaType, Options, RouterLsa, SequenceNumber, Signature, Version, emit,
};

/// Router `n` of the area; 0 is the fed one, 1 its neighbour.
pub fn id(n: u32) -> RouterId {
    RouterId::from_bits(0x0a00_0001 + n)
}

const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
const ITS_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 2);
/// The neighbour says one Hello, acknowledges nothing, and stays.
const DEAD_INTERVAL: u32 = 3600;

pub fn settings() -> Settings {
    let interface = InterfaceSettings {
        network: NetworkKind::PointToPoint,
        passive: false,
        cost: 10,
        hello_interval: Duration::from_secs(10),
        dead_interval: Duration::from_secs(DEAD_INTERVAL.into()),
        retransmit_interval: Duration::from_secs(DEAD_INTERVAL.into()),
        transmit_delay: 1,
        priority: 1,
        mtu_ignore: false,
        address: None,
        authentication: Authentication::Null,
        bfd: Watch::Off,
    };
    Settings {
        router_id: id(0),
        hostname: "fed".to_owned(),
        area: Area { id: AreaId::BACKBONE, kind: AreaKind::Normal },
        interfaces: BTreeMap::from([("eth0".to_owned(), interface)]),
        spf: SpfDelays::default(),
        min_ls_interval: Duration::from_millis(1050),
        max_paths: 16,
    }
}

/// The router. Its interface to the neighbour has index 1 and is called `eth0`.
pub struct Fed {
    pub router: Router,
    pub now: Time,
}

impl Fed {
    /// Adjacent to the neighbour.
    pub fn new(settings: Settings) -> Fed {
        let router = Router::new(settings, Wall::from_micros(0), Rng::new(1));
        let mut fed = Fed { router, now: Time::ZERO };
        fed.meet();
        fed
    }

    fn receive(&mut self, body: Body) {
        let packet =
            emit(Version::V2, id(1), AreaId::BACKBONE, &body, &Signature::Null, ITS_ADDRESS);
        let packet = packet.freeze();
        let event = Event::PacketReceived {
            interface: 1,
            source: ITS_ADDRESS,
            destination: ALL_SPF_ROUTERS,
            packet,
        };
        self.router.handle(event, self.now);
    }

    /// To Full. The neighbour has the higher router id, so it is the master; its database is empty as yet.
    fn meet(&mut self) {
        let network = "172.16.0.0/30".parse().unwrap();
        let addresses = vec![Address { address: OUR_ADDRESS, network }];
        let link = Some(Port { index: 1, up: true, mtu: 1500, addresses });
        self.router.handle(Event::LinkChanged { name: "eth0".to_owned(), link }, self.now);
        self.receive(Body::Hello(Hello {
            network_mask: Ipv4Addr::new(255, 255, 255, 252),
            hello_interval: 10,
            options: Options::EXTERNAL,
            priority: 1,
            dead_interval: DEAD_INTERVAL,
            designated: Ipv4Addr::UNSPECIFIED,
            backup: Ipv4Addr::UNSPECIFIED,
            neighbors: vec![id(0)],
        }));
        for (init, sequence) in [(true, 7), (false, 8)] {
            self.receive(Body::DatabaseDescription(DatabaseDescription {
                mtu: 1500,
                options: Options::EXTERNAL,
                init,
                more: init,
                master: true,
                sequence,
                headers: Vec::new(),
            }));
        }
    }

    pub fn flood(&mut self, lsas: &[Lsa]) {
        for lsas in lsas.chunks(20) {
            self.receive(Body::LinkStateUpdate(lsas.to_vec().into()));
        }
    }
}

pub fn lsa(kind: LsaType, id: Ipv4Addr, router: RouterId, sequence: i32, body: LsaBody) -> Lsa {
    let key = LsaKey { kind, link_state_id: id, advertising_router: router };
    let sequence = SequenceNumber(SequenceNumber::INITIAL.0 + sequence);
    Lsa::new(1, Options::EXTERNAL, key, sequence, body)
}

/// Routers 1 to `count`, each linked to the one before and to another at random, with a loopback and a network of
/// each link; 1 to the fed one as well.
pub fn routers(count: u32) -> Vec<Lsa> {
    let mut rng = Rng::new(1);
    let mut links: BTreeMap<u32, Vec<Link>> = BTreeMap::new();
    let mut cables = 0;
    let mut connect = |a: u32, b: u32, metric: u16| {
        let network = Ipv4Addr::new(172, 20, 0, 0).to_bits() + 4 * cables;
        cables += 1;
        for (end, (from, to)) in (1..).zip([(a, b), (b, a)]) {
            let kind = LinkKind::PointToPoint;
            let data = Ipv4Addr::from_bits(network + end);
            let links = links.entry(from).or_default();
            links.push(Link { kind, id: id(to).0, data, metric });
            let data = Ipv4Addr::new(255, 255, 255, 252);
            let id = Ipv4Addr::from_bits(network);
            links.push(Link { kind: LinkKind::Stub, id, data, metric });
        }
    };
    for n in 2..=count {
        connect(n, n - 1, 10);
        let far = 1 + rng.below(u64::from(n) - 1) as u32;
        connect(n, far, 10 + 10 * rng.below(3) as u16);
    }
    let ours = Link { kind: LinkKind::PointToPoint, id: id(0).0, data: ITS_ADDRESS, metric: 10 };
    links.entry(1).or_default().push(ours);
    let lsas = links.into_iter().map(|(n, mut links)| {
        let kind = LinkKind::Stub;
        links.push(Link { kind, id: id(n).0, data: Ipv4Addr::BROADCAST, metric: 0 });
        let body = RouterLsa { boundary: true, links, ..RouterLsa::default() };
        lsa(LsaType::ROUTER, id(n).0, id(n), 0, LsaBody::Router(body))
    });
    lsas.collect()
}

/// `count` prefixes, announced by routers that are spread over the area.
pub fn externals(count: u32, routers: u32, metric: u32, sequence: i32) -> Vec<Lsa> {
    let lsas = (0..count).map(|n| {
        let prefix = Ipv4Addr::from_bits(Ipv4Addr::new(192, 0, 0, 0).to_bits() + 256 * n);
        let body = ExternalLsa {
            mask: Ipv4Addr::new(255, 255, 255, 0),
            type_2: true,
            metric,
            forwarding_address: Ipv4Addr::UNSPECIFIED,
            tag: 0,
        };
        let router = id(1 + n * 7 % routers);
        lsa(LsaType::EXTERNAL, prefix, router, sequence, LsaBody::External(body))
    });
    lsas.collect()
}
