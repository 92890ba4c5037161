//! Packets are authenticated in every way that the peers know; what does not fit is named.

use super::scene::{Meeting, PEER, PEER_ADDRESS, SHUNT, SHUNT_ADDRESS, adjacent};
use crate::lab::ospf::{Authentication, Key, OspfBird, OspfFrr, OspfPeer, OspfRouter};
use crate::lab::{Node, PATIENCE, wait_for};

const SECRET: &str = "open-sesame";

/// `kind` is the AuType field on the wire.
#[track_caller]
fn agrees<P: OspfPeer>(
    start: impl Fn(&Node, OspfRouter) -> P,
    authentication: Authentication,
    kind: &str,
) {
    let meeting = Meeting::with(start, |ours, theirs| {
        ours.attached[0].authentication = authentication.clone();
        theirs.attached[0].authentication = authentication;
    });
    meeting.full();
    meeting.no_faults();
    let other = format!("ip.src == {SHUNT_ADDRESS} && ospf.auth.type != {kind}");
    assert_eq!(meeting.capture.fields(&other, &["frame.number", "ospf.auth.type"]), [""; 0]);
}

fn one_key(algorithm: &'static str) -> Authentication {
    Authentication::Cryptographic(vec![Key::new(7, algorithm, SECRET)])
}

#[test]
fn simple_with_frr() {
    agrees(OspfFrr::start, Authentication::Simple("sesame"), "1");
}

#[test]
fn simple_with_bird() {
    agrees(OspfBird::start, Authentication::Simple("sesame"), "1");
}

#[test]
fn md5_with_frr() {
    agrees(OspfFrr::start, one_key("md5"), "2");
}

#[test]
fn md5_with_bird() {
    agrees(OspfBird::start, one_key("md5"), "2");
}

#[test]
fn hmac_sha_1() {
    agrees(OspfBird::start, one_key("hmac-sha-1"), "2");
}

#[test]
fn hmac_sha_256() {
    agrees(OspfBird::start, one_key("hmac-sha-256"), "2");
}

#[test]
fn hmac_sha_384() {
    agrees(OspfBird::start, one_key("hmac-sha-384"), "2");
}

#[test]
fn hmac_sha_512() {
    agrees(OspfBird::start, one_key("hmac-sha-512"), "2");
}

/// Both sides have both keys; the second becomes the one to sign with while the adjacency is up.
#[test]
fn rollover() {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    let at = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let old = Key { until: Some(at.clone()), ..Key::new(1, "md5", "old-secret") };
    let new = Key { from: Some(at), ..Key::new(2, "hmac-sha-256", "new-secret") };
    let authentication = Authentication::Cryptographic(vec![old, new]);
    let meeting = Meeting::with(OspfBird::start, |ours, theirs| {
        ours.attached[0].authentication = authentication.clone();
        theirs.attached[0].authentication = authentication;
    });
    meeting.full();
    let begun = meeting.capture.exchanges_begun(SHUNT_ADDRESS);
    // The key's number in the header (RFC 2328 D.3).
    let signed = |source: &str| -> Vec<u8> {
        meeting.capture.payloads(source).iter().map(|(_, payload)| payload[18]).collect()
    };
    for source in [SHUNT_ADDRESS, PEER_ADDRESS] {
        wait_for(&format!("packets of {source} with the new key"), PATIENCE, || {
            let mut ids = signed(source);
            ids.dedup();
            if ids == [1, 2] { Ok(()) } else { Err(format!("{ids:?}")) }
        });
    }
    // Longer than the dead interval: nobody refuses the new key.
    wait_for("some Hellos more with the new key", PATIENCE, || {
        let count = signed(SHUNT_ADDRESS).iter().filter(|id| **id == 2).count();
        if count > 5 { Ok(()) } else { Err(count.to_string()) }
    });
    assert_eq!(meeting.capture.exchanges_begun(SHUNT_ADDRESS), begun, "the adjacency began anew");
    adjacent(&meeting.shunt, PEER, "full/ptp");
    adjacent(&meeting.peer, SHUNT, "full/ptp");
    assert_eq!(meeting.shunt.mismatches().unwrap(), [""; 0]);
    meeting.no_faults();
}

/// Each difference is named in `shunt status` with both values and without the secrets, and forgotten when it ends.
#[test]
fn differences_are_named() {
    let good = one_key("hmac-sha-256");
    let mut meeting = Meeting::with(OspfBird::start, |ours, theirs| {
        ours.attached[0].authentication = good.clone();
        theirs.attached[0].authentication = good.clone();
    });
    meeting.full();
    let cryptographic = |id, algorithm, secret| {
        Authentication::Cryptographic(vec![Key::new(id, algorithm, secret)])
    };
    let kind = "authentication-type";
    let cases = [
        (Authentication::Null, kind, "is none, ours is cryptographic"),
        (Authentication::Simple("sesame"), kind, "is simple, ours is cryptographic"),
        (cryptographic(8, "hmac-sha-256", SECRET), "key-unknown", "key 8"),
        (cryptographic(7, "hmac-sha-512", SECRET), "digest", "key 7"),
        (cryptographic(7, "hmac-sha-256", "sesame-street"), "digest", "key 7"),
    ];
    for (wrong, what, words) in cases {
        meeting.peer.configure(|router| router.attached[0].authentication = wrong);
        let named = wait_for(&format!("mismatch {what}"), PATIENCE, || {
            let all = meeting.shunt.mismatches()?;
            let fits = |one: &&String| {
                one.starts_with(&format!("{what}: "))
                    && [PEER_ADDRESS, "peer", words].iter().all(|word| one.contains(word))
            };
            all.iter().find(fits).cloned().ok_or(format!("{all:?}"))
        });
        assert!(!named.contains("sesame"), "{named}");
        // That is a warning for people, too.
        let status = meeting.shunt.order(&["status"]);
        assert!(status.contains(named.split_once(": ").unwrap().1), "{status}");

        meeting.peer.configure(|router| router.attached[0].authentication = good.clone());
        wait_for("end of the mismatch", PATIENCE, || match meeting.shunt.mismatches()? {
            all if all.is_empty() => Ok(()),
            all => Err(format!("{all:?}")),
        });
    }
    meeting.full();
}
