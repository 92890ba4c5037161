use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::counters::Counters;
use super::election::{self, Candidate, NONE, Outcome};
use super::event::{Address, Link};
use super::neighbor::{Neighbor, NeighborEvent, NeighborState};
use super::settings::InterfaceSettings;
use super::{Action, NetworkKind, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::LsaHeader;

/// RFC 2328 §9.1. Loopback is Passive here: nothing is sent on either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    Down,
    /// Announced only.
    Passive,
    Waiting {
        until: Time,
    },
    PointToPoint,
    DrOther,
    Backup,
    Dr,
}

/// An interface that is configured and that the kernel has.
#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub link: Link,
    pub settings: InterfaceSettings,
    /// Ours, with its network; `None` while it has none, and the state is Down.
    pub address: Option<(Ipv4Addr, Ipv4Net)>,
    pub state: InterfaceState,
    /// Interface addresses, 0.0.0.0 for none (RFC 2328 §9).
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    /// By router id, on broadcast networks as well: what is one router has one entry.
    pub neighbors: BTreeMap<RouterId, Neighbor>,
    /// When the next Hello goes out; `None` if none does.
    pub hello_due: Option<Time>,
    /// Headers that wait for a delayed acknowledgement (RFC 2328 §13.5), and until when.
    pub acknowledgements: Vec<LsaHeader>,
    pub acknowledge_at: Option<Time>,
    pub counters: Counters,
    /// The key that we sign with although its time is over.
    pub(super) overdue_key: Option<u8>,
}

impl InterfaceState {
    /// Whether anything is sent and received.
    pub(super) fn speaks(self) -> bool {
        !matches!(self, InterfaceState::Down | InterfaceState::Passive)
    }

    /// Whether we are DR or BDR.
    fn is_elected(self) -> bool {
        matches!(self, InterfaceState::Dr | InterfaceState::Backup)
    }
}

impl Interface {
    fn new(name: &str, link: Link, settings: InterfaceSettings) -> Interface {
        Interface {
            name: name.to_owned(),
            link,
            settings,
            address: None,
            state: InterfaceState::Down,
            designated: NONE,
            backup: NONE,
            neighbors: BTreeMap::new(),
            hello_due: None,
            acknowledgements: Vec::new(),
            acknowledge_at: None,
            counters: Counters::default(),
            overdue_key: None,
        }
    }

    /// The earliest of its own and its neighbours' timers, flooding's apart.
    pub(super) fn deadline(&self) -> Option<Time> {
        let waiting = match self.state {
            InterfaceState::Waiting { until } => Some(until),
            _ => None,
        };
        let neighbors = self.neighbors.values().map(Neighbor::deadline);
        neighbors.chain(waiting).chain(self.hello_due).min()
    }
}

/// The address to speak from: as configured, else the lowest.
fn address(link: &Link, settings: &InterfaceSettings) -> Option<(Ipv4Addr, Ipv4Net)> {
    let wanted = |one: &&Address| settings.address.is_none_or(|address| address == one.address);
    let found = link.addresses.iter().filter(wanted).min()?;
    Some((found.address, found.network))
}

impl Router {
    /// The kernel's word about an interface, configured or not.
    pub(super) fn link_changed(&mut self, name: String, link: Option<Link>, now: Time) {
        match link {
            Some(mut link) => {
                // 127.0.0.0/8 is every host's own.
                link.addresses.retain(|one| !one.address.is_loopback());
                self.links.insert(name.clone(), link);
            }
            None => {
                self.links.remove(&name);
            }
        }
        self.settle(&name, now);
    }

    /// Makes the interface what kernel and settings say. What they leave as it is goes on.
    pub(super) fn settle(&mut self, name: &str, now: Time) {
        let link = self.links.get(name).cloned();
        let wanted = link.zip(self.settings.interfaces.get(name).cloned());
        let place = wanted.as_ref().map(|(link, _)| link.index);
        let stale: Vec<u32> = self
            .interfaces
            .iter()
            // Of this name with another index, or the index with another name.
            .filter(|(index, has)| (has.name == name) != (Some(**index) == place))
            .map(|(index, _)| *index)
            .collect();
        for index in stale {
            // Only the settings may have gone.
            if self.links.get(name).is_some_and(|link| link.index == index && link.up) {
                self.send_farewell(index, now);
            }
            self.interface_down(index, now);
            self.interfaces.remove(&index);
            self.adjacency_changed(index, now);
        }
        let Some((link, settings)) = wanted else { return };
        let index = link.index;
        let address = address(&link, &settings).filter(|_| link.up);
        let fresh = || Interface::new(name, link.clone(), settings.clone());
        let interface = self.interfaces.entry(index).or_insert_with(fresh);
        let announced =
            |of: &Interface| (of.settings.cost, of.link.addresses.clone(), of.address, of.state);
        let before = announced(interface);
        let kind = |of: &InterfaceSettings| (of.network, of.passive);
        if interface.address != address || kind(&interface.settings) != kind(&settings) {
            if link.up
                && interface
                    .address
                    .is_some_and(|(ours, _)| link.addresses.iter().any(|one| one.address == ours))
            {
                self.send_farewell(index, now);
            }
            self.interface_down(index, now);
        }
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let priority = interface.settings.priority;
        self.watch_stale = true;
        interface.link = link;
        interface.settings = settings;
        interface.address = address;
        let contends = interface.settings.priority != priority;
        if interface.state == InterfaceState::Down && address.is_some() {
            self.interface_up(index, now);
        } else if contends {
            self.neighbors_changed(index, now);
        }
        self.hasten_hello(index, now);
        self.report_overdue_key(index, now);
        if self.interfaces.get(&index).is_some_and(|interface| announced(interface) != before) {
            self.adjacency_changed(index, now);
        }
    }

    /// InterfaceUp (RFC 2328 §9.3).
    fn interface_up(&mut self, index: u32, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let settings = &interface.settings;
        let state = match settings.network {
            _ if settings.passive => InterfaceState::Passive,
            NetworkKind::Loopback => InterfaceState::Passive,
            NetworkKind::PointToPoint => InterfaceState::PointToPoint,
            NetworkKind::Broadcast if settings.priority == 0 => InterfaceState::DrOther,
            NetworkKind::Broadcast => {
                InterfaceState::Waiting { until: now + settings.dead_interval }
            }
        };
        interface.state = state;
        if state.speaks() {
            self.actions.push_back(Action::Open { interface: index });
            self.send_hello(index, now);
        }
    }

    /// InterfaceDown (RFC 2328 §9.3).
    fn interface_down(&mut self, index: u32, now: Time) {
        let Some(interface) = self.interfaces.get(&index) else { return };
        let neighbors: Vec<RouterId> = interface.neighbors.keys().copied().collect();
        // First: that neighbours go is then seen as one event with the link.
        self.enter_interface(index, InterfaceState::Down);
        for neighbor in neighbors {
            self.neighbor_event((index, neighbor), NeighborEvent::LinkDown, now);
        }
        self.forget_mismatches(index, None);
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        interface.designated = NONE;
        interface.backup = NONE;
        interface.hello_due = None;
        interface.acknowledgements.clear();
        interface.acknowledge_at = None;
    }

    fn enter_interface(&mut self, index: u32, state: InterfaceState) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let old = std::mem::replace(&mut interface.state, state);
        if old.is_elected() != state.is_elected() {
            let member = state.is_elected();
            self.actions.push_back(Action::Designated { interface: index, member });
        }
        if old.speaks() && !state.speaks() {
            self.actions.push_back(Action::Close { interface: index });
        }
    }

    /// NeighborChange (RFC 2328 §9.2): the election may come out differently. While we wait, it is not held.
    pub(super) fn neighbors_changed(&mut self, index: u32, now: Time) {
        let Some(interface) = self.interfaces.get(&index) else { return };
        if interface.state.is_elected() || interface.state == InterfaceState::DrOther {
            self.elect(index, now);
        }
    }

    /// Holds the election and does what follows from it (RFC 2328 §9.4).
    pub(super) fn elect(&mut self, index: u32, now: Time) {
        let router_id = self.settings.router_id;
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let Some((address, _)) = interface.address else { return };
        let ours = Candidate {
            router_id,
            address,
            priority: interface.settings.priority,
            designated: interface.designated,
            backup: interface.backup,
        };
        let two_way = |neighbor: &&Neighbor| neighbor.state >= NeighborState::TwoWay;
        let others: Vec<Candidate> = interface
            .neighbors
            .values()
            .filter(two_way)
            .map(|neighbor| Candidate {
                router_id: neighbor.router_id,
                address: neighbor.address,
                priority: neighbor.priority,
                designated: neighbor.designated,
                backup: neighbor.backup,
            })
            .collect();
        let Outcome { designated, backup } = election::elect(ours, &others);
        let state = match () {
            () if designated == address => InterfaceState::Dr,
            () if backup == address => InterfaceState::Backup,
            () => InterfaceState::DrOther,
        };
        let before = (interface.state, interface.designated, interface.backup);
        if before == (state, designated, backup) {
            return;
        }
        interface.designated = designated;
        interface.backup = backup;
        let neighbors: Vec<RouterId> = interface.neighbors.keys().copied().collect();
        self.enter_interface(index, state);
        // The others need not wait for our next Hello to know.
        self.send_hello(index, now);
        self.adjacency_changed(index, now);
        for neighbor in neighbors {
            self.neighbor_event((index, neighbor), NeighborEvent::AdjOk, now);
        }
    }

    /// Our LSAs and next hops may be stale: an adjacency on the interface became or left Full, another router is
    /// designated, or the interface's state, cost or addresses changed.
    pub(super) fn adjacency_changed(&mut self, index: u32, now: Time) {
        self.topology_changed(index, now);
        self.next_hops_changed(now);
    }

    /// Fires what is due on interfaces and neighbours, flooding's timers apart.
    pub(super) fn interfaces_tick(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let indexes: Vec<u32> = self
            .interfaces
            .iter()
            .filter(|(_, interface)| due(interface.deadline()))
            .map(|(index, _)| *index)
            .collect();
        for index in indexes {
            let Some(interface) = self.interfaces.get(&index) else { continue };
            let neighbors: Vec<RouterId> = interface
                .neighbors
                .values()
                .filter(|neighbor| neighbor.deadline() <= now)
                .map(|neighbor| neighbor.router_id)
                .collect();
            for neighbor in neighbors {
                self.neighbor_tick((index, neighbor), now);
            }
            let Some(interface) = self.interfaces.get(&index) else { continue };
            let hello = due(interface.hello_due);
            let dead_interval = interface.settings.dead_interval;
            if let InterfaceState::Waiting { until } = interface.state
                && until <= now
            {
                self.elect(index, now);
            }
            if hello {
                self.report_overdue_key(index, now);
                self.send_hello(index, now);
                let long_ago = now.as_micros().saturating_sub(4 * dead_interval.as_micros() as u64);
                self.forget_mismatches(index, Some(Time::from_micros(long_ago)));
            }
        }
    }
}

impl fmt::Display for InterfaceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InterfaceState::Down => "down",
            InterfaceState::Passive => "passive",
            InterfaceState::Waiting { .. } => "waiting",
            InterfaceState::PointToPoint => "point-to-point",
            InterfaceState::DrOther => "dr-other",
            InterfaceState::Backup => "backup",
            InterfaceState::Dr => "dr",
        })
    }
}
