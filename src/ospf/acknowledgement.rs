use std::cmp::Ordering;
use std::time::Duration;

use super::{Interface, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Body, LsaHeader};

/// How long an acknowledgement waits for company (RFC 2328 §13.5: less than RxmtInterval, 5 s as a rule). An order, or a
/// takeover, that waits until it is seen waits this much longer. What one flood brings comes within it, as routers send
/// the packets of one without a pause.
const DELAY: Duration = Duration::from_millis(5);

/// What becomes of a received LSA: the columns of RFC 2328 §13.5, table 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    /// Flooded back out of the interface, acknowledged by what we sent, or dropped: none.
    Nothing,
    /// To the sender at once: it sent a duplicate, or an LSA at MaxAge that we do not have.
    Direct,
    /// With others, to all on the network.
    Delayed,
    /// The sender lists what it does not have: the exchange begins anew.
    BadRequest,
}

impl Interface {
    /// The acknowledgement that is due unless the LSA was flooded back: a BDR lets the DR speak for the others.
    pub(super) fn delayed_receipt(&self, sender: RouterId) -> Receipt {
        if self.state != super::InterfaceState::Backup || self.is_designated(sender) {
            Receipt::Delayed
        } else {
            Receipt::Nothing
        }
    }

    pub(super) fn is_designated(&self, router_id: RouterId) -> bool {
        self.neighbors.get(&router_id).is_some_and(|neighbor| neighbor.address == self.designated)
    }
}

impl Router {
    /// A Link State Acknowledgment of a neighbour in Exchange or greater (RFC 2328 §13.7).
    pub(super) fn acknowledgments_received(
        &mut self,
        from: (u32, RouterId),
        headers: Vec<LsaHeader>,
        now: Time,
    ) {
        for header in headers {
            let same = self
                .database_of(from.0, header.key.kind)
                .and_then(|database| database.get(&header.key))
                .is_some_and(|entry| {
                    header.compare_instance(&entry.header(now)) == Ordering::Equal
                });
            if same {
                self.acknowledged(from, &header, now);
            }
        }
    }

    /// The neighbour has the instance that is in our database.
    pub(super) fn acknowledged(&mut self, from: (u32, RouterId), header: &LsaHeader, now: Time) {
        let Some(neighbor) = self
            .interfaces
            .get_mut(&from.0)
            .and_then(|interface| interface.neighbors.get_mut(&from.1))
        else {
            return;
        };
        if !neighbor.retransmissions.contains(&header.key) {
            return;
        }
        let resent = neighbor.retransmissions.remove(&header.key);
        let database = self.database_of_mut(from.0, header.key.kind);
        let Some(entry) = database.get_mut(&header.key) else { return };
        // It took the repeated one, so that is from when it does not take the next.
        entry.sent = entry.sent.max(resent);
        if entry.lsa.header.is_max_age() {
            self.remove_flushed(from.0, header.key, now);
        }
    }

    /// RFC 2328 §13.5: to the sender alone.
    pub(super) fn acknowledge_directly(
        &mut self,
        from: (u32, RouterId),
        headers: &[LsaHeader],
        now: Time,
    ) {
        let Some(interface) = self.interfaces.get(&from.0) else { return };
        let Some(destination) = interface.destination_of(from.1) else { return };
        let per_packet = interface.headers_per_packet();
        for headers in headers.chunks(per_packet) {
            let body = Body::LinkStateAcknowledgment(headers.to_vec());
            self.send(from.0, destination, body, now);
        }
    }

    /// RFC 2328 §13.5: to all, with others that come within the delay.
    pub(super) fn acknowledge_later(&mut self, index: u32, header: LsaHeader, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        interface.acknowledgements.push(header);
        interface.acknowledge_at.get_or_insert(now + DELAY);
        if interface.acknowledgements.len() >= interface.headers_per_packet() {
            self.acknowledge(index, now);
        }
    }

    /// Sends the delayed acknowledgements that are due.
    pub(super) fn acknowledge_due(&mut self, now: Time) {
        let due: Vec<u32> = self
            .interfaces
            .iter()
            .filter(|(_, interface)| interface.acknowledge_at.is_some_and(|at| at <= now))
            .map(|(&index, _)| index)
            .collect();
        for index in due {
            self.acknowledge(index, now);
        }
    }

    fn acknowledge(&mut self, index: u32, now: Time) {
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        interface.acknowledge_at = None;
        let headers = std::mem::take(&mut interface.acknowledgements);
        let destination = interface.flooding_destination();
        if !headers.is_empty() {
            self.send(index, destination, Body::LinkStateAcknowledgment(headers), now);
        }
    }
}

impl Interface {
    fn headers_per_packet(&self) -> usize {
        (self.room() / LsaHeader::LENGTH).max(1)
    }
}
