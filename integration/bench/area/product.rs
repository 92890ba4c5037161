//! The OSPF routers that are compared: how each is configured, started and ordered, as fast as it can be.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Instant;

use crate::lab::{Node, PATIENCE, frr_daemons, wait_for, within};
use crate::process::{Line, Process};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Product {
    Shunt,
    Bird,
    Frr,
}

/// What a router is to do. All its links are point-to-point, with Hellos every second and a dead interval of four.
pub struct Role {
    pub node: Node,
    /// The last octet of its router id, 10.255.0.N.
    pub number: u8,
    /// Its interfaces, which are named after the other ends.
    pub links: Vec<&'static str>,
    /// Its loopback's addresses belong to the area.
    pub loopback: bool,
    /// Prefixes that are announced: [`service`] 0 and so on, which are addresses of its loopback.
    pub services: usize,
    /// Their metrics: usual, and raised.
    pub metrics: [u32; 2],
    /// The log tells of the neighbours' states.
    pub verbose: bool,
}

/// The address that is service number `n`.
pub fn service(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(n + 1).expect("there are few services"))
}

impl Product {
    pub const ALL: [Product; 3] = [Product::Shunt, Product::Bird, Product::Frr];

    pub fn name(self) -> &'static str {
        match self {
            Product::Shunt => "shunt",
            Product::Bird => "BIRD",
            Product::Frr => "FRR",
        }
    }

    /// How many prefixes it can announce so that each changes on its own. FRR's `redistribute` has one metric for
    /// all, and a route-map takes effect only after five seconds.
    pub fn services(self) -> usize {
        match self {
            Product::Frr => 1,
            Product::Shunt | Product::Bird => 4,
        }
    }

    /// Writes its files, and starts what has to run beside and before it.
    pub fn prepare(self, role: &Role) -> Vec<Process> {
        let node = &role.node;
        match self {
            Product::Shunt => {
                node.write("shunt.toml", &shunt(role));
                node.must("mkdir", &["-p", &node.path("state")]);
                Vec::new()
            }
            Product::Bird => {
                node.write("bird.conf", &bird(role));
                Vec::new()
            }
            Product::Frr => {
                node.must("install", &["-d", "-o", "frr", "-g", "frr", &node.path("frr")]);
                node.write("frr/zebra.conf", "");
                node.write("frr/ospfd.conf", &frr(role));
                let line = frr_daemon(node, "zebra");
                let zebra = within(node, || Process::start(&line, &node.path("zebra.log")));
                let dir = node.path("frr");
                wait_for("zebra", PATIENCE, || {
                    node.run("vtysh", &["--vty_socket", &dir, "-d", "zebra", "-c", "show version"])
                });
                vec![zebra]
            }
        }
    }

    /// The daemon's own command line.
    pub fn daemon(self, role: &Role) -> Line {
        let node = &role.node;
        match self {
            Product::Shunt => line(
                env!("CARGO_BIN_EXE_shuntd"),
                &[
                    "--config",
                    &node.path("shunt.toml"),
                    "--socket",
                    &socket(node),
                    "--state",
                    &node.path("state"),
                ],
            ),
            Product::Bird => line(
                "bird",
                &[
                    "-f",
                    "-c",
                    &node.path("bird.conf"),
                    "-s",
                    &socket(node),
                    "-P",
                    &node.path("bird.pid"),
                ],
            ),
            Product::Frr => frr_daemon(node, "ospfd"),
        }
    }

    /// The command that changes the metric of a service to the raised one, or back to the usual one.
    pub fn command(self, role: &Role, number: usize, raised: bool) -> Line {
        let socket = socket(&role.node);
        match self {
            Product::Shunt => {
                let level = if raised { "raised" } else { "usual" };
                line(
                    &shunt_command(),
                    &["--socket", &socket, "prefer", &format!("service{number}"), level],
                )
            }
            Product::Bird => {
                let order = if raised { "enable" } else { "disable" };
                line("birdc", &["-s", &socket, order, &format!("raised{number}")])
            }
            Product::Frr => {
                let redistribute = redistribute(role.metrics[usize::from(raised)]);
                let dir = role.node.path("frr");
                let mut all = line("vtysh", &["--vty_socket", &dir, "-d", "ospfd"]);
                all.extend(line("-c", &["configure terminal", "-c", "router ospf", "-c"]));
                all.push(redistribute);
                all
            }
        }
    }

    /// What the daemon says of itself, as Markdown-free text: FRR's own measure of its last SPF run.
    pub fn spf_duration(self, node: &Node) -> Option<String> {
        if self != Product::Frr {
            return None;
        }
        let dir = node.path("frr");
        let arguments = ["--vty_socket", dir.as_str(), "-d", "ospfd", "-c", "show ip ospf"];
        let shown = node.run("vtysh", &arguments).ok()?;
        let line = shown.lines().find(|line| line.contains("Last SPF duration"))?;
        Some(line.trim().trim_start_matches("Last SPF duration ").to_owned())
    }
}

/// A router of the area, which ends with this value.
pub struct Router {
    pub product: Product,
    pub role: Role,
    daemon: Option<Process>,
    _helpers: Vec<Process>,
}

impl Router {
    /// Everything but the daemon itself.
    pub fn prepared(product: Product, role: Role) -> Router {
        for service in (0..role.services).map(service) {
            role.node.address("lo", &format!("{service}/32"));
        }
        let helpers = product.prepare(&role);
        Router { product, role, daemon: None, _helpers: helpers }
    }

    pub fn running(product: Product, role: Role) -> Router {
        let mut router = Router::prepared(product, role);
        router.start();
        router
    }

    /// Starts the daemon, and tells when.
    pub fn start(&mut self) -> Instant {
        let line = self.product.daemon(&self.role);
        let node = &self.role.node;
        let (start, daemon) =
            within(node, || (Instant::now(), Process::start(&line, &node.path("daemon.log"))));
        self.daemon = Some(daemon);
        start
    }

    /// SIGKILL: nobody is told.
    pub fn kill(&mut self) {
        self.daemon = None;
    }
}

/// The control socket of shunt and BIRD.
fn socket(node: &Node) -> String {
    node.path("control")
}

fn line(program: &str, arguments: &[&str]) -> Line {
    std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

fn shunt(role: &Role) -> String {
    let [usual, raised] = role.metrics;
    let mut text = format!(
        "[node]\nname = \"router{0}\"\nsite = \"dc{0}\"\nrouter-id = \"10.255.0.{0}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[levels]\nusual = 120\nraised = 220\n\
         [mapping.inside]\nusual = {{ metric = {usual} }}\nraised = {{ metric = {raised} }}\n\
         [ospf]\nexport = \"groups\"\nclass = \"inside\"\n",
        role.number
    );
    if role.loopback {
        text.push_str("[ospf.interface.lo]\nnetwork = \"loopback\"\n");
    }
    for link in &role.links {
        let _ = write!(
            text,
            "[ospf.interface.{link}]\nnetwork = \"point-to-point\"\nhello-interval = \"1s\"\n\
             dead-interval = \"4s\"\n"
        );
    }
    for number in 0..role.services {
        let _ = write!(
            text,
            "[group.service{number}]\nprefixes = [\"{}/32\"]\nbase = {{ dc{} = \"usual\" }}\n",
            service(number),
            role.number
        );
    }
    text
}

fn bird(role: &Role) -> String {
    let [usual, raised] = role.metrics;
    let mut text = format!(
        "router id 10.255.0.{};\ntimeformat log iso long us;\nlog stderr all;\nprotocol device {{ }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source != RTS_STATIC; }}; }}\n\
         protocol ospf v2 o {{\n  ipv4 {{ import all; export where source = RTS_STATIC; }};\n  {}area 0 {{\n",
        role.number,
        if role.verbose { "debug { events };\n  " } else { "" }
    );
    if role.loopback {
        text.push_str("    interface \"lo\" { stub; };\n");
    }
    for link in &role.links {
        let _ =
            writeln!(text, "    interface \"{link}\" {{ type pointopoint; hello 1; dead 4; }};");
    }
    text.push_str("  };\n}\n");
    for number in 0..role.services {
        let to = service(number);
        let _ = write!(
            text,
            "protocol static usual{number} {{ ipv4 {{ preference 150; }};\n  \
             route {to}/32 blackhole {{ ospf_metric2 = {usual}; }}; }}\n\
             protocol static raised{number} {{ disabled; ipv4 {{ preference 160; }};\n  \
             route {to}/32 blackhole {{ ospf_metric2 = {raised}; }}; }}\n"
        );
    }
    text
}

fn frr(role: &Role) -> String {
    let mut text = "log timestamp precision 6\n".to_owned();
    if role.loopback {
        text.push_str("interface lo\n ip ospf area 0\n ip ospf passive\n");
    }
    for link in &role.links {
        let _ = write!(
            text,
            "interface {link}\n ip ospf area 0\n ip ospf network point-to-point\n \
             ip ospf hello-interval 1\n ip ospf dead-interval 4\n"
        );
    }
    let _ = write!(
        text,
        "router ospf\n ospf router-id 10.255.0.{}\n log-adjacency-changes\n",
        role.number
    );
    if role.services > 0 {
        let _ = write!(
            text,
            " {}\nip prefix-list services permit 198.51.100.0/24 le 32\n\
             route-map services permit 10\n match ip address prefix-list services\n",
            redistribute(role.metrics[0])
        );
    }
    text
}

/// The services are addresses of the loopback, so FRR knows them as connected.
fn redistribute(metric: u32) -> String {
    format!("redistribute connected metric {metric} metric-type 2 route-map services")
}

fn frr_daemon(node: &Node, name: &str) -> Line {
    let mut all = line(&format!("/usr/lib/frr/{name}"), &[]);
    all.extend(frr_daemons::arguments(node, name));
    // Adjacencies are told at this level.
    all.extend(line("--log", &["stdout", "--log-level", "notifications"]));
    all
}

/// The command as it is shipped, if `make bench` says where that is; Cargo's own build of it is linked in another way.
fn shunt_command() -> String {
    std::env::var("SHUNT_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_shunt").to_owned())
}
