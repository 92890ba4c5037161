//! Whole tables: limits, refresh, and a table that passes through a node.

use std::time::Duration;

use shunt::agent::{Event, PeerId};
use shunt::bgp::{self, ConnectionId};
use shunt::sim::{Link, World};
use shunt::types::{Asn, Prefix};
use shunt::wire::bgp::{Announced, AsPath, Attributes, Message, NextHop, Nlri, Update};

use crate::topology::*;

/// An ISP with `count` routes of its own, next to an edge that imports as `more` says.
fn beside_a_table(count: u32, more: &str) -> Pair {
    let isp = Text::node("isp", "isp", 64496, "192.0.2.2").many(count);
    let isp = isp.neighbor("edge", "10.0.0.1", 64500, "export = \"groups\"").done();
    let mut pair = pair_of(1, Link::default(), &edge(more), &isp);
    pair.world.start(pair.edge);
    pair.world.start(pair.isp);
    pair.world.run_for(Duration::from_secs(5));
    pair
}

fn edge(more: &str) -> String {
    let edge = Text::node("edge", "dc1", 64500, "192.0.2.1");
    edge.neighbor("isp", "10.0.0.2", 64496, &format!("export = \"groups\"\n{more}")).done()
}

#[test]
fn more_prefixes_than_allowed_end_the_session_with_the_reason() {
    let pair = beside_a_table(101, "import = \"all\"\nmaximum-prefixes = 100");
    let isp = neighbor(&pair.world, pair.edge, "isp");
    assert_ne!(isp.state, "established");
    assert!(isp.last_down.contains("Maximum Number of Prefixes Reached"), "{}", isp.last_down);
    assert_eq!(isp.prefixes_received, 0);
    let theirs = neighbor(&pair.world, pair.isp, "edge");
    assert!(theirs.last_down.contains("Maximum Number of Prefixes"), "{}", theirs.last_down);
    // Exactly as many as allowed are no reason.
    let pair = beside_a_table(100, "import = \"all\"\nmaximum-prefixes = 100");
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").prefixes_received, 100);
}

#[test]
fn a_lower_limit_counts_from_the_reload_on() {
    let limit = |limit: u32| format!("import = \"all\"\nmaximum-prefixes = {limit}");
    let mut pair = beside_a_table(50, &limit(100));
    pair.world.reload(pair.edge, &edge(&limit(50))).unwrap();
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").state, "established");
    pair.world.reload(pair.edge, &edge(&limit(49))).unwrap();
    let isp = neighbor(&pair.world, pair.edge, "isp");
    assert!(isp.last_down.contains("Maximum Number of Prefixes Reached"), "{}", isp.last_down);
}

#[test]
fn a_changed_import_policy_gets_the_routes_by_refresh_without_a_reset() {
    let mut pair = beside_a_table(500, "import = \"none\"");
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").prefixes_received, 0);
    pair.world.reload(pair.edge, &edge("import = \"all\"")).unwrap();
    pair.world.run_for(Duration::from_secs(1));
    let isp = neighbor(&pair.world, pair.edge, "isp");
    assert_eq!((isp.prefixes_received, isp.established_count), (500, 1));
    pair.world.run_for(Duration::from_secs(1));
    assert_eq!(pair.world.kernel_routes(pair.edge).len(), 500);
    pair.world.reload(pair.edge, &edge("import = \"default-only\"")).unwrap();
    pair.world.run_for(Duration::from_secs(1));
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").prefixes_received, 0);
    assert!(pair.world.kernel_routes(pair.edge).is_empty());
}

#[test]
fn a_narrower_import_policy_never_lets_the_default_route_go() {
    let mut pair = beside_a_table(20, "import = \"all\"");
    // Nobody's own, so no configuration announces it.
    let mut attributes = Attributes::originated(NextHop::V4("10.0.0.2".parse().unwrap()));
    attributes.as_path = AsPath::sequence([Asn(64496)]);
    let nlri = vec![Nlri::from("0.0.0.0/0".parse::<Prefix>().unwrap())];
    let update = Update { announced: vec![Announced { attributes, nlri }], ..Update::default() };
    // Only the connection of the session takes it.
    for connection in (0..9).map(ConnectionId) {
        let event = bgp::Event::Received { connection, message: Message::Update(update.clone()) };
        pair.world.deliver(pair.edge, Event::Peer { peer: PeerId(0), event });
    }
    pair.world.run_for(Duration::from_secs(1));
    assert_eq!(pair.world.kernel_routes(pair.edge).len(), 21);
    pair.world.reload(pair.edge, &edge("import = \"default-only\"")).unwrap();
    let gap = pair.world.run_until(Duration::from_secs(1), |world| {
        let routes = world.kernel_routes(pair.edge);
        !routes.iter().any(|route| route.prefix.is_default())
    });
    assert!(!gap, "the default route went away:\n{}", pair.world.transcript());
    assert_eq!(pair.world.kernel_routes(pair.edge).len(), 1);
}

/// The node in the middle of [`chain`].
fn relay(to_sink: &str) -> String {
    let to_sink = format!("import = \"none\"\nexport = \"transit\"\n{to_sink}");
    Text::node("relay", "dc1", 64500, "192.0.2.2")
        .payments()
        .neighbor("feed", "10.254.0.1", 64496, "import = \"all\"\nexport = \"none\"")
        .neighbor("sink", "10.254.1.2", 64497, &to_sink)
        .done()
}

/// ISP with a table, a node that passes it on, and one that takes it.
fn chain(seed: u64, count: u32) -> (World, [shunt::sim::NodeId; 3]) {
    let mut world = World::new(seed);
    let feed = Text::node("feed", "isp", 64496, "192.0.2.1").many(count);
    let feed =
        feed.neighbor("relay", "10.254.0.2", 64500, "import = \"none\"\nexport = \"groups\"");
    let relay = relay("");
    let sink = Text::node("sink", "isp", 64497, "192.0.2.3");
    let sink = sink.neighbor("relay", "10.254.1.1", 64500, "import = \"all\"\nexport = \"none\"");
    let nodes = [feed.done(), relay, sink.done()].map(|text| world.node(&text));
    let [feed, relay, sink] = nodes;
    world.link((feed, "10.254.0.1/24"), (relay, "10.254.0.2/24"), Link::default());
    world.link((relay, "10.254.1.1/24"), (sink, "10.254.1.2/24"), Link::default());
    for node in nodes {
        world.start(node);
    }
    (world, nodes)
}

#[test]
fn a_table_passes_through_and_goes_when_its_source_goes() {
    let (mut world, [feed, relay, sink]) = chain(1, 5000);
    world.run_for(Duration::from_secs(20));
    let received = |world: &World| neighbor(world, sink, "relay").prefixes_received;
    assert_eq!(received(&world), 5001, "the table and the relay's own group");
    let seen = sees(&world, sink, "10.0.0.77/32").unwrap();
    assert_eq!((seen.as_path.as_str(), seen.next_hop.as_str()), ("64500 64496", "10.254.1.1"));
    assert_eq!(seen.med, None, "MED does not leave the neighbouring AS");
    // Many prefixes share a message: the sender packs by attribute set.
    assert!(neighbor(&world, relay, "sink").updates_sent < 50);
    world.kill(feed);
    world.run_for(Duration::from_secs(2));
    assert_eq!(received(&world), 1);
    world.start(feed);
    world.run_for(Duration::from_secs(20));
    assert_eq!(received(&world), 5001);
}

#[test]
fn an_own_announcement_does_not_wait_behind_a_table() {
    let (mut world, [_, relay, sink]) = chain(2, 20_000);
    let loading = world.run_until(Duration::from_secs(20), |world| {
        neighbor(world, sink, "relay").prefixes_received > 2000
    });
    assert!(loading);
    let ordered = world.now();
    world.order(relay, "prefer", "payments", "standby");
    let arrived = |world: &World| {
        sees(world, sink, "198.51.100.7/32").is_some_and(|seen| seen.med == Some(155))
    };
    assert!(world.run_until(Duration::from_secs(20), arrived));
    let switched = world.now();
    // Disk, one way, and what was already on its way; never the rest of the table.
    assert!(switched - ordered < Duration::from_millis(5), "{ordered} {switched}");
    world.run_for(Duration::from_secs(20));
    assert_eq!(neighbor(&world, sink, "relay").prefixes_received, 20_001);
}

#[test]
fn a_reader_that_stands_still_costs_no_more_than_the_queue() {
    let (mut world, [feed, relay, sink]) = chain(3, 8_000);
    world.run_for(Duration::from_millis(1500));
    world.set_deaf(sink, true);
    // The table flaps while the sink does not read.
    for _ in 0..3 {
        world.kill(feed);
        world.start(feed);
        world.run_for(Duration::from_secs(2));
    }
    world.set_deaf(sink, false);
    world.run_for(Duration::from_secs(60));
    assert_eq!(neighbor(&world, sink, "relay").prefixes_received, 8_001);
    assert_eq!(neighbor(&world, relay, "sink").prefixes_sent, 8_001);
}

#[test]
fn an_order_for_more_prefixes_than_a_portion_is_acknowledged_when_all_are_there() {
    let (mut world, [feed, relay, _]) = chain(4, 5000);
    world.run_for(Duration::from_secs(20));
    let id = world.order(feed, "prefer", "many", "standby");
    assert!(world.run_until(Duration::from_secs(5), |world| world.answer(feed, id).is_some()));
    let reply = world.answer(feed, id).unwrap().as_ref().unwrap();
    assert_eq!(reply.deliveries[0].outcome, "acknowledged");
    assert_eq!(reply.deliveries[0].prefixes.len(), 5000);
    // They moved alike, so they are one event.
    let last = world.events(feed).iter().rfind(|event| event.kind == "announcement").unwrap();
    assert_eq!(last.subject, "10.0.0.0/32 and 4999 more");
    for prefix in ["10.0.0.0/32", "10.0.19.135/32"] {
        assert_eq!(sees(&world, relay, prefix).unwrap().med, Some(155), "{prefix}");
    }
}

#[test]
fn a_withdrawal_is_acknowledged_when_it_is_there_however_full_the_queue_is() {
    const AD_HOC: &str = "198.51.100.99/32";
    let (mut world, [feed, relay, sink]) = chain(5, 8_000);
    world.run_for(Duration::from_secs(10));
    world.order(relay, "announce", AD_HOC, "");
    world.run_for(Duration::from_millis(100));
    assert!(sees(&world, sink, AD_HOC).is_some());
    world.set_deaf(sink, true);
    for _ in 0..8 {
        world.kill(feed);
        world.start(feed);
        world.run_for(Duration::from_millis(700));
    }
    // In no group: released, it is no announcement of ours any more, but its withdrawal is one.
    let id = world.order(relay, "release", AD_HOC, "");
    world.run_for(Duration::from_millis(10));
    assert!(world.answer(relay, id).is_none(), "nobody has acknowledged it");
    world.set_deaf(sink, false);
    assert!(world.run_until(Duration::from_secs(5), |world| world.answer(relay, id).is_some()));
    let reply = world.answer(relay, id).unwrap().as_ref().unwrap();
    let to_sink = reply.deliveries.iter().find(|delivery| delivery.neighbor == "sink").unwrap();
    assert_eq!((to_sink.outcome.as_str(), to_sink.prefixes.len()), ("acknowledged", 1));
    assert_eq!(sees(&world, sink, AD_HOC), None, "acknowledged, but not there");
}

#[test]
fn another_next_hop_reaches_what_is_passed_on_as_well() {
    let (mut world, [_, node, sink]) = chain(6, 10);
    world.run_for(Duration::from_secs(10));
    world.reload(node, &relay("next-hop-ipv4 = \"10.254.1.77\"")).unwrap();
    world.run_for(Duration::from_secs(1));
    for prefix in ["198.51.100.7/32", "10.0.0.3/32"] {
        assert_eq!(neighbor(&world, sink, "relay").established_count, 1);
        let why = world.agent(sink).unwrap().why(prefix, world.agent_now(sink)).unwrap();
        let seen = why.paths[0].attributes.as_ref().unwrap();
        assert_eq!(seen.next_hop, "10.254.1.77", "{prefix}");
    }
}

#[test]
fn two_equal_exits_share_the_traffic_and_one_is_enough() {
    let mut world = World::new(5);
    let edge = Text::node("edge", "dc1", 64500, "192.0.2.1");
    let exit = "import = \"all\"\nexport = \"none\"";
    let edge = edge.neighbor("isp-a", "10.254.0.2", 64496, exit);
    let edge = world.node(&edge.neighbor("isp-b", "10.254.1.2", 64497, exit).done());
    let isp = |name: &str, asn, id: &str, address: &str| {
        let text = Text::node(name, "isp", asn, id).many(3);
        text.neighbor("edge", address, 64500, "import = \"none\"\nexport = \"groups\"").done()
    };
    let isp_a = world.node(&isp("isp-a", 64496, "192.0.2.2", "10.254.0.1"));
    let isp_b = world.node(&isp("isp-b", 64497, "192.0.2.3", "10.254.1.1"));
    let first = world.link((edge, "10.254.0.1/24"), (isp_a, "10.254.0.2/24"), Link::default());
    world.link((edge, "10.254.1.1/24"), (isp_b, "10.254.1.2/24"), Link::default());
    for node in [edge, isp_a, isp_b] {
        world.start(node);
    }
    let exits = |world: &World| -> Vec<String> {
        let routes = world.kernel_routes(edge);
        let shown = routes.iter().map(|route| {
            let hops = route.hops.as_slice().iter();
            hops.map(|hop| hop.gateway.to_string()).collect::<Vec<_>>().join(" ")
        });
        shown.collect()
    };
    world.run_for(Duration::from_secs(5));
    assert_eq!(exits(&world), ["10.254.0.2 10.254.1.2"; 3]);
    // A worse path does not share.
    world.order(isp_b, "prefer", "many", "standby");
    world.run_for(Duration::from_secs(1));
    assert_eq!(exits(&world), ["10.254.0.2"; 3]);
    world.order(isp_b, "release", "many", "");
    world.run_for(Duration::from_secs(1));
    assert_eq!(exits(&world), ["10.254.0.2 10.254.1.2"; 3]);
    world.unplug(first);
    world.run_for(Duration::from_millis(10));
    assert_eq!(exits(&world), ["10.254.1.2"; 3]);
}

/// What is to be deleted and is gone already is as it should be.
#[test]
fn a_route_that_the_kernel_dropped_by_itself_is_no_error() {
    let mut pair = pair(31, Link::default()).up();
    let learned: Prefix = "203.0.113.0/24".parse().expect("a prefix");
    let isp = isp_text().replace("own-prefixes = [", "own-prefixes = [\"203.0.113.0/24\", ");
    let group = "[group.own]\nprefixes = [\"203.0.113.0/24\"]\nbase = { isp = \"primary\" }\n";
    pair.world.reload(pair.isp, &format!("{isp}{group}")).expect("a good configuration");
    let has = |world: &World| world.kernel_routes(pair.edge).iter().any(|r| r.prefix == learned);
    assert!(pair.world.run_until(Duration::from_secs(5), has));
    pair.world.drop_route(pair.edge, learned);
    pair.world.order(pair.isp, "withdraw", "own", "");
    pair.world.run_for(Duration::from_secs(5));
    let errors = pair.world.events(pair.edge).iter().filter(|event| event.severity == "error");
    assert_eq!(errors.count(), 0, "{}", pair.world.transcript());
    assert!(!has(&pair.world));
}

/// Two feeds have the same prefixes, each set of attributes of either strewn over the whole table, and the better one is lost.
#[test]
fn a_lost_feed_takes_as_many_updates_as_there_are_sets_and_the_first_goes_at_once() {
    const PREFIXES: u32 = 20_000;
    const SETS: u32 = 400;
    let mut world = World::new(7);
    let feed = |name: &str, asn, id: &str, address: &str| {
        let text = Text::node(name, "isp", asn, id);
        text.neighbor("relay", address, 64500, "import = \"none\"\nexport = \"groups\"").done()
    };
    let better = world.node(&feed("better", 64496, "192.0.2.1", "10.254.0.2"));
    let other = world.node(&feed("other", 64495, "192.0.2.4", "10.254.2.2"));
    let relay = Text::node("relay", "dc1", 64500, "192.0.2.2")
        .neighbor("better", "10.254.0.1", 64496, "import = \"all\"\nexport = \"none\"")
        .neighbor("other", "10.254.2.1", 64495, "import = \"all\"\nexport = \"none\"")
        .neighbor("sink", "10.254.1.2", 64497, "import = \"none\"\nexport = \"transit\"");
    let relay = world.node(&relay.done());
    let sink = Text::node("sink", "isp", 64497, "192.0.2.3");
    let sink = sink.neighbor("relay", "10.254.1.1", 64500, "import = \"all\"\nexport = \"none\"");
    let sink = world.node(&sink.done());
    world.link((better, "10.254.0.1/24"), (relay, "10.254.0.2/24"), Link::default());
    world.link((relay, "10.254.1.1/24"), (sink, "10.254.1.2/24"), Link::default());
    world.link((other, "10.254.2.1/24"), (relay, "10.254.2.2/24"), Link::default());
    for node in [better, other, relay, sink] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(5));
    for (peer, path, next_hop) in
        [(0, &[64496][..], "10.254.0.1"), (1, &[64495, 64494][..], "10.254.2.1")]
    {
        for set in 0..SETS {
            let hop = NextHop::V4(next_hop.parse().unwrap());
            let mut attributes = Attributes::originated(hop);
            attributes.as_path =
                AsPath::sequence(path.iter().copied().chain([65_000 + set]).map(Asn));
            let of_set = (0..PREFIXES).filter(|n| n % SETS == set);
            let prefix = |n| Prefix::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into());
            let nlri = of_set.map(|n| Nlri::from(prefix(n))).collect();
            let update =
                Update { announced: vec![Announced { attributes, nlri }], ..Update::default() };
            for connection in (0..9).map(ConnectionId) {
                let message = Message::Update(update.clone());
                let event = bgp::Event::Received { connection, message };
                world.deliver(relay, Event::Peer { peer: PeerId(peer), event });
            }
        }
    }
    world.run_for(Duration::from_secs(5));
    let path = |world: &World, prefix: &str| sees(world, sink, prefix).map(|seen| seen.as_path);
    assert_eq!(path(&world, "10.0.0.1/32").as_deref(), Some("64500 64496 65001"));
    let before = neighbor(&world, relay, "sink").updates_sent;
    world.kill(better);
    let down = |world: &World| neighbor(world, relay, "better").state != "established";
    assert!(world.run_until(Duration::from_secs(5), down));
    let lost = world.now();
    let first =
        |world: &World| path(world, "10.0.0.0/32").is_some_and(|path| path.contains("64494"));
    assert!(world.run_until(Duration::from_secs(5), first));
    assert!(world.now() - lost < Duration::from_millis(2), "{lost} {}", world.now());
    world.run_for(Duration::from_secs(5));
    let sent = neighbor(&world, relay, "sink").updates_sent - before;
    // The first portion of the table has a hundred prefixes.
    assert!((u64::from(SETS)..=u64::from(SETS) + 100).contains(&sent), "{sent} UPDATEs");
    for n in 0..PREFIXES {
        let prefix = Prefix::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into());
        let expected = format!("64500 64495 64494 {}", 65_000 + n % SETS);
        if n % 97 == 0 {
            assert_eq!(path(&world, &prefix.to_string()), Some(expected));
        }
    }
    assert_eq!(neighbor(&world, sink, "relay").prefixes_received, u64::from(PREFIXES));
    // The same for who comes when the table is there.
    let before = neighbor(&world, relay, "sink").updates_sent;
    world.kill(sink);
    world.start(sink);
    let all =
        |world: &World| neighbor(world, sink, "relay").prefixes_received == u64::from(PREFIXES);
    assert!(world.run_until(Duration::from_secs(60), all));
    let sent = neighbor(&world, relay, "sink").updates_sent - before;
    // End-of-RIB of both families is an UPDATE as well.
    let most = u64::from(SETS) + 102;
    assert!((u64::from(SETS)..=most).contains(&sent), "{sent} UPDATEs for a newcomer");
}
