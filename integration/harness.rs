//! The peers and tools themselves, without shunt: what the other tests take as a witness is shown to be one.
//!
//! Every peer meets BIRD; BIRD meets FRR.

use std::net::IpAddr;

use crate::lab::{
    Bird, Capture, Exabgp, Frr, Gobgp, Net, Node, Openbgpd, PATIENCE, Peer, Seen, Session, Speaker,
    Update, wait_for,
};

/// BIRD's side of the link, AS 65000.
const BIRD: [&str; 2] = ["10.99.0.1", "fd99::1"];
/// The other peer's side, AS 65001.
const OTHER: [&str; 2] = ["10.99.0.2", "fd99::2"];

fn speakers(passive: bool, password: Option<&str>, gtsm: bool) -> (Speaker, Speaker) {
    let sessions = |local: [&str; 2], remote: [&str; 2], remote_as, passive| -> Vec<Session> {
        [0, 1]
            .map(|family| Session {
                passive,
                password: password.map(str::to_owned),
                gtsm,
                ..Session::new(local[family], remote[family], remote_as)
            })
            .into()
    };
    let bird = Speaker {
        asn: 65000,
        router_id: "10.99.0.1".parse().unwrap(),
        sessions: sessions(BIRD, OTHER, 65001, !passive),
        networks: vec!["192.0.2.0/24".into(), "2001:db8:1::/48".into()],
    };
    let other = Speaker {
        asn: 65001,
        router_id: "10.99.0.2".parse().unwrap(),
        sessions: sessions(OTHER, BIRD, 65000, passive),
        networks: vec!["203.0.113.0/24".into(), "2001:db8:2::/48".into()],
    };
    (bird, other)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[track_caller]
fn established(peer: &dyn Peer, neighbors: [&str; 2]) {
    for neighbor in neighbors {
        wait_for(&format!("session with {neighbor}"), PATIENCE, || {
            match peer.state(address(neighbor))? {
                state if state == "Established" => Ok(()),
                state => Err(state),
            }
        });
    }
}

#[track_caller]
fn has(peer: &dyn Peer, prefix: &str) -> Seen {
    wait_for(&format!("route {prefix}"), PATIENCE, || {
        peer.route(prefix)?.ok_or("no route".to_owned())
    })
}

#[track_caller]
fn lacks(peer: &dyn Peer, prefix: &str) {
    wait_for(&format!("withdrawal of {prefix}"), PATIENCE, || match peer.route(prefix)? {
        None => Ok(()),
        Some(seen) => Err(format!("{seen:?}")),
    });
}

/// A peer as every test will use it: both families, routes both ways, refresh, shutdown, death and return.
#[track_caller]
fn proves_itself<P: Peer>(start: impl Fn(&Node, Speaker) -> P, texts: bool) {
    let (_net, a, b) = Net::pair("bird", "other");
    let (bird, other) = speakers(false, None, false);
    let mut capture = Capture::start(&a, "other", "tcp port 179");
    let mut bird = Bird::with(&a, bird, "default bgp_med 1;");
    let mut other = start(&b, other);
    established(&bird, OTHER);
    established(&other, BIRD);

    let seen = has(&other, "192.0.2.0/24");
    assert_eq!((seen.as_path, seen.next_hop.as_str()), (vec![65000], BIRD[0]));
    let seen = has(&other, "2001:db8:1::/48");
    assert_eq!(seen.as_path, [65000]);
    assert_eq!(address(&seen.next_hop), address(BIRD[1]));
    assert_eq!(has(&bird, "203.0.113.0/24").as_path, [65001]);
    assert_eq!(has(&bird, "2001:db8:2::/48").as_path, [65001]);

    for prefix in ["198.51.100.0/24", "2001:db8:3::/48"] {
        other.announce(prefix);
        has(&bird, prefix);
        other.withdraw(prefix);
        lacks(&bird, prefix);
        bird.announce(prefix);
        has(&other, prefix);
        bird.withdraw(prefix);
        lacks(&other, prefix);
    }

    let sent = |capture: &Capture| {
        capture
            .updates(BIRD[0])
            .iter()
            .filter(|update| update.announced == ["192.0.2.0/24"])
            .count()
    };
    assert_eq!(sent(&capture), 1);
    if other.refresh(address(BIRD[0])) {
        wait_for("routes again after a refresh", PATIENCE, || match sent(&capture) {
            2 => Ok(()),
            count => Err(format!("sent {count} times")),
        });
    }

    bird.shut(address(OTHER[0]), "mind the gap");
    wait_for("NOTIFICATION at the peer", PATIENCE, || {
        let notified = other.notified(address(BIRD[0]));
        let wanted = if texts { "mind the gap" } else { "6" };
        if notified.contains(wanted) { Ok(()) } else { Err(notified) }
    });
    wait_for("end of the session", PATIENCE, || match other.state(address(BIRD[0]))? {
        state if state == "Established" => Err(state),
        _ => Ok(()),
    });
    bird.ask("enable s0").unwrap();
    established(&other, BIRD);

    other.kill();
    lacks(&bird, "203.0.113.0/24");
    lacks(&bird, "2001:db8:2::/48");
    other.start();
    established(&other, BIRD);
    has(&bird, "203.0.113.0/24");
    has(&other, "192.0.2.0/24");

    other.shut(address(BIRD[0]), "mind the step");
    wait_for("NOTIFICATION at BIRD", PATIENCE, || {
        let notified = bird.notified(address(OTHER[0]));
        let wanted = if texts { "mind the step" } else { "Administrative shutdown" };
        if notified.contains(wanted) { Ok(()) } else { Err(notified) }
    });
    capture.stop();
    assert_eq!(capture.faults(OTHER[0]), [""; 0]);
}

#[test]
fn captures_are_read_exactly() {
    let (_net, a, b) = Net::pair("bird", "other");
    let (mut bird, mut gobgp) = speakers(false, None, false);
    bird.networks.clear();
    gobgp.networks.clear();
    let capture = Capture::start(&a, "other", "tcp port 179");
    let bird = Bird::start(&a, bird);
    let gobgp = Gobgp::start(&b, gobgp);
    established(&bird, OTHER);
    let attributes = "origin igp med 10 aspath 65001,65002 community 65001:7,planned-shut large-community 65001:1:2";
    for (family, prefix) in [("ipv4", "198.51.100.0/24"), ("ipv6", "2001:db8:3::/48")] {
        for verb in ["add", "del"] {
            let line = format!("global rib {verb} {prefix} -a {family} {attributes}");
            gobgp.ask(&line.split(' ').collect::<Vec<_>>()).unwrap();
            if verb == "add" { drop(has(&bird, prefix)) } else { lacks(&bird, prefix) }
        }
    }
    for (source, prefix, next_hop) in
        [(OTHER[0], "198.51.100.0/24", 3), (OTHER[1], "2001:db8:3::/48", 14)]
    {
        let attributes = [
            (1, "0"),
            (2, "65001 65001 65002"),
            (4, "10"),
            (8, "65001:7 65535:0"),
            (32, "65001:1:2"),
            (next_hop, if next_hop == 3 { source } else { "fd99::2" }),
        ];
        let announced = Update {
            announced: vec![prefix.to_owned()],
            withdrawn: Vec::new(),
            attributes: attributes.map(|(code, value)| (code, value.to_owned())).into(),
        };
        let withdrawn = Update {
            announced: Vec::new(),
            withdrawn: vec![prefix.to_owned()],
            attributes: [].into(),
        };
        capture.all_updates(source, &[announced, withdrawn]);
    }
}

/// A session with TCP-MD5 and GTSM as asked for; the peer waits for BIRD to dial (`passive`), or dials itself.
#[track_caller]
fn is_guarded<P: Peer>(
    start: impl Fn(&Node, Speaker) -> P,
    passive: bool,
    password: Option<&str>,
    gtsm: bool,
) {
    let (_net, a, b) = Net::pair("bird", "other");
    let (bird, other) = speakers(passive, password, gtsm);
    let mut capture = Capture::start(&a, "other", "tcp port 179");
    let other = start(&b, other);
    let bird = Bird::start(&a, bird);
    established(&bird, OTHER);
    established(&other, BIRD);
    capture.stop();
    for (ours, theirs) in [(BIRD[0], OTHER[0]), (BIRD[1], OTHER[1])] {
        let (ip, ttl) = if ours.contains(':') { ("ipv6", "ipv6.hlim") } else { ("ip", "ip.ttl") };
        let silent = if passive { theirs } else { ours };
        let dialled = capture.fields(
            &format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && {ip}.src == {silent}"),
            &["frame.number"],
        );
        assert_eq!(dialled, [""; 0], "{silent} dialled, although it is passive");
        let open = capture
            .fields(&format!("bgp.type == 1 && {ip}.src == {theirs}"), &[ttl, "tcp.option_kind"]);
        let open = open.first().expect("an OPEN was captured");
        assert_eq!(open.starts_with("255\t"), gtsm, "TTL and options of the OPEN: {open}");
        assert_eq!(open.contains("19"), password.is_some(), "TTL and options of the OPEN: {open}");
    }
}

#[test]
fn frr_proves_itself() {
    proves_itself(Frr::start, true);
}

#[test]
fn bird_proves_itself() {
    proves_itself(Bird::start, true);
}

#[test]
fn gobgp_proves_itself() {
    proves_itself(Gobgp::start, true);
}

#[test]
fn openbgpd_proves_itself() {
    proves_itself(Openbgpd::start, true);
}

#[test]
fn exabgp_proves_itself() {
    proves_itself(Exabgp::start, false);
}

#[test]
fn frr_is_guarded_when_it_waits() {
    is_guarded(Frr::start, true, Some("sekret"), true);
}

#[test]
fn frr_is_guarded_when_it_dials() {
    is_guarded(Frr::start, false, Some("sekret"), true);
}

#[test]
fn bird_is_guarded_when_it_waits() {
    is_guarded(Bird::start, true, Some("sekret"), true);
}

#[test]
fn bird_is_guarded_when_it_dials() {
    is_guarded(Bird::start, false, Some("sekret"), true);
}

#[test]
fn gobgp_is_guarded_when_it_waits() {
    is_guarded(Gobgp::start, true, Some("sekret"), true);
}

#[test]
fn gobgp_is_guarded_when_it_dials() {
    is_guarded(Gobgp::start, false, Some("sekret"), true);
}

// On Linux it sets no key on its listening socket: TCP-MD5 only when it dials.
#[test]
fn openbgpd_is_guarded_when_it_waits() {
    is_guarded(Openbgpd::start, true, None, true);
}

#[test]
fn openbgpd_is_guarded_when_it_dials() {
    is_guarded(Openbgpd::start, false, Some("sekret"), true);
}

// It sets the TTL only on connections that it dials.
#[test]
fn exabgp_is_guarded_when_it_waits() {
    is_guarded(Exabgp::start, true, Some("sekret"), false);
}

#[test]
fn exabgp_is_guarded_when_it_dials() {
    is_guarded(Exabgp::start, false, Some("sekret"), true);
}
