use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::pending::{GroupId, Pending, PendingPrefixes, WITHDRAWALS};
use super::routes::same;
use crate::types::{Family, Prefix, PrefixTable};
use crate::wire::bgp::Attributes;

/// What one neighbour is to have, and what of it is still to be sent.
///
/// Per route that is settled: 8 octets beside the trie (about 27 octets for IPv4 in all). Per route still to be
/// sent about 80 more. Changes that cancel each other before they are drained send nothing.
///
/// What is to be sent lies in groups, one per attribute set, in the order in which the sets were first queued. A prefix
/// that has left a group stays in its list and is passed over when its turn comes, which costs less than to find it.
#[derive(Clone, Default)]
pub struct AdjRibOut {
    /// What the neighbour is to have: by routes that are passed on, and by sets that were made for it.
    passed: PrefixTable<Arc<Attributes>>,
    made: PrefixTable<Arc<Attributes>>,
    /// The prefixes for which that is not what was last sent.
    pending: PendingPrefixes,
    /// The same prefixes in the order of sending.
    groups: BTreeMap<GroupId, Group>,
    /// The groups that a prefix can still join: by urgency and the address of the set.
    open: BTreeMap<(Urgency, usize), GroupId>,
    last_group: u64,
    /// Families to be sent again, and the last prefix of each that has been queued for it.
    refresh: BTreeMap<Family, Option<Prefix>>,
}

/// Routes that a refresh queues at a time: enough to pack, few enough not to hold up anybody.
const REFRESH_PORTION: usize = 16_384;

/// A list with fewer prefixes is not looked at for those that have left.
const SMALLEST_SWEEP: usize = 64;

/// What a neighbour is told of a prefix. The set should be interned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This set as it is: it was made for the neighbour.
    Made(Arc<Attributes>),
    /// This set of a learned route, as [`export`](super::export::export) makes it when it is encoded: so the
    /// neighbour's routes take no attribute sets of their own.
    Passed(Arc<Attributes>),
}

/// What is sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Our own announcements: a switch of a group does not wait behind a full table.
    Own,
    /// Learned routes passed on, and what a neighbour asked for again.
    Bulk,
}

#[derive(Clone)]
struct Group {
    /// None for withdrawals.
    told: Option<Told>,
    /// Those still in the group, and some that have left it.
    prefixes: VecDeque<Prefix>,
    /// How many are still in it.
    queued: usize,
}

/// Routes to be sent now, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub withdrawn: Vec<Prefix>,
    /// Prefixes by attribute set, each list of one family. A set can appear again in a later batch.
    pub announced: Vec<(Told, Vec<Prefix>)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.withdrawn.is_empty() && self.announced.is_empty()
    }
}

impl Told {
    fn set(&self) -> &Arc<Attributes> {
        match self {
            Told::Made(set) | Told::Passed(set) => set,
        }
    }

    fn is_same(&self, other: &Told) -> bool {
        match (self, other) {
            (Told::Made(one), Told::Made(other)) | (Told::Passed(one), Told::Passed(other)) => {
                same(one, other)
            }
            _ => false,
        }
    }
}

impl AdjRibOut {
    pub fn new() -> AdjRibOut {
        AdjRibOut::default()
    }

    /// What the neighbour is to have for `prefix`: this, or no route.
    pub fn set(&mut self, prefix: Prefix, told: Option<Told>, urgency: Urgency) {
        let old = match &told {
            Some(Told::Passed(set)) => {
                let old = self.passed.insert(prefix, Arc::clone(set)).map(Told::Passed);
                old.or_else(|| self.made.remove(prefix).map(Told::Made))
            }
            Some(Told::Made(set)) => {
                let old = self.made.insert(prefix, Arc::clone(set)).map(Told::Made);
                old.or_else(|| self.passed.remove(prefix).map(Told::Passed))
            }
            None => {
                let old = self.passed.remove(prefix).map(Told::Passed);
                old.or_else(|| self.made.remove(prefix).map(Told::Made))
            }
        };
        if is_same(old.as_ref(), told.as_ref()) {
            return;
        }
        let (sent, again) = match self.unqueue(prefix) {
            Some(pending) => (pending.sent(), pending.again()),
            None => (old, false),
        };
        let is_needless = is_same(sent.as_ref(), told.as_ref()) && (!again || told.is_none());
        if !is_needless {
            self.enqueue(prefix, told, sent, again, urgency);
        }
    }

    /// Takes up to `limit` prefixes that are still to be sent. From here on they count as sent.
    pub fn drain(&mut self, limit: usize) -> Batch {
        if self.pending.len() < limit {
            self.queue_refresh();
        }
        let mut batch = Batch::default();
        let mut left = limit;
        while left > 0
            && let Some(mut entry) = self.groups.first_entry()
        {
            let (id, group) = (*entry.key(), entry.get_mut());
            if group.queued > left && group.queued <= limit {
                // Whole in the next batch: one UPDATE, not two.
                break;
            }
            let mut lists: [Vec<Prefix>; 2] = [Vec::new(), Vec::new()];
            let mut looked_at = 0;
            for prefix in &group.prefixes {
                if left == 0 {
                    break;
                }
                looked_at += 1;
                if self.pending.get(*prefix).is_some_and(|pending| pending.group() == id) {
                    self.pending.remove(*prefix);
                    lists[usize::from(prefix.family() == Family::Ipv6)].push(*prefix);
                    group.queued -= 1;
                    left -= 1;
                }
            }
            let told = group.told.clone();
            if group.queued == 0 {
                if let Some(told) = &told {
                    self.open.remove(&(id.urgency(), address(told)));
                }
                entry.remove();
            } else {
                group.prefixes.drain(..looked_at);
            }
            for prefixes in lists.into_iter().filter(|prefixes| !prefixes.is_empty()) {
                match &told {
                    None => batch.withdrawn.extend(prefixes),
                    Some(told) => batch.announced.push((told.clone(), prefixes)),
                }
            }
        }
        if self.pending.is_empty() {
            self.pending.give_back(REFRESH_PORTION);
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
    pub fn sent(&self, prefix: Prefix) -> Option<Told> {
        match self.pending.get(prefix) {
            Some(pending) => pending.sent(),
            None => self.wanted(prefix),
        }
    }

    /// What the neighbour is to have.
    pub fn wanted(&self, prefix: Prefix) -> Option<Told> {
        let passed = self.passed.get(prefix).map(|set| Told::Passed(Arc::clone(set)));
        passed.or_else(|| self.made.get(prefix).map(|set| Told::Made(Arc::clone(set))))
    }

    /// Whether something about the prefix is still to be drained.
    pub fn is_pending(&self, prefix: Prefix) -> bool {
        self.pending.get(prefix).is_some()
    }

    /// Prefixes queued. A refresh has more to come.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether an announcement of our own is still to be drained.
    pub fn is_urgent(&self) -> bool {
        self.groups.first_key_value().is_some_and(|(id, _)| id.urgency() == Urgency::Own)
    }

    /// Nothing is to be drained.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.refresh.is_empty()
    }

    /// Routes of one family that the neighbour is to have.
    pub fn len(&self, family: Family) -> usize {
        self.passed.len(family) + self.made.len(family)
    }

    /// Whether the neighbour is to have nothing.
    pub fn is_empty(&self) -> bool {
        self.passed.is_empty() && self.made.is_empty()
    }

    /// Queues the next portion of a refresh.
    fn queue_refresh(&mut self) {
        let Some((family, last)) = self.refresh.pop_first() else { return };
        let after = |table: &PrefixTable<Arc<Attributes>>| -> Vec<Prefix> {
            let rest = table.iter_after(last).map(|(prefix, _)| prefix);
            let rest = rest.skip_while(|prefix| prefix.family() < family);
            rest.take_while(|prefix| prefix.family() == family).take(REFRESH_PORTION).collect()
        };
        let mut prefixes = after(&self.passed);
        prefixes.extend(after(&self.made));
        prefixes.sort_unstable();
        prefixes.truncate(REFRESH_PORTION);
        if let Some(last) = prefixes.last().filter(|_| prefixes.len() == REFRESH_PORTION) {
            self.refresh.insert(family, Some(*last));
        }
        for prefix in prefixes {
            let told = self.wanted(prefix);
            let (sent, urgency) = match self.unqueue(prefix) {
                Some(pending) => (pending.sent(), pending.group().urgency()),
                None => (told.clone(), Urgency::Bulk),
            };
            self.enqueue(prefix, told, sent, true, urgency);
        }
    }

    fn enqueue(
        &mut self,
        prefix: Prefix,
        told: Option<Told>,
        sent: Option<Told>,
        again: bool,
        urgency: Urgency,
    ) {
        let group = self.join(prefix, told, urgency);
        self.pending.insert(prefix, Pending::new(sent, again, group));
    }

    fn unqueue(&mut self, prefix: Prefix) -> Option<Pending> {
        let pending = self.pending.remove(prefix)?;
        let id = pending.group();
        let group = self.groups.get_mut(&id)?;
        group.queued -= 1;
        if group.queued == 0 {
            if let Some(told) = &group.told {
                self.open.remove(&(id.urgency(), address(told)));
            }
            self.groups.remove(&id);
        } else if group.prefixes.len() > SMALLEST_SWEEP.max(2 * group.queued) {
            let in_it = |prefix: &Prefix| {
                self.pending.get(*prefix).is_some_and(|other| other.group() == id)
            };
            group.prefixes.retain(in_it);
        }
        Some(pending)
    }

    /// Puts the prefix into the group of what is told.
    fn join(&mut self, prefix: Prefix, told: Option<Told>, urgency: Urgency) -> GroupId {
        let id = match &told {
            None => GroupId::new(urgency, WITHDRAWALS),
            Some(told) => *self.open.entry((urgency, address(told))).or_insert_with(|| {
                self.last_group += 1;
                GroupId::new(urgency, self.last_group)
            }),
        };
        let group = self.groups.entry(id).or_insert_with(|| Group {
            told,
            prefixes: VecDeque::new(),
            queued: 0,
        });
        group.prefixes.push_back(prefix);
        group.queued += 1;
        id
    }
}

fn is_same(one: Option<&Told>, other: Option<&Told>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.is_same(other),
        _ => false,
    }
}

/// Names what is told while somebody holds the set: its address, which is even, and whether it was made. Only looked up
/// by, never ordered by.
fn address(told: &Told) -> usize {
    Arc::as_ptr(told.set()).addr() | usize::from(matches!(told, Told::Made(_)))
}
