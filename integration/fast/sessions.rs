//! BFD sessions with FRR and BIRD: coming up, other timers, every way to fail, and what does not make them fail.

use nix::sys::signal::Signal;

use super::watch::{ENDS, TIMERS, Watch, from, frr_and_bird};
use crate::lab::Node;
use crate::lab::bfd::{BfdPeer, BfdRouter, BfdShunt, Timers};

/// shuntd and a peer with all sessions up.
struct Meeting<P> {
    shunt: BfdShunt,
    peer: P,
    watch: Watch,
}

impl<P: BfdPeer> Meeting<P> {
    #[track_caller]
    fn new(start: impl Fn(&Node, BfdRouter) -> P) -> Meeting<P> {
        let watch = Watch::new();
        let shunt = BfdShunt::start(&watch.nodes[0], Watch::router(0, None));
        let peer = start(&watch.nodes[1], Watch::router(1, None));
        let meeting = Meeting { shunt, peer, watch };
        meeting.up();
        meeting
    }

    /// Waits until both are up, in both opinions.
    #[track_caller]
    fn up(&self) {
        Watch::state(&self.peer, 0, "up");
        Watch::state(&self.shunt, 1, "up");
    }

    /// Both see a failure, and when it is mended both come back.
    #[track_caller]
    fn fails(&mut self, fail: impl FnOnce(&mut Self), mend: impl FnOnce(&mut Self)) {
        fail(self);
        Watch::state(&self.shunt, 1, "down");
        mend(self);
        self.up();
    }
}

mod coming_up {
    use super::*;

    #[track_caller]
    fn is_as_the_rfcs_say<P: BfdPeer>(start: impl Fn(&Node, BfdRouter) -> P) {
        let meeting = Meeting::new(start);
        Watch::timers(&meeting.peer, 0, 100, 300);
        Watch::timers(&meeting.shunt, 1, 100, 300);
        let watch = &meeting.watch;
        watch.sent(0, "bfd.sta == 3 && bfd.desired_min_tx_interval == 100000");
        // RFC 5881 §4 and §5, RFC 5883 §4.
        for source in &ENDS[0][..2] {
            let wrong =
                "ip.ttl < 255 || ipv6.hlim < 255 || udp.dstport != 3784 || udp.srcport < 49152";
            assert_eq!(watch.count(&format!("{} && ({wrong})", from(source))), 0);
        }
        assert_eq!(watch.count(&format!("{} && udp.dstport != 4784", from(ENDS[0][2]))), 0);
        // Not faster than once in a second before it is up (RFC 5880 §6.8.3).
        let hasty = "bfd.sta != 3 && bfd.desired_min_tx_interval < 1000000";
        assert_eq!(watch.count(&format!("{} && {hasty}", from(ENDS[0][0]))), 0);
        watch.no_faults();
    }

    frr_and_bird!(is_as_the_rfcs_say);
}

mod other_timers {
    use super::*;

    /// RFC 5880 §6.8.3: with Poll and Final, from either side, and the session stays up.
    #[track_caller]
    fn come_while_up<P: BfdPeer>(start: impl Fn(&Node, BfdRouter) -> P) {
        let mut meeting = Meeting::new(start);
        let up = meeting.watch.last();
        let quick = Timers { transmit: 40, receive: 60, multiplier: 5 };
        meeting.peer.retime(quick);
        Watch::timers(&meeting.shunt, 1, 100, 500);
        meeting.shunt.retime(quick);
        Watch::timers(&meeting.shunt, 1, 60, 300);
        Watch::timers(&meeting.peer, 0, 60, 300);
        // And slower again, ours first.
        meeting.shunt.retime(TIMERS);
        Watch::timers(&meeting.peer, 0, 100, 300);
        meeting.peer.retime(TIMERS);
        Watch::timers(&meeting.shunt, 1, 100, 300);
        let watch = &meeting.watch;
        watch.never_down_since(up);
        watch.sent(0, &format!("bfd.flags.p == 1 && bfd.sta == 3 && frame.number > {up}"));
        watch.sent(0, &format!("bfd.flags.f == 1 && bfd.sta == 3 && frame.number > {up}"));
        watch.sent(1, &format!("bfd.flags.f == 1 && frame.number > {up}"));
        watch.no_faults();
    }

    frr_and_bird!(come_while_up);
}

mod failures {
    use super::*;

    #[track_caller]
    fn are_seen<P: BfdPeer>(start: impl Fn(&Node, BfdRouter) -> P) {
        let mut meeting = Meeting::new(start);
        meeting.fails(|meeting| meeting.peer.kill(), |meeting| meeting.peer.start());
        meeting.fails(
            |meeting| meeting.watch.nodes[1].freeze(),
            |meeting| meeting.watch.nodes[1].thaw(),
        );
        // Control Detection Time Expired.
        meeting.watch.sent(0, "bfd.sta == 1 && bfd.diag == 1");
        meeting
            .fails(|meeting| meeting.watch.lan.cut("second"), |meeting| meeting.watch.lan.mend());
        // The carrier. FRR and BIRD need to see their own link go and come.
        meeting.fails(
            |meeting| meeting.watch.lan.down("first"),
            |meeting| meeting.watch.lan.up("first"),
        );
        meeting.watch.no_faults();
    }

    frr_and_bird!(are_seen);
}

mod our_own_end {
    use super::*;

    #[track_caller]
    fn is_seen<P: BfdPeer>(start: impl Fn(&Node, BfdRouter) -> P) {
        let mut meeting = Meeting::new(start);
        // Not by the detection time: it says AdminDown.
        meeting.shunt.shuntd.stop();
        Watch::state(&meeting.peer, 0, "down");
        meeting.watch.sent(0, "bfd.sta == 0");
        meeting.shunt.shuntd.start_again();
        meeting.up();
        meeting.shunt.shuntd.kill_alone();
        Watch::state(&meeting.peer, 0, "down");
        meeting.shunt.shuntd.start_again();
        meeting.up();
        meeting.shunt.shuntd.signal(Signal::SIGSTOP);
        Watch::state(&meeting.peer, 0, "down");
        meeting.shunt.shuntd.signal(Signal::SIGCONT);
        meeting.up();
        meeting.watch.no_faults();
    }

    frr_and_bird!(is_seen);
}

/// BIRD has no way to say it.
#[test]
fn admin_down_is_told_from_a_failure() {
    let mut meeting = Meeting::new(crate::lab::bfd::BfdFrr::start);
    meeting.peer.disable();
    Watch::state(&meeting.shunt, 1, "down");
    // Neighbor Signaled Session Down.
    meeting.watch.sent(0, "bfd.sta == 1 && bfd.diag == 3");
    meeting.peer.enable();
    meeting.up();
}

mod loss {
    use super::*;

    /// Four of five packets, each way: one less than the multiplier, in a row.
    #[track_caller]
    fn is_borne<P: BfdPeer>(start: impl Fn(&Node, BfdRouter) -> P) {
        let mut meeting = Meeting::new(start);
        let tolerant = Timers { multiplier: 5, ..TIMERS };
        meeting.peer.retime(tolerant);
        meeting.shunt.retime(tolerant);
        Watch::timers(&meeting.shunt, 1, 100, 500);
        Watch::timers(&meeting.peer, 0, 100, 500);
        let up = meeting.watch.last();
        // A counter for each session, so that it is four in a row.
        for node in &meeting.watch.nodes {
            for one in ["ip daddr 10.98.1.0/24", "ip6 daddr fd98:1::/64", "udp dport 4784"] {
                node.lose(&format!("udp dport {{ 3784, 4784 }} {one} numgen inc mod 5 < 4"));
            }
        }
        // Long enough for some 40 of the packets that come through.
        meeting.watch.sent(0, &format!("bfd.sta == 3 && frame.number > {}", up + 1200));
        meeting.watch.never_down_since(up);
        for node in &meeting.watch.nodes {
            node.heal();
        }
        meeting.watch.no_faults();
    }

    frr_and_bird!(is_borne);
}
