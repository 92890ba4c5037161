//! Who is next outbids a preferred announcer that has vanished, and gives way when it is back for good.

use std::time::Duration;

use shunt::sim::{Link, LinkId, NodeId, World};

const PAYMENTS: &str = "198.51.100.7/32";

/// A core router and firewalls on one LAN; the first firewall is preferred, the second next, and so on. Each two of them
/// have a link of their own as well.
struct Site {
    world: World,
    core: NodeId,
    firewalls: Vec<NodeId>,
    lan: LinkId,
}

fn configuration(number: usize, base: u8, interfaces: usize) -> String {
    let mut text = format!(
        r#"
[node]
name = "r{number}"
site = "dc1"
router-id = "192.0.2.{number}"
own-prefixes = ["198.51.100.0/24"]

[group.payments]
prefixes = ["{PAYMENTS}"]
base = {{ dc1 = {base} }}
on-loss = "raise"
return-after = "30s"

[ospf]
export = "groups"
"#
    );
    for interface in 1..=interfaces {
        text += &format!(
            "\n[ospf.interface.e{interface}]\nhello-interval = \"250ms\"\ndead-interval = \"1s\"\n"
        );
    }
    text
}

impl Site {
    fn new(seed: u64, bases: &[u8]) -> Site {
        let mut world = World::new(seed);
        let core = world.node(&configuration(1, 0, 1));
        let firewalls: Vec<NodeId> = (2..)
            .zip(bases)
            .map(|(number, base)| world.node(&configuration(number, *base, 1)))
            .collect();
        let addresses: Vec<String> =
            (1..=1 + bases.len()).map(|number| format!("10.0.0.{number}/24")).collect();
        let nodes = [core].into_iter().chain(firewalls.iter().copied());
        let ends: Vec<(NodeId, &str)> = nodes.zip(addresses.iter().map(String::as_str)).collect();
        let lan = world.lan(&ends, Link::default());
        for (node, _) in ends {
            world.start(node);
        }
        let mut site = Site { world, core, firewalls, lan };
        site.wait(20);
        assert_eq!(site.exit(), Some(2), "the first firewall is preferred");
        site
    }

    fn wait(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    fn preference(&self, firewall: usize) -> u32 {
        let agent = self.world.agent(self.firewalls[firewall]).unwrap();
        agent.groups("payments", self.world.agent_now(self.firewalls[firewall])).unwrap().groups[0]
            .announcements[0]
            .preference
    }

    fn exit(&self) -> Option<u8> {
        exit(&self.world, self.core)
    }

    fn because(&self, firewall: usize) -> String {
        let agent = self.world.agent(self.firewalls[firewall]).unwrap();
        let groups =
            agent.groups("payments", self.world.agent_now(self.firewalls[firewall])).unwrap();
        groups.groups[0].announcements[0].because.last().cloned().unwrap_or_default()
    }
}

#[test]
fn a_dead_announcer_is_outbid_until_it_has_been_back_for_long() {
    let mut site = Site::new(1, &[200, 100]);
    site.world.power_off(site.firewalls[0]);
    site.wait(2);
    assert_eq!(site.preference(1), 201, "the least that beats it");
    assert_eq!(site.exit(), Some(3));
    assert!(
        site.because(1).starts_with("router 192.0.2.2 has vanished: raised to 201, since "),
        "{}",
        site.because(1)
    );
    let [entry] = site.world.ledger(site.firewalls[1]) else { panic!("one entry") };
    assert_eq!((entry.kind.as_str(), entry.group.as_str()), ("failover", "payments"));
    assert!(entry.why.starts_with("router 192.0.2.2 has vanished: "), "{}", entry.why);

    // Back, but not yet for long: the traffic stays where it is.
    let first = site.firewalls[0];
    site.world.start(first);
    site.wait(25);
    assert_eq!((site.preference(0), site.preference(1)), (200, 201));
    assert_eq!(site.exit(), Some(3));

    // It goes down once more: the time begins anew.
    site.world.power_off(first);
    site.wait(3);
    site.world.start(first);
    site.wait(25);
    assert_eq!((site.preference(1), site.exit()), (201, Some(3)));
    site.wait(30);
    assert_eq!((site.preference(1), site.exit()), (100, Some(2)));
}

#[test]
fn who_leaves_in_good_order_is_not_outbid() {
    let mut site = Site::new(2, &[200, 100]);
    site.world.deliver(site.firewalls[0], shunt::agent::Event::StopWanted);
    site.wait(5);
    assert_eq!((site.preference(1), site.exit()), (100, Some(3)));
}

#[test]
fn a_fault_of_our_own_link_says_nothing_of_others() {
    let mut site = Site::new(3, &[200, 100]);
    site.world.unplug(site.lan);
    site.wait(5);
    assert_eq!(site.preference(1), 100);
    site.world.mend(site.lan);
    site.wait(20);
    assert_eq!((site.preference(1), site.exit()), (100, Some(2)));
}

#[test]
fn only_the_next_in_line_acts() {
    let mut site = Site::new(4, &[200, 150, 100]);
    site.world.power_off(site.firewalls[0]);
    site.wait(3);
    assert_eq!((site.preference(1), site.preference(2), site.exit()), (201, 100, Some(3)));
    // And if that one dies as well, the last one does.
    site.world.power_off(site.firewalls[1]);
    site.wait(3);
    assert_eq!((site.preference(2), site.exit()), (202, Some(4)));
}

#[test]
fn what_is_withdrawn_or_drained_is_not_raised() {
    for (order, target, expected) in [("withdraw", "payments", 0), ("drain", "", 10)] {
        let mut site = Site::new(5, &[200, 100]);
        site.world.order(site.firewalls[1], order, target, "");
        site.wait(1);
        site.world.power_off(site.firewalls[0]);
        site.wait(3);
        assert_eq!(site.preference(1), expected, "{order}");
    }
}

/// A core router with a link to each of two firewalls, which have one between them, all with BFD at 50 ms × 3; the first
/// firewall announces with preference 200, the second one with 100.
struct Triangle {
    world: World,
    core: NodeId,
    firewalls: [NodeId; 2],
    links: [LinkId; 2],
}

impl Triangle {
    fn new(seed: u64, how: &str, costs: [u16; 2]) -> Triangle {
        let mut world = World::new(seed);
        let text = |number: usize, base: u8, costs: [u16; 2]| {
            let mut text = format!(
                "[node]\nname = \"r{number}\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.{number}\"\n\
                 own-prefixes = [\"198.51.100.0/24\"]\n[group.payments]\nprefixes = [\"{PAYMENTS}\"]\n\
                 base = {{ dc1 = {base} }}\nospf = \"{how}\"\non-loss = \"raise\"\nreturn-after = \"5s\"\n\
                 [bfd.profile.fast]\ntransmit-interval = \"50ms\"\nreceive-interval = \"50ms\"\nmultiplier = 3\n\
                 [ospf]\nexport = \"groups\"\n"
            );
            for (interface, cost) in (1..).zip(costs) {
                text += &format!(
                    "[ospf.interface.e{interface}]\nnetwork = \"point-to-point\"\ncost = {cost}\nbfd = \"fast\"\n\
                     hello-interval = \"1s\"\ndead-interval = \"4s\"\n"
                );
            }
            text
        };
        let core = world.node(&text(1, 0, costs));
        let first = world.node(&text(2, 200, [costs[0], 10]));
        let second = world.node(&text(3, 100, [costs[1], 10]));
        let link = |world: &mut World, network: u8, ends: [(NodeId, u8); 2]| {
            let ends = ends.map(|(node, host)| (node, format!("10.0.{network}.{host}/24")));
            let [a, b] = &ends;
            world.link((a.0, &a.1), (b.0, &b.1), Link::default())
        };
        let left = link(&mut world, 1, [(core, 1), (first, 2)]);
        link(&mut world, 2, [(core, 1), (second, 3)]);
        let middle = link(&mut world, 3, [(first, 2), (second, 3)]);
        for node in [core, first, second] {
            world.start(node);
        }
        world.run_for(Duration::from_secs(20));
        let links = [left, middle];
        let triangle = Triangle { world, core, firewalls: [first, second], links };
        assert_eq!(triangle.exit(), Some(2), "the first firewall is preferred");
        triangle
    }

    fn exit(&self) -> Option<u8> {
        exit(&self.world, self.core)
    }

    fn preference(&self) -> u32 {
        let (agent, now) =
            (self.world.agent(self.firewalls[1]).unwrap(), self.world.agent_now(self.firewalls[1]));
        agent.groups("payments", now).unwrap().groups[0].announcements[0].preference
    }

    /// From the cut of the first firewall's links until the core has the other one.
    fn death(&mut self) -> Duration {
        let died = self.world.now();
        for link in self.links {
            self.world.cut(link);
        }
        let core = self.core;
        let moved = |world: &World| exit(world, core) == Some(3);
        assert!(self.world.run_until(Duration::from_secs(5), moved), "{:?}", self.exit());
        self.world.now().since(died)
    }
}

/// However it is announced, and also where the core is nearer to the dead one.
#[test]
fn the_silent_death_of_a_firewall_is_over_in_160_ms() {
    for how in ["external-2", "external-1", "stub"] {
        for costs in [[10, 10], [10, 1000]] {
            for seed in 0..10 {
                let mut triangle = Triangle::new(seed, how, costs);
                let taken = triangle.death();
                assert!(
                    taken <= Duration::from_millis(160),
                    "{how}, costs {costs:?}, seed {seed}: {taken:?}"
                );
            }
        }
    }
}

#[test]
fn where_the_way_counts_it_is_outbid_for_all_and_lowered_without_a_gap() {
    // By E2's metric alone; as far as we are behind it; and no farther than we are.
    let cases = [
        ("external-2", [10, 1000], 201),
        ("external-1", [10, 1000], 211),
        ("stub", [10, 1000], 211),
        ("stub", [10, 10], 201),
    ];
    for (how, costs, raised) in cases {
        let mut triangle = Triangle::new(1, how, costs);
        triangle.death();
        triangle.world.run_for(Duration::from_secs(1));
        assert_eq!(triangle.preference(), raised, "{how} {costs:?}");
        for link in triangle.links {
            triangle.world.mend(link);
        }
        // All the way back there is a route, and it goes to the second one until that one lowers.
        let (core, mut last) = (triangle.core, Some(3));
        let back = triangle.world.run_until(Duration::from_secs(30), |world| {
            let now = exit(world, core);
            assert!(now.is_some(), "{how} {costs:?}: no route");
            assert!(last == Some(3) || now == Some(2), "{how} {costs:?}: back and forth");
            last = now;
            false
        });
        assert!(!back);
        assert_eq!((triangle.preference(), last), (100, Some(2)), "{how} {costs:?}");
    }
}

/// The last octet of the gateway that the core's kernel has for the service.
fn exit(world: &World, core: NodeId) -> Option<u8> {
    let routes = world.kernel_routes(core);
    let route = routes.iter().find(|route| route.prefix.to_string() == PAYMENTS)?;
    match route.hops.as_slice() {
        [hop] => match hop.gateway {
            std::net::IpAddr::V4(gateway) => Some(gateway.octets()[3]),
            std::net::IpAddr::V6(_) => None,
        },
        _ => None,
    }
}
