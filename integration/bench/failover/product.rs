//! The daemons that are compared: how each is configured and started as a BGP router with BFD, or with BFD alone.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::lab::bfd::{Timers, frr_profile, shunt_profile};
use crate::lab::{Node, PATIENCE, frr_daemons, wait_for, within};
use crate::process::{Line, Process};

/// The AS of the router; its neighbours have those that follow.
pub const ASN: u16 = 65000;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Product {
    Shunt,
    Bird,
    Frr,
}

/// A BFD session of an interface.
pub struct Path {
    pub interface: String,
    pub local: Ipv4Addr,
    pub remote: Ipv4Addr,
}

/// What a router is to do. It has BFD on all paths.
pub struct Role<'a> {
    pub node: &'a Node,
    pub timers: Timers,
    pub paths: Vec<Path>,
    /// To this neighbour, AS [`ASN`] + 1, goes what comes from the BGP neighbours at the ends of the paths, AS
    /// [`ASN`] + 2 and so on. Without it there is no BGP.
    pub sink: Option<Ipv4Addr>,
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

    /// Milliseconds: less it does not take.
    pub fn least_interval(self) -> u16 {
        match self {
            Product::Shunt | Product::Bird => 5,
            Product::Frr => 10,
        }
    }

    /// Its processes, which end with these values.
    pub fn start(self, role: &Role<'_>) -> Vec<Process> {
        let node = role.node;
        match self {
            Product::Shunt => {
                node.write("shunt.toml", &shunt(role));
                node.must("mkdir", &["-p", &node.path("state")]);
                let (config, socket) = (node.path("shunt.toml"), node.path("shunt.sock"));
                let arguments =
                    ["--config", &config, "--socket", &socket, "--state", &node.path("state")];
                vec![run(node, env!("CARGO_BIN_EXE_shuntd"), &arguments, "shuntd")]
            }
            Product::Bird => vec![bird(node, "bird", &bird_config(role))],
            Product::Frr => {
                node.must("install", &["-d", "-o", "frr", "-g", "frr", &node.path("frr")]);
                let daemons: &[&str] = match role.sink {
                    Some(_) => &["zebra", "bfdd", "bgpd"],
                    None => &["zebra", "bfdd"],
                };
                let config = frr(role);
                daemons.iter().map(|name| frr_daemon(node, name, &config)).collect()
            }
        }
    }
}

fn run(node: &Node, program: &str, arguments: &[&str], log: &str) -> Process {
    let line: Line =
        std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect();
    within(node, || Process::start(&line, &node.path(&format!("{log}.log"))))
}

/// A BIRD in the node; the name is that of its files.
pub fn bird(node: &Node, name: &str, config: &str) -> Process {
    let path = |ending: &str| node.path(&format!("{name}.{ending}"));
    node.write(&format!("{name}.conf"), config);
    let arguments = ["-f", "-c", &path("conf"), "-s", &path("ctl"), "-P", &path("pid")];
    run(node, "bird", &arguments, name)
}

/// The statement for BFD on all interfaces, where it is wanted.
pub fn bird_bfd(timers: Timers) -> String {
    format!(
        "interface \"*\" {{ min rx interval {} ms; min tx interval {} ms; multiplier {}; }};",
        timers.receive, timers.transmit, timers.multiplier
    )
}

fn frr_daemon(node: &Node, name: &str, config: &str) -> Process {
    node.write(&format!("frr/{name}.conf"), if name == "zebra" { "" } else { config });
    let mut arguments = frr_daemons::arguments(node, name);
    if name == "bgpd" {
        // Learned routes stay out of the kernel, with all products.
        arguments.push("-n".to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let daemon = run(node, &format!("/usr/lib/frr/{name}"), &arguments, name);
    let dir = node.path("frr");
    wait_for(name, PATIENCE, || {
        node.run("vtysh", &["--vty_socket", &dir, "-d", name, "-c", "show version"])
    });
    daemon
}

/// With the AS number of each.
fn neighbors<'a>(role: &'a Role<'_>) -> impl Iterator<Item = (&'a Path, u16)> {
    role.paths.iter().zip(ASN + 2..).filter(|_| role.sink.is_some())
}

fn shunt(role: &Role<'_>) -> String {
    let mut text = format!(
        "[node]\nname = \"router\"\nsite = \"dc1\"\nasn = {ASN}\nrouter-id = \"10.99.0.1\"\n\
         [kernel]\ninstall = false\n{}",
        shunt_profile(role.node, role.timers, None)
    );
    if let Some(sink) = role.sink {
        let _ = write!(
            text,
            "[neighbor.sink]\naddress = \"{sink}\"\nremote-as = {}\nimport = \"none\"\nexport = \"transit\"\n",
            ASN + 1
        );
    }
    for (path, asn) in neighbors(role) {
        let _ = write!(
            text,
            "[neighbor.as{asn}]\naddress = \"{}\"\nremote-as = {asn}\nimport = \"all\"\nexport = \"none\"\n\
             connect-retry = \"1s\"\nbfd = \"fast\"\n",
            path.remote
        );
    }
    if role.sink.is_none() {
        for (path, number) in role.paths.iter().zip(1..) {
            let _ = write!(
                text,
                "[bfd.session.s{number}]\naddress = \"{}\"\nlocal-address = \"{}\"\ninterface = \"{}\"\n\
                 profile = \"fast\"\n",
                path.remote, path.local, path.interface
            );
        }
    }
    text
}

fn bird_config(role: &Role<'_>) -> String {
    let mut text = format!(
        "router id 10.99.0.1;\nprotocol device {{ }}\nprotocol bfd {{\n  {}\n",
        bird_bfd(role.timers)
    );
    if role.sink.is_none() {
        text.push_str(&bird_sessions(&role.paths));
    }
    text.push_str("}\n");
    if let Some(sink) = role.sink {
        let _ = write!(
            text,
            "protocol bgp sink {{ local as {ASN}; neighbor {sink} as {}; connect delay time 1;\n  \
             error wait time 1, 1; connect retry time 1; ipv4 {{ import none; export all; }}; }}\n",
            ASN + 1
        );
    }
    for (path, asn) in neighbors(role) {
        let _ = write!(
            text,
            "protocol bgp as{asn} {{ local {} as {ASN}; neighbor {} as {asn}; bfd on; connect delay time 1;\n  \
             error wait time 1, 1; connect retry time 1; ipv4 {{ import all; export none; }}; }}\n",
            path.local, path.remote
        );
    }
    text
}

/// Sessions that no protocol asks for.
pub fn bird_sessions(paths: &[Path]) -> String {
    let mut text = String::new();
    for Path { interface, local, remote } in paths {
        let _ = writeln!(text, "  neighbor {remote} dev \"{interface}\" local {local};");
    }
    text
}

fn frr(role: &Role<'_>) -> String {
    let mut text = frr_profile(role.timers);
    if role.sink.is_none() {
        for Path { interface, local, remote } in &role.paths {
            let _ = write!(
                text,
                " peer {remote} local-address {local} interface {interface}\n  profile fast\n  no shutdown\n"
            );
        }
    }
    if let Some(sink) = role.sink {
        let _ = write!(
            text,
            "router bgp {ASN}\n bgp router-id 10.99.0.1\n no bgp ebgp-requires-policy\n"
        );
        let mut one = |remote, asn, bfd| {
            let _ = write!(
                text,
                " neighbor {remote} remote-as {asn}\n neighbor {remote} timers connect 1\n \
                 neighbor {remote} advertisement-interval 0\n"
            );
            if bfd {
                let _ =
                    write!(text, " neighbor {remote} bfd\n neighbor {remote} bfd profile fast\n");
            }
        };
        one(sink, ASN + 1, false);
        neighbors(role).for_each(|(path, asn)| one(path.remote, asn, true));
    }
    text
}
