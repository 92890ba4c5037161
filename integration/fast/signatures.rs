//! BFD with authentication (RFC 5880 §6.7), with BIRD: FRR has none.

use super::watch::Watch;
use crate::lab::bfd::{Authentication, BfdBird, BfdPeer, BfdShunt};

const KEY: Authentication = Authentication { algorithm: "", id: 7, secret: "open-sesame" };

#[track_caller]
fn is_understood(algorithm: &'static str) {
    let watch = Watch::new();
    let key = Some(Authentication { algorithm, ..KEY });
    let shunt = BfdShunt::start(&watch.nodes[0], Watch::router(0, key));
    let bird = BfdBird::start(&watch.nodes[1], Watch::router(1, key));
    Watch::state(&bird, 0, "up");
    Watch::state(&shunt, 1, "up");
    let up = watch.last();
    // Some seconds, in which the sequence number of the meticulous ones moves on.
    watch.sent(0, &format!("bfd.sta == 3 && bfd.flags.a == 1 && frame.number > {}", up + 200));
    watch.never_down_since(up);
    watch.no_faults();
}

#[test]
fn simple_passwords_are_understood() {
    is_understood("simple");
}

#[test]
fn keyed_md5_is_understood() {
    is_understood("keyed-md5");
}

#[test]
fn meticulous_md5_is_understood() {
    is_understood("meticulous-md5");
}

#[test]
fn keyed_sha1_is_understood() {
    is_understood("keyed-sha1");
}

#[test]
fn meticulous_sha1_is_understood() {
    is_understood("meticulous-sha1");
}

/// Restarts of either side, whose sequence numbers begin anew.
#[test]
fn restarts_are_got_over() {
    let watch = Watch::new();
    let key = Some(Authentication { algorithm: "meticulous-sha1", ..KEY });
    let mut shunt = BfdShunt::start(&watch.nodes[0], Watch::router(0, key));
    let mut bird = BfdBird::start(&watch.nodes[1], Watch::router(1, key));
    Watch::state(&bird, 0, "up");
    bird.kill();
    Watch::state(&shunt, 1, "down");
    bird.start();
    Watch::state(&bird, 0, "up");
    Watch::state(&shunt, 1, "up");
    shunt.shuntd.kill_alone();
    Watch::state(&bird, 0, "down");
    shunt.shuntd.start_again();
    Watch::state(&bird, 0, "up");
    Watch::state(&shunt, 1, "up");
}
