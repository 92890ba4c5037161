//! keepalived.

use std::fmt::Write;

use nix::sys::signal::Signal;

use super::{Instance, LOWERED_BY, VrrpPeer, VrrpRouter};
use crate::lab::conntrackd::Conntrackd;
use crate::lab::daemon::Daemon;
use crate::lab::node::Node;
use crate::lab::wait::{PATIENCE, wait_for};

pub struct Keepalived {
    node: Node,
    daemon: Daemon,
    /// Where in the log this life of it begins.
    born: usize,
}

impl Keepalived {
    #[track_caller]
    pub fn start(node: &Node, router: VrrpRouter) -> Keepalived {
        node.write("keepalived.conf", &config(node, &router));
        node.write("tracked", "0");
        let daemon = launch(node);
        let mut keepalived = Keepalived { node: node.clone(), daemon, born: 0 };
        keepalived.wait();
        keepalived
    }

    #[track_caller]
    fn wait(&mut self) {
        wait_for("start of keepalived", PATIENCE, || {
            self.daemon.alive()?;
            let log = self.said();
            if log.contains("Startup complete") { Ok(()) } else { Err(log) }
        });
    }

    /// The log of this life.
    fn said(&self) -> String {
        self.daemon.log().split_off(self.born)
    }
}

fn launch(node: &Node) -> Daemon {
    let (config, pid, child) =
        (node.path("keepalived.conf"), node.path("keepalived.pid"), node.path("vrrp.pid"));
    // A process that was killed may still have its number: it would be taken for one that runs.
    for file in [&pid, &child] {
        let _ = std::fs::remove_file(file);
    }
    let arguments = ["-n", "-l", "-D", "-P", "-f", &config, "-p", &pid, "-r", &child];
    node.spawn("keepalived", "keepalived", &arguments)
}

fn config(node: &Node, router: &VrrpRouter) -> String {
    // On a busy machine it would lose its role by itself.
    let mut text = format!(
        "global_defs {{\n  router_id {}\n  script_user root\n  enable_script_security\n  vrrp_rt_priority 10\n  vrrp_rlimit_rttime 1000000\n}}\n\
         track_file tracked {{\n  file {}\n  weight 1\n}}\n",
        node.name(),
        node.path("tracked"),
    );
    for instance in &router.instances {
        text.push_str(&one(instance));
        if !router.together {
            text.push_str(&scripts(node, router));
        }
        text.push_str("}\n");
    }
    if router.together {
        text.push_str("vrrp_sync_group group {\n  group {\n");
        for instance in &router.instances {
            writeln!(text, "    {}", instance.name).unwrap();
        }
        write!(text, "  }}\n{}}}\n", scripts(node, router)).unwrap();
    }
    text
}

fn scripts(node: &Node, router: &VrrpRouter) -> String {
    if !router.conntrackd {
        return String::new();
    }
    let script = Conntrackd::script(node);
    format!("  notify_master \"{script} active\"\n  notify_backup \"{script} backup\"\n")
}

fn one(instance: &Instance) -> String {
    let state = if instance.priority == 255 { "MASTER" } else { "BACKUP" };
    let mut text = format!(
        "vrrp_instance {} {{\n  state {state}\n  interface {}\n  virtual_router_id {}\n  priority {}\n  version {}\n  \
         advert_int {}\n",
        instance.name,
        instance.interface,
        instance.vrid,
        instance.priority,
        instance.version,
        f32::from(instance.interval) / 100.0,
    );
    if instance.priority != 255 {
        text.push_str("  track_file {\n    tracked\n  }\n");
    }
    if !instance.preempt {
        text.push_str("  nopreempt\n");
    }
    if instance.virtual_mac {
        text.push_str("  use_vmac\n");
    }
    if instance.is_ipv6() {
        text.push_str("  native_ipv6\n");
    }
    if let Some((own, other)) = &instance.unicast {
        write!(text, "  unicast_src_ip {own}\n  unicast_peer {{\n    {other}\n  }}\n").unwrap();
    }
    text.push_str("  virtual_ipaddress {\n");
    for address in &instance.addresses {
        writeln!(text, "    {address}").unwrap();
    }
    text.push_str("  }\n");
    text
}

impl VrrpPeer for Keepalived {
    /// The last of `(NAME) Entering MASTER STATE`.
    fn role(&self, name: &str) -> Result<String, String> {
        let log = self.said();
        let mark = format!("({name}) Entering ");
        let states = log.lines().filter_map(|line| line.split_once(&mark));
        let state = states.filter_map(|(_, state)| state.split_whitespace().next()).next_back();
        Ok(match state.ok_or("not yet in any state")? {
            "MASTER" => "active".to_owned(),
            state => state.to_lowercase(),
        })
    }

    fn track(&mut self, there: bool) {
        let weight = if there { "0".to_owned() } else { format!("-{LOWERED_BY}") };
        self.node.write("tracked", &weight);
    }

    fn stop(&mut self) {
        self.daemon.stop();
    }

    fn kill(&mut self) {
        self.daemon.kill();
    }

    fn freeze(&mut self) {
        self.daemon.signal_all(Signal::SIGSTOP);
    }

    fn thaw(&mut self) {
        self.daemon.signal_all(Signal::SIGCONT);
    }

    fn start(&mut self) {
        self.born = self.daemon.log().len();
        self.daemon = launch(&self.node);
        self.wait();
    }
}
