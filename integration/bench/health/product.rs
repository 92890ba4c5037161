//! The daemons that are compared, as they are started.

use crate::lab::{Node, within};
use crate::process::{Line, Process};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Product {
    Shunt,
    Exabgp,
    Keepalived,
}

impl Product {
    pub const ALL: [Product; 3] = [Product::Shunt, Product::Exabgp, Product::Keepalived];

    pub fn name(self) -> &'static str {
        match self {
            Product::Shunt => "shunt",
            Product::Exabgp => "ExaBGP",
            Product::Keepalived => "keepalived",
        }
    }
}

/// Starts a program; what it says goes to `NAME.log`.
pub fn run(node: &Node, name: &str, line: &[&str]) -> Process {
    let line: Line = line.iter().map(|&word| word.to_owned()).collect();
    within(node, || Process::start(&line, &node.path(&format!("{name}.log"))))
}

pub fn shunt(node: &Node, config: &str) -> Process {
    node.write("shunt.toml", config);
    node.must("mkdir", &["-p", &node.path("state")]);
    let [config, socket, state] = ["shunt.toml", "shunt.sock", "state"].map(|file| node.path(file));
    let line = ["--config", &config, "--socket", &socket, "--state", &state];
    run(node, "shuntd", &[&[env!("CARGO_BIN_EXE_shuntd")][..], &line].concat())
}

pub fn bird(node: &Node, config: &str) -> Process {
    node.write("bird.conf", config);
    let [config, socket, pid] = ["bird.conf", "bird.ctl", "bird.pid"].map(|file| node.path(file));
    run(node, "bird", &["bird", "-f", "-c", &config, "-s", &socket, "-P", &pid])
}

pub fn exabgp(node: &Node, config: &str) -> Process {
    let config = node.write("exabgp.conf", config);
    let line = [
        "env",
        "exabgp.daemon.drop=false",
        "exabgp.api.cli=false",
        "exabgp.log.destination=stderr",
        "exabgp.tcp.attempts=0",
        "exabgp",
        &config,
    ];
    run(node, "exabgp", &line)
}

/// Its checkers alone; the configuration is that of virtual servers.
#[track_caller]
pub fn keepalived(node: &Node, servers: &str) -> Process {
    node.write("no_ipvs.c", include_str!("no_ipvs.c"));
    let [source, library] = ["no_ipvs.c", "no_ipvs.so"].map(|file| node.path(file));
    node.must("cc", &["-shared", "-fPIC", "-O2", "-o", &library, &source, "-ldl"]);
    let head = format!(
        "global_defs {{\n  router_id {}\n  script_user root\n  enable_script_security\n}}\n",
        node.name()
    );
    let config = node.write("keepalived.conf", &format!("{head}{servers}"));
    let [pid, checkers] = ["keepalived.pid", "checkers.pid"].map(|file| node.path(file));
    let preload = format!("LD_PRELOAD={library}");
    let line = [
        "env",
        &preload,
        "keepalived",
        "-n",
        "-l",
        // Without a syslog it would write to the console, which may be a slow line.
        "-G",
        "-C",
        "-f",
        &config,
        "-p",
        &pid,
        "-c",
        &checkers,
    ];
    run(node, "keepalived", &line)
}
