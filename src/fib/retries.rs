use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Failure, KernelError};
use crate::types::Time;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(64);

/// What the kernel did not take, and when each is tried again: after 1 s, doubling to 64 s.
#[derive(Clone)]
pub(super) struct Retries<K> {
    failures: BTreeMap<K, Failure>,
    /// Those that wait.
    queue: BTreeSet<(Time, K)>,
}

impl<K: Copy + Ord> Retries<K> {
    pub fn new() -> Retries<K> {
        Retries { failures: BTreeMap::new(), queue: BTreeSet::new() }
    }

    pub fn fail(&mut self, key: K, error: KernelError, now: Time) {
        let attempts = self.failures.get(&key).map_or(1, |failure| failure.attempts + 1);
        let wait = FIRST.saturating_mul(1 << (attempts - 1).min(31)).min(LAST);
        let retry_at = now + wait;
        self.queue.insert((retry_at, key));
        self.failures.insert(key, Failure { error, attempts, retry_at });
    }

    /// Ends the wait and forgets the failures.
    pub fn forgive(&mut self, key: K) {
        if let Some(failure) = self.failures.remove(&key) {
            self.queue.remove(&(failure.retry_at, key));
        }
    }

    pub fn is_waiting(&self, key: K) -> bool {
        let failure = self.failures.get(&key);
        failure.is_some_and(|failure| self.queue.contains(&(failure.retry_at, key)))
    }

    pub fn get(&self, key: K) -> Option<&Failure> {
        self.failures.get(&key)
    }

    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// One whose wait is over.
    pub fn next_due(&mut self, now: Time) -> Option<K> {
        let (_, key) = *self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.pop_first();
        Some(key)
    }

    /// Ends all waits.
    pub fn end_waits(&mut self) -> impl Iterator<Item = K> + use<K> {
        std::mem::take(&mut self.queue).into_iter().map(|(_, key)| key)
    }

    pub fn deadline(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }
}
