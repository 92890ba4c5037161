//! What an area of 1,000 routers and 10,000 externals costs: memory, and processor time for a change.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use shunt::wire::ospf::{ExternalLsa, Link, LinkKind, Lsa, LsaBody, LsaType, RouterLsa};

use crate::fed::{externals, id, lsa, routers};
use crate::lab::{Net, Node};
use crate::process::{memory, processor};
use crate::product::{Product, Role, Router};
use crate::speaker::Speaker;
use crate::statistics::{Spans, head, ms, row};
use crate::watch::Watch;

const ROUTERS: u32 = 1000;
const EXTERNALS: u32 = 10_000;

/// The daemon is quiet when it has used no more processor time than this over `QUIET`.
const IDLE: Duration = Duration::from_millis(3);
const QUIET: Duration = Duration::from_secs(2);
const GIVE_UP: Duration = Duration::from_secs(120);

/// Between two changes: longer than everybody's back-off.
const PAUSE: Duration = Duration::from_secs(6);

/// Comes and goes with the changes.
const STUB: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
const EXTERNAL: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 8);

struct Scene {
    product: Product,
    speaker: Speaker,
    watch: Watch,
    node: Node,
    _router: Router,
    memory: Vec<f64>,
    /// Of a changed router-LSA and of a changed external: until the kernel has the route, and processor time.
    topology: [Spans; 2],
    external: [Spans; 2],
    _net: Net,
}

impl Scene {
    fn start(product: Product) -> Scene {
        let (net, node, other) = Net::pair("router", "peer");
        node.address("lo", "10.255.0.1/32");
        let mut watch = Watch::start(&node);
        let role = Role {
            node: node.clone(),
            number: 1,
            links: vec!["peer"],
            loopback: true,
            services: 0,
            metrics: [2, 1],
            verbose: false,
        };
        let router = Router::running(product, role);
        let speaker = Speaker::start(&other, "router", Ipv4Addr::new(10, 99, 0, 2));
        let (mut area, table) = (routers(ROUTERS), externals(EXTERNALS, ROUTERS, 20, 0));
        let mut memory = Vec::new();
        // Something small, to see that it is adjacent.
        let few: Vec<Lsa> = area.drain(..2).collect();
        speaker.flood(&few);
        watch.goes(id(2).0, GATEWAY);
        quiet(&node);
        memory.push(crate::large::memory(&node, "VmRSS"));
        for lsas in [area, table] {
            speaker.flood(&lsas);
            quiet(&node);
            memory.push(crate::large::memory(&node, "VmRSS"));
        }
        let (topology, external) = Default::default();
        Scene {
            product,
            speaker,
            watch,
            node,
            _router: router,
            memory,
            topology,
            external,
            _net: net,
        }
    }

    /// A stub link of router 2 comes, or goes.
    fn change_topology(&mut self, round: i32, counts: bool) {
        let there = round % 2 == 1;
        let mut body = match &routers(ROUTERS)[1].body {
            LsaBody::Router(lsa) => lsa.clone(),
            _ => RouterLsa::default(),
        };
        if there {
            let (kind, data) = (LinkKind::Stub, Ipv4Addr::BROADCAST);
            body.links.push(Link { kind, id: STUB, data, metric: 1 });
        }
        let lsa = lsa(LsaType::ROUTER, id(2).0, id(2), round, LsaBody::Router(body));
        let spans = self.change(lsa, STUB, there);
        if counts {
            self.topology.iter_mut().zip(spans).for_each(|(all, one)| all.push(one));
        }
    }

    /// An external of router 2 comes, or goes.
    fn change_external(&mut self, round: i32, counts: bool) {
        let there = round % 2 == 1;
        let body = ExternalLsa {
            mask: Ipv4Addr::BROADCAST,
            type_2: true,
            metric: if there { 20 } else { 0xff_ffff },
            forwarding_address: Ipv4Addr::UNSPECIFIED,
            tag: 0,
        };
        let lsa = lsa(LsaType::EXTERNAL, EXTERNAL, id(2), round, LsaBody::External(body));
        let spans = self.change(lsa, EXTERNAL, there);
        if counts {
            self.external.iter_mut().zip(spans).for_each(|(all, one)| all.push(one));
        }
    }

    fn change(&mut self, lsa: Lsa, to: Ipv4Addr, there: bool) -> [Duration; 2] {
        let before = processor(&self.node);
        let start = Instant::now();
        self.speaker.flood(&[lsa]);
        let seen = self.watch.goes(to, GATEWAY.filter(|_| there));
        // What comes after the route belongs to it too.
        thread::sleep(PAUSE / 4);
        [seen - start, processor(&self.node) - before]
    }
}

const GATEWAY: Option<Ipv4Addr> = Some(Ipv4Addr::new(10, 99, 0, 2));

/// Waits until a node's processes have no more to do.
#[track_caller]
fn quiet(node: &Node) {
    let start = Instant::now();
    let mut before = processor(node);
    loop {
        thread::sleep(QUIET);
        let now = processor(node);
        if now - before <= IDLE {
            return;
        }
        assert!(start.elapsed() < GIVE_UP, "{} is never idle", node.name());
        before = now;
    }
}

pub fn measure(products: &[Product], rounds: usize) {
    let mut scenes: Vec<Scene> = products.iter().map(|&product| Scene::start(product)).collect();
    for round in 1..=1 + rounds as i32 {
        for scene in &mut scenes {
            scene.change_topology(round, round > 1);
        }
        thread::sleep(PAUSE);
        for scene in &mut scenes {
            scene.change_external(round, round > 1);
        }
        thread::sleep(PAUSE);
    }
    println!("\nMemory of all processes with their routes in the kernel, MiB:\n");
    head(["daemon", "2 routers", "… 1,000 routers", "… and 10,000 externals"]);
    for scene in &scenes {
        let cells: Vec<String> = scene.memory.iter().map(|mib| format!("{mib:.1}")).collect();
        row([scene.product.name(), &cells[0], &cells[1], &cells[2]]);
    }
    println!(
        "\nA change in that area: LSA to the route in the kernel, and processor time, ms, median of {rounds}:\n"
    );
    head([
        "daemon",
        "router-LSA: route",
        "processor",
        "external: route",
        "processor",
        "its own words of the last SPF",
    ]);
    for scene in &scenes {
        let [route, cost] = [0, 1].map(|n: usize| ms(scene.topology[n].percentile(50)));
        let [change, price] = [0, 1].map(|n: usize| ms(scene.external[n].percentile(50)));
        let own = scene.product.spf_duration(&scene.node).unwrap_or_default();
        row([scene.product.name(), &route, &cost, &change, &price, &own]);
    }
}
