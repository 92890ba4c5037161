//! Two ISPs and two sites, each with an edge and a second-level node, and a router inside.
//!
//! ```text
//!          outside1                outside2
//!              |                       |
//!            isp1 ------------------ isp2        AS 64511 and AS 64512
//!              | \                 / |
//!              |   -----     -----   |           BGP
//!              |         \ /         |
//!              |   -----     -----   |
//!              | /                 \ |
//!            edge1                 edge2         AS 64500
//!                 \               /
//!                  ----- core ----  office       OSPF
//!                 /               \
//!             fw1                   fw2
//!              |                     |
//!            app1       or one     app2          the services
//! ```
//!
//! The fleet is edge1 and fw1 at dc1, edge2 and fw2 at dc2.

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::authority::authority;
use super::order::{Ended, Order};
use crate::health::Service;
use crate::lab::ospf::{Attached, Network, OspfFrr, OspfRouter};
use crate::lab::{
    Frr, Net, Node, PATIENCE, Responder, Session, Shuntd, Speaker, run, wait_for, within,
};

/// The nodes of the fleet, with their numbers.
pub const FLEET: [(&str, u8); 4] = [("edge1", 1), ("edge2", 2), ("fw1", 3), ("fw2", 4)];
/// The clients, with where they are and the number of the link.
pub const CLIENTS: [(&str, &str, u8); 3] =
    [("outside1", "isp1", 21), ("outside2", "isp2", 22), ("office", "core", 23)];
/// A request that has to be sent again has failed.
const REQUEST: Duration = Duration::from_millis(800);

/// Who the ISPs and the router inside are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Others {
    Shunt,
    Frr,
}

/// A group, and what its sections say beyond prefixes and bases.
#[derive(Clone)]
pub struct Group {
    pub name: &'static str,
    pub prefixes: Vec<String>,
    /// More of its section, and more sections. `FILES` is each node's own directory, `APP` the address of its site's server.
    pub more: String,
}

#[derive(Clone)]
pub struct Plan {
    pub others: Others,
    pub groups: Vec<Group>,
    /// One server at both sites.
    pub one_server: bool,
    /// The state of this node is on a disk of 64 KiB.
    pub small_disk: Option<&'static str>,
}

impl Group {
    /// Its first prefix, without its length.
    pub fn address(&self) -> &str {
        self.prefixes[0].trim_end_matches("/32")
    }
}

/// A group that is asked for its site by the edges: `app1` or `app2` answers.
pub fn group(name: &'static str, host: u8) -> Group {
    let more = format!(
        "[group.{name}.probe]\nhttp = \"http://198.51.100.{host}/\"\n\
         answer = {{ dc1 = \"app1\", dc2 = \"app2\" }}\n"
    );
    Group { name, prefixes: vec![format!("198.51.100.{host}/32")], more }
}

impl Plan {
    pub fn new(others: Others) -> Plan {
        Plan { others, groups: vec![group("payments", 7)], one_server: false, small_disk: None }
    }
}

enum Other {
    Shunt(#[expect(dead_code, reason = "it only has to be there")] Shuntd),
    Bgp(Frr),
    Ospf(#[expect(dead_code, reason = "it only has to be there")] OspfFrr),
}

/// A file system of its own, until it is dropped.
struct Disk(String);

impl Disk {
    #[track_caller]
    fn new(node: &Node) -> Disk {
        let path = node.path("state");
        std::fs::create_dir(&path).unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", &path]);
        mounted.unwrap_or_else(|error| panic!("{error}"));
        Disk(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &["--lazy", &self.0]);
    }
}

pub struct Member {
    pub node: Node,
    pub shuntd: Shuntd,
}

impl Member {
    /// The LSAs that decide on routes, each with its instance. An error as long as one of its own waits for a newer instance.
    /// FRR as the core keeps names (RFC 5642) to itself.
    fn database(&self) -> Result<Vec<String>, String> {
        let shown = self.shuntd.ask(&["--json", "ospf", "database"])?;
        let lsa = |line: &str| {
            let lsa: Value =
                serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            match lsa["waiting_us"].as_u64() {
                Some(0) => {
                    let [kind, id, sequence] =
                        ["type", "id", "sequence"].map(|key| lsa[key].to_string());
                    Ok(format!("{kind} {id} {} {sequence}", lsa["router"]["router_id"]))
                }
                _ => Err(line.to_owned()),
            }
        };
        let lsas: Result<Vec<String>, String> = shown.lines().map(lsa).collect();
        Ok(lsas?.into_iter().filter(|lsa| !lsa.starts_with("\"opaque")).collect())
    }
}

pub struct Lab {
    pub plan: Plan,
    /// As in `FLEET`.
    pub fleet: [Member; 4],
    pub isps: [Node; 2],
    pub core: Node,
    /// As in `CLIENTS`.
    pub clients: [Node; 3],
    pub apps: Vec<Node>,
    pub services: Vec<Service>,
    _responders: Vec<Responder>,
    others: Vec<Other>,
    _disk: Option<Disk>,
    /// Last, so that it goes last.
    _net: Net,
}

impl Lab {
    /// Returns when all groups are at dc1, for all clients.
    #[track_caller]
    pub fn new(plan: Plan) -> Lab {
        let mut net = Net::new();
        let isps = ["isp1", "isp2"].map(|name| net.node(name));
        let core = net.node("core");
        let nodes = FLEET.map(|(name, _)| net.node(name));
        let clients = CLIENTS.map(|(name, ..)| net.node(name));
        let [edge1, edge2, fw1, fw2] = &nodes;
        net.link(&isps[0], &isps[1], 10);
        for (edge, n) in [(edge1, 11), (edge2, 13)] {
            net.link(&isps[0], edge, n);
            net.link(&isps[1], edge, n + 1);
        }
        for (node, (_, number)) in nodes.iter().zip(FLEET) {
            net.link(&core, node, number);
        }
        for (client, (_, router, n)) in clients.iter().zip(CLIENTS) {
            let router = isps.iter().chain([&core]).find(|node| node.name() == router).unwrap();
            net.link(router, client, n);
            route(client, "default", &format!("10.99.{n}.1"));
        }
        let names: &[&str] = if plan.one_server { &["app"] } else { &["app1", "app2"] };
        let apps: Vec<Node> = names.iter().map(|name| net.node(name)).collect();
        for (fw, n, app) in [(fw1, 31, &apps[0]), (fw2, 32, &apps[apps.len() - 1])] {
            net.link(fw, app, n);
            route(fw, "default", &format!("10.99.{}.1", n - 28));
            let prefixes = plan.groups.iter().flat_map(|group| &group.prefixes);
            let routes = prefixes.map(|prefix| format!("route add {prefix} via 10.99.{n}.2\n"));
            fw.ip_batch(&routes.collect::<String>());
        }
        route(&core, "default", "10.99.1.2");
        for (app, n) in apps.iter().zip([31, 32]) {
            route(app, "default", &format!("10.99.{n}.1"));
            let prefixes = plan.groups.iter().flat_map(|group| &group.prefixes);
            app.ip_batch(
                &prefixes.map(|one| format!("addr add {one} dev lo\n")).collect::<String>(),
            );
        }
        let services = apps.iter().map(|app| Service::start(app, 80)).collect();
        let responders = apps
            .iter()
            .flat_map(|app| plan.groups.iter().map(|group| Responder::start(app, group.address())));
        let responders = responders.collect();
        let others = start_others(plan.others, &isps, &core);
        let pki = authority(&core, &FLEET.map(|(name, _)| name));
        let small = nodes.iter().find(|node| Some(node.name()) == plan.small_disk);
        let disk = small.map(Disk::new);
        let fleet = nodes.map(|node| {
            let text = config(&node, &plan).replace("PKI", &pki);
            let shuntd = Shuntd::start(&node, &text);
            Member { node, shuntd }
        });
        let lab = Lab {
            plan,
            fleet,
            isps,
            core,
            clients,
            apps,
            services,
            _responders: responders,
            others,
            _disk: disk,
            _net: net,
        };
        lab.is_ready();
        lab
    }

    #[track_caller]
    fn is_ready(&self) {
        for group in &self.plan.groups {
            self.is_at(group.name, 1);
        }
        for (name, ..) in CLIENTS {
            let address = self.plan.groups[0].address();
            wait_for(&format!("an answer for {name}"), PATIENCE, || self.request(name, address));
        }
        // Until they have started their LSAs have the worst metric, and as nobody else announces, the groups are at dc1 all the
        // same. What comes then may wait for MinLSInterval.
        for member in &self.fleet {
            wait_for(&format!("{} has started", member.node.name()), PATIENCE, || {
                let ospf = member.shuntd.json(&["status"])?["ospf"].clone();
                if ospf["stub_router"] == "" { Ok(()) } else { Err(ospf.to_string()) }
            });
        }
        wait_for("one database, and nothing that is still to come", PATIENCE, || {
            let all = self.fleet.iter().map(Member::database).collect::<Result<Vec<_>, _>>()?;
            let is_one = all.iter().all(|database| *database == all[0]);
            if is_one { Ok(()) } else { Err(format!("{all:#?}")) }
        });
    }

    pub fn member(&self, name: &str) -> &Member {
        let index = FLEET.iter().position(|(node, _)| *node == name).unwrap();
        &self.fleet[index]
    }

    /// What a node announces of the first prefix of a group.
    pub fn announces(&self, node: &str, group: &str) -> Result<u64, String> {
        let shown = self.member(node).shuntd.json(&["groups", group])?;
        let preference = shown["groups"][0]["announcements"][0]["preference"].as_u64();
        preference.ok_or_else(|| shown.to_string())
    }

    /// Where a group is for all: what the nodes announce, and where the kernels inside and of the ISPs send what is for it.
    pub fn place(&self, group: &str) -> Result<u8, String> {
        let group = self.plan.groups.iter().find(|one| one.name == group).unwrap();
        let all = FLEET.map(|(node, _)| self.announces(node, group.name));
        let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
        let site = match all[..] {
            [200, 100, 200, 100] => 1,
            [100, 200, 100, 200] => 2,
            _ => return Err(format!("edge1, edge2, fw1, fw2 announce {all:?}")),
        };
        for prefix in &group.prefixes {
            let expected = vec![format!("10.99.{}.2@fw{site}", site + 2)];
            let hops = self.core.next_hops(prefix)?;
            if hops != expected {
                return Err(format!("site {site}; core sends {prefix} to {hops:?}"));
            }
            for (isp, n) in self.isps.iter().zip(9 + 2 * site..) {
                let hops = isp.next_hops(prefix)?;
                if hops != vec![format!("10.99.{n}.2@edge{site}")] {
                    return Err(format!("site {site}; {} sends {prefix} to {hops:?}", isp.name()));
                }
            }
        }
        Ok(site)
    }

    /// Waits until a group is at a site, for all.
    #[track_caller]
    pub fn is_at(&self, group: &str, site: u8) {
        wait_for(&format!("{group} at dc{site}"), PATIENCE, || match self.place(group)? {
            place if place == site => Ok(()),
            place => Err(format!("at dc{place}")),
        });
    }

    pub fn client(&self, name: &str) -> &Node {
        self.clients.iter().find(|node| node.name() == name).unwrap()
    }

    /// The first ISP takes nothing of a network from a neighbour any more.
    #[track_caller]
    pub fn filter_at_isp1(&self, neighbor: &str, network: &str) {
        let Other::Bgp(isp) = &self.others[0] else { panic!("only FRR can be told so here") };
        assert!(isp.taken(neighbor, network).unwrap() > 0, "there is nothing to refuse");
        isp.refuse(neighbor, network);
        wait_for("the routes are refused", PATIENCE, || match isp.taken(neighbor, network)? {
            0 => Ok(()),
            count => Err(format!("{count} are left")),
        });
    }

    /// What a client gets from a service.
    pub fn request(&self, client: &str, address: &str) -> Result<String, String> {
        let address: std::net::IpAddr = address.parse().unwrap();
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&(address, 80).into(), REQUEST)?;
            stream.set_read_timeout(Some(REQUEST))?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = within(self.client(client), ask).map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(answer.clone())?;
        if head.starts_with("HTTP/1.1 200 ") { Ok(body.to_owned()) } else { Err(answer) }
    }

    /// Orders a switch or an evacuation at a node.
    #[track_caller]
    pub fn begin(&self, node: &str, arguments: &[&str]) -> Order {
        Order::begin(&self.member(node).node.path("shunt.sock"), arguments)
    }

    #[track_caller]
    pub fn order(&self, node: &str, arguments: &[&str]) -> Ended {
        self.begin(node, arguments).end()
    }
}

#[track_caller]
fn route(node: &Node, to: &str, by: &str) {
    node.must("ip", &["route", "add", to, "via", by]);
}

#[track_caller]
fn start_others(others: Others, isps: &[Node; 2], core: &Node) -> Vec<Other> {
    let mut all = Vec::new();
    for (number, isp) in (1..).zip(isps) {
        // Of both sites: own and remote address.
        let other = (format!("10.99.10.{number}"), format!("10.99.10.{}", 3 - number));
        let edge = |site: u8| {
            let n = 8 + 2 * site + number;
            (format!("10.99.{n}.1"), format!("10.99.{n}.2"))
        };
        let customers = format!("10.99.{}.0/24", 20 + number);
        all.push(match others {
            Others::Frr => {
                let session =
                    |(own, remote): (String, String), asn| Session::new(&own, &remote, asn);
                Other::Bgp(Frr::start(
                    isp,
                    Speaker {
                        asn: 64510 + u32::from(number),
                        router_id: format!("192.0.2.10{number}").parse().unwrap(),
                        sessions: vec![
                            session(other, 64513 - u32::from(number)),
                            session(edge(1), 64500),
                            session(edge(2), 64500),
                        ],
                        networks: vec![customers],
                    },
                ))
            }
            Others::Shunt => {
                let mut text = format!(
                    "[node]\nname = \"isp{number}\"\nsite = \"isp{number}\"\nasn = 6451{number}\n\
                     router-id = \"192.0.2.10{number}\"\nown-prefixes = [\"{customers}\"]\n[kernel]\nmetric = 20\n\
                     [group.customers]\nprefixes = [\"{customers}\"]\nbase = {{ isp{number} = \"primary\" }}\n"
                );
                let mut neighbor = |name: &str, address: &str, asn: u32, role: &str| {
                    write!(
                        text,
                        "[neighbor.{name}]\naddress = \"{address}\"\nremote-as = {asn}\nimport = \"all\"\n\
                         export = \"transit\"\nrole = \"{role}\"\nhold-time = \"3s\"\nconnect-retry = \"1s\"\n"
                    )
                    .unwrap();
                };
                neighbor("other", &other.1, 64513 - u32::from(number), "peer");
                for site in [1, 2] {
                    neighbor(&format!("edge{site}"), &edge(site).1, 64500, "provider");
                }
                Other::Shunt(Shuntd::start(isp, &text))
            }
        });
    }
    let names = FLEET.map(|(name, _)| name);
    all.push(match others {
        Others::Frr => {
            let link = |name: &&str| Attached {
                retransmit: 1,
                ..Attached::new(name, Network::PointToPoint)
            };
            let mut attached: Vec<Attached> = names.iter().map(link).collect();
            attached.push(Attached::new("office", Network::Passive));
            let router_id = "192.0.2.100".to_owned();
            let router = OspfRouter { router_id, attached, ..OspfRouter::default() };
            Other::Ospf(OspfFrr::start(core, router))
        }
        Others::Shunt => {
            let mut text = "[node]\nname = \"core\"\nsite = \"core\"\nasn = 64500\nrouter-id = \"192.0.2.100\"\n\
                            [ospf]\nexport = \"none\"\n[ospf.interface.office]\npassive = true\n"
                .to_owned();
            for name in names {
                text += &link(name);
            }
            Other::Shunt(Shuntd::start(core, &text))
        }
    });
    all
}

/// An OSPF interface of a link to one other router, named after it. On a busy machine two instances of an LSA may reach who is two
/// links away within MinLSArrival; the second one is dropped then, and comes again after the retransmit interval.
fn link(name: &str) -> String {
    format!(
        "[ospf.interface.{name}]\nnetwork = \"point-to-point\"\nhello-interval = \"1s\"\ndead-interval = \"4s\"\n\
         retransmit-interval = \"1s\"\n"
    )
}

/// Of a node of the fleet.
pub fn config(node: &Node, plan: &Plan) -> String {
    let name = node.name();
    let number = FLEET.iter().find(|(other, _)| *other == name).unwrap().1;
    let site = (number + 1) % 2 + 1;
    let mut text = format!(
        "[node]\nname = \"{name}\"\nsite = \"dc{site}\"\nasn = 64500\nrouter-id = \"192.0.2.{number}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[fleet]\ncertificate = \"PKI/{name}.crt\"\nkey = \"PKI/{name}.key\"\n\
         ca = \"PKI/ca.crt\"\n[site.dc1]\nid = 1\n[site.dc2]\nid = 2\n{}",
        link("core")
    );
    for (other, number) in FLEET {
        let site = (number + 1) % 2 + 1;
        write!(
            text,
            "[fleet.node.{other}]\nsite = \"dc{site}\"\naddresses = [\"10.99.{number}.2\"]\nrouter-id = \"192.0.2.{number}\"\n"
        )
        .unwrap();
    }
    for Group { name, prefixes, more } in &plan.groups {
        write!(
            text,
            "[group.{name}]\nprefixes = {prefixes:?}\nbase = {{ dc1 = \"primary\", dc2 = \"standby\" }}\n{more}"
        )
        .unwrap();
    }
    if number <= 2 {
        text += "[ospf]\nexport = \"none\"\n";
        for isp in [1, 2] {
            let n = 8 + 2 * site + isp;
            write!(
                text,
                "[neighbor.isp{isp}]\naddress = \"10.99.{n}.1\"\nremote-as = 6451{isp}\nimport = \"all\"\n\
                 export = \"groups\"\nhold-time = \"3s\"\nconnect-retry = \"1s\"\n"
            )
            .unwrap();
        }
    } else {
        let app = if plan.one_server { "app".to_owned() } else { format!("app{}", number - 2) };
        write!(text, "[ospf]\nexport = \"groups\"\n[ospf.interface.{app}]\npassive = true\n")
            .unwrap();
    }
    text.replace("FILES", node.path("").trim_end_matches('/'))
        .replace("APP", &format!("10.99.3{site}.2"))
}
