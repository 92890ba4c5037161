use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use smallvec::SmallVec;

use super::announcer::Announcer;
use super::conflicts::Conflicts;
use super::timers::{active_down_interval, skew_time};
use super::{Action, Change, Reason, Settings, State, Summary, VirtualRouterId};
use crate::types::{Mac, Tally, Time};
use crate::wire::vrrp::Advertisement;

/// One virtual router (RFC 9568 §6.1 names its parameters, §6.2 its timers).
#[derive(Clone, Debug)]
pub(super) struct VirtualRouter {
    pub id: VirtualRouterId,
    pub settings: Settings,
    /// Its sync group, or itself.
    pub unit: usize,
    pub state: State,
    pub since: Time,
    pub reason: Reason,
    /// As ordered: what tracked objects take from its priority.
    pub adjusted: i16,
    /// As ordered: to be Active only if nobody else is.
    pub released: bool,
    /// What is advertised, or would be. Follows from the settings, and from the orders for all of the unit.
    pub priority: u8,
    /// Preempt_Mode, if we are ready. For an owner it is always set.
    pub preempts: bool,
    /// The interface's address that we send from; `None`: the interface cannot be used.
    pub primary: Option<IpAddr>,
    /// Who is Active, as far as is known. Not us.
    pub active: Option<OtherActive>,
    /// Active_Adver_Interval: the Active's, learned.
    pub active_interval: Duration,
    /// Of Backup.
    pub election: Election,
    /// Adver_Timer. Of Active, as is what follows.
    pub advertise_at: Time,
    /// When the last advertisement went out.
    pub advertised: Time,
    /// When the others were told that we are Active; `None`: not yet, as the addresses are still to come.
    pub claimed: Option<Time>,
    pub announcer: Announcer,
    pub conflicts: Conflicts,
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct OtherActive {
    pub address: IpAddr,
    pub priority: u8,
    pub heard: Time,
}

/// When a Backup is to become Active.
#[derive(Clone, Copy, Debug)]
pub(super) struct Election {
    /// Active_Down_Timer.
    pub down_at: Time,
    /// When we have seen the lower Active for the preemption delay, or a Skew_Time after it has become lower.
    pub preempt_at: Option<Time>,
    /// The priority of the lower Active that we preempt, or wait to preempt.
    pub lower: u8,
    /// Not before this, whatever the others say: for sync groups that have just yielded.
    pub not_before: Time,
    /// What Active_Down_Timer stands for.
    pub reason: Reason,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub takeovers: u64,
    pub sent: u64,
    pub received: u64,
    pub dropped: Tally,
    pub mismatches: Tally,
}

/// An Active sends no more often than this, whatever it hears: the unit of the protocol.
const CENTISECOND: Duration = Duration::from_millis(10);

impl VirtualRouter {
    pub fn new(id: VirtualRouterId, settings: Settings, now: Time) -> VirtualRouter {
        VirtualRouter {
            id,
            unit: 0,
            state: State::Initialize,
            since: now,
            reason: Reason::Started,
            adjusted: 0,
            released: false,
            priority: settings.priority,
            preempts: false,
            primary: None,
            active: None,
            active_interval: settings.interval,
            election: Election {
                down_at: now,
                preempt_at: None,
                lower: 0,
                not_before: now,
                reason: Reason::ActiveDown,
            },
            advertise_at: now,
            advertised: now,
            claimed: None,
            announcer: Announcer::default(),
            conflicts: Conflicts::default(),
            counts: Counts::default(),
            settings,
        }
    }

    /// RFC 9568 §6.1: the owner of the addresses. One whose priority is lowered acts like any other.
    pub fn is_owner(&self) -> bool {
        self.priority == 255
    }

    pub fn active_down_interval(&self) -> Duration {
        active_down_interval(self.settings.version, self.priority, self.active_interval)
    }

    pub fn skew_time(&self) -> Duration {
        skew_time(self.settings.version, self.priority, self.active_interval)
    }

    /// Whether a Backup takes over from an Active of that priority.
    pub fn beats(&self, priority: u8) -> bool {
        self.preempts && priority < self.priority
    }

    /// When a Backup becomes Active, as far as it goes by itself.
    pub fn elected_at(&self) -> Time {
        let Election { down_at, preempt_at, not_before, .. } = self.election;
        preempt_at.map_or(down_at, |at| at.min(down_at)).max(not_before)
    }

    /// What an Active has to do next.
    pub fn deadline(&self) -> Time {
        self.announcer.deadline().map_or(self.advertise_at, |at| at.min(self.advertise_at))
    }

    /// The others have heard nothing for so long that one of them may be Active. They wait for a Skew_Time more than this,
    /// which is next to nothing for the highest priority.
    pub fn is_stalled(&self, now: Time) -> bool {
        self.state == State::Active && now >= self.advertised + 3 * self.settings.interval
    }

    /// From now on for a whole Active_Down_Interval.
    pub fn restart_timer(&mut self, now: Time) {
        self.election.down_at = now + self.active_down_interval();
        self.election.reason = Reason::ActiveDown;
    }

    /// RFC 9568 §6.4.1, for who is not the owner.
    pub fn start(&mut self, now: Time, actions: &mut VecDeque<Action>) {
        self.active_interval = self.settings.interval;
        self.election.preempt_at = None;
        self.election.not_before = now;
        self.restart_timer(now);
        if self.is_owner() && self.preempts {
            self.claim(now);
        }
        self.enter(State::Backup, Reason::Started, now, actions);
    }

    /// An owner that may be Active need not wait.
    pub fn claim(&mut self, now: Time) {
        self.election.down_at = now;
        self.election.reason = Reason::Owner;
    }

    /// RFC 9568 §6.4.2: Active_Down_Timer fires. If nobody forwards, the others are to know at once. Who has left with
    /// priority 0, or is preempted, forwards until it hears of us: there the first advertisement, which also moves the
    /// virtual MAC address to us, waits for the addresses, but not longer than the second one could.
    pub fn take_over(&mut self, reason: Reason, now: Time, actions: &mut VecDeque<Action>) {
        self.active = None;
        self.counts.takeovers += 1;
        if reason == Reason::ActiveDown {
            self.advertise(now, actions);
        } else {
            self.advertised = now;
            self.advertise_at = now + self.settings.interval;
        }
        self.enter(State::Active, reason, now, actions);
    }

    /// From Active to Backup. Who yields to somebody else's advertisement says nothing; who leaves for another reason
    /// says priority 0.
    pub fn yield_role(
        &mut self,
        farewell: bool,
        reason: Reason,
        now: Time,
        actions: &mut VecDeque<Action>,
    ) {
        if farewell {
            self.say_farewell(actions);
        }
        self.active_interval = self.settings.interval;
        self.election.preempt_at = None;
        self.restart_timer(now);
        self.enter(State::Backup, reason, now, actions);
    }

    /// Shutdown (RFC 9568 §6.4.2, §6.4.3).
    pub fn shut_down(
        &mut self,
        farewell: bool,
        reason: Reason,
        now: Time,
        actions: &mut VecDeque<Action>,
    ) {
        if farewell {
            self.say_farewell(actions);
        }
        self.active = None;
        self.enter(State::Initialize, reason, now, actions);
    }

    /// An Active tells the others that it leaves.
    pub fn say_farewell(&mut self, actions: &mut VecDeque<Action>) {
        if self.state == State::Active {
            self.send(0, self.settings.virtual_mac(), actions);
        }
    }

    fn enter(&mut self, state: State, reason: Reason, now: Time, actions: &mut VecDeque<Action>) {
        self.announcer.stop();
        if state != State::Active {
            self.claimed = None;
        }
        self.state = state;
        self.reason = reason;
        self.since = now;
        actions.push_back(Action::Changed(self.change(reason, now)));
    }

    pub fn change(&self, reason: Reason, now: Time) -> Change {
        let (active, active_priority) = self.active();
        Change { router: self.id, state: self.state, reason, active, active_priority, at: now }
    }

    /// Who is Active, and with what priority.
    fn active(&self) -> (Option<IpAddr>, u8) {
        match (self.state, self.active) {
            (State::Active, _) => (self.primary, self.priority),
            (_, Some(other)) => (Some(other.address), other.priority),
            (_, None) => (None, 0),
        }
    }

    /// Notes whose advertisement came. While two are Active, it is the better one. Says whether it is another one than
    /// before.
    pub fn note_active(&mut self, address: IpAddr, priority: u8, now: Time) -> bool {
        let silence = self.active_down_interval();
        let recent = self.active.filter(|known| now < known.heard + silence);
        if recent.is_some_and(|known| {
            known.address != address && (known.priority, known.address) > (priority, address)
        }) {
            return false;
        }
        let before = self.active.replace(OtherActive { address, priority, heard: now });
        before.map(|known| known.address) != Some(address)
    }

    /// Sends an advertisement, the next one after an Advertisement_Interval.
    pub fn advertise(&mut self, now: Time, actions: &mut VecDeque<Action>) {
        self.send(self.priority, self.settings.virtual_mac(), actions);
        self.claimed.get_or_insert(now);
        self.advertised = now;
        self.advertise_at = now + self.settings.interval;
    }

    /// Somebody else is, or was, Active: tells it and the link who has the addresses.
    pub fn reclaim(&mut self, now: Time, actions: &mut VecDeque<Action>) {
        self.tell(now, actions);
        if self.announcer.disturbed(now) {
            self.announce(actions);
        }
    }

    /// Sends an advertisement at once. Two that disagree on which of them is better must not answer each other without
    /// a pause, and what is tracked may come and go. What nobody has been told of yet waits for the addresses.
    pub fn tell(&mut self, now: Time, actions: &mut VecDeque<Action>) {
        if self.claimed.is_none() {
            return;
        }
        let earliest = self.advertised + CENTISECOND;
        if now >= earliest {
            self.advertise(now, actions);
        } else {
            self.advertise_at = self.advertise_at.min(earliest);
        }
    }

    /// From that MAC address, or the interface's own.
    pub fn send(&mut self, priority: u8, mac: Option<Mac>, actions: &mut VecDeque<Action>) {
        let Some(source) = self.primary else { return };
        let settings = &self.settings;
        let advertisement = Advertisement {
            version: settings.version,
            vrid: settings.vrid,
            priority,
            interval: centiseconds(settings.interval),
            addresses: SmallVec::from_slice(&settings.addresses),
        };
        let group = [group_address(settings.is_ipv6())];
        let unicast = !settings.unicast_peers.is_empty();
        let destinations = if unicast { &settings.unicast_peers[..] } else { &group[..] };
        for &destination in destinations {
            let mut packet = SmallVec::new();
            advertisement.emit(settings.checksum, source, destination, &mut packet);
            actions.push_back(Action::Send {
                router: self.id,
                interface: settings.interface,
                mac: mac.filter(|_| !unicast),
                source,
                destination,
                packet,
            });
            self.counts.sent += 1;
        }
    }

    pub fn announce(&self, actions: &mut VecDeque<Action>) {
        for &address in &self.settings.addresses {
            actions.push_back(Action::AnnounceAddress {
                router: self.id,
                interface: self.settings.interface,
                mac: self.settings.virtual_mac(),
                address,
            });
        }
    }

    pub fn summary(&self) -> Summary {
        let (active, active_priority) = self.active();
        let own = self.state == State::Active;
        let interval = if own { self.settings.interval } else { self.active_interval };
        let version = self.settings.version;
        Summary {
            router: self.id,
            settings: self.settings.clone(),
            state: self.state,
            since: self.since,
            reason: self.reason,
            priority: self.priority,
            released: self.released,
            active,
            active_priority,
            active_interval: interval,
            active_down_interval: active_down_interval(version, self.priority, interval),
            takeovers: self.counts.takeovers,
            sent: self.counts.sent,
            received: self.counts.received,
            dropped: self.counts.dropped.to_map(),
            mismatches: self.counts.mismatches.to_map(),
        }
    }
}

/// Of an Advertisement_Interval, as it is sent.
pub(super) fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX)
}

/// Where advertisements go (RFC 9568 §5.1.1.2, §5.1.2.2).
pub(super) fn group_address(ipv6: bool) -> IpAddr {
    if ipv6 {
        IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12))
    } else {
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18))
    }
}
