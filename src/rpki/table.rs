use std::collections::BTreeSet;
use std::fmt;

use smallvec::SmallVec;

use crate::types::{Asn, Family, Prefix, PrefixTable, Validity};
use crate::wire::rtr::{ErrorCode, Vrp};

/// A cache, as a place in [`Entry::caches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheId(u8);

/// The VRPs of all caches.
#[derive(Clone, Default)]
pub struct Table {
    entries: PrefixTable<Entries>,
    vrps: [usize; 2],
}

/// Of one prefix, in order, never none.
type Entries = SmallVec<[Entry; 1]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    asn: Asn,
    max_length: u8,
    /// Who has it, a bit each; never none.
    caches: u16,
}

/// What a cache says is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub announced: bool,
    pub vrp: Vrp,
}

impl CacheId {
    /// There are no more.
    pub const MOST: usize = 16;

    /// `place` counts from 0.
    pub fn new(place: usize) -> Option<CacheId> {
        u8::try_from(place).ok().filter(|_| place < CacheId::MOST).map(CacheId)
    }

    fn bit(self) -> u16 {
        1 << self.0
    }
}

impl Table {
    /// Of a route to `prefix` that `origin` originates; `None`: nobody can say who (RFC 6811 §2).
    pub fn state(&self, prefix: Prefix, origin: Option<Asn>) -> Validity {
        let mut state = Validity::NotFound;
        for (_, entries) in self.entries.above(prefix) {
            state = Validity::Invalid;
            // AS 0 originates nothing (RFC 6483 §4).
            let permits = |entry: &Entry| {
                Some(entry.asn) == origin
                    && entry.asn.is_valid()
                    && prefix.length() <= entry.max_length
            };
            if entries.iter().any(permits) {
                return Validity::Valid;
            }
        }
        state
    }

    /// What says who may originate `prefix`.
    pub fn covering(&self, prefix: Prefix) -> impl Iterator<Item = Vrp> {
        self.entries
            .above(prefix)
            .flat_map(|(prefix, entries)| entries.iter().map(move |entry| entry.vrp(prefix)))
    }

    /// VRPs of one family.
    pub fn len(&self, family: Family) -> usize {
        self.vrps[index(family)]
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// VRPs of one family that one cache has.
    pub fn count(&self, cache: CacheId, family: Family) -> usize {
        let has = |entry: &&Entry| entry.caches & cache.bit() != 0;
        self.entries.family(family).map(|(_, entries)| entries.iter().filter(has).count()).sum()
    }

    /// Enters what a cache says has changed, up to what contradicts what it said before. The prefixes whose routes are to be
    /// looked at again.
    pub fn change(
        &mut self,
        cache: CacheId,
        changes: &[Change],
    ) -> (BTreeSet<Prefix>, Result<(), (ErrorCode, Vrp)>) {
        let mut changed = BTreeSet::new();
        for Change { announced, vrp } in changes {
            let known = match announced {
                true => self.add(cache, *vrp, &mut changed),
                false => self.remove(cache, *vrp, &mut changed),
            };
            match (announced, known) {
                (true, true) => {
                    return (changed, Err((ErrorCode::DuplicateAnnouncement, *vrp)));
                }
                (false, false) => return (changed, Err((ErrorCode::UnknownWithdrawal, *vrp))),
                _ => {}
            }
        }
        (changed, Ok(()))
    }

    /// The cache has these VRPs and no others. The prefixes whose routes are to be looked at again.
    pub fn replace(&mut self, cache: CacheId, mut vrps: Vec<Vrp>) -> BTreeSet<Prefix> {
        vrps.sort_unstable();
        let mut changed = BTreeSet::new();
        let gone: Vec<Vrp> =
            self.of(cache).filter(|vrp| vrps.binary_search(vrp).is_err()).collect();
        for vrp in gone {
            self.remove(cache, vrp, &mut changed);
        }
        for vrp in vrps {
            self.add(cache, vrp, &mut changed);
        }
        changed
    }

    fn of(&self, cache: CacheId) -> impl Iterator<Item = Vrp> {
        self.entries.iter().flat_map(move |(prefix, entries)| {
            let has = move |entry: &&Entry| entry.caches & cache.bit() != 0;
            entries.iter().filter(has).map(move |entry| entry.vrp(prefix))
        })
    }

    /// Whether the cache had it before.
    fn add(&mut self, cache: CacheId, vrp: Vrp, changed: &mut BTreeSet<Prefix>) -> bool {
        let entries = self.entries.get_or_default(vrp.prefix);
        match entries.binary_search_by_key(&(vrp.asn, vrp.max_length), Entry::key) {
            Ok(at) => {
                let Some(entry) = entries.get_mut(at) else { return false };
                let known = entry.caches & cache.bit() != 0;
                entry.caches |= cache.bit();
                known
            }
            Err(at) => {
                let Vrp { prefix, max_length, asn } = vrp;
                entries.insert(at, Entry { asn, max_length, caches: cache.bit() });
                self.vrps[index(prefix.family())] += 1;
                changed.insert(prefix);
                false
            }
        }
    }

    /// Whether the cache had it.
    fn remove(&mut self, cache: CacheId, vrp: Vrp, changed: &mut BTreeSet<Prefix>) -> bool {
        let Some(entries) = self.entries.get_mut(vrp.prefix) else { return false };
        let Ok(at) = entries.binary_search_by_key(&(vrp.asn, vrp.max_length), Entry::key) else {
            return false;
        };
        let Some(entry) = entries.get_mut(at).filter(|entry| entry.caches & cache.bit() != 0)
        else {
            return false;
        };
        entry.caches &= !cache.bit();
        if entry.caches == 0 {
            entries.remove(at);
            if entries.is_empty() {
                self.entries.remove(vrp.prefix);
            }
            self.vrps[index(vrp.prefix.family())] -= 1;
            changed.insert(vrp.prefix);
        }
        true
    }
}

impl Entry {
    fn key(&self) -> (Asn, u8) {
        (self.asn, self.max_length)
    }

    fn vrp(&self, prefix: Prefix) -> Vrp {
        Vrp { prefix, max_length: self.max_length, asn: self.asn }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table of {} VRPs", self.vrps.iter().sum::<usize>())
    }
}

fn index(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}
