use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::intern::Interner;
use super::rank::Rank;
use super::{Connected, Reason, Resolved, Source, SourceId, SourceKind, Unusable};
use crate::types::{Family, Prefix, PrefixTable};
use crate::wire::bgp::{Attributes, NextHop};

/// All paths of all prefixes.
#[derive(Clone)]
pub struct Rib {
    sources: BTreeMap<SourceId, Known>,
    table: PrefixTable<Paths>,
    sets: Interner,
    connected: Connected,
    /// The next hops of interned sets, resolved.
    hops: BTreeMap<NextHop, Result<Resolved, Unusable>>,
    changed: BTreeSet<Prefix>,
}

/// The paths of a prefix in the order of their sources, never none.
type Paths = SmallVec<[Stored; 1]>;

#[derive(Clone)]
struct Stored {
    attributes: Arc<Attributes>,
    source: SourceId,
    /// The source's epoch when the path was last heard.
    epoch: u32,
}

/// A source and its account per family.
#[derive(Clone)]
struct Known {
    source: Source,
    routes: [usize; 2],
    /// Paths of an older epoch are stale.
    epoch: [u32; 2],
    /// Whether there can be stale paths.
    marked: [bool; 2],
}

/// One path of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    pub source: SourceId,
    pub attributes: &'a Arc<Attributes>,
    /// Not heard again since its source was marked stale (RFC 4724 §4.2, RFC 7313 §4).
    pub stale: bool,
    /// Where its packets go; `None` for our own announcement.
    pub hop: Result<Option<Resolved>, Unusable>,
}

/// A path and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub path: Path<'a>,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Best,
    /// As good as the best one by all that counts; shares the traffic.
    Multipath,
    /// `against` is the source of the best path.
    Lost {
        reason: Reason,
        against: SourceId,
    },
    Unusable(Unusable),
}

impl Rib {
    /// An empty RIB that knows [`SourceId::LOCAL`] and no connected network.
    pub fn new() -> Rib {
        let mut rib = Rib {
            sources: BTreeMap::new(),
            table: PrefixTable::new(),
            sets: Interner::new(),
            connected: Connected::default(),
            hops: BTreeMap::new(),
            changed: BTreeSet::new(),
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
                let touched = self.table.iter().filter(|(_, paths)| find(paths, id).is_ok());
                self.changed.extend(touched.map(|(prefix, _)| prefix));
            }
            None => {
                let known = Known { source, routes: [0; 2], epoch: [0; 2], marked: [false; 2] };
                self.sources.insert(id, known);
            }
        }
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
            self.hops.retain(|next_hop, _| used.contains(next_hop));
        }
        let (set, new) = self.sets.intern(attributes);
        if new {
            let connected = &self.connected;
            self.hops.entry(set.next_hop).or_insert_with(|| connected.resolve(&set.next_hop));
        }
        set
    }

    /// The source has this path to `prefix` now, in place of an earlier one. A source that was not
    /// added is ignored.
    pub fn learn(&mut self, id: SourceId, prefix: Prefix, attributes: Arc<Attributes>) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        let family = index(prefix.family());
        let epoch = known.epoch[family];
        let paths = self.table.get_or_default(prefix);
        match find(paths, id) {
            Ok(at) => {
                let Some(path) = paths.get_mut(at) else { return };
                path.epoch = epoch;
                if same(&path.attributes, &attributes) {
                    return;
                }
                path.attributes = attributes;
            }
            Err(at) => {
                known.routes[family] += 1;
                paths.insert(at, Stored { attributes, source: id, epoch });
            }
        }
        self.changed.insert(prefix);
    }

    /// The source has no path to `prefix` any more.
    pub fn forget(&mut self, id: SourceId, prefix: Prefix) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        let Some(paths) = self.table.get_mut(prefix) else { return };
        let Ok(at) = find(paths, id) else { return };
        paths.remove(at);
        known.routes[index(prefix.family())] -= 1;
        if paths.is_empty() {
            self.table.remove(prefix);
        }
        self.changed.insert(prefix);
    }

    /// Forgets all paths of the source; the source stays.
    pub fn clear(&mut self, id: SourceId) {
        let Some(known) = self.sources.get_mut(&id) else { return };
        known.marked = [false; 2];
        if known.routes != [0; 2] {
            known.routes = [0; 2];
            self.remove_paths(|_, path| path.source == id);
        }
    }

    /// Forgets the paths of the source to prefixes that `keep` refuses.
    pub fn retain(&mut self, id: SourceId, keep: impl Fn(Prefix) -> bool) {
        for family in Family::ALL {
            let removed = self.remove_paths(|prefix, path| {
                path.source == id && prefix.family() == family && !keep(prefix)
            });
            if let Some(known) = self.sources.get_mut(&id) {
                known.routes[index(family)] -= removed;
            }
        }
    }

    /// All paths that the source has in the family now are stale until they are heard again. Those
    /// that were stale already stay so: where they must go (RFC 4724 §4.2), sweep first.
    pub fn mark_stale(&mut self, id: SourceId, family: Family) {
        if let Some(known) = self.sources.get_mut(&id) {
            known.epoch[index(family)] = known.epoch[index(family)].wrapping_add(1);
            known.marked[index(family)] = known.routes[index(family)] > 0;
        }
    }

    /// Forgets the source's paths that are still stale. Their number.
    pub fn sweep_stale(&mut self, id: SourceId, family: Family) -> usize {
        let Some(known) = self.sources.get_mut(&id) else { return 0 };
        if !std::mem::take(&mut known.marked[index(family)]) {
            return 0;
        }
        let epoch = known.epoch[index(family)];
        let removed = self.remove_paths(|prefix, path| {
            path.source == id && path.epoch != epoch && prefix.family() == family
        });
        if let Some(known) = self.sources.get_mut(&id) {
            known.routes[index(family)] -= removed;
        }
        removed
    }

    /// Paths of one source in one family.
    pub fn count(&self, id: SourceId, family: Family) -> usize {
        self.sources.get(&id).map_or(0, |known| known.routes[index(family)])
    }

    /// Prefixes of one family with at least one path.
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

    /// Links or addresses have changed: next hops resolve anew, and prefixes with a next hop that
    /// now resolves differently are marked as changed.
    pub fn set_connected(&mut self, connected: Connected) {
        self.connected = connected;
        let mut moved = BTreeSet::new();
        for (next_hop, hop) in &mut self.hops {
            let now = self.connected.resolve(next_hop);
            if *hop != now {
                *hop = now;
                moved.insert(*next_hop);
            }
        }
        if moved.is_empty() {
            return;
        }
        for (prefix, paths) in self.table.iter() {
            if paths.iter().any(|path| moved.contains(&path.attributes.next_hop)) {
                self.changed.insert(prefix);
            }
        }
    }

    /// Where packets to a next hop go.
    pub fn next_hop(&self, next_hop: &NextHop) -> Result<Resolved, Unusable> {
        match self.hops.get(next_hop) {
            Some(hop) => *hop,
            None => self.connected.resolve(next_hop),
        }
    }

    /// Up to `limit` prefixes whose best path or multipath set may have changed since they were last taken, in
    /// order.
    pub fn take_changes(&mut self, limit: usize) -> Vec<Prefix> {
        let mut taken = Vec::with_capacity(limit.min(self.changed.len()));
        while taken.len() < limit {
            let Some(prefix) = self.changed.pop_first() else { break };
            taken.push(prefix);
        }
        taken
    }

    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The best usable path.
    pub fn best(&self, prefix: Prefix) -> Option<Path<'_>> {
        self.best_of(prefix, self.table.get(prefix)?)
    }

    /// The paths that share the traffic, at most `max`: the best one, then those of equal cost over other next
    /// hops, by rank.
    pub fn multipath(&self, prefix: Prefix, max: usize) -> SmallVec<[Path<'_>; 4]> {
        let mut shares = SmallVec::new();
        let Some(paths) = self.table.get(prefix) else { return shares };
        if paths.len() == 1 {
            shares.extend(self.best_of(prefix, paths).filter(|_| max > 0));
            return shares;
        }
        let ranked = self.ranked(prefix, paths);
        let Some((best, _)) = ranked.first().filter(|(rank, _)| !rank.unusable) else {
            return shares;
        };
        for (rank, path) in &ranked {
            if shares.len() < max && joins(rank, path, best, &shares) {
                shares.push(*path);
            }
        }
        shares
    }

    /// Every path of the prefix, the best one first, each with what became of it. `max_paths` is
    /// the limit of [`Rib::multipath`].
    pub fn candidates(&self, prefix: Prefix, max_paths: usize) -> Vec<Candidate<'_>> {
        let Some(paths) = self.table.get(prefix) else { return Vec::new() };
        let ranked = self.ranked(prefix, paths);
        let Some((best, first)) = ranked.first() else { return Vec::new() };
        let mut shares: SmallVec<[Path<'_>; 4]> = SmallVec::new();
        let mut candidates = Vec::with_capacity(ranked.len());
        for (rank, path) in &ranked {
            let standing = match path.hop {
                Err(why) => Standing::Unusable(why),
                Ok(_) if shares.is_empty() => Standing::Best,
                Ok(_) if shares.len() < max_paths && joins(rank, path, best, &shares) => {
                    Standing::Multipath
                }
                Ok(_) => Standing::Lost { reason: rank.worse_by(best), against: first.source },
            };
            if matches!(standing, Standing::Best | Standing::Multipath) {
                shares.push(*path);
            }
            candidates.push(Candidate { path: *path, standing });
        }
        candidates
    }

    /// The longest prefix with a usable path that holds `address`, and its best path.
    pub fn longest_match(&self, address: IpAddr) -> Option<(Prefix, Path<'_>)> {
        let covering: SmallVec<[(Prefix, &Paths); 8]> = self.table.covering(address).collect();
        let longest_first = covering.into_iter().rev();
        longest_first
            .filter_map(|(prefix, paths)| Some((prefix, self.best_of(prefix, paths)?)))
            .next()
    }

    /// Up to `limit` prefixes behind `after`, in order: a walk in portions, between which anything may change.
    pub fn page(&self, after: Option<Prefix>, limit: usize) -> Vec<Prefix> {
        self.table.iter_after(after).take(limit).map(|(prefix, _)| prefix).collect()
    }

    /// Takes out the paths that `gone` names, marks their prefixes; the number of paths.
    fn remove_paths(&mut self, gone: impl Fn(Prefix, &Stored) -> bool) -> usize {
        let mut removed = 0;
        let changed = &mut self.changed;
        self.table.retain(|prefix, paths| {
            let before = paths.len();
            paths.retain(|path| !gone(prefix, path));
            if paths.len() != before {
                removed += before - paths.len();
                changed.insert(prefix);
            }
            !paths.is_empty()
        });
        removed
    }

    fn best_of<'a>(&'a self, prefix: Prefix, paths: &'a Paths) -> Option<Path<'a>> {
        if let [only] = paths.as_slice() {
            let (_, path) = self.path(prefix, only)?;
            return path.hop.is_ok().then_some(path);
        }
        let ranked = paths.iter().filter_map(|stored| self.rank(prefix, stored));
        let (_, path) = ranked.filter(|(rank, _)| !rank.unusable).min_by_key(|(rank, _)| *rank)?;
        Some(path)
    }

    /// All paths, best first.
    fn ranked<'a>(&'a self, prefix: Prefix, paths: &'a Paths) -> SmallVec<[(Rank, Path<'a>); 4]> {
        let mut ranked: SmallVec<[(Rank, Path<'a>); 4]> =
            paths.iter().filter_map(|stored| self.rank(prefix, stored)).collect();
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        ranked
    }

    fn rank<'a>(&self, prefix: Prefix, stored: &'a Stored) -> Option<(Rank, Path<'a>)> {
        let (source, path) = self.path(prefix, stored)?;
        Some((Rank::new(path.hop.is_ok(), path.attributes, path.source, source), path))
    }

    fn path<'a>(&self, prefix: Prefix, stored: &'a Stored) -> Option<(&Source, Path<'a>)> {
        let known = self.sources.get(&stored.source)?;
        let hop = match known.source.kind {
            SourceKind::Local => Ok(None),
            SourceKind::Ebgp | SourceKind::Ibgp => {
                self.next_hop(&stored.attributes.next_hop).map(Some)
            }
        };
        let stale = stored.epoch != known.epoch[index(prefix.family())];
        let path = Path { source: stored.source, attributes: &stored.attributes, stale, hop };
        Some((&known.source, path))
    }
}

impl Default for Rib {
    fn default() -> Self {
        Rib::new()
    }
}

/// Whether a path shares traffic with `best`, beside those that already do.
fn joins(rank: &Rank, path: &Path<'_>, best: &Rank, shares: &[Path<'_>]) -> bool {
    rank.is_equal_cost(best) && !shares.iter().any(|share| share.hop == path.hop)
}

fn find(paths: &Paths, id: SourceId) -> Result<usize, usize> {
    paths.binary_search_by_key(&id, |path| path.source)
}

/// Interned sets are mostly the same allocation.
pub(super) fn same(one: &Arc<Attributes>, other: &Arc<Attributes>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

fn index(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}
