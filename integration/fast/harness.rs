//! The peers and tools themselves, without shunt: what the other tests take as a witness is shown to be one.

use std::time::Instant;

use super::pair::Pair;
use crate::lab::bfd::{BfdBird, BfdFrr, BfdPath, BfdPeer, BfdRouter, BfdSeen, Timers};
use crate::lab::vrrp::{Instance, Keepalived, LOWERED_BY, VrrpFrr, VrrpPeer, VrrpRouter};
use crate::lab::{Capture, Net, Node, PATIENCE, wait_for};

#[track_caller]
fn role(peer: &dyn VrrpPeer, name: &str, expected: &str) {
    wait_for(&format!("role {expected} of {name}"), PATIENCE, || match peer.role(name)? {
        role if role == expected => Ok(()),
        role => Err(role),
    });
}

/// Two VRRP routers on a LAN with one virtual router of each family: the better one is Active, and the other one takes
/// over when it ends, or is lowered.
#[track_caller]
fn share_a_lan<A: VrrpPeer, B: VrrpPeer>(
    first: impl Fn(&Node, VrrpRouter) -> A,
    second: impl Fn(&Node, VrrpRouter) -> B,
) {
    let mut net = Net::new();
    let [a, b, witness] = ["first", "second", "witness"].map(|name| net.node(name));
    let lan = net.lan("lan", 1, &[&a, &b, &witness]);
    let router = |priority| VrrpRouter {
        instances: vec![
            Instance::new("four", "lan", 51, &["10.98.1.100/24"], priority),
            Instance::new("six", "lan", 51, &["fe80::5100/64", "fd98:1::100/64"], priority),
        ],
        ..VrrpRouter::default()
    };
    let capture = Capture::start(&witness, "lan", "proto 112 or ip6 proto 112");
    let mut better = first(&a, router(150));
    let other = second(&b, router(120));
    let roles = |first: Option<&A>, second: &str| {
        for name in ["four", "six"] {
            if let Some(peer) = first {
                role(peer, name, if second == "active" { "backup" } else { "active" });
            }
            role(&other, name, second);
        }
    };
    roles(Some(&better), "backup");
    better.track(false);
    roles(Some(&better), "active");
    better.track(true);
    roles(Some(&better), "backup");
    better.stop();
    roles(None, "active");
    better.start();
    roles(Some(&better), "backup");
    better.freeze();
    roles(None, "active");
    better.thaw();
    roles(Some(&better), "backup");
    lan.cut("first");
    roles(None, "active");
    lan.mend();
    roles(Some(&better), "backup");
    for source in ["10.98.1.1", "10.98.1.2"] {
        let sent = capture.fields(&format!("vrrp && ip.src == {source}"), &["vrrp.prio"]);
        assert!(!sent.is_empty());
        assert_eq!(capture.faults(source), [""; 0]);
    }
    let lowered = format!("vrrp.prio == {}", 150 - LOWERED_BY);
    assert_ne!(capture.fields(&lowered, &["frame.number"]), [""; 0]);
}

#[test]
fn keepalived_and_keepalived_share_a_lan() {
    share_a_lan(Keepalived::start, Keepalived::start);
}

#[test]
fn frr_and_keepalived_share_a_lan() {
    share_a_lan(VrrpFrr::start, Keepalived::start);
}

/// FRR and BIRD watch each other on a link in both families, and over several hops; timers change meanwhile.
#[test]
fn frr_and_bird_watch_each_other() {
    let (_net, a, b) = Net::pair("frr", "bird");
    for (node, address, via, other) in [
        (&a, "10.255.0.1", "10.99.0.2", "10.255.0.2"),
        (&b, "10.255.0.2", "10.99.0.1", "10.255.0.1"),
    ] {
        node.address("lo", &format!("{address}/32"));
        node.must("ip", &["route", "add", other, "via", via, "src", address]);
    }
    let slow = Timers::new(100, 3);
    let quick = Timers { transmit: 40, receive: 60, multiplier: 5 };
    let router = |own: usize, other: usize, interface: &str| BfdRouter {
        timers: slow,
        authentication: None,
        sessions: vec![
            BfdPath::single(interface, &format!("10.99.0.{own}"), &format!("10.99.0.{other}")),
            BfdPath::single(interface, &format!("fd99:0::{own}"), &format!("fd99:0::{other}")),
            BfdPath::multi(&format!("10.255.0.{own}"), &format!("10.255.0.{other}")),
        ],
    };
    let capture = Capture::start(&a, "bird", "udp port 3784 or udp port 4784");
    let mut frr = BfdFrr::start(&a, router(1, 2, "bird"));
    let mut bird = BfdBird::start(&b, router(2, 1, "frr"));
    let sees = |peer: &dyn BfdPeer, host: u8, state: &str, transmit: u64, detection: u64| {
        for remote in ["10.99.0.", "fd99::", "10.255.0."] {
            let expected = BfdSeen { state: state.to_owned(), transmit, detection };
            wait_for(&format!("{expected:?} with {remote}{host}"), PATIENCE, || {
                let seen = peer.session(&format!("{remote}{host}"))?;
                if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        }
    };
    sees(&frr, 2, "up", 100, 300);
    sees(&bird, 1, "up", 100, 300);
    bird.retime(quick);
    sees(&bird, 1, "up", 100, 300);
    sees(&frr, 2, "up", 100, 500);
    frr.retime(quick);
    sees(&bird, 1, "up", 60, 300);
    sees(&frr, 2, "up", 60, 300);
    // None went down on the way: then the interval would be a second.
    let down = "bfd.sta != 3 && bfd.desired_min_tx_interval < 1000000";
    assert_eq!(capture.fields(down, &["frame.number"]), [""; 0]);
    assert_ne!(capture.fields("bfd.flags.p == 1 && bfd.sta == 3", &["frame.number"]), [""; 0]);
    let state = |peer: &dyn BfdPeer, host: u8, expected: &str| {
        for remote in ["10.99.0.", "fd99::", "10.255.0."] {
            wait_for(&format!("{expected} with {remote}{host}"), PATIENCE, || {
                let seen = peer.session(&format!("{remote}{host}"))?;
                if seen.state == expected { Ok(()) } else { Err(format!("{seen:?}")) }
            });
        }
    };
    frr.disable();
    state(&bird, 1, "down");
    assert_ne!(capture.fields("bfd.sta == 0 && ip.src == 10.99.0.1", &["frame.number"]), [""; 0]);
    frr.enable();
    state(&bird, 1, "up");
    bird.disable();
    state(&frr, 2, "down");
    bird.enable();
    state(&frr, 2, "up");
    bird.kill();
    state(&frr, 2, "down");
    bird.start();
    state(&frr, 2, "up");
    frr.kill();
    state(&bird, 1, "down");
    frr.start();
    state(&bird, 1, "up");
    // It says nothing when it is disabled.
    assert_eq!(capture.fields("bfd.sta == 0 && ip.src == 10.99.0.2", &["frame.number"]), [""; 0]);
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
