use std::collections::{BTreeMap, BTreeSet};

use super::Time;

/// Timers: at most one deadline per key.
///
/// Equal deadlines fire in key order, so the order of timers is the same in every run. Every call costs the logarithm
/// of how many there are.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    at: BTreeMap<K, Time>,
    order: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Deadlines<K> {
    pub fn new() -> Self {
        Deadlines { at: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Starts or moves the timer.
    pub fn set(&mut self, key: K, at: Time) {
        if let Some(before) = self.at.insert(key, at) {
            self.order.remove(&(before, key));
        }
        self.order.insert((at, key));
    }

    pub fn clear(&mut self, key: K) {
        if let Some(at) = self.at.remove(&key) {
            self.order.remove(&(at, key));
        }
    }

    pub fn get(&self, key: K) -> Option<Time> {
        self.at.get(&key).copied()
    }

    pub fn len(&self) -> usize {
        self.at.len()
    }

    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest timer that is due at `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let (at, key) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.pop_first();
        self.at.remove(&key);
        Some(key)
    }
}

impl<K: Ord + Copy> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn due_timers_come_out_by_time_then_key_and_only_once() {
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::new();
        deadlines.set('b', at(2));
        deadlines.set('a', at(2));
        deadlines.set('z', at(1));
        deadlines.set('q', at(9));
        deadlines.set('q', at(3));
        assert_eq!(deadlines.next(), Some(at(1)));
        let mut fired = Vec::new();
        while let Some(key) = deadlines.pop_due(at(2)) {
            fired.push(key);
        }
        assert_eq!(fired, ['z', 'a', 'b']);
        assert_eq!(deadlines.next(), Some(at(3)));
    }
}
