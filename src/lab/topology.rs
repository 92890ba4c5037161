//! Who is there and how they are connected. Only documentation addresses (RFC 5737) and AS numbers (RFC 5398), and a
//! private network at each site.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

pub const PICTURE: &str = "
        client-a                    client-b          customers of one ISP each
            |                           |
     isp-a AS 64496 ------------ isp-b AS 64497
            |    \\               /      |
            |      ----     ----        |
            |           \\ /             |
            |      ----     ----        |
            |    /               \\      |
     edge1 AS 64500              edge2 AS 64500      our edge nodes
            |                           |
      app1 in dc1                 app2 in dc2        both are 198.51.100.7
";

pub const NODES: [&str; 8] =
    ["client-a", "client-b", "isp-a", "isp-b", "edge1", "edge2", "app1", "app2"];

/// Nodes that run a `shuntd`.
pub const ROUTERS: [&str; 4] = ["isp-a", "isp-b", "edge1", "edge2"];

/// The clients with their address.
pub const CLIENTS: [(&str, Ipv4Addr); 2] =
    [("client-a", Ipv4Addr::new(203, 0, 113, 10)), ("client-b", Ipv4Addr::new(203, 0, 113, 140))];

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

pub const LINKS: [Link; 9] = [
    Link { ends: [("isp-a", "192.0.2.1"), ("isp-b", "192.0.2.2")], length: 30 },
    Link { ends: [("isp-a", "192.0.2.5"), ("edge1", "192.0.2.6")], length: 30 },
    Link { ends: [("isp-b", "192.0.2.9"), ("edge1", "192.0.2.10")], length: 30 },
    Link { ends: [("isp-a", "192.0.2.13"), ("edge2", "192.0.2.14")], length: 30 },
    Link { ends: [("isp-b", "192.0.2.17"), ("edge2", "192.0.2.18")], length: 30 },
    Link { ends: [("isp-a", "203.0.113.1"), ("client-a", "203.0.113.10")], length: 25 },
    Link { ends: [("isp-b", "203.0.113.129"), ("client-b", "203.0.113.140")], length: 25 },
    Link { ends: [("edge1", "10.0.1.1"), ("app1", "10.0.1.2")], length: 24 },
    Link { ends: [("edge2", "10.0.2.1"), ("app2", "10.0.2.2")], length: 24 },
];

/// A route that is there from the start. Everything else is learned by BGP.
pub struct Static {
    pub node: &'static str,
    pub prefix: &'static str,
    pub via: &'static str,
}

const STATICS: [Static; 6] = [
    Static { node: "client-a", prefix: "default", via: "203.0.113.1" },
    Static { node: "client-b", prefix: "default", via: "203.0.113.129" },
    Static { node: "app1", prefix: "default", via: "10.0.1.1" },
    Static { node: "app2", prefix: "default", via: "10.0.2.1" },
    Static { node: "edge1", prefix: "198.51.100.0/24", via: "10.0.1.2" },
    Static { node: "edge2", prefix: "198.51.100.0/24", via: "10.0.2.2" },
];

impl Static {
    pub fn of(node: &str) -> impl Iterator<Item = &'static Static> {
        STATICS.iter().filter(move |route| route.node == node)
    }
}

/// A router in its configuration's words.
struct Router {
    asn: u32,
    site: &'static str,
    own_prefix: &'static str,
}

fn router(name: &str) -> Option<Router> {
    Some(match name {
        "isp-a" => Router { asn: 64496, site: "isp-a", own_prefix: "203.0.113.0/25" },
        "isp-b" => Router { asn: 64497, site: "isp-b", own_prefix: "203.0.113.128/25" },
        "edge1" => Router { asn: 64500, site: "dc1", own_prefix: "198.51.100.0/24" },
        "edge2" => Router { asn: 64500, site: "dc2", own_prefix: "198.51.100.0/24" },
        _ => return None,
    })
}

/// The configuration file of a router.
pub fn configuration(name: &str) -> Option<String> {
    let Router { asn, site, own_prefix } = router(name)?;
    let is_isp = name.starts_with("isp");
    let neighbors: Vec<_> = LINKS
        .iter()
        .filter_map(|link| {
            let (other, own) = link.seen_from(name)?;
            let (_, address) = link.seen_from(other)?;
            Some((other, router(other)?, own, address))
        })
        .collect();
    let (_, _, router_id, _) = neighbors.first()?;

    let mut text = String::new();
    let _ = write!(
        text,
        r#"[node]
name = "{name}"
site = "{site}"
asn = {asn}
router-id = "{router_id}"
own-prefixes = ["{own_prefix}"]
"#
    );
    text += if is_isp { ISP } else { EDGE };
    if is_isp {
        let _ = write!(
            text,
            "\n[group.customers]\nprefixes = [\"{own_prefix}\"]\nbase = {{ {site} = \"primary\" }}\n"
        );
    }
    for (other, Router { asn, .. }, _, address) in &neighbors {
        let policy = match (is_isp, other.starts_with("isp")) {
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
remote-as = {asn}
{policy}
hold-time = "3s"
connect-retry = "100ms"
"#
        );
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
            let expected = if name.starts_with("isp") { 3 } else { 2 };
            assert_eq!(config.neighbors.len(), expected, "{name}");
        }
        assert_eq!(configuration("app1"), None);
    }
}
