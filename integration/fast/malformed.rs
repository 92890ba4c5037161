//! What somebody on the link sends under the peer's address: counted by name, and nothing comes of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::segment::{Segment, VRID};
use super::watch::{ENDS, Watch};
use crate::lab::bfd::{Authentication, BfdBird, BfdShunt};
use crate::lab::vrrp::{Keepalived, VrrpShunt};
use crate::lab::{Forger, Node, PATIENCE, Shuntd, wait_for};

/// Sends UDP datagrams to BFD's port from a node's own address, beside the daemon there.
struct Stranger {
    socket: Socket,
    to: SocketAddr,
}

impl Stranger {
    #[track_caller]
    fn new(node: &Node, from: &str, to: &str) -> Stranger {
        let socket = crate::lab::within(node, || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            let from: SocketAddr = format!("{from}:0").parse().unwrap();
            socket.bind(&from.into()).unwrap();
            socket
        });
        Stranger { socket, to: format!("{to}:3784").parse().unwrap() }
    }

    #[track_caller]
    fn send(&self, ttl: u32, packet: &[u8]) {
        self.socket.set_ttl_v4(ttl).unwrap();
        assert_eq!(self.socket.send_to(packet, &self.to.into()).unwrap(), packet.len());
    }
}

/// RFC 5880 §4.1: a packet of a session that is up.
fn packet(yours: u32) -> Vec<u8> {
    let mut packet = vec![0x20, 3 << 6, 3, 24];
    for word in [0xdead_beef, yours, 100_000, 100_000, 0] {
        packet.extend(u32::to_be_bytes(word));
    }
    packet
}

fn words(counts: &Value) -> BTreeMap<String, u64> {
    let counts = counts.as_object().cloned().unwrap_or_default();
    counts.into_iter().map(|(word, count)| (word, count.as_u64().unwrap_or(0))).collect()
}

/// Waits until each of these has been counted as often, by the first one of `list` or where nobody's is counted.
#[track_caller]
fn counted(shuntd: &Shuntd, what: &str, list: &str, expected: &[(&str, u64)]) {
    wait_for("counts of dropped packets", PATIENCE, || {
        let shown = shuntd.json(&[what])?;
        let mut all = words(&shown["dropped"]);
        for (word, count) in words(&shown[list][0]["dropped"]) {
            *all.entry(word).or_default() += count;
        }
        let expected = expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
        if all == expected { Ok(()) } else { Err(format!("{all:?}")) }
    });
}

#[test]
fn bfd_packets_are_counted_by_name() {
    let watch = Watch::new();
    let only = |index: usize| {
        let mut router = Watch::router(index, None);
        router.sessions.truncate(1);
        router
    };
    let shunt = BfdShunt::start(&watch.nodes[0], only(0));
    let _bird = BfdBird::start(&watch.nodes[1], only(1));
    let session =
        || -> Result<Value, String> { Ok(shunt.shuntd.json(&["bfd"])?["sessions"][0].clone()) };
    wait_for("session", PATIENCE, || match session()? {
        session if session["state"] == "up" => Ok(()),
        session => Err(session.to_string()),
    });
    let up = watch.last();
    let yours = u32::try_from(session().unwrap()["local_discriminator"].as_u64().unwrap()).unwrap();
    let stranger = Stranger::new(&watch.nodes[1], ENDS[1][0], ENDS[0][0]);
    let changed = |at: usize, octet: u8| {
        let mut packet = packet(yours);
        packet[at] = octet;
        packet
    };
    stranger.send(255, &changed(0, 0x40));
    stranger.send(255, &changed(3, 23));
    stranger.send(255, &changed(3, 25));
    stranger.send(255, &packet(yours)[..20]);
    stranger.send(255, &changed(2, 0));
    stranger.send(255, &changed(1, 3 << 6 | 1));
    let mut nobody = packet(yours);
    nobody[4..8].fill(0);
    stranger.send(255, &nobody);
    stranger.send(255, &packet(0));
    stranger.send(255, &packet(yours ^ 1));
    stranger.send(254, &packet(yours));
    // With a simple password, which nobody asked for.
    let mut signed = changed(1, 3 << 6 | 4);
    signed[3] = 28;
    signed.extend([1, 4, 7, b'x']);
    stranger.send(255, &signed);
    counted(
        &shunt.shuntd,
        "bfd",
        "sessions",
        &[
            ("bad-length", 3),
            ("bad-version", 1),
            ("multipoint", 1),
            ("unexpected-authentication", 1),
            ("unknown-discriminator", 1),
            ("wrong-ttl", 1),
            ("zero-multiplier", 1),
            ("zero-my-discriminator", 1),
            ("zero-your-discriminator", 1),
        ],
    );
    let session = session().unwrap();
    assert_eq!((&session["state"], &session["ups"]), (&"up".into(), &1.into()), "{session}");
    let down = format!("frame.number > {up} && bfd.sta != 3");
    assert_eq!(watch.count(&format!("{down} && ip.src == {}", ENDS[0][0])), 0);
}

/// A peer with another key: nothing comes up, and it is said why.
#[test]
fn bfd_packets_with_another_key_are_counted() {
    let watch = Watch::new();
    let key = |secret| Some(Authentication { algorithm: "meticulous-sha1", id: 7, secret });
    let only = |index: usize, secret| {
        let mut router = Watch::router(index, key(secret));
        router.sessions.truncate(1);
        router
    };
    let shunt = BfdShunt::start(&watch.nodes[0], only(0, "open-sesame"));
    let _bird = BfdBird::start(&watch.nodes[1], only(1, "open-barley"));
    wait_for("wrong digests", PATIENCE, || {
        let shown = shunt.shuntd.json(&["bfd"])?;
        match words(&shown["sessions"][0]["dropped"]).get("wrong-digest") {
            Some(count) if *count > 3 => Ok(()),
            _ => Err(shown.to_string()),
        }
    });
    assert_eq!(watch.count("bfd.sta != 1"), 0);
}

/// With the Internet checksum of the packet alone, which is taken as well as one with the pseudo-header.
fn checked<const N: usize>(mut packet: [u8; N]) -> [u8; N] {
    let words = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[6..8].copy_from_slice(&(!folded).to_be_bytes());
    packet
}

#[test]
fn advertisements_are_counted_by_name() {
    let segment = Segment::with(VrrpShunt::start, Keepalived::start, |_, router| {
        router.instances.truncate(1);
    });
    segment.first_is_active();
    // From the second one's address: priority 254 in all of them, so that one that is believed takes the role.
    let forger = Forger::of_protocol(&segment.nodes[1], "lan", 112, 255);
    let good = checked([0x31, VRID, 254, 1, 0, 20, 0, 0, 10, 98, 1, 100]);
    let changed = |at: usize, octet: u8| {
        let mut packet = good;
        packet[at] = octet;
        packet[6..8].fill(0);
        checked(packet)
    };
    let all = "224.0.0.18";
    forger.send(all, &changed(0, 0x41));
    forger.send(all, &changed(0, 0x32));
    let mut wrong = good;
    wrong[7] ^= 1;
    forger.send(all, &wrong);
    forger.send(all, &checked([0x31, VRID, 254, 0, 0, 20, 0, 0]));
    forger.send(all, &good[..10]);
    forger.send(all, &changed(1, 77));
    Forger::of_protocol(&segment.nodes[1], "lan", 112, 254).send(all, &good);
    let shuntd = &segment.first.shuntd;
    counted(
        shuntd,
        "vrrp",
        "routers",
        &[
            ("bad-checksum", 1),
            ("bad-packet-type", 1),
            ("bad-version", 1),
            ("no-addresses", 1),
            ("truncated", 1),
            ("unknown-vrid", 1),
            ("wrong-ttl", 1),
        ],
    );
    segment.first_is_active();
    let shown = shuntd.json(&["vrrp"]).unwrap();
    assert_eq!(shown["routers"][0]["takeovers"], 1, "{shown}");
}
