//! FRR: zebra and bfdd.

use std::fmt::Write;

use super::{BfdPath, BfdPeer, BfdRouter, BfdSeen, Timers};
use crate::lab::frr_daemons::FrrDaemons;
use crate::lab::node::Node;

pub struct BfdFrr {
    node: Node,
    router: BfdRouter,
    daemons: FrrDaemons,
}

impl BfdFrr {
    #[track_caller]
    pub fn start(node: &Node, router: BfdRouter) -> BfdFrr {
        assert!(router.authentication.is_none(), "this FRR cannot authenticate BFD");
        let mut text = profile(router.timers);
        for path in &router.sessions {
            write!(text, " {}\n  profile fast\n  no shutdown\n", peer(path)).unwrap();
            if path.interface.is_none() {
                // BIRD sends with 64.
                text.push_str("  minimum-ttl 1\n");
            }
        }
        let daemons = FrrDaemons::start(node, &["bfdd"], &text);
        // On a busy machine it would be late by itself.
        node.hasten();
        BfdFrr { node: node.clone(), router, daemons }
    }

    /// Enters a command below every session.
    #[track_caller]
    fn all(&self, command: &str) {
        for path in &self.router.sessions {
            self.daemons.configure("bfd", &[&peer(path), command]);
        }
    }
}

fn peer(path: &BfdPath) -> String {
    match &path.interface {
        Some(interface) => {
            format!("peer {} local-address {} interface {interface}", path.remote, path.local)
        }
        None => format!("peer {} multihop local-address {}", path.remote, path.local),
    }
}

/// The block for BFD with one profile, named `fast`.
pub fn profile(timers: Timers) -> String {
    format!(
        "bfd\n profile fast\n  receive-interval {}\n  transmit-interval {}\n  detect-multiplier {}\n",
        timers.receive, timers.transmit, timers.multiplier
    )
}

impl BfdPeer for BfdFrr {
    fn session(&self, remote: &str) -> Result<BfdSeen, String> {
        seen(&self.daemons.json("show bfd peers json")?, remote)
    }

    fn retime(&mut self, timers: Timers) {
        self.router.timers = timers;
        let text = profile(timers);
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        self.daemons.configure("bfd", &lines);
    }

    fn disable(&mut self) {
        self.all("shutdown");
    }

    fn enable(&mut self) {
        self.all("no shutdown");
    }

    fn kill(&mut self) {
        self.daemons.kill();
    }

    fn start(&mut self) {
        self.daemons.start_again();
        self.node.hasten();
    }
}

/// From `show bfd peers json`. It shows its own timers and the other side's, and what comes of them is to be computed.
pub fn seen(shown: &serde_json::Value, remote: &str) -> Result<BfdSeen, String> {
    let list = shown.as_array().cloned().unwrap_or_default();
    let one = list.iter().find(|one| one["peer"] == remote).ok_or_else(|| shown.to_string())?;
    let number = |key: &str| one[key].as_u64().unwrap_or(0);
    let state = match one["status"].as_str().unwrap_or_default() {
        "shutdown" => "admin-down".to_owned(),
        state => state.to_owned(),
    };
    Ok(BfdSeen {
        state,
        transmit: number("transmit-interval").max(number("remote-receive-interval")),
        detection: number("receive-interval").max(number("remote-transmit-interval"))
            * number("remote-detect-multiplier"),
    })
}
