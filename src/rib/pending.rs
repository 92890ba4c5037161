use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::{Ipv4Net, Ipv6Net};

use super::{Told, Urgency};
use crate::types::Prefix;
use crate::wire::bgp::Attributes;

/// An attribute set by its urgency and the time it was first queued. The order is that of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupId(u64);

/// The group in front of those of attribute sets.
pub(super) const WITHDRAWALS: u64 = 0;

const BULK: u64 = 1 << 63;
const AGAIN: u64 = 1 << 62;
const MADE: u64 = 1 << 61;

impl GroupId {
    pub fn new(urgency: Urgency, number: u64) -> GroupId {
        GroupId(number | if urgency == Urgency::Bulk { BULK } else { 0 })
    }

    pub fn urgency(self) -> Urgency {
        if self.0 & BULK == 0 { Urgency::Own } else { Urgency::Bulk }
    }
}

/// What there is to know of a prefix that is still to be sent, in 16 octets: a lost table has a million of them.
#[derive(Clone)]
pub(super) struct Pending {
    sent: Option<Arc<Attributes>>,
    /// The group, and beside it [`AGAIN`] and [`MADE`].
    bits: u64,
}

impl Pending {
    pub fn new(sent: Option<Told>, again: bool, group: GroupId) -> Pending {
        let again = if again { AGAIN } else { 0 };
        let (sent, made) = match sent {
            None => (None, 0),
            Some(Told::Passed(set)) => (Some(set), 0),
            Some(Told::Made(set)) => (Some(set), MADE),
        };
        Pending { sent, bits: group.0 | again | made }
    }

    /// What the neighbour has.
    pub fn sent(&self) -> Option<Told> {
        let set = self.sent.clone()?;
        Some(if self.bits & MADE == 0 { Told::Passed(set) } else { Told::Made(set) })
    }

    /// It asked for it again, so equal is not enough.
    pub fn again(&self) -> bool {
        self.bits & AGAIN != 0
    }

    pub fn group(&self) -> GroupId {
        GroupId(self.bits & !(AGAIN | MADE))
    }
}

/// Only looked up, never walked, so the order in which they are kept shows nowhere.
#[derive(Clone, Default)]
pub(super) struct PendingPrefixes {
    v4: HashMap<Ipv4Net, Pending>,
    v6: HashMap<Ipv6Net, Pending>,
}

impl PendingPrefixes {
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub fn get(&self, prefix: Prefix) -> Option<&Pending> {
        match prefix {
            Prefix::V4(net) => self.v4.get(&net),
            Prefix::V6(net) => self.v6.get(&net),
        }
    }

    pub fn insert(&mut self, prefix: Prefix, pending: Pending) {
        match prefix {
            Prefix::V4(net) => self.v4.insert(net, pending),
            Prefix::V6(net) => self.v6.insert(net, pending),
        };
    }

    pub fn remove(&mut self, prefix: Prefix) -> Option<Pending> {
        match prefix {
            Prefix::V4(net) => self.v4.remove(&net),
            Prefix::V6(net) => self.v6.remove(&net),
        }
    }

    /// Keeps room for so many.
    pub fn give_back(&mut self, room: usize) {
        self.v4.shrink_to(room);
        self.v6.shrink_to(room);
    }
}
