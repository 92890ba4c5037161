//! Moves of switches, as agents carry them out and hear of each other's.

use std::time::Duration;

use shunt::agent::AskId;
use shunt::api::v1::FleetCall;
use shunt::sim::{Link, LinkId, NodeId, World};

const PAYMENTS: &str = "198.51.100.7/32";

/// Two sites that are OSPF neighbours, and hear of each other by nothing else.
struct Sites {
    world: World,
    nodes: [NodeId; 2],
    link: LinkId,
}

fn text(number: u8) -> String {
    format!(
        r#"
[node]
name = "dc{number}"
site = "dc{number}"
asn = 64500
router-id = "192.0.2.{number}"
own-prefixes = ["198.51.100.0/24"]
[kernel]
grace = "5s"
[ospf]
export = "groups"
[ospf.interface.e1]
network = "point-to-point"
[site.dc1]
id = 1
routers = ["192.0.2.1"]
[site.dc2]
id = 2
routers = ["192.0.2.2"]
[group.payments]
prefixes = ["{PAYMENTS}"]
base = {{ dc1 = "primary", dc2 = "standby" }}
"#
    )
}

impl Sites {
    fn new(seed: u64) -> Sites {
        let mut world = World::new(seed);
        let nodes = [1, 2].map(|number| world.node(&text(number)));
        let [first, second] = nodes;
        let link = world.link((first, "10.0.0.1/24"), (second, "10.0.0.2/24"), Link::default());
        for node in nodes {
            world.start(node);
        }
        world.run_for(Duration::from_secs(30));
        Sites { world, nodes, link }
    }

    fn ask(&mut self, site: usize, wanted: &str, call: FleetCall) -> AskId {
        let call = FleetCall {
            switch: "s1".to_owned(),
            term: 1,
            group: "payments".to_owned(),
            owner: "alice".to_owned(),
            epoch: 1,
            site: "dc2".to_owned(),
            wanted: wanted.to_owned(),
            ..call
        };
        self.world.call(self.nodes[site], call)
    }

    /// It is done when all who have to know of it do.
    fn goes(&mut self, site: usize, wanted: &str, call: FleetCall) {
        let ask = self.ask(site, wanted, call);
        assert!(self.world.run_until(Duration::from_secs(5), |world| world.called(ask).is_some()));
        let answer = self.world.called(ask).unwrap();
        assert!(answer.is_ok(), "{answer:?}");
    }

    fn prepare(&mut self, site: usize, seconds: u64) {
        let lasts_us = seconds * 1_000_000;
        self.goes(site, "prepare", FleetCall { lasts_us, ..FleetCall::default() });
    }

    fn raise(&mut self, site: usize) {
        self.goes(site, "raise", FleetCall { over: 200, ..FleetCall::default() });
    }

    /// What each announces.
    fn announced(&self) -> [u32; 2] {
        self.nodes.map(|node| {
            let groups = self.world.agent(node).unwrap().groups("", self.world.agent_now(node));
            groups.unwrap().groups[0].announcements[0].preference
        })
    }

    fn because(&self, site: usize) -> String {
        let node = self.nodes[site];
        let groups = self.world.agent(node).unwrap().groups("", self.world.agent_now(node));
        groups.unwrap().groups[0].announcements[0].because.join("; ")
    }
}

#[test]
fn a_switch_goes_from_site_to_site() {
    let mut sites = Sites::new(1);
    assert_eq!(sites.announced(), [200, 100]);
    for site in [0, 1] {
        sites.prepare(site, 60);
    }
    assert_eq!(sites.announced(), [200, 100]);
    sites.raise(1);
    sites.world.run_for(Duration::from_secs(2));
    assert_eq!(sites.announced(), [200, 201], "who takes part waits to be told");
    sites.goes(0, "lower", FleetCall::default());
    for site in [0, 1] {
        sites.goes(site, "commit", FleetCall::default());
    }
    assert_eq!(sites.announced(), [100, 200]);
    let because = sites.because(0);
    assert!(
        because.contains("base of site dc1: standby (100), switched to dc2 by alice, epoch 1"),
        "{because}"
    );
}

#[test]
fn who_is_not_told_hears_of_it_within_a_second() {
    let mut sites = Sites::new(2);
    sites.world.cut(sites.link);
    sites.world.run_for(Duration::from_secs(60));
    sites.prepare(1, 60);
    sites.raise(1);
    sites.goes(1, "commit", FleetCall::default());
    assert_eq!(sites.announced(), [200, 200], "neither sees the other");
    sites.world.mend(sites.link);
    let demoted = |world: &World| {
        let events = world.events(sites.nodes[0]);
        events
            .iter()
            .any(|event| event.kind == "switch" && event.text.contains("it is at dc2, epoch 1"))
    };
    assert!(sites.world.run_until(Duration::from_secs(60), demoted));
    assert_eq!(sites.announced(), [100, 200]);
    // And knows it when it starts again.
    sites.world.kill(sites.nodes[0]);
    sites.world.start(sites.nodes[0]);
    sites.world.run_for(Duration::from_secs(1));
    assert_eq!(sites.announced(), [100, 200]);
}

#[test]
fn a_lock_that_nobody_ends_ends_by_itself() {
    let mut sites = Sites::new(3);
    for site in [0, 1] {
        sites.prepare(site, 10);
    }
    sites.raise(1);
    sites.world.run_for(Duration::from_secs(15));
    // The raised one stays, and the other has heard of it.
    assert_eq!(sites.announced(), [100, 200]);
}
