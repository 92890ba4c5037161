//! The preferred one of two firewalls falls silent: how long traffic goes nowhere.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::lab::bfd::Timers;
use crate::lab::ospf::{
    Attached, External, Network, OspfBird, OspfFrr, OspfPeer, OspfRouter, OspfShunt,
};
use crate::lab::{Net, Node, PATIENCE, Prober, Responder, wait_for};
use crate::port::Port;
use crate::product::Product;
use crate::statistics::{Spans, head, ms, row};
use crate::watch::Watch;

const SERVICE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const CLIENT: &str = "192.0.2.1";
const PROBE_EVERY: Duration = Duration::from_millis(1);
/// How long is looked on.
const LOOK_ON: Duration = Duration::from_millis(2500);
const TIMERS: Timers = Timers::new(50, 3);

/// The core's neighbours on its links.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 98, 1, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 98, 2, 2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    External2,
    External1,
    Stub,
}

impl Announced {
    const ALL: [Announced; 3] = [Announced::External2, Announced::External1, Announced::Stub];

    fn name(self) -> &'static str {
        match self {
            Announced::External2 => "external, type 2",
            Announced::External1 => "external, type 1",
            Announced::Stub => "stub link",
        }
    }
}

/// A scene's make: the firewalls, the core, and how the prefix is announced.
#[derive(Clone, Copy)]
struct Plan {
    firewalls: Product,
    core: Product,
    announced: Announced,
}

/// A core router with a link to each of two firewalls, which have one between them.
struct Scene {
    core: Node,
    watch: Watch,
    /// All links of the first firewall.
    ports: [Port; 2],
    routers: Vec<Box<dyn OspfPeer + Send>>,
    _responders: [Responder; 2],
    _net: Net,
}

impl Scene {
    fn start(plan: Plan) -> Scene {
        let mut net = Net::new();
        let [core, first, second] = ["core", "first", "second"].map(|name| net.node(name));
        let left = net.lan("left", 1, &[&core, &first]);
        net.lan("right", 2, &[&core, &second]);
        let middle = net.lan("middle", 3, &[&second, &first]);
        let ports = [Port::new(&left, "first"), Port::new(&middle, "first")];
        core.address("lo", &format!("{CLIENT}/32"));
        let watch = Watch::start(&core);
        let mut right = link("right");
        if plan.announced == Announced::Stub && plan.firewalls != Product::Shunt {
            // An address of the loopback costs nothing with BIRD, so that the way decides.
            right.cost = 1000;
        }
        let role = OspfRouter {
            router_id: "10.255.0.3".to_owned(),
            attached: vec![link("left"), right, Attached::new("lo", Network::Passive)],
            ..OspfRouter::default()
        };
        let mut routers = vec![start(plan.core, &core, role, "")];
        for (node, number, links) in
            [(&first, 1, ["left", "middle"]), (&second, 2, ["right", "middle"])]
        {
            routers.push(firewall(plan, node, number, links));
        }
        let _responders =
            [&first, &second].map(|node| Responder::start(node, &SERVICE.to_string()));
        Scene { core, watch, ports, routers, _responders, _net: net }
    }

    /// Waits until traffic goes to the first firewall and all adjacencies have been there for some time.
    #[track_caller]
    fn ready(&mut self) {
        self.watch.goes(SERVICE, Some(FIRST));
        wait_for("adjacencies", PATIENCE, || {
            for (router, neighbors) in
                [(0, ["10.255.0.1", "10.255.0.2"]), (1, ["10.255.0.2", "10.255.0.3"])]
            {
                for neighbor in neighbors {
                    let state = self.routers[router].adjacency(neighbor)?;
                    if !state.starts_with("full") {
                        return Err(format!("{neighbor}: {state}"));
                    }
                }
            }
            Ok(())
        });
        // LSAs that come back are left alone for a while by all.
        thread::sleep(Duration::from_secs(8));
        self.watch.catch_up();
        self.watch.goes(SERVICE, Some(FIRST));
    }

    /// Outage, and the time until the core's kernel goes to the second firewall.
    #[track_caller]
    fn death(&mut self) -> (Duration, Duration) {
        let prober = Prober::every(PROBE_EVERY, &self.core, CLIENT, &SERVICE.to_string());
        thread::sleep(Duration::from_millis(300));
        let died = self.ports[0].cut();
        self.ports[1].cut();
        let (_, lost, _) = prober.seen(died, died + LOOK_ON);
        let moved = self.watch.goes(SERVICE, Some(SECOND));
        drop(prober);
        self.ports.iter().for_each(Port::mend);
        (PROBE_EVERY * u32::try_from(lost).unwrap(), moved - died)
    }
}

fn link(interface: &str) -> Attached {
    Attached { bfd: Some(TIMERS), ..Attached::new(interface, Network::PointToPoint) }
}

fn start(
    product: Product,
    node: &Node,
    router: OspfRouter,
    more: &str,
) -> Box<dyn OspfPeer + Send> {
    match product {
        Product::Shunt => Box::new(OspfShunt::with(node, router, more)),
        Product::Frr => Box::new(OspfFrr::start(node, router)),
        Product::Bird => {
            let bird = OspfBird::start(node, router);
            // It would log each packet.
            bird.ask("debug fast off").unwrap();
            Box::new(bird)
        }
    }
}

/// The first one announces the service with the better metric.
fn firewall(plan: Plan, node: &Node, number: u8, links: [&str; 2]) -> Box<dyn OspfPeer + Send> {
    let mut attached: Vec<Attached> = links.iter().map(|name| link(name)).collect();
    let prefix = format!("{SERVICE}/32");
    let mut externals = Vec::new();
    let mut more = String::new();
    if plan.announced != Announced::Stub || plan.firewalls == Product::Shunt {
        // An address that no routing daemon knows as one of the loopback's.
        node.must("ip", &["route", "add", "local", &prefix, "dev", "lo", "table", "local"]);
    }
    match (plan.firewalls, plan.announced) {
        (Product::Shunt, announced) => {
            more = format!(
                "[group.service]\nprefixes = [\"{prefix}\"]\nbase = {{ {} = \"{}\" }}\nospf = \"{}\"\n\
                 on-loss = \"raise\"\nreturn-after = \"2s\"\n",
                node.name(),
                if number == 1 { "primary" } else { "standby" },
                match announced {
                    Announced::External2 => "external-2",
                    Announced::External1 => "external-1",
                    Announced::Stub => "stub",
                },
            );
        }
        (_, Announced::External2 | Announced::External1) => externals.push(prefix),
        (_, Announced::Stub) => {
            node.address("lo", &prefix);
            attached.push(Attached::new("lo", Network::Passive));
        }
    }
    let router = OspfRouter {
        router_id: format!("10.255.0.{number}"),
        attached,
        externals,
        external: External {
            kind: if plan.announced == Announced::External1 { 1 } else { 2 },
            metric: if number == 1 { 100 } else { 1000 },
            tag: 0,
        },
        ..OspfRouter::default()
    };
    start(plan.firewalls, node, router, &more)
}

pub fn measure(products: &[Product], cores: &[Product], deaths: usize) {
    let mut plans = Vec::new();
    for &core in cores {
        for announced in Announced::ALL {
            plans.extend(products.iter().map(|&firewalls| Plan { firewalls, core, announced }));
        }
    }
    // One dies at a time; meanwhile the others come back.
    let turn = Mutex::new(());
    let seen: Vec<(Plan, Spans, Spans)> = thread::scope(|scope| {
        let work = |plan| {
            let turn = &turn;
            move || {
                let (mut outages, mut moves) = (Spans::default(), Spans::default());
                let mut scene = Scene::start(plan);
                for _ in 0..deaths {
                    scene.ready();
                    let _mine = turn.lock().unwrap();
                    let (outage, moved) = scene.death();
                    outages.push(outage);
                    moves.push(moved);
                }
                (plan, outages, moves)
            }
        };
        let threads: Vec<_> = plans.iter().map(|&plan| scope.spawn(work(plan))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    println!("\nSilent death of the preferred firewall, BFD 50 ms × 3, ms, {deaths} times each:\n");
    head([
        "firewalls",
        "core",
        "announced as",
        "outage p50",
        "worst",
        "kernel goes the new way p50",
        "worst",
    ]);
    for (plan, outages, moves) in &seen {
        let [outage, longest] = [50, 100].map(|percent| ms(outages.percentile(percent)));
        let [moved, last] = [50, 100].map(|percent| ms(moves.percentile(percent)));
        row([
            plan.firewalls.name(),
            plan.core.name(),
            plan.announced.name(),
            &outage,
            &longest,
            &moved,
            &last,
        ]);
    }
}
