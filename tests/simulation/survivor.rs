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

    /// The last octet of the gateway that the core's kernel has for the service.
    fn exit(&self) -> Option<u8> {
        let routes = self.world.kernel_routes(self.core);
        let route = routes.iter().find(|route| route.prefix.to_string() == PAYMENTS)?;
        match route.hops.as_slice() {
            [hop] => match hop.gateway {
                std::net::IpAddr::V4(gateway) => Some(gateway.octets()[3]),
                std::net::IpAddr::V6(_) => None,
            },
            _ => None,
        }
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
