//! What the members of a sync group do together. A virtual router without one is a unit of its own, so that the rules
//! are the same for both.

use std::time::Duration;

use super::{Reason, State, VirtualRouterId, Vrrp};
use crate::types::Time;

/// A sync group, or a virtual router alone: what its members say together. Computed anew after every event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unit {
    /// A member's interface cannot be used: no member may be Active.
    held: bool,
    /// When a Backup unit takes over: not before all of its members would by themselves. As long as one of them hears
    /// the Active, the Active lives; what is cut is the link, and to take over would split the group.
    elected_at: Option<Time>,
    /// The shortest Active_Down_Interval of its members.
    patience: Option<Duration>,
}

impl Vrrp {
    /// Puts every virtual router into its unit, and computes what it advertises: the worst adjustment, and the release,
    /// of one member count for all, as they move together.
    pub(super) fn regroup(&mut self, now: Time) {
        self.units.clear();
        for index in 0..self.routers.len() {
            let Some((router, before)) =
                self.routers.get_mut(..=index).and_then(<[_]>::split_last_mut)
            else {
                continue;
            };
            let group = &router.settings.sync_group;
            let known =
                before.iter().find(|other| group.is_some() && other.settings.sync_group == *group);
            router.unit = known.map_or(self.units.len(), |other| other.unit);
            if router.unit == self.units.len() {
                self.units.push(Unit::default());
            }
        }
        for unit in 0..self.units.len() {
            let members = self.routers.iter().filter(|router| router.unit == unit);
            let adjusted = members.clone().map(|router| router.adjusted).min().unwrap_or(0);
            let released = members.clone().any(|router| router.released);
            for router in self.routers.iter_mut().filter(|router| router.unit == unit) {
                let priority = effective_priority(router.settings.priority, adjusted, released);
                let could = router.is_owner() && router.preempts;
                let before = std::mem::replace(&mut router.priority, priority);
                router.preempts = self.ready && (router.settings.preempt || router.is_owner());
                if router.state != State::Backup {
                    if router.state == State::Active && before != priority && !router.released {
                        router.tell(now, &mut self.actions);
                    }
                    continue;
                }
                if router.is_owner() && router.preempts && !could {
                    router.claim(now);
                } else if !router.beats(router.election.lower) {
                    router.election.preempt_at = None;
                    if router.election.reason == Reason::Preempted {
                        // What let the timer run out is no longer so.
                        router.restart_timer(now);
                    }
                }
            }
        }
    }

    /// After what concerns single members: brings each unit together again, and lets those take over whose time it is.
    pub(super) fn settle(&mut self, now: Time) {
        for unit in 0..self.units.len() {
            let members = self.routers.iter().filter(|router| router.unit == unit);
            // One that has not started yet, as its sockets are being opened, takes no role away.
            let held = members.clone().any(|router| {
                router.state == State::Initialize && router.reason != Reason::Started
            });
            let active = members.clone().any(|router| router.state == State::Active);
            let mut backup = members.filter(|router| router.state == State::Backup).peekable();
            if active && held {
                self.give_up(unit, None, Reason::SyncGroup, now);
            } else if active && backup.peek().is_some() {
                // A member is new. If somebody else is Active there, the unit is not ours.
                if backup.any(|router| router.active.is_some()) {
                    self.give_up(unit, None, Reason::SyncGroup, now);
                } else {
                    self.take_over(unit, now);
                }
            }
        }
        self.reckon();
        self.elect(now);
    }

    /// The units whose time it is become Active.
    fn elect(&mut self, now: Time) {
        for index in 0..self.units.len() {
            let Some(unit) = self.units.get(index) else { continue };
            let Some(at) = unit.elected_at.filter(|at| !unit.held && *at <= now) else { continue };
            if unit.patience.is_some_and(|patience| now >= at + patience) {
                // We stood still. That we have heard nothing says nothing.
                for router in self.routers.iter_mut().filter(|router| router.unit == index) {
                    router.election.preempt_at = None;
                    router.restart_timer(now);
                }
            } else {
                self.take_over(index, now);
            }
        }
        self.reckon();
    }

    pub(super) fn tick_units(&mut self, now: Time) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        while let Some(router) = self.routers.iter().find(|router| router.is_stalled(now)) {
            self.give_up(router.unit, None, Reason::Stalled, now);
        }
        self.elect(now);
        for router in self.routers.iter_mut().filter(|router| router.state == State::Active) {
            if router.advertise_at <= now {
                router.advertise(now, &mut self.actions);
            }
            if router.announcer.fire(router.settings.announcement_interval, now) {
                router.announce(&mut self.actions);
            }
        }
        self.reckon();
    }

    /// Every member becomes Active.
    fn take_over(&mut self, unit: usize, now: Time) {
        let members = self.routers.iter_mut().filter(|router| router.unit == unit);
        for router in members.filter(|router| router.state == State::Backup) {
            let by_delay = router.election.preempt_at.is_some_and(|at| at <= now);
            let reason = if by_delay {
                Reason::Preempted
            } else if router.elected_at() <= now {
                router.election.reason
            } else {
                Reason::SyncGroup
            };
            router.take_over(reason, now, &mut self.actions);
        }
    }

    /// Every member that is Active becomes Backup. `culprit`: the member with that reason; for the others it is the
    /// group's.
    pub(super) fn give_up(
        &mut self,
        unit: usize,
        culprit: Option<VirtualRouterId>,
        reason: Reason,
        now: Time,
    ) {
        let alone = self.routers.iter().filter(|router| router.unit == unit).count() == 1;
        let members = self.routers.iter_mut().filter(|router| router.unit == unit);
        for router in members.filter(|router| router.state == State::Active) {
            let concerned = culprit.is_none_or(|culprit| culprit == router.id);
            let reason = if concerned { reason } else { Reason::SyncGroup };
            router.yield_role(reason != Reason::HigherPriority, reason, now, &mut self.actions);
            if !alone {
                // Two groups that each lose on one link would go on to take over and to yield in step.
                let span = router.active_down_interval();
                router.election.not_before = now + self.rng.jitter(span, 0, 100);
            }
        }
    }

    /// When the next thing happens by itself.
    pub(super) fn reckon(&mut self) {
        for unit in &mut self.units {
            *unit = Unit::default();
        }
        let mut deadline: Option<Time> = None;
        for router in &self.routers {
            let Some(unit) = self.units.get_mut(router.unit) else { continue };
            match router.state {
                State::Initialize => unit.held = true,
                State::Backup => {
                    unit.elected_at = unit.elected_at.max(Some(router.elected_at()));
                    let patience = router.active_down_interval();
                    unit.patience = Some(unit.patience.map_or(patience, |p| p.min(patience)));
                }
                State::Active => {
                    let at = router.deadline();
                    deadline = Some(deadline.map_or(at, |deadline| deadline.min(at)));
                }
            }
        }
        let elections = self.units.iter().filter(|unit| !unit.held);
        self.deadline = elections.filter_map(|unit| unit.elected_at).chain(deadline).min();
    }
}

/// What is advertised: an owner stays one unless something lowers its priority.
fn effective_priority(configured: u8, adjusted: i16, released: bool) -> u8 {
    match (configured, adjusted) {
        _ if released => 1,
        (255, 0..) => 255,
        _ => {
            let sum = i16::from(configured).saturating_add(adjusted);
            u8::try_from(sum.clamp(1, 254)).unwrap_or(254)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owner_that_nothing_lowers_has_255() {
        assert_eq!(effective_priority(255, 0, false), 255);
        assert_eq!(effective_priority(255, 20, false), 255);
        assert_eq!(effective_priority(255, -1, false), 254);
        assert_eq!(effective_priority(250, 20, false), 254);
        assert_eq!(effective_priority(100, -30, false), 70);
        assert_eq!(effective_priority(100, i16::MIN, false), 1);
        assert_eq!(effective_priority(255, 0, true), 1);
    }
}
