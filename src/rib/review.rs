use std::collections::{BTreeMap, BTreeSet};

use super::SourceId;
use super::routes::{Known, Paths};
use crate::types::{Prefix, PrefixTable};
use crate::wire::bgp::NextHop;

/// Routes that are looked at for each one that is taken: some do not change.
const LOOKED_AT: usize = 8;

/// A walk through the table after something happened to many routes at once. It goes on in portions, so that nobody waits
/// for a million routes; what is wanted while one is under way waits for the next one.
#[derive(Clone, Default)]
pub(super) struct Review {
    running: Option<Walk>,
    next: Wanted,
}

#[derive(Clone, Default)]
struct Walk {
    wanted: Wanted,
    /// The last prefix that was looked at.
    after: Option<Prefix>,
}

/// What is looked for.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    /// Paths that their sources have no more.
    gone: bool,
    /// Paths of sources that have changed.
    sources: BTreeSet<SourceId>,
    /// Paths whose next hops resolve in another way.
    moved: BTreeSet<NextHop>,
}

impl Wanted {
    pub const GONE: Wanted =
        Wanted { gone: true, sources: BTreeSet::new(), moved: BTreeSet::new() };

    pub fn of_source(id: SourceId) -> Wanted {
        Wanted { sources: BTreeSet::from([id]), ..Wanted::default() }
    }

    pub fn behind(moved: BTreeSet<NextHop>) -> Wanted {
        Wanted { moved, ..Wanted::default() }
    }

    fn is_empty(&self) -> bool {
        !self.gone && self.sources.is_empty() && self.moved.is_empty()
    }
}

impl Review {
    pub fn want(&mut self, wanted: Wanted) {
        self.next.gone |= wanted.gone;
        self.next.sources.extend(wanted.sources);
        self.next.moved.extend(wanted.moved);
    }

    pub fn is_wanted(&self) -> bool {
        self.running.is_some() || !self.next.is_empty()
    }

    /// Goes on until `taken` has `limit` prefixes, or enough routes were looked at, or it is over.
    pub fn proceed(
        &mut self,
        table: &mut PrefixTable<Paths>,
        sources: &BTreeMap<SourceId, Known>,
        limit: usize,
        taken: &mut Vec<Prefix>,
    ) {
        if self.running.is_none() && !self.next.is_empty() {
            self.running = Some(Walk { wanted: std::mem::take(&mut self.next), after: None });
        }
        let Some(Walk { wanted, after }) = &mut self.running else { return };
        let mut looked_at = limit.saturating_mul(LOOKED_AT);
        let mut empty = Vec::new();
        let mut is_over = true;
        for (prefix, paths) in table.iter_after_mut(*after) {
            if taken.len() >= limit || looked_at == 0 {
                is_over = false;
                break;
            }
            looked_at -= 1;
            *after = Some(prefix);
            let before = paths.len();
            if wanted.gone {
                let family = prefix.family();
                paths.retain(|path| {
                    sources.get(&path.source).is_some_and(|known| known.has(family, path))
                });
            }
            let is_found = paths.iter().any(|path| {
                wanted.sources.contains(&path.source)
                    || wanted.moved.contains(&path.attributes.next_hop)
            });
            if paths.len() != before {
                paths.shrink_to_fit();
                if paths.is_empty() {
                    empty.push(prefix);
                }
            }
            if is_found || paths.len() != before {
                taken.push(prefix);
            }
        }
        for prefix in empty {
            table.remove(prefix);
        }
        if is_over {
            self.running = None;
        }
    }
}
