//! Our own daemon as a VRRP router.

use std::fmt::Write;

use nix::sys::signal::Signal;

use super::{Instance, LOWERED_BY, VrrpPeer, VrrpRouter};
use crate::lab::conntrackd::Conntrackd;
use crate::lab::node::Node;
use crate::lab::shuntd::Shuntd;

pub struct VrrpShunt {
    pub shuntd: Shuntd,
    node: Node,
}

impl VrrpShunt {
    #[track_caller]
    pub fn start(node: &Node, router: VrrpRouter) -> VrrpShunt {
        VrrpShunt::with(node, router, "")
    }

    /// With more of the configuration.
    #[track_caller]
    pub fn with(node: &Node, router: VrrpRouter, more: &str) -> VrrpShunt {
        node.write("tracked", "");
        let shuntd = Shuntd::start(node, &config(node, &router, more));
        VrrpShunt { shuntd, node: node.clone() }
    }
}

fn config(node: &Node, router: &VrrpRouter, more: &str) -> String {
    let mut text = format!(
        "[node]\nname = \"{name}\"\nsite = \"{name}\"\nasn = 65000\nrouter-id = \"10.255.0.{}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n",
        router.number + 1,
        name = node.name(),
    );
    if router.conntrackd {
        write!(text, "\n[takeover]\nconntrackd = {:?}\n", Conntrackd::configuration(node)).unwrap();
    }
    for instance in &router.instances {
        text.push_str(&one(instance));
        if router.together {
            text.push_str("sync-group = \"group\"\n");
        }
        if instance.priority != 255 {
            write!(
                text,
                "[[vrrp.{}.track]]\nfile = \"{}\"\nlower-by = {LOWERED_BY}\n",
                instance.name,
                node.path("tracked")
            )
            .unwrap();
        }
    }
    text.push_str(more);
    text
}

fn one(instance: &Instance) -> String {
    let bare = |address: &String| address.split('/').next().unwrap_or_default().to_owned();
    let addresses: Vec<String> = instance.addresses.iter().map(bare).collect();
    let mut text = format!(
        "\n[vrrp.{}]\ninterface = \"{}\"\nid = {}\nversion = {}\naddresses = {addresses:?}\npriority = {}\n\
         interval = \"{}ms\"\npreempt = {}\nmac = \"{}\"\n",
        instance.name,
        instance.interface,
        instance.vrid,
        instance.version,
        instance.priority,
        u32::from(instance.interval) * 10,
        instance.preempt,
        if instance.virtual_mac { "virtual" } else { "physical" },
    );
    if instance.preempt_delay > 0 {
        writeln!(text, "preempt-delay = \"{}s\"", instance.preempt_delay).unwrap();
    }
    if let Some((own, other)) = &instance.unicast {
        write!(text, "source-address = \"{own}\"\nunicast-peers = [\"{other}\"]\n").unwrap();
    }
    text
}

impl VrrpPeer for VrrpShunt {
    fn role(&self, name: &str) -> Result<String, String> {
        let all = self.shuntd.json(&["vrrp"])?;
        let list = all["routers"].as_array().cloned().unwrap_or_default();
        let one = list.iter().find(|one| one["name"] == name);
        let state = one.and_then(|one| one["state"].as_str());
        state.map(str::to_owned).ok_or(all.to_string())
    }

    fn track(&mut self, there: bool) {
        let path = self.node.path("tracked");
        let done = if there { std::fs::write(path, "") } else { std::fs::remove_file(path) };
        done.unwrap();
    }

    fn stop(&mut self) {
        self.shuntd.stop();
    }

    fn kill(&mut self) {
        self.shuntd.kill_alone();
    }

    fn freeze(&mut self) {
        self.shuntd.signal(Signal::SIGSTOP);
    }

    fn thaw(&mut self) {
        self.shuntd.signal(Signal::SIGCONT);
    }

    fn start(&mut self) {
        self.shuntd.start_again();
    }
}
