use std::time::Duration;

use super::router::{VirtualRouter, centiseconds, group_address};
use super::{Action, Reason, Received, State, Version, Vrrp};
use crate::types::Time;
use crate::wire::vrrp::Advertisement;

impl Vrrp {
    /// A packet came: whose it is, whether it is to be believed, and what it changes (RFC 9568 §7.1, §6.4).
    pub(super) fn receive(&mut self, received: &Received<'_>, now: Time) {
        let Some(index) = self.addressee(received) else {
            let parsed =
                Advertisement::parse(received.packet, received.source, received.destination);
            let word = parsed.map_or_else(|malformed| malformed.name(), |_| "unknown-vrid");
            self.dropped.count(word);
            return;
        };
        let Some(router) = self.routers.get_mut(index) else { return };
        let advertisement = match router.check(received) {
            Ok(advertisement) => advertisement,
            Err(word) => return router.counts.dropped.count(word),
        };
        router.counts.received += 1;
        router.compare(&advertisement);
        // What waited while we did not run is not answered by an Active of the past.
        if router.is_stalled(now) {
            let unit = router.unit;
            self.give_up(unit, None, Reason::Stalled, now);
        }
        let Some(router) = self.routers.get(index) else { return };
        match router.state {
            State::Initialize => {}
            State::Backup => self.received_as_backup(index, received, &advertisement, now),
            State::Active => self.received_as_active(index, received, &advertisement, now),
        }
    }

    /// The index of the virtual router that a packet is for. The VRID counts within an interface and a family.
    fn addressee(&self, received: &Received<'_>) -> Option<usize> {
        let vrid = *received.packet.get(1)?;
        let ipv6 = received.source.is_ipv6();
        self.routers.iter().position(|VirtualRouter { settings, .. }| {
            settings.vrid == vrid
                && settings.interface == received.interface
                && settings.is_ipv6() == ipv6
        })
    }

    /// RFC 9568 §6.4.2.
    fn received_as_backup(
        &mut self,
        index: usize,
        received: &Received<'_>,
        advertisement: &Advertisement,
        now: Time,
    ) {
        let Some(router) = self.routers.get_mut(index) else { return };
        let priority = advertisement.priority;
        if priority == 0 {
            let (unit, source) = (router.unit, received.source);
            router.active = router.active.filter(|known| known.address != source);
            self.active_leaves(index, unit, now);
            return;
        }
        let lower = router.beats(priority);
        let before = router.active.filter(|known| known.address == received.source);
        if router.note_active(received.source, priority, now) {
            self.actions.push_back(Action::Changed(router.change(Reason::AnotherActive, now)));
        }
        if lower {
            router.election.lower = priority;
            // The Active was better and has become worse: it cannot do its work, and we can. That is no return of ours
            // that a delay would be for. As with priority 0, the best Backup is the first.
            if before.is_some_and(|known| !router.beats(known.priority)) {
                router.election.preempt_at = Some(now + router.skew_time());
            }
        }
        let delay = router.settings.preempt_delay;
        if lower && (delay.is_zero() || router.is_owner()) {
            // Discarded: the timer runs out, and we preempt.
            router.election.reason = Reason::Preempted;
            return;
        }
        router.learn(advertisement);
        router.restart_timer(now);
        if lower {
            router.election.preempt_at.get_or_insert(now + delay);
        } else {
            router.election.preempt_at = None;
        }
    }

    /// An Active says priority 0: only Skew_Time is left. It leaves the other links of a sync group as well, even
    /// those where it cannot say so.
    fn active_leaves(&mut self, index: usize, unit: usize, now: Time) {
        for (other, router) in self.routers.iter_mut().enumerate() {
            if router.unit != unit || router.state != State::Backup {
                continue;
            }
            let earlier = now + router.skew_time();
            if other == index || earlier < router.election.down_at {
                router.election.down_at = earlier;
                router.election.reason = Reason::ActiveLeft;
            }
        }
    }

    /// RFC 9568 §6.4.3.
    fn received_as_active(
        &mut self,
        index: usize,
        received: &Received<'_>,
        advertisement: &Advertisement,
        now: Time,
    ) {
        let Some(router) = self.routers.get_mut(index) else { return };
        let (address, priority) = (received.source, advertisement.priority);
        if priority == 0 {
            // It was Active, so that the link may still believe it.
            router.reclaim(now, &mut self.actions);
            return;
        }
        let yields = (priority, Some(address)) > (router.priority, router.primary);
        // Who preempts is not to be alarmed about: that the lower one yields is all that happens, though one more of its
        // advertisements may be under way.
        let expected = if yields {
            priority > router.priority
        } else {
            router.claimed.is_none_or(|at| now < at + router.settings.interval)
        };
        let active_down = router.active_down_interval();
        if !expected && router.conflicts.report(address, active_down, now) {
            let router = router.id;
            self.actions.push_back(Action::AnotherActive { router, address, priority, yields });
        }
        if !yields {
            router.reclaim(now, &mut self.actions);
            return;
        }
        router.note_active(address, priority, now);
        if router.claimed.is_some() {
            // What the link has learned from us is wrong now, and the other one does not know of us if it has not heard us
            // before. The virtual MAC address has moved with its advertisement, and must not move back.
            router.send(router.priority, None, &mut self.actions);
        }
        let (id, unit) = (router.id, router.unit);
        self.give_up(unit, Some(id), Reason::HigherPriority, now);
        if let Some(router) = self.routers.get_mut(index) {
            router.learn(advertisement);
            router.restart_timer(now);
        }
    }
}

impl VirtualRouter {
    /// RFC 9568 §7.1, RFC 3768 §7.1. The error is a word for a counter.
    fn check(&self, received: &Received<'_>) -> Result<Advertisement, &'static str> {
        if Some(received.source) == self.primary {
            return Err("own-address");
        }
        if received.ttl != 255 {
            return Err("wrong-ttl");
        }
        let (advertisement, _) =
            Advertisement::parse(received.packet, received.source, received.destination)
                .map_err(|malformed| malformed.name())?;
        if advertisement.version != self.settings.version {
            return Err("wrong-version");
        }
        let peers = &self.settings.unicast_peers;
        if !peers.is_empty() && !peers.contains(&received.source) {
            return Err("not-a-peer");
        }
        if peers.is_empty() && received.destination != group_address(self.settings.is_ipv6()) {
            return Err("not-multicast");
        }
        if self.settings.version == Version::V2
            && advertisement.interval != centiseconds(self.settings.interval)
        {
            return Err("wrong-interval");
        }
        if self.state == State::Initialize {
            return Err("not-started");
        }
        Ok(advertisement)
    }

    /// Notes what differs from our own settings though it need not. RFC 3768 §7.1 would have the packet dropped for
    /// other addresses, if it is looked at at all: then both are Active as soon as the first of two routers is given one
    /// more address.
    fn compare(&mut self, advertisement: &Advertisement) {
        let own = &self.settings.addresses;
        let theirs = &advertisement.addresses;
        if own.len() != theirs.len() || !own.iter().all(|address| theirs.contains(address)) {
            self.counts.mismatches.count("addresses");
        }
        if advertisement.interval != centiseconds(self.settings.interval) {
            self.counts.mismatches.count("interval");
        }
        if self.is_owner() && advertisement.priority == 255 {
            self.counts.mismatches.count("owner");
        }
    }

    /// Active_Adver_Interval. In version 2 it is the same for all, or the packet is dropped.
    fn learn(&mut self, advertisement: &Advertisement) {
        self.active_interval = Duration::from_millis(10 * u64::from(advertisement.interval));
    }
}
