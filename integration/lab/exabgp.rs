//! ExaBGP, which has no commands to show routes: its own report of events, replayed, is the witness.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::peer::{Peer, Seen, Speaker, communities, family_of};
use super::run::must;
use super::wait::{PATIENCE, wait_for};

pub struct Exabgp {
    node: Node,
    speaker: Speaker,
    daemon: Daemon,
}

impl Exabgp {
    #[track_caller]
    pub fn start(node: &Node, speaker: Speaker) -> Exabgp {
        // ExaBGP's helper process: its input are the events, its output the commands. Both ends with ExaBGP.
        let helper = format!(
            "#!/bin/sh\nexec 3<&0 4<>{}\ncat <&4 &\ncat <&3 >>{}\nkill $!\n",
            node.path("commands"),
            node.path("events")
        );
        let helper = node.write("helper", &helper);
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        must("mkfifo", &[&node.path("commands")]);
        node.write("exabgp.conf", &config(&speaker, &helper));
        let daemon = launch(node, &speaker);
        let mut exabgp = Exabgp { node: node.clone(), speaker, daemon };
        exabgp.prepare();
        exabgp
    }

    #[track_caller]
    fn prepare(&mut self) {
        wait_for("start of ExaBGP", PATIENCE, || {
            self.daemon.alive()?;
            std::fs::metadata(self.node.path("events")).map(drop).map_err(|error| error.to_string())
        });
    }

    /// Sends a command; there is no answer.
    #[track_caller]
    pub fn order(&self, command: &str) {
        // Read and write, or it would wait for the reader.
        let mut pipe = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.node.path("commands"))
            .unwrap();
        pipe.write_all(format!("{command}\n").as_bytes()).unwrap();
    }

    /// Everything reported, oldest first. (Some reports are not JSON, those of route refresh in 4.2 for example.)
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read(self.node.path("events")).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn events_of(&self, neighbor: IpAddr) -> Vec<Value> {
        let neighbor = neighbor.to_string();
        self.events()
            .into_iter()
            .filter(|event| event["neighbor"]["address"]["peer"] == neighbor.as_str())
            .collect()
    }
}

fn launch(node: &Node, speaker: &Speaker) -> Daemon {
    let mut arguments: Vec<String> = [
        "exabgp.daemon.drop=false",
        "exabgp.api.cli=false",
        "exabgp.log.destination=stderr",
        "exabgp.tcp.attempts=0",
    ]
    .map(String::from)
    .into();
    // It listens on given addresses only.
    let listen: Vec<String> = speaker
        .sessions
        .iter()
        .filter(|session| session.passive)
        .map(|session| session.local.to_string())
        .collect();
    if !listen.is_empty() {
        arguments.push(format!("exabgp.tcp.bind={}", listen.join(" ")));
    }
    arguments.extend(["exabgp".into(), node.path("exabgp.conf")]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    node.spawn("exabgp", "env", &arguments)
}

fn config(speaker: &Speaker, helper: &str) -> String {
    let mut text = format!("process helper {{ run {helper}; encoder json; }}\n");
    for session in &speaker.sessions {
        write!(
            text,
            "neighbor {} {{\n  router-id {};\n  local-address {};\n  local-as {};\n  peer-as {};\n  hold-time 9;\n  \
             family {{ ipv{} unicast; }}\n  capability {{ route-refresh enable; }}\n  \
             api {{ processes [ helper ]; neighbor-changes; receive {{ parsed; update; notification; }} }}\n",
            session.remote, speaker.router_id, session.local, speaker.asn, session.remote_as, session.family()
        )
        .unwrap();
        if session.passive {
            text.push_str("  passive true;\n");
        }
        if let Some(password) = &session.password {
            writeln!(text, "  md5-password \"{password}\";").unwrap();
        }
        if session.gtsm {
            // Both have an effect only on connections that it dials.
            text.push_str("  outgoing-ttl 255;\n  incoming-ttl 255;\n");
        }
        text.push_str("  static {\n");
        for prefix in speaker.networks.iter().filter(|prefix| family_of(prefix) == session.family())
        {
            writeln!(text, "    route {prefix} next-hop self;").unwrap();
        }
        text.push_str("  }\n}\n");
    }
    text
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// `[65000, 7]` as `65000:7`.
fn tuple(value: &Value) -> String {
    list(value).iter().map(Value::to_string).collect::<Vec<_>>().join(":")
}

fn seen(attributes: &Value, next_hop: &str) -> Seen {
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    Seen {
        as_path: list(&attributes["as-path"]).iter().filter_map(number).collect(),
        next_hop: next_hop.to_owned(),
        med: number(&attributes["med"]),
        communities: communities(list(&attributes["community"]).iter().map(tuple)),
        large_communities: communities(list(&attributes["large-community"]).iter().map(tuple)),
    }
}

impl Peer for Exabgp {
    fn state(&self, neighbor: IpAddr) -> Result<String, String> {
        let events = self.events_of(neighbor);
        let last = events.iter().rfind(|event| event["type"] == "state").ok_or("no report yet")?;
        match last["state"].as_str().or(last["neighbor"]["state"].as_str()) {
            Some("up") => Ok("Established".into()),
            other => Ok(other.unwrap_or("unknown").to_owned()),
        }
    }

    fn route(&self, prefix: &str) -> Result<Option<Seen>, String> {
        let mut route = None;
        for event in self.events() {
            if event["neighbor"]["state"] == "down" {
                let of_family =
                    event["neighbor"]["address"]["peer"].as_str().unwrap_or_default().contains(':');
                if of_family == prefix.contains(':') {
                    route = None;
                }
            }
            let update = &event["neighbor"]["message"]["update"];
            for (_family, withdrawn) in update["withdraw"].as_object().into_iter().flatten() {
                if list(withdrawn).iter().any(|route| route["nlri"] == prefix) {
                    route = None;
                }
            }
            for (_family, next_hops) in update["announce"].as_object().into_iter().flatten() {
                for (next_hop, routes) in next_hops.as_object().into_iter().flatten() {
                    // Beside the global next hop of IPv6 the link-local one is listed as if it were another.
                    let wanted = list(routes).iter().any(|route| route["nlri"] == prefix);
                    if wanted && !next_hop.starts_with("fe80") {
                        route = Some(seen(&update["attribute"], next_hop));
                    }
                }
            }
        }
        Ok(route)
    }

    fn announce(&mut self, prefix: &str) {
        self.order(&format!("announce route {prefix} next-hop self"));
    }

    fn withdraw(&mut self, prefix: &str) {
        self.order(&format!("withdraw route {prefix} next-hop self"));
    }

    fn refresh(&self, neighbor: IpAddr) -> bool {
        let family = if neighbor.is_ipv4() { 4 } else { 6 };
        self.order(&format!("neighbor {neighbor} announce route-refresh ipv{family} unicast"));
        true
    }

    /// It cannot send a text, only the code of an administrative shutdown.
    fn shut(&self, neighbor: IpAddr, _text: &str) {
        self.order(&format!("neighbor {neighbor} teardown 2"));
    }

    fn notified(&self, neighbor: IpAddr) -> String {
        let events = self.events_of(neighbor);
        let down = events.iter().rfind(|event| event["neighbor"]["state"] == "down");
        let notification = events.iter().rfind(|event| event["type"] == "notification");
        format!("{} {}", down.unwrap_or(&Value::Null), notification.unwrap_or(&Value::Null))
    }

    fn kill(&mut self) {
        self.daemon.kill();
        let _ = std::fs::remove_file(self.node.path("events"));
    }

    fn start(&mut self) {
        self.daemon = launch(&self.node, &self.speaker);
        self.prepare();
    }
}
