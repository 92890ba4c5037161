//! Whose packet it is, and what is nobody's (RFC 5880 §6.3, §6.8.6; RFC 5881 §3, §5; RFC 5883 §4).

use std::collections::BTreeSet;

use shunt::bfd::{Bfd, Event, Hops, Order, Path, Received, SessionId, Settings, State};
use shunt::types::{Rng, Time};
use shunt::wire::bfd::Packet;
use smallvec::SmallVec;

use crate::bench::{Bench, ID, address, down, millis, settings};

fn octets(packet: Packet) -> SmallVec<[u8; 64]> {
    let mut octets = SmallVec::new();
    packet.emit(b"", &mut octets);
    octets
}

fn multihop() -> Settings {
    let (local, remote) = (address("192.0.2.1"), address("192.0.2.2"));
    Settings { path: Path::MultiHop { local, remote, min_ttl: 250 }, ..settings() }
}

/// A Down packet that keeps a session up from going down would be one that is not heard.
fn heard(bench: &mut Bench, change: impl FnOnce(&mut Received<'_>)) -> bool {
    let packet = octets(bench.theirs_but(|packet| packet.state = State::Down));
    let mut received = bench.on_path(&packet);
    change(&mut received);
    bench.handle(Event::Received(received));
    bench.state() == State::Down
}

#[test]
fn the_ttl_of_a_single_hop_is_255() {
    let mut bench = Bench::up();
    assert!(!heard(&mut bench, |received| received.ttl = 254));
    assert!(!heard(&mut bench, |received| received.ttl = 0));
    assert_eq!(bench.dropped("wrong-ttl"), 2);
    assert!(heard(&mut bench, |_| ()));
}

#[test]
fn the_ttl_of_several_hops_has_a_least_value() {
    let mut bench = Bench::up_with(multihop());
    assert!(!heard(&mut bench, |received| received.ttl = 249));
    assert_eq!(bench.dropped("wrong-ttl"), 1);
    assert!(heard(&mut bench, |received| received.ttl = 250));
}

/// Any interface will do for several hops, and one for a single hop.
#[test]
fn a_packet_on_another_path_is_dropped_though_its_discriminator_fits() {
    let mut bench = Bench::up();
    assert!(!heard(&mut bench, |received| received.interface = 2));
    assert!(!heard(&mut bench, |received| received.source = address("10.0.0.3")));
    assert!(!heard(&mut bench, |received| received.destination = address("10.0.0.3")));
    assert!(!heard(&mut bench, |received| received.hops = Hops::Multi));
    assert_eq!(bench.dropped("wrong-path"), 4);
    assert_eq!(bench.state(), State::Up);

    let mut bench = Bench::up_with(multihop());
    assert!(!heard(&mut bench, |received| received.hops = Hops::Single));
    assert!(heard(&mut bench, |received| received.interface = 9));
}

#[test]
fn a_discriminator_that_is_not_ours_is_counted() {
    let mut bench = Bench::up();
    let ours = bench.summary().local_discriminator;
    bench.hear(bench.theirs_but(|packet| {
        packet.state = State::Down;
        packet.your_discriminator = ours ^ 1;
    }));
    assert_eq!((bench.state(), bench.dropped("unknown-discriminator")), (State::Up, 1));
}

/// The other side has begun anew and does not know ours yet.
#[test]
fn without_a_discriminator_the_path_decides() {
    let mut bench = Bench::up();
    bench.hear(down());
    assert_eq!(bench.state(), State::Down);

    let mut bench = Bench::up();
    let packet = octets(down());
    for change in [
        (|received| received.source = address("10.0.0.9")) as fn(&mut Received<'_>),
        |received| received.interface = 2,
        |received| received.hops = Hops::Multi,
    ] {
        let mut received = bench.on_path(&packet);
        change(&mut received);
        bench.handle(Event::Received(received));
    }
    assert_eq!((bench.state(), bench.dropped("no-session")), (State::Up, 3));
    let mut octets = packet.clone();
    octets[1] = 0x80; // Init
    bench.hear_octets(&octets);
    assert_eq!((bench.state(), bench.dropped("zero-your-discriminator")), (State::Up, 1));
}

/// §6.8.6: what a packet alone tells. Nothing of it reaches the session.
#[test]
fn malformed_packets_are_counted_by_name() {
    let mut bench = Bench::up();
    let good = octets(bench.theirs_but(|packet| packet.state = State::Down));
    let received = bench.summary().received;
    for (why, place, octet) in [
        ("bad-version", 0, 0x40),
        ("zero-multiplier", 2, 0),
        ("bad-length", 3, 25),
        ("multipoint", 1, 0x41),
    ] {
        let mut octets = good.clone();
        octets[place] = octet;
        bench.hear_octets(&octets);
        assert_eq!(bench.dropped(why), 1, "{why}");
    }
    let mut octets = good.clone();
    octets[4..8].fill(0);
    bench.hear_octets(&octets);
    assert_eq!(bench.dropped("zero-my-discriminator"), 1);
    assert_eq!((bench.state(), bench.summary().received), (State::Up, received));
    bench.hear_octets(&good);
    assert_eq!(bench.state(), State::Down);
}

#[test]
fn sessions_have_discriminators_and_paths_of_their_own() {
    let mut bench = Bench::new(settings());
    let other =
        Path::SingleHop { interface: 2, local: address("10.0.0.1"), remote: address("10.0.0.2") };
    for (id, path) in [(2, other), (3, multihop().path)] {
        let settings = Box::new(Settings { path, ..settings() });
        bench.handle(Event::Ordered(Order::Want { session: SessionId(id), settings }));
    }
    for id in 4..200 {
        let remote = format!("fe80::{id}").parse().unwrap();
        let path = Path::SingleHop { interface: 1, local: address("fe80::1"), remote };
        let settings = Box::new(Settings { path, ..settings() });
        bench.handle(Event::Ordered(Order::Want { session: SessionId(id), settings }));
    }
    let summaries = bench.bfd.summaries(bench.now);
    let discriminators: BTreeSet<_> = summaries.iter().map(|s| s.local_discriminator).collect();
    assert_eq!(discriminators.len(), 199);
    assert!(summaries.is_sorted_by_key(|summary| summary.session));
    let packet = octets(down());
    let received = Received { interface: 2, ..bench.on_path(&packet) };
    bench.handle(Event::Received(received));
    let up = |bench: &Bench| {
        let summaries = bench.bfd.summaries(bench.now);
        summaries.iter().filter(|s| s.state == State::Init).map(|s| s.session.0).collect::<Vec<_>>()
    };
    assert_eq!(up(&bench), [2]);
    bench.hear(down());
    assert_eq!(up(&bench), [1, 2]);
}

/// Zero stands for not known. The seed is one whose first number would be zero.
#[test]
fn no_discriminator_is_zero() {
    let mut bfd = Bfd::new(Rng::new(0x83c9_53d1_d0ee_9fb1));
    let order = Order::Want { session: ID, settings: Box::new(settings()) };
    bfd.handle(Event::Ordered(order), Time::ZERO);
    assert_ne!(bfd.summaries(Time::ZERO)[0].local_discriminator, 0);
}

#[test]
fn a_session_that_is_gone_leaves_no_path_behind() {
    let mut bench = Bench::new(settings());
    bench.leave();
    let path = multihop().path;
    let order = Order::Want { session: ID, settings: Box::new(multihop()) };
    bench.handle(Event::Ordered(order));
    bench.hear(down());
    assert_eq!((bench.dropped("no-session"), bench.dropped("wrong-path")), (1, 0));
    bench.path = path;
    bench.come_up();
}

/// The path is wanted again while the session before still says AdminDown.
#[test]
fn a_new_session_takes_the_path_of_one_that_ends() {
    let mut bench = Bench::up();
    bench.leave();
    let second = SessionId(9);
    let settings = Box::new(settings());
    bench.handle(Event::Ordered(Order::Want { session: second, settings }));
    assert_eq!(bench.sockets, [(ID, true), (ID, false), (second, true)]);
    bench.come_up();
    assert_eq!(bench.summary().session, second);
    bench.wait_alive(millis(5000), bench.theirs());
    assert_eq!(bench.sockets.len(), 3);
}
