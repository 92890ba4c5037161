use std::collections::BTreeMap;

use crate::wire::ospf::PacketKind;

/// What passed over an interface since it is configured and there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Good packets, whatever came of them.
    pub received: Packets,
    pub sent: Packets,
    /// What came and was not taken, packets and advertisements, by a short word for the reason.
    pub discarded: BTreeMap<&'static str, u64>,
}

/// Packets by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    pub hello: u64,
    pub database_description: u64,
    pub link_state_request: u64,
    pub link_state_update: u64,
    pub link_state_acknowledgment: u64,
}

impl Counters {
    pub(super) fn discard(&mut self, reason: &'static str) {
        *self.discarded.entry(reason).or_default() += 1;
    }
}

impl Packets {
    pub fn total(&self) -> u64 {
        self.hello
            + self.database_description
            + self.link_state_request
            + self.link_state_update
            + self.link_state_acknowledgment
    }

    pub(super) fn count(&mut self, kind: PacketKind) {
        *match kind {
            PacketKind::Hello => &mut self.hello,
            PacketKind::DatabaseDescription => &mut self.database_description,
            PacketKind::LinkStateRequest => &mut self.link_state_request,
            PacketKind::LinkStateUpdate => &mut self.link_state_update,
            PacketKind::LinkStateAcknowledgment => &mut self.link_state_acknowledgment,
        } += 1;
    }
}
