use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::wire::bgp::Attributes;

/// Below this many sets a sweep is not worth its walk.
const SMALLEST_SWEEP: usize = 1024;

/// Equal attribute sets as one allocation.
///
/// Sets that only the table itself still holds are swept when it has doubled since the last sweep, so the
/// cost per set is constant and at most half of the table is dead. The hash is seeded per
/// process; it is only looked up by, so nothing depends on its order.
#[derive(Clone)]
pub(super) struct Interner {
    sets: HashTable<Arc<Attributes>>,
    hasher: DefaultHashBuilder,
    sweep_at: usize,
}

impl Interner {
    pub(super) fn new() -> Interner {
        Interner {
            sets: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            sweep_at: SMALLEST_SWEEP,
        }
    }

    /// The shared set equal to `attributes`; true if it was not known.
    pub(super) fn intern(&mut self, attributes: Attributes) -> (Arc<Attributes>, bool) {
        let hash = self.hasher.hash_one(&attributes);
        if let Some(known) = self.sets.find(hash, |known| **known == attributes) {
            return (Arc::clone(known), false);
        }
        let shared = Arc::new(attributes);
        let hasher = &self.hasher;
        self.sets.insert_unique(hash, Arc::clone(&shared), |set| hasher.hash_one(&**set));
        (shared, true)
    }

    pub(super) fn is_due(&self) -> bool {
        self.sets.len() >= self.sweep_at
    }

    /// Drops the sets that nobody uses.
    pub(super) fn sweep(&mut self) {
        self.sets.retain(|set| Arc::strong_count(set) > 1);
        self.sweep_at = SMALLEST_SWEEP.max(self.sets.len() * 2);
        let hasher = &self.hasher;
        self.sets.shrink_to(self.sweep_at, |set| hasher.hash_one(&**set));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Attributes>> {
        self.sets.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::wire::bgp::NextHop;

    fn set(med: u32) -> Attributes {
        let mut attributes = Attributes::originated(NextHop::V4(Ipv4Addr::LOCALHOST));
        attributes.med = Some(med);
        attributes
    }

    #[test]
    fn equal_sets_are_one_and_unused_ones_go() {
        let mut interner = Interner::new();
        let (first, new) = interner.intern(set(1));
        assert!(new);
        let (again, new) = interner.intern(set(1));
        assert!(!new && Arc::ptr_eq(&first, &again));
        interner.intern(set(2));
        assert_eq!(interner.len(), 2);
        interner.sweep();
        assert_eq!(interner.len(), 1);
        assert!(Arc::ptr_eq(&first, &interner.intern(set(1)).0));
    }
}
