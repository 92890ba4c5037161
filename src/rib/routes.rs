use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use super::intern::Interner;
use super::next_hops::NextHops;
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
    changed: BTreeSet<Prefix>,
}

/// The paths of a prefix in the order of their sources, never none.
pub(super) type Paths = SmallVec<[Stored; 1]>;

#[derive(Clone)]
pub(super) struct Stored {
    pub attributes: Arc<Attributes>,
    pub source: SourceId,
    /// The source's epoch when the path was last heard.
    pub epoch: u32,
}

/// A source and its account per family.
#[derive(Clone)]
pub(super) struct Known {
    pub source: Source,
    routes: [usize; 2],
    /// Paths of an older epoch are stale.
    pub epoch: [u32; 2],
    /// Whether there can be stale paths.
    marked: [bool; 2],
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

    /// The paths of a prefix if we announced it, or did not.
    pub(super) fn paths_if(&self, prefix: Prefix, announced: bool) -> Paths {
        let mut paths = self.table.get(prefix).cloned().unwrap_or_default();
        match (find(&paths, SourceId::LOCAL), announced) {
            (Ok(at), false) => {
                paths.remove(at);
            }
            (Err(at), true) => {
                let known = self.sources.get(&SourceId::LOCAL);
                let epoch = known.map_or(0, |known| known.epoch[index(prefix.family())]);
                let next_hop = NextHop::from(std::net::IpAddr::from([0, 0, 0, 0]));
                let attributes = Arc::new(Attributes::originated(next_hop));
                paths.insert(at, Stored { attributes, source: SourceId::LOCAL, epoch });
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
        self.changed.insert(prefix);
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
            self.changed.insert(prefix);
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

    /// Up to `limit` prefixes whose best path or next hops may have changed since they were last taken, in
    /// order.
    pub fn take_changes(&mut self, limit: usize) -> Vec<Prefix> {
        self.mark_moved();
        let mut taken = Vec::with_capacity(limit.min(self.changed.len()));
        while taken.len() < limit {
            let Some(prefix) = self.changed.pop_first() else { break };
            taken.push(prefix);
        }
        taken
    }

    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || self.next_hops.have_moved()
    }

    /// Marks the prefixes behind next hops that resolve differently now. One walk does for any number of next hops, so
    /// a burst of interior routes costs one, not one each.
    fn mark_moved(&mut self) {
        if !self.next_hops.have_moved() {
            return;
        }
        let moved = self.next_hops.take_moved();
        for (prefix, paths) in self.table.iter() {
            if paths.iter().any(|path| moved.contains(&path.attributes.next_hop)) {
                self.changed.insert(prefix);
            }
        }
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
