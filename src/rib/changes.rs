use std::collections::{BTreeSet, VecDeque};

use crate::types::Prefix;

/// Below this many a queue is not worth to be looked at for duplicates.
const SMALLEST_SWEEP: usize = 4096;

/// Prefixes in the order in which they changed: what came in one UPDATE stays together, and can go out in one.
///
/// A prefix that changes again is queued again, which costs less than to know whether it is queued; when the queue has
/// doubled, duplicates go. So it is never longer than twice the number of prefixes that changed.
#[derive(Clone)]
pub(super) struct Changes {
    queue: VecDeque<Prefix>,
    sweep_at: usize,
}

impl Default for Changes {
    fn default() -> Changes {
        Changes { queue: VecDeque::new(), sweep_at: SMALLEST_SWEEP }
    }
}

impl Changes {
    pub fn push(&mut self, prefix: Prefix) {
        if self.queue.len() >= self.sweep_at {
            let mut seen = BTreeSet::new();
            self.queue.retain(|prefix| seen.insert(*prefix));
            self.sweep_at = SMALLEST_SWEEP.max(self.queue.len() * 2);
        }
        self.queue.push_back(prefix);
    }

    pub fn extend(&mut self, prefixes: impl IntoIterator<Item = Prefix>) {
        for prefix in prefixes {
            self.push(prefix);
        }
    }

    /// The first `limit` of them.
    pub fn take(&mut self, limit: usize) -> Vec<Prefix> {
        let taken = self.queue.drain(..limit.min(self.queue.len())).collect();
        if self.queue.is_empty() {
            // A table that was loaded once does not hold its queue's memory for ever.
            *self = Changes::default();
        }
        taken
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
