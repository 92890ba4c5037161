//! GoBGP.

use std::fmt::Write;
use std::net::IpAddr;

use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::peer::{Peer, Seen, Speaker, communities, family_of};
use super::wait::{PATIENCE, wait_for};

pub struct Gobgp {
    node: Node,
    speaker: Speaker,
    daemon: Daemon,
}

impl Gobgp {
    #[track_caller]
    pub fn start(node: &Node, speaker: Speaker) -> Gobgp {
        node.write("gobgpd.toml", &config(&speaker));
        let daemon = launch(node);
        let mut gobgp = Gobgp { node: node.clone(), speaker, daemon };
        gobgp.prepare();
        gobgp
    }

    #[track_caller]
    fn prepare(&mut self) {
        wait_for("answer of gobgpd", PATIENCE, || {
            self.daemon.alive()?;
            self.ask(&["global"])
        });
        for prefix in self.speaker.networks.clone() {
            self.rib("add", &prefix);
        }
    }

    /// Runs a gobgp command.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        self.node.run("gobgp", arguments)
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

    fn rib(&self, verb: &str, prefix: &str) {
        self.order(&["global", "rib", verb, prefix, "-a", &format!("ipv{}", family_of(prefix))]);
    }
}

fn launch(node: &Node) -> Daemon {
    let config = node.path("gobgpd.toml");
    node.spawn(
        "gobgpd",
        "gobgpd",
        &["-t", "toml", "-f", &config, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"],
    )
}

fn config(speaker: &Speaker) -> String {
    let mut text = format!(
        "[global.config]\n  as = {}\n  router-id = \"{}\"\n",
        speaker.asn, speaker.router_id
    );
    for session in &speaker.sessions {
        write!(
            text,
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {}\n{}  \
             [neighbors.transport.config]\n    local-address = \"{}\"\n    passive-mode = {}\n  \
             [neighbors.ttl-security.config]\n    enabled = {}\n    ttl-min = 255\n  \
             [neighbors.timers.config]\n    connect-retry = 2\n    idle-hold-time-after-reset = 2\n    \
             hold-time = 9\n    keepalive-interval = 3\n  \
             [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"ipv{}-unicast\"\n",
            session.remote,
            session.remote_as,
            session.password.as_ref().map(|key| format!("    auth-password = \"{key}\"\n")).unwrap_or_default(),
            session.local,
            session.passive,
            session.gtsm,
            session.family()
        )
        .unwrap();
    }
    text
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn seen(path: &Value) -> Seen {
    let mut seen = Seen::default();
    for attribute in list(&path["attrs"]) {
        // The path attributes' type codes.
        match attribute["type"].as_u64() {
            Some(2) => {
                let segments = list(&attribute["as_paths"]);
                seen.as_path = segments
                    .iter()
                    .flat_map(|segment| list(&segment["asns"]))
                    .filter_map(|asn| number(&asn))
                    .collect();
            }
            Some(3 | 14) => {
                attribute["nexthop"].as_str().unwrap_or_default().clone_into(&mut seen.next_hop)
            }
            // A metric of 0 is left out of its JSON.
            Some(4) => seen.med = Some(number(&attribute["metric"]).unwrap_or(0)),
            Some(8) => {
                let values = list(&attribute["communities"]);
                seen.communities = communities(
                    values
                        .iter()
                        .filter_map(number)
                        .map(|value| format!("{}:{}", value >> 16, value & 0xffff)),
                );
            }
            Some(32) => {
                seen.large_communities =
                    communities(list(&attribute["value"]).iter().map(|value| {
                        format!("{}:{}:{}", value["ASN"], value["LocalData1"], value["LocalData2"])
                    }));
            }
            _ => {}
        }
    }
    seen
}

impl Peer for Gobgp {
    fn state(&self, neighbor: IpAddr) -> Result<String, String> {
        let shown = self.json(&["neighbor", &neighbor.to_string(), "-j"])?;
        // api.PeerState.SessionState; Idle is 1.
        let names =
            ["Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];
        let state =
            shown["state"]["session_state"].as_u64().and_then(|state| usize::try_from(state).ok());
        Ok(state.and_then(|state| names.get(state)).unwrap_or(&"Unknown").to_string())
    }

    fn route(&self, prefix: &str) -> Result<Option<Seen>, String> {
        let arguments = ["global", "rib", prefix, "-a", &format!("ipv{}", family_of(prefix)), "-j"];
        match self.json(&arguments) {
            Ok(shown) => {
                Ok(list(&shown[prefix]).iter().find(|path| path["best"] == true).map(seen))
            }
            Err(error) if error.contains("Network not in table") => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn announce(&mut self, prefix: &str) {
        self.rib("add", prefix);
    }

    fn withdraw(&mut self, prefix: &str) {
        self.rib("del", prefix);
    }

    /// It keeps all that it received, and has no command that asks again.
    fn refresh(&self, _neighbor: IpAddr) -> bool {
        false
    }

    fn shut(&self, neighbor: IpAddr, text: &str) {
        self.order(&["neighbor", &neighbor.to_string(), "shutdown", "--reason", text]);
    }

    fn notified(&self, neighbor: IpAddr) -> String {
        let key = format!("\"Key\":\"{neighbor}\"");
        let log = self.daemon.log();
        let mut lines =
            log.lines().filter(|line| line.contains(&key) && line.contains("otification"));
        let last: Vec<&str> = lines.by_ref().filter(|line| line.contains("received")).collect();
        last[last.len().saturating_sub(2)..].join("\n")
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn start(&mut self) {
        self.daemon = launch(&self.node);
        self.prepare();
    }
}
