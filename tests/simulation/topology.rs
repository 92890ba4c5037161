//! The networks that the tests run in.

use std::time::Duration;

use shunt::api::v1;
use shunt::sim::{Link, LinkId, NodeId, World};

/// A configuration, from its parts.
pub struct Text(String);

impl Text {
    pub fn node(name: &str, site: &str, asn: u32, router_id: &str) -> Text {
        Text(format!(
            "[node]\nname = \"{name}\"\nsite = \"{site}\"\nasn = {asn}\nrouter-id = \"{router_id}\"\n\
             own-prefixes = [\"198.51.100.0/24\", \"2001:db8:7::/48\"]\n\
             [kernel]\ngrace = \"10s\"\n"
        ))
    }

    /// The group that most tests move: primary in dc1, standby in dc2.
    pub fn payments(mut self) -> Text {
        self.0 += "[group.payments]\nprefixes = [\"198.51.100.7/32\"]\n\
                   base = { dc1 = \"primary\", dc2 = \"standby\" }\n";
        self
    }

    /// A group with many addresses of 10.0.0.0/8, primary everywhere.
    pub fn many(mut self, count: u32) -> Text {
        let prefixes: Vec<String> = (0..count)
            .map(|n| format!("\"{}/32\"", std::net::Ipv4Addr::from(0x0a00_0000 + n)))
            .collect();
        self.0 = self.0.replace("own-prefixes = [", "own-prefixes = [\"10.0.0.0/8\", ");
        self.0 += &format!("[group.many]\nprefixes = [{}]\n", prefixes.join(", "));
        self.0 += "base = { dc1 = \"primary\", dc2 = \"primary\", isp = \"primary\" }\n";
        self
    }

    pub fn neighbor(mut self, name: &str, address: &str, asn: u32, more: &str) -> Text {
        self.0 += &format!(
            "[neighbor.{name}]\naddress = \"{address}\"\nremote-as = {asn}\nhold-time = \"9s\"\n\
             connect-retry = \"1s\"\n{more}\n"
        );
        self
    }

    pub fn done(self) -> String {
        self.0
    }
}

pub const EDGE: &str = "import = \"all\"\nexport = \"groups\"";
pub const ISP: &str = "import = \"all\"\nexport = \"transit\"";

/// An edge node and one ISP.
pub struct Pair {
    pub world: World,
    pub edge: NodeId,
    pub isp: NodeId,
    pub link: LinkId,
}

pub fn edge_text() -> String {
    Text::node("edge", "dc1", 64500, "192.0.2.1")
        .payments()
        .neighbor("isp", "10.0.0.2", 64496, EDGE)
        .done()
}

pub fn isp_text() -> String {
    Text::node("isp", "isp", 64496, "192.0.2.2").neighbor("edge", "10.0.0.1", 64500, ISP).done()
}

/// Not started yet.
pub fn pair(seed: u64, link: Link) -> Pair {
    pair_of(seed, link, &edge_text(), &isp_text())
}

pub fn pair_of(seed: u64, link: Link, edge: &str, isp: &str) -> Pair {
    let mut world = World::new(seed);
    let edge = world.node(edge);
    let isp = world.node(isp);
    let link = world.link((edge, "10.0.0.1/24"), (isp, "10.0.0.2/24"), link);
    Pair { world, edge, isp, link }
}

impl Pair {
    /// Both running and the session up.
    pub fn up(mut self) -> Pair {
        self.world.start(self.edge);
        self.world.start(self.isp);
        let reached = self.world.run_until(Duration::from_secs(30), |world| {
            established(world, self.edge) == 1 && sees(world, self.isp, "198.51.100.7/32").is_some()
        });
        assert!(reached, "no session:\n{}", self.world.transcript());
        self
    }
}

pub fn established(world: &World, node: NodeId) -> u32 {
    let Some(agent) = world.agent(node) else { return 0 };
    agent.status(world.agent_now(node)).neighbors_established
}

/// The attributes of the best path that a node has for a prefix.
pub fn sees(world: &World, node: NodeId, prefix: &str) -> Option<v1::Attributes> {
    let why = world.agent(node)?.why(prefix, world.agent_now(node)).ok()?;
    why.paths.into_iter().find(|path| path.standing == "best")?.attributes
}

/// Where the best path of a prefix comes from.
pub fn source(world: &World, node: NodeId, prefix: &str) -> Option<String> {
    let why = world.agent(node)?.why(prefix, world.agent_now(node)).ok()?;
    why.paths.into_iter().find(|path| path.standing == "best").map(|path| path.source)
}

pub fn neighbor(world: &World, node: NodeId, name: &str) -> v1::Neighbor {
    let agent = world.agent(node).expect("the node runs");
    let mut reply = agent.neighbors(name, world.agent_now(node)).expect("the neighbour is there");
    reply.neighbors.remove(0)
}
