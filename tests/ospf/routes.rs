//! Routes and plans: what a router tells of the area, and when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use shunt::ospf::{Address, Announced, Event, How, Link, RouteKind};
use shunt::types::RouterId;

use super::world::{World, id, millis, point_to_point, seconds, settings};

const SERVICE: &str = "192.0.2.1/32";

/// 4 ─ 1, 1 ─ 2, 1 ─ 3: the sites are 2 and 3. All are adjacent and have settled.
fn two_sites() -> World {
    let mut world = World::new(1);
    let links = |names: &[&'static str]| -> Vec<_> {
        names.iter().map(|name| (*name, point_to_point())).collect()
    };
    let core = world.add(settings(1, &links(&["to2", "to3", "to4"])));
    for (number, name, prefix) in
        [(2, "to2", "10.1.2.0/24"), (3, "to3", "10.1.3.0/24"), (4, "to4", "10.1.4.0/24")]
    {
        let node = world.add(settings(number, &links(&["core"])));
        world.join(prefix, &[(core, name), (node, "core")]);
    }
    world.run(seconds(60));
    for node in 1..4 {
        assert!(world.are_full(core, node));
    }
    world
}

fn announce(world: &mut World, node: usize, metric: u32) {
    let announced = Some(Announced { metric, how: How::External2, tag: 0 });
    let prefix = SERVICE.parse().unwrap();
    world.handle(node, Event::AnnouncementChanged { prefix, announced });
}

/// Metric and exits of the node's route to the service.
fn route(world: &World, node: usize) -> Option<(u32, Vec<RouterId>)> {
    let mut routes = world.nodes[node].router.routes();
    let (_, route) = routes.find(|(prefix, _)| prefix.to_string() == SERVICE)?;
    assert_eq!(route.kind, RouteKind::External2);
    Some((route.type_2_cost, route.exits.clone()))
}

#[test]
fn networks_of_the_area_are_routes_but_not_our_own() {
    let world = two_sites();
    let of = |node: usize| -> BTreeMap<String, u32> {
        let routes = world.nodes[node].router.routes();
        routes.map(|(prefix, route)| (prefix.to_string(), route.cost)).collect()
    };
    let expected = [("10.1.2.0/24".to_owned(), 20), ("10.1.3.0/24".to_owned(), 20)];
    assert_eq!(of(3), BTreeMap::from(expected));
    assert_eq!(of(0), BTreeMap::new());
}

#[test]
fn a_change_of_an_external_takes_effect_without_waiting_for_the_topology() {
    let mut world = two_sites();
    announce(&mut world, 1, 100);
    announce(&mut world, 2, 200);
    world.run(seconds(5));
    assert_eq!(route(&world, 3), Some((100, vec![id(2)])));
    // The topology changes so often that SPF waits for a second by now.
    for _ in 0..4 {
        world.reconfigure(1, |settings| {
            let cost = &mut settings.interfaces.get_mut("core").unwrap().cost;
            *cost = if *cost == 10 { 11 } else { 10 };
        });
        world.run(millis(400));
    }
    // What is to win no more raises its own metric.
    announce(&mut world, 1, 300);
    world.run(millis(30));
    assert_eq!(route(&world, 3), Some((200, vec![id(3)])));
    assert_eq!(route(&world, 1), Some((200, vec![id(3)])), "its own is none of its routes");
    assert_eq!(route(&world, 2), Some((300, vec![id(2)])));
}

#[test]
fn routes_go_with_the_adjacency_at_once() {
    let mut world = two_sites();
    announce(&mut world, 1, 100);
    world.run(seconds(5));
    assert!(route(&world, 0).is_some());
    world.set_up(0, "to2", false);
    world.run(millis(20));
    assert_eq!(route(&world, 0), None);
}

#[test]
fn a_plan_tells_what_then_comes_true_and_changes_nothing() {
    let mut world = two_sites();
    announce(&mut world, 1, 100);
    announce(&mut world, 2, 200);
    world.run(seconds(5));
    let prefix = SERVICE.parse().unwrap();
    let changes = [(prefix, Some(Announced { metric: 300, how: How::External2, tag: 0 }))];
    let plan = world.nodes[1].router.plan(&changes, world.now).remove(0);
    assert_eq!(plan.routers.len(), 4);
    let core = &plan.routers[0];
    assert_eq!(core.router_id, id(1));
    let (before, after) = (core.before.clone().unwrap(), core.after.clone().unwrap());
    assert_eq!(
        (before.type_2_cost, &before.exits[..], &before.first_hops[..]),
        (100, &[id(2)][..], &[id(2)][..])
    );
    assert_eq!(
        (after.type_2_cost, &after.exits[..], &after.first_hops[..]),
        (200, &[id(3)][..], &[id(3)][..])
    );
    // Whoever announces it is its own exit.
    assert_eq!(plan.routers[1].after.as_ref().unwrap().exits, [id(2)]);
    assert_eq!(plan.routers[3].after.as_ref().unwrap().exits, [id(3)]);
    world.run(seconds(5));
    assert_eq!(route(&world, 3), Some((100, vec![id(2)])));
    announce(&mut world, 1, 300);
    world.run(seconds(2));
    assert_eq!(route(&world, 3), Some((200, vec![id(3)])));
    // Where nobody announces the prefix itself, a network that covers it counts.
    let near = "10.1.4.77/32".parse().unwrap();
    let plan = world.nodes[1].router.plan(&[(near, None)], world.now).remove(0);
    let way = plan.routers[1].after.clone().unwrap();
    assert_eq!(
        (way.matched.to_string(), way.kind),
        ("10.1.4.0/24".to_owned(), RouteKind::IntraArea)
    );
    assert_eq!(way.exits, [id(1)]);
}

#[test]
fn more_or_fewer_paths_take_effect_at_once() {
    let mut world = two_sites();
    announce(&mut world, 1, 100);
    announce(&mut world, 2, 100);
    world.run(seconds(2));
    let hops = |world: &World| {
        let mut routes = world.nodes[0].router.routes();
        routes.find(|(prefix, _)| prefix.to_string() == SERVICE).unwrap().1.hops.len()
    };
    assert_eq!(hops(&world), 2);
    world.reconfigure(0, |settings| settings.max_paths = 1);
    world.run(seconds(2));
    assert_eq!(hops(&world), 1);
}

/// On a link with an address for each end, the other one announces ours.
#[test]
fn our_own_address_is_no_route() {
    let mut world = World::new(1);
    let nodes = [1, 2].map(|number| world.add(settings(number, &[("eth0", point_to_point())])));
    world.join("10.0.0.0/24", &nodes.map(|node| (node, "eth0")));
    for (node, own, other) in [(0, 1, 2), (1, 2, 1)] {
        let address = Ipv4Addr::new(10, 0, 0, own);
        let network = Ipv4Net::from(Ipv4Addr::new(10, 0, 0, other));
        let addresses = vec![Address { address, network }];
        let link = world.link(node, "eth0");
        world.set_link(node, "eth0", Link { addresses, ..link });
    }
    world.announce(1, SERVICE, How::Stub, 1);
    world.run(seconds(20));
    assert!(world.are_full(0, 1));
    let routes = world.nodes[0].router.routes();
    let routes: Vec<String> = routes.map(|(prefix, _)| prefix.to_string()).collect();
    assert_eq!(routes, [SERVICE]);
}
