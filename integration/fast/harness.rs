//! The peers and tools themselves, without shunt: what the other tests take as a witness is shown to be one.

use std::time::Instant;

use super::pair::Pair;
use super::segment::{PRIORITIES, Segment};
use super::watch::{ENDS, Watch, from};
use crate::lab::Node;
use crate::lab::bfd::{BfdBird, BfdFrr, BfdPeer, Timers};
use crate::lab::vrrp::{Keepalived, LOWERED_BY, VrrpFrr, VrrpPeer, VrrpRouter};

#[track_caller]
fn share_a_lan<A: VrrpPeer, B: VrrpPeer>(
    first: impl Fn(&Node, VrrpRouter) -> A,
    second: impl Fn(&Node, VrrpRouter) -> B,
) {
    let mut segment = Segment::new(first, second);
    segment.move_both_ways();
    segment.saw(&format!("vrrp.prio == {}", PRIORITIES[0] - LOWERED_BY));
    segment.no_faults();
}

#[test]
fn keepalived_and_keepalived_share_a_lan() {
    share_a_lan(Keepalived::start, Keepalived::start);
}

#[test]
fn frr_and_keepalived_share_a_lan() {
    share_a_lan(VrrpFrr::start, Keepalived::start);
}

/// Timers change while the sessions are up; each is disabled, and dies.
#[test]
fn frr_and_bird_watch_each_other() {
    let watch = Watch::new();
    let mut frr = BfdFrr::start(&watch.nodes[0], Watch::router(0, None));
    let mut bird = BfdBird::start(&watch.nodes[1], Watch::router(1, None));
    Watch::timers(&frr, 1, 100, 300);
    Watch::timers(&bird, 0, 100, 300);
    let up = watch.last();
    let quick = Timers { transmit: 40, receive: 60, multiplier: 5 };
    bird.retime(quick);
    Watch::timers(&bird, 0, 100, 300);
    Watch::timers(&frr, 1, 100, 500);
    frr.retime(quick);
    Watch::timers(&bird, 0, 60, 300);
    Watch::timers(&frr, 1, 60, 300);
    watch.never_down_since(up);
    watch.sent(0, &format!("bfd.flags.p == 1 && frame.number > {up}"));
    frr.disable();
    Watch::state(&bird, 0, "down");
    watch.sent(0, "bfd.sta == 0");
    frr.enable();
    Watch::state(&bird, 0, "up");
    bird.disable();
    Watch::state(&frr, 1, "down");
    bird.enable();
    Watch::state(&frr, 1, "up");
    bird.kill();
    Watch::state(&frr, 1, "down");
    bird.start();
    Watch::state(&frr, 1, "up");
    frr.kill();
    Watch::state(&bird, 0, "down");
    frr.start();
    Watch::state(&bird, 0, "up");
    // BIRD says nothing when it is disabled.
    assert_eq!(watch.count(&format!("bfd.sta == 0 && {}", from(ENDS[1][0]))), 0);
    watch.no_faults();
}

#[test]
fn keepalived_and_conntrackd_keep_sessions() {
    let mut pair = Pair::new(Keepalived::start);
    let began = Instant::now();
    pair.firewalls[0].stop();
    pair.active(1);
    pair.survive(began);
    pair.firewalls[0].start();
    pair.active(0);
    pair.survive(Instant::now());
    // Its carrier, too: the group moves.
    let began = Instant::now();
    pair.inside.down("fw1");
    pair.active(1);
    pair.survive(began);
}
