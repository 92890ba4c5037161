use std::collections::BTreeMap;

use crate::types::{Deadlines, Time};
use crate::wire::ospf::LsaKey;

/// Link state retransmission list: what was sent to a neighbour and is not acknowledged yet (RFC 2328 §10).
#[derive(Clone, Debug, Default)]
pub struct Retransmissions {
    /// When each is to be sent again.
    due: Deadlines<LsaKey>,
    /// When what was sent again was, the last time.
    resent: BTreeMap<LsaKey, Time>,
}

impl Retransmissions {
    pub fn contains(&self, key: &LsaKey) -> bool {
        self.due.get(*key).is_some()
    }

    pub fn len(&self) -> usize {
        self.due.len()
    }

    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The adjacency is over.
    pub(super) fn clear(&mut self) {
        *self = Retransmissions::default();
    }
}
