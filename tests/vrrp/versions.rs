//! What goes out: both versions, both families, both checksums, to the group or to each peer.

use shunt::types::Mac;
use shunt::vrrp::{Checksum, MacKind, Reason, Settings, State, Version};

use super::world::{
    World, advertisement, every, group, ipv6, micros, packet, seconds, v2, v3, v4, v6,
};

#[test]
fn an_advertisement_goes_to_the_group_from_the_virtual_mac() {
    // RFC 9568 §5.1.1, §7.2.
    let mut world = World::new(1, 1);
    world.add(&[v3(0, 255)]);
    let sent = &world.sent[0];
    assert_eq!((sent.source, sent.destination), (v4(0, 0), group(false)));
    assert_eq!(sent.mac, Some(Mac([0, 0, 0x5e, 0, 1, 10])));
    assert_eq!(sent.checksum, Checksum::Plain);
    assert_eq!(sent.advertisement, advertisement(255));
}

#[test]
fn ipv6_comes_from_the_link_local_address() {
    // RFC 9568 §5.1.2, §7.2.
    let mut world = World::new(1, 1);
    let a = world.add(&[ipv6(0, 255)]);
    let sent = &world.sent[0];
    assert_eq!((sent.source, sent.destination), (v6(0, 0), group(true)));
    assert_eq!(sent.mac, Some(Mac([0, 0, 0x5e, 0, 2, 10])));
    assert_eq!(sent.advertisement.addresses[..], ipv6(0, 255).addresses[..]);
    assert_eq!(world.nodes[a].open.iter().collect::<Vec<_>>(), [&(1, true)]);
}

#[test]
fn the_checksum_is_as_configured() {
    let mut world = World::new(1, 1);
    world.add(&[Settings { checksum: Checksum::PseudoHeader, ..v3(0, 255) }]);
    assert_eq!(world.sent[0].checksum, Checksum::PseudoHeader);
}

#[test]
fn without_a_virtual_mac_it_is_the_interfaces() {
    let mut world = World::new(1, 1);
    let a = world.add(&[Settings { mac: MacKind::Physical, ..v3(0, 255) }]);
    assert_eq!(world.sent[0].mac, None);
    assert_eq!(world.nodes[a].announced[0].2, None);
}

#[test]
fn version_2_counts_in_seconds() {
    // RFC 3768 §6.1: Skew_Time is (256 - Priority) / 256 seconds, whatever the interval.
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v2(0, 100), 300)]);
    world.run(micros(9_609_370));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.last(a), (State::Active, Reason::ActiveDown));
    let sent = &world.sent[0].advertisement;
    assert_eq!((sent.version, sent.interval), (Version::V2, 300));
    world.run(seconds(3));
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn version_2_leaves_skew_time_for_priority_zero() {
    let mut world = World::new(1, 1);
    let a = world.add(&[every(v2(0, 100), 300)]);
    let version = Version::V2;
    let leaving = shunt::wire::vrrp::Advertisement { version, interval: 300, ..advertisement(0) };
    world.hear(a, &packet(&leaving, v4(0, 9)));
    world.run(micros(609_370));
    assert_eq!(world.state(a), State::Backup);
    world.run(micros(10));
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn each_kind_elects_one() {
    type Make = fn(usize, u8) -> Settings;
    for make in [v3 as Make, v2, ipv6] {
        let mut world = World::new(1, 1);
        let nodes = [120, 150, 90].map(|priority| world.add(&[make(0, priority)]));
        world.run(seconds(10));
        assert_eq!(world.active(0), [nodes[1]]);
        world.kill(nodes[1]);
        world.run(seconds(10));
        assert_eq!(world.active(0), [nodes[0]]);
        world.boot(nodes[1]);
        world.run(seconds(10));
        assert_eq!(world.active(0), [nodes[1]]);
    }
}

#[test]
fn unicast_peers_are_told_one_by_one() {
    let mut world = World::new(1, 1);
    let peers = |me: usize| (0..3).filter(|n| *n != me).map(|n| v4(0, n)).collect();
    let settings = |me, priority| Settings { unicast_peers: peers(me), ..v3(0, priority) };
    let nodes = [0, 1, 2].map(|me| world.add(&[settings(me, 100 + 10 * me as u8)]));
    world.run(seconds(10));
    assert_eq!(world.active(0), [nodes[2]]);
    let last = &world.sent[world.sent.len() - 2..];
    assert_eq!([last[0].destination, last[1].destination], [v4(0, 0), v4(0, 1)]);
    // The kernel resolves the peer, so that the frame is the interface's own.
    assert_eq!(last[0].mac, None);
    assert_eq!(world.summary(2, 1).sent, world.sent.iter().filter(|s| s.from == 2).count() as u64);
    world.stop(nodes[2]);
    world.run(seconds(1));
    assert_eq!(world.active(0), [nodes[1]]);
}

#[test]
fn two_families_share_a_vrid() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150), ipv6(0, 100)]);
    let b = world.add(&[v3(0, 100), ipv6(0, 150)]);
    world.run(seconds(10));
    let states = [a, b].map(|node| [1, 2].map(|id| world.summary(node, id).state));
    let (active, backup) = (State::Active, State::Backup);
    assert_eq!(states, [[active, backup], [backup, active]]);
}
