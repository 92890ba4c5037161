//! An area of 1,000 routers and 10,000 externals: what its routes, a change of one of them and a plan take.
//!
//!     cargo bench --bench ospf_routes
//!
//! Without `--bench` (as `cargo test --benches` runs it) it is a check on a small area.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use shunt::ospf::{
    Action, Address, Announced, Area, AreaKind, Authentication, Event, How, InterfaceSettings,
    Link as Port, NetworkKind, Router, Settings, SpfDelays,
};
use shunt::types::{Rng, RouterId, Time, Wall};
use shunt::wire::ospf::{
    AreaId, Body, DatabaseDescription, ExternalLsa, Hello, Link, LinkKind, Lsa, LsaBody, LsaKey,
    LsaType, Options, RouterLsa, SequenceNumber, Signature, Version, emit,
};

/// The system allocator, counting the octets in use.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on unchanged to the system allocator; the counter touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Processor time of this process: what a busy machine gives to others does not count.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, which lives over the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = cpu();
    let result = work();
    println!("{what:<60} {:>9.3} ms", (cpu() - start).as_secs_f64() * 1000.0);
    result
}

/// Router `n` of the area; 0 is the one that is measured, 1 its only neighbour.
fn id(n: u32) -> RouterId {
    RouterId::from_bits(0x0a00_0001 + n)
}

const OUR_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
const ITS_ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 2);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);

fn settings() -> Settings {
    let interface = InterfaceSettings {
        network: NetworkKind::PointToPoint,
        passive: false,
        cost: 10,
        hello_interval: Duration::from_secs(10),
        dead_interval: Duration::from_secs(40),
        retransmit_interval: Duration::from_secs(5),
        transmit_delay: 1,
        priority: 1,
        mtu_ignore: false,
        address: None,
        authentication: Authentication::Null,
    };
    Settings {
        router_id: id(0),
        hostname: "measured".to_owned(),
        area: Area { id: AreaId::BACKBONE, kind: AreaKind::Normal },
        interfaces: BTreeMap::from([("eth0".to_owned(), interface)]),
        spf: SpfDelays::default(),
        min_ls_interval: Duration::from_millis(1050),
        max_paths: 16,
    }
}

/// The router, and its neighbour, which is only what this needs.
struct Bench {
    router: Router,
    now: Time,
}

impl Bench {
    fn receive(&mut self, body: Body) {
        let packet =
            emit(Version::V2, id(1), AreaId::BACKBONE, &body, &Signature::Null, ITS_ADDRESS);
        let packet = packet.freeze();
        let event = Event::PacketReceived {
            interface: 1,
            source: ITS_ADDRESS,
            destination: ALL_ROUTERS,
            packet,
        };
        self.router.handle(event, self.now);
    }

    /// How many routes changed.
    fn drain(&mut self) -> usize {
        let actions = std::iter::from_fn(|| self.router.poll());
        actions.filter(|action| matches!(action, Action::RouteChanged { .. })).count()
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.router.tick(self.now);
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
            dead_interval: 40,
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

    fn flood(&mut self, lsas: &[Lsa]) {
        for lsas in lsas.chunks(20) {
            self.receive(Body::LinkStateUpdate(lsas.to_vec().into()));
        }
    }
}

fn lsa(kind: LsaType, id: Ipv4Addr, router: RouterId, sequence: i32, body: LsaBody) -> Lsa {
    let key = LsaKey { kind, link_state_id: id, advertising_router: router };
    let sequence = SequenceNumber(SequenceNumber::INITIAL.0 + sequence);
    Lsa::new(1, Options::EXTERNAL, key, sequence, body)
}

/// Routers 1 to `count`, each linked to the one before and to another at random, with a loopback and a network of
/// each link; 1 to us as well.
fn routers(count: u32) -> Vec<Lsa> {
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
fn externals(count: u32, routers: u32, metric: u32, sequence: i32) -> Vec<Lsa> {
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

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (routers_count, externals_count) = if full { (1000, 10_000) } else { (20, 100) };
    let mut bench = Bench {
        router: Router::new(settings(), Wall::from_micros(0), Rng::new(1)),
        now: Time::ZERO,
    };
    bench.meet();
    bench.wait(Duration::from_secs(4));
    bench.drain();

    let area = routers(routers_count);
    let table = externals(externals_count, routers_count, 20, 0);
    let count = area.len() + table.len();
    let before = LIVE.load(Ordering::Relaxed);
    measure("database: receive, check and install every LSA", || {
        bench.flood(&area);
        bench.flood(&table);
    });
    bench.drain();
    let grown = LIVE.load(Ordering::Relaxed) - before;
    println!("{:<60} {:>9.1} octets", "database: memory of each LSA", grown as f64 / count as f64);
    let before = LIVE.load(Ordering::Relaxed);
    // The topology changed, so it waits for the back-off; the wait itself is no processor time.
    let told = measure("first run: shortest paths and all routes", || {
        bench.wait(Duration::from_millis(1100));
        bench.drain()
    });
    let grown = LIVE.load(Ordering::Relaxed) - before;
    println!("{:<60} {:>9.1} octets", "routes: memory of each", grown as f64 / told as f64);
    assert!(told as u32 >= externals_count, "{told} routes");

    let mut links = match &area[1].body {
        LsaBody::Router(lsa) => lsa.links.clone(),
        _ => Vec::new(),
    };
    let stub = Ipv4Addr::new(9, 9, 9, 9);
    links.push(Link { kind: LinkKind::Stub, id: stub, data: Ipv4Addr::BROADCAST, metric: 1 });
    let body = LsaBody::Router(RouterLsa { boundary: true, links, ..RouterLsa::default() });
    bench.wait(Duration::from_secs(5));
    bench.drain();
    bench.flood(&[lsa(LsaType::ROUTER, id(2).0, id(2), 1, body)]);
    let told = measure("next run: one router-LSA changed", || {
        bench.wait(Duration::from_millis(20));
        bench.drain()
    });
    assert_eq!(told, 1);

    let changed = externals(1, routers_count, 30, 1);
    let told = measure("one external changed: from its packet to its route", || {
        bench.flood(&changed);
        bench.drain()
    });
    assert_eq!(told, 1);

    let changed = externals(externals_count, routers_count, 40, 2);
    bench.wait(Duration::from_secs(2));
    bench.drain();
    let told = measure("all externals changed, 20 to a packet", || {
        bench.flood(&changed);
        bench.drain()
    });
    assert_eq!(told as u32, externals_count);

    let announced = Some(Announced { metric: 10, how: How::External2, tag: 0 });
    let prefix = "192.0.0.0/24".parse().unwrap_or_default();
    let plan = measure("plan for one prefix, all routers", || {
        bench.router.plan(&[(prefix, announced)], bench.now)
    });
    assert_eq!(plan[0].routers.len() as u32, routers_count + 1);
    // All but the one that announces it as well.
    let moved = plan[0].routers.iter().filter(|router| router.before != router.after).count();
    assert_eq!(moved as u32, routers_count);
}
