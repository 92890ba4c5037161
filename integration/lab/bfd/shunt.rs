//! Our own daemon as a BFD speaker.

use std::fmt::Write;

use super::{BfdPath, BfdPeer, BfdRouter, BfdSeen, Timers};
use crate::lab::node::Node;
use crate::lab::shuntd::Shuntd;

pub struct BfdShunt {
    pub shuntd: Shuntd,
    node: Node,
    router: BfdRouter,
}

impl BfdShunt {
    #[track_caller]
    pub fn start(node: &Node, router: BfdRouter) -> BfdShunt {
        let shuntd = Shuntd::start(node, &config(node, &router));
        BfdShunt { shuntd, node: node.clone(), router }
    }
}

impl BfdPeer for BfdShunt {
    fn session(&self, remote: &str) -> Result<BfdSeen, String> {
        let all = self.shuntd.json(&["bfd"])?;
        let list = all["sessions"].as_array().cloned().unwrap_or_default();
        let one = list.iter().find(|one| one["address"] == remote).ok_or(all.to_string())?;
        let milliseconds = |key: &str| one[key].as_u64().unwrap_or(0) / 1000;
        Ok(BfdSeen {
            state: one["state"].as_str().unwrap_or_default().to_owned(),
            transmit: milliseconds("transmit_us"),
            detection: milliseconds("detection_us"),
        })
    }

    fn retime(&mut self, timers: Timers) {
        self.router.timers = timers;
        self.shuntd.configure(&config(&self.node, &self.router));
        self.shuntd.order(&["reload"]);
    }

    /// As an operator would: without its sessions in the configuration.
    fn disable(&mut self) {
        let none = BfdRouter { sessions: Vec::new(), ..self.router.clone() };
        self.shuntd.configure(&config(&self.node, &none));
        self.shuntd.order(&["reload"]);
    }

    fn enable(&mut self) {
        self.retime(self.router.timers);
    }

    fn kill(&mut self) {
        self.shuntd.kill_alone();
    }

    fn start(&mut self) {
        self.shuntd.start_again();
    }
}

/// The profile `fast`, with a key where there is to be one.
pub fn profile(
    node: &Node,
    timers: Timers,
    authentication: Option<super::Authentication>,
) -> String {
    let mut text = format!(
        "\n[bfd.profile.fast]\ntransmit-interval = \"{}ms\"\nreceive-interval = \"{}ms\"\nmultiplier = {}\n",
        timers.transmit, timers.receive, timers.multiplier
    );
    if let Some(super::Authentication { algorithm, id, secret }) = authentication {
        let file = node.secret("bfd", secret);
        write!(
            text,
            "authentication = \"{algorithm}\"\n[[bfd.profile.fast.key]]\nid = {id}\nfile = \"{file}\"\n"
        )
        .unwrap();
    }
    text
}

fn config(node: &Node, router: &BfdRouter) -> String {
    let mut text = format!(
        "[node]\nname = \"{name}\"\nsite = \"{name}\"\nasn = 65000\nrouter-id = \"10.255.0.1\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n",
        name = node.name(),
    );
    text.push_str(&profile(node, router.timers, router.authentication));
    for (path, number) in router.sessions.iter().zip(1..) {
        let BfdPath { local, remote, interface } = path;
        write!(
            text,
            "\n[bfd.session.s{number}]\naddress = \"{remote}\"\nprofile = \"fast\"\nlocal-address = \"{local}\"\n"
        )
        .unwrap();
        match interface {
            Some(interface) => writeln!(text, "interface = \"{interface}\"").unwrap(),
            None => text.push_str("multihop = 255\n"),
        }
    }
    text
}
