use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::rib::SourceKind;
use crate::types::Family;
use crate::wire::bgp::Attributes;

/// Size from which the cache first looks for sets that nobody has any more.
const FIRST_SWEEP: usize = 1024;

/// Learned attribute sets as one session passes them on, so that the work is done once per set and not
/// once per route.
///
/// A set is known by its address, by whether it came from inside or outside the AS, and by the family of the prefix: with
/// IPv6 next hops for IPv4 (RFC 8950) both families can share a set, but our own next hop differs. The weak reference
/// beside it keeps the address from being used again without keeping the set from being dropped.
#[derive(Clone)]
pub(super) struct Transit {
    sets: BTreeMap<(usize, SourceKind, Family), Passed>,
    sweep_at: usize,
}

#[derive(Clone)]
struct Passed {
    set: Weak<Attributes>,
    /// `None`: its routes are not passed on.
    exported: Option<Arc<Attributes>>,
}

impl Default for Transit {
    fn default() -> Transit {
        Transit { sets: BTreeMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl Transit {
    /// What the set becomes for the neighbour; `None` if its routes are not passed on. `make` is asked once per set.
    pub fn get_or_make(
        &mut self,
        set: &Arc<Attributes>,
        from: SourceKind,
        family: Family,
        make: impl FnOnce() -> Option<Arc<Attributes>>,
    ) -> Option<Arc<Attributes>> {
        let key = (Arc::as_ptr(set).addr(), from, family);
        if let Some(passed) = self.sets.get(&key) {
            return passed.exported.clone();
        }
        if self.sets.len() >= self.sweep_at {
            self.sets.retain(|_, passed| passed.set.strong_count() > 0);
            self.sweep_at = FIRST_SWEEP.max(2 * self.sets.len());
        }
        let exported = make();
        let set = Arc::downgrade(set);
        self.sets.insert(key, Passed { set, exported: exported.clone() });
        exported
    }
}
