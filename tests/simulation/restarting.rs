//! The graceful restart of an edge (RFC 4724): between an ISP and a core, it is killed or stopped and comes back, and nobody
//! loses a route that is still right.

use std::time::Duration;

use shunt::agent::Event;
use shunt::sim::{Link, LinkId, NodeId, World};
use shunt::types::Prefix;

use crate::topology::*;

struct Edge {
    world: World,
    isp: NodeId,
    edge: NodeId,
    core: NodeId,
    to_isp: LinkId,
}

const RESTART: &str = "graceful-restart = \"restart\"\nimport = \"all\"\nexport = \"transit\"";
/// Of the edge, and of the ISP.
const OWN: &str = "198.51.100.7/32";
const LEARNED: [&str; 3] = ["10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32"];

fn isp_text(count: u32) -> String {
    Text::node("isp", "isp", 64496, "192.0.2.2")
        .many(count)
        .neighbor("edge", "172.16.1.1", 64500, ISP)
        .done()
}

fn edge(seed: u64, on_exit: &str) -> Edge {
    let mut world = World::new(seed);
    let text = Text::node("edge", "dc1", 64500, "192.0.2.1")
        .payments()
        .neighbor("isp", "172.16.1.2", 64496, RESTART)
        .neighbor("core", "172.16.2.2", 64499, RESTART)
        .done();
    let text = text.replace("[kernel]\n", &format!("[kernel]\non-exit = \"{on_exit}\"\n"));
    let edge = world.node(&text);
    let isp = world.node(&isp_text(3));
    let core = Text::node("core", "dc1", 64499, "192.0.2.3")
        .neighbor("edge", "172.16.2.1", 64500, ISP)
        .done();
    let core = world.node(&core);
    let to_isp = world.link((edge, "172.16.1.1/24"), (isp, "172.16.1.2/24"), Link::default());
    world.link((edge, "172.16.2.1/24"), (core, "172.16.2.2/24"), Link::default());
    for node in [edge, isp, core] {
        world.start(node);
    }
    let mut edge = Edge { world, isp, edge, core, to_isp };
    let reached = edge.world.run_until(Duration::from_secs(30), |world| {
        LEARNED.iter().all(|prefix| sees(world, core, prefix).is_some())
            && sees(world, isp, OWN).is_some()
    });
    assert!(reached, "{}", edge.world.transcript());
    // Until the R bit of the first sessions has gone, if there was any.
    edge.world.run_for(Duration::from_secs(12));
    edge
}

impl Edge {
    /// Whether everybody has every route that is still right, and the kernel of the edge as well.
    fn nothing_lost(&self, still: &[&str]) -> Result<(), String> {
        if sees(&self.world, self.isp, OWN).is_none() {
            return Err(format!("the ISP lost {OWN}"));
        }
        for prefix in still {
            if sees(&self.world, self.core, prefix).is_none() {
                return Err(format!("the core lost {prefix}"));
            }
            let wanted: Prefix = prefix.parse().unwrap();
            let kernel = self.world.kernel_routes(self.edge);
            if !kernel.iter().any(|route| route.prefix == wanted) {
                return Err(format!("the kernel lost {prefix}"));
            }
        }
        Ok(())
    }

    /// Looks all the time.
    fn run(&mut self, span: Duration, still: &[&str]) {
        let end = self.world.now() + span;
        while self.world.now() < end {
            self.world.run_for(Duration::from_millis(5));
            if let Err(lost) = self.nothing_lost(still) {
                panic!("{lost} at {}\n{}", self.world.now(), self.world.transcript());
            }
        }
    }

    fn is_stale(&self, node: NodeId, prefix: &str) -> bool {
        let agent = self.world.agent(node).unwrap();
        let why = agent.why(prefix, self.world.agent_now(node)).unwrap();
        why.paths.iter().any(|path| path.stale)
    }

    fn events(&self, text: &str) -> usize {
        self.world.events(self.edge).iter().filter(|event| event.text.contains(text)).count()
    }
}

#[test]
fn a_killed_edge_is_back_and_nobody_has_lost_a_route() {
    for seed in 0..8 {
        let mut edge = edge(seed, "keep");
        edge.world.kill(edge.edge);
        edge.run(Duration::from_secs(2), &LEARNED);
        assert!(edge.is_stale(edge.isp, OWN) && edge.is_stale(edge.core, LEARNED[0]));
        // What was right before is not any more.
        edge.world.reload(edge.isp, &isp_text(2)).unwrap();
        edge.world.start(edge.edge);
        edge.run(Duration::from_secs(20), &LEARNED[..2]);
        assert!(!edge.is_stale(edge.isp, OWN) && !edge.is_stale(edge.core, LEARNED[0]));
        assert_eq!(sees(&edge.world, edge.core, LEARNED[2]), None, "seed {seed}");
        let gone: Prefix = LEARNED[2].parse().unwrap();
        assert!(edge.world.kernel_routes(edge.edge).iter().all(|route| route.prefix != gone));
        assert_eq!(edge.events("3 routes are still in the kernel"), 1);
        assert_eq!(edge.events("restart: all neighbours have sent their routes"), 1);
    }
}

#[test]
fn a_planned_stop_loses_no_route_either() {
    let mut edge = edge(1, "keep");
    edge.world.deliver(edge.edge, Event::StopWanted);
    edge.run(Duration::from_secs(5), &LEARNED);
    assert!(edge.is_stale(edge.isp, OWN), "{}", edge.world.transcript());
    edge.world.start(edge.edge);
    edge.run(Duration::from_secs(20), &LEARNED);
    assert!(!edge.is_stale(edge.isp, OWN));
}

#[test]
fn who_goes_for_good_takes_its_routes_along() {
    let mut edge = edge(1, "withdraw");
    edge.world.deliver(edge.edge, Event::StopWanted);
    edge.world.run_for(Duration::from_secs(3));
    assert_eq!(sees(&edge.world, edge.isp, OWN), None);
    assert_eq!(sees(&edge.world, edge.core, LEARNED[0]), None);
    assert_eq!(edge.world.kernel_routes(edge.edge), []);
}

/// The ISP does not come back: the core is told after half of the grace, and the kernel's routes go after all of it.
#[test]
fn the_deferral_ends() {
    let mut edge = edge(2, "keep");
    edge.world.kill(edge.edge);
    edge.world.cut(edge.to_isp);
    edge.world.run_for(Duration::from_secs(1));
    edge.world.start(edge.edge);
    let held = |edge: &Edge| sees(&edge.world, edge.core, LEARNED[0]).is_some();
    edge.world.run_for(Duration::from_millis(4900));
    assert!(held(&edge));
    edge.world.run_for(Duration::from_millis(600));
    assert!(!held(&edge), "{}", edge.world.transcript());
    assert_eq!(edge.events("not all neighbours have sent their routes in time"), 1);
    edge.world.run_for(Duration::from_secs(5));
    assert_eq!(edge.world.kernel_routes(edge.edge), []);
}

/// After a cold start there is nothing to keep: what neighbours kept goes at once, and nothing waits.
#[test]
fn without_routes_in_the_kernel_it_is_a_cold_start() {
    let mut edge = edge(3, "keep");
    edge.world.power_off(edge.edge);
    for prefix in LEARNED {
        edge.world.drop_route(edge.edge, prefix.parse().unwrap());
    }
    edge.world.run_for(Duration::from_secs(5));
    edge.world.start(edge.edge);
    assert!(edge.world.run_until(Duration::from_secs(10), |world| {
        sees(world, edge.core, LEARNED[0]).is_some()
    }));
    assert_eq!(edge.events("still in the kernel"), 0);
}
