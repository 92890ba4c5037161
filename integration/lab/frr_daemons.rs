//! FRR's daemons in one node, and vtysh to talk to them.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::run::{must, run};
use super::wait::{PATIENCE, wait_for};

pub struct FrrDaemons {
    node: Node,
    /// zebra first: the others must find it.
    names: Vec<&'static str>,
    /// The other way round: zebra ends last.
    daemons: Vec<Daemon>,
}

impl FrrDaemons {
    /// Starts zebra with an empty configuration and the others with `config`, of which each takes what it understands.
    #[track_caller]
    pub fn start(node: &Node, others: &[&'static str], config: &str) -> FrrDaemons {
        must("install", &["-d", "-o", "frr", "-g", "frr", &node.path("frr")]);
        node.write("frr/zebra.conf", "");
        let mut daemons = FrrDaemons { node: node.clone(), names: Vec::new(), daemons: Vec::new() };
        daemons.configured(others, config);
        daemons.start_again();
        daemons
    }

    /// What the next start starts, and with what.
    #[track_caller]
    pub fn configured(&mut self, others: &[&'static str], config: &str) {
        for name in others {
            self.node.write(&format!("frr/{name}.conf"), config);
        }
        self.names = ["zebra"].iter().chain(others).copied().collect();
    }

    /// Runs vtysh commands.
    pub fn ask(&self, commands: &[&str]) -> Result<String, String> {
        let dir = self.node.path("frr");
        let mut arguments = vec!["--vty_socket", dir.as_str()];
        for command in commands {
            arguments.extend(["-c", command]);
        }
        run("vtysh", &arguments)
    }

    pub fn json(&self, command: &str) -> Result<Value, String> {
        let text = self.ask(&[command])?;
        serde_json::from_str(&text).map_err(|error| format!("{command}: {error}: {text}"))
    }

    /// Enters commands below one of the configuration, e.g. `router bgp 65001`.
    #[track_caller]
    pub fn configure(&self, below: &str, commands: &[&str]) {
        let mut all = vec!["configure terminal", below];
        all.extend(commands);
        if let Err(error) = self.ask(&all) {
            panic!("{error}");
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        for daemon in &mut self.daemons {
            daemon.kill();
        }
        self.daemons.clear();
    }

    /// SIGTERM.
    #[track_caller]
    pub fn stop(&mut self) {
        for daemon in &mut self.daemons {
            daemon.stop();
        }
        self.daemons.clear();
    }

    /// Sends a signal to all of them.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        for daemon in &self.daemons {
            daemon.signal(signal);
        }
    }

    /// Starts again after `kill` or `stop`, with the same configuration.
    #[track_caller]
    pub fn start_again(&mut self) {
        for name in self.names.clone() {
            let dir = self.node.path("frr");
            let arguments = arguments(&self.node, name);
            let log = ["--log", "stdout", "--log-level", "debug"];
            let all: Vec<&str> = arguments.iter().map(String::as_str).chain(log).collect();
            let daemon = self.node.spawn(name, &format!("/usr/lib/frr/{name}"), &all);
            self.daemons.insert(0, daemon);
            // The others must find zebra, and the connection of a dead zebra is not to be taken for a new one.
            wait_for(name, PATIENCE, || {
                self.daemons[0].alive()?;
                run("vtysh", &["--vty_socket", &dir, "-d", name, "-c", "show version"])
            });
        }
    }
}

/// What a daemon of FRR is started with in a node: no TCP port for vtysh, and all its files in the node's own directory.
pub fn arguments(node: &Node, name: &str) -> Vec<String> {
    let dir = node.path("frr");
    let files = [
        ("-i", format!("{dir}/{name}.pid")),
        ("-z", format!("{dir}/zserv.api")),
        ("--vty_socket", dir.clone()),
        ("-f", format!("{dir}/{name}.conf")),
    ];
    let files = files.into_iter().flat_map(|(option, path)| [option.to_owned(), path]);
    ["-P", "0"].map(str::to_owned).into_iter().chain(files).collect()
}
