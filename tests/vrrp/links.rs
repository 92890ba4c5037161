//! Interfaces that come and go, and the address that advertisements come from.

use std::net::IpAddr;

use shunt::vrrp::{Event, Link, Reason, Settings, State};

use super::world::{World, ipv6, millis, seconds, v3, v4, v6, virtual_v4};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_link_that_is_down_shuts_down_and_one_that_is_back_starts() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.run(seconds(4));
    assert_eq!(world.state(a), State::Active);
    world.sent.clear();
    world.set_link(a, 0, false);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoLink));
    // There is nothing to send on, and nothing to wait for.
    assert_eq!((world.sent.len(), world.nodes[a].vrrp.deadline()), (0, None));
    world.set_link(a, 0, true);
    assert_eq!(world.last(a), (State::Backup, Reason::Started));
    world.run(millis(3600));
    assert_eq!(world.state(a), State::Backup);
    world.run(millis(10));
    assert_eq!(world.state(a), State::Active);
}

#[test]
fn an_interface_that_is_not_there_is_waited_for() {
    let mut world = World::new(1, 1);
    let a = world.add_off(&[]);
    world.nodes[a].on = true;
    world.want(a, 1, v3(0, 100));
    assert_eq!(world.story(a), [(State::Initialize, Reason::NoLink)]);
    assert!(world.nodes[a].open.is_empty());
    world.tell_link(a, 0);
    assert_eq!(world.last(a), (State::Backup, Reason::Started));
    assert_eq!(world.nodes[a].open.len(), 1);
    let gone = Event::LinkChanged { interface: 1, link: None };
    let now = world.now;
    world.nodes[a].vrrp.handle(gone, now);
    world.run(seconds(1));
    world.adjust(a, 0);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoLink));
    assert!(world.nodes[a].open.is_empty());
}

#[test]
fn an_address_is_needed() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100), ipv6(0, 100)]);
    world.run(seconds(4));
    world.sent.clear();
    // The link is up: the others hear the farewell.
    world.nodes[a].links[0].addresses = vec![address("2001:db8::1"), v6(0, a)];
    world.tell_link(a, 0);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoLink));
    let said: Vec<_> = world.sent.iter().map(|s| (s.source, s.advertisement.priority)).collect();
    assert_eq!(said, [(v4(0, a), 0)]);
    // A global address is none that IPv6 advertisements come from (RFC 9568 §7.2).
    world.nodes[a].links[0].addresses = vec![address("2001:db8::1"), v4(0, a)];
    world.tell_link(a, 0);
    let states = [1, 2].map(|id| world.summary(a, id).state);
    assert_eq!(states, [State::Backup, State::Initialize]);
}

#[test]
fn the_source_is_the_first_address_that_is_really_the_interfaces() {
    let source = |settings: Settings, addresses: &[&str]| {
        let mut world = World::new(1, 1);
        let a = world.add_off(&[settings]);
        world.nodes[a].links[0].addresses = addresses.iter().map(|text| address(text)).collect();
        world.boot(a);
        world.run(seconds(5));
        world.sent.first().map(|sent| sent.source)
    };
    let own = address("10.0.0.7");
    assert_eq!(source(v3(0, 100), &["fe80::1", "10.0.0.7", "10.0.0.8"]), Some(own));
    // The virtual address is on the interface while we are Active there.
    assert_eq!(source(v3(0, 100), &["10.0.0.254", "10.0.0.7"]), Some(own));
    assert_eq!(source(v3(0, 100), &["10.0.0.254"]), None);
    // The owner's is its own.
    assert_eq!(source(v3(0, 255), &["10.0.0.254", "10.0.0.7"]), Some(virtual_v4(0)));
    let configured = Settings { source: Some(address("10.0.0.8")), ..v3(0, 100) };
    assert_eq!(source(configured.clone(), &["10.0.0.7", "10.0.0.8"]), configured.source);
    assert_eq!(source(configured, &["10.0.0.7"]), None);
    let link_local = Some(address("fe80::7"));
    assert_eq!(source(ipv6(0, 100), &["2001:db8::7", "fe80::ffff", "fe80::7"]), link_local);
}

#[test]
fn the_virtual_address_of_another_router_is_no_source() {
    let mut world = World::new(1, 1);
    let second = Settings { vrid: 11, addresses: vec![address("10.0.0.253")], ..v3(0, 100) };
    let a = world.add_off(&[v3(0, 100), second]);
    world.nodes[a].links[0].addresses = vec![address("10.0.0.253"), v4(0, a)];
    world.boot(a);
    world.run(seconds(5));
    assert!(world.sent.len() >= 2 && world.sent.iter().all(|sent| sent.source == v4(0, a)));
}

#[test]
fn another_address_changes_the_source_and_not_the_state() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    world.run(seconds(4));
    world.nodes[a].links[0].addresses = vec![address("10.0.0.77")];
    world.tell_link(a, 0);
    assert_eq!(world.state(a), State::Active);
    world.run(seconds(1));
    assert_eq!(world.sent.last().unwrap().source, address("10.0.0.77"));
    assert_eq!(world.summary(a, 1).active, Some(address("10.0.0.77")));
}

#[test]
fn an_interface_is_listened_on_while_somebody_is_there_for_the_family() {
    let mut world = World::new(1, 2);
    let second = Settings { vrid: 11, addresses: vec![address("10.0.0.253")], ..v3(0, 100) };
    let a = world.add(&[v3(0, 100), second, ipv6(1, 100)]);
    let open = |world: &World| world.nodes[a].open.iter().copied().collect::<Vec<_>>();
    assert_eq!(open(&world), [(1, false), (2, true)]);
    let drop = |router| shunt::vrrp::Order::Drop { router: super::world::id(router) };
    world.order(a, drop(1));
    assert_eq!(open(&world), [(1, false), (2, true)]);
    world.order(a, drop(2));
    assert_eq!(open(&world), [(2, true)]);
    // Down is not gone.
    world.set_link(a, 1, false);
    assert_eq!(open(&world), [(2, true)]);
}

#[test]
fn links_that_nobody_is_on_do_no_harm() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 100)]);
    let link = Some(Link { up: true, addresses: vec![v4(3, 3)] });
    let now = world.now;
    world.nodes[a].vrrp.handle(Event::LinkChanged { interface: 77, link }, now);
    assert_eq!(world.nodes[a].vrrp.poll(), None);
}

#[test]
fn what_is_known_already_is_not_told_again() {
    let mut world = World::new(1, 2);
    let a = world.add(&[v3(0, 100)]);
    world.set_link(a, 0, false);
    let changes = world.nodes[a].changes.len();
    world.set_link(a, 1, false);
    world.adjust(a, -5);
    world.order(a, shunt::vrrp::Order::Ready { ready: true });
    world.stop(a);
    assert_eq!(world.nodes[a].changes.len(), changes);
}

#[test]
fn an_address_that_is_virtual_elsewhere_may_be_the_source() {
    let mut world = World::new(1, 2);
    let elsewhere = Settings { addresses: vec![v4(0, 0)], ..v3(1, 100) };
    let a = world.add(&[v3(0, 100), elsewhere]);
    assert_eq!(world.state(a), State::Backup);
}

#[test]
fn without_a_socket_it_does_not_start() {
    let mut world = World::new(1, 1);
    let a = world.add_off(&[v3(0, 100)]);
    world.nodes[a].opens = None;
    world.boot(a);
    world.run(seconds(10));
    // It is asked for: there is nothing to tell yet, and nothing to wait for.
    assert_eq!(world.story(a), []);
    assert_eq!((world.sent.len(), world.nodes[a].vrrp.deadline()), (0, None));
    world.opened(a, 0, false);
    world.run(seconds(10));
    assert_eq!(world.story(a), [(State::Initialize, Reason::NoSocket)]);
    assert_eq!(world.sent.len(), 0);
    world.opened(a, 0, true);
    assert_eq!(world.last(a), (State::Backup, Reason::Started));
    world.run(seconds(4));
    assert_eq!(world.state(a), State::Active);
}

/// It would not hear who takes over.
#[test]
fn an_active_that_loses_its_socket_leaves() {
    let mut world = World::new(1, 1);
    let a = world.add(&[v3(0, 150)]);
    let b = world.add(&[v3(0, 100)]);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
    world.sent.clear();
    world.opened(a, 0, false);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoSocket));
    let said: Vec<_> = world.sent.iter().map(|s| (s.source, s.advertisement.priority)).collect();
    assert_eq!(said, [(v4(0, a), 0)]);
    world.run(seconds(2));
    assert_eq!(world.active(0), [b]);
    // Down is told before what else is missing.
    world.set_link(a, 0, false);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoLink));
    world.set_link(a, 0, true);
    assert_eq!(world.last(a), (State::Initialize, Reason::NoSocket));
    world.opened(a, 0, true);
    world.run(seconds(5));
    assert_eq!(world.active(0), [a]);
}

/// To open its sockets takes a while, in which the other members need not yield.
#[test]
fn a_new_member_takes_the_role_of_its_group_when_it_can() {
    let mut world = World::new(1, 2);
    let member = |segment| Settings { sync_group: Some("pair".to_owned()), ..v3(segment, 100) };
    let a = world.add(&[member(0)]);
    world.run(seconds(5));
    world.nodes[a].opens = None;
    world.want(a, 2, member(1));
    world.run(seconds(1));
    let states = |world: &World| [1, 2].map(|id| world.summary(a, id).state);
    assert_eq!(states(&world), [State::Active, State::Initialize]);
    world.opened(a, 1, true);
    assert_eq!(states(&world), [State::Active, State::Active]);
    // One that cannot have them holds the group.
    world.opened(a, 1, false);
    assert_eq!(states(&world), [State::Backup, State::Initialize]);
}
