//! A kernel's routing table, links and addresses. It outlives the agent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::Virtual;
use super::link::Port;
use crate::fib::{Change, Group, Hops, KernelError, Object, Observed, Route, Via};
use crate::types::{Prefix, Time};
use crate::vrrp::VirtualRouterId;

/// Octets, of every link: that of Ethernet.
pub(super) const MTU: u32 = 1500;

/// A route of ours and where its packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    pub prefix: Prefix,
    pub hops: Hops,
    pub metric: u32,
}

#[derive(Default)]
pub(super) struct Kernel {
    /// Our routes by what the kernel takes for their key.
    pub routes: BTreeMap<(Prefix, u32), Route>,
    /// Nexthop objects, by id.
    pub objects: BTreeMap<u32, Object>,
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
        let objects = self.objects.iter();
        let objects =
            objects.map(|(id, object)| Observed::DumpedObject { id: *id, object: object.clone() });
        let (groups, hops): (Vec<_>, Vec<_>) = objects.partition(|line| {
            matches!(line, Observed::DumpedObject { object: Object::Group(_), .. })
        });
        lines.extend(hops.into_iter().chain(groups));
        lines.extend(self.routes.values().cloned().map(Observed::Dumped));
        lines.push(Observed::DumpDone);
        lines
    }

    pub fn apply(&mut self, change: Change) -> Result<(), KernelError> {
        let error = |errno, text: &str| Err(KernelError { errno, text: text.to_owned() });
        if !self.has_what_it_leads_to(&change) {
            return error(22, "Nexthop id does not exist");
        }
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
            Change::CreateObject { id, object } => {
                if self.objects.contains_key(&id) {
                    return error(17, "File exists");
                }
                self.objects.insert(id, object);
            }
            Change::ReplaceObject { id, object } => {
                if !self.objects.contains_key(&id) {
                    return error(2, "No such file or directory");
                }
                self.objects.insert(id, object);
            }
            Change::DeleteObject { id } => {
                if self.objects.remove(&id).is_none() {
                    return error(2, "No such file or directory");
                }
                self.object_gone(id);
            }
        }
        Ok(())
    }
}

/// What nexthop objects are to routes and to each other.
impl Kernel {
    fn has_what_it_leads_to(&self, change: &Change) -> bool {
        match change {
            Change::Create(Route { via: Via::Object(id), .. })
            | Change::Replace(Route { via: Via::Object(id), .. }) => self.objects.contains_key(id),
            Change::CreateObject { object, .. } | Change::ReplaceObject { object, .. } => {
                match object {
                    Object::Group(Group { members, .. }) => {
                        members.iter().all(|(id, _)| self.objects.contains_key(id))
                    }
                    Object::Hop(hop) => !self.down.contains(&hop.interface),
                    Object::Other => true,
                }
            }
            _ => true,
        }
    }

    /// The objects on the link go, and silently so do groups and routes that have no others.
    pub fn carrier_lost(&mut self, interface: u32) {
        let on_link =
            |object: &Object| matches!(object, Object::Hop(hop) if hop.interface == interface);
        let gone = self.objects.iter().filter(|(_, object)| on_link(object));
        let gone: Vec<u32> = gone.map(|(id, _)| *id).collect();
        for id in gone {
            self.objects.remove(&id);
            self.object_gone(id);
        }
    }

    fn object_gone(&mut self, gone: u32) {
        let mut empty = Vec::new();
        for (id, object) in &mut self.objects {
            if let Object::Group(group) = object {
                group.members.retain(|(member, _)| *member != gone);
                if group.members.is_empty() {
                    empty.push(*id);
                }
            }
        }
        self.routes.retain(|_, route| route.via != Via::Object(gone));
        for id in empty {
            self.objects.remove(&id);
            self.object_gone(id);
        }
    }

    /// Where packets go that a route leads.
    pub fn forwarding(&self, route: &Route) -> Forwarding {
        let hops = match &route.via {
            Via::Hops(hops) => hops.clone(),
            Via::Object(id) => self.hops_of(*id),
        };
        Forwarding { prefix: route.prefix, hops, metric: route.metric }
    }

    fn hops_of(&self, id: u32) -> Hops {
        let hop = |id: &u32| match self.objects.get(id) {
            Some(Object::Hop(hop)) => Some(*hop),
            _ => None,
        };
        match self.objects.get(&id) {
            Some(Object::Group(group)) => {
                // Beside a member with all the buckets the guard has none.
                let most = group.members.iter().map(|(_, weight)| *weight).max();
                let used = group.members.iter().filter(|(_, weight)| Some(*weight) == most);
                used.filter_map(|(id, _)| hop(id)).collect()
            }
            _ => hop(&id).into_iter().collect(),
        }
    }
}
