//! What is down at every site, or where there is only one.

use super::plan::{Plan, Protocol, SERVICE};
use super::scene::Scene;
use super::service::Answer;

const ILL: [usize; 2] = [0, 1];

/// The checks may be wrong, and here they are.
#[test]
fn what_is_down_everywhere_stays_where_it_is_best() {
    let mut scene = Scene::new(Protocol::Ospf, Plan::default());
    for site in ILL {
        scene.sites[site].service.set(Answer::Ill);
    }
    for site in ILL {
        scene.because(site, "check web is down: status 503");
    }
    scene.pass(3.0);
    scene.lands(0);
    scene.said([&[10], &[9]]);
    for site in ILL {
        scene.sites[site].service.set(Answer::Well);
    }
    scene.pass(2.0);
    scene.lands(0);
    scene.said([&[200], &[100]]);
    scene.was_always_announced();
}

/// The second one is not needed, as the first announces it better.
#[test]
fn of_those_that_would_all_withdraw_the_best_one_stays() {
    let plan = Plan { group: "on-down = \"none\"", ..Plan::default() };
    let mut scene = Scene::new(Protocol::Bgp, plan);
    for site in ILL {
        scene.sites[site].service.set(Answer::Ill);
    }
    scene.because(0, "guard: min-sites: not withdrawn");
    scene.because(1, "1 other site announces it better: not announced (0)");
    scene.pass(3.0);
    scene.lands(0);
    scene.said([&[10], &[9, 0]]);
    for site in ILL {
        scene.sites[site].service.set(Answer::Well);
        scene.because(site, "base of site");
        scene.pass(0.5);
    }
    scene.lands(0);
    scene.said([&[200], &[100]]);
    scene.was_always_announced();
}

#[test]
fn the_last_site_stays_and_says_why() {
    let plan = Plan { group: "on-down = \"none\"", ..Plan::default() };
    let mut scene = Scene::new(Protocol::Bgp, plan);
    scene.sites[1].shuntd.order(&["withdraw", "payments"]);
    scene.pass(1.0);
    scene.said([&[], &[0]]);
    scene.sites[0].service.set(Answer::Ill);
    let held =
        "guard: min-sites: not withdrawn, as no other site announces it any better and 1 must";
    scene.because(0, held);
    scene.pass(3.0);
    scene.lands(0);
    scene.said([&[10], &[]]);
    let shuntd = &scene.sites[0].shuntd;
    let status = shuntd.order(&["status"]);
    let kept = format!("warning: guard: {SERVICE} would be withdrawn, but min-sites keeps it");
    assert!(status.contains(&kept), "{status}");
    let why = shuntd.order(&["why", "198.51.100.7"]);
    assert!(why.contains(held), "{why}");
    // The other one is back, and may have it.
    scene.sites[1].shuntd.order(&["release", "payments"]);
    scene.lands(1);
    scene.because(0, "1 other site announces it better: not announced (0)");
    let status = scene.sites[0].shuntd.order(&["status"]);
    assert!(!status.contains("min-sites"), "{status}");
    scene.said([&[0], &[100]]);
    // That one fails too: this one has been back before it goes.
    scene.sites[1].service.set(Answer::Ill);
    scene.lands(0);
    scene.pass(3.0);
    scene.said([&[10], &[9, 0]]);
    scene.was_always_announced();
    // An operator may do what nothing else does.
    scene.sites[0].shuntd.order(&["withdraw", "payments"]);
    scene.prefers(1);
    scene.sites[1].shuntd.order(&["withdraw", "payments"]);
    scene.is_gone();
}

#[test]
fn down_everywhere_is_withdrawn_if_that_is_said() {
    let plan = Plan { group: "on-all-down = \"withdraw\"", ..Plan::default() };
    let mut scene = Scene::new(Protocol::Ospf, plan);
    scene.sites[0].service.set(Answer::Refused);
    scene.lands(1);
    scene.pass(3.0);
    scene.said([&[10], &[]]);
    scene.was_always_announced();
    scene.sites[1].service.set(Answer::Refused);
    scene.is_gone();
    scene.said([&[0], &[9, 0]]);
    scene.because(0, "(on-all-down = \"withdraw\"): not announced (0)");
    scene.sites[1].service.set(Answer::Well);
    scene.lands(1);
    scene.sites[0].service.set(Answer::Well);
    scene.lands(0);
    scene.pass(1.0);
    let [first, second] = scene.heard();
    // As soon as the second one announces it, the first one may as well.
    assert!(first == [200] || first == [10, 200], "{first:?}");
    assert_eq!(second, [100]);
}
