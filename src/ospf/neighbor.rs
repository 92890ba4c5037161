use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use super::exchange::Exchange;
use super::retransmission::Retransmissions;
use super::security::Replay;
use super::{InterfaceState, NetworkKind, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Hello, LsaHeader, LsaKey, Options};

/// RFC 2328 §10.1, in its order: comparing tells "in state Exchange or greater". Attempt does not exist here, as
/// there are no NBMA networks; and who is Down is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeighborState {
    Init,
    TwoWay,
    ExStart,
    Exchange,
    Loading,
    Full,
}

/// RFC 2328 §10.
#[derive(Clone, Debug)]
pub struct Neighbor {
    pub router_id: RouterId,
    pub address: Ipv4Addr,
    pub state: NeighborState,
    /// In this state since.
    pub since: Time,
    pub priority: u8,
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    pub options: Options,
    /// When it counts as dead, unless it is helped over a restart.
    pub dead_at: Time,
    /// Link state request list: what it has newer than we (§10).
    pub requests: BTreeMap<LsaKey, LsaHeader>,
    /// Link state retransmission list (§10).
    pub retransmissions: Retransmissions,
    /// It wants BFD before an adjacency (RFC 9355).
    pub strict_bfd: bool,
    /// Its last Hello named us.
    pub(super) hears_us: bool,
    /// BFD does not keep it in Init: as last told.
    pub(super) bfd_up: bool,
    /// There was to be an adjacency, and it has not been out of the question since.
    pub(super) watched: bool,
    pub(super) exchange: Exchange,
    pub(super) replay: Replay,
    /// While we help it over a restart: until when at most (RFC 3623 §3.1).
    pub(super) helped: Option<Time>,
}

/// RFC 2328 §10.2. HelloReceived is the Hello itself; Start is for NBMA networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NeighborEvent {
    TwoWayReceived,
    OneWayReceived,
    /// It is settled who is master and with which sequence number.
    NegotiationDone,
    ExchangeDone,
    /// It asked for what is not in our database.
    BadLsRequest,
    /// Its request list is empty.
    LoadingDone,
    /// Whether there is to be an adjacency may have changed.
    AdjOk,
    SequenceMismatch,
    /// Another router has its address.
    KillNeighbor,
    InactivityTimer,
    LinkDown,
    BfdDown,
}

impl Neighbor {
    /// One that has just been heard for the first time.
    pub(super) fn new(
        router_id: RouterId,
        address: Ipv4Addr,
        hello: &Hello,
        dead_at: Time,
        now: Time,
    ) -> Neighbor {
        Neighbor {
            router_id,
            address,
            state: NeighborState::Init,
            since: now,
            priority: hello.priority,
            designated: hello.designated,
            backup: hello.backup,
            options: hello.options,
            dead_at,
            requests: BTreeMap::new(),
            retransmissions: Retransmissions::default(),
            strict_bfd: false,
            hears_us: false,
            bfd_up: false,
            watched: false,
            exchange: Exchange::default(),
            replay: Replay::default(),
            helped: None,
        }
    }

    /// Whether our router- and network-LSAs tell of an adjacency: in Full, and as long as we help it over a restart,
    /// whatever the state is meanwhile (RFC 3623 §3).
    pub fn is_adjacent(&self) -> bool {
        self.state == NeighborState::Full || self.helped.is_some()
    }

    /// Until when we help it over a restart.
    pub fn helped_until(&self) -> Option<Time> {
        self.helped
    }

    /// The earliest of its timers, flooding's apart.
    pub(super) fn deadline(&self) -> Time {
        let end = self.helped.unwrap_or(self.dead_at);
        self.exchange.deadline().map_or(end, |at| at.min(end))
    }
}

impl Router {
    pub(super) fn neighbor(&self, (index, router_id): (u32, RouterId)) -> Option<&Neighbor> {
        self.interfaces.get(&index)?.neighbors.get(&router_id)
    }

    pub(super) fn neighbor_mut(
        &mut self,
        (index, router_id): (u32, RouterId),
    ) -> Option<&mut Neighbor> {
        self.interfaces.get_mut(&index)?.neighbors.get_mut(&router_id)
    }

    /// Runs the neighbour's state machine (RFC 2328 §10.3). `from`: the interface and the neighbour. Whether its
    /// state has changed comes back; what does not fit the state does nothing.
    pub(super) fn neighbor_event(
        &mut self,
        from: (u32, RouterId),
        event: NeighborEvent,
        now: Time,
    ) -> bool {
        use NeighborEvent::*;
        use NeighborState::*;
        let Some(neighbor) = self.neighbor(from) else { return false };
        let state = neighbor.state;
        let next = match (event, state) {
            (KillNeighbor | LinkDown | InactivityTimer | BfdDown, _) => {
                self.remove_neighbor(from, event, now);
                return true;
            }
            (TwoWayReceived, Init) if self.awaits_bfd(from) => return false,
            (TwoWayReceived, Init) if self.wants_adjacency(from) => ExStart,
            (TwoWayReceived, Init) => TwoWay,
            // A neighbour that restarts gracefully has forgotten us for a while.
            (OneWayReceived, _) if state > Init && neighbor.helped.is_none() => Init,
            (NegotiationDone, ExStart) => Exchange,
            (ExchangeDone, Exchange) if neighbor.requests.is_empty() => Full,
            (ExchangeDone, Exchange) => Loading,
            (LoadingDone, Loading) => Full,
            (AdjOk, TwoWay) if self.wants_adjacency(from) => ExStart,
            (AdjOk, _) if state > TwoWay && !self.wants_adjacency(from) => TwoWay,
            (SequenceMismatch | BadLsRequest, _) if state >= Exchange => ExStart,
            _ => return false,
        };
        self.enter(from, next, event, now);
        true
    }

    /// Fires what is due.
    pub(super) fn neighbor_tick(&mut self, from: (u32, RouterId), now: Time) {
        let Some(neighbor) = self.neighbor(from) else { return };
        if neighbor.helped.is_some_and(|until| until <= now) {
            self.end_help(from, "its time is over", now);
        }
        let is_dead = |neighbor: &Neighbor| neighbor.helped.is_none() && neighbor.dead_at <= now;
        if self.neighbor(from).is_some_and(is_dead) {
            self.neighbor_event(from, NeighborEvent::InactivityTimer, now);
        } else {
            self.exchange_tick(from, now);
        }
    }

    /// RFC 2328 §10.4.
    fn wants_adjacency(&self, from: (u32, RouterId)) -> bool {
        let (Some(interface), Some(neighbor)) = (self.interfaces.get(&from.0), self.neighbor(from))
        else {
            return false;
        };
        let ours = matches!(interface.state, InterfaceState::Dr | InterfaceState::Backup);
        interface.settings.network == NetworkKind::PointToPoint
            || ours
            || [interface.designated, interface.backup].contains(&neighbor.address)
    }

    fn enter(
        &mut self,
        from: (u32, RouterId),
        state: NeighborState,
        event: NeighborEvent,
        now: Time,
    ) {
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let (old, was_adjacent) = (neighbor.state, neighbor.is_adjacent());
        neighbor.state = state;
        neighbor.since = now;
        neighbor.watched |= state >= NeighborState::ExStart;
        neighbor.watched &= state != NeighborState::TwoWay;
        if state < NeighborState::Exchange {
            neighbor.requests.clear();
            neighbor.retransmissions.clear();
            neighbor.exchange.reset();
        }
        let is_adjacent = neighbor.is_adjacent();
        self.watch_stale = true;
        if is_adjacent != was_adjacent {
            let subject = self.neighbor_name(from);
            if is_adjacent {
                self.note(subject, "adjacency is up".to_owned(), false);
            } else {
                self.note(subject, format!("adjacency is lost: {event}"), true);
            }
            self.adjacency_changed(from.0, now);
        }
        match state {
            NeighborState::ExStart => self.negotiate(from, now),
            NeighborState::Exchange => {
                let summary = self.summarize(from.0, from.1, now);
                if let Some(neighbor) = self.neighbor_mut(from) {
                    neighbor.exchange.describe(summary);
                }
            }
            _ => {}
        }
        let two_way = |state: NeighborState| state >= NeighborState::TwoWay;
        if two_way(state) != two_way(old) {
            self.neighbors_changed(from.0, now);
        }
    }

    fn remove_neighbor(&mut self, from: (u32, RouterId), event: NeighborEvent, now: Time) {
        let subject = self.neighbor_name(from);
        let Some(interface) = self.interfaces.get_mut(&from.0) else { return };
        let Some(neighbor) = interface.neighbors.remove(&from.1) else { return };
        self.watch_stale = true;
        if neighbor.is_adjacent() {
            self.note(subject, format!("adjacency is lost: {event}"), true);
            if matches!(event, NeighborEvent::BfdDown | NeighborEvent::InactivityTimer) {
                self.gather(now);
            }
            self.adjacency_changed(from.0, now);
        }
        if neighbor.state >= NeighborState::TwoWay && event != NeighborEvent::LinkDown {
            self.neighbors_changed(from.0, now);
        }
    }

    /// As people know it: `10.0.0.2 (eth1)`.
    pub(super) fn neighbor_name(&self, from: (u32, RouterId)) -> String {
        match (self.interfaces.get(&from.0), self.neighbor(from)) {
            (Some(interface), Some(neighbor)) => {
                format!("{} ({})", neighbor.address, interface.name)
            }
            _ => from.1.to_string(),
        }
    }
}

/// Why an adjacency ends, for people.
impl fmt::Display for NeighborEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NeighborEvent::OneWayReceived => "the neighbor does not hear us, or has restarted",
            NeighborEvent::BadLsRequest => "the neighbor asked for an LSA that does not exist",
            NeighborEvent::AdjOk => "another router is designated",
            NeighborEvent::SequenceMismatch => "the neighbor began the database exchange anew",
            NeighborEvent::InactivityTimer => "nothing heard for the dead interval",
            NeighborEvent::LinkDown => "the interface is down",
            NeighborEvent::BfdDown => "its BFD session has failed",
            NeighborEvent::KillNeighbor => "its address has another router id now",
            NeighborEvent::TwoWayReceived
            | NeighborEvent::NegotiationDone
            | NeighborEvent::ExchangeDone
            | NeighborEvent::LoadingDone => "the state has changed",
        })
    }
}

impl fmt::Display for NeighborState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NeighborState::Init => "init",
            NeighborState::TwoWay => "2-way",
            NeighborState::ExStart => "exstart",
            NeighborState::Exchange => "exchange",
            NeighborState::Loading => "loading",
            NeighborState::Full => "full",
        })
    }
}
