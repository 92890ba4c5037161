//! The virtual routers between the lane that decides who is Active, the kernel that has their addresses, the objects
//! that lower their priority, and the groups and OSPF interfaces that go with them.
//!
//! Those of one sync group are one *unit*: they change their role together, in one [`Takeover`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::takeover::{Outcome, Phase, Step, Takeover};
use super::{Action, Agent, CommandId, VirtualAddresses};
use crate::config;
use crate::fast::{self, Report};
use crate::group::Target;
use crate::types::{Prefix, Time};
use crate::vrrp::{Change, Order, Reason, State, VirtualRouterId};

/// For the routes of the start of a takeover to be in the kernel.
const FORWARDING: Duration = Duration::from_millis(100);
/// For the kernel to take the addresses, or to let go of them.
const ADDRESSES: Duration = Duration::from_millis(500);
/// For neighbours to acknowledge. In a takeover the next step waits for that, and the first hop is here already.
const TAKING: Duration = Duration::from_millis(20);
const RELEASING: Duration = Duration::from_millis(100);
/// Addresses that somebody has taken away are taken again after this. If it was the guardian, as we stood still, the lane
/// says meanwhile that we are Active no more.
const RETAKE: Duration = Duration::from_millis(20);
/// After the kernel has refused the addresses of an Active: for so long the role is given up.
const AFTER_FAULT: Duration = Duration::from_secs(10);

/// All virtual routers of the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct VirtualRouters {
    pub by_name: BTreeMap<String, VirtualRouter>,
    pub units: BTreeMap<String, Takeover>,
    next_router: u32,
    /// The commit that a unit waits for, and its outcome.
    commits: BTreeMap<CommandId, String>,
    committed: BTreeMap<String, Outcome>,
    /// Commands behind a takeover or a release that run, by their unit.
    others: BTreeMap<CommandId, String>,
    /// Those that follow them, one after the other, each with the role it is for.
    queued: BTreeMap<String, VecDeque<(Vec<String>, &'static str)>>,
    /// The lane knows that we can forward.
    ready: bool,
}

#[derive(Clone, Debug)]
pub(super) struct VirtualRouter {
    pub id: VirtualRouterId,
    /// Its sync group, or its own name.
    pub unit: String,
    /// As ordered: with the interface it is on, once there is one.
    ordered: Option<crate::vrrp::Settings>,
    /// What tracked objects take from its priority, as ordered.
    pub adjusted: i16,
    /// The lane has been told to give up the role.
    pub released: bool,
    /// It has done so.
    handed_over: bool,
    pub state: State,
    pub reason: Reason,
    pub active: Option<IpAddr>,
    /// What the kernel was told last.
    addresses: Option<VirtualAddresses>,
    /// They are on the interface, as far as is known.
    pub assigned: bool,
    /// Why they are not, or are still there; empty if all is as it should be.
    pub fault: String,
    /// They have vanished while we are Active.
    lost_at: Option<Time>,
    /// Released because of a fault, until then.
    faulty_until: Option<Time>,
    /// For `shunt status`: when two were Active last.
    pub split: Option<Time>,
}

impl VirtualRouters {
    /// Commands behind a change of roles still run.
    pub fn has_commands(&self) -> bool {
        !self.others.is_empty()
    }
}

impl VirtualRouter {
    fn new(id: VirtualRouterId, unit: String) -> VirtualRouter {
        VirtualRouter {
            id,
            unit,
            ordered: None,
            adjusted: 0,
            released: false,
            handed_over: false,
            state: State::Initialize,
            reason: Reason::Started,
            active: None,
            addresses: None,
            assigned: false,
            fault: String::new(),
            lost_at: None,
            faulty_until: None,
            split: None,
        }
    }
}

/// The name of the unit that a virtual router belongs to.
fn unit_of(name: &str, config: &config::Vrrp) -> String {
    config.sync_group.clone().unwrap_or_else(|| name.to_owned())
}

impl Agent {
    /// The lane of BFD and VRRP has news.
    pub(super) fn reported(&mut self, report: Report, now: Time) {
        match report {
            Report::Bfd(change) => self.bfd_changed(&change, now),
            Report::Vrrp(change) => self.router_changed(&change, now),
            Report::AnotherActive { router, address, priority, yields } => {
                self.another_active(router, (address, priority), yields, now);
            }
        }
    }

    fn order_vrrp(&mut self, order: Order) {
        self.actions.push_back(Action::Fast(fast::Order::Vrrp(order)));
    }

    /// Brings the virtual routers in line with the configuration and the interfaces that there are.
    pub(super) fn routers_changed(&mut self, now: Time) {
        let gone: Vec<String> = self
            .routers
            .by_name
            .keys()
            .filter(|name| !self.config.vrrp.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.remove_router(&name);
        }
        for (name, config) in self.config.vrrp.clone() {
            let unit = unit_of(&name, &config);
            let routers = &mut self.routers;
            // A router that gets into another sync group takes its role along.
            let before = routers.by_name.get(&name).and_then(|r| routers.units.get(&r.unit));
            let takeover = before.cloned().unwrap_or_else(|| Takeover::new(now));
            routers.units.entry(unit.clone()).or_insert(takeover);
            let next = &mut routers.next_router;
            let router = routers.by_name.entry(name.clone()).or_insert_with(|| {
                *next += 1;
                VirtualRouter::new(VirtualRouterId(*next), unit.clone())
            });
            router.unit = unit;
            let interface = self.fib.interfaces().named(&config.interface);
            let settings = interface.map(|(index, _)| config.settings(index));
            if router.ordered == settings {
                continue;
            }
            let id = router.id;
            let before = std::mem::replace(&mut router.ordered, settings.clone());
            match settings {
                Some(settings) => {
                    self.order_vrrp(Order::Want { router: id, settings: Box::new(settings) });
                    if before.is_none() {
                        self.restate_router(&name);
                    }
                }
                None => self.forget_ordered(&name),
            }
        }
        let used: BTreeSet<&String> = self.routers.by_name.values().map(|r| &r.unit).collect();
        let used: BTreeSet<String> = used.into_iter().cloned().collect();
        self.routers.units.retain(|unit, _| used.contains(unit));
        self.settle_addresses();
    }

    /// The lane has forgotten what was told to it beside the settings.
    fn restate_router(&mut self, name: &str) {
        let Some(router) = self.routers.by_name.get_mut(name) else { return };
        let (id, by, released) = (router.id, router.adjusted, router.released);
        if by != 0 {
            self.order_vrrp(Order::Adjust { router: id, by });
        }
        if released {
            self.order_vrrp(Order::Release { router: id, released });
        }
    }

    /// Its interface is gone.
    fn forget_ordered(&mut self, name: &str) {
        let Some(router) = self.routers.by_name.get_mut(name) else { return };
        router.state = State::Initialize;
        router.reason = Reason::NoLink;
        router.active = None;
        // The device went with its interface.
        router.addresses = None;
        router.assigned = false;
        let id = router.id;
        self.order_vrrp(Order::Drop { router: id });
        self.actions.push_back(Action::SetAddresses { router: id, wanted: None });
    }

    /// The daemon ends.
    pub(super) fn remove_routers(&mut self) {
        let names: Vec<String> = self.routers.by_name.keys().cloned().collect();
        for name in names {
            self.remove_router(&name);
        }
    }

    fn remove_router(&mut self, name: &str) {
        let Some(router) = self.routers.by_name.remove(name) else { return };
        self.order_vrrp(Order::Drop { router: router.id });
        self.actions.push_back(Action::SetAddresses { router: router.id, wanted: None });
        self.groups_stale = true;
    }

    /// The lane's word about one virtual router.
    pub(super) fn router_changed(&mut self, change: &Change, now: Time) {
        let found = self.routers.by_name.iter_mut().find(|(_, router)| router.id == change.router);
        let Some((name, router)) = found else { return };
        let name = name.clone();
        let was = router.state;
        router.state = change.state;
        router.reason = change.reason;
        router.active = change.active;
        router.handed_over |= change.state != State::Active;
        let text = change_text(change);
        if was != change.state || change.reason == Reason::AnotherActive {
            self.report(now, "vrrp", &name, "info", text);
        }
    }

    /// Two are Active.
    pub(super) fn another_active(
        &mut self,
        router: VirtualRouterId,
        (address, priority): (IpAddr, u8),
        yields: bool,
        now: Time,
    ) {
        let mut all = self.routers.by_name.iter_mut();
        let Some((name, router)) = all.find(|(_, known)| known.id == router) else { return };
        router.split = Some(now);
        let (name, unit) = (name.clone(), router.unit.clone());
        let outcome = if yields { "we give way" } else { "it has to give way" };
        let text = format!(
            "{address} is Active as well, with priority {priority}: {outcome}. Can the two hear each other on every link?"
        );
        self.report(now, "vrrp", &name, "error", text);
        let takeover = self.routers.units.get_mut(&unit);
        if let Some(takeover) = takeover.filter(|t| !yields && t.phase() == Phase::Active) {
            takeover.confirm(now);
        }
    }

    /// The kernel's word about the addresses of a virtual router.
    pub(super) fn addresses_set(
        &mut self,
        id: VirtualRouterId,
        assigned: bool,
        result: Result<(), String>,
        now: Time,
    ) {
        let found = self.routers.by_name.iter_mut().find(|(_, router)| router.id == id);
        let Some((name, router)) = found else { return };
        let name = name.clone();
        let had = std::mem::replace(&mut router.assigned, assigned);
        let wanted = router.addresses.as_ref().is_some_and(|addresses| addresses.assigned);
        let fault = result.err().unwrap_or_default();
        let news = !fault.is_empty() && fault != router.fault;
        router.fault.clone_from(&fault);
        if had && wanted && !assigned {
            // Somebody has taken them away: the guardian, while we stood still, or a person.
            router.addresses = None;
            router.lost_at = Some(now);
        }
        if news {
            self.report(now, "vrrp", &name, "error", format!("virtual addresses: {fault}"));
        }
    }

    /// A command of a takeover has ended.
    pub(super) fn command_ended(
        &mut self,
        command: CommandId,
        result: Result<String, String>,
        now: Time,
    ) {
        if let Some(unit) = self.routers.commits.remove(&command) {
            let outcome = if result.is_ok() { Outcome::Done } else { Outcome::Failed };
            if let Err(error) = result {
                self.report(now, "takeover", &unit, "error", format!("commit: {error}"));
            }
            self.routers.committed.insert(unit, outcome);
        } else if let Some(unit) = self.routers.others.remove(&command) {
            if let Err(error) = result {
                self.report(now, "takeover", &unit, "warning", error);
            }
            self.run_next(&unit);
        }
    }

    fn run_command(&mut self, unit: &str, words: Vec<String>, role: &str) -> CommandId {
        let command = self.next_command();
        let environment = vec![
            ("SHUNT_UNIT".to_owned(), unit.to_owned()),
            ("SHUNT_ROLE".to_owned(), role.to_owned()),
        ];
        let timeout = self.config.takeover.timeout;
        self.actions.push_back(Action::Run { command, words, environment, timeout });
        command
    }

    /// Runs them in order, in place of what is left from an earlier change of the role.
    fn run_commands(&mut self, unit: &str, commands: Vec<Vec<String>>, role: &'static str) {
        let commands = commands.into_iter().map(|words| (words, role)).collect();
        self.routers.queued.insert(unit.to_owned(), commands);
        if !self.routers.others.values().any(|running| running == unit) {
            self.run_next(unit);
        }
    }

    fn run_next(&mut self, unit: &str) {
        let queued = self.routers.queued.get_mut(unit);
        if let Some((words, role)) = queued.and_then(VecDeque::pop_front) {
            let command = self.run_command(unit, words, role);
            self.routers.others.insert(command, unit.to_owned());
        }
    }

    /// Moves every unit on as far as it can go now. Says whether anything moved.
    pub(super) fn settle_takeovers(&mut self, now: Time) -> bool {
        if self.routers.by_name.is_empty() {
            return false;
        }
        self.settle_ready(now);
        self.settle_priorities();
        let units: Vec<String> = self.routers.units.keys().cloned().collect();
        let mut moved = false;
        for unit in units {
            let before = self.routers.units.get(&unit).map(Takeover::phase);
            self.follow_lane(&unit, now);
            self.settle_release(&unit, now);
            self.step(&unit, now);
            let after = self.routers.units.get(&unit).map(Takeover::phase);
            moved |= before != after;
        }
        if moved {
            self.groups_stale = true;
            self.own_changed.append(&mut self.held);
            self.settle_addresses();
            self.follow_by_ospf(now);
        }
        moved
    }

    /// A higher priority may preempt as soon as we can forward what that attracts.
    fn settle_ready(&mut self, now: Time) {
        let patient = now < self.start_ends();
        if !self.routers.ready && self.fib.is_ready() && (self.converged || !patient) {
            self.routers.ready = true;
            self.order_vrrp(Order::Ready { ready: true });
        }
    }

    /// Then the start waits for no neighbour any more.
    pub(super) fn start_ends(&self) -> Time {
        Time::ZERO + self.config.kernel.grace
    }

    /// What the lane says of the members is what the unit is.
    fn follow_lane(&mut self, unit: &str, now: Time) {
        let members = || self.routers.by_name.values().filter(|router| router.unit == unit);
        let all_active = members().all(|router| router.state == State::Active);
        let all_handed_over = members().all(|router| router.handed_over);
        let retake = |router: &VirtualRouter| router.lost_at.is_some_and(|at| at + RETAKE <= now);
        let retake = members().any(retake);
        let Some(takeover) = self.routers.units.get_mut(unit) else { return };
        match takeover.phase() {
            Phase::Active if all_active && retake => {
                takeover.addresses_lost(now);
                for router in self.routers.by_name.values_mut().filter(|r| r.unit == unit) {
                    router.lost_at = None;
                }
            }
            Phase::Backup | Phase::Releasing(Step::Addresses) if all_active => takeover.taken(now),
            // Nobody else has taken it.
            Phase::Releasing(Step::Link) if all_active && all_handed_over => takeover.taken(now),
            Phase::Backup | Phase::Releasing(Step::Link | Step::Addresses) => {}
            Phase::Active | Phase::Taking(_) | Phase::Releasing(_) if all_active => {}
            Phase::Active | Phase::Taking(_) | Phase::Releasing(_) => {
                takeover.lost(now);
                let text = "the role is gone: addresses and announcements go at once".to_owned();
                self.record_role(unit, &text, now);
                self.report(now, "takeover", unit, "info", text);
                self.run_commands(unit, self.config.takeover.release.clone(), "backup");
            }
        }
    }

    /// Whether the unit is to be Backup as long as somebody else can be Active: by an operator's order, because its
    /// addresses or an interface cannot be had (the lane then does not know that member), or because the daemon ends.
    fn settle_release(&mut self, unit: &str, now: Time) {
        let wall = self.wall(now);
        let intents = self.orders.in_force();
        let ordered =
            |name: &str| intents.in_force(&Target::Router(name.to_owned()), wall).is_some();
        let mut wanted = self.stopping.is_some();
        // A group that lacks a member's interface is no way through. Before the first dump nothing is lacking.
        let knows = self.fib.is_ready();
        let mut retry = false;
        for (name, router) in self.routers.by_name.iter_mut().filter(|(_, r)| r.unit == unit) {
            if router.faulty_until.is_some_and(|until| until <= now) {
                router.faulty_until = None;
                router.addresses = None;
                retry = true;
            }
            let lacks = knows && router.ordered.is_none();
            wanted |= ordered(name) || router.faulty_until.is_some() || lacks;
        }
        let mut members = self.routers.by_name.values().filter(|router| router.unit == unit);
        let released = members.all(|router| router.released);
        let Some(takeover) = self.routers.units.get_mut(unit) else { return };
        match takeover.phase() {
            Phase::Active if retry => takeover.addresses_lost(now),
            Phase::Active | Phase::Taking(_) if wanted && !released => takeover.release(now),
            Phase::Backup if wanted && !released => self.release_members(unit, true),
            Phase::Backup | Phase::Active | Phase::Taking(_) if !wanted => {
                self.release_members(unit, false);
            }
            _ => {}
        }
    }

    fn release_members(&mut self, unit: &str, released: bool) {
        let mut orders = Vec::new();
        for router in self.routers.by_name.values_mut().filter(|router| router.unit == unit) {
            router.handed_over = false;
            if std::mem::replace(&mut router.released, released) != released {
                orders.push(Order::Release { router: router.id, released });
            }
        }
        for order in orders {
            self.order_vrrp(order);
        }
    }

    /// Orders the work of the present step, and ends the steps that are done.
    fn step(&mut self, unit: &str, now: Time) {
        loop {
            let Some(takeover) = self.routers.units.get_mut(unit) else { return };
            let ordered = takeover.take_order();
            let (phase, age) = (takeover.phase(), takeover.step_age(now));
            if ordered.is_some() {
                self.order_step(unit, phase);
            }
            let tells = matches!(
                phase,
                Phase::Taking(Step::Area | Step::Neighbors)
                    | Phase::Releasing(Step::Area | Step::Neighbors)
            );
            if ordered.is_some() && tells {
                // What is to be told is settled first.
                return;
            }
            let late = (age >= self.patience(unit, phase)).then_some(Outcome::Late);
            let Some(outcome) = self.step_outcome(unit, phase).or(late) else { return };
            let Some(takeover) = self.routers.units.get_mut(unit) else { return };
            let story = takeover.ended(outcome, now);
            let after = takeover.phase();
            if phase == Phase::Taking(Step::Addresses) && outcome != Outcome::Done {
                self.give_up_addresses(unit, now);
            }
            let Some(story) = story else { continue };
            self.record_role(unit, &story, now);
            self.report(now, "takeover", unit, "info", story);
            if after == Phase::Active {
                self.run_commands(unit, self.config.takeover.after.clone(), "active");
            } else {
                self.run_commands(unit, self.config.takeover.release.clone(), "backup");
            }
            return;
        }
    }

    fn order_step(&mut self, unit: &str, phase: Phase) {
        match phase {
            Phase::Taking(Step::Commit) => {
                self.routers.committed.remove(unit);
                if let Some(words) = self.config.takeover.commit.clone() {
                    let command = self.run_command(unit, words, "active");
                    self.routers.commits.insert(command, unit.to_owned());
                } else {
                    self.routers.committed.insert(unit.to_owned(), Outcome::Done);
                }
            }
            Phase::Taking(Step::Addresses) | Phase::Releasing(Step::Addresses) => {
                self.settle_addresses();
            }
            Phase::Taking(Step::Link) => {
                let members = self.routers.by_name.values().filter(|router| router.unit == unit);
                let ids: Vec<VirtualRouterId> = members.map(|router| router.id).collect();
                for router in ids {
                    self.order_vrrp(Order::Announce { router });
                }
            }
            Phase::Releasing(Step::Link) => self.release_members(unit, true),
            _ => {}
        }
    }

    /// How the present step has ended; `None` as long as it has not.
    fn step_outcome(&self, unit: &str, phase: Phase) -> Option<Outcome> {
        let mut members = self.routers.by_name.values().filter(|router| router.unit == unit);
        let done = match phase {
            Phase::Taking(Step::Commit) => return self.routers.committed.get(unit).copied(),
            Phase::Taking(Step::Forwarding) => self.fib.is_ready() && self.fib.is_settled(),
            Phase::Taking(Step::Addresses) => {
                if members.clone().any(|router| !router.fault.is_empty()) {
                    return Some(Outcome::Failed);
                }
                members.all(|router| router.assigned)
            }
            Phase::Taking(Step::Link) => true,
            Phase::Taking(Step::Area) | Phase::Releasing(Step::Area) => self.area_heard(unit),
            Phase::Taking(Step::Neighbors) | Phase::Releasing(Step::Neighbors) => {
                self.neighbors_heard()
            }
            Phase::Releasing(Step::Link) => {
                members.all(|router| router.state != State::Active && router.active.is_some())
            }
            Phase::Releasing(Step::Addresses) => members.all(|router| !router.assigned),
            Phase::Backup | Phase::Active => return None,
            Phase::Releasing(Step::Forwarding | Step::Commit) => true,
        };
        done.then_some(Outcome::Done)
    }

    fn patience(&self, unit: &str, phase: Phase) -> Duration {
        match phase {
            // The command is killed at its own deadline.
            Phase::Taking(Step::Commit) => self.config.takeover.timeout * 2,
            Phase::Taking(Step::Forwarding) => FORWARDING,
            Phase::Taking(Step::Addresses) | Phase::Releasing(Step::Addresses) => ADDRESSES,
            Phase::Taking(_) => TAKING,
            // Somebody with the lowest priority takes four intervals; after five nobody will.
            Phase::Releasing(Step::Link) => {
                let of_unit =
                    self.config.vrrp.iter().filter(|(name, config)| unit_of(name, config) == unit);
                of_unit.map(|(_, config)| config.interval * 5).max().unwrap_or_default()
            }
            Phase::Releasing(_) => RELEASING,
            Phase::Backup | Phase::Active => Duration::MAX,
        }
    }

    /// The area has acknowledged what goes with the unit's role.
    fn area_heard(&self, unit: &str) -> bool {
        let Some(ospf) = &self.ospf else { return true };
        let prefixes = self.following(unit).into_iter();
        let mut networks = prefixes.filter_map(|prefix| match prefix {
            Prefix::V4(network) => Some(network),
            Prefix::V6(_) => None,
        });
        networks.all(|network| ospf.router.unacknowledged(network, Time::ZERO).is_empty())
    }

    /// TCP has taken what our neighbours are to be told.
    fn neighbors_heard(&self) -> bool {
        self.neighbors.values().all(|neighbor| !neighbor.is_urgent() && neighbor.queued == 0)
    }

    /// The prefixes whose groups follow a virtual router of the unit.
    fn following(&self, unit: &str) -> Vec<Prefix> {
        let follows = |prefix: &Prefix| self.unit_followed(*prefix).is_some_and(|u| u == unit);
        self.own.keys().copied().filter(follows).collect()
    }

    fn unit_followed(&self, prefix: Prefix) -> Option<&str> {
        let group = self.own.get(&prefix)?.group.as_ref()?;
        let router = &self.config.groups.get(group)?.follow.as_ref()?.router;
        Some(&self.routers.by_name.get(router)?.unit)
    }

    /// Whether a step of a takeover keeps (OSPF, BGP) from being told of a prefix yet.
    pub(super) fn holds(&self, prefix: Prefix) -> (bool, bool) {
        let takeover = self.unit_followed(prefix).and_then(|unit| self.routers.units.get(unit));
        takeover.map_or((false, false), |t| (t.holds_area(), t.holds_neighbors()))
    }

    /// The virtual routers with whose roles the area sees us: a release tells it later than BGP.
    pub(super) fn active_in_area(&self) -> BTreeSet<String> {
        let holds = |router: &VirtualRouter| {
            self.routers.units.get(&router.unit).is_some_and(Takeover::holds_area)
        };
        let held = self.routers.by_name.iter().filter(|(_, router)| holds(router));
        self.active_roles().into_iter().chain(held.map(|(name, _)| name.clone())).collect()
    }

    /// The virtual routers whose groups are announced as where they are Active.
    pub(super) fn active_roles(&self) -> BTreeSet<String> {
        self.routers.by_name.keys().filter(|name| self.is_active_role(name)).cloned().collect()
    }

    pub(super) fn is_active_role(&self, name: &str) -> bool {
        let unit = self.routers.by_name.get(name).map(|router| &router.unit);
        let takeover = unit.and_then(|unit| self.routers.units.get(unit));
        takeover.is_some_and(Takeover::is_announced)
    }

    /// The kernel does not take the addresses: without them nobody finds us.
    fn give_up_addresses(&mut self, unit: &str, now: Time) {
        for router in self.routers.by_name.values_mut().filter(|router| router.unit == unit) {
            if !router.assigned {
                router.faulty_until = Some(now + AFTER_FAULT);
            }
        }
    }

    /// Tells the kernel's side what each virtual router is to have there.
    pub(super) fn settle_addresses(&mut self) {
        let mut wanted = Vec::new();
        for (name, router) in &mut self.routers.by_name {
            let Some(settings) = &router.ordered else { continue };
            let Some(config) = self.config.vrrp.get(name) else { continue };
            let Some(takeover) = self.routers.units.get(&router.unit) else { continue };
            let has = router.addresses.as_ref().is_some_and(|addresses| addresses.assigned);
            let addresses = VirtualAddresses {
                name: name.clone(),
                interface: settings.interface,
                interface_name: config.interface.clone(),
                mac: settings.virtual_mac(),
                vrid: settings.vrid,
                addresses: settings.addresses.clone(),
                assigned: takeover.wants_addresses().unwrap_or(has),
                accept: config.accept,
                deadman: settings.grace(),
            };
            if router.addresses.as_ref() != Some(&addresses) {
                router.addresses = Some(addresses.clone());
                router.lost_at = None;
                router.fault.clear();
                wanted.push((router.id, addresses));
            }
        }
        for (router, addresses) in wanted {
            let wanted = Some(Box::new(addresses));
            self.actions.push_back(Action::SetAddresses { router, wanted });
        }
    }

    /// When a step stops waiting, or an end of a fault comes.
    pub(super) fn takeovers_due(&self) -> Option<Time> {
        let steps = self.routers.units.iter().filter_map(|(unit, takeover)| {
            let patience = self.patience(unit, takeover.phase());
            (patience < Duration::MAX).then(|| takeover.step_since() + patience)
        });
        let faults = self.routers.by_name.values().filter_map(|router| router.faulty_until);
        let start =
            (!self.routers.ready && !self.routers.by_name.is_empty()).then(|| self.start_ends());
        let lost = self.routers.by_name.values().filter(|router| self.is_active(router));
        let lost = lost.filter_map(|router| Some(router.lost_at? + RETAKE));
        steps.chain(faults).chain(start).chain(lost).min()
    }

    fn is_active(&self, router: &VirtualRouter) -> bool {
        let takeover = self.routers.units.get(&router.unit);
        takeover.is_some_and(|takeover| takeover.phase() == Phase::Active)
    }

    /// No unit has a role to give up any more.
    pub(super) fn has_released_all(&self) -> bool {
        self.routers.units.values().all(|takeover| takeover.phase() == Phase::Backup)
    }
}

/// `active: nothing was heard of 10.0.0.2`.
fn change_text(change: &Change) -> String {
    let who = change.active.map_or("nobody".to_owned(), |address| address.to_string());
    let why = match change.reason {
        Reason::Started => "started".to_owned(),
        Reason::NoLink => "its interface is down or has no address".to_owned(),
        Reason::NoSocket => "VRRP cannot be received or sent on its interface".to_owned(),
        Reason::Owner => "the addresses are our own".to_owned(),
        Reason::ActiveDown => "the Active was not heard any more".to_owned(),
        Reason::ActiveLeft => "the Active has left".to_owned(),
        Reason::Preempted => "our priority is higher".to_owned(),
        Reason::HigherPriority => {
            format!("{who} is Active with priority {}", change.active_priority)
        }
        Reason::Released => "released".to_owned(),
        Reason::SyncGroup => "with its sync group".to_owned(),
        Reason::Stalled => "this node stood still for too long".to_owned(),
        Reason::AnotherActive => {
            format!("the Active is {who} now, with priority {}", change.active_priority)
        }
    };
    format!("{}: {why}", change.state)
}
