use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::calculation::Calculation;
use super::database::Database;
use super::event::Link;
use super::flooding::Flooding;
use super::interface::Interface;
use super::mismatch::Mismatches;
use super::origination::Origination;
use super::{Action, Event, NeighborState, NetworkKind, Note, Settings};
use crate::types::{Rng, Time, Wall};

/// One OSPF router in one area. See the [module](super).
#[derive(Clone)]
pub struct Router {
    pub(super) settings: Settings,
    /// Calendar time at [`Time::ZERO`], for key lifetimes and cryptographic sequence numbers that grow over restarts.
    pub(super) wall: Wall,
    pub(super) rng: Rng,
    /// What the kernel has, by name, configured or not.
    pub(super) links: BTreeMap<String, Link>,
    /// By interface index.
    pub(super) interfaces: BTreeMap<u32, Interface>,
    pub(super) database: Database,
    pub(super) mismatches: Mismatches,
    /// The last cryptographic sequence number.
    pub(super) sequence: u64,
    /// Since when we take leave.
    pub(super) leaving: Option<Time>,
    /// Our Hellos name no neighbours any more.
    pub(super) farewell: bool,
    pub(super) flooding: Flooding,
    pub(super) origination: Origination,
    pub(super) calculation: Calculation,
    /// Whether [`Router::watched`] may have changed.
    pub(super) watch_stale: bool,
    pub(super) actions: VecDeque<Action>,
}

impl Router {
    /// A router that knows no interface yet.
    pub fn new(settings: Settings, wall: Wall, rng: Rng) -> Router {
        Router {
            settings,
            wall,
            rng,
            links: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            database: Database::default(),
            mismatches: Mismatches::default(),
            sequence: 0,
            leaving: None,
            farewell: false,
            flooding: Flooding::default(),
            origination: Origination::default(),
            calculation: Calculation::default(),
            watch_stale: false,
            actions: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::LinkChanged { name, link } => self.link_changed(name, link, now),
            Event::PacketReceived { interface, source, destination, packet } => {
                self.packet_received(interface, source, destination, &packet, now);
            }
            Event::BfdChanged { interface, neighbor, bfd } => {
                self.bfd_changed(interface, neighbor, bfd, now);
            }
            // Many of these come together, and all stub links are in one LSA: it goes out with the next tick.
            Event::AnnouncementChanged { prefix, announced } => {
                return self.announcement_changed(prefix, announced, now);
            }
            Event::DrainChanged { drained } => return self.drain_changed(drained, now),
            Event::ForwardingReady => self.forwarding_ready(now),
            Event::Reconfigured(settings) => self.reconfigure(*settings, now),
            Event::Stopped => self.stop(now),
        }
        // What became due by this goes out at once.
        self.finish(now);
    }

    /// Does what is due; without anything, does nothing.
    pub fn tick(&mut self, now: Time) {
        self.interfaces_tick(now);
        self.finish(now);
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        let ours = self.interfaces.values().filter_map(Interface::deadline).min();
        [ours, self.flooding_deadline(), self.calculation_deadline()].into_iter().flatten().min()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Those that are configured and that the kernel has.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// There is an interface on which neighbours are sought, or will be: after a boot links come up late.
    pub fn seeks_neighbors(&self) -> bool {
        let mut interfaces = self.settings.interfaces.values();
        interfaces.any(|interface| !interface.passive && interface.network != NetworkKind::Loopback)
    }

    /// There is a neighbour in Full.
    pub fn is_adjacent(&self) -> bool {
        self.states().any(|state| state == NeighborState::Full)
    }

    /// The databases of all neighbours are ours too, of one at least, all of them announce the way to us, and the routes
    /// are computed from that. It takes neighbours a while to tell the area of a new adjacency: FRR and BIRD up to 5 s, as
    /// they keep MinLSInterval. Until then no path leads over it, and there are no routes.
    pub fn has_converged(&self) -> bool {
        let is_exchanging = |state| (NeighborState::ExStart..NeighborState::Full).contains(&state);
        self.is_adjacent() && !self.states().any(is_exchanging) && self.routes_are_complete()
    }

    fn states(&self) -> impl Iterator<Item = NeighborState> {
        let neighbors = self.interfaces.values().flat_map(|i| i.neighbors.values());
        neighbors.map(|neighbor| neighbor.state)
    }

    pub(super) fn wall(&self, now: Time) -> Wall {
        self.wall + now.since(Time::ZERO)
    }

    pub(super) fn note(&mut self, subject: String, text: String, warning: bool) {
        self.actions.push_back(Action::Note(Note { subject, text, warning }));
    }

    fn finish(&mut self, now: Time) {
        self.flooding_tick(now);
        self.calculation_tick(now);
        if self.leaving.is_some() && !self.farewell && self.has_left(now) {
            // Nobody is to wait until we count as dead.
            self.farewell = true;
            for index in self.indexes() {
                self.send_hello(index, now);
            }
        }
    }

    /// Takes over what has changed. Another router id or area makes another router: these two stay as they are, and
    /// whoever wants them changed stops this one and makes a new one.
    fn reconfigure(&mut self, settings: Settings, now: Time) {
        let Settings { router_id, area, max_paths, .. } = self.settings;
        let old = std::mem::replace(&mut self.settings, Settings { router_id, area, ..settings });
        let names: BTreeSet<String> =
            old.interfaces.into_keys().chain(self.settings.interfaces.keys().cloned()).collect();
        for name in names {
            self.settle(&name, now);
        }
        self.settings_changed(now);
        if self.settings.max_paths != max_paths {
            self.next_hops_changed(now);
        }
    }

    fn stop(&mut self, now: Time) {
        if self.leaving.is_none() {
            self.leaving = Some(now);
            self.flush_own(now);
        }
    }

    pub(super) fn indexes(&self) -> Vec<u32> {
        self.interfaces.keys().copied().collect()
    }
}
