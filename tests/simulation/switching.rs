//! Switches over a fleet: four nodes at two sites, in one area.

use std::time::Duration;

use shunt::agent::OrderId;
use shunt::api::v1::{SwitchEnding, SwitchRequest};
use shunt::sim::{Heard, Link, LinkId, NodeId, World};
use shunt::types::Prefix;

const PAYMENTS: &str = "198.51.100.7/32";

/// Two firewalls at each of two sites, and a router between them that is no node of the fleet.
pub struct Fleet {
    pub world: World,
    /// a1 and a2 at dc1, b1 and b2 at dc2.
    pub nodes: [NodeId; 4],
    pub core: NodeId,
    pub links: [LinkId; 4],
}

fn fleet() -> String {
    let node = |(number, name, site): (u8, &str, &str)| {
        format!(
            "[fleet.node.{name}]\nsite = \"{site}\"\naddresses = [\"10.0.{number}.1\"]\nrouter-id = \"192.0.2.{number}\"\n"
        )
    };
    let nodes = [(1, "a1", "dc1"), (2, "a2", "dc1"), (3, "b1", "dc2"), (4, "b2", "dc2")];
    format!(
        "[fleet]\n{}[site.dc1]\nid = 1\n[site.dc2]\nid = 2\n[group.payments]\nprefixes = [\"{PAYMENTS}\"]\n\
         base = {{ dc1 = \"primary\", dc2 = \"standby\" }}\n",
        nodes.map(node).concat()
    )
}

pub fn text(number: u8, name: &str, site: &str, more: &str) -> String {
    format!(
        "[node]\nname = \"{name}\"\nsite = \"{site}\"\nasn = 64500\nrouter-id = \"192.0.2.{number}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"5s\"\n[ospf]\nexport = \"groups\"\n\
         [ospf.interface.e1]\nnetwork = \"point-to-point\"\n{}{more}",
        fleet()
    )
}

pub const CORE: &str = "[node]\nname = \"core\"\nsite = \"core\"\nasn = 64500\nrouter-id = \"192.0.2.9\"\n\
    [ospf]\n[ospf.interface.e1]\nnetwork = \"point-to-point\"\n[ospf.interface.e2]\nnetwork = \"point-to-point\"\n\
    [ospf.interface.e3]\nnetwork = \"point-to-point\"\n[ospf.interface.e4]\nnetwork = \"point-to-point\"\n";

impl Fleet {
    pub fn new(seed: u64) -> Fleet {
        Fleet::with(seed, "")
    }

    /// With more in the files of all nodes.
    pub fn with(seed: u64, more: &str) -> Fleet {
        let mut world = World::new(seed);
        let nodes = [(1, "a1", "dc1"), (2, "a2", "dc1"), (3, "b1", "dc2"), (4, "b2", "dc2")];
        let nodes = nodes.map(|(number, name, site)| world.node(&text(number, name, site, more)));
        let core = world.node(CORE);
        let mut links = Vec::new();
        for (number, node) in (1..).zip(nodes) {
            let (near, far) = (format!("10.0.{number}.1/24"), format!("10.0.{number}.2/24"));
            links.push(world.link((node, &near), (core, &far), Link::default()));
        }
        for node in nodes.into_iter().chain([core]) {
            world.start(node);
        }
        world.run_for(Duration::from_secs(30));
        Fleet { world, nodes, core, links: links.try_into().unwrap() }
    }

    pub fn switch(&mut self, on: usize, to: &str) -> OrderId {
        let request = SwitchRequest {
            act: "switch".to_owned(),
            groups: vec!["payments".to_owned()],
            to: to.to_owned(),
            reason: "test".to_owned(),
            ..SwitchRequest::default()
        };
        self.world.switch(self.nodes[on], request)
    }

    pub fn heard(&self, on: usize, order: OrderId) -> Heard {
        self.world.heard(self.nodes[on], order)
    }

    /// Waits for the end of a switch.
    pub fn ends(&mut self, on: usize, order: OrderId) -> SwitchEnding {
        let node = self.nodes[on];
        let over = |world: &World| world.heard(node, order).ended.is_some();
        assert!(
            self.world.run_until(Duration::from_secs(60), over),
            "{:#?}",
            self.heard(on, order)
        );
        let heard = self.heard(on, order);
        heard.ending("payments").unwrap_or_else(|| panic!("{heard:#?}")).clone()
    }

    /// What each announces.
    pub fn announced(&self) -> [u32; 4] {
        self.nodes.map(|node| {
            let Some(agent) = self.world.agent(node) else { return 0 };
            let groups = agent.groups("", self.world.agent_now(node));
            groups.unwrap().groups[0].announcements[0].preference
        })
    }

    /// The sites with a node that announces the most.
    pub fn preferred(&self) -> Vec<&'static str> {
        let announced = self.announced();
        let most = announced.into_iter().max().unwrap();
        let at = |of: &[usize]| of.iter().any(|node| announced[*node] == most);
        let sites = [("dc1", at(&[0, 1])), ("dc2", at(&[2, 3]))];
        sites.into_iter().filter(|(_, at)| *at).map(|(site, _)| site).collect()
    }

    /// Whether the router in the middle has a route, and at which site it ends.
    pub fn exit(&self) -> Option<&'static str> {
        let prefix: Prefix = PAYMENTS.parse().unwrap();
        let routes = self.world.kernel_routes(self.core);
        let route = routes.into_iter().find(|route| route.prefix == prefix)?;
        let gateway = format!("{:?}", route.hops);
        let of = |number: usize| gateway.contains(&format!("10.0.{number}.1"));
        match (of(1) || of(2), of(3) || of(4)) {
            (true, false) => Some("dc1"),
            (false, true) => Some("dc2"),
            _ => Some("both"),
        }
    }
}

#[test]
fn one_order_moves_a_group_on_all_nodes() {
    let mut fleet = Fleet::new(1);
    assert_eq!((fleet.announced(), fleet.exit()), ([200, 200, 100, 100], Some("dc1")));
    let began = fleet.world.now();
    let order = fleet.switch(0, "dc2");
    let ending = fleet.ends(0, order);
    assert_eq!((ending.outcome.as_str(), ending.epoch), ("committed", 1), "{ending:?}");
    assert!(fleet.world.now().since(began) < Duration::from_secs(2));
    assert_eq!((fleet.announced(), fleet.exit()), ([100, 100, 200, 200], Some("dc2")));
    // And back, by another node.
    let order = fleet.switch(3, "dc1");
    let ending = fleet.ends(3, order);
    assert_eq!((ending.outcome.as_str(), ending.epoch), ("committed", 2), "{ending:?}");
    assert_eq!((fleet.announced(), fleet.exit()), ([200, 200, 100, 100], Some("dc1")));
}

/// A node that nobody can reach: without an excuse the switch is refused, with one it learns the outcome when it is back.
#[test]
fn who_cannot_be_reached_learns_the_outcome_when_it_returns() {
    let mut fleet = Fleet::new(2);
    fleet.world.cut(fleet.links[1]);
    fleet.world.run_for(Duration::from_secs(60));
    let order = fleet.switch(0, "dc2");
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "refused");
    assert!(ending.why.contains("a2"), "{ending:?}");
    let request = SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: "dc2".to_owned(),
        without: vec!["a2".to_owned()],
        ..SwitchRequest::default()
    };
    let order = fleet.world.switch(fleet.nodes[0], request);
    assert_eq!(fleet.ends(0, order).outcome, "committed");
    assert_eq!(fleet.announced(), [100, 200, 200, 200], "who is cut off knows nothing of it");
    fleet.world.mend(fleet.links[1]);
    let healed = fleet.world.now();
    let node = fleet.nodes[1];
    let knows = |world: &World| {
        let agent = world.agent(node).unwrap();
        let groups = agent.groups("", world.agent_now(node)).unwrap();
        groups.groups[0].announcements[0].preference == 100
    };
    assert!(fleet.world.run_until(Duration::from_secs(60), knows));
    println!("it knew after {:?}", fleet.world.now().since(healed));
}

/// Whenever the coordinator dies, and comes back: the group is at one site, within two seconds.
#[test]
fn a_coordinator_that_dies_goes_on_when_it_is_back() {
    let mut endings = [0; 2];
    for micros in (0..60_000).step_by(500) {
        let mut fleet = Fleet::new(micros);
        fleet.switch(0, "dc2");
        fleet.world.run_for(Duration::from_micros(micros));
        fleet.world.kill(fleet.nodes[0]);
        fleet.world.run_for(Duration::from_millis(700));
        fleet.world.start(fleet.nodes[0]);
        let settled = |world: &World| {
            fleet
                .nodes
                .iter()
                .all(|node| world.agent(*node).unwrap().switches().switches.is_empty())
        };
        fleet.world.run_for(Duration::from_secs(2));
        assert_eq!(fleet.preferred().len(), 1, "{micros}: {:?}", fleet.announced());
        assert!(matches!(fleet.exit(), Some("dc1" | "dc2")), "{micros}");
        // The last locks may have to wait for the pacing of LSAs.
        assert!(fleet.world.run_until(Duration::from_secs(2), settled), "{micros}");
        fleet.world.run_for(Duration::from_secs(10));
        match (fleet.announced(), fleet.exit()) {
            ([200, 200, 100, 100], Some("dc1")) => endings[0] += 1,
            ([100, 100, 200, 200], Some("dc2")) => endings[1] += 1,
            other => panic!("{micros}: {other:?}\n{}", fleet.world.transcript()),
        }
    }
    assert!(endings[0] > 5 && endings[1] > 5, "{endings:?}");
}

/// A node that slept through a switch announces nothing that would take the traffic back, not for a moment.
#[test]
fn a_node_that_slept_through_a_switch_takes_nothing_back() {
    let mut fleet = Fleet::new(3);
    // Both of the old site, with what is on their disks.
    for node in [0, 1] {
        fleet.world.power_off(fleet.nodes[node]);
    }
    let request = SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: "dc2".to_owned(),
        without: vec!["a1".to_owned(), "a2".to_owned()],
        ..SwitchRequest::default()
    };
    fleet.world.run_for(Duration::from_secs(60));
    let order = fleet.world.switch(fleet.nodes[2], request);
    let ending = fleet.ends(2, order);
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    for node in [0, 1] {
        fleet.world.start(fleet.nodes[node]);
    }
    // Whether the route gets anywhere or not: adjacencies take longer than the word of the others.
    let [a1, a2, ..] = fleet.nodes;
    let stolen = |world: &World| {
        [a1, a2].iter().any(|node| {
            let groups = world.agent(*node).unwrap().groups("", world.agent_now(*node));
            groups.unwrap().groups[0].announcements[0].preference > 100
        })
    };
    assert!(!stolen(&fleet.world));
    assert!(!fleet.world.run_until(Duration::from_secs(30), stolen));
    assert_eq!(fleet.announced(), [100, 100, 200, 200]);
}

/// Its coordinator is dead and stays so: any other node can be told to go on, or to undo it.
#[test]
fn another_node_takes_over_what_a_dead_one_has_begun() {
    for (act, exit) in [("resume", "dc2"), ("abort", "dc1")] {
        let mut fleet = Fleet::new(4);
        fleet.switch(0, "dc2");
        let raised = |world: &World| {
            let agent = world.agent(fleet.nodes[3]).unwrap();
            agent.switches().switches.iter().any(|switch| switch.epoch == 1)
        };
        assert!(fleet.world.run_until(Duration::from_secs(1), raised));
        fleet.world.run_for(Duration::from_millis(8));
        fleet.world.power_off(fleet.nodes[0]);
        fleet.world.run_for(Duration::from_secs(1));
        let request = SwitchRequest { act: act.to_owned(), ..SwitchRequest::default() };
        let began = fleet.world.now();
        let order = fleet.world.switch(fleet.nodes[3], request);
        let ending = fleet.ends(3, order);
        let took = fleet.world.now().since(began);
        assert_eq!(
            ending.unheard,
            if ending.outcome == "refused" { vec![] } else { vec!["a1".to_owned()] }
        );
        assert!(took < Duration::from_secs(8), "{act}: {took:?} {ending:?}");
        // The area has to notice that the dead one is gone, too.
        fleet.world.run_for(Duration::from_secs(60));
        assert_eq!(fleet.exit(), Some(exit), "{act}: {ending:?}");
        // And who slept through the end takes nothing back.
        fleet.world.start(fleet.nodes[0]);
        fleet.world.run_for(Duration::from_secs(30));
        assert_eq!(fleet.preferred(), [exit], "{act}: {:?}", fleet.announced());
    }
}

/// Of two at once, the second waits for the first, if it was told to, and then has its turn.
#[test]
fn a_second_switch_waits_for_the_first_or_is_refused() {
    let mut fleet = Fleet::new(5);
    let request = |to: &str, wait_us| SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: to.to_owned(),
        wait_us,
        ..SwitchRequest::default()
    };
    let first = fleet.world.switch(fleet.nodes[0], request("dc2", 0));
    let locked = |world: &World| {
        world.agent(fleet.nodes[3]).is_some_and(|agent| !agent.switches().switches.is_empty())
    };
    assert!(fleet.world.run_until(Duration::from_secs(1), locked));
    let refused = fleet.world.switch(fleet.nodes[2], request("dc1", 0));
    let waiting = fleet.world.switch(fleet.nodes[3], request("dc1", 10_000_000));
    let ending = fleet.ends(2, refused);
    assert_eq!(ending.outcome, "refused");
    assert!(ending.why.contains("is in progress"), "{ending:?}");
    assert_eq!(fleet.ends(0, first).outcome, "committed");
    let ending = fleet.ends(3, waiting);
    assert_eq!((ending.outcome.as_str(), ending.epoch), ("committed", 2), "{ending:?}");
    fleet.world.run_for(Duration::from_secs(5));
    assert_eq!((fleet.announced(), fleet.exit()), ([200, 200, 100, 100], Some("dc1")));
}
