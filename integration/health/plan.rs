//! Who takes part in a scene, and how each of them is configured.

use super::service::HEALTH;
use crate::lab::bfd::{Timers, shunt_profile};
use crate::lab::ospf::{Attached, Network, OspfBird, OspfRouter};
use crate::lab::{Bird, Frr, Node, Session, Speaker};

pub const SERVICE: &str = "198.51.100.7/32";
pub const ADDRESS: &str = "198.51.100.7";
/// Another prefix, for groups of two.
pub const SECOND: &str = "198.51.100.8/32";
/// What the upstreams announce.
pub const UPSTREAM: &str = "203.0.113.0/24";

/// By which protocol the router inside hears of the sites, and they of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Ospf,
    Bgp,
}

/// What is more in the configuration of the sites.
///
/// In all texts `APP` is the address of the site's service, `INSIDE` that of the router inside, and `FILES` the
/// site's own directory.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    /// In `[check.web]`.
    pub check: &'static str,
    /// In `[group.payments]`.
    pub group: &'static str,
    /// More sections.
    pub more: &'static str,
    /// More sections at the first site.
    pub first: &'static str,
    /// `[check.web]` counts so many servers of each site, that are checked.
    pub backends: u16,
    /// The first site has the BGP neighbours `isp1` and `isp2`, which are watched by BFD.
    pub upstreams: bool,
}

/// The router inside.
pub fn bird(node: &Node) -> OspfBird {
    let attached = |name| Attached::new(name, Network::PointToPoint);
    let attached = vec![attached("dc1"), attached("dc2")];
    OspfBird::start(
        node,
        OspfRouter { router_id: "192.0.2.9".to_owned(), attached, ..OspfRouter::default() },
    )
}

/// The router inside.
pub fn frr(node: &Node) -> Frr {
    let session =
        |site: u8| Session::new(&format!("10.99.{site}.1"), &format!("10.99.{site}.2"), 64500);
    Frr::start(
        node,
        Speaker {
            asn: 64501,
            router_id: "192.0.2.9".parse().unwrap(),
            sessions: vec![session(1), session(2)],
            networks: Vec::new(),
        },
    )
}

/// The silence of an ISP is noticed after half a second.
const WATCHED: Timers = Timers { transmit: 100, receive: 100, multiplier: 5 };

/// An ISP of the first site.
pub fn upstream(node: &Node, number: u8) -> Bird {
    let (local, remote) = (format!("10.99.2{number}.1"), format!("10.99.2{number}.2"));
    Bird::start(
        node,
        Speaker {
            asn: 64510 + u32::from(number),
            router_id: local.parse().unwrap(),
            sessions: vec![Session { bfd: Some(WATCHED), ..Session::new(&local, &remote, 64500) }],
            networks: vec![UPSTREAM.to_owned()],
        },
    )
}

const SESSION: &str =
    "import = \"all\"\nexport = \"groups\"\nhold-time = \"9s\"\nconnect-retry = \"1s\"\n";

const OSPF: &str = r#"
[ospf]
export = "groups"
[ospf.interface.inside]
network = "point-to-point"
hello-interval = "1s"
dead-interval = "4s"
"#;

/// A check ten times a second, and twice as often in doubt.
pub fn config(node: &Node, protocol: Protocol, site: u8, plan: Plan) -> String {
    let other = 3 - site;
    let mut text = format!(
        r#"
[node]
name = "dc{site}"
site = "dc{site}"
asn = 64500
router-id = "192.0.2.{site}"
own-prefixes = ["198.51.100.0/24"]
[site.dc1]
routers = ["192.0.2.1"]
[site.dc2]
routers = ["192.0.2.2"]
[group.payments]
base = {{ dc1 = "primary", dc2 = "standby" }}
{}
"#,
        plan.group
    );
    for (key, value) in [("prefixes", format!("[\"{SERVICE}\"]")), ("checks", "[\"web\"]".into())] {
        if !plan.group.contains(&format!("{key} = ")) {
            text = text.replace("base = ", &format!("{key} = {value}\nbase = "));
        }
    }
    match protocol {
        Protocol::Ospf => text += OSPF,
        Protocol::Bgp => {
            text += &format!(
                "[neighbor.inside]\naddress = \"10.99.{site}.1\"\nremote-as = 64501\n{SESSION}\
                 [neighbor.other]\naddress = \"10.99.{other}.2\"\nremote-as = 64500\n{SESSION}"
            );
        }
    }
    if plan.upstreams && site == 1 {
        text += &shunt_profile(node, WATCHED, None);
        for isp in [1, 2] {
            text += &format!(
                "[neighbor.isp{isp}]\naddress = \"10.99.2{isp}.1\"\nremote-as = 6451{isp}\n{SESSION}bfd = \"fast\"\n"
            );
        }
    }
    let times = "interval = \"100ms\"\nfast-interval = \"50ms\"\n";
    let patience = if plan.check.contains("timeout") { "" } else { "timeout = \"500ms\"\n" };
    let web = |port: u16| format!("http = \"http://APP:{port}{HEALTH}\"\n{times}{patience}");
    text += &format!("[check.web]\n{}\n", plan.check);
    if plan.backends == 0 {
        text += &web(80);
    }
    for server in 1..=plan.backends {
        text += &format!("[check.b{server}]\n{}", web(8000 + server));
    }
    text += plan.more;
    if site == 1 {
        text += plan.first;
    }
    text.replace("APP", &format!("10.99.1{site}.2"))
        .replace("INSIDE", &format!("10.99.{site}.1"))
        .replace("FILES", &node.path(""))
}
