//! A service that dies, in each of the ways in which services do.

use super::plan::{Plan, Protocol};
use super::scene::Scene;
use super::service::Answer;

/// It moves to the other site and back: a change each way.
#[track_caller]
fn moves_and_comes_back(protocol: Protocol, answer: Answer) {
    let mut scene = Scene::new(protocol, Plan::default());
    scene.lands(0);
    scene.sites[0].service.set(answer);
    scene.lands(1);
    scene.pass(2.0);
    scene.said([&[10], &[]]);
    scene.sites[0].service.set(Answer::Well);
    scene.lands(0);
    scene.pass(2.0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}

#[test]
fn what_accepts_and_never_answers_moves_by_ospf() {
    moves_and_comes_back(Protocol::Ospf, Answer::Never);
}

#[test]
fn what_accepts_and_never_answers_moves_by_bgp() {
    moves_and_comes_back(Protocol::Bgp, Answer::Never);
}

#[test]
fn what_refuses_moves() {
    moves_and_comes_back(Protocol::Bgp, Answer::Refused);
}

/// It is deaf, and has children.
#[test]
fn a_hung_command_is_down_and_delays_nothing() {
    let plan = Plan {
        group: "checks = [\"web\", \"ask\"]",
        more: "[check.ask]\n\
               command = [\"/bin/sh\", \"-c\", \"trap '' TERM; while [ -e FILES/hang ]; do sleep 60; done\"]\n\
               interval = \"200ms\"\nfast-interval = \"100ms\"\ntimeout = \"500ms\"\n",
        ..Plan::default()
    };
    let mut scene = Scene::new(Protocol::Bgp, plan);
    let hang = scene.sites[0].node.write("hang", "");
    scene.lands(1);
    scene.because(0, "check ask is down: ");
    scene.pass(3.0);
    scene.said([&[10], &[]]);
    // The other check goes on.
    scene.sites[0].service.set(Answer::Refused);
    scene.because(0, "check web is down: connection refused");
    scene.sites[0].service.set(Answer::Well);
    std::fs::remove_file(hang).unwrap();
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.sites[0].is_without("sleep");
    scene.was_always_announced();
}

/// The service does well, but the checks do not get there. Without a witness the other site is the better choice.
#[test]
fn a_failed_way_of_the_checks_moves() {
    let mut scene = Scene::new(Protocol::Ospf, Plan::default());
    scene.sites[0].app.lose("ip saddr 10.99.11.1");
    scene.lands(1);
    scene.pass(3.0);
    scene.said([&[10], &[]]);
    scene.sites[0].app.heal();
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}

/// With one nothing is done at all, as long as it lasts.
#[test]
fn a_failed_way_of_the_checks_is_doubted_with_a_witness() {
    let plan = Plan {
        more: "[check.gateway]\nicmp = \"INSIDE\"\ninterval = \"100ms\"\nfast-interval = \"50ms\"\n\
               timeout = \"500ms\"\n[guard]\nwitnesses = [\"gateway\"]\n",
        ..Plan::default()
    };
    let mut scene = Scene::new(Protocol::Bgp, plan);
    scene.inside.lose("iifname \"dc1\" icmp type echo-request");
    scene.sites[0].app.lose("ip saddr 10.99.11.1");
    let blind = "guard: blind: no witness answers (gateway), so what the checks say does not count";
    scene.warns(0, blind);
    scene.because(0, blind);
    // What was done in the first moment has been taken back.
    scene.lands(0);
    let [first, second] = scene.heard();
    assert!(first.is_empty() || first == [10, 200], "{first:?}");
    assert_eq!(second, [0_u32; 0]);
    scene.pass(3.0);
    scene.inside.heal();
    scene.sites[0].app.heal();
    scene.pass(3.0);
    scene.lands(0);
    scene.said([&[], &[]]);
    // And what is down without that is so again.
    scene.sites[0].service.set(Answer::Refused);
    scene.lands(1);
    scene.said([&[10], &[]]);
    scene.was_always_announced();
}
