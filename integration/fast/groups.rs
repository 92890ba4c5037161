//! A sync group of shuntd beside one of keepalived: two virtual routers on two LANs, which have one node between them.

use std::time::Duration;

use crate::lab::vrrp::{Instance, Keepalived, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Capture, Net, Node, PATIENCE, wait_for};

/// The LANs, and the virtual routers on them.
const SIDES: [&str; 2] = ["left", "right"];

struct Group<A, B> {
    first: A,
    second: B,
    /// With ports `first`, `second` and `witness`.
    lans: [Node; 2],
    /// The advertisements of each side, at the witness.
    captures: [Capture; 2],
    /// Last, so that it goes last.
    _net: Net,
}

impl<A: VrrpPeer, B: VrrpPeer> Group<A, B> {
    #[track_caller]
    fn new(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) -> Group<A, B> {
        let mut net = Net::new();
        let nodes = ["first", "second"].map(|name| net.node(name));
        let witness = net.node("witness");
        let lans = [("left", 1), ("right", 2)]
            .map(|(side, number)| net.lan(side, number, &[&nodes[0], &nodes[1], &witness]));
        let captures = SIDES.map(|side| Capture::start(&witness, side, "proto 112"));
        let router = |priority| VrrpRouter {
            instances: vec![
                Instance::new("left", "left", 51, &["10.98.1.100/24"], priority),
                Instance::new("right", "right", 52, &["10.98.2.100/24"], priority),
            ],
            together: true,
            ..VrrpRouter::default()
        };
        let first = first(&nodes[0], router(150));
        let group =
            Group { first, second: second(&nodes[1], router(120)), lans, captures, _net: net };
        group.first_has_both();
        group
    }

    #[track_caller]
    fn first_has_both(&self) {
        has_both("first", &self.first);
        has_none("second", &self.second);
    }

    #[track_caller]
    fn second_has_both(&self) {
        has_both("second", &self.second);
        has_none("first", &self.first);
    }

    /// The next five advertisements of each side come from that host.
    #[track_caller]
    fn advertises(&self, host: u8) {
        for (side, capture) in self.captures.iter().enumerate() {
            let sources = || capture.fields("vrrp", &["ip.src"]);
            let own = format!("10.98.{}.{host}", side + 1);
            let before = sources().len();
            wait_for(&format!("advertisements of {own} alone"), PATIENCE, || {
                let last = sources().split_off(before);
                let alone = last.iter().rev().take(5).filter(|source| **source == own).count();
                if alone == 5 { Ok(()) } else { Err(format!("{last:?}")) }
            });
        }
    }
}

#[track_caller]
fn has_both(who: &str, peer: &dyn VrrpPeer) {
    for side in SIDES {
        wait_for(&format!("{who} Active {side}"), PATIENCE, || match peer.role(side)? {
            role if role == "active" => Ok(()),
            role => Err(role),
        });
    }
}

#[track_caller]
fn has_none(who: &str, peer: &dyn VrrpPeer) {
    for side in SIDES {
        wait_for(&format!("{who} not Active {side}"), PATIENCE, || match peer.role(side)? {
            role if role != "active" => Ok(()),
            role => Err(role),
        });
    }
}

#[track_caller]
fn moves_as_one<A: VrrpPeer, B: VrrpPeer>(
    first: impl Fn(&Node, VrrpRouter) -> A,
    second: impl Fn(&Node, VrrpRouter) -> B,
) {
    let mut group = Group::new(first, second);
    group.advertises(1);
    // Either side of the Active fails: the other side, which is well, moves too, and comes back with it.
    for side in 0..2 {
        group.lans[side].down("first");
        group.second_has_both();
        group.advertises(2);
        group.lans[side].up("first");
        group.first_has_both();
        group.advertises(1);
    }
    // A side of the Backup: it does not take the other one alone, for a whole second without anybody.
    group.lans[0].down("second");
    group.advertises(1);
    group.first.stop();
    let theirs = || {
        group.captures[1]
            .fields("vrrp && ip.src == 10.98.2.2 && vrrp.prio != 0", &["frame.number"])
            .len()
    };
    let before = theirs();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(theirs(), before, "Active on one side alone");
    group.lans[0].up("second");
    has_both("second", &group.second);
    group.advertises(2);
    group.first.start();
    group.first_has_both();
    group.advertises(1);
}

#[test]
fn keepalived_first() {
    moves_as_one(Keepalived::start, VrrpShunt::start);
}

#[test]
fn keepalived_second() {
    moves_as_one(VrrpShunt::start, Keepalived::start);
}
