use std::collections::BTreeMap;

use super::Time;

/// The timers of one core: at most one deadline per key, the key a documented enum.
///
/// Equal deadlines fire in key order, so the order of timers is the same in every run.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    at: BTreeMap<K, Time>,
}

impl<K: Ord + Copy> Deadlines<K> {
    pub fn new() -> Self {
        Deadlines { at: BTreeMap::new() }
    }

    /// Starts or moves the timer.
    pub fn set(&mut self, key: K, at: Time) {
        self.at.insert(key, at);
    }

    pub fn clear(&mut self, key: K) {
        self.at.remove(&key);
    }

    pub fn get(&self, key: K) -> Option<Time> {
        self.at.get(&key).copied()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        self.at.values().min().copied()
    }

    /// Takes out the earliest timer that is due at `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let (key, _) = self
            .at
            .iter()
            .map(|(key, at)| (*key, *at))
            .filter(|(_, at)| *at <= now)
            .min_by_key(|(key, at)| (*at, *key))?;
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
