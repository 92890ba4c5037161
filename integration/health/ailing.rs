//! A service that is not dead and not well either.

use std::time::Duration;

use super::plan::{Plan, Protocol};
use super::scene::Scene;
use super::service::Answer;

#[test]
fn five_percent_loss_moves_nothing_for_long() {
    let mut scene = Scene::new(Protocol::Bgp, Plan::default());
    for site in &scene.sites {
        site.app.lose("numgen random mod 100 < 5");
    }
    scene.pass(10.0);
    for site in &scene.sites {
        site.app.heal();
    }
    scene.pass(1.0);
    scene.lands(0);
    for (said, base) in scene.heard().into_iter().zip([200, 100]) {
        // Three runs of a hundred in a row are lost in one of a hundred runs of this.
        assert!(said.len() <= 2 && said.last().is_none_or(|last| *last == base), "{said:?}");
    }
    scene.was_always_announced();
}

#[test]
fn what_is_800_ms_late_is_less_preferred() {
    let plan = Plan {
        check: "slow = \"300ms\"\ntimeout = \"1s\"\n",
        group: "on-slow = \"-120\"",
        ..Plan::default()
    };
    let mut scene = Scene::new(Protocol::Ospf, plan);
    scene.sites[0].service.set(Answer::Late(Duration::from_millis(800)));
    scene.lands(1);
    scene.because(0, "check web is slow: ");
    scene.pass(3.0);
    scene.said([&[80], &[]]);
    scene.sites[0].service.set(Answer::Well);
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}

#[test]
fn one_bad_backend_of_eight_changes_nothing_and_three_do() {
    let names = "backends = [\"b1\", \"b2\", \"b3\", \"b4\", \"b5\", \"b6\", \"b7\", \"b8\"]\nat-least = 6\n";
    let mut scene =
        Scene::new(Protocol::Bgp, Plan { check: names, backends: 8, ..Plan::default() });
    scene.sites[0].backends[2].set(Answer::Never);
    scene.warns(0, "check b3");
    scene.pass(2.0);
    scene.lands(0);
    scene.said([&[], &[]]);
    for server in [3, 4] {
        scene.sites[0].backends[server].set(Answer::Refused);
    }
    scene.lands(1);
    scene.because(0, "5 of 8 are up, down: b3, b4, b5");
    scene.said([&[10], &[]]);
    scene.sites[0].backends[2].set(Answer::Well);
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}

/// It comes and goes with each second, until it is held down, and is back when it has been well for a while.
#[test]
fn one_hertz_of_flapping_is_damped() {
    let plan = Plan { check: "half-life = \"3s\"\nhold-above = 2000\n", ..Plan::default() };
    let mut scene = Scene::new(Protocol::Bgp, plan);
    scene.sites[0].service.set(Answer::Flapping);
    scene.because(0, "held as it changes too often");
    scene.pass(1.0);
    scene.lands(1);
    let [first, second] = scene.heard();
    assert!((3..=7).contains(&first.len()) && first.last() == Some(&10), "{first:?}");
    assert_eq!(second, [0_u32; 0]);
    scene.pass(5.0);
    scene.lands(1);
    scene.said([&[], &[]]);
    scene.because(0, "held as it changes too often");
    scene.sites[0].service.set(Answer::Well);
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}
