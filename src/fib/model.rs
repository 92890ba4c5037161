mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::exit::{Exit, Fate, Leg};
use super::exits::{Number, Shared};
use super::objects::{Answered, Objects};
use super::retries::Retries;
use super::{Change, Failure, Hops, Interfaces, KernelError, Key, Observed, Route, Via};
use crate::types::{Prefix, PrefixTable, Time};

/// Changes at the kernel at the same time: enough to keep it busy, few enough that a newer wish never waits long.
pub const WINDOW: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Kernel route priority of our routes.
    pub metric: u32,
    /// How long adopted routes are kept if the protocols do not converge earlier.
    pub grace: Duration,
    /// Time between two scans when there is no other reason for one.
    pub rescan: Duration,
    /// Whether routes lead to nexthop objects.
    pub objects: bool,
}

/// Which routes go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Default routes, and those to what we announce ourselves.
    Own,
    Interior,
    #[default]
    Bulk,
}

/// The model. See the [module](super) for its states.
#[derive(Clone)]
pub struct Fib {
    settings: Settings,
    table: PrefixTable<Entry>,
    /// What entries want.
    exits: Shared<Exit>,
    /// What routes have that lead to no object.
    hops: Shared<Hops>,
    objects: Objects,
    /// Routes of ours with another metric than ours is now, from an earlier configuration; the round they were seen in.
    strays: BTreeMap<(Prefix, u32), u8>,
    /// Observed, never wanted in this life, not yet swept.
    adopted: usize,
    dirty: BTreeSet<(Urgency, Prefix)>,
    /// Dirty ones that wait for their group, by its id.
    blocked: BTreeMap<u32, BTreeSet<Prefix>>,
    in_flight: BTreeMap<Prefix, Change>,
    retries: Retries<Prefix>,
    interfaces: Interfaces,
    interfaces_changed: bool,
    dump: Option<Dump>,
    /// Number of the last dump, to tell what it did not show.
    round: u8,
    /// Number of the last complete one.
    complete: u8,
    /// All entries are to be looked at again, those behind this one.
    review: Option<Option<Prefix>>,
    /// The kernel's setting.
    compat_mode: bool,
    /// The first dump is complete.
    ready: bool,
    swept: bool,
    sweep_at: Time,
    scan: Scan,
    wanted: usize,
    observed: usize,
}

#[derive(Clone, Default)]
struct Entry {
    /// A number of `exits`.
    wanted: Option<Number>,
    observed: Option<Way>,
    /// The last dump that showed it, or in which we heard of it otherwise.
    round: u8,
    urgency: Urgency,
    /// Kept until the sweep.
    adopted: bool,
}

/// What an observed route leads to: a number of `hops`, or the id of an object, which is larger than these ever get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way(NonZeroU32);

impl Way {
    fn is_object(self) -> bool {
        Objects::is_ours(self.0.get())
    }
}

/// The next step for a prefix.
enum Step {
    Nothing,
    Make(Change),
    /// Once the group with this id is there.
    Await(u32),
}

/// A dump that is running.
#[derive(Clone, Default)]
struct Dump {
    interfaces: Interfaces,
    /// Prefixes of which events or acknowledgements have come since it began.
    newer: BTreeSet<(Prefix, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// Not before this time.
    At(Time),
    Due,
    /// Handed out; `again` if there was a new reason since. Ends with the dump.
    Running {
        again: bool,
    },
}

/// Counts for the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub wanted: usize,
    /// Ours in the kernel, adopted ones included.
    pub observed: usize,
    /// To be changed or being changed.
    pub pending: usize,
    pub failed: usize,
    /// Kept from an earlier life and not wanted so far.
    pub adopted: usize,
    /// Groups of nexthop objects.
    pub groups: usize,
    /// When one is replaced the kernel tells of each of its routes.
    pub compat_mode: bool,
}

/// What is known of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FibRoute<'a> {
    pub prefix: Prefix,
    pub wanted: Option<Hops>,
    pub observed: Option<&'a Arc<Hops>>,
    pub failure: Option<&'a Failure>,
}

impl Fib {
    /// A blind model that asks for its first dump at once.
    pub fn new(settings: Settings, now: Time) -> Fib {
        Fib {
            settings,
            table: PrefixTable::new(),
            exits: Shared::new(),
            hops: Shared::new(),
            objects: Objects::new(),
            strays: BTreeMap::new(),
            adopted: 0,
            dirty: BTreeSet::new(),
            blocked: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            retries: Retries::new(),
            interfaces: Interfaces::default(),
            interfaces_changed: false,
            dump: None,
            round: 0,
            complete: 0,
            review: None,
            compat_mode: false,
            ready: false,
            swept: false,
            sweep_at: now + settings.grace,
            scan: Scan::Due,
            wanted: 0,
            observed: 0,
        }
    }

    /// The route to `prefix` is to lead to this exit; none: there is to be no route of ours.
    pub fn want(&mut self, prefix: Prefix, exit: Option<Exit>, urgency: Urgency) {
        if exit.is_none() && self.table.get(prefix).is_none() {
            return;
        }
        let wanted = exit.and_then(|exit| self.exits.acquire(exit));
        let entry = self.table.get_or_default(prefix);
        let before = std::mem::replace(&mut entry.wanted, wanted);
        if before != wanted {
            self.wanted -= usize::from(before.is_some());
            self.wanted += usize::from(wanted.is_some());
            self.adopted -= usize::from(std::mem::take(&mut entry.adopted) && !self.swept);
            self.retries.forgive(prefix);
            self.blocked.retain(|_, prefixes| {
                prefixes.remove(&prefix);
                !prefixes.is_empty()
            });
        }
        let moved = entry.urgency != urgency;
        if moved {
            self.dirty.remove(&(entry.urgency, prefix));
            entry.urgency = urgency;
        }
        if let Some(before) = before {
            self.exits.release(before);
        }
        // Even if it is the same: what it stands for may have been rewritten, and the route leads elsewhere.
        self.settle(prefix);
    }

    /// Something has happened to the legs of exits. Groups follow at once, each by one change, and the routes that lead to
    /// them need none: those of the agent's next wishes that come to the same are fulfilled already.
    pub fn rewrite(&mut self, fate: impl Fn(&Leg) -> Fate) {
        if self.settings.objects {
            let rewritten = self.exits.rewrite(self.objects.exits().cloned().collect(), &fate);
            self.objects.rewrite(&rewritten);
        }
    }

    /// Takes in what the kernel said.
    pub fn observe(&mut self, observed: Observed, now: Time) {
        match observed {
            Observed::Route(route) => {
                self.is_newer(route.prefix, route.metric);
                self.see(route, false);
            }
            Observed::RouteGone { prefix, metric } => {
                self.is_newer(prefix, metric);
                self.lose(prefix, metric);
            }
            Observed::Dumped(route) => {
                let known = |dump: &Dump| dump.newer.contains(&(route.prefix, route.metric));
                if !self.dump.as_ref().is_some_and(known) {
                    self.see(route, false);
                }
            }
            Observed::Object { id, object } => self.objects.event(id, object),
            Observed::ObjectGone { id } => {
                if self.objects.lose(id) {
                    self.review_all();
                }
                self.request_scan(now);
            }
            Observed::DumpedObject { id, object } => self.objects.dumped(id, object),
            Observed::NoObjects => {
                self.settings.objects = false;
                self.objects = Objects::new();
                self.unblock_forgotten();
            }
            Observed::CompatMode(on) => self.compat_mode = on,
            Observed::DumpBegun => {
                self.dump = Some(Dump::default());
                self.round = self.round.wrapping_add(1);
                self.objects.dump_begun(self.round);
            }
            Observed::DumpDone => self.finish_dump(now),
            Observed::Lost => self.request_scan(now),
            Observed::Link { .. }
            | Observed::LinkGone { .. }
            | Observed::Address { .. }
            | Observed::AddressGone { .. } => self.observe_interface(&observed, now),
        }
    }

    /// Up to `limit` changes to be made now, and those of objects. They count as in flight until [`Fib::applied`].
    pub fn poll(&mut self, limit: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.ready {
            return changes;
        }
        self.objects.poll(&mut changes);
        self.review_some();
        while changes.len() < limit && self.in_flight.len() < WINDOW {
            let Some((_, prefix)) = self.dirty.pop_first() else { break };
            // The answer, or the end of the wait, makes it dirty again.
            if self.in_flight.contains_key(&prefix) || self.retries.is_waiting(prefix) {
                continue;
            }
            match self.next_step(prefix) {
                Step::Nothing => {}
                Step::Await(group) => _ = self.blocked.entry(group).or_default().insert(prefix),
                Step::Make(change) => {
                    if let Some(id) = object_of(&change) {
                        self.objects.used(id);
                    }
                    self.in_flight.insert(prefix, change.clone());
                    changes.push(change);
                }
            }
        }
        // Those that the routes have just asked for.
        self.objects.poll(&mut changes);
        if self.dirty.is_empty() && self.in_flight.is_empty() && self.review.is_none() {
            let blocked = &self.blocked;
            let needed = |id| blocked.contains_key(&id);
            self.objects.poll_unused(needed, self.swept, &mut changes);
        }
        changes
    }

    /// The kernel's answer to a change in flight. Every change must be answered; one that got lost,
    /// for example with its socket, by an error.
    pub fn applied(&mut self, key: Key, result: Result<(), KernelError>, now: Time) {
        let prefix = match key {
            Key::Route(prefix) => prefix,
            Key::Object(id) => return self.object_applied(id, result, now),
        };
        let Some(change) = self.in_flight.remove(&prefix) else { return };
        let object = object_of(&change);
        match (change, result) {
            (Change::Create(route) | Change::Replace(route), Ok(())) => {
                self.retries.forgive(prefix);
                self.is_newer(prefix, route.metric);
                self.see(route, true);
            }
            (Change::Delete { metric, .. }, Ok(())) => self.deleted(prefix, metric),
            (Change::Delete { metric, .. }, Err(error)) if error.is_missing() => {
                self.deleted(prefix, metric);
            }
            // Or the object is, of which we hear otherwise.
            (Change::Replace(route), Err(error)) if error.is_missing() => {
                self.lose(prefix, route.metric);
            }
            (change, Err(error)) => {
                if matches!(change, Change::Create(_)) && error.is_taken() {
                    self.request_scan(now);
                }
                // Its group went with its link while it was on the way: it gets another one at once.
                if object.is_none_or(|id| self.objects.is_there(id)) {
                    self.retries.fail(prefix, error, now);
                }
            }
            (_, Ok(())) => {}
        }
        if let Some(id) = object {
            self.objects.unused(id);
        }
        self.settle(prefix);
    }

    fn object_applied(&mut self, id: u32, result: Result<(), KernelError>, now: Time) {
        match self.objects.applied(id, result, now) {
            Answered::Nothing => {}
            Answered::There(group) => {
                for prefix in self.blocked.remove(&group).unwrap_or_default() {
                    self.make_dirty(prefix);
                }
            }
            Answered::Taken => {
                self.request_scan(now);
                self.unblock_forgotten();
            }
            Answered::Lost => {
                self.review_all();
                self.request_scan(now);
            }
        }
    }

    /// What waits for a group that will never be there waits for another one.
    fn unblock_forgotten(&mut self) {
        let forgotten = |id: &u32| !self.objects.is_known(*id);
        let ids: Vec<u32> = self.blocked.keys().copied().filter(forgotten).collect();
        for id in ids {
            for prefix in self.blocked.remove(&id).unwrap_or_default() {
                self.make_dirty(prefix);
            }
        }
    }

    /// Fires what is due: retries, the end of the grace time, the safety-net scan.
    pub fn tick(&mut self, now: Time) {
        while let Some(prefix) = self.retries.next_due(now) {
            self.make_dirty(prefix);
        }
        self.objects.tick(now);
        if !self.swept && now >= self.sweep_at {
            self.sweep();
        }
        if let Scan::At(at) = self.scan
            && now >= at
        {
            self.scan = Scan::Due;
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let retries = [self.retries.deadline(), self.objects.deadline()];
        let sweep = (!self.swept).then_some(self.sweep_at);
        let scan = match self.scan {
            Scan::At(at) => Some(at),
            Scan::Due | Scan::Running { .. } => None,
        };
        retries.into_iter().chain([sweep, scan]).flatten().min()
    }

    /// Whether [`Fib::poll`] has more to do than it did.
    pub fn has_work(&self) -> bool {
        let room = self.in_flight.len() < WINDOW && !self.dirty.is_empty();
        self.ready && (self.review.is_some() || room)
    }

    /// Whether a dump is to be started now; true once per dump.
    pub fn take_scan(&mut self) -> bool {
        let due = self.scan == Scan::Due;
        if due {
            self.scan = Scan::Running { again: false };
        }
        due
    }

    /// All protocols have converged: what is not wanted now may go. Later calls do nothing.
    pub fn sweep(&mut self) {
        if !std::mem::replace(&mut self.swept, true) {
            self.adopted = 0;
            let strays: Vec<Prefix> = self.strays.keys().map(|(prefix, _)| *prefix).collect();
            strays.into_iter().for_each(|prefix| self.make_dirty(prefix));
            self.review_all();
        }
    }

    /// Wants nothing any more, adopted routes included: for an exit that withdraws.
    pub fn withdraw_all(&mut self) {
        let wanted: Vec<Prefix> = self.table.iter().map(|(prefix, _)| prefix).collect();
        for prefix in wanted {
            self.want(prefix, None, Urgency::Bulk);
        }
        self.sweep();
    }

    /// The first dump is complete.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Nothing is to be done or being done, though routes may have failed.
    pub fn is_settled(&self) -> bool {
        self.ready
            && self.dirty.is_empty()
            && self.in_flight.is_empty()
            && self.review.is_none()
            && self.objects.is_settled()
            && self.blocked.keys().all(|id| self.objects.failure_of(*id).is_some())
    }

    pub fn totals(&self) -> Totals {
        let (mut awaiting, mut failing) = (0, 0);
        for (id, prefixes) in &self.blocked {
            match self.objects.failure_of(*id) {
                Some(_) => failing += prefixes.len(),
                None => awaiting += prefixes.len(),
            }
        }
        Totals {
            wanted: self.wanted,
            observed: self.observed,
            pending: self.dirty.len() + self.in_flight.len() + awaiting,
            failed: self.retries.len() + failing.max(self.objects.failed()),
            adopted: self.adopted,
            groups: self.objects.len(),
            compat_mode: self.compat_mode && self.settings.objects,
        }
    }

    pub fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// Whether links or addresses have changed since the last call.
    pub fn take_interfaces_changed(&mut self) -> bool {
        std::mem::take(&mut self.interfaces_changed)
    }

    pub fn route(&self, prefix: Prefix) -> Option<FibRoute<'_>> {
        self.table.get(prefix).map(|entry| self.view(prefix, entry))
    }

    /// Up to `limit` prefixes behind `after`, in order.
    pub fn page(&self, after: Option<Prefix>, limit: usize) -> Vec<FibRoute<'_>> {
        let entries = self.table.iter_after(after).take(limit);
        entries.map(|(prefix, entry)| self.view(prefix, entry)).collect()
    }

    /// The object with this id as a person knows it, and why the kernel did not take it.
    pub fn object_failure(&self, id: u32) -> Option<(String, &Failure)> {
        self.objects.failure(id)
    }

    fn view<'a>(&'a self, prefix: Prefix, entry: &'a Entry) -> FibRoute<'a> {
        let group = entry.wanted.and_then(|number| self.exits.get(number)).and_then(|exit| {
            let group = self.objects.find(exit)?;
            self.blocked.get(&group)?.contains(&prefix).then_some(group)
        });
        FibRoute {
            prefix,
            wanted: entry.wanted.and_then(|number| self.exits.get(number)).map(|exit| exit.hops()),
            observed: entry.observed.and_then(|way| self.hops_of(way)),
            failure: self
                .retries
                .get(prefix)
                .or_else(|| group.and_then(|group| self.objects.failure_of(group))),
        }
    }

    /// `None`: the object is no more, and so is the route.
    fn hops_of(&self, way: Way) -> Option<&Arc<Hops>> {
        match way.is_object() {
            true => self.objects.hops_of(way.0.get()),
            false => self.hops.get(way.0),
        }
    }

    /// The kernel has this route; `ours` if it came from this life of ours.
    fn see(&mut self, route: Route, ours: bool) {
        let Route { prefix, via, metric } = route;
        if metric != self.settings.metric {
            self.strays.insert((prefix, metric), self.round);
            return self.settle(prefix);
        }
        let way = match via {
            Via::Object(id) if self.objects.is_known(id) => {
                self.objects.used(id);
                NonZeroU32::new(id)
            }
            // Whatever this object is, it is none that we want.
            Via::Object(_) => self.hops.acquire(Hops::default()),
            Via::Hops(hops) => self.hops.acquire(hops),
        };
        let ours = ours || self.is_busy(prefix);
        let entry = self.table.get_or_default(prefix);
        entry.round = self.round;
        let before = std::mem::replace(&mut entry.observed, way.map(Way));
        if before.is_none() {
            self.observed += 1;
            if entry.wanted.is_none() && !self.swept && !ours {
                entry.adopted = true;
                self.adopted += 1;
            }
        }
        self.release(before);
        self.settle(prefix);
    }

    fn release(&mut self, way: Option<Way>) {
        match way {
            Some(way) if way.is_object() => self.objects.unused(way.0.get()),
            Some(way) => self.hops.release(way.0),
            None => {}
        }
    }

    /// A change is to be made or is being made.
    fn is_busy(&self, prefix: Prefix) -> bool {
        let urgency = self.table.get(prefix).map(|entry| entry.urgency).unwrap_or_default();
        self.dirty.contains(&(urgency, prefix)) || self.in_flight.contains_key(&prefix)
    }

    fn make_dirty(&mut self, prefix: Prefix) {
        let urgency = self.table.get(prefix).map(|entry| entry.urgency).unwrap_or_default();
        self.dirty.insert((urgency, prefix));
    }

    /// The kernel does not have this route.
    fn lose(&mut self, prefix: Prefix, metric: u32) {
        if metric != self.settings.metric {
            self.strays.remove(&(prefix, metric));
        } else if let Some(entry) = self.table.get_mut(prefix) {
            let way = entry.observed.take();
            self.observed -= usize::from(way.is_some());
            self.adopted -= usize::from(std::mem::take(&mut entry.adopted) && !self.swept);
            self.release(way);
        }
        self.settle(prefix);
    }

    /// Lines of a running dump about this route are older than what was just heard.
    fn is_newer(&mut self, prefix: Prefix, metric: u32) {
        if let Some(dump) = &mut self.dump {
            dump.newer.insert((prefix, metric));
        }
    }

    fn deleted(&mut self, prefix: Prefix, metric: u32) {
        self.retries.forgive(prefix);
        self.is_newer(prefix, metric);
        self.lose(prefix, metric);
    }

    /// Makes the prefix dirty if there is something to do, and forgets it if nothing is left of it.
    fn settle(&mut self, prefix: Prefix) {
        if !matches!(self.next_step(prefix), Step::Nothing) {
            return self.make_dirty(prefix);
        }
        let urgency = self.table.get(prefix).map(|entry| entry.urgency).unwrap_or_default();
        self.dirty.remove(&(urgency, prefix));
        if !self.in_flight.contains_key(&prefix) {
            self.retries.forgive(prefix);
        }
        let empty = |entry: &Entry| entry.wanted.is_none() && entry.observed.is_none();
        if self.table.get(prefix).is_some_and(empty) {
            self.table.remove(prefix);
        }
    }

    /// The one next step for a prefix. Strays go last, so that there is no moment without a route.
    fn next_step(&mut self, prefix: Prefix) -> Step {
        let metric = self.settings.metric;
        if let Some(Entry { wanted, observed, adopted, .. }) = self.table.get(prefix) {
            let (observed, kept) = (*observed, *adopted && !self.swept);
            let wanted = wanted.and_then(|number| self.exits.get(number)).cloned();
            match (wanted, observed) {
                (Some(exit), None) => return self.step_to(prefix, &exit, false),
                (Some(exit), Some(way)) if !self.is_fulfilled(&exit, way) => {
                    return self.step_to(prefix, &exit, true);
                }
                (None, Some(_)) if !kept => return Step::Make(Change::Delete { prefix, metric }),
                _ => {}
            }
        }
        if !self.swept {
            return Step::Nothing;
        }
        let mut strays = self.strays.range((prefix, 0)..=(prefix, u32::MAX));
        match strays.next() {
            Some((&(prefix, metric), _)) => Step::Make(Change::Delete { prefix, metric }),
            None => Step::Nothing,
        }
    }

    /// Whether a route that leads there is as wanted. Until the sweep it is enough that packets go the right way: what is
    /// still to be learned may make the rest right without a change.
    fn is_fulfilled(&mut self, exit: &Arc<Exit>, way: Way) -> bool {
        let hops = exit.hops();
        if way.is_object() && self.settings.objects {
            return self.objects.serves(way.0.get(), exit, &hops, !self.swept);
        }
        let same = self.hops_of(way).is_some_and(|observed| **observed == hops);
        same && !(self.settings.objects && self.swept)
    }

    fn step_to(&mut self, prefix: Prefix, exit: &Arc<Exit>, replaces: bool) -> Step {
        let via = match self.settings.objects {
            false => Via::Hops(exit.hops()),
            true => match self.objects.group_of(exit) {
                group if self.objects.is_there(group) => Via::Object(group),
                group => return Step::Await(group),
            },
        };
        let route = Route { prefix, via, metric: self.settings.metric };
        Step::Make(if replaces { Change::Replace(route) } else { Change::Create(route) })
    }
}

fn object_of(change: &Change) -> Option<u32> {
    match change {
        Change::Create(Route { via: Via::Object(id), .. })
        | Change::Replace(Route { via: Via::Object(id), .. }) => Some(*id),
        _ => None,
    }
}
