use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::time::Duration;

use crate::types::{Deadlines, RouterId, Time};
use crate::wire::ospf::{Lsa, LsaHeader, LsaKey, LsaType};

/// Seconds (RFC 2328 Appendix B).
pub const MAX_AGE: u16 = 3600;
/// Seconds by which ages of one instance may differ (RFC 2328 Appendix B).
const MAX_AGE_DIFF: u16 = 900;

/// A link-state database: at most one instance of each LSA (RFC 2328 §12.2). The router has one for the area, and
/// one per interface for what is flooded on that link only (RFC 5250 §3, type 9).
///
/// Nothing here walks the database: what is due is in an order of its own.
#[derive(Clone, Debug, Default)]
pub struct Database {
    lsas: BTreeMap<LsaKey, Entry>,
    /// When an LSA of ours wants a refresh, or another's reaches MaxAge.
    due: Deadlines<LsaKey>,
    /// At MaxAge: kept until all neighbours have acknowledged that (RFC 2328 §14).
    flushing: BTreeSet<LsaKey>,
    /// Octets of all LSAs.
    octets: usize,
}

/// An instance as it was installed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub lsa: Lsa,
    pub installed: Time,
    /// It came from a neighbour; what we originated did not.
    pub(super) received: bool,
    /// It came by flooding, not as the answer to a request. MinLSArrival counts between those (RFC 2328 §13 (5) (a)).
    pub(super) flooded: bool,
    /// When a neighbour was last sent this instance, other than by retransmission. For LSAs of ours, their pacing
    /// counts from here.
    pub(super) sent: Option<Time>,
}

impl Database {
    pub fn get(&self, key: &LsaKey) -> Option<&Entry> {
        self.lsas.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.lsas.values()
    }

    /// Those behind a key, in order; from the beginning for `None`.
    pub fn behind(&self, key: Option<LsaKey>) -> impl Iterator<Item = &Entry> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.lsas.range((from, Bound::Unbounded)).map(|(_, entry)| entry)
    }

    /// Those of one type, in the order of their keys.
    pub(super) fn of_type(&self, kind: LsaType) -> impl Iterator<Item = &Entry> {
        let key = |address, router| LsaKey {
            kind,
            link_state_id: address,
            advertising_router: RouterId(router),
        };
        let first = key(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        let last = key(Ipv4Addr::BROADCAST, Ipv4Addr::BROADCAST);
        self.lsas.range(first..=last).map(|(_, entry)| entry)
    }

    pub fn len(&self) -> usize {
        self.lsas.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lsas.is_empty()
    }

    /// Octets of all LSAs in it.
    pub fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn get_mut(&mut self, key: &LsaKey) -> Option<&mut Entry> {
        self.lsas.get_mut(key)
    }

    /// Replaces what there is of this LSA and returns it. `due`: when to think of it again, at the latest at MaxAge;
    /// of no meaning for an LSA that has this age.
    pub(super) fn install(&mut self, entry: Entry, due: Time) -> Option<Entry> {
        let key = entry.lsa.header.key;
        if entry.lsa.header.is_max_age() {
            self.due.clear(key);
            self.flushing.insert(key);
        } else {
            self.due.set(key, due.min(entry.max_age_at()));
            self.flushing.remove(&key);
        }
        self.octets += usize::from(entry.lsa.header.length);
        let old = self.lsas.insert(key, entry);
        self.octets -= old.as_ref().map_or(0, |old| usize::from(old.lsa.header.length));
        old
    }

    pub(super) fn remove(&mut self, key: &LsaKey) -> Option<Entry> {
        let old = self.lsas.remove(key)?;
        self.due.clear(*key);
        self.flushing.remove(key);
        self.octets -= usize::from(old.lsa.header.length);
        Some(old)
    }

    /// An LSA that is due, which is then due no longer.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<LsaKey> {
        self.due.pop_due(now)
    }

    /// Thinks of the LSA again at `at`, which lies ahead, even if it reaches MaxAge before.
    pub(super) fn set_due(&mut self, key: LsaKey, at: Time) {
        if self.lsas.contains_key(&key) {
            self.due.set(key, at);
        }
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.next()
    }

    /// What waits for its removal.
    pub(super) fn flushing(&self) -> &BTreeSet<LsaKey> {
        &self.flushing
    }

    /// Whether the instance is newer than ours, or we have none.
    pub(super) fn lacks(&self, header: &LsaHeader, now: Time) -> bool {
        self.get(&header.key)
            .is_none_or(|entry| header.compare_instance(&entry.header(now)) == Ordering::Greater)
    }
}

impl Entry {
    /// LS age at `now`, at most MaxAge (RFC 2328 §12.1.1). DoNotAge (RFC 1793) is not obeyed: nobody may set it in an
    /// area with a router that does not announce demand circuits, as we do not.
    pub fn age(&self, now: Time) -> u16 {
        let elapsed = now.since(self.installed).as_secs();
        let age = u64::from(self.lsa.header.seconds()) + elapsed;
        u16::try_from(age).unwrap_or(MAX_AGE).min(MAX_AGE)
    }

    /// The header with the age at `now`.
    pub fn header(&self, now: Time) -> LsaHeader {
        LsaHeader { age: self.age(now), ..self.lsa.header }
    }

    fn max_age_at(&self) -> Time {
        let left = MAX_AGE.saturating_sub(self.lsa.header.seconds());
        self.installed + Duration::from_secs(left.into())
    }
}

impl LsaHeader {
    /// The age without the DoNotAge bit, at most MaxAge.
    pub(super) fn seconds(&self) -> u16 {
        (self.age & 0x7fff).min(MAX_AGE)
    }

    pub(super) fn is_max_age(&self) -> bool {
        self.seconds() == MAX_AGE
    }

    /// Which of two instances of one LSA is newer: that is the greater one (RFC 2328 §13.1). The ages are those now.
    pub(super) fn compare_instance(&self, other: &LsaHeader) -> Ordering {
        let younger = || {
            let (age, others) = (self.seconds(), other.seconds());
            if age.abs_diff(others) > MAX_AGE_DIFF { others.cmp(&age) } else { Ordering::Equal }
        };
        self.sequence
            .cmp(&other.sequence)
            .then(self.checksum.cmp(&other.checksum))
            .then(self.is_max_age().cmp(&other.is_max_age()))
            .then_with(younger)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::types::RouterId;
    use crate::wire::ospf::{LsaBody, LsaType, Options, SequenceNumber};

    fn lsa(age: u16, sequence: i32) -> Lsa {
        let key = LsaKey {
            kind: LsaType::OPAQUE_AREA,
            link_state_id: Ipv4Addr::new(200, 0, 0, 1),
            advertising_router: RouterId(Ipv4Addr::new(1, 1, 1, 1)),
        };
        let sequence = SequenceNumber(sequence);
        Lsa::new(age, Options::default(), key, sequence, LsaBody::Opaque)
    }

    fn header(age: u16, sequence: i32, checksum: u16) -> LsaHeader {
        LsaHeader { checksum, ..lsa(age, sequence).header }
    }

    #[test]
    fn the_newer_instance_is_told_by_sequence_checksum_and_age() {
        let newer = |one: LsaHeader, other: LsaHeader| {
            assert_eq!(one.compare_instance(&other), Ordering::Greater);
            assert_eq!(other.compare_instance(&one), Ordering::Less);
        };
        let same = |one: LsaHeader, other: LsaHeader| {
            assert_eq!(one.compare_instance(&other), Ordering::Equal);
            assert_eq!(other.compare_instance(&one), Ordering::Equal);
        };
        newer(header(100, 2, 1), header(0, 1, 9));
        newer(header(0, 1, 1), header(0, SequenceNumber::INITIAL.0, 1));
        newer(header(100, 1, 0xf000), header(100, 1, 0x7000));
        newer(header(3600, 1, 1), header(3599, 1, 1));
        newer(header(10, 1, 1), header(911, 1, 1));
        same(header(10, 1, 1), header(910, 1, 1));
        same(header(3600, 1, 1), header(3600, 1, 1));
        // DoNotAge is no age.
        same(header(0x8000 | 10, 1, 1), header(10, 1, 1));
        newer(header(0x8000 | 3600, 1, 1), header(10, 1, 1));
    }

    #[test]
    fn what_is_installed_is_due_once_and_at_max_age_at_the_latest() {
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let entry = |age, installed| Entry {
            lsa: lsa(age, 1),
            installed: at(installed),
            received: true,
            flooded: true,
            sent: None,
        };
        let mut database = Database::default();
        database.install(entry(100, 10), at(9999));
        assert_eq!(database.next_due(), Some(at(3510)));
        assert_eq!(database.octets(), 20);
        database.install(entry(0, 20), at(1800));
        assert_eq!(database.pop_due(at(1799)), None);
        let key = entry(0, 0).lsa.header.key;
        assert_eq!(database.pop_due(at(1800)), Some(key));
        assert_eq!(database.pop_due(at(1800)), None);
        assert_eq!(database.get(&key).map(|entry| entry.age(at(1800))), Some(1780));
        database.install(entry(MAX_AGE, 1900), at(1900));
        assert_eq!(database.next_due(), None);
        assert!(database.flushing().contains(&key));
        database.remove(&key);
        assert!(database.is_empty() && database.flushing().is_empty());
        assert_eq!(database.octets(), 0);
    }
}
