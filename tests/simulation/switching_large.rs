//! Many nodes, many prefixes, many groups.

use std::collections::BTreeSet;
use std::time::Duration;

use shunt::api::v1::SwitchRequest;
use shunt::sim::{Link, NodeId, World};

/// Nodes at two sites, each with a session to the one outside, which has all their routes.
struct Sites {
    world: World,
    nodes: Vec<NodeId>,
    outside: NodeId,
}

fn site(number: usize) -> &'static str {
    ["dc1", "dc2"][number % 2]
}

impl Sites {
    /// `groups` is the part of the configuration that has the groups.
    fn new(count: usize, groups: &str) -> Sites {
        let fleet: String = (0..count)
            .map(|number| {
                format!(
                    "[fleet.node.n{number}]\nsite = \"{}\"\naddresses = [\"10.1.{number}.1\"]\n\
                     router-id = \"192.0.2.{}\"\n",
                    site(number),
                    number + 1
                )
            })
            .collect();
        let mut world = World::new(1);
        let mut sessions = String::new();
        let mut nodes = Vec::new();
        for number in 0..count {
            let text = format!(
                "[node]\nname = \"n{number}\"\nsite = \"{}\"\nasn = 64500\nrouter-id = \"192.0.2.{}\"\n\
                 own-prefixes = [\"10.0.0.0/8\"]\n[fleet]\n{fleet}[site.dc1]\nid = 1\n[site.dc2]\nid = 2\n{groups}\
                 [neighbor.outside]\naddress = \"10.1.{number}.2\"\nremote-as = 64496\nexport = \"groups\"\n",
                site(number),
                number + 1
            );
            nodes.push(world.node(&text));
            sessions += &format!(
                "[neighbor.n{number}]\naddress = \"10.1.{number}.1\"\nremote-as = 64500\nimport = \"all\"\n"
            );
        }
        let outside = world.node(&format!(
            "[node]\nname = \"outside\"\nsite = \"outside\"\nasn = 64496\nrouter-id = \"192.0.2.200\"\n{sessions}"
        ));
        for (number, node) in nodes.iter().enumerate() {
            let near = format!("10.1.{number}.1/24");
            let far = format!("10.1.{number}.2/24");
            world.link((*node, &near), (outside, &far), Link::default());
        }
        for node in nodes.iter().chain([&outside]) {
            world.start(*node);
        }
        world.run_for(Duration::from_secs(30));
        Sites { world, nodes, outside }
    }

    /// How many routes outside lead to each site.
    fn exits(&self) -> [usize; 2] {
        let mut exits = [0; 2];
        for route in self.world.kernel_routes(self.outside) {
            let hops = format!("{:?}", route.hops);
            let leads = |number: &usize| hops.contains(&format!("10.1.{number}.1"));
            let sites: BTreeSet<usize> =
                (0..self.nodes.len()).filter(leads).map(|number| number % 2).collect();
            sites.into_iter().for_each(|site| exits[site] += 1);
        }
        exits
    }
}

fn group(name: &str, first: u32, count: u32, more: &str) -> String {
    let prefixes: Vec<String> = (first..first + count)
        .map(|number| format!("\"{}/32\"", std::net::Ipv4Addr::from(0x0a20_0000 + number)))
        .collect();
    format!(
        "[group.{name}]\nprefixes = [{}]\nbase = {{ dc1 = \"primary\", dc2 = \"standby\" }}\n{more}",
        prefixes.join(", ")
    )
}

/// `SHUNT_NODES` and `SHUNT_PREFIXES` make it larger.
#[test]
fn a_large_group_moves_at_once() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    let (count, prefixes) =
        (number("SHUNT_NODES").unwrap_or(10), number("SHUNT_PREFIXES").unwrap_or(100));
    let mut sites = Sites::new(count, &group("large", 0, prefixes as u32, ""));
    assert_eq!(sites.exits(), [prefixes, 0]);
    let before = sites.world.questions();
    let began = sites.world.now();
    let request = SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["large".to_owned()],
        to: "dc2".to_owned(),
        ..SwitchRequest::default()
    };
    let on = sites.nodes[0];
    let order = sites.world.switch(on, request);
    let over = |world: &World| world.heard(on, order).ended.is_some();
    assert!(sites.world.run_until(Duration::from_secs(60), over));
    let took = sites.world.now().since(began);
    let questions = sites.world.questions() - before;
    let heard = sites.world.heard(on, order);
    assert_eq!(heard.ending("large").unwrap().outcome, "committed", "{heard:?}");
    println!("{count} nodes, {prefixes} prefixes: {took:?}, {questions} questions between nodes");
    sites.world.run_for(Duration::from_secs(5));
    assert_eq!(sites.exits(), [0, prefixes]);
    // Survey, prepare, raise or lower, see twice, commit; and what the nodes exchange anyway.
    assert!(questions < 8 * count as u64 + (count * count) as u64, "{questions}");
}

/// Each group in its turn, some at a time, and nobody is left behind.
#[test]
fn a_site_is_evacuated_in_the_order_that_is_configured() {
    let groups = [
        group("web", 0, 2, "[group.web.switch]\nafter = [\"database\"]\n"),
        group("database", 2, 2, ""),
        group("mail", 4, 2, ""),
        group("spare", 6, 2, ""),
    ];
    let mut sites = Sites::new(4, &groups.concat());
    let request = SwitchRequest {
        act: "evacuate".to_owned(),
        leave: "dc1".to_owned(),
        groups: vec!["spare".to_owned()],
        ..SwitchRequest::default()
    };
    let on = sites.nodes[1];
    let order = sites.world.switch(on, request);
    let over = |world: &World| world.heard(on, order).ended.is_some();
    assert!(sites.world.run_until(Duration::from_secs(60), over));
    let heard = sites.world.heard(on, order);
    for name in ["web", "database", "mail"] {
        assert_eq!(heard.ending(name).unwrap().outcome, "committed", "{name}: {heard:?}");
    }
    assert!(heard.ending("spare").is_none(), "it was left out");
    let position = |group: &str, is_end: bool| {
        let is_it = |one: &shunt::api::v1::SwitchProgress| {
            one.group == group && one.ending.is_some() == is_end
        };
        heard.progress.iter().position(is_it).unwrap()
    };
    assert!(position("web", false) > position("database", true), "it goes behind");
    assert!(position("mail", false) < position("database", true), "these go side by side");
    sites.world.run_for(Duration::from_secs(5));
    assert_eq!(sites.exits(), [2, 6]);
}
