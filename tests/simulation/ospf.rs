//! Areas of agents: they converge, whatever happened before.

use std::net::Ipv4Addr;
use std::time::Duration;

use shunt::agent::Event;
use shunt::sim::{Link, NodeId, World};
use shunt::types::{Rng, RouterId, Time};
use shunt::wire::ospf::{AreaId, Body, Hello, Options, Signature, Version, emit};

use crate::area::{Area, SHARED, Segment, broadcast, configuration, point_to_point};
use crate::topology::{Text, edge_text, isp_text};

const SECOND: Duration = Duration::from_secs(1);

fn ring(count: usize) -> Vec<Segment> {
    (0..count).map(|number| point_to_point(number, (number + 1) % count)).collect()
}

/// Two firewalls on a LAN each with a core router, the cores joined twice.
fn two_sites() -> Vec<Segment> {
    vec![broadcast(&[0, 2]), broadcast(&[1, 3]), point_to_point(2, 3), broadcast(&[2, 3])]
}

#[test]
fn a_ring_a_lan_and_two_sites_find_all_their_ways() {
    Area::new(1, 6, ring(6), "", "").up();
    Area::new(2, 5, vec![broadcast(&[0, 1, 2, 3, 4])], "", "").up();
    Area::new(3, 4, two_sites(), "", "").up();
    Area::new(4, 4, two_sites(), "area = 1\narea-type = \"nssa\"", "").up();
    Area::new(5, 4, two_sites(), "area = 1\narea-type = \"stub\"", "ospf = \"stub\"").up();
    Area::new(6, 4, two_sites(), "", "ospf = \"external-1\"").up();
}

/// Runs one seed of random trouble and checks what is left of it.
fn troubled(seed: u64, count: usize, segments: Vec<Segment>) {
    let mut area = Area::new(seed, count, segments, "", "").up();
    let mut rng = Rng::new(seed ^ 0x5eed);
    for _ in 0..40 {
        area.disturb(&mut rng);
        area.world.run_for(Duration::from_millis(rng.below(4000)));
    }
    area.calm();
    area.assert_whole();
}

#[test]
fn a_ring_converges_after_any_trouble() {
    for seed in 0..12 {
        troubled(seed, 5, ring(5));
    }
}

#[test]
fn a_lan_converges_after_any_trouble() {
    for seed in 100..112 {
        troubled(seed, 4, vec![broadcast(&[0, 1, 2, 3])]);
    }
}

#[test]
fn two_sites_converge_after_any_trouble() {
    for seed in 200..212 {
        troubled(seed, 4, two_sites());
    }
}

#[test]
fn a_seed_gives_one_transcript() {
    let run = || {
        let mut area = Area::new(9, 4, two_sites(), "", "").up();
        let mut rng = Rng::new(9);
        for _ in 0..15 {
            area.disturb(&mut rng);
            area.world.run_for(SECOND);
        }
        area.world.transcript().to_owned()
    };
    assert_eq!(run(), run());
}

/// The target is raised: traffic follows at once; the reversal raises the other one, so it is as fast.
#[test]
fn a_switch_and_its_reversal_are_both_fast() {
    let mut area = Area::new(7, 4, two_sites(), "", "").up();
    assert_eq!(area.exits()[&2], 0);
    let moved_to = |area: &mut Area, exit: usize| -> Duration {
        let from: Time = area.world.now();
        let routers = [2, 3];
        let reached = loop {
            if routers.iter().all(|router| area.exits()[router] == exit) {
                break true;
            }
            if area.world.now() - from > SECOND {
                break false;
            }
            area.world.run_for(Duration::from_millis(1));
        };
        assert!(reached, "{}", area.world.transcript());
        area.world.now() - from
    };
    let (first, second) = (area.routers[0], area.routers[1]);
    area.world.order(second, "prefer", "shared", "210");
    let there = moved_to(&mut area, 1);
    area.world.order(first, "prefer", "shared", "220");
    let back = moved_to(&mut area, 0);
    // Disk, two links and the kernel, all simulated.
    let limit = Duration::from_millis(20);
    assert!(there < limit && back < limit, "{there:?} there, {back:?} back");
}

/// However often one site is ordered up and down, what comes last holds, and no neighbour has to be sent anything
/// twice because it came too early.
#[test]
fn fifty_switches_without_a_pause_end_right() {
    let mut area = Area::new(8, 4, two_sites(), "", "").up();
    for turn in 0..50_u64 {
        let level = if turn % 2 == 0 { "210" } else { "standby" };
        area.world.order(area.routers[1], "prefer", "shared", level);
        area.world.run_for(Duration::from_millis(turn * 7 % 60));
    }
    area.world.run_for(Duration::from_secs(3));
    assert_eq!(area.exits()[&3], 0, "standby came last");
    area.world.order(area.routers[1], "prefer", "shared", "210");
    area.world.run_for(Duration::from_secs(3));
    assert_eq!(area.exits()[&2], 1, "raised");
    area.assert_whole();
    for number in 0..4 {
        let router = area.routers[number];
        let agent = area.world.agent(router).expect("it runs");
        let now = area.world.agent_now(router);
        let request = Default::default();
        let interfaces = agent.ospf_interfaces(&request, now).expect("OSPF is configured");
        for interface in interfaces.interfaces {
            let early = interface.discarded.keys().find(|reason| reason.contains("early"));
            assert_eq!(early, None, "router {number}, {}", interface.name);
        }
    }
}

#[test]
fn a_drained_node_keeps_its_neighbours_and_loses_the_traffic() {
    let mut area = Area::new(10, 4, two_sites(), "", "").up();
    area.world.order(area.routers[0], "drain", "", "");
    area.world.run_for(SECOND);
    assert!(area.exits().iter().filter(|(from, _)| **from != 0).all(|(_, exit)| *exit == 1));
    let status = area.status(0).ospf.expect("OSPF is configured");
    assert_eq!((status.neighbors_full, status.stub_router.as_str()), (1, "drained"));
    area.world.order(area.routers[0], "undrain", "", "");
    area.world.run_for(3 * SECOND);
    assert_eq!(area.exits()[&3], 0);
    assert!(area.status(0).ospf.expect("OSPF is configured").stub_router.is_empty());
}

/// kill -9: the kernel keeps its routes, and the new process does not attract traffic before it has its own. Neighbours
/// that wait five seconds between two instances of an LSA, as FRR and BIRD do, tell the area late that it is back.
#[test]
fn a_killed_agent_comes_back_without_a_hole() {
    for (seed, interval) in [(11, "1050ms"), (13, "5s")] {
        let pacing = format!("min-ls-interval = \"{interval}\"");
        let mut area = Area::new(seed, 4, two_sites(), &pacing, "").up();
        let back = Ipv4Addr::new(198, 51, 100, 3);
        area.world.kill(area.routers[0]);
        area.world.start(area.routers[0]);
        for _ in 0..4000 {
            area.world.run_for(Duration::from_millis(5));
            for from in [2, 3] {
                assert!(area.exits()[&from] < 2, "no way from {from}{}", area.told());
            }
            // What the earlier life has left is not swept before there is something better.
            if let Err(path) = area.walk(area.routers[0], back) {
                panic!("no way back: {path}{}", area.told());
            }
        }
        assert_eq!(area.exits()[&3], 0, "it is primary again");
        area.assert_whole();
    }
}

#[test]
fn an_order_is_answered_when_the_neighbours_have_acknowledged_it() {
    let mut area = Area::new(12, 4, two_sites(), "", "").up();
    let order = area.world.order(area.routers[1], "prefer", SHARED, "drain");
    let router = area.routers[1];
    assert!(area.world.run_until(5 * SECOND, |world| world.answer(router, order).is_some()));
    let reply = area.world.answer(router, order).and_then(|answer| answer.as_ref().ok());
    let delivery = reply.and_then(|reply| reply.deliveries.first()).expect("one neighbour");
    assert_eq!(delivery.outcome, "acknowledged");
    assert_eq!(delivery.neighbor, "ospf:r3%e1");
    assert_eq!(delivery.prefixes[0].ospf.as_ref().map(|ospf| ospf.metric), Some(24_500));
}

/// An adjacency can be Full for seconds before the neighbour's router-LSA tells of it, as its instances are paced. Until
/// it does there is no way through it, so the start is not over and the routes of the earlier life stay.
#[test]
fn a_start_waits_until_the_neighbours_announce_the_way_back() {
    let mut area = Area::new(13, 4, ring(4), "min-ls-interval = \"5s\"", "").up();
    area.world.kill(area.routers[1]);
    // The neighbours have just told that it is gone, and have to wait before they tell that it is back.
    area.world.run_for(Duration::from_millis(4300));
    area.world.start(area.routers[1]);
    let beyond = [0, 2].map(|last| Ipv4Addr::new(198, 51, 100, last));
    let mut started = None;
    for _ in 0..3000 {
        area.world.run_for(Duration::from_millis(5));
        for service in beyond {
            let end = area.walk(area.routers[1], service);
            assert_eq!(end, Ok(usize::from(service.octets()[3])), "{}", area.world.transcript());
        }
        let ospf = area.status(1).ospf.expect("OSPF is configured");
        if ospf.stub_router.is_empty() {
            started.get_or_insert(area.world.agent_now(area.routers[1]));
        }
    }
    let started = started.expect("its start ends").since(Time::ZERO);
    assert!(started > 4 * SECOND && started < 7 * SECOND, "{started:?}");
    area.assert_whole();
}

/// A neighbour that says Hello and never describes its database must not keep a node from serving the others.
#[test]
fn a_neighbour_that_is_stuck_delays_a_start_by_the_grace_at_most() {
    let alone = Segment { members: vec![0], broadcast: false };
    let mut area = Area::new(14, 2, vec![point_to_point(0, 1), alone], "", "");
    let routers = area.routers.clone();
    area.world.start(routers[0]);
    let source = Ipv4Addr::new(10, 0, 1, 99);
    let hello = Hello {
        network_mask: Ipv4Addr::new(255, 255, 255, 0),
        hello_interval: 1,
        options: Options::EXTERNAL,
        priority: 0,
        dead_interval: 4,
        designated: Ipv4Addr::UNSPECIFIED,
        backup: Ipv4Addr::UNSPECIFIED,
        neighbors: vec![RouterId(Ipv4Addr::new(192, 0, 2, 1))],
    };
    let stuck = RouterId(Ipv4Addr::new(192, 0, 2, 99));
    let (body, area_id) = (Body::Hello(hello), AreaId::BACKBONE);
    let packet = emit(Version::V2, stuck, area_id, &body, &Signature::Null, source).freeze();
    let destination = Ipv4Addr::new(224, 0, 0, 5);
    let stub_router = |area: &Area| area.status(0).ospf.expect("OSPF is configured").stub_router;
    let mut ended = None;
    for turn in 0..200 {
        if turn == 10 {
            area.world.start(routers[1]);
        }
        let packet = packet.clone();
        let event = Event::PacketReceived { interface: 2, source, destination, packet };
        area.world.deliver(routers[0], event);
        area.world.run_for(Duration::from_millis(100));
        if stub_router(&area).is_empty() {
            ended.get_or_insert(area.world.agent_now(routers[0]));
        }
    }
    let status = area.status(0).ospf.expect("OSPF is configured");
    assert_eq!((status.neighbors_known, status.neighbors_full), (2, 1));
    // As the configuration has it.
    let grace = Time::ZERO + 10 * SECOND;
    let ended = ended.expect("its start ends");
    assert!(ended >= grace && ended < grace + SECOND, "{ended:?}");
    area.assert_whole();
}

/// After a boot BGP may be up before the links inside are. What an edge announced then it could not forward.
#[test]
fn an_edge_announces_nothing_before_its_links_inside_are_up() {
    let inside = "[ospf.interface.{}]\nnetwork = \"point-to-point\"\nhello-interval = \"1s\"\n";
    let edge = edge_text() + "[ospf]\nexport = \"none\"\n" + &inside.replace("{}", "e2");
    let core = Text::node("core", "dc1", 64500, "192.0.2.3").payments().done()
        + "[ospf]\nexport = \"groups\"\n"
        + &inside.replace("{}", "e1");
    let mut world = World::new(15);
    let [edge, isp, core] = [edge, isp_text(), core].map(|text| world.node(&text));
    world.link((edge, "10.0.0.1/24"), (isp, "10.0.0.2/24"), Link::default());
    let late = world.link((edge, "10.0.1.1/24"), (core, "10.0.1.2/24"), Link::default());
    world.unplug(late);
    for node in [edge, isp, core] {
        world.start(node);
    }
    let service = "198.51.100.7/32".parse().unwrap();
    let has_service = |world: &World, node: NodeId| {
        world.kernel_routes(node).iter().any(|route| route.prefix == service)
    };
    world.run_for(3 * SECOND);
    assert!(world.events(edge).iter().any(|event| event.text.contains("established")));
    assert!(!has_service(&world, isp));
    world.mend(late);
    assert!(world.run_until(5 * SECOND, |world| has_service(world, isp)));
    // It is not the grace that has passed: the way inside is there.
    assert!(has_service(&world, edge));
    assert!(world.agent_now(edge) < Time::ZERO + 10 * SECOND);
}

#[test]
fn an_interface_that_cannot_be_opened_is_a_warning_until_it_can_or_is_closed() {
    let mut area = Area::new(15, 2, vec![point_to_point(0, 1)], "", "").up();
    let router = area.routers[0];
    let warned = |area: &Area| {
        let warning = "OSPF interface e1 is not up: not permitted";
        area.status(0).warnings.iter().any(|text| text == warning)
    };
    let opened = |area: &mut Area, result: Result<(), String>| {
        area.world.deliver(router, Event::InterfaceOpened { interface: 1, result });
    };
    opened(&mut area, Err("not permitted".to_owned()));
    assert!(warned(&area));
    opened(&mut area, Ok(()));
    assert!(!warned(&area));
    opened(&mut area, Err("not permitted".to_owned()));
    area.world.unplug(area.links[0]);
    area.world.run_for(SECOND);
    area.world.mend(area.links[0]);
    area.world.run_for(SECOND);
    assert!(!warned(&area), "opened anew, and no word of a fault");
}

/// A router that a new configuration ends takes leave like one that stops: also if what is to be flushed has just
/// changed, and so has to wait.
#[test]
fn a_router_that_is_configured_away_leaves_nothing_behind() {
    let mut area = Area::new(16, 3, ring(3), "", "").up();
    let gone = area.routers[0];
    let before = configuration(0, &ring(3), "", "");
    let (node, ospf) = before.split_once("[ospf]").expect("it is there");
    let lsas =
        |area: &Area, id: &str| area.database(1).iter().filter(|(_, _, by, ..)| by == id).count();
    let full = |area: &Area| {
        let ospf = area.status(1).ospf.expect("OSPF is configured");
        (ospf.neighbors_full, ospf.neighbors_known)
    };
    area.world.order(gone, "prefer", "own", "standby");
    area.world.run_for(Duration::from_millis(100));
    area.world.reload(gone, node).expect("it is valid");
    area.world.run_for(2 * SECOND);
    assert_eq!(lsas(&area, "192.0.2.1"), 0);
    assert_eq!(full(&area).0, 1, "nobody waits for the dead interval");
    assert!(area.world.kernel_routes(gone).is_empty());

    area.world.reload(gone, &format!("{node}[ospf]{ospf}")).expect("it is valid");
    area.world.run_for(10 * SECOND);
    assert_eq!(full(&area), (2, 2));
    area.world.order(gone, "prefer", "own", "primary");
    area.world.run_for(Duration::from_millis(100));
    let other = format!("{node}[ospf]\nrouter-id = \"192.0.2.77\"\n{ospf}");
    area.world.reload(gone, &other).expect("it is valid");
    area.world.run_for(10 * SECOND);
    assert_eq!((lsas(&area, "192.0.2.1"), full(&area)), (0, (2, 2)));
    assert!(lsas(&area, "192.0.2.77") > 0);
    area.assert_whole();
}
