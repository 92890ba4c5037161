//! OpenBGPD.

use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::peer::{Peer, Seen, Speaker, communities};
use super::run::{must, run};
use super::wait::{PATIENCE, wait_for};

pub struct Openbgpd {
    node: Node,
    daemon: Daemon,
}

impl Openbgpd {
    #[track_caller]
    pub fn start(node: &Node, speaker: Speaker) -> Openbgpd {
        // The directory it is confined to is made by the service file, which is not used here.
        let home = nix::unistd::User::from_name("_openbgpd")
            .unwrap()
            .expect("openbgpd's user is there")
            .dir;
        must("install", &["-d", "-m", "755", home.to_str().unwrap()]);
        let path = node.write("bgpd.conf", &config(node, &speaker));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let daemon = launch(node);
        let mut openbgpd = Openbgpd { node: node.clone(), daemon };
        openbgpd.wait();
        openbgpd
    }

    #[track_caller]
    fn wait(&mut self) {
        wait_for("answer of OpenBGPD", PATIENCE, || {
            self.daemon.alive()?;
            self.ask(&["show", "summary"])
        });
    }

    /// Runs a bgpctl command.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let socket = self.node.path("bgpd.sock");
        let mut all = vec!["-s", socket.as_str(), "-j"];
        all.extend(arguments);
        run("bgpctl", &all)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value, String> {
        let text = self.ask(arguments)?;
        serde_json::from_str(&text).map_err(|error| format!("{arguments:?}: {error}: {text}"))
    }

    #[track_caller]
    fn order(&self, arguments: &[&str]) {
        if let Err(error) = self.ask(arguments) {
            panic!("{error}");
        }
    }
}

fn launch(node: &Node) -> Daemon {
    node.spawn("openbgpd", "/usr/sbin/bgpd", &["-d", "-v", "-f", &node.path("bgpd.conf")])
}

fn config(node: &Node, speaker: &Speaker) -> String {
    let mut text = format!(
        "AS {}\nrouter-id {}\nfib-update no\nsocket \"{}\"\n",
        speaker.asn,
        speaker.router_id,
        node.path("bgpd.sock")
    );
    for session in &speaker.sessions {
        writeln!(text, "listen on {}", session.local).unwrap();
    }
    for prefix in &speaker.networks {
        writeln!(text, "network {prefix}").unwrap();
    }
    for session in &speaker.sessions {
        let (on, off) = if session.family() == 4 { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        write!(
            text,
            "neighbor {} {{\n  remote-as {}\n  local-address {}\n  holdtime 9\n  announce {off} none\n  announce {on} unicast\n",
            session.remote, session.remote_as, session.local
        )
        .unwrap();
        if session.passive {
            text.push_str("  passive\n");
        }
        if let Some(password) = &session.password {
            writeln!(text, "  tcp md5sig password {password}").unwrap();
        }
        if session.gtsm {
            text.push_str("  ttl-security yes\n");
        }
        text.push_str("}\n");
    }
    text.push_str("allow from any\nallow to any\n");
    text
}

fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn seen(route: &Value) -> Seen {
    let path = route["aspath"].as_str().unwrap_or_default();
    Seen {
        as_path: path.split_whitespace().filter_map(|asn| asn.parse().ok()).collect(),
        next_hop: route["exit_nexthop"].as_str().unwrap_or_default().to_owned(),
        med: route["metric"].as_u64().and_then(|med| u32::try_from(med).ok()),
        communities: communities(words(&route["communities"])),
        large_communities: communities(words(&route["large_communities"])),
    }
}

impl Peer for Openbgpd {
    fn state(&self, neighbor: IpAddr) -> Result<String, String> {
        let shown = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        shown["neighbors"][0]["state"].as_str().map(str::to_owned).ok_or(shown.to_string())
    }

    fn route(&self, prefix: &str) -> Result<Option<Seen>, String> {
        let shown = self.json(&["show", "rib", "detail", prefix])?;
        let routes = shown["rib"].as_array().cloned().unwrap_or_default();
        // Asked for a prefix, bgpctl shows also what covers it.
        Ok(routes.iter().find(|route| route["best"] == true && route["prefix"] == prefix).map(seen))
    }

    fn announce(&mut self, prefix: &str) {
        self.order(&["network", "add", prefix]);
    }

    fn withdraw(&mut self, prefix: &str) {
        self.order(&["network", "delete", prefix]);
    }

    fn refresh(&self, neighbor: IpAddr) -> bool {
        self.order(&["neighbor", &neighbor.to_string(), "refresh"]);
        true
    }

    fn shut(&self, neighbor: IpAddr, text: &str) {
        self.order(&["neighbor", &neighbor.to_string(), "down", text]);
    }

    fn notified(&self, neighbor: IpAddr) -> String {
        let mark = format!("neighbor {neighbor}");
        let log = self.daemon.log();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| {
                line.contains(&mark)
                    && (line.contains("received notification") || line.contains("shutdown reason"))
            })
            .collect();
        lines[lines.len().saturating_sub(2)..].join("\n")
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn start(&mut self) {
        self.daemon = launch(&self.node);
        self.wait();
    }
}
