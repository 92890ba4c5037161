use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::routes::same;
use crate::types::{Family, Prefix, PrefixTable};
use crate::wire::bgp::Attributes;

/// What one neighbour is to have, and what of it is still to be sent.
///
/// Per route that is settled: 8 octets beside the trie (about 21 octets for IPv4 in all). Per route still to be
/// sent about 145 more. Changes that cancel each other before they are drained send nothing.
#[derive(Clone, Default)]
pub struct AdjRibOut {
    /// What the neighbour is to have.
    wanted: PrefixTable<Arc<Attributes>>,
    /// The prefixes for which that is not what was last sent.
    pending: BTreeMap<Prefix, Pending>,
    /// The same prefixes in the order of sending.
    queue: BTreeSet<(Urgency, Group, Prefix)>,
    /// The attribute sets in the queue: address of the set to its group.
    groups: BTreeMap<usize, Group>,
    sets: BTreeMap<Group, Set>,
    last_group: u64,
    /// Families to be sent again, and the last prefix of each that has been queued for it.
    refresh: BTreeMap<Family, Option<Prefix>>,
}

/// Routes that a refresh queues at a time: enough to pack, few enough not to hold up anybody.
const REFRESH_PORTION: usize = 16_384;

/// What is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Our own announcements: a switch of a group does not wait behind a full table.
    Own,
    /// Learned routes passed on, and what a neighbour asked for again.
    Bulk,
}

/// Number of an attribute set in the order it was first queued; withdrawals have the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group(u64);

const WITHDRAWALS: Group = Group(0);

#[derive(Clone)]
struct Set {
    attributes: Arc<Attributes>,
    /// Prefixes of it in the queue.
    queued: usize,
}

#[derive(Clone)]
struct Pending {
    /// What the neighbour has.
    sent: Option<Arc<Attributes>>,
    /// It asked for it again, so equal is not enough.
    again: bool,
    urgency: Urgency,
    group: Group,
}

/// Routes to be sent now, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub withdrawn: Vec<Prefix>,
    /// Prefixes by attribute set, each list of one family. A set can appear again in a later batch.
    pub announced: Vec<(Arc<Attributes>, Vec<Prefix>)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.withdrawn.is_empty() && self.announced.is_empty()
    }
}

impl AdjRibOut {
    pub fn new() -> AdjRibOut {
        AdjRibOut::default()
    }

    /// What the neighbour is to have for `prefix`: this set, or no route. The set should be interned.
    pub fn set(&mut self, prefix: Prefix, attributes: Option<Arc<Attributes>>, urgency: Urgency) {
        let settled = match (self.wanted.get(prefix), &attributes) {
            (None, None) => true,
            (Some(old), Some(new)) => same(old, new),
            _ => false,
        };
        if settled {
            return;
        }
        let old = match &attributes {
            Some(new) => self.wanted.insert(prefix, Arc::clone(new)),
            None => self.wanted.remove(prefix),
        };
        let (sent, again) = match self.unqueue(prefix) {
            Some(pending) => (pending.sent, pending.again),
            None => (old, false),
        };
        let done = match (&sent, &attributes) {
            (None, None) => true,
            (Some(sent), Some(new)) => !again && same(sent, new),
            _ => false,
        };
        if !done {
            self.enqueue(prefix, attributes, Pending { sent, again, urgency, group: WITHDRAWALS });
        }
    }

    /// Takes up to `limit` prefixes that are still to be sent. From here on they count as sent.
    pub fn drain(&mut self, limit: usize) -> Batch {
        if self.queue.len() < limit {
            self.queue_refresh();
        }
        let mut batch = Batch::default();
        let mut open: Option<(Group, Family)> = None;
        for _ in 0..limit {
            let Some(&(_, group, prefix)) = self.queue.first() else { break };
            let attributes = self.sets.get(&group).map(|set| Arc::clone(&set.attributes));
            self.unqueue(prefix);
            match attributes {
                None => batch.withdrawn.push(prefix),
                Some(attributes) => match batch.announced.last_mut() {
                    Some((_, prefixes)) if open == Some((group, prefix.family())) => {
                        prefixes.push(prefix);
                    }
                    _ => {
                        open = Some((group, prefix.family()));
                        batch.announced.push((attributes, vec![prefix]));
                    }
                },
            }
        }
        batch
    }

    /// Sends all routes of the family again (RFC 2918 §4), little by little and behind what is queued already.
    pub fn resend(&mut self, family: Family) {
        self.refresh.insert(family, None);
    }

    /// The session is gone: the neighbour has nothing and is to have nothing, until it is set again.
    pub fn clear(&mut self) {
        *self = AdjRibOut::new();
    }

    /// What the neighbour was last sent.
    pub fn sent(&self, prefix: Prefix) -> Option<&Arc<Attributes>> {
        match self.pending.get(&prefix) {
            Some(pending) => pending.sent.as_ref(),
            None => self.wanted.get(prefix),
        }
    }

    /// What the neighbour is to have.
    pub fn wanted(&self, prefix: Prefix) -> Option<&Arc<Attributes>> {
        self.wanted.get(prefix)
    }

    /// Whether something about the prefix is still to be drained.
    pub fn is_pending(&self, prefix: Prefix) -> bool {
        self.pending.contains_key(&prefix)
    }

    /// Prefixes queued. A refresh has more to come.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether an announcement of our own is still to be drained.
    pub fn is_urgent(&self) -> bool {
        self.queue.first().is_some_and(|(urgency, ..)| *urgency == Urgency::Own)
    }

    /// Nothing is to be drained.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.refresh.is_empty()
    }

    /// Routes of one family that the neighbour is to have.
    pub fn len(&self, family: Family) -> usize {
        self.wanted.len(family)
    }

    /// Whether the neighbour is to have nothing.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Queues the next portion of a refresh.
    fn queue_refresh(&mut self) {
        let Some((family, last)) = self.refresh.pop_first() else { return };
        let shared = |(prefix, set): (Prefix, &Arc<Attributes>)| (prefix, Arc::clone(set));
        let routes: Vec<(Prefix, Arc<Attributes>)> = match last {
            None => self.wanted.family(family).take(REFRESH_PORTION).map(shared).collect(),
            Some(_) => {
                let rest = self.wanted.iter_after(last);
                let rest = rest.take_while(|(prefix, _)| prefix.family() == family);
                rest.take(REFRESH_PORTION).map(shared).collect()
            }
        };
        if let Some((last, _)) = routes.last().filter(|_| routes.len() == REFRESH_PORTION) {
            self.refresh.insert(family, Some(*last));
        }
        for (prefix, attributes) in routes {
            let pending = match self.unqueue(prefix) {
                Some(pending) => Pending { again: true, ..pending },
                None => Pending {
                    sent: Some(Arc::clone(&attributes)),
                    again: true,
                    urgency: Urgency::Bulk,
                    group: WITHDRAWALS,
                },
            };
            self.enqueue(prefix, Some(attributes), pending);
        }
    }

    fn enqueue(
        &mut self,
        prefix: Prefix,
        attributes: Option<Arc<Attributes>>,
        mut pending: Pending,
    ) {
        pending.group = match attributes {
            None => WITHDRAWALS,
            Some(attributes) => self.join(attributes),
        };
        self.queue.insert((pending.urgency, pending.group, prefix));
        self.pending.insert(prefix, pending);
    }

    fn unqueue(&mut self, prefix: Prefix) -> Option<Pending> {
        let pending = self.pending.remove(&prefix)?;
        self.queue.remove(&(pending.urgency, pending.group, prefix));
        if let Some(set) = self.sets.get_mut(&pending.group) {
            set.queued -= 1;
            if set.queued == 0 {
                self.groups.remove(&address(&set.attributes));
                self.sets.remove(&pending.group);
            }
        }
        Some(pending)
    }

    /// The group of an attribute set, with one prefix more in it.
    fn join(&mut self, attributes: Arc<Attributes>) -> Group {
        let group = *self.groups.entry(address(&attributes)).or_insert_with(|| {
            self.last_group += 1;
            Group(self.last_group)
        });
        self.sets.entry(group).or_insert(Set { attributes, queued: 0 }).queued += 1;
        group
    }
}

/// Names an attribute set while somebody holds it. Only looked up by, never ordered by.
fn address(attributes: &Arc<Attributes>) -> usize {
    Arc::as_ptr(attributes).addr()
}
