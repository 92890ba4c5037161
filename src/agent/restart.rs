//! Our own graceful restart (RFC 4724 §4.1), for neighbours with `graceful-restart = "restart"`: they keep our routes while we
//! are away, and the kernel forwards what comes.
//!
//! A new life looks first whether an earlier one has left routes in the kernel. If so, what it forwards by them stays: paths of
//! BGP are learned, but none is selected before the neighbours have sent all they have, or half of the kernel's grace is over.
//! Our own announcements do not depend on others and are not deferred, so an order waits for nothing. Nor are routes of OSPF.

use std::time::Duration;

use super::{Agent, PeerId};
use crate::bgp::{self, OwnRestart};
use crate::config::{Export, GracefulRestart, Import, OnExit};
use crate::rib::SourceId;
use crate::types::{Prefix, Time};
use crate::wire::bgp::Capability;

/// How far we have got since we started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restarting {
    /// Until it is known whether an earlier life has left routes in the kernel; neighbours that may keep ours wait.
    UntilDump,
    /// It has: until the neighbours have sent theirs.
    Deferring,
    /// `preserved`: what our routes attracted could be forwarded all the time.
    Over { preserved: bool },
}

/// The kernel's first dump takes milliseconds. Without it we have not preserved anything.
const DUMP_WITHIN: Duration = Duration::from_secs(5);

impl Agent {
    /// Whether any neighbour is asked to keep our routes.
    pub(super) fn asks_to_keep_routes(&self) -> bool {
        let asks = |restart| restart == GracefulRestart::Restart;
        self.config.neighbors.values().any(|neighbor| asks(neighbor.graceful_restart))
    }

    fn is_asked(&self, peer: PeerId) -> bool {
        let neighbor = self.neighbors.get(&peer);
        neighbor.is_some_and(|n| n.config.graceful_restart == GracefulRestart::Restart)
    }

    /// Begins to dial, unless it is not known yet what to say in the OPEN.
    pub(super) fn start_session(&mut self, peer: PeerId, now: Time) {
        if self.restarting != Restarting::UntilDump || !self.is_asked(peer) {
            self.session_event(peer, bgp::Event::OwnRestart(self.own_restart()), now);
            self.session_event(peer, bgp::Event::Started, now);
        }
    }

    fn own_restart(&self) -> OwnRestart {
        let restarting = self.restarting == Restarting::Deferring;
        let preserved = restarting || self.restarting == Restarting::Over { preserved: true };
        OwnRestart { restarting, preserved }
    }

    /// Whether a neighbour is to keep our routes when we stop: if the kernel keeps its own.
    pub(super) fn will_be_back(&self, peer: PeerId) -> bool {
        self.is_asked(peer) && self.config.kernel.on_exit == OnExit::Keep
    }

    /// Whether nobody is to hear of a change of this prefix yet.
    pub(super) fn defers(&self, prefix: Prefix) -> bool {
        self.restarting == Restarting::Deferring
            && self.rib.best(prefix).is_some_and(|best| best.source != SourceId::LOCAL)
    }

    pub(super) fn restarting_ends(&self) -> Option<Time> {
        match self.restarting {
            Restarting::UntilDump => Some(Time::ZERO + DUMP_WITHIN),
            Restarting::Deferring => Some(self.deferral_ends()),
            Restarting::Over { .. } => None,
        }
    }

    /// Before the kernel's routes of the earlier life go.
    fn deferral_ends(&self) -> Time {
        Time::ZERO + self.config.kernel.grace / 2
    }

    pub(super) fn settle_restart(&mut self, now: Time) {
        match self.restarting {
            Restarting::UntilDump => {
                if !self.fib.is_ready() && now < Time::ZERO + DUMP_WITHIN {
                    return;
                }
                let kept = self.fib.totals().observed;
                self.restarting = match kept {
                    0 => Restarting::Over { preserved: false },
                    _ => Restarting::Deferring,
                };
                if kept > 0 {
                    let text = format!("restarted, {kept} routes are still in the kernel");
                    self.report(now, "daemon", "", "info", text);
                }
                let waiting = self.neighbors.keys().copied().filter(|peer| self.is_asked(*peer));
                for peer in waiting.collect::<Vec<PeerId>>() {
                    self.start_session(peer, now);
                }
            }
            Restarting::Deferring => {
                let complete = self.has_heard_all();
                if !complete && now < self.deferral_ends() {
                    return;
                }
                let text = match complete {
                    true => "restart: all neighbours have sent their routes",
                    false => "restart: not all neighbours have sent their routes in time",
                };
                self.report(now, "daemon", "", "info", text.to_owned());
                self.end_deferral(now);
            }
            Restarting::Over { preserved: false } if self.converged => {
                self.restarting = Restarting::Over { preserved: true };
                self.tell_own_restart(now);
            }
            Restarting::Over { .. } => {}
        }
    }

    fn end_deferral(&mut self, now: Time) {
        self.restarting = Restarting::Over { preserved: true };
        self.tell_own_restart(now);
        for neighbor in self.neighbors.values_mut() {
            self.rib.reconsider(neighbor.source());
            if neighbor.is_established() && neighbor.config.export == Some(Export::Transit) {
                neighbor.walk = Some(None);
            }
        }
    }

    fn tell_own_restart(&mut self, now: Time) {
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            self.session_event(peer, bgp::Event::OwnRestart(self.own_restart()), now);
        }
    }

    /// Every neighbour that we import from has sent all it has, but for those that restart themselves and those that do not say
    /// where their routes end.
    fn has_heard_all(&self) -> bool {
        self.neighbors.values().all(|neighbor| {
            let config = &neighbor.config;
            if config.shutdown.is_some() || matches!(config.import, None | Some(Import::None)) {
                return true;
            }
            let Some(session) = neighbor.peer.session() else { return false };
            let restart =
                session.open.capabilities.iter().find_map(|capability| match capability {
                    Capability::GracefulRestart(restart) => Some(restart.restarting),
                    _ => None,
                });
            let heard = |family| neighbor.received_all.contains(family);
            restart != Some(false) || session.facts.families.iter().all(heard)
        })
    }
}
