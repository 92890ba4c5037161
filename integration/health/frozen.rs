//! Who asks stands still. What he then learns at once says nothing of the services.

use nix::sys::signal::Signal;

use super::plan::{Plan, Protocol};
use super::scene::Scene;
use super::service::Answer;

#[track_caller]
fn moves_nothing(protocol: Protocol) {
    // A single failure would be enough.
    let mut scene =
        Scene::new(protocol, Plan { check: "fall = 1\ntimeout = \"1s\"\n", ..Plan::default() });
    for seconds in [0.7, 1.3, 2.5] {
        scene.sites[0].shuntd.signal(Signal::SIGSTOP);
        scene.pass(seconds);
        scene.sites[0].shuntd.signal(Signal::SIGCONT);
        scene.pass(1.0);
        scene.lands(0);
    }
    scene.pass(2.0);
    scene.said([&[], &[]]);
    // What dies meanwhile is found, and no later than otherwise.
    scene.sites[0].shuntd.signal(Signal::SIGSTOP);
    scene.sites[0].service.set(Answer::Never);
    scene.pass(1.0);
    scene.sites[0].shuntd.signal(Signal::SIGCONT);
    scene.lands(1);
    scene.said([&[10], &[]]);
    scene.was_always_announced();
}

#[test]
fn a_frozen_prober_moves_nothing_by_ospf() {
    moves_nothing(Protocol::Ospf);
}

#[test]
fn a_frozen_prober_moves_nothing_by_bgp() {
    moves_nothing(Protocol::Bgp);
}

/// So long that its neighbours take it for dead: the other site has the traffic until it is back.
#[test]
fn a_prober_that_is_frozen_for_long_comes_back_as_it_was() {
    let mut scene = Scene::new(Protocol::Ospf, Plan::default());
    scene.sites[0].shuntd.signal(Signal::SIGSTOP);
    scene.lands(1);
    scene.sites[0].shuntd.signal(Signal::SIGCONT);
    scene.lands(0);
    scene.pass(2.0);
    let [first, second] = scene.heard();
    assert!(first.iter().all(|preference| *preference == 200) && second.is_empty(), "{first:?}");
    scene.was_always_announced();
}
