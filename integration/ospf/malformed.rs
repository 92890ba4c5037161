//! What a neighbour may send that is wrong: it is counted by name, and the other neighbours do not notice.

use std::net::Ipv4Addr;
use std::time::Duration;

use shunt::types::RouterId;
use shunt::wire::ospf::{
    AreaId, Body, ExternalLsa, LinkStateUpdate, Lsa, LsaBody, LsaKey, LsaType, Options,
    SequenceNumber, Signature, Version, emit,
};

use super::scene::{PEER, PEER_ADDRESS, SERVICE, SHUNT, UPSTREAM, adjacent, link, router};
use crate::lab::ospf::{Authentication, Key, OspfBird, OspfFrr, OspfShunt};
use crate::lab::{Capture, Forger, Net, Node, PATIENCE, wait_for};

const ALL_ROUTERS: &str = "224.0.0.5";

/// shuntd between `odd`, an FRR beside which a forger speaks under its address, and `good`, a BIRD.
struct Scene {
    shunt: OspfShunt,
    odd: OspfFrr,
    good: OspfBird,
    at_good: Node,
    forger: Forger,
    capture: Capture,
    _net: Net,
}

impl Scene {
    #[track_caller]
    fn new(authentication: &Authentication) -> Scene {
        let mut net = Net::new();
        let [here, at_odd, at_good] = ["shunt", "odd", "good"].map(|name| net.node(name));
        net.link(&here, &at_odd, 0);
        net.link(&here, &at_good, 1);
        let mut ours = router(SHUNT, vec![link("odd"), link("good")]);
        ours.externals = vec![SERVICE.to_owned()];
        ours.attached[0].authentication = authentication.clone();
        let mut odd = router(PEER, vec![link("shunt")]);
        odd.attached[0].authentication = authentication.clone();
        odd.externals = vec![UPSTREAM.to_owned()];
        let capture = Capture::start(&here, "odd", "proto 89");
        let odd = OspfFrr::start(&at_odd, odd);
        let good = OspfBird::start(&at_good, router("10.255.0.3", vec![link("shunt")]));
        let shunt = OspfShunt::start(&here, ours);
        let forger = Forger::new(&at_odd, "shunt");
        let scene = Scene { shunt, odd, good, at_good, forger, capture, _net: net };
        scene.is_well();
        scene
    }

    /// Both neighbours are Full, and BIRD has FRR's route over shuntd.
    #[track_caller]
    fn is_well(&self) {
        adjacent(&self.shunt, PEER, "full/ptp");
        adjacent(&self.odd, SHUNT, "full/ptp");
        adjacent(&self.good, SHUNT, "full/ptp");
        self.at_good.wait_next_hops(UPSTREAM, &["10.99.1.1@shunt"]);
        self.at_good.wait_next_hops(SERVICE, &["10.99.1.1@shunt"]);
    }

    /// How long the good neighbour has been Full: microseconds.
    fn good_for(&self) -> u64 {
        let all = self.shunt.neighbors().unwrap();
        let good = all.iter().find(|one| one["interface"] == "good").unwrap();
        assert_eq!(good["state"], "full", "{good}");
        good["state_us"].as_u64().unwrap()
    }

    /// Sends it and waits until one more is counted under this name.
    #[track_caller]
    fn is_counted(&self, packet: &[u8], reason: &str) {
        let before = self.shunt.discarded("odd", reason).unwrap();
        self.forger.send(ALL_ROUTERS, packet);
        wait_for(&format!("one more {reason}"), Duration::from_secs(5), || {
            let count = self.shunt.discarded("odd", reason)?;
            if count > before {
                Ok(())
            } else {
                Err(self.shunt.order(&["--json", "ospf", "interfaces"]))
            }
        });
    }
}

fn router_id(text: &str) -> RouterId {
    RouterId::from_bits(text.parse::<Ipv4Addr>().unwrap().to_bits())
}

/// An Update as FRR would send it.
fn update(lsas: Vec<Lsa>) -> Vec<u8> {
    let body = Body::LinkStateUpdate(LinkStateUpdate { lsas, refused: Vec::new() });
    let source: Ipv4Addr = PEER_ADDRESS.parse().unwrap();
    emit(Version::V2, router_id(PEER), AreaId(0), &body, &Signature::Null, source).to_vec()
}

/// An external of a router that does not exist.
fn external(number: u32, sequence: i32) -> Lsa {
    let key = LsaKey {
        kind: LsaType::EXTERNAL,
        link_state_id: Ipv4Addr::from_bits(0x1400_0000 + number),
        advertising_router: router_id("10.255.9.9"),
    };
    let body = ExternalLsa {
        mask: Ipv4Addr::BROADCAST,
        type_2: true,
        metric: sequence.unsigned_abs() & 0xffff,
        forwarding_address: Ipv4Addr::UNSPECIFIED,
        tag: 0,
    };
    Lsa::new(1, Options::EXTERNAL, key, SequenceNumber(sequence), LsaBody::External(body))
}

/// The checksum of a packet without authentication, made right again after a change.
fn checksummed(mut packet: Vec<u8>) -> Vec<u8> {
    packet[12..14].fill(0);
    let words = packet[..16].chunks(2).chain(packet[24..].chunks(2));
    let sum: u64 =
        words.map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    packet[12..14].copy_from_slice(&(!u16::try_from(folded).unwrap()).to_be_bytes());
    packet
}

#[test]
fn packets_are_counted_by_name() {
    let scene = Scene::new(&Authentication::Null);
    let before = scene.good_for();
    let good = update(vec![external(1, 1)]);
    assert_eq!(checksummed(good.clone()), good, "the test's own checksum");
    let with = |at: usize, octets: &[u8]| {
        let mut packet = good.clone();
        packet[at..at + octets.len()].copy_from_slice(octets);
        packet
    };
    // Offsets: 24 octets of header, 4 of the count of LSAs, then the LSA.
    const LSA: usize = 28;
    scene.is_counted(&with(12, &[0xab, 0xcd]), "bad-checksum");
    scene.is_counted(&with(0, &[3]), "bad-version");
    scene.is_counted(&checksummed(with(1, &[9])), "bad-packet-type");
    scene.is_counted(&with(2, &[0xff, 0xff]), "bad-packet-length");
    scene.is_counted(&with(2, &[0, 4]), "bad-packet-length");
    scene.is_counted(&good[..20], "truncated");
    // More LSAs than there are octets.
    scene.is_counted(&checksummed(with(24, &[0xff; 4])), "truncated");
    // LSAs that end nowhere, that end in their header, and whose checksum is wrong.
    scene.is_counted(&checksummed(with(LSA + 18, &[0xff, 0xff])), "bad-lsa-length");
    scene.is_counted(&checksummed(with(LSA + 18, &[0, 3])), "bad-lsa-length");
    scene.is_counted(&checksummed(with(LSA + 16, &[0xab, 0xcd])), "bad-lsa-checksum");
    scene.is_counted(&checksummed(with(14, &[0, 2])), "authentication-type");
    // A Hello of which every octet is cut off in turn, and then each changed: whatever that is, it does no harm.
    let hello = scene.capture.payloads(PEER_ADDRESS).remove(0).1;
    for length in 0..hello.len() {
        scene.forger.send(ALL_ROUTERS, &hello[..length]);
    }
    let lost = |scene: &Scene| scene.shunt.discarded("odd", "bad-checksum").unwrap();
    let counted = lost(&scene);
    for at in 0..hello.len() {
        let mut packet = hello.clone();
        packet[at] ^= 0x40;
        scene.forger.send(ALL_ROUTERS, &packet);
    }
    wait_for("count of the changed ones", PATIENCE, || match lost(&scene) - counted {
        more if more > 20 => Ok(()),
        more => Err(more.to_string()),
    });
    scene.is_well();
    assert!(scene.good_for() > before, "the other adjacency began anew");
}

#[test]
fn replayed_packets_are_refused() {
    let key = Authentication::Cryptographic(vec![Key::new(3, "md5", "open-sesame")]);
    let scene = Scene::new(&key);
    let before = scene.good_for();
    let old = scene.capture.payloads(PEER_ADDRESS);
    // FRR counts seconds in its packets: wait for a later one.
    let sequence = |packet: &[u8]| u32::from_be_bytes(packet[20..24].try_into().unwrap());
    wait_for("a later packet", PATIENCE, || {
        let last = scene.capture.payloads(PEER_ADDRESS).last().map(|packet| sequence(&packet.1));
        if last > old.first().map(|packet| sequence(&packet.1) + 2) {
            Ok(())
        } else {
            Err(format!("{last:?}"))
        }
    });
    scene.is_counted(&old[0].1, "replayed");
    // One with a digest of nobody.
    let mut forged = scene.capture.payloads(PEER_ADDRESS).pop().unwrap().1;
    let newer = sequence(&forged) + 1000;
    forged[20..24].copy_from_slice(&newer.to_be_bytes());
    scene.is_counted(&forged, "digest");
    scene.is_well();
    assert!(scene.good_for() > before, "the other adjacency began anew");
}

/// One neighbour sends instances of LSAs without end: those that come too early are dropped, the others are kept and
/// passed on, the adjacencies stay, and memory is bounded.
#[test]
fn a_storm_of_lsas_is_weathered() {
    let scene = Scene::new(&Authentication::Null);
    let before = scene.good_for();
    let resident = scene.shunt.shuntd.resident();
    let begin = i32::MIN + 1;
    // 600 LSAs, each in 50 instances within a moment.
    for instance in 0..50 {
        for first in (0..600).step_by(30) {
            let lsas =
                (first..first + 30).map(|number| external(number, begin + instance)).collect();
            scene.forger.send(PEER_TO_SHUNT, &update(lsas));
        }
    }
    wait_for("instances refused for MinLSArrival", PATIENCE, || {
        let status = scene.shunt.shuntd.json(&["status"])?;
        match status["ospf"]["refused_lsas"]["too-soon"].as_u64() {
            Some(count) if count > 600 => Ok(()),
            _ => Err(status["ospf"].to_string()),
        }
    });
    // It takes orders meanwhile, and they reach the others.
    scene.shunt.order(&["announce", "192.0.2.7/32"]);
    scene.at_good.wait_next_hops("192.0.2.7/32", &["10.99.1.1@shunt"]);
    scene.is_well();
    assert!(scene.good_for() > before, "the other adjacency began anew");
    let grown = scene.shunt.shuntd.resident().saturating_sub(resident);
    assert!(grown < 32 << 20, "{grown} octets more for 600 LSAs");
    assert!(
        scene.good.log().lines().all(|line| !line.contains("Bad")),
        "BIRD was sent something bad"
    );
}

const PEER_TO_SHUNT: &str = "10.99.0.1";
