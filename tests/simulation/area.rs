//! An OSPF area of agents, whatever its shape, and what must hold in it when it is quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use shunt::api::v1;
use shunt::fib::Hop;
use shunt::sim::{Link, LinkId, NodeId, World};
use shunt::types::{Prefix, Rng};

/// A network and the routers on it, by their numbers.
pub struct Segment {
    pub members: Vec<usize>,
    pub broadcast: bool,
}

pub fn point_to_point(a: usize, b: usize) -> Segment {
    Segment { members: vec![a, b], broadcast: false }
}

pub fn broadcast(members: &[usize]) -> Segment {
    Segment { members: members.to_vec(), broadcast: true }
}

/// Router `n` announces 198.51.100.n/32 alone, and with all others 198.51.100.100/32.
pub struct Area {
    pub world: World,
    pub routers: Vec<NodeId>,
    pub links: Vec<LinkId>,
    segments: Vec<Segment>,
}

pub const SHARED: &str = "198.51.100.100/32";

impl Area {
    /// Not started yet. `ospf` goes into everybody's `[ospf]`, `group` into their groups.
    pub fn new(seed: u64, count: usize, segments: Vec<Segment>, ospf: &str, group: &str) -> Area {
        let mut world = World::new(seed);
        let routers: Vec<NodeId> = (0..count)
            .map(|number| world.node(&configuration(number, &segments, ospf, group)))
            .collect();
        let links = segments
            .iter()
            .enumerate()
            .map(|(network, segment)| {
                let addresses: Vec<String> = segment
                    .members
                    .iter()
                    .map(|member| format!("{}/24", address(network, *member)))
                    .collect();
                let ends: Vec<(NodeId, &str)> = segment
                    .members
                    .iter()
                    .zip(&addresses)
                    .map(|(member, address)| (routers[*member], address.as_str()))
                    .collect();
                world.lan(&ends, Link::default())
            })
            .collect();
        Area { world, routers, links, segments }
    }

    /// All running, and quiet.
    pub fn up(mut self) -> Area {
        for router in self.routers.clone() {
            self.world.start(router);
        }
        self.world.run_for(Duration::from_secs(20));
        self.assert_whole();
        self
    }

    /// One fault, order or repair, drawn at random.
    pub fn disturb(&mut self, rng: &mut Rng) {
        let link = self.links[rng.below(self.links.len() as u64) as usize];
        let number = rng.below(self.routers.len() as u64) as usize;
        let router = self.routers[number];
        match rng.below(10) {
            0 => self.world.cut(link),
            1 => self.world.unplug(link),
            2 | 3 => self.world.mend(link),
            4 => self.world.mute(link, router),
            5 => self.world.set_loss(link, rng.below(30)),
            6 => {
                self.world.kill(router);
                self.world.start(router);
            }
            7 => self.world.power_off(router),
            8 => {
                if self.world.agent(router).is_none() {
                    self.world.start(router);
                }
            }
            _ => {
                let level = ["primary", "standby", "drain"][rng.below(3) as usize];
                self.world.order(router, "prefer", "shared", level);
            }
        }
    }

    /// Everything is mended and runs, and time goes by.
    pub fn calm(&mut self) {
        for link in self.links.clone() {
            self.world.set_loss(link, 0);
            self.world.mend(link);
        }
        for router in self.routers.clone() {
            if self.world.agent(router).is_none() {
                self.world.start(router);
            }
        }
        self.world.run_for(Duration::from_secs(60));
    }

    /// Every database is the same, every FIB is what its agent wants, every way leads to where it is to end.
    pub fn assert_whole(&self) {
        let first = self.database(0);
        for number in 1..self.routers.len() {
            assert_eq!(first, self.database(number), "databases of 0 and {number}{}", self.told());
        }
        for (number, router) in self.routers.iter().enumerate() {
            let kernel = self.status(number).kernel.expect("the kernel's part is always there");
            assert_eq!(
                (kernel.state.as_str(), kernel.difference),
                ("synced", 0),
                "router {number}"
            );
            for target in 0..self.routers.len() {
                let service = Ipv4Addr::new(198, 51, 100, target as u8);
                let end = self.walk(*router, service);
                assert_eq!(end, Ok(target), "from {number} to {service}{}", self.told());
            }
            self.walk(*router, Ipv4Addr::new(198, 51, 100, 100))
                .unwrap_or_else(|path| panic!("no way from {number}: {path}{}", self.told()));
        }
    }

    pub fn told(&self) -> String {
        format!("\n{}", self.world.transcript())
    }

    pub fn status(&self, number: usize) -> v1::StatusReply {
        let router = self.routers[number];
        let agent = self.world.agent(router).expect("it runs");
        agent.status(self.world.agent_now(router))
    }

    /// What names an instance, of every LSA but the router's own link-local ones.
    pub fn database(&self, number: usize) -> BTreeSet<(String, String, String, String, String)> {
        let router = self.routers[number];
        let agent = self.world.agent(router).expect("it runs");
        let now = self.world.agent_now(router);
        let request = v1::OspfDatabaseRequest::default();
        let (lsas, more) =
            agent.ospf_database(&request, None, 100_000, now).expect("OSPF is configured");
        assert_eq!(more, None);
        lsas.into_iter()
            .filter(|lsa| lsa.r#type != "opaque-link")
            .map(|lsa| {
                let by = lsa.router.map(|router| router.router_id).unwrap_or_default();
                (lsa.r#type, lsa.id, by, lsa.sequence, lsa.checksum)
            })
            .collect()
    }

    /// Follows the kernels' routes to a router that announces the service; its number, or the path that led nowhere.
    pub fn walk(&self, from: NodeId, service: Ipv4Addr) -> Result<usize, String> {
        let mut path = String::new();
        let mut here = self.number(from);
        for _ in 0..self.routers.len() {
            let _ = write!(path, " {here}");
            if self.announces(here, service) {
                return Ok(here);
            }
            let routes = self.world.kernel_routes(self.routers[here]);
            let service = Prefix::host(IpAddr::V4(service));
            let Some(route) = routes.iter().find(|route| route.prefix == service) else {
                return Err(format!("{path}: no route"));
            };
            // Each of several equal ways must lead there; one is enough to find a loop by many runs.
            let Some(next) = route.hops.as_slice().first().and_then(|hop| self.owner(hop)) else {
                return Err(format!("{path}: nobody has {route:?}"));
            };
            here = next;
        }
        Err(format!("{path}: a loop"))
    }

    fn announces(&self, number: usize, service: Ipv4Addr) -> bool {
        let router = self.routers[number];
        let agent = self.world.agent(router).expect("it runs");
        let prefix = Prefix::host(IpAddr::V4(service)).to_string();
        let why = agent.why(&prefix, self.world.agent_now(router)).expect("it may be announced");
        why.announcement.is_some_and(|announcement| announcement.preference > 0)
    }

    fn number(&self, node: NodeId) -> usize {
        self.routers.iter().position(|router| *router == node).expect("a router of the area")
    }

    fn owner(&self, hop: &Hop) -> Option<usize> {
        let networks = self.segments.iter().enumerate();
        let mut ends = networks.flat_map(|(network, segment)| {
            segment.members.iter().map(move |member| (address(network, *member), *member))
        });
        ends.find(|(address, _)| IpAddr::V4(*address) == hop.gateway).map(|(_, member)| member)
    }

    /// Where the shared service's traffic of each router ends.
    pub fn exits(&self) -> BTreeMap<usize, usize> {
        let shared = Ipv4Addr::new(198, 51, 100, 100);
        let walk = |router: &NodeId| self.walk(*router, shared).unwrap_or(usize::MAX);
        self.routers.iter().map(walk).enumerate().collect()
    }
}

fn address(network: usize, member: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, network as u8, member as u8 + 1)
}

pub fn configuration(number: usize, segments: &[Segment], ospf: &str, group: &str) -> String {
    let mut text = format!(
        "[node]\nname = \"r{number}\"\nsite = \"s{number}\"\nasn = 64500\nrouter-id = \"192.0.2.{}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"10s\"\n\
         [group.own]\nprefixes = [\"198.51.100.{number}/32\"]\n\
         base = {{ s{number} = \"primary\" }}\n{group}\n\
         [group.shared]\nprefixes = [\"{SHARED}\"]\n\
         base = {{ s0 = \"primary\", s1 = \"standby\" }}\n{group}\n\
         [ospf]\nexport = \"groups\"\n{ospf}\n",
        number + 1,
    );
    let own = segments.iter().filter(|segment| segment.members.contains(&number));
    for (port, segment) in own.enumerate() {
        let network = if segment.broadcast { "broadcast" } else { "point-to-point" };
        let _ = write!(
            text,
            "[ospf.interface.e{}]\nnetwork = \"{network}\"\nhello-interval = \"1s\"\n\
             dead-interval = \"4s\"\nretransmit-interval = \"2s\"\n",
            port + 1
        );
    }
    text
}
