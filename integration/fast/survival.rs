//! 200 TCP sessions through a pair of firewalls with shuntd, while the Active is lost in every way and comes back, five
//! times each, or as often as `SHUNT_ROUNDS` says.

use std::time::Instant;

use super::pair::Pair;
use crate::lab::Node;
use crate::lab::vrrp::{VrrpPeer, VrrpRouter, VrrpShunt};

/// How often each scene loses the Active.
fn rounds() -> usize {
    match std::env::var("SHUNT_ROUNDS") {
        Ok(text) => text.parse().expect("SHUNT_ROUNDS is a number"),
        Err(_) => 5,
    }
}

fn physical(node: &Node, router: VrrpRouter) -> VrrpShunt {
    VrrpShunt::start(node, router)
}

fn virtual_mac(node: &Node, mut router: VrrpRouter) -> VrrpShunt {
    for instance in &mut router.instances {
        instance.virtual_mac = true;
    }
    VrrpShunt::start(node, router)
}

#[track_caller]
fn survive(
    start: impl Fn(&Node, VrrpRouter) -> VrrpShunt,
    fail: impl Fn(&mut Pair<VrrpShunt>),
    mend: impl Fn(&mut Pair<VrrpShunt>),
) {
    let mut pair = Pair::new(start);
    for round in 1..=rounds() {
        eprintln!("round {round}");
        let began = Instant::now();
        fail(&mut pair);
        pair.active(1);
        pair.survive(began);
        let began = Instant::now();
        mend(&mut pair);
        pair.active(0);
        pair.survive(began);
    }
}

#[test]
fn of_a_kill() {
    survive(virtual_mac, |pair| pair.firewalls[0].kill(), |pair| pair.firewalls[0].start());
}

#[test]
fn of_a_kill_with_physical_addresses() {
    survive(physical, |pair| pair.firewalls[0].kill(), |pair| pair.firewalls[0].start());
}

#[test]
fn of_standing_still() {
    survive(virtual_mac, |pair| pair.firewalls[0].freeze(), |pair| pair.firewalls[0].thaw());
}

#[test]
fn of_a_link_that_is_cut() {
    survive(virtual_mac, |pair| pair.inside.down("fw1"), |pair| pair.inside.up("fw1"));
}

#[test]
fn of_a_clean_stop() {
    survive(physical, |pair| pair.firewalls[0].stop(), |pair| pair.firewalls[0].start());
}

/// Nothing of it gets through on either side, and no carrier tells: both are Active until it is mended.
#[test]
fn of_isolation() {
    survive(
        virtual_mac,
        |pair| {
            pair.inside.cut("fw1");
            pair.outside.cut("fw1");
        },
        |pair| {
            pair.inside.mend();
            pair.outside.mend();
        },
    );
}
