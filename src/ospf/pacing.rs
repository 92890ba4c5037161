//! When an instance of an LSA of ours may go out.
//!
//! **What forces us to wait.** A router takes one instance of an LSA per second: a newer one that comes within
//! MinLSArrival of the last is dropped without an acknowledgement (RFC 2328 §13 (5) (a)). Its sender repeats it after
//! RxmtInterval, 5 s by default, while traffic goes where the *older* one says. A change that is sent too early is not
//! early, then, but five seconds late. RFC 2328 has originators wait MinLSInterval, 5 s, between instances (§12.4),
//! which is safe and just as late.
//!
//! **What is done instead.** Per LSA, not per router:
//!
//! - The first change goes out at once.
//! - The next instance of the same LSA goes out `min_ls_interval` after the last one was sent, and not a moment later.
//!   That is a token bucket which holds one token. The default, 1.05 s, is the second that neighbours insist on and
//!   50 ms for what the way to them adds: one hop may have had the last instance late, by its queue and ours, and this
//!   one early. Routers farther away see the same distance, as flooding adds the same to both.
//! - In between only the latest wish counts. There is no queue of wishes: when the time comes, what is wanted *then* is
//!   compared with what was announced, and if it is the same again, nothing is sent.
//! - Different LSAs never wait for each other. A prefix has an LSA of its own on each site, so a switch (we raise ours)
//!   and its reversal (they raise theirs above it) are immediate both, and so is any number of prefixes at once.
//!
//! **What counts as sent.** The pause is for those who may drop, so it counts from when a neighbour can have got the
//! last instance: flooded, or given on request during an exchange, or repeated to a neighbour which then acknowledged
//! it. If nobody has got it, as nobody is in Exchange yet, there is no pause. What is repeated to a neighbour that
//! stays silent does not hold up the others; if it was alive after all and drops the new instance, it is sent that
//! again after the pause ([`Retransmissions::add`](super::Retransmissions)), not after RxmtInterval. Nor does who asks for an LSA again and again, or sends us instances of it: no change waits for more than two pauses.
//!
//! **What is left.** Several changes of one LSA in a row are late by the pause at most: 1.05 s instead of 5. An LSA
//! that a *distant* router got late, by a repetition between two others, may still be dropped there; we do not know.

use std::collections::BTreeMap;

use super::Router;
use super::database::Entry;
use crate::types::{Deadlines, Time};
use crate::wire::ospf::{LsaHeader, LsaKey, SequenceNumber};

/// What the pauses need beside the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Pacing {
    /// LSAs whose next instance must wait, and until when.
    pub(super) waiting: Deadlines<LsaKey>,
    /// Since when they wait.
    since: BTreeMap<LsaKey, Time>,
    /// LSAs of ours that are not in the database.
    retired: BTreeMap<LsaKey, Retired>,
}

/// What is remembered of an LSA of ours that was flushed, or that a neighbour still has from an earlier life of ours.
#[derive(Clone, Copy, Debug)]
struct Retired {
    /// `None`: the next instance has the first one (RFC 2328 §12.1.6).
    sequence: Option<SequenceNumber>,
    sent: Option<Time>,
}

/// How many are remembered. What is forgotten costs a round trip more: a neighbour which has a higher sequence
/// number answers with it.
const MAX_RETIRED: usize = 16_384;

impl Router {
    /// Until when a newer instance of an LSA of ours has to wait; `None` if none does.
    pub fn waits_until(&self, key: LsaKey) -> Option<Time> {
        self.origination.pacing.waiting.get(key)
    }
}

impl Pacing {
    pub(super) fn wait(&mut self, key: LsaKey, until: Time, now: Time) {
        self.waiting.set(key, until);
        self.since.entry(key).or_insert(now);
    }

    pub(super) fn wait_no_more(&mut self, key: LsaKey) {
        self.waiting.clear(key);
        self.since.remove(&key);
    }

    /// Remembers a flushed LSA that is leaving the database.
    pub(super) fn retire(&mut self, entry: &Entry) {
        let LsaHeader { key, sequence, .. } = entry.lsa.header;
        let sequence = (sequence != SequenceNumber::MAX).then_some(sequence);
        self.remember(key, Retired { sequence, sent: entry.sent });
    }

    /// A neighbour has this of ours.
    pub(super) fn seen(&mut self, header: &LsaHeader) {
        let known = self.retired.get(&header.key);
        let sequence = known.and_then(|known| known.sequence).max(Some(header.sequence));
        let sent = known.and_then(|known| known.sent);
        self.remember(header.key, Retired { sequence, sent });
    }

    pub(super) fn remembers(&self, key: &LsaKey) -> bool {
        self.retired.contains_key(key)
    }

    /// The sequence number that the next instance must exceed.
    pub(super) fn last_sequence(&self, key: &LsaKey) -> Option<SequenceNumber> {
        self.retired.get(key)?.sequence
    }

    /// The LSA is in the database again.
    pub(super) fn forget(&mut self, key: &LsaKey) {
        self.retired.remove(key);
    }

    fn remember(&mut self, key: LsaKey, retired: Retired) {
        if self.retired.len() < MAX_RETIRED || self.retired.contains_key(&key) {
            self.retired.insert(key, retired);
        }
    }
}

impl Router {
    /// When the next instance of this LSA of ours may go out; in the past if it may now.
    pub(super) fn may_originate_at(&self, key: &LsaKey) -> Time {
        let entry = self.database.get(key).and_then(|entry| entry.sent);
        let retired = || self.origination.pacing.retired.get(key)?.sent;
        let Some(sent) = entry.or_else(retired) else { return Time::ZERO };
        let pause = self.settings.min_ls_interval;
        match self.origination.pacing.since.get(key) {
            Some(&since) => (sent + pause).min(since + 2 * pause),
            None => sent + pause,
        }
    }
}
