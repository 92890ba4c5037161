//! The node's OSPF router between the kernel's links, the RIB and the groups.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Action, Agent, OspfAction, STOP_WITHIN};
use crate::config::{Config, OspfExport};
use crate::fib::Interfaces;
use crate::group::{Announcement, Mark, Target};
use crate::ospf::{self, Announced, Event, How, NeighborState, RouteKind, Router};
use crate::rib::{IgpRoute, Resolved};
use crate::types::{Prefix, Rng, Time, Wall};

/// The router and what it was told.
#[derive(Clone)]
pub(super) struct Ospf {
    pub router: Router,
    links: BTreeMap<String, ospf::Link>,
    /// Interfaces, by index, that cannot be used although the router has opened them, and why.
    pub failed: BTreeMap<u32, String>,
    /// The configuration wants another router or none: this one takes leave, until then at the latest.
    leaving: Option<Time>,
    /// Until then the start waits for all neighbours. One that never gets its database across must not keep us from
    /// carrying the traffic of the others for ever.
    patient_until: Option<Time>,
    drained: bool,
    /// The routes of the start are in the kernel, and the router knows it.
    forwarding: bool,
}

/// Whether BGP neighbours are not told of our announcements yet: after a start without any route, what they would
/// send us could not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withholding {
    /// Until it is known whether an earlier life has left routes in the kernel.
    UntilDump,
    /// It has not: until there are routes of OSPF.
    UntilRoutes,
    Over,
}

impl Ospf {
    pub fn new(config: &Config, wall: Wall, rng: Rng, now: Time) -> Option<Ospf> {
        let settings = config.ospf_settings()?;
        Some(Ospf {
            router: Router::new(settings, wall, rng),
            links: BTreeMap::new(),
            failed: BTreeMap::new(),
            leaving: None,
            patient_until: Some(now + config.kernel.grace),
            drained: false,
            forwarding: false,
        })
    }
}

impl Agent {
    /// Hands the router an event and does what it wants.
    pub(super) fn ospf_event(&mut self, event: Event, now: Time) {
        let Some(ospf) = &mut self.ospf else { return };
        ospf.router.handle(event, now);
        self.run_ospf(now);
    }

    /// Does what the router wants, until it wants nothing more.
    pub(super) fn run_ospf(&mut self, now: Time) {
        let router = self.ospf.as_mut().map(|ospf| &mut ospf.router);
        self.sessions.stale |= router.is_some_and(ospf::Router::take_watch_stale);
        while let Some(action) = self.ospf.as_mut().and_then(|ospf| ospf.router.poll()) {
            let on_interface = match action {
                ospf::Action::Open { interface } => {
                    let link = self.fib.interfaces().link(interface);
                    let name = link.map(|link| link.name.clone()).unwrap_or_default();
                    OspfAction::Open { interface, name }
                }
                ospf::Action::Close { interface } => {
                    self.interface_opened(interface, Ok(()));
                    OspfAction::Close { interface }
                }
                ospf::Action::Designated { interface, member } => {
                    OspfAction::Designated { interface, member }
                }
                ospf::Action::Send { interface, source, destination, packet } => {
                    OspfAction::Send { interface, source, destination, packet }
                }
                ospf::Action::RouteChanged { prefix, route } => {
                    self.rib.set_igp(Prefix::V4(prefix), route.map(igp_route));
                    continue;
                }
                ospf::Action::Note(note) => {
                    let severity = if note.warning { "warning" } else { "info" };
                    self.report(now, "ospf", &note.subject, severity, note.text);
                    continue;
                }
            };
            self.actions.push_back(Action::Ospf(on_interface));
        }
    }

    /// The driver's word about an interface. One that is closed has no fault either.
    pub(super) fn interface_opened(&mut self, interface: u32, result: Result<(), String>) {
        let Some(ospf) = &mut self.ospf else { return };
        match result {
            Ok(()) => ospf.failed.remove(&interface),
            Err(error) => ospf.failed.insert(interface, error),
        };
    }

    /// Tells the router which of its interfaces the kernel has, and how they are.
    pub(super) fn links_changed(&mut self, now: Time) {
        let Some(ospf) = self.ospf.as_mut().filter(|ospf| ospf.leaving.is_none()) else { return };
        let links = links(self.fib.interfaces(), &self.config);
        let old = std::mem::replace(&mut ospf.links, links.clone());
        for name in old.keys().filter(|name| !links.contains_key(*name)) {
            self.ospf_event(Event::LinkChanged { name: name.clone(), link: None }, now);
        }
        for (name, link) in links {
            if old.get(&name) != Some(&link) {
                self.ospf_event(Event::LinkChanged { name, link: Some(link) }, now);
            }
        }
    }

    /// What the area is to see of a prefix of ours; `None` if nothing.
    pub(super) fn announced_by_ospf(&self, prefix: Prefix) -> Option<Announced> {
        self.announced_as(self.own.get(&prefix)?)
    }

    /// What the area is to see of an announcement, in force or not.
    pub(super) fn announced_as(&self, own: &Announcement) -> Option<Announced> {
        let ospf = self.config.ospf.as_ref()?;
        let is_v4 = matches!(own.prefix, Prefix::V4(_));
        if ospf.export != Some(OspfExport::Groups) || !is_v4 || !own.preference.is_announced() {
            return None;
        }
        let (how, tag) = match own.group.as_ref().and_then(|name| self.config.groups.get(name)) {
            Some(group) => (group.ospf, group.ospf_tag),
            None => (How::External2, 0),
        };
        let metric = self.config.mapping(&ospf.class).metric(own.preference);
        // The mark may stand in the tag only where nothing else is configured to.
        let tag = own.mark.filter(|_| tag == 0).map_or(tag, Mark::to_tag);
        Some(Announced { metric, how, tag })
    }

    /// The area hears of a prefix from us.
    pub(super) fn area_has(&self, prefix: Prefix) -> bool {
        let heard = |ospf: &Ospf| {
            let mut neighbors = ospf.router.interfaces().flat_map(|i| i.neighbors.values());
            neighbors.any(|neighbor| neighbor.state == NeighborState::Full)
        };
        self.ospf.as_ref().is_some_and(heard) && self.announced_by_ospf(prefix).is_some()
    }

    /// Tells the router what it announces for a prefix from now on.
    pub(super) fn announce_by_ospf(&mut self, prefix: Prefix, now: Time) {
        let Prefix::V4(network) = prefix else { return };
        let announced = self.announced_by_ospf(prefix);
        self.rib.set_own_in_igp(prefix, announced.is_some());
        let Some(ospf) = &mut self.ospf else { return };
        if ospf.router.wanted(network) != announced {
            self.flooded.insert(network);
            ospf.router.handle(Event::AnnouncementChanged { prefix: network, announced }, now);
        }
    }

    /// Fires the router's timers, and does what it wants done.
    pub(super) fn ospf_tick(&mut self, now: Time) {
        let Some(ospf) = &mut self.ospf else { return };
        if ospf.router.deadline().is_some_and(|at| at <= now) {
            ospf.router.tick(now);
        }
        self.run_ospf(now);
    }

    /// Whether an operator has drained the node.
    pub(super) fn settle_drain(&mut self, now: Time) {
        let drained = self.orders.in_force().in_force(&Target::Node, self.wall(now)).is_some();
        let Some(ospf) = &mut self.ospf else { return };
        if std::mem::replace(&mut ospf.drained, drained) != drained {
            self.ospf_event(Event::DrainChanged { drained }, now);
        }
    }

    /// Ends the router's start once all that it computed is in the kernel, or the time for that is over.
    pub(super) fn settle_forwarding(&mut self, now: Time) {
        let in_kernel = !self.rib.has_changes()
            && (!self.config.kernel.install || (self.fib.is_ready() && self.fib.is_settled()));
        let Some(ospf) = self.ospf.as_mut().filter(|ospf| !ospf.forwarding) else { return };
        ospf.patient_until = ospf.patient_until.filter(|until| *until > now);
        let complete = match ospf.patient_until {
            Some(_) => ospf.router.has_converged(),
            None => ospf.router.is_adjacent(),
        };
        if !in_kernel || !complete {
            return;
        }
        ospf.forwarding = true;
        ospf.patient_until = None;
        self.ospf_event(Event::ForwardingReady, now);
    }

    /// Begins to announce to BGP neighbours once we can forward what that attracts: with the routes of an earlier life,
    /// or those of the area, or when nothing better has come for as long as the kernel's grace.
    pub(super) fn settle_withholding(&mut self, now: Time) {
        let end = match self.withholding {
            Withholding::Over => return,
            Withholding::UntilDump => {
                if self.fib.is_ready() {
                    self.withholding = Withholding::UntilRoutes;
                }
                self.fib.is_ready() && self.fib.totals().observed > 0
            }
            Withholding::UntilRoutes => false,
        };
        let converged = self.fib.is_ready() && self.ospf_has_converged();
        if end || converged || now >= Time::ZERO + self.config.kernel.grace {
            self.withholding = Withholding::Over;
            self.own_changed.extend(self.own.keys().copied());
            self.settle_exports(now);
        }
    }

    /// When the start stops waiting for all neighbours.
    pub(super) fn patience_ends(&self) -> Option<Time> {
        self.ospf.as_ref()?.patient_until
    }

    pub(super) fn withholding_ends(&self) -> Option<Time> {
        (self.withholding != Withholding::Over).then_some(Time::ZERO + self.config.kernel.grace)
    }

    /// The router has its routes and they are in the kernel, or there is no router that could have any.
    pub(super) fn ospf_has_converged(&self) -> bool {
        self.ospf.as_ref().is_none_or(|ospf| ospf.forwarding || !ospf.router.seeks_neighbors())
    }

    /// The settings of the router may have changed, or whether there is one at all.
    pub(super) fn reconfigure_ospf(&mut self, old: &Config, now: Time) {
        let settings = self.config.ospf_settings();
        if old.ospf_settings() == settings {
            return;
        }
        let is_another = |was: &ospf::Settings| {
            settings.as_ref().is_none_or(|is| (is.router_id, is.area) != (was.router_id, was.area))
        };
        let Some(ospf) = &mut self.ospf else { return self.start_ospf(now) };
        if ospf.leaving.is_some() {
            // What is configured when it has left comes next.
            return;
        }
        match settings {
            Some(_) if !old.ospf_settings().as_ref().is_some_and(is_another) => {
                self.follow_by_ospf(now);
                self.links_changed(now);
            }
            _ => {
                ospf.leaving = Some(now + STOP_WITHIN);
                self.ospf_event(Event::Stopped, now);
            }
        }
    }

    /// Gives the interfaces that follow a virtual router the cost that goes with its role.
    pub(super) fn follow_by_ospf(&mut self, now: Time) {
        let Some(ospf) = self.ospf.as_ref().filter(|ospf| ospf.leaving.is_none()) else { return };
        let Some(settings) = self.settings_by_role() else { return };
        if *ospf.router.settings() != settings {
            self.ospf_event(Event::Reconfigured(Box::new(settings)), now);
        }
    }

    fn settings_by_role(&self) -> Option<ospf::Settings> {
        let mut settings = self.config.ospf_settings()?;
        let active = self.active_in_area();
        for (name, follow) in &self.config.ospf.as_ref()?.follow {
            if let Some(interface) = settings.interfaces.get_mut(name)
                && !active.contains(&follow.router)
            {
                interface.cost = interface.cost.max(follow.backup_cost);
            }
        }
        Some(settings)
    }

    /// Another router, if one is configured.
    fn start_ospf(&mut self, now: Time) {
        let rng = self.rng.fork();
        self.ospf = Ospf::new(&self.config, self.wall, rng, now);
        self.follow_by_ospf(now);
        self.own_changed.extend(self.own.keys().copied());
        self.links_changed(now);
    }

    /// Replaces a router that has taken leave. Until the neighbours know of it they send us packets, so its routes stay.
    pub(super) fn settle_leave(&mut self, now: Time) {
        let leaves = |ospf: &mut Ospf| {
            let late = ospf.leaving.is_some_and(|by| by <= now);
            ospf.leaving.is_some() && (late || ospf.router.has_left(now))
        };
        // The daemon's own end waits for it in another way.
        if self.stopping.is_some() {
            return;
        }
        let Some(ospf) = self.ospf.take_if(leaves) else { return };
        for link in ospf.links.into_values() {
            let close = OspfAction::Close { interface: link.index };
            self.actions.push_back(Action::Ospf(close));
        }
        self.rib.clear_igp();
        self.start_ospf(now);
        self.settle_exports(now);
    }

    pub(super) fn leave_ends(&self) -> Option<Time> {
        self.ospf.as_ref()?.leaving.filter(|_| self.stopping.is_none())
    }
}

/// The links that the configuration names.
fn links(interfaces: &Interfaces, config: &Config) -> BTreeMap<String, ospf::Link> {
    let Some(settings) = config.ospf_settings() else { return BTreeMap::new() };
    let configured =
        interfaces.links().filter(|(_, link)| settings.interfaces.contains_key(&link.name));
    configured
        .map(|(index, link)| {
            let addresses =
                link.ipv4().map(|(address, network)| ospf::Address { address, network }).collect();
            let link_now = ospf::Link { index, up: link.up, mtu: link.mtu, addresses };
            (link.name.clone(), link_now)
        })
        .collect()
}

fn igp_route(route: ospf::Route) -> IgpRoute {
    IgpRoute {
        kind: match route.kind {
            RouteKind::IntraArea => "OSPF intra-area",
            RouteKind::InterArea => "OSPF inter-area",
            RouteKind::External1 => "OSPF external-1",
            RouteKind::External2 => "OSPF external-2",
        },
        metric: route.cost,
        second_metric: route.type_2_cost,
        tag: route.tag,
        hops: route
            .hops
            .iter()
            .map(|(interface, gateway)| Resolved {
                gateway: IpAddr::V4(*gateway),
                interface: *interface,
            })
            .collect(),
        exits: route.exits.into_boxed_slice(),
    }
}
