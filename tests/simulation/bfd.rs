//! BFD beside BGP and OSPF: what fails is gone at once, and what is taken back on purpose is no failure.

use std::net::IpAddr;
use std::time::Duration;

use shunt::bfd::State;
use shunt::sim::{Link, NodeId, World};

use crate::topology::{self, EDGE, ISP, Pair, Text, established, neighbor, sees};

const PAYMENTS: &str = "198.51.100.7/32";

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

const FAST: &str =
    "[bfd.profile.fast]\ntransmit-interval = \"10ms\"\nreceive-interval = \"10ms\"\n";

fn edge_text(more: &str) -> String {
    let node = Text::node("edge", "dc1", 64500, "192.0.2.1").payments();
    node.neighbor("isp", "10.0.0.2", 64496, &format!("{EDGE}\n{more}")).done() + FAST
}

fn isp_text(more: &str) -> String {
    let node = Text::node("isp", "isp", 64496, "192.0.2.2");
    node.neighbor("edge", "10.0.0.1", 64500, &format!("{ISP}\n{more}")).done() + FAST
}

/// An edge and an ISP with a BGP session that BFD watches.
fn watched(seed: u64) -> Pair {
    let text = "bfd = \"fast\"";
    let pair = topology::pair_of(seed, Link::default(), &edge_text(text), &isp_text(text));
    let mut pair = pair.up();
    pair.world.run_for(millis(1000));
    assert_eq!(state(&pair.world, pair.edge), Some(State::Up));
    pair
}

fn state(world: &World, node: NodeId) -> Option<State> {
    Some(world.lane(node)?.sessions.first()?.state)
}

/// How long after a fault the ISP has lost the route.
fn time_to_withdraw(pair: &mut Pair, fault: impl FnOnce(&mut World, &Pair)) -> Duration {
    let mut world = std::mem::replace(&mut pair.world, World::new(0));
    let from = world.now();
    fault(&mut world, pair);
    let isp = pair.isp;
    assert!(world.run_until(millis(20_000), |world| sees(world, isp, PAYMENTS).is_none()));
    let taken = world.now().since(from);
    pair.world = world;
    taken
}

#[test]
fn what_fails_in_silence_is_gone_after_the_detection_time() {
    for seed in 0..20 {
        let mut pair = watched(seed);
        let taken = time_to_withdraw(&mut pair, |world, pair| world.cut(pair.link));
        assert!(taken <= millis(31), "seed {seed}: {taken:?}");
        let mut pair = watched(seed);
        let taken = time_to_withdraw(&mut pair, |world, pair| world.stop_process(pair.edge));
        assert!(taken <= millis(31), "seed {seed}: {taken:?}");
        let mut pair = watched(seed);
        let taken = time_to_withdraw(&mut pair, |world, pair| world.power_off(pair.edge));
        assert!(taken <= millis(31), "seed {seed}: {taken:?}");
    }
}

/// Cease / BFD Down (RFC 9384): the other side is told, if it can hear; and the session comes back.
#[test]
fn a_session_that_bfd_took_down_comes_back() {
    let mut pair = watched(1);
    pair.world.mute(pair.link, pair.edge);
    pair.world.run_for(millis(100));
    assert_eq!(established(&pair.world, pair.isp), 0);
    let events: Vec<&str> =
        pair.world.events(pair.isp).iter().map(|event| event.text.as_str()).collect();
    assert!(events.iter().any(|text| text.contains("detection time expired")), "{events:?}");
    pair.world.mend(pair.link);
    let Pair { mut world, isp, .. } = pair;
    assert!(world.run_until(millis(30_000), |world| sees(world, isp, PAYMENTS).is_some()));
    world.run_for(millis(2000));
    assert_eq!((established(&world, isp), state(&world, isp)), (1, Some(State::Up)));
}

/// RFC 5882 §3.1: the neighbour need not speak BFD.
#[test]
fn a_session_that_never_was_up_takes_nothing_down() {
    let pair = topology::pair_of(1, Link::default(), &edge_text("bfd = \"fast\""), &isp_text(""));
    let mut pair = pair.up();
    pair.world.run_for(millis(60_000));
    assert_eq!(state(&pair.world, pair.edge), Some(State::Down));
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").established_count, 1);
}

/// RFC 5882 §3.2: BFD is taken out of the configuration on one side, and put in again.
#[test]
fn bfd_can_be_taken_out_and_put_in_while_the_session_is_up() {
    let mut pair = watched(1);
    pair.world.reload(pair.edge, &edge_text("")).unwrap();
    pair.world.run_for(millis(10_000));
    assert_eq!(state(&pair.world, pair.edge), None);
    assert_ne!(state(&pair.world, pair.isp), Some(State::Up));
    pair.world.reload(pair.edge, &edge_text("bfd = \"fast\"")).unwrap();
    pair.world.run_for(millis(3000));
    assert_eq!(state(&pair.world, pair.isp), Some(State::Up));
    assert_eq!(neighbor(&pair.world, pair.isp, "edge").established_count, 1);
}

/// Other intervals come into force while both are up; nothing goes down for it.
#[test]
fn intervals_change_under_way() {
    let mut pair = watched(1);
    let slow = edge_text("bfd = \"fast\"").replace("10ms", "40ms");
    pair.world.reload(pair.edge, &slow).unwrap();
    pair.world.run_for(millis(1000));
    let session = &pair.world.lane(pair.isp).unwrap().sessions[0];
    assert_eq!(session.detection_time, millis(120));
    assert_eq!(session.transmit_interval, millis(40));
    assert_eq!((session.ups, session.downs), (1, 0));
}

#[test]
fn in_strict_mode_nothing_begins_without_bfd() {
    let strict = "bfd = \"fast\"\nbfd-strict = true";
    let mut pair = topology::pair_of(1, Link::default(), &edge_text(strict), &isp_text(""));
    pair.world.start(pair.edge);
    pair.world.start(pair.isp);
    pair.world.run_for(millis(30_000));
    assert_eq!(established(&pair.world, pair.isp), 0);
    pair.world.reload(pair.isp, &isp_text("bfd = \"fast\"")).unwrap();
    pair.world.run_for(millis(20_000));
    assert_eq!(established(&pair.world, pair.isp), 1);
}

fn router_text(number: usize, interfaces: usize, session: &str) -> String {
    let mut text = format!(
        "[node]\nname = \"r{number}\"\nsite = \"dc1\"\nrouter-id = \"192.0.2.{number}\"\n\
         own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"5s\"\n{FAST}{session}\n\
         [group.g{number}]\nprefixes = [\"198.51.100.{number}/32\"]\nbase = {{ dc1 = \"primary\" }}\n\
         [ospf]\nexport = \"groups\"\n"
    );
    for interface in 1..=interfaces {
        text += &format!(
            "[ospf.interface.e{interface}]\nnetwork = \"point-to-point\"\nbfd = \"fast\"\n"
        );
    }
    text
}

/// Three routers in a triangle, and the first two watch each other over whatever way there is.
struct Triangle {
    world: World,
    routers: [NodeId; 3],
    links: [shunt::sim::LinkId; 3],
}

impl Triangle {
    fn up(seed: u64) -> Triangle {
        let mut world = World::new(seed);
        let session = |local: &str, remote: &str| {
            format!(
                "[bfd.session.far]\naddress = \"{remote}\"\nlocal-address = \"{local}\"\n\
                 multihop = 3\nprofile = \"fast\"\n"
            )
        };
        // The addresses are those of the links to the third router, so that there are two ways to each.
        let a = world.node(&router_text(1, 2, &session("10.0.2.1", "10.0.3.2")));
        let b = world.node(&router_text(2, 2, &session("10.0.3.2", "10.0.2.1")));
        let c = world.node(&router_text(3, 2, ""));
        let links = [
            world.link((a, "10.0.1.1/24"), (b, "10.0.1.2/24"), Link::default()),
            world.link((a, "10.0.2.1/24"), (c, "10.0.2.3/24"), Link::default()),
            world.link((b, "10.0.3.2/24"), (c, "10.0.3.3/24"), Link::default()),
        ];
        for node in [a, b, c] {
            world.start(node);
        }
        world.run_for(millis(20_000));
        Triangle { world, routers: [a, b, c], links }
    }

    fn next_hop(&self, from: usize, address: &str) -> Option<NodeId> {
        let destination: IpAddr = address.parse().unwrap();
        let node = self.routers[from];
        self.world.trace(node, destination).and_then(|way| way.first().copied())
    }

    fn far(&self, router: usize) -> State {
        let lane = self.world.lane(self.routers[router]).unwrap();
        let far = |session: &&shunt::bfd::Summary| {
            matches!(session.settings.path, shunt::bfd::Path::MultiHop { .. })
        };
        lane.sessions.iter().find(far).unwrap().state
    }
}

/// The adjacency is gone with the session, and the routes are computed again; the dead interval is 40 seconds.
#[test]
fn an_adjacency_goes_down_with_its_session() {
    let mut triangle = Triangle::up(1);
    let [a, b, c] = triangle.routers;
    let sessions = |world: &World, node| {
        let lane = world.lane(node).unwrap();
        lane.sessions.iter().filter(|session| session.state == State::Up).count()
    };
    assert_eq!((sessions(&triangle.world, a), sessions(&triangle.world, c)), (3, 2));
    // Straight to the second router's link, one way or the other.
    let route = |world: &World| {
        let routes = world.kernel_routes(a);
        let route = routes.iter().find(|route| route.prefix.to_string() == "198.51.100.2/32");
        route.map(|route| route.hops.as_slice()[0].gateway.to_string())
    };
    assert_eq!(route(&triangle.world).as_deref(), Some("10.0.1.2"));
    triangle.world.cut(triangle.links[0]);
    let from = triangle.world.now();
    let over_c = |world: &World| route(world).as_deref() == Some("10.0.2.3");
    assert!(triangle.world.run_until(millis(5000), over_c));
    let taken = triangle.world.now().since(from);
    assert!(taken <= millis(300), "{taken:?}");
    // The far session has found the other way as well.
    triangle.world.run_for(millis(3000));
    assert_eq!(sessions(&triangle.world, b), 2);
    triangle.world.mend(triangle.links[0]);
    triangle.world.run_for(millis(20_000));
    assert_eq!(route(&triangle.world).as_deref(), Some("10.0.1.2"));
}

/// RFC 5883: it is up while there is a way, whichever, and down when there is none.
#[test]
fn a_multihop_session_follows_the_routes() {
    let mut triangle = Triangle::up(2);
    let [_, b, c] = triangle.routers;
    assert_eq!((triangle.far(0), triangle.far(1)), (State::Up, State::Up));
    assert_eq!(triangle.next_hop(0, "10.0.3.2"), Some(b));
    triangle.world.unplug(triangle.links[0]);
    triangle.world.run_for(millis(5000));
    assert_eq!(triangle.next_hop(0, "10.0.3.2"), Some(c));
    assert_eq!((triangle.far(0), triangle.far(1)), (State::Up, State::Up));
    triangle.world.power_off(c);
    triangle.world.run_for(millis(100));
    assert_eq!((triangle.far(0), triangle.far(1)), (State::Down, State::Down));
}

/// Carrier loss: nothing waits for a timer.
#[test]
fn a_lost_link_takes_bgp_down_without_a_timer() {
    let mut pair = watched(1);
    let link = pair.link;
    let taken = time_to_withdraw(&mut pair, |world, _| world.unplug(link));
    assert!(taken <= millis(2), "{taken:?}");
}
