//! Who is there and how they are connected. Only documentation addresses (RFC 5737) and AS numbers (RFC 5398), and a
//! private network at each site.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

pub const PICTURE: &str = "
        client-a                    client-b          customers of one ISP each
            |                           |
     isp-a AS 64496 ------------ isp-b AS 64497
            |    \\               /      |
            |      ----     ----        |              BGP
            |           \\ /             |
            |      ----     ----        |
            |    /               \\      |
     edge1 AS 64500              edge2 AS 64500        our edge nodes
            |                           |
          core1 --------------------- core2            OSPF, with BFD to the firewalls of dc1
          /   \\                       /   \\
   office1    =======              fw2   office2       second-level firewalls, and our own people:
              |     |               |                  dc1 has two, and one gateway address
             fw1   fw1b             |                  by VRRP, dc2 has one
              |     |               |
              =======               |
                 |                  |
            app1 in dc1        app2 in dc2             both are 198.51.100.7
";

pub const NODES: [&str; 16] = [
    "client-a", "client-b", "isp-a", "isp-b", "edge1", "edge2", "fw1", "fw1b", "fw2", "core1",
    "core2", "app1", "app2", "office1", "office2", SWITCH,
];

/// Nodes that run a `shuntd`.
pub const ROUTERS: [&str; 9] =
    ["isp-a", "isp-b", "edge1", "edge2", "core1", "core2", "fw1", "fw1b", "fw2"];

/// The firewalls that are one gateway. Who is Active stays it, so the first is to be started before the second.
pub const PAIR: [&str; 2] = ["fw1", "fw1b"];

/// Their virtual router.
pub const GATEWAY: &str = "gateway";
const GATEWAY_ADDRESS: &str = "10.0.3.1";

/// Has a bridge for each LAN, with a port for each of its nodes.
pub const SWITCH: &str = "switch1";

/// Who asks, with their address: customers of the ISPs, and our own people.
pub const CLIENTS: [(&str, Ipv4Addr); 4] = [
    ("client-a", Ipv4Addr::new(203, 0, 113, 10)),
    ("client-b", Ipv4Addr::new(203, 0, 113, 140)),
    ("office1", Ipv4Addr::new(10, 0, 1, 10)),
    ("office2", Ipv4Addr::new(10, 0, 2, 10)),
];

/// What the clients ask. It is in both data centres.
pub const SERVICE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub const SERVICE_PORT: u16 = 7;

pub struct Host {
    pub node: &'static str,
    pub site: &'static str,
    pub address: Ipv4Addr,
}

pub const SERVICE_HOSTS: [Host; 2] = [
    Host { node: "app1", site: "dc1", address: SERVICE },
    Host { node: "app2", site: "dc2", address: SERVICE },
];

pub struct Link {
    pub ends: [(&'static str, &'static str); 2],
    pub length: u8,
}

impl Link {
    /// The node at the other end and the address at this one, if `node` is at one.
    pub fn seen_from(&self, node: &str) -> Option<(&'static str, &'static str)> {
        let [(a, a_address), (b, b_address)] = self.ends;
        if node == a {
            Some((b, a_address))
        } else if node == b {
            Some((a, b_address))
        } else {
            None
        }
    }
}

/// A network of more than two, by the switch. Its interfaces are named after it.
pub struct Lan {
    pub name: &'static str,
    pub members: &'static [(&'static str, &'static str)],
    pub length: u8,
}

impl Lan {
    /// A node's address, if it is there.
    pub fn address(&self, node: &str) -> Option<&'static str> {
        self.members.iter().find(|(name, _)| *name == node).map(|(_, address)| *address)
    }

    /// The switch's port of a node.
    pub fn port(&self, node: &str) -> String {
        format!("{node}-{}", self.name)
    }
}

/// The two sides of dc1's firewalls.
pub const LANS: [Lan; 2] = [
    Lan {
        name: "outside",
        members: &[("core1", "10.0.5.1"), ("fw1", "10.0.5.2"), ("fw1b", "10.0.5.3")],
        length: 24,
    },
    Lan {
        name: "inside",
        members: &[("app1", "10.0.3.2"), ("fw1", "10.0.3.3"), ("fw1b", "10.0.3.4")],
        length: 24,
    },
];

/// An interface of a node: its name, the address and the prefix's length.
pub fn interfaces(node: &str) -> Vec<(&'static str, &'static str, u8)> {
    let links = LINKS.iter().filter_map(|link| {
        let (other, address) = link.seen_from(node)?;
        Some((other, address, link.length))
    });
    let lans = LANS.iter().filter_map(|lan| Some((lan.name, lan.address(node)?, lan.length)));
    links.chain(lans).collect()
}

pub const LINKS: [Link; 14] = [
    Link { ends: [("isp-a", "192.0.2.1"), ("isp-b", "192.0.2.2")], length: 30 },
    Link { ends: [("isp-a", "192.0.2.5"), ("edge1", "192.0.2.6")], length: 30 },
    Link { ends: [("isp-b", "192.0.2.9"), ("edge1", "192.0.2.10")], length: 30 },
    Link { ends: [("isp-a", "192.0.2.13"), ("edge2", "192.0.2.14")], length: 30 },
    Link { ends: [("isp-b", "192.0.2.17"), ("edge2", "192.0.2.18")], length: 30 },
    Link { ends: [("isp-a", "203.0.113.1"), ("client-a", "203.0.113.10")], length: 25 },
    Link { ends: [("isp-b", "203.0.113.129"), ("client-b", "203.0.113.140")], length: 25 },
    Link { ends: [("edge1", "10.0.0.1"), ("core1", "10.0.0.2")], length: 30 },
    Link { ends: [("edge2", "10.0.0.5"), ("core2", "10.0.0.6")], length: 30 },
    Link { ends: [("fw2", "10.0.0.13"), ("core2", "10.0.0.14")], length: 30 },
    Link { ends: [("core1", "10.0.0.17"), ("core2", "10.0.0.18")], length: 30 },
    Link { ends: [("core1", "10.0.1.1"), ("office1", "10.0.1.10")], length: 24 },
    Link { ends: [("core2", "10.0.2.1"), ("office2", "10.0.2.10")], length: 24 },
    Link { ends: [("fw2", "10.0.4.1"), ("app2", "10.0.4.2")], length: 24 },
];

/// A route that is there from the start. Everything else is learned, from the ISPs by BGP and inside by OSPF.
pub struct Static {
    pub node: &'static str,
    pub prefix: &'static str,
    pub via: &'static str,
}

const STATICS: [Static; 14] = [
    Static { node: "client-a", prefix: "default", via: "203.0.113.1" },
    Static { node: "client-b", prefix: "default", via: "203.0.113.129" },
    Static { node: "office1", prefix: "default", via: "10.0.1.1" },
    Static { node: "office2", prefix: "default", via: "10.0.2.1" },
    Static { node: "app1", prefix: "default", via: GATEWAY_ADDRESS },
    Static { node: "app2", prefix: "default", via: "10.0.4.1" },
    // Answers to the Internet leave by the site's own edge.
    Static { node: "fw1", prefix: "default", via: "10.0.5.1" },
    Static { node: "fw1b", prefix: "default", via: "10.0.5.1" },
    Static { node: "fw2", prefix: "default", via: "10.0.0.14" },
    Static { node: "core1", prefix: "default", via: "10.0.0.1" },
    Static { node: "core2", prefix: "default", via: "10.0.0.5" },
    Static { node: "fw1", prefix: "198.51.100.0/24", via: "10.0.3.2" },
    Static { node: "fw1b", prefix: "198.51.100.0/24", via: "10.0.3.2" },
    Static { node: "fw2", prefix: "198.51.100.0/24", via: "10.0.4.2" },
];

impl Static {
    pub fn of(node: &str) -> impl Iterator<Item = &'static Static> {
        STATICS.iter().filter(move |route| route.node == node)
    }
}

/// A router in its configuration's words.
struct Router {
    kind: Kind,
    site: &'static str,
    own_prefix: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Isp {
        asn: u32,
    },
    /// BGP to the ISPs, OSPF inside.
    Edge,
    /// Announces the service into the area.
    Firewall,
    /// The same, as one of two.
    Twin,
    /// Announces nothing.
    Core,
}

const OWN_ASN: u32 = 64500;

fn router(name: &str) -> Option<Router> {
    let service = "198.51.100.0/24";
    let (kind, site, own_prefix) = match name {
        "isp-a" => (Kind::Isp { asn: 64496 }, "isp-a", "203.0.113.0/25"),
        "isp-b" => (Kind::Isp { asn: 64497 }, "isp-b", "203.0.113.128/25"),
        "edge1" => (Kind::Edge, "dc1", service),
        "edge2" => (Kind::Edge, "dc2", service),
        "fw1" | "fw1b" => (Kind::Twin, "dc1", service),
        "fw2" => (Kind::Firewall, "dc2", service),
        "core1" => (Kind::Core, "dc1", service),
        "core2" => (Kind::Core, "dc2", service),
        _ => return None,
    };
    Some(Router { kind, site, own_prefix })
}

/// Routers at the other ends of a router's links inside.
pub fn adjacencies(name: &str) -> usize {
    let is_inside = |name: &str| router(name).is_some_and(|router| !router.kind.is_isp());
    if !is_inside(name) {
        return 0;
    }
    let others = LINKS.iter().filter_map(|link| Some(link.seen_from(name)?.0));
    // On the LAN that they have in common core1 is the designated router and one of the firewalls its backup, so that
    // each is adjacent to the two others.
    let on_lan = if LANS[0].address(name).is_some() { 2 } else { 0 };
    others.filter(|other| is_inside(other)).count() + on_lan
}

impl Kind {
    fn asn(self) -> u32 {
        if let Kind::Isp { asn } = self { asn } else { OWN_ASN }
    }

    fn is_isp(self) -> bool {
        matches!(self, Kind::Isp { .. })
    }
}

/// The configuration file of a router.
pub fn configuration(name: &str) -> Option<String> {
    let Router { kind, site, own_prefix } = router(name)?;
    let others: Vec<_> = LINKS
        .iter()
        .filter_map(|link| {
            let (other, own) = link.seen_from(name)?;
            let (_, address) = link.seen_from(other)?;
            Some((other, router(other).map(|router| router.kind), own, address))
        })
        .collect();
    let (_, router_id, _) = *interfaces(name).first()?;

    let mut text = String::new();
    let _ = write!(
        text,
        r#"[node]
name = "{name}"
site = "{site}"
asn = {}
router-id = "{router_id}"
own-prefixes = ["{own_prefix}"]
"#,
        kind.asn()
    );
    text += match kind {
        Kind::Isp { .. } => ISP,
        Kind::Edge => EDGE,
        Kind::Firewall | Kind::Twin => FIREWALL,
        Kind::Core => CORE,
    };
    if kind.is_isp() {
        let _ = write!(
            text,
            "\n[group.customers]\nprefixes = [\"{own_prefix}\"]\nbase = {{ {site} = \"primary\" }}\n"
        );
    }
    for (other, other_kind, _, address) in &others {
        match (kind.is_isp(), other_kind) {
            (true, None) => {}
            (false, other_kind) if !other_kind.is_some_and(Kind::is_isp) => {
                // Offices and services are told of, and not asked.
                let passive = if other_kind.is_none() { "passive = true\n" } else { "" };
                let _ = write!(text, "\n[ospf.interface.{other}]\n{passive}{LINK}");
            }
            (is_isp, Some(other_kind)) => {
                let policy = match (is_isp, other_kind.is_isp()) {
                    (true, true) => "import = \"all\"\nexport = \"transit\"\nrole = \"peer\"",
                    (true, false) => "import = \"all\"\nexport = \"transit\"\nrole = \"provider\"",
                    (false, _) => {
                        "class = \"isp\"\nimport = \"all\"\nexport = \"groups\"\nrole = \"customer\""
                    }
                };
                let _ = write!(
                    text,
                    r#"
[neighbor.{other}]
address = "{address}"
remote-as = {}
{policy}
hold-time = "3s"
connect-retry = "100ms"
"#,
                    other_kind.asn()
                );
            }
            (false, None) => {}
        }
    }
    match kind {
        Kind::Core if LANS[0].address(name).is_some() => text += CORE_OF_PAIR,
        Kind::Twin => {
            let (place, other) = if name == PAIR[0] { (150, PAIR[1]) } else { (100, PAIR[0]) };
            let [outside, inside] = &LANS;
            let twin_id = outside.address(other)?;
            let _ = write!(text, "{TWIN}priority = {place}\ntwin = \"{twin_id}\"\n");
            let address = inside.address(other)?;
            let _ = write!(
                text,
                "\n[bfd.session.{other}]\naddress = \"{address}\"\nprofile = \"fast\"\n\
                 router-id = \"{twin_id}\"\n"
            );
        }
        _ => {}
    }
    Some(text)
}

const ISP: &str = "
[kernel]
metric = 20
";

/// The same on both edges: what differs is the site. A site that `base` does not name announces nothing until it is told to.
const EDGE: &str = r#"
[mapping.isp]
primary = { med = 0 }
standby = { med = 100, prepend = 2 }
drain = { med = 200, prepend = 3, communities = ["graceful-shutdown"] }

[group.payments]
prefixes = ["198.51.100.7/32"]

[ospf]
export = "none"
"#;

/// The group is the edges' as well: whoever has it is told what its preference is.
const FIREWALL: &str = r#"
[ospf]
export = "groups"

[group.payments]
prefixes = ["198.51.100.7/32"]
ospf = "external-2"
"#;

/// Continues the group: both of the pair announce it, the Active one as it is told, the Backup no more than between
/// primary and standby. Who dies leaves a second way in the area, which is better than that to the other site. Whoever
/// takes over announces more than the dead one did: a router that has not computed its paths anew since then would
/// otherwise take both for equally good.
const TWIN: &str = r#"follow = "gateway"
backup = 150
on-loss = "raise"
return-after = "2s"

[ospf.interface.outside]
hello-interval = "250ms"
dead-interval = "1s"
bfd = "fast"

[ospf.interface.inside]
passive = true
follow = "gateway"

[bfd.profile.fast]
transmit-interval = "50ms"
receive-interval = "50ms"
multiplier = 3

# Without a way to the core it is no gateway, and says so: when it meets another Active again it yields.
[[vrrp.gateway.track]]
ospf-interface = "outside"
lower-by = 60

[vrrp.gateway]
interface = "inside"
id = 1
addresses = ["10.0.3.1"]
interval = "100ms"
preempt = false
"#;

const CORE_OF_PAIR: &str = r#"
# The designated router.
[ospf.interface.outside]
priority = 100
hello-interval = "250ms"
dead-interval = "1s"
bfd = "fast"

[bfd.profile.fast]
transmit-interval = "50ms"
receive-interval = "50ms"
multiplier = 3
"#;

const CORE: &str = r#"
[ospf]
export = "none"
"#;

/// A neighbour that says nothing for a second is gone.
const LINK: &str = r#"network = "point-to-point"
hello-interval = "250ms"
dead-interval = "1s"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn every_router_has_a_good_configuration() {
        for name in ROUTERS {
            let text = configuration(name).unwrap();
            let config = config::parse(&text, name, &mut |_| Err("not asked for".to_owned()))
                .unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(&text, false)));
            let ospf = config.ospf_settings().map_or(0, |settings| settings.interfaces.len());
            let expected = match &name[..2] {
                "is" => (3, 0),
                "ed" => (2, 1),
                "fw" => (0, 2),
                // core1 has one link less, and the LAN.
                _ => (0, 4),
            };
            assert_eq!((config.neighbors.len(), ospf), expected, "{name}");
        }
        assert_eq!(configuration("app1"), None);
    }
}
