//! FRR: zebra and vrrpd.

use std::fmt::Write;

use nix::sys::signal::Signal;

use super::{Instance, LOWERED_BY, VrrpPeer, VrrpRouter};
use crate::lab::frr_daemons::FrrDaemons;
use crate::lab::node::Node;

pub struct VrrpFrr {
    node: Node,
    router: VrrpRouter,
    daemons: FrrDaemons,
}

impl VrrpFrr {
    /// It wants the virtual router's macvlan made before it starts. IPv4 and IPv6 of one VRID are one virtual router to
    /// it: give both the same priority and flags.
    #[track_caller]
    pub fn start(node: &Node, router: VrrpRouter) -> VrrpFrr {
        let mut text = String::new();
        for instance in &router.instances {
            macvlan(node, instance);
            text.push_str(&one(instance));
        }
        let daemons = FrrDaemons::start(node, &["vrrpd"], &text);
        // On a busy machine it would lose its role by itself.
        node.hasten();
        VrrpFrr { node: node.clone(), router, daemons }
    }

    fn instance(&self, name: &str) -> &Instance {
        let found = self.router.instances.iter().find(|instance| instance.name == name);
        found.expect("the instance is configured")
    }
}

fn macvlan(node: &Node, instance: &Instance) {
    let Instance { interface, vrid, .. } = instance;
    let family = if instance.is_ipv6() { 6 } else { 4 };
    let name = format!("vrrp{family}-{vrid}");
    let mut lines = format!(
        "link add {name} link {interface} type macvlan mode bridge\nlink set {name} addrgenmode none\n\
         link set {name} address 00:00:5e:00:0{}:{vrid:02x}\n",
        if family == 4 { 1 } else { 2 },
    );
    for address in &instance.addresses {
        let nodad = if family == 6 { "nodad" } else { "" };
        writeln!(lines, "addr add {address} dev {name} {nodad}").unwrap();
    }
    writeln!(lines, "link set {name} up").unwrap();
    node.ip_batch(&lines);
}

fn one(instance: &Instance) -> String {
    let Instance { interface, vrid, version, priority, .. } = instance;
    let mut text = format!(
        "interface {interface}\n vrrp {vrid} version {version}\n vrrp {vrid} priority {priority}\n \
         vrrp {vrid} advertisement-interval {}\n",
        instance.interval * 10
    );
    if !instance.preempt {
        writeln!(text, " no vrrp {vrid} preempt").unwrap();
    }
    for address in &instance.addresses {
        let family = if instance.is_ipv6() { "ipv6" } else { "ip" };
        let address = address.split('/').next().unwrap_or_default();
        writeln!(text, " vrrp {vrid} {family} {address}").unwrap();
    }
    text
}

impl VrrpPeer for VrrpFrr {
    fn role(&self, name: &str) -> Result<String, String> {
        let instance = self.instance(name);
        let shown = self.daemons.json("show vrrp json")?;
        let list = shown.as_array().cloned().unwrap_or_default();
        let one = list
            .iter()
            .find(|one| one["vrid"] == instance.vrid && one["interface"] == *instance.interface);
        let family = if instance.is_ipv6() { "v6" } else { "v4" };
        let status = one.and_then(|one| one[family]["status"].as_str());
        Ok(match status.ok_or(shown.to_string())? {
            "Master" => "active".to_owned(),
            status => status.to_lowercase(),
        })
    }

    fn track(&mut self, there: bool) {
        for instance in &self.router.instances {
            let priority = instance.priority - if there { 0 } else { LOWERED_BY };
            self.daemons.configure(
                &format!("interface {}", instance.interface),
                &[&format!("vrrp {} priority {priority}", instance.vrid)],
            );
        }
    }

    fn stop(&mut self) {
        self.daemons.stop();
    }

    fn kill(&mut self) {
        self.daemons.kill();
    }

    fn freeze(&mut self) {
        self.daemons.signal(Signal::SIGSTOP);
    }

    fn thaw(&mut self) {
        self.daemons.signal(Signal::SIGCONT);
    }

    fn start(&mut self) {
        self.daemons.start_again();
        self.node.hasten();
    }
}
