use std::time::Duration;

use super::Router;
use super::neighbor::NeighborState;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Lsa, LsaBody, LsaKey};

/// No neighbour is helped for longer (RFC 3623 §B recommends it as the most that may be asked for).
const LONGEST: Duration = Duration::from_secs(1800);

/// Helps neighbours that restart while their forwarding goes on (RFC 3623 §3). Our own restart is another matter: we
/// come back as a stub router, which needs no help.
impl Router {
    /// Looks for Grace-LSAs in an update. They may come by way of another router on the network.
    pub(super) fn grace_received(&mut self, from: (u32, RouterId), lsas: &[Lsa], now: Time) {
        for lsa in lsas {
            let LsaBody::Grace(grace) = &lsa.body else { continue };
            let restarting = (from.0, lsa.header.key.advertising_router);
            let age = lsa.header.seconds();
            if lsa.header.is_max_age() {
                self.end_help(restarting, "it has restarted", now);
                continue;
            }
            let period = Duration::from_secs(grace.period.into()).min(LONGEST);
            let left = period.saturating_sub(Duration::from_secs(age.into()));
            self.help(restarting, left, now);
        }
    }

    /// Enters helper mode if we may (RFC 3623 §3.1).
    fn help(&mut self, from: (u32, RouterId), left: Duration, now: Time) {
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let again = neighbor.helped.is_some();
        // What it has not acknowledged, it may not know.
        let missed = !neighbor.retransmissions.is_empty();
        if left.is_zero() || !again && (neighbor.state != NeighborState::Full || missed) {
            return;
        }
        neighbor.helped = Some(now + left);
        if !again {
            let subject = self.neighbor_name(from);
            let text = format!("restarts gracefully: kept for up to {} s", left.as_secs());
            self.note(subject, text, false);
        }
    }

    /// Leaves helper mode (RFC 3623 §3.2). An adjacency that is not Full again by now is gone.
    pub(super) fn end_help(&mut self, from: (u32, RouterId), why: &str, now: Time) {
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        if neighbor.helped.take().is_none() {
            return;
        }
        let lost = !neighbor.is_adjacent();
        let subject = self.neighbor_name(from);
        self.note(subject, format!("no longer helped over its restart: {why}"), lost);
        self.neighbors_changed(from.0, now);
        self.adjacency_changed(from.0, now);
    }

    /// The content of an LSA has changed: what is not known to a neighbour that restarts may make its forwarding
    /// wrong, so helping ends (strict LSA checking, RFC 3623 §3.2 (3)).
    pub(super) fn disturb_restarts(&mut self, key: &LsaKey, now: Time) {
        // Types 1 to 5 and 7.
        if key.kind.is_opaque() {
            return;
        }
        let mut helped = Vec::new();
        for (index, interface) in &self.interfaces {
            for neighbor in interface.neighbors.values().filter(|n| n.helped.is_some()) {
                helped.push((*index, neighbor.router_id));
            }
        }
        for from in helped {
            self.end_help(from, "the topology has changed", now);
        }
    }
}
