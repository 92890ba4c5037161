use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::changes::Changes;
use super::intern::Interner;
use super::next_hops::NextHops;
use super::review::{Review, Wanted};
use super::{Connected, Distances, IgpRoute, Source, SourceId};
use crate::types::{Family, Prefix, PrefixTable};
use crate::wire::bgp::{Attributes, NextHop};

/// All paths of all prefixes, and beside them the routes of the interior protocol.
#[derive(Clone)]
pub struct Rib {
    pub(super) sources: BTreeMap<SourceId, Known>,
    pub(super) table: PrefixTable<Paths>,
    pub(super) igp: PrefixTable<IgpRoute>,
    pub(super) distances: Distances,
    /// What we announce into the area of the interior protocol: packets for it end here.
    pub(super) own_in_igp: BTreeSet<Prefix>,
    sets: Interner,
    pub(super) next_hops: NextHops,
    changed: Changes,
    pub(super) review: Review,
}

/// The paths of a prefix in the order of their sources, never none.
pub(super) type Paths = SmallVec<[Stored; 1]>;

#[derive(Clone)]
pub(super) struct Stored {
    pub attributes: Arc<Attributes>,
    pub source: SourceId,
    /// The source's epoch when the path was last heard.
    pub epoch: u16,
    /// Whether it may win.
    pub eligible: bool,
}

/// A source and its account per family.
#[derive(Clone)]
pub(super) struct Known {
    pub source: Source,
    accounts: [Account; 2],
}

/// The paths of a source in one family, by the epoch they were last heard in.
#[derive(Clone, Copy, Default)]
struct Account {
    /// Paths that there are.
    routes: usize,
    /// Of them, those of an older epoch.
    stale: usize,
    /// Of each of both, those that may not win.
    ineligible: usize,
    ineligible_stale: usize,
    epoch: u16,
    /// Paths of epochs before this one are gone: nobody sees them, and a review takes them out of the table.
    oldest: u16,
}

impl Known {
    /// Whether the path is there, or only waits to be taken out.
    pub fn has(&self, family: Family, path: &Stored) -> bool {
        self.accounts[index(family)].has(path.epoch)
    }

    pub fn is_stale(&self, family: Family, path: &Stored) -> bool {
        path.epoch != self.accounts[index(family)].epoch
    }
}

impl Account {
    /// Epochs go round; a review takes far less than half a round.
    fn has(&self, epoch: u16) -> bool {
        epoch.wrapping_sub(self.oldest) <= u16::MAX / 2
    }

    /// This path is no longer there.
    fn lose(&mut self, path: &Stored) {
        if self.has(path.epoch) {
            let stale = usize::from(path.epoch != self.epoch);
            self.routes -= 1;
            self.stale -= stale;
            if !path.eligible {
                self.ineligible -= 1;
                self.ineligible_stale -= stale;
            }
        }
    }

    /// A path that is there is eligible, or not; whether that is new.
    fn judge(&mut self, path: &mut Stored, eligible: bool) -> bool {
        let was = std::mem::replace(&mut path.eligible, eligible);
        let stale = usize::from(path.epoch != self.epoch);
        match (was, eligible) {
            (false, true) => {
                self.ineligible -= 1;
                self.ineligible_stale -= stale;
            }
            (true, false) => {
                self.ineligible += 1;
                self.ineligible_stale += stale;
            }
            _ => {}
        }
        was != eligible
    }

    /// A path of this epoch is there.
    fn gain(&mut self, eligible: bool) {
        self.routes += 1;
        self.ineligible += usize::from(!eligible);
    }
}

impl Rib {
    /// An empty RIB that knows [`SourceId::LOCAL`] and no connected network.
    pub fn new() -> Rib {
        let mut rib = Rib {
            sources: BTreeMap::new(),
            table: PrefixTable::new(),
            igp: PrefixTable::new(),
            distances: Distances::default(),
            own_in_igp: BTreeSet::new(),
            sets: Interner::new(),
            next_hops: NextHops::default(),
            changed: Changes::default(),
            review: Review::default(),
        };
        rib.add_source(SourceId::LOCAL, Source::local());
        rib
    }

    /// Makes a source known, or changes what is known of it. Its paths stay; those that a change touches are
    /// marked as changed.
    pub fn add_source(&mut self, id: SourceId, source: Source) {
        match self.sources.get_mut(&id) {
            Some(known) if known.source == source => {}
            Some(known) => {
                known.source = source;
                self.review.want(Wanted::of_source(id));
            }
            None => {
                self.sources.insert(id, Known { source, accounts: [Account::default(); 2] });
            }
        }
    }

    /// What the source has comes out of [`Rib::take_changes`] once more, in portions.
    pub fn reconsider(&mut self, id: SourceId) {
        self.review.want(Wanted::of_source(id));
    }

    /// Forgets the source with its paths.
    pub fn remove_source(&mut self, id: SourceId) {
        self.clear(id);
        self.sources.remove(&id);
    }

    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(&id).map(|known| &known.source)
    }

    /// The shared set equal to `attributes`. What is learned and what is announced comes from here, so that equal
    /// sets are one allocation and compare by address.
    pub fn intern(&mut self, attributes: Attributes) -> Arc<Attributes> {
        if self.sets.is_due() {
            self.sets.sweep();
            let used: BTreeSet<NextHop> = self.sets.iter().map(|set| set.next_hop).collect();
            self.next_hops.retain(&used);
        }
        let (set, new) = self.sets.intern(attributes);
        if new {
            self.next_hops.add(set.next_hop, &self.igp);
        }
        set
    }

    /// The source has this path to `prefix` now, in place of an earlier one. A source that was not
    /// added is ignored.
    pub fn learn(&mut self, id: SourceId, prefix: Prefix, attributes: Arc<Attributes>) {
        self.learn_if(true, id, prefix, attributes);
    }

    /// The same, of a path that can only win if it is `eligible`.
    pub fn learn_if(
        &mut self,
        eligible: bool,
        id: SourceId,
        prefix: Prefix,
        attributes: Arc<Attributes>,
    ) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        let account = &mut known.accounts[index(prefix.family())];
        let epoch = account.epoch;
        let paths = self.table.get_or_default(prefix);
        match find(paths, id) {
            Ok(at) => {
                let Some(path) = paths.get_mut(at) else { return };
                let is_there = account.has(path.epoch);
                account.lose(path);
                account.gain(eligible);
                path.epoch = epoch;
                let as_before = std::mem::replace(&mut path.eligible, eligible) == eligible;
                if is_there && as_before && same(&path.attributes, &attributes) {
                    return;
                }
                path.attributes = attributes;
            }
            Err(at) => {
                account.gain(eligible);
                paths.insert(at, Stored { attributes, source: id, epoch, eligible });
            }
        }
        self.changed.push(prefix);
    }

    /// Asks of each path to `prefix` anew whether it is eligible; the last argument is whether it is now.
    pub fn judge(
        &mut self,
        prefix: Prefix,
        mut is_eligible: impl FnMut(SourceId, &Attributes, bool) -> bool,
    ) {
        let Some(paths) = self.table.get_mut(prefix) else { return };
        let mut changed = false;
        for path in paths {
            let Some(known) = self.sources.get_mut(&path.source) else { continue };
            if !known.has(prefix.family(), path) {
                continue;
            }
            let eligible = is_eligible(path.source, &path.attributes, path.eligible);
            changed |= known.accounts[index(prefix.family())].judge(path, eligible);
        }
        if changed {
            self.changed.push(prefix);
        }
    }

    /// The set of the path that the source has to `prefix`.
    pub fn set_of(&self, id: SourceId, prefix: Prefix) -> Option<&Arc<Attributes>> {
        let paths = self.table.get(prefix)?;
        let path = paths.get(find(paths, id).ok()?)?;
        let known = self.sources.get(&id)?;
        known.has(prefix.family(), path).then_some(&path.attributes)
    }

    /// Gives that path another set, and says whether it is eligible. Unlike with [`Rib::learn`] it is not heard anew.
    pub fn revise(
        &mut self,
        eligible: bool,
        id: SourceId,
        prefix: Prefix,
        attributes: Arc<Attributes>,
    ) {
        let Some(paths) = self.table.get_mut(prefix) else { return };
        let Ok(at) = find(paths, id) else { return };
        let (Some(path), Some(known)) = (paths.get_mut(at), self.sources.get_mut(&id)) else {
            return;
        };
        if !known.has(prefix.family(), path) {
            return;
        }
        let judged = known.accounts[index(prefix.family())].judge(path, eligible);
        if judged || !same(&path.attributes, &attributes) {
            path.attributes = attributes;
            self.changed.push(prefix);
        }
    }

    /// The paths of a prefix if we announced it, or did not.
    pub(super) fn paths_if(&self, prefix: Prefix, announced: bool) -> Paths {
        let mut paths = self.table.get(prefix).cloned().unwrap_or_default();
        match (find(&paths, SourceId::LOCAL), announced) {
            (Ok(at), false) => {
                paths.remove(at);
            }
            (Err(at), true) => {
                let known = self.sources.get(&SourceId::LOCAL);
                let epoch = known.map_or(0, |known| known.accounts[index(prefix.family())].epoch);
                let next_hop = NextHop::from(std::net::IpAddr::from([0, 0, 0, 0]));
                let attributes = Arc::new(Attributes::originated(next_hop));
                let source = SourceId::LOCAL;
                paths.insert(at, Stored { attributes, source, epoch, eligible: true });
            }
            _ => {}
        }
        paths
    }

    /// The source has no path to `prefix` any more.
    pub fn forget(&mut self, id: SourceId, prefix: Prefix) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        let Some(paths) = self.table.get_mut(prefix) else { return };
        let Ok(at) = find(paths, id) else { return };
        let path = paths.remove(at);
        known.accounts[index(prefix.family())].lose(&path);
        match paths.is_empty() {
            true => drop(self.table.remove(prefix)),
            false => paths.shrink_to_fit(),
        }
        self.changed.push(prefix);
    }

    /// Forgets all paths of the source; the source stays. They are gone at once, and come out of [`Rib::take_changes`] in
    /// portions.
    pub fn clear(&mut self, id: SourceId) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        for account in &mut known.accounts {
            let epoch = account.epoch.wrapping_add(1);
            if account.routes > 0 {
                self.review.want(Wanted::GONE);
            }
            *account = Account { epoch, oldest: epoch, ..Account::default() };
        }
    }

    /// Forgets the paths of the source to prefixes that `keep` refuses.
    pub fn retain(&mut self, id: SourceId, keep: impl Fn(Prefix) -> bool) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        let changed = &mut self.changed;
        self.table.retain(|prefix, paths| {
            if let Ok(at) = find(paths, id)
                && !keep(prefix)
            {
                let path = paths.remove(at);
                paths.shrink_to_fit();
                known.accounts[index(prefix.family())].lose(&path);
                changed.push(prefix);
            }
            !paths.is_empty()
        });
    }

    /// All paths that the source has in the family now are stale until they are heard again. Those
    /// that were stale already stay so: where they must go (RFC 4724 §4.2), sweep first.
    pub fn mark_stale(&mut self, id: SourceId, family: Family) {
        if let Some(known) = self.sources.get_mut(&id) {
            let account = &mut known.accounts[index(family)];
            account.epoch = account.epoch.wrapping_add(1);
            account.stale = account.routes;
            account.ineligible_stale = account.ineligible;
        }
    }

    /// Forgets the source's paths that are still stale, as [`Rib::clear`] does. Their number.
    pub fn sweep_stale(&mut self, id: SourceId, family: Family) -> usize {
        let Some(known) = self.sources.get_mut(&id) else { return 0 };
        let account = &mut known.accounts[index(family)];
        let removed = std::mem::take(&mut account.stale);
        account.routes -= removed;
        account.ineligible -= std::mem::take(&mut account.ineligible_stale);
        account.oldest = account.epoch;
        if removed > 0 {
            self.review.want(Wanted::GONE);
        }
        removed
    }

    /// Paths of one source in one family.
    pub fn count(&self, id: SourceId, family: Family) -> usize {
        self.sources.get(&id).map_or(0, |known| known.accounts[index(family)].routes)
    }

    /// Of them, those that cannot win.
    pub fn count_ineligible(&self, id: SourceId, family: Family) -> usize {
        self.sources.get(&id).map_or(0, |known| known.accounts[index(family)].ineligible)
    }

    /// Prefixes of one family with at least one path, those included that a review will find gone.
    pub fn len(&self, family: Family) -> usize {
        self.table.len(family)
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Interned attribute sets, those not yet swept included.
    pub fn attribute_sets(&self) -> usize {
        self.sets.len()
    }

    /// The interior protocol has this route to `prefix` now, or none. Its order with BGP's winner is that of the
    /// [`Distances`].
    pub fn set_igp(&mut self, prefix: Prefix, route: Option<IgpRoute>) {
        if self.igp.get(prefix) == route.as_ref() {
            return;
        }
        match route {
            Some(route) => self.igp.insert(prefix, route),
            None => self.igp.remove(prefix),
        };
        self.changed.push(prefix);
        if !prefix.is_default() {
            self.next_hops.resolve_within(prefix, &self.igp);
        }
    }

    /// We announce the prefix into the area of the interior protocol, or no longer. As long as we do, packets for it
    /// end here. What we announce to BGP neighbours only may well be somewhere in the area.
    pub fn set_own_in_igp(&mut self, prefix: Prefix, own: bool) {
        let changed = match own {
            true => self.own_in_igp.insert(prefix),
            false => self.own_in_igp.remove(&prefix),
        };
        if changed {
            self.changed.push(prefix);
        }
    }

    /// Forgets all routes of the interior protocol.
    pub fn clear_igp(&mut self) {
        self.changed.extend(self.igp.iter().map(|(prefix, _)| prefix));
        self.igp.clear();
        self.next_hops.resolve_all(&self.igp);
    }

    pub fn set_distances(&mut self, distances: Distances) {
        if self.distances != distances {
            self.distances = distances;
            let contested = self.igp.iter().filter(|(prefix, _)| self.table.get(*prefix).is_some());
            self.changed.extend(contested.map(|(prefix, _)| prefix));
        }
    }

    /// Links or addresses have changed: next hops resolve anew.
    pub fn set_connected(&mut self, connected: Connected) {
        self.next_hops.set_connected(connected, &self.igp);
    }

    /// Up to `limit` prefixes whose best path or next hops may have changed since they were last taken; a prefix can come
    /// twice. None may come although there are more: a call looks at a bounded number of routes.
    pub fn take_changes(&mut self, limit: usize) -> Vec<Prefix> {
        if self.next_hops.have_moved() {
            self.review.want(Wanted::behind(self.next_hops.take_moved()));
        }
        let mut taken = self.changed.take(limit);
        if taken.len() < limit {
            self.review.proceed(&mut self.table, &self.sources, limit, &mut taken);
        }
        taken
    }

    /// The prefix comes out of [`Rib::take_changes`] again: what decides over it beside its paths has changed.
    pub fn look_again(&mut self, prefix: Prefix) {
        self.changed.push(prefix);
    }

    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || self.is_reviewing() || self.next_hops.have_moved()
    }

    /// Whether the table is being gone through for what a source has lost, or for next hops that moved.
    pub fn is_reviewing(&self) -> bool {
        self.review.is_wanted()
    }
}

impl Default for Rib {
    fn default() -> Self {
        Rib::new()
    }
}

fn find(paths: &Paths, id: SourceId) -> Result<usize, usize> {
    paths.binary_search_by_key(&id, |path| path.source)
}

/// Interned sets are mostly the same allocation.
pub(super) fn same(one: &Arc<Attributes>, other: &Arc<Attributes>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

pub(super) fn index(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}
