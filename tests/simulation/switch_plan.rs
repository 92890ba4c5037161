//! What a plan says, against what neighbours, area and kernel then have.

use std::collections::BTreeSet;
use std::time::Duration;

use shunt::agent::OrderId;
use shunt::api::v1::{
    Attributes, OspfDatabaseRequest, PlanSwitchReply, RoutesRequest, SwitchPlan, SwitchPlanMoment,
    SwitchRequest,
};
use shunt::sim::{Link, NodeId, Service, World};

const NODES: [(u8, &str, &str); 4] =
    [(1, "a1", "dc1"), (2, "a2", "dc1"), (3, "b1", "dc2"), (4, "b2", "dc2")];
const SERVICE: &str = "198.51.100.7/32";

/// Two edge nodes at each of two sites: an ISP outside, and a router of the area inside that is no node of the fleet.
struct Sites {
    world: World,
    nodes: [NodeId; 4],
    isp: NodeId,
    core: NodeId,
}

/// `groups` is the same text on all nodes.
fn edge((number, name, site): (u8, &str, &str), groups: &str) -> String {
    let node = |(number, name, site): (u8, &str, &str)| {
        format!(
            "[fleet.node.{name}]\nsite = \"{site}\"\naddresses = [\"10.0.{number}.1\"]\n\
             router-id = \"192.0.2.{number}\"\n"
        )
    };
    format!(
        "[node]\nname = \"{name}\"\nsite = \"{site}\"\nasn = 64500\nrouter-id = \"192.0.2.{number}\"\n\
         own-prefixes = [\"198.51.100.0/24\", \"10.128.0.0/9\", \"2001:db8:7::/48\"]\n[kernel]\ngrace = \"5s\"\n\
         [ospf]\nexport = \"groups\"\n[ospf.interface.e1]\nnetwork = \"point-to-point\"\n\
         [neighbor.isp]\naddress = \"10.1.{number}.2\"\nremote-as = 64496\nimport = \"none\"\nexport = \"groups\"\n\
         [neighbor.gone]\naddress = \"10.9.{number}.2\"\nremote-as = 64497\nimport = \"none\"\nexport = \"groups\"\n\
         [fleet]\n{}[site.dc1]\nid = 1\n[site.dc2]\nid = 2\n{groups}",
        NODES.map(node).concat()
    )
}

fn isp() -> String {
    let neighbor = |(number, name, _): (u8, &str, &str)| {
        format!(
            "[neighbor.{name}]\naddress = \"10.1.{number}.1\"\nremote-as = 64500\nimport = \"all\"\nexport = \"none\"\n"
        )
    };
    format!(
        "[node]\nname = \"isp\"\nsite = \"isp\"\nasn = 64496\nrouter-id = \"192.0.2.8\"\n{}",
        NODES.map(neighbor).concat()
    )
}

fn core() -> String {
    let interface =
        |number: u8| format!("[ospf.interface.e{number}]\nnetwork = \"point-to-point\"\n");
    format!(
        "[node]\nname = \"core\"\nsite = \"core\"\nasn = 64500\nrouter-id = \"192.0.2.9\"\n[ospf]\n{}",
        [1, 2, 3, 4].map(interface).concat()
    )
}

impl Sites {
    fn new(seed: u64, groups: &str) -> Sites {
        let mut world = World::new(seed);
        let nodes = NODES.map(|node| world.node(&edge(node, groups)));
        let (isp, core) = (world.node(&isp()), world.node(&core()));
        for (number, node) in (1..).zip(nodes) {
            let ends =
                |site: u8| (format!("10.{site}.{number}.1/24"), format!("10.{site}.{number}.2/24"));
            let (near, far) = ends(0);
            world.link((node, &near), (core, &far), Link::default());
            let (near, far) = ends(1);
            world.link((node, &near), (isp, &far), Link::default());
        }
        for node in nodes.into_iter().chain([isp, core]) {
            world.start(node);
        }
        world.run_for(Duration::from_secs(40));
        Sites { world, nodes, isp, core }
    }

    fn request(group: &str) -> SwitchRequest {
        SwitchRequest {
            act: "switch".to_owned(),
            groups: vec![group.to_owned()],
            to: "dc2".to_owned(),
            ..SwitchRequest::default()
        }
    }

    fn plan(&mut self, on: usize, group: &str) -> PlanSwitchReply {
        let node = self.nodes[on];
        let order = self.world.plan_switch(node, Sites::request(group));
        let planned = |world: &World| world.planned(node, order).is_some();
        assert!(self.world.run_until(Duration::from_secs(10), planned));
        self.world.planned(node, order).unwrap().clone().unwrap()
    }

    fn is_over(&self, on: usize, order: OrderId) -> bool {
        self.world.heard(self.nodes[on], order).ended.is_some()
    }

    /// What the ISP has of a prefix from a neighbour.
    fn heard_by_isp(&self, from: &str, prefix: &str) -> Option<Attributes> {
        let request = RoutesRequest {
            longer: prefix.to_owned(),
            neighbor: from.to_owned(),
            ..Default::default()
        };
        let now = self.world.agent_now(self.isp);
        let (routes, _) =
            self.world.agent(self.isp).unwrap().routes(&request, None, 10, now).unwrap();
        routes.first()?.paths.first()?.attributes.clone()
    }

    /// What the LSA of a router says of a prefix.
    fn heard_by_core(&self, router: &str, prefix: &str) -> Option<Vec<String>> {
        let request = OspfDatabaseRequest {
            r#type: "external".to_owned(),
            prefix: prefix.to_owned(),
            router: router.to_owned(),
        };
        let now = self.world.agent_now(self.core);
        let agent = self.world.agent(self.core).unwrap();
        let (lsas, _) = agent.ospf_database(&request, None, 1000, now).ok()?;
        lsas.into_iter().find(|lsa| lsa.age_s < 3600).map(|lsa| lsa.body)
    }

    fn kernel(&self, node: usize, prefix: &str) -> bool {
        let prefix = prefix.parse().unwrap();
        self.world.kernel_routes(self.nodes[node]).iter().any(|route| route.prefix == prefix)
    }
}

/// What a plan says that the ISP gets of a prefix at a moment.
fn told_by_bgp(moment: Option<&SwitchPlanMoment>) -> Option<Attributes> {
    let exports = &moment.unwrap().exports;
    let export = exports.iter().find(|export| export.neighbors == ["isp"])?;
    export.attributes.clone()
}

/// The same of the area, as the core shows it.
fn told_by_ospf(moment: Option<&SwitchPlanMoment>) -> Option<(u32, u32)> {
    let ospf = moment.unwrap().exports.iter().find_map(|export| export.ospf.clone())?;
    assert_eq!(ospf.how, "external-2");
    Some((ospf.metric, ospf.tag))
}

/// The moments of a prefix on a node: now, raised, then.
fn moments<'a>(
    plan: &'a SwitchPlan,
    node: &str,
    prefix: &str,
) -> [Option<&'a SwitchPlanMoment>; 3] {
    let node = plan.nodes.iter().find(|one| one.node == node).unwrap();
    let mut all = node.announcements.iter();
    let is_of =
        |prefixes: &[String]| prefixes.is_empty() || prefixes.iter().any(|known| known == prefix);
    let one = all.find(|one| is_of(&one.prefixes)).unwrap();
    [one.now.as_ref(), one.raised.as_ref(), one.then.as_ref()]
}

/// As values that follow each other: one that stays is one.
fn steps<T: PartialEq>(moments: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut steps: Vec<T> = moments.into_iter().collect();
    steps.dedup();
    steps
}

/// What the ISP has of a prefix from a node, and what the node's LSA says.
type Told = (Option<Attributes>, Option<Vec<String>>);

fn check_switch(groups: &str, prefixes: &[&str]) {
    let mut sites = Sites::new(1, groups);
    let reply = sites.plan(0, "payments");
    let plan = &reply.plans[0];
    assert_eq!((plan.nodes.len(), plan.obstacles.as_slice()), (4, &[][..]));
    // Everything that was seen while the switch went on, in its order.
    let mut seen: Vec<Vec<Told>> = Vec::new();
    let look = |sites: &Sites| {
        let mut all: Vec<Told> = Vec::new();
        for (number, node, _) in NODES {
            for prefix in prefixes {
                let router = format!("192.0.2.{number}");
                all.push((sites.heard_by_isp(node, prefix), sites.heard_by_core(&router, prefix)));
            }
        }
        all
    };
    let kernel_before: Vec<bool> = (0..4).map(|node| sites.kernel(node, SERVICE)).collect();
    seen.push(look(&sites));
    let request = SwitchRequest { digest: reply.digest.clone(), ..Sites::request("payments") };
    let order = sites.world.switch(sites.nodes[0], request);
    let mut left = 20_000;
    while !sites.is_over(0, order) {
        sites.world.run_for(Duration::from_micros(500));
        let now = look(&sites);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        left -= 1;
        assert!(left > 0, "{:#?}", sites.world.heard(sites.nodes[0], order));
    }
    assert_eq!(
        sites.world.heard(sites.nodes[0], order).ended.unwrap().map_err(|s| s.to_string()),
        Ok(())
    );
    sites.world.run_for(Duration::from_secs(20));
    seen.push(look(&sites));

    let each =
        NODES.iter().flat_map(|(_, node, _)| prefixes.iter().map(move |prefix| (*node, *prefix)));
    for (at, (node, prefix)) in each.enumerate() {
        let moments = moments(plan, node, prefix);
        let wire = steps(seen.iter().map(|all| all[at].0.clone()));
        assert_eq!(wire, steps(moments.map(told_by_bgp)), "{node} {prefix}");
        let area = steps(seen.iter().map(|all| all[at].1.clone()));
        let planned = steps(moments.map(told_by_ospf));
        assert_eq!(area.len(), planned.len(), "{node} {prefix}: {area:#?}, not {planned:?}");
        for (said, planned) in area.iter().zip(planned) {
            let says = |what: String| said.iter().flatten().any(|line| line.contains(&what));
            match planned {
                Some((metric, tag)) => {
                    assert!(says(format!("metric {metric}")), "{node}: {said:?}, not {metric}");
                    assert!(tag == 0 || says(format!("tag {tag}")), "{node}: {said:?}, not {tag}");
                }
                None => assert_eq!(*said, None, "{node}"),
            }
        }
    }
    for (at, (_, node, _)) in NODES.iter().enumerate() {
        let [now, _, then] = moments(plan, node, SERVICE);
        assert_eq!(kernel_before[at], !now.unwrap().kernel.is_empty(), "{node} before");
        assert_eq!(sites.kernel(at, SERVICE), !then.unwrap().kernel.is_empty(), "{node} then");
    }
    // Where the core sends it, which has no part in it.
    let exits: Vec<&SwitchPlan> = vec![plan];
    let core = exits[0].exits[0]
        .routers
        .iter()
        .find(|one| one.router.as_ref().unwrap().router_id == "192.0.2.9");
    let core = core.unwrap();
    let ids = |way: &Option<shunt::api::v1::PlanWay>| -> BTreeSet<String> {
        way.iter().flat_map(|way| &way.exits).map(|exit| exit.router_id.clone()).collect()
    };
    let two = |one: &str, other: &str| BTreeSet::from([one.to_owned(), other.to_owned()]);
    assert!(core.moves);
    assert_eq!(ids(&core.now), two("192.0.2.1", "192.0.2.2"));
    assert_eq!(ids(&core.raised), two("192.0.2.3", "192.0.2.4"));
    assert_eq!(ids(&core.then), two("192.0.2.3", "192.0.2.4"));
}

#[test]
fn what_a_plan_shows_is_what_is_then_announced() {
    check_switch(
        "[group.payments]\nprefixes = [\"198.51.100.7/32\", \"198.51.100.8/32\"]\n\
         base = { dc1 = \"primary\", dc2 = \"standby\" }\n",
        &[SERVICE, "198.51.100.8/32"],
    );
}

/// The standby announces nothing, and its kernel has the way to the other site; classes see it by steps.
#[test]
fn so_it_is_with_a_site_that_announces_nothing_and_a_mapping_of_steps() {
    check_switch(
        "[group.payments]\nprefixes = [\"198.51.100.7/32\"]\nbase = { dc1 = \"primary\", dc2 = 0 }\n\
         [mapping.default]\n100 = { med = 100, prepend = 3 }\n200 = { med = 50, prepend = 1 }\n\
         201 = { med = 10, prepend = 0 }\n",
        &[SERVICE],
    );
}

#[test]
fn the_same_world_has_the_same_digest_wherever_it_is_asked_and_another_has_not() {
    let groups = "[group.payments]\nprefixes = [\"198.51.100.7/32\", \"2001:db8:7::7/128\"]\n\
                  base = { dc1 = \"primary\", dc2 = \"standby\" }\nchecks = [\"web\"]\non-slow = \"-20\"\n\
                  [check.web]\ntcp = \"10.77.0.1:80\"\ninterval = \"1s\"\ntimeout = \"500ms\"\nslow = \"100ms\"\n";
    let mut sites = Sites::new(3, groups);
    let delay = Duration::from_millis(150);
    sites.world.set_service("10.77.0.1:80", Service { delay, ..Service::default() });
    sites.world.run_for(Duration::from_secs(30));
    let first = sites.plan(0, "payments");
    let lowered = ["check web is slow", "health or a rule lowers it: 80"];
    assert_eq!(first.plans[0].nodes[0].guards, lowered);
    // Another latency is the same verdict.
    let delay = Duration::from_millis(170);
    sites.world.set_service("10.77.0.1:80", Service { delay, ..Service::default() });
    sites.world.run_for(Duration::from_secs(600));
    assert_eq!(sites.plan(0, "payments"), first, "ten minutes make no difference");
    let b1 = first.plans[0].nodes.iter().find(|node| node.node == "b1").unwrap();
    assert_eq!(b1.announcements.len(), 2, "one for each family");
    assert_eq!(
        b1.untold,
        ["neighbor gone: no session", "neighbor isp: ipv6 was not negotiated on this session"]
    );
    let of = |reply: &PlanSwitchReply| (reply.plans[0].nodes.clone(), reply.plans[0].exits.len());
    assert_eq!(of(&sites.plan(2, "payments")), of(&first));

    let order = sites.world.order(sites.nodes[2], "prefer", SERVICE, "50");
    sites.world.run_for(Duration::from_secs(5));
    assert!(sites.world.answer(sites.nodes[2], order).unwrap().is_ok());
    assert_ne!(sites.plan(0, "payments").digest, first.digest);
    let request = SwitchRequest { digest: first.digest, ..Sites::request("payments") };
    let order = sites.world.switch(sites.nodes[0], request);
    sites.world.run_for(Duration::from_secs(5));
    let status = sites.world.heard(sites.nodes[0], order).ended.unwrap().unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
}

#[test]
fn a_thousand_prefixes_are_told_of_once() {
    let prefixes: Vec<String> =
        (0..1000).map(|n| format!("\"10.128.{}.{}/32\"", n / 250, n % 250)).collect();
    let groups = format!(
        "[group.payments]\nprefixes = [{}]\nbase = {{ dc1 = \"primary\", dc2 = \"standby\" }}\n",
        prefixes.join(", ")
    );
    let mut sites = Sites::new(4, &groups);
    sites.world.run_for(Duration::from_secs(60));
    let reply = sites.plan(0, "payments");
    let plan = &reply.plans[0];
    assert!(plan.nodes.iter().all(|node| node.announcements.len() == 1));
    assert_eq!(plan.exits.len(), 1);
    let size = serde_json::to_string(&reply).unwrap().len();
    println!("{size} octets of JSON");
    assert!(size < 40_000, "{size}");
}
