//! What operators read about OSPF, drain and plan: two sites and a core on one network.

use std::collections::BTreeSet;
use std::time::Duration;

use shunt::agent::Agent;
use shunt::api::v1;
use shunt::sim::{Link, NodeId, World};
use shunt::types::Time;
use tonic::Code;

use super::topology::Text;

const SERVICE: &str = "198.51.100.7/32";

struct Area {
    world: World,
    edge1: NodeId,
    edge2: NodeId,
    core: NodeId,
}

fn text(name: &str, site: &str, router_id: &str, interface: &str) -> String {
    Text::node(name, site, 64500, router_id).payments().done()
        + "[ospf]\nexport = \"groups\"\n[ospf.interface.e1]\n"
        + interface
}

const FAST: &str = "hello-interval = \"1s\"\ndead-interval = \"4s\"\n";

/// Running, and every adjacency with the designated router and its backup full.
fn area() -> Area {
    area_with(FAST)
}

/// With other settings of the core's interface.
fn area_with(core: &str) -> Area {
    let mut world = World::new(7);
    let edge1 = world.node(&text("edge1", "dc1", "192.0.2.1", FAST));
    let edge2 = world.node(&text("edge2", "dc2", "192.0.2.2", FAST));
    let core = world.node(&text("core", "inside", "192.0.2.3", core));
    let ends = [(edge1, "10.0.0.1/24"), (edge2, "10.0.0.2/24"), (core, "10.0.0.3/24")];
    world.lan(&ends, Link::default());
    for node in [edge1, edge2, core] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(30));
    Area { world, edge1, edge2, core }
}

impl Area {
    fn ask<T>(&self, node: NodeId, question: impl Fn(&Agent, Time) -> T) -> T {
        question(self.world.agent(node).unwrap(), self.world.agent_now(node))
    }

    fn neighbors(&self, node: NodeId) -> v1::OspfNeighborsReply {
        let request = v1::OspfNeighborsRequest::default();
        self.ask(node, |agent, now| agent.ospf_neighbors(&request, now).unwrap())
    }

    /// All pages of a small size together.
    fn database(&self, node: NodeId, request: &v1::OspfDatabaseRequest) -> Vec<v1::OspfLsa> {
        self.ask(node, |agent, now| {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let (page, next) = agent.ospf_database(request, after, 2, now).unwrap();
                all.extend(page);
                if next.is_none() {
                    return all;
                }
                after = next;
            }
        })
    }

    fn plan(
        &self,
        node: NodeId,
        prefix: &str,
        level: &str,
    ) -> Result<v1::PlanReply, tonic::Status> {
        let request = v1::PlanRequest { prefix: prefix.to_owned(), level: level.to_owned() };
        self.ask(node, |agent, now| agent.plan(&request, now))
    }

    fn order(&mut self, node: NodeId, order: &str, target: &str, level: &str) -> v1::OrderReply {
        let order = self.world.order(node, order, target, level);
        self.world.run_for(Duration::from_secs(6));
        self.world.answer(node, order).unwrap().clone().unwrap()
    }

    /// Whom the core's route to the service ends at.
    fn exit(&self) -> Vec<String> {
        let request = v1::OspfRoutesRequest { within: SERVICE.to_owned(), ..Default::default() };
        let (routes, _) =
            self.ask(self.core, |agent, now| agent.ospf_routes(&request, None, 10, now).unwrap());
        routes.into_iter().flat_map(|route| names(&route.path.unwrap().exits)).collect()
    }
}

fn names(routers: &[v1::OspfRouter]) -> Vec<String> {
    routers.iter().map(|router| router.hostname.clone()).collect()
}

/// Exits before and after by host name, of those that move.
fn moving(plan: &v1::PlanReply) -> Vec<(String, Vec<String>, Vec<String>)> {
    let exits = |way: &Option<v1::PlanWay>| names(&way.as_ref().unwrap().exits);
    let moving = plan.routers.iter().filter(|router| router.moves);
    moving
        .map(|one| {
            let name = one.router.as_ref().unwrap().hostname.clone();
            (name, exits(&one.before), exits(&one.after))
        })
        .collect()
}

#[test]
fn reads_tell_routers_by_id_and_name() {
    let area = area();
    let reply = area.neighbors(area.core);
    let shown: Vec<(String, &str, &str, &str)> = reply
        .neighbors
        .iter()
        .map(|n| {
            let hostname = n.router.as_ref().unwrap().hostname.clone();
            (hostname, n.interface.as_str(), n.address.as_str(), n.state.as_str())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("edge1".to_owned(), "e1", "10.0.0.1", "full"),
            ("edge2".to_owned(), "e1", "10.0.0.2", "full")
        ]
    );
    assert!(reply.mismatches.is_empty(), "{:?}", reply.mismatches);
    let one = |router: &str| {
        let request = v1::OspfNeighborsRequest { router: router.to_owned(), ..Default::default() };
        area.ask(area.core, |agent, now| agent.ospf_neighbors(&request, now))
    };
    assert_eq!(one("edge2").unwrap().neighbors, reply.neighbors[1..]);
    assert_eq!(one("192.0.2.2").unwrap().neighbors, reply.neighbors[1..]);
    let refused = one("edge3").unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("no router `edge3`; did you mean `edge"), "{refused:?}");

    let interfaces = v1::OspfInterfacesRequest::default();
    let interfaces =
        area.ask(area.core, |agent, now| agent.ospf_interfaces(&interfaces, now).unwrap());
    let e1 = &interfaces.interfaces[0];
    assert_eq!((e1.name.as_str(), e1.address.as_str()), ("e1", "10.0.0.3/24"));
    assert_eq!((e1.neighbors, e1.neighbors_full, e1.dead_interval_us), (2, 2, 4_000_000));
    assert!(e1.received["hello"] > 20 && e1.sent["link-state-update"] > 0, "{e1:?}");

    let status = area.ask(area.core, |agent, now| agent.status(now));
    let ospf = status.ospf.unwrap();
    assert_eq!((ospf.area.as_str(), ospf.area_type.as_str()), ("0.0.0.0", "normal"));
    assert_eq!((ospf.interfaces_up, ospf.neighbors_full, ospf.neighbors_known), (1, 2, 2));
    assert_eq!(
        (ospf.stub_router.as_str(), status.warnings.len()),
        ("", 0),
        "{:?}",
        status.warnings
    );
}

#[test]
fn the_database_is_told_in_pages_and_by_selection() {
    let area = area();
    let all = area.database(area.core, &v1::OspfDatabaseRequest::default());
    let status = area.ask(area.core, |agent, now| agent.status(now)).ospf.unwrap();
    assert_eq!(all.len(), status.lsas as usize);
    let types: BTreeSet<&str> = all.iter().map(|lsa| lsa.r#type.as_str()).collect();
    assert_eq!(types, ["external", "network", "opaque-area", "router"].into());
    let order: Vec<&v1::OspfLsa> = all.iter().filter(|lsa| lsa.r#type == "router").collect();
    assert_eq!(order.len(), 3);
    for lsa in order {
        let name = &lsa.router.as_ref().unwrap().hostname;
        assert_eq!(lsa.own, name == "core");
        assert!(lsa.body.iter().any(|line| line.starts_with("network of DR 10.0.0.")), "{lsa:?}");
    }
    let request = v1::OspfDatabaseRequest { prefix: SERVICE.to_owned(), ..Default::default() };
    let services = area.database(area.core, &request);
    let said: Vec<(String, &str)> = services
        .iter()
        .map(|lsa| (lsa.router.as_ref().unwrap().hostname.clone(), lsa.body[0].as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("edge1".to_owned(), "external-2, metric 5500, tag 0"),
            ("edge2".to_owned(), "external-2, metric 15500, tag 0")
        ]
    );
    let request = v1::OspfDatabaseRequest {
        r#type: "external".to_owned(),
        router: "edge2".to_owned(),
        ..Default::default()
    };
    assert_eq!(area.database(area.core, &request), services[1..]);
    let wrong = v1::OspfDatabaseRequest { r#type: "type-5".to_owned(), ..Default::default() };
    let refused =
        area.ask(area.core, |agent, now| agent.ospf_database(&wrong, None, 10, now).unwrap_err());
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(area.exit(), ["edge1"]);
}

#[test]
fn a_plan_says_what_the_order_then_does() {
    let mut area = area();
    let plan = area.plan(area.edge1, SERVICE, "50").unwrap();
    assert_eq!((plan.preference_before, plan.preference), (200, 50));
    assert_eq!(plan.before.as_ref().unwrap().metric, 5_500);
    assert_eq!(plan.before.as_ref().unwrap().lsa, "external 198.51.100.7 of 192.0.2.1");
    assert_eq!(plan.after.as_ref().unwrap().metric, 20_500);
    assert_eq!(plan.routers.len(), 3);
    let to = |name: &str, from: &str, to: &str| {
        (name.to_owned(), vec![from.to_owned()], vec![to.to_owned()])
    };
    assert_eq!(moving(&plan), [to("core", "edge1", "edge2")]);
    // Nothing has changed by it.
    area.world.run_for(Duration::from_secs(3));
    assert_eq!(area.exit(), ["edge1"]);

    area.order(area.edge1, "prefer", SERVICE, "50");
    assert_eq!(area.exit(), ["edge2"]);
    let back = area.plan(area.edge1, SERVICE, "primary").unwrap();
    assert_eq!(moving(&back), [to("core", "edge2", "edge1")]);
    let same = area.plan(area.edge1, SERVICE, "50").unwrap();
    assert_eq!(moving(&same), []);

    // Without an announcement of its own, edge2 has the only exit, and the way there is open to edge1 too.
    let gone = area.plan(area.edge2, SERVICE, "0").unwrap();
    assert_eq!((gone.preference, &gone.after), (0, &None));
    assert!(moving(&gone).contains(&to("core", "edge2", "edge1")), "{:?}", moving(&gone));
}

#[test]
fn a_plan_refuses_what_cannot_be_ordered() {
    let area = area();
    for (prefix, level, says) in [
        ("payments", "standby", "`payments` is a group: plan one of its prefixes: 198.51.100.7/32"),
        ("203.0.113.0/24", "standby", "203.0.113.0/24 is not ours to announce"),
        ("2001:db8:7::1/128", "standby", "OSPFv2, which is for IPv4"),
        (SERVICE, "standbi", "unknown level `standbi`; did you mean `standby`?"),
    ] {
        let refused = area.plan(area.edge1, prefix, level).unwrap_err();
        assert!(refused.message().contains(says), "{refused:?}");
    }
}

#[test]
fn a_drain_moves_all_and_is_in_every_answer() {
    let mut area = area();
    let reply = area.order(area.edge1, "drain", "", "");
    let drain = reply.drain.unwrap();
    assert_eq!((drain.target.as_str(), drain.order.as_str()), ("", "drain"));
    assert_eq!(reply.announcements[0].preference, 10);
    let deliveries: Vec<(&str, &str, u32)> = reply
        .deliveries
        .iter()
        .map(|delivery| {
            let metric = delivery.prefixes[0].ospf.as_ref().unwrap().metric;
            (delivery.neighbor.as_str(), delivery.outcome.as_str(), metric)
        })
        .collect();
    assert_eq!(
        deliveries,
        [("ospf:edge2%e1", "acknowledged", 24_500), ("ospf:core%e1", "acknowledged", 24_500)]
    );
    assert_eq!(area.exit(), ["edge2"]);
    let status = area.ask(area.edge1, |agent, now| agent.status(now));
    assert_eq!(status.drain, Some(drain.clone()));
    assert_eq!(status.ospf.unwrap().stub_router, "drained");

    // It caps what is planned and ordered meanwhile.
    let plan = area.plan(area.edge1, SERVICE, "primary").unwrap();
    assert_eq!((plan.preference, moving(&plan).len()), (10, 0));
    let reply = area.order(area.edge1, "prefer", SERVICE, "primary");
    assert_eq!((reply.drain, reply.announcements[0].preference), (Some(drain), 10));

    let reply = area.order(area.edge1, "undrain", "", "");
    assert_eq!(reply.drain, None);
    assert_eq!(area.exit(), ["edge1"]);
    let why = area.ask(area.edge1, |agent, now| agent.why(SERVICE, now).unwrap()).ospf.unwrap();
    assert_eq!(why.because, "class default, primary (200): metric 5500");
    assert_eq!(why.announcement.unwrap().metric, 5_500);
    assert_eq!((why.waiting_us, why.unacknowledged.len()), (0, 0));
}

#[test]
fn who_does_not_fit_is_named_with_both_values() {
    let area = area_with("hello-interval = \"2s\"\ndead-interval = \"4s\"\n");
    let status = area.ask(area.edge1, |agent, now| agent.status(now));
    let says = "10.0.0.3 on e1: hello interval is 2 s, ours is 1 s";
    assert_eq!(status.warnings, [format!("OSPF neighbor {says}")]);
    let mismatches = area.neighbors(area.edge1).mismatches;
    assert_eq!(mismatches, status.ospf.unwrap().mismatches);
    assert_eq!(
        (mismatches[0].what.as_str(), mismatches[0].text.as_str()),
        ("hello-interval", says)
    );
}

#[test]
fn without_ospf_its_reads_say_what_is_missing() {
    let mut world = World::new(7);
    let alone = world.node(&Text::node("alone", "dc1", 64500, "192.0.2.1").payments().done());
    world.start(alone);
    let (agent, now) = (world.agent(alone).unwrap(), world.agent_now(alone));
    let refused = [
        agent.ospf_interfaces(&Default::default(), now).unwrap_err(),
        agent.ospf_neighbors(&Default::default(), now).unwrap_err(),
        agent.ospf_database(&Default::default(), None, 10, now).unwrap_err(),
        agent.ospf_routes(&Default::default(), None, 10, now).unwrap_err(),
        agent.plan(&Default::default(), now).unwrap_err(),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::NotFound);
        assert!(status.message().contains("[ospf] section"), "{status:?}");
    }
    assert_eq!(agent.status(now).ospf, None);
    assert_eq!(agent.why(SERVICE, now).unwrap().ospf, None);
}
