use bytes::Bytes;

use super::restart::Stale;
use super::timer::{STALE_LIMIT, Timer};
use super::{Action, DownReason, Note, Peer, Session};
use crate::types::{Family, Time};
use crate::wire::bgp::{Message, RefreshSubtype, RouteRefresh, Update};

/// What happens within an established session, and to stale routes between two of them.
impl Peer {
    pub(super) fn send_routes(&mut self, bytes: Bytes, now: Time) {
        let Some((slot, _)) = self.up() else { return };
        if bytes.is_empty() {
            return;
        }
        self.counters.sent.count_updates(&bytes);
        self.transmit(slot, bytes, now);
        // An UPDATE is as good as a KEEPALIVE (RFC 4271 §8.2.2, Established, event 27).
        self.restart_keepalive(slot, now);
    }

    pub(super) fn ask_refresh(&mut self, family: Family, now: Time) {
        match self.up() {
            Some((slot, session))
                if session.refresh && session.facts.families.contains(&family) =>
            {
                let request = RouteRefresh::new(family, RefreshSubtype::Request);
                self.send(slot, &Message::RouteRefresh(request), now);
            }
            _ => self.note(Note::CannotRefresh { family }),
        }
    }

    /// Marks where our answer to a refresh begins and ends, if the neighbour knows the marks.
    pub(super) fn mark_refresh(&mut self, family: Family, begins: bool, now: Time) {
        let Some((slot, session)) = self.up() else { return };
        if session.enhanced_refresh && session.facts.families.contains(&family) {
            let subtype = if begins { RefreshSubtype::Begin } else { RefreshSubtype::End };
            self.send(slot, &Message::RouteRefresh(RouteRefresh::new(family, subtype)), now);
        }
    }

    pub(super) fn learn(&mut self, update: Update) {
        let end_of_rib = update.end_of_rib;
        let Update { withdrawn, announced, problems, .. } = &update;
        if !withdrawn.is_empty() || !announced.is_empty() || !problems.is_empty() {
            self.actions.push_back(Action::Learned(update));
        }
        let negotiated = |family: &Family| {
            self.session().is_some_and(|session| session.facts.families.contains(family))
        };
        if let Some(family) = end_of_rib.filter(negotiated) {
            self.actions.push_back(Action::EndOfRib { family });
            if self.stale.get(&family) == Some(&Stale::Restart) {
                self.sweep(family);
            }
        }
    }

    pub(super) fn refreshed(&mut self, refresh: RouteRefresh, now: Time) {
        let Some((_, session)) = self.up() else { return };
        // A family that was not negotiated is none of our business (RFC 2918 §4).
        let Some(family) = Family::from_afi_safi(refresh.afi, refresh.safi)
            .filter(|family| session.facts.families.contains(family))
        else {
            return;
        };
        let marks = session.enhanced_refresh;
        let stale = self.stale.get(&family).copied();
        match (refresh.subtype, stale) {
            (RefreshSubtype::Request, _) => {
                self.actions.push_back(Action::RefreshRequested { family });
            }
            // Until End-of-RIB the routes of a restarted neighbour are stale already (RFC 7313 §4).
            (RefreshSubtype::Begin, None | Some(Stale::Refresh)) if marks => {
                self.stale.insert(family, Stale::Refresh);
                self.timers.set(Timer::Stale(family), now + STALE_LIMIT);
                self.actions.push_back(Action::MarkStale { family });
            }
            (RefreshSubtype::End, Some(Stale::Refresh)) if marks => self.sweep(family),
            _ => {}
        }
    }

    /// The neighbour is back: routes whose forwarding did not survive are gone at once, the others
    /// when it has sent all it has (RFC 4724 §4.2).
    pub(super) fn came_up(&mut self, session: &Session, now: Time) {
        let preserved =
            session.restart.as_ref().map(|restart| &*restart.preserved).unwrap_or_default();
        for family in self.stale.keys().copied().collect::<Vec<_>>() {
            if preserved.contains(&family) {
                self.timers.set(Timer::Stale(family), now + STALE_LIMIT);
            } else {
                self.sweep(family);
            }
        }
    }

    /// The session ended: some families may be kept for a while.
    pub(super) fn went_down(&mut self, session: &Session, reason: DownReason, now: Time) {
        // Routes still stale from before are not kept a second time (RFC 4724 §4.2).
        self.sweep_all();
        let mut retained = Vec::new();
        if let Some(restart) = &session.restart {
            retained = restart.retained(&reason);
            for family in &retained {
                self.stale.insert(*family, Stale::Restart);
                self.timers.set(Timer::Stale(*family), now + restart.time);
            }
        }
        self.actions.push_back(Action::Down { reason, retained });
    }

    pub(super) fn sweep_all(&mut self) {
        for family in Family::ALL {
            if self.stale.contains_key(&family) {
                self.sweep(family);
            }
        }
    }

    pub(super) fn sweep(&mut self, family: Family) {
        self.stale.remove(&family);
        self.timers.clear(Timer::Stale(family));
        self.actions.push_back(Action::SweepStale { family });
    }
}
