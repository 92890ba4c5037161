//! A kernel's routing table, links and addresses. It outlives the agent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::Virtual;
use super::link::Port;
use crate::fib::{Change, KernelError, Observed, Route};
use crate::types::{Prefix, Time};
use crate::vrrp::VirtualRouterId;

/// Octets, of every link: that of Ethernet.
pub(super) const MTU: u32 = 1500;

#[derive(Default)]
pub(super) struct Kernel {
    /// Our routes by what the kernel takes for their key.
    pub routes: BTreeMap<(Prefix, u32), Route>,
    /// Keys that routes of other programs have.
    pub foreign: Vec<(Prefix, u32)>,
    pub ports: Vec<Port>,
    /// Interfaces without carrier.
    pub down: Vec<u32>,
    pub virtuals: BTreeMap<VirtualRouterId, Virtual>,
    /// When the guardian heard of the daemon last: with each advertisement.
    pub last_beat: Time,
    /// It takes no virtual addresses.
    pub refuses: bool,
    /// A default route that no daemon has made.
    pub gateway: Option<IpAddr>,
    /// Services of hosts behind the node, with what they answer.
    pub served: BTreeMap<IpAddr, String>,
}

impl Kernel {
    pub fn link(&self, interface: u32) -> Observed {
        let up = !self.down.contains(&interface);
        Observed::Link { index: interface, name: format!("e{interface}"), up, mtu: MTU }
    }

    /// Everything, as a dump shows it.
    pub fn dump(&self) -> Vec<Observed> {
        let mut lines = vec![Observed::DumpBegun];
        for port in &self.ports {
            lines.push(self.link(port.interface));
            lines.push(Observed::Address {
                interface: port.interface,
                address: port.address,
                network: port.network,
            });
        }
        for (router, all) in self.virtuals.iter().filter(|(_, all)| all.assigned) {
            lines.extend(all.observed(*router, true));
        }
        lines.extend(self.routes.values().cloned().map(Observed::Dumped));
        lines.push(Observed::DumpDone);
        lines
    }

    pub fn apply(&mut self, change: Change) -> Result<(), KernelError> {
        let error = |errno, text: &str| Err(KernelError { errno, text: text.to_owned() });
        match change {
            Change::Create(route) => {
                let key = (route.prefix, route.metric);
                if self.routes.contains_key(&key) || self.foreign.contains(&key) {
                    return error(17, "File exists");
                }
                self.routes.insert(key, route);
            }
            Change::Replace(route) => {
                let key = (route.prefix, route.metric);
                if !self.routes.contains_key(&key) {
                    return error(2, "No such file or directory");
                }
                self.routes.insert(key, route);
            }
            Change::Delete { prefix, metric } => {
                if self.routes.remove(&(prefix, metric)).is_none() {
                    return error(3, "No such process");
                }
            }
        }
        Ok(())
    }
}
