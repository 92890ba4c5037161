//! Links, neighbours and processes that fail.

use std::time::Duration;

use shunt::sim::{Link, World};
use shunt::types::Rng;

use crate::topology::*;

const SERVICE: &str = "198.51.100.7/32";

#[test]
fn a_lossy_link_only_delays() {
    for seed in 0..20 {
        let link = Link { latency: Duration::from_millis(10), loss: 30 };
        let mut pair = pair(seed, link).up();
        let id = pair.world.order(pair.edge, "prefer", "payments", "standby");
        let answered =
            pair.world.run_until(Duration::from_secs(10), |w| w.answer(pair.edge, id).is_some());
        assert!(answered, "seed {seed}:\n{}", pair.world.transcript());
        let arrived = pair.world.run_until(Duration::from_secs(60), |w| {
            sees(w, pair.isp, SERVICE).is_some_and(|seen| seen.med == Some(155))
        });
        assert!(arrived, "seed {seed}:\n{}", pair.world.transcript());
    }
}

#[test]
fn a_silent_cut_is_seen_by_the_hold_timer_and_mended_by_itself() {
    let mut pair = pair(1, Link::default()).up();
    pair.world.cut(pair.link);
    pair.world.run_for(Duration::from_secs(8));
    assert_eq!(established(&pair.world, pair.isp), 1, "the hold time is 9 s");
    pair.world.run_for(Duration::from_secs(5));
    assert_eq!(established(&pair.world, pair.isp), 0);
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
    assert!(pair.world.kernel_routes(pair.isp).is_empty());
    let down = neighbor(&pair.world, pair.isp, "edge").last_down;
    assert!(down.contains("Hold Timer Expired"), "{down}");
    pair.world.mend(pair.link);
    pair.world.run_for(Duration::from_secs(60));
    assert!(sees(&pair.world, pair.isp, SERVICE).is_some(), "{}", pair.world.transcript());
}

#[test]
fn a_node_that_loses_power_comes_back_with_its_orders() {
    let mut pair = pair(10, Link::default()).up();
    let id = pair.world.order(pair.edge, "prefer", "payments", "standby");
    pair.world.run_until(Duration::from_secs(1), |w| w.answer(pair.edge, id).is_some());
    pair.world.power_off(pair.edge);
    // Nothing was said: the neighbour goes on until its hold timer ends the session.
    pair.world.run_for(Duration::from_secs(5));
    assert_eq!(established(&pair.world, pair.isp), 1);
    pair.world.start(pair.edge);
    let wrong = pair.world.run_until(Duration::from_secs(60), |w| {
        sees(w, pair.isp, SERVICE).is_some_and(|seen| seen.med != Some(155))
    });
    assert!(!wrong, "{}", pair.world.transcript());
    assert_eq!(established(&pair.world, pair.edge), 1, "{}", pair.world.transcript());
    assert!(sees(&pair.world, pair.isp, SERVICE).is_some(), "{}", pair.world.transcript());
}

#[test]
fn a_neighbour_that_does_not_read_is_given_up_and_harms_nobody_else() {
    let edge = Text::node("edge", "dc1", 64500, "192.0.2.1")
        .payments()
        // Longer than the hold time, as RFC 9687 wants it.
        .neighbor("deaf", "10.0.0.2", 64496, &format!("{EDGE}\nsend-hold-time = \"10s\""))
        .neighbor("good", "10.0.1.2", 64497, EDGE)
        .done();
    let isp = |name: &str, asn, id: &str, address: &str| {
        Text::node(name, "isp", asn, id).neighbor("edge", address, 64500, ISP).done()
    };
    let mut world = shunt::sim::World::new(2);
    let edge = world.node(&edge);
    let deaf = world.node(&isp("deaf", 64496, "192.0.2.2", "10.0.0.1"));
    let good = world.node(&isp("good", 64497, "192.0.2.3", "10.0.1.1"));
    world.link((edge, "10.0.0.1/24"), (deaf, "10.0.0.2/24"), Link::default());
    world.link((edge, "10.0.1.1/24"), (good, "10.0.1.2/24"), Link::default());
    for node in [edge, deaf, good] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(5));
    assert_eq!(established(&world, edge), 2, "{}", world.transcript());
    world.set_deaf(deaf, true);
    // The order is answered when its time is up, and says who has it and who has not.
    let id = world.order(edge, "prefer", "payments", "standby");
    world.run_for(Duration::from_secs(6));
    let reply = world.answer(edge, id).unwrap().as_ref().unwrap();
    let outcomes: Vec<_> =
        reply.deliveries.iter().map(|d| (d.neighbor.as_str(), d.outcome.as_str())).collect();
    assert_eq!(outcomes, [("deaf", "timeout"), ("good", "acknowledged")]);
    assert_eq!(sees(&world, good, SERVICE).unwrap().med, Some(155));
    world.run_for(Duration::from_secs(30));
    assert_eq!(neighbor(&world, edge, "good").state, "established");
    assert_ne!(neighbor(&world, edge, "deaf").state, "established");
}

#[test]
fn hold_time_zero_never_times_out() {
    let with = |text: String| text.replace("hold-time = \"9s\"", "hold-time = \"0s\"");
    let mut pair = pair_of(3, Link::default(), &with(edge_text()), &with(isp_text())).up();
    let sent = neighbor(&pair.world, pair.edge, "isp").messages_sent;
    pair.world.run_for(Duration::from_secs(7200));
    assert_eq!(established(&pair.world, pair.edge), 1);
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").messages_sent, sent, "no keepalives");
    // The route still moves at once.
    let id = pair.world.order(pair.edge, "withdraw", "payments", "");
    pair.world.run_until(Duration::from_secs(1), |w| w.answer(pair.edge, id).is_some());
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
}

#[test]
fn equal_router_ids_are_settled_by_as_number() {
    // RFC 6286: unique within an AS only, so two ASes may meet with the same one.
    let isp = isp_text().replace("192.0.2.2", "192.0.2.1");
    for seed in 0..50 {
        let pair = pair_of(seed, Link::default(), &edge_text(), &isp).up();
        assert_eq!(established(&pair.world, pair.isp), 1, "seed {seed}");
    }
}

#[test]
fn simultaneous_opens_leave_one_session_whatever_the_order() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let link = Link { latency: Duration::from_micros(100 + rng.below(5000)), loss: 0 };
        let mut pair = pair(seed, link);
        pair.world.start(pair.edge);
        pair.world.run_for(Duration::from_micros(rng.below(3000)));
        pair.world.start(pair.isp);
        pair.world.run_for(Duration::from_secs(15));
        for node in [pair.edge, pair.isp] {
            assert_eq!(
                established(&pair.world, node),
                1,
                "seed {seed}:\n{}",
                pair.world.transcript()
            );
        }
        // And it stays: no fight between two connections.
        let count = neighbor(&pair.world, pair.edge, "isp").established_count;
        assert_eq!(count, 1, "seed {seed}:\n{}", pair.world.transcript());
    }
}

#[test]
fn reload_touches_only_the_neighbours_that_changed() {
    let two = |more: &str| {
        Text::node("edge", "dc1", 64500, "192.0.2.1")
            .payments()
            .neighbor("isp", "10.0.0.2", 64496, &format!("{EDGE}\n{more}"))
            .done()
    };
    let mut pair = pair_of(4, Link::default(), &two(""), &isp_text()).up();
    let changes = pair.world.reload(pair.edge, &two("")).unwrap();
    assert!(changes.is_empty(), "{changes:?}");
    // A policy needs no new session, a hold time does.
    let changes = pair.world.reload(pair.edge, &two("maximum-prefixes = 7")).unwrap();
    assert_eq!(changes, ["neighbor isp: changes, its session stays as it is"]);
    pair.world.run_for(Duration::from_secs(2));
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").established_count, 1);
    let slower = two("").replace("\"9s\"", "\"30s\"");
    let changes = pair.world.reload(pair.edge, &slower).unwrap();
    assert_eq!(changes, ["neighbor isp: changes, its session is reset"]);
    pair.world.run_for(Duration::from_secs(20));
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").established_count, 2);
    let down = neighbor(&pair.world, pair.isp, "edge").last_down;
    assert!(down.contains("Other Configuration Change"), "{down}");
    // A mistake changes nothing.
    let mistakes = pair.world.reload(pair.edge, "[node]\nname = 7").unwrap_err();
    assert!(!mistakes.is_empty());
    assert_eq!(established(&pair.world, pair.edge), 1);
}

#[test]
fn a_new_group_and_a_new_mapping_reach_an_established_neighbour() {
    let mut pair = pair(5, Link::default()).up();
    let more = edge_text()
        + "[group.web]\nprefixes = [\"198.51.100.8/32\"]\nbase = { dc1 = \"standby\" }\n\
           [mapping.default]\nprimary = { med = 5 }\nstandby = { med = 6, prepend = 2 }\n";
    pair.world.reload(pair.edge, &more).unwrap();
    pair.world.run_for(Duration::from_secs(1));
    let seen = |prefix| sees(&pair.world, pair.isp, prefix).map(|seen| (seen.med, seen.as_path));
    assert_eq!(seen(SERVICE), Some((Some(5), "64500".to_owned())));
    assert_eq!(seen("198.51.100.8/32"), Some((Some(6), "64500 64500 64500".to_owned())));
    assert_eq!(neighbor(&pair.world, pair.edge, "isp").established_count, 1);
}

#[test]
fn nothing_is_exchanged_without_policies() {
    let silent =
        |text: String| text.replace("import = \"all\"\n", "").replace("export = \"groups\"\n", "");
    let mut pair = pair_of(6, Link::default(), &silent(edge_text()), &isp_text());
    pair.world.start(pair.edge);
    pair.world.start(pair.isp);
    pair.world.run_for(Duration::from_secs(15));
    assert_eq!(established(&pair.world, pair.edge), 1);
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
    let status = pair.world.agent(pair.edge).unwrap().status(pair.world.agent_now(pair.edge));
    let rfc8212 = status.warnings.iter().filter(|warning| warning.contains("RFC 8212")).count();
    assert_eq!(rfc8212, 2, "{:?}", status.warnings);
}

#[test]
fn after_a_crash_wanted_routes_stay_and_others_are_swept() {
    let mut pair = pair(7, Link::default()).up();
    pair.world.run_for(Duration::from_secs(1));
    assert_eq!(pair.world.kernel_routes(pair.isp).len(), 1);
    pair.world.kill(pair.isp);
    pair.world.start(pair.isp);
    // The route is never gone: adopted, then wanted again.
    let gone =
        pair.world.run_until(Duration::from_secs(20), |w| w.kernel_routes(pair.isp).is_empty());
    assert!(!gone, "{}", pair.world.transcript());
    // A life later nobody announces it any more: swept once the neighbour has said all it has.
    pair.world.kill(pair.isp);
    let id = pair.world.order(pair.edge, "withdraw", "payments", "");
    pair.world.run_until(Duration::from_secs(6), |w| w.answer(pair.edge, id).is_some());
    pair.world.start(pair.isp);
    let swept =
        pair.world.run_until(Duration::from_secs(9), |w| w.kernel_routes(pair.isp).is_empty());
    assert!(swept, "{}", pair.world.transcript());
}

#[test]
fn a_foreign_route_is_left_alone_and_reported() {
    let mut pair = pair(8, Link::default());
    pair.world.add_foreign_route(pair.isp, SERVICE.parse().unwrap(), 20);
    let pair = pair.up();
    let mut world = pair.world;
    world.run_for(Duration::from_secs(5));
    assert!(world.kernel_routes(pair.isp).is_empty());
    let status = world.agent(pair.isp).unwrap().status(world.agent_now(pair.isp));
    let kernel = status.kernel.unwrap();
    assert_eq!(kernel.state, "failing");
    assert!(kernel.last_error.contains("another program's route"), "{}", kernel.last_error);
    let reported = world.events(pair.isp).iter().filter(|event| event.kind == "kernel").count();
    assert!(reported <= 3, "said once, not with every attempt: {reported}");
}

#[test]
fn a_lost_carrier_ends_the_sessions_over_it_at_once() {
    let mut pair = pair(9, Link::default()).up();
    pair.world.run_for(Duration::from_secs(1));
    pair.world.unplug(pair.link);
    pair.world.run_for(Duration::from_millis(10));
    assert_eq!(sees(&pair.world, pair.isp, SERVICE), None);
    assert!(pair.world.kernel_routes(pair.isp).is_empty());
    let agent = pair.world.agent(pair.isp).unwrap();
    let neighbors = agent.neighbors("", pair.world.agent_now(pair.isp)).unwrap().neighbors;
    assert_eq!(neighbors[0].last_down, "the link e1 is down");
    // Attempts have become rare by now; but the link itself tells.
    pair.world.run_for(Duration::from_secs(60));
    pair.world.mend(pair.link);
    let isp = pair.isp;
    let back = |world: &World| sees(world, isp, SERVICE).is_some();
    assert!(pair.world.run_until(Duration::from_millis(100), back));
}

#[test]
fn random_lives_always_end_with_what_was_ordered_last() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let link =
            Link { latency: Duration::from_micros(200 + rng.below(20_000)), loss: rng.below(15) };
        let mut pair = pair(seed, link);
        pair.world.start(pair.edge);
        pair.world.start(pair.isp);
        for _ in 0..40 {
            pair.world.run_for(Duration::from_millis(rng.below(4000)));
            match rng.below(8) {
                0 => pair.world.cut(pair.link),
                1 | 2 => pair.world.mend(pair.link),
                3 => {
                    pair.world.kill(pair.edge);
                    pair.world.start(pair.edge);
                }
                4 => {
                    pair.world.kill(pair.isp);
                    pair.world.start(pair.isp);
                }
                _ => {
                    let order = if rng.chance(25) { "withdraw" } else { "prefer" };
                    let level = (1 + rng.below(255)).to_string();
                    let level = if order == "prefer" { level.as_str() } else { "" };
                    let id = pair.world.order(pair.edge, order, "payments", level);
                    // An order that was not answered may or may not stand; the next one decides.
                    let end = Duration::from_secs(6);
                    pair.world.run_until(end, |w| w.answer(pair.edge, id).is_some());
                }
            }
        }
        // Quiet at last, with an order whose answer is certain.
        pair.world.mend(pair.link);
        let id = pair.world.order(pair.edge, "prefer", "payments", "42");
        pair.world.run_until(Duration::from_secs(6), |w| w.answer(pair.edge, id).is_some());
        assert!(pair.world.answer(pair.edge, id).unwrap().is_ok());
        pair.world.run_for(Duration::from_secs(200));
        let seen = sees(&pair.world, pair.isp, SERVICE).and_then(|seen| seen.med);
        assert_eq!(seen, Some(213), "seed {seed}:\n{}", pair.world.transcript());
        assert_eq!(pair.world.kernel_routes(pair.isp).len(), 1, "seed {seed}");
    }
}
