use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Change, Failure, Hops, Interfaces, KernelError, Observed, Route};
use crate::types::{Prefix, PrefixTable, Time};

/// Changes at the kernel at the same time: enough to keep it busy, few enough that a newer wish never waits long.
pub const WINDOW: usize = 1024;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(64);
/// Reasons to scan that come in a burst make one scan.
const SCAN_PAUSE: Duration = Duration::from_secs(1);
/// Below this many hop sets a sweep is not worth its walk.
const SMALLEST_SWEEP: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Kernel route priority of our routes.
    pub metric: u32,
    /// How long adopted routes are kept if the protocols do not converge earlier.
    pub grace: Duration,
    /// Time between two scans when there is no other reason for one.
    pub rescan: Duration,
}

/// The model. See the [module](super) for its states.
#[derive(Clone)]
pub struct Fib {
    settings: Settings,
    table: PrefixTable<Entry>,
    /// Every hop set in the table, once.
    hops: BTreeSet<Arc<Hops>>,
    sweep_hops_at: usize,
    /// Routes of ours with another metric than ours is now, from an earlier configuration; the round they were seen in.
    strays: BTreeMap<(Prefix, u32), u8>,
    /// Observed, never wanted in this life, not yet swept.
    adopted: BTreeSet<Prefix>,
    dirty: BTreeSet<Prefix>,
    in_flight: BTreeMap<Prefix, Change>,
    failures: BTreeMap<Prefix, Failure>,
    retries: BTreeSet<(Time, Prefix)>,
    interfaces: Interfaces,
    interfaces_changed: bool,
    dump: Option<Dump>,
    /// Number of the last dump, to tell what it did not show.
    round: u8,
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
    wanted: Option<Arc<Hops>>,
    observed: Option<Arc<Hops>>,
    /// The last dump that showed it, or in which we heard of it otherwise.
    round: u8,
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
}

/// What is known of one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibRoute<'a> {
    pub prefix: Prefix,
    pub wanted: Option<&'a Hops>,
    pub observed: Option<&'a Hops>,
    pub failure: Option<&'a Failure>,
}

impl Fib {
    /// A blind model that asks for its first dump at once.
    pub fn new(settings: Settings, now: Time) -> Fib {
        Fib {
            settings,
            table: PrefixTable::new(),
            hops: BTreeSet::new(),
            sweep_hops_at: SMALLEST_SWEEP,
            strays: BTreeMap::new(),
            adopted: BTreeSet::new(),
            dirty: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            failures: BTreeMap::new(),
            retries: BTreeSet::new(),
            interfaces: Interfaces::default(),
            interfaces_changed: false,
            dump: None,
            round: 0,
            ready: false,
            swept: false,
            sweep_at: now + settings.grace,
            scan: Scan::Due,
            wanted: 0,
            observed: 0,
        }
    }

    /// The route to `prefix` is to have these hops; none, or empty ones: there is to be no route of ours.
    pub fn want(&mut self, prefix: Prefix, hops: Option<Hops>) {
        let hops = hops.filter(|hops| !hops.is_empty()).map(|hops| self.intern(hops));
        if hops.is_none() && self.table.get(prefix).is_none() {
            return;
        }
        let entry = self.table.get_or_default(prefix);
        if entry.wanted == hops {
            return;
        }
        self.wanted -= usize::from(entry.wanted.is_some());
        self.wanted += usize::from(hops.is_some());
        entry.wanted = hops;
        self.adopted.remove(&prefix);
        self.forgive(prefix);
        self.settle(prefix);
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
            Observed::DumpBegun => {
                self.dump = Some(Dump::default());
                self.round = self.round.wrapping_add(1);
            }
            Observed::DumpDone => self.finish_dump(now),
            Observed::Lost => self.request_scan(now),
            Observed::Link { .. }
            | Observed::LinkGone { .. }
            | Observed::Address { .. }
            | Observed::AddressGone { .. } => self.observe_interface(&observed, now),
        }
    }

    /// Up to `limit` changes to be made now. They count as in flight until [`Fib::applied`].
    pub fn poll(&mut self, limit: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        if !self.ready {
            return changes;
        }
        while changes.len() < limit && self.in_flight.len() < WINDOW {
            let Some(prefix) = self.dirty.pop_first() else { break };
            // The answer, or the end of the wait, makes it dirty again.
            if self.in_flight.contains_key(&prefix) || self.is_waiting(prefix) {
                continue;
            }
            if let Some(change) = self.next_change(prefix) {
                self.in_flight.insert(prefix, change.clone());
                changes.push(change);
            }
        }
        changes
    }

    /// The kernel's answer to the change in flight for `prefix`. Every change must be answered; one that got lost,
    /// for example with its socket, by an error.
    pub fn applied(&mut self, prefix: Prefix, result: Result<(), KernelError>, now: Time) {
        let Some(change) = self.in_flight.remove(&prefix) else { return };
        match (change, result) {
            (Change::Create(route) | Change::Replace(route), Ok(())) => {
                self.forgive(prefix);
                self.is_newer(prefix, route.metric);
                self.see(route, true);
            }
            (Change::Delete { metric, .. }, Ok(())) => self.deleted(prefix, metric),
            (Change::Delete { metric, .. }, Err(error)) if error.is_missing() => {
                self.deleted(prefix, metric);
            }
            (Change::Replace(route), Err(error)) if error.is_missing() => {
                self.lose(prefix, route.metric);
            }
            (change, Err(error)) => {
                if matches!(change, Change::Create(_)) && error.is_taken() {
                    self.request_scan(now);
                }
                self.fail(prefix, error, now);
            }
        }
        self.settle(prefix);
    }

    /// Fires what is due: retries, the end of the grace time, the safety-net scan.
    pub fn tick(&mut self, now: Time) {
        while let Some(&(at, prefix)) = self.retries.first() {
            if at > now {
                break;
            }
            self.retries.pop_first();
            self.dirty.insert(prefix);
        }
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
        let retry = self.retries.first().map(|(at, _)| *at);
        let sweep = (!self.swept).then_some(self.sweep_at);
        let scan = match self.scan {
            Scan::At(at) => Some(at),
            Scan::Due | Scan::Running { .. } => None,
        };
        [retry, sweep, scan].into_iter().flatten().min()
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
        self.swept = true;
        self.dirty.append(&mut self.adopted);
        self.dirty.extend(self.strays.keys().map(|(prefix, _)| *prefix));
    }

    /// Wants nothing any more, adopted routes included: for an exit that withdraws.
    pub fn withdraw_all(&mut self) {
        let wanted: Vec<Prefix> = self.table.iter().map(|(prefix, _)| prefix).collect();
        for prefix in wanted {
            self.want(prefix, None);
        }
        self.sweep();
    }

    /// The first dump is complete.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Nothing is to be done or being done, though routes may have failed.
    pub fn is_settled(&self) -> bool {
        self.ready && self.dirty.is_empty() && self.in_flight.is_empty()
    }

    pub fn totals(&self) -> Totals {
        Totals {
            wanted: self.wanted,
            observed: self.observed,
            pending: self.dirty.len() + self.in_flight.len(),
            failed: self.failures.len(),
            adopted: self.adopted.len(),
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

    fn view<'a>(&'a self, prefix: Prefix, entry: &'a Entry) -> FibRoute<'a> {
        FibRoute {
            prefix,
            wanted: entry.wanted.as_deref(),
            observed: entry.observed.as_deref(),
            failure: self.failures.get(&prefix),
        }
    }

    /// The kernel has this route; `ours` if it came from this life of ours.
    fn see(&mut self, route: Route, ours: bool) {
        let Route { prefix, hops, metric } = route;
        if metric != self.settings.metric {
            self.strays.insert((prefix, metric), self.round);
            return self.settle(prefix);
        }
        let hops = self.intern(hops);
        let ours = ours || self.dirty.contains(&prefix) || self.in_flight.contains_key(&prefix);
        let entry = self.table.get_or_default(prefix);
        entry.round = self.round;
        if entry.observed.replace(hops).is_none() {
            self.observed += 1;
            if entry.wanted.is_none() && !self.swept && !ours {
                self.adopted.insert(prefix);
            }
        }
        self.settle(prefix);
    }

    /// The kernel does not have this route.
    fn lose(&mut self, prefix: Prefix, metric: u32) {
        if metric != self.settings.metric {
            self.strays.remove(&(prefix, metric));
        } else if let Some(entry) = self.table.get_mut(prefix) {
            self.observed -= usize::from(entry.observed.take().is_some());
            self.adopted.remove(&prefix);
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
        self.forgive(prefix);
        self.is_newer(prefix, metric);
        self.lose(prefix, metric);
    }

    /// Makes the prefix dirty if there is something to do, and forgets it if nothing is left of it.
    fn settle(&mut self, prefix: Prefix) {
        if self.next_change(prefix).is_some() {
            self.dirty.insert(prefix);
            return;
        }
        self.dirty.remove(&prefix);
        if !self.in_flight.contains_key(&prefix) {
            self.forgive(prefix);
        }
        let empty = |entry: &Entry| entry.wanted.is_none() && entry.observed.is_none();
        if self.table.get(prefix).is_some_and(empty) {
            self.table.remove(prefix);
        }
    }

    /// The one next step for a prefix. Strays go last, so that there is no moment without a route.
    fn next_change(&self, prefix: Prefix) -> Option<Change> {
        let metric = self.settings.metric;
        let route = |hops: &Arc<Hops>| Route { prefix, hops: Hops::clone(hops), metric };
        let entry = self.table.get(prefix);
        match entry.map(|entry| (&entry.wanted, &entry.observed)) {
            Some((Some(wanted), None)) => return Some(Change::Create(route(wanted))),
            Some((Some(wanted), Some(observed))) if wanted != observed => {
                return Some(Change::Replace(route(wanted)));
            }
            Some((None, Some(_))) if !self.adopted.contains(&prefix) => {
                return Some(Change::Delete { prefix, metric });
            }
            _ => {}
        }
        let mut strays = self.strays.range((prefix, 0)..=(prefix, u32::MAX));
        let (&(prefix, metric), _) = strays.next().filter(|_| self.swept)?;
        Some(Change::Delete { prefix, metric })
    }

    fn fail(&mut self, prefix: Prefix, error: KernelError, now: Time) {
        let attempts = self.failures.get(&prefix).map_or(1, |failure| failure.attempts + 1);
        let wait = FIRST_RETRY.saturating_mul(1 << (attempts - 1).min(31)).min(LAST_RETRY);
        let retry_at = now + wait;
        self.retries.insert((retry_at, prefix));
        self.failures.insert(prefix, Failure { error, attempts, retry_at });
    }

    /// Ends the wait of a prefix and forgets its failures.
    fn forgive(&mut self, prefix: Prefix) {
        if let Some(failure) = self.failures.remove(&prefix) {
            self.retries.remove(&(failure.retry_at, prefix));
        }
    }

    fn is_waiting(&self, prefix: Prefix) -> bool {
        let failure = self.failures.get(&prefix);
        failure.is_some_and(|failure| self.retries.contains(&(failure.retry_at, prefix)))
    }

    fn observe_interface(&mut self, observed: &Observed, now: Time) {
        if let Some(dump) = &mut self.dump {
            dump.interfaces.observe(observed);
        }
        if !self.interfaces.observe(observed) {
            return;
        }
        self.interfaces_have_changed();
        match observed {
            Observed::Link { up: true, .. } | Observed::Address { .. } => {}
            // The kernel may have dropped routes over it without telling.
            _ => self.request_scan(now),
        }
    }

    /// What failed may work now.
    fn interfaces_have_changed(&mut self) {
        self.interfaces_changed = true;
        let waiting = std::mem::take(&mut self.retries);
        self.dirty.extend(waiting.into_iter().map(|(_, prefix)| prefix));
    }

    fn finish_dump(&mut self, now: Time) {
        let Some(dump) = self.dump.take() else { return };
        if self.interfaces != dump.interfaces {
            self.interfaces = dump.interfaces;
            self.interfaces_have_changed();
        }
        let round = self.round;
        let gone = |entry: &Entry| entry.observed.is_some() && entry.round != round;
        let routes = self.table.iter().filter(|(_, entry)| gone(entry));
        let routes = routes.map(|(prefix, _)| (prefix, self.settings.metric));
        let strays = self.strays.iter().filter(|(_, seen)| **seen != round).map(|(key, _)| *key);
        let lost: Vec<(Prefix, u32)> = routes.chain(strays).collect();
        for (prefix, metric) in lost {
            self.lose(prefix, metric);
        }
        self.ready = true;
        let pause = match self.scan {
            Scan::Running { again: true } => SCAN_PAUSE,
            _ => self.settings.rescan,
        };
        self.scan = Scan::At(now + pause);
    }

    fn request_scan(&mut self, now: Time) {
        self.scan = match self.scan {
            Scan::At(at) => Scan::At(at.min(now + SCAN_PAUSE)),
            Scan::Due => Scan::Due,
            Scan::Running { .. } => Scan::Running { again: true },
        };
    }

    fn intern(&mut self, hops: Hops) -> Arc<Hops> {
        if let Some(known) = self.hops.get(&hops) {
            return Arc::clone(known);
        }
        if self.hops.len() >= self.sweep_hops_at {
            self.hops.retain(|hops| Arc::strong_count(hops) > 1);
            self.sweep_hops_at = SMALLEST_SWEEP.max(self.hops.len() * 2);
        }
        let shared = Arc::new(hops);
        self.hops.insert(Arc::clone(&shared));
        shared
    }
}
