//! Neighbours hear nothing of checks while no verdict changes.

use std::time::Duration;

use super::plan::{Plan, Protocol};
use super::scene::Scene;
use super::service::Answer;

#[track_caller]
fn sends_nothing(protocol: Protocol) {
    // Whatever comes is less than that many failures in a row.
    let scene = Scene::new(protocol, Plan { check: "fall = 10\n", ..Plan::default() });
    scene.pass(1.0);
    let before = scene.sent();
    assert!(before.iter().all(|sent| *sent > 0), "{before:?}");
    for moment in 0..60 {
        let answer = match moment % 6 {
            0 => Answer::Said("another text\n".repeat(moment)),
            1 => Answer::Late(Duration::from_millis(40)),
            2 => Answer::Ill,
            3 => Answer::Said("all is well".to_owned()),
            4 => Answer::Refused,
            _ => Answer::Well,
        };
        for site in &scene.sites {
            site.service.set(answer.clone());
        }
        scene.pass(0.2);
    }
    for site in &scene.sites {
        let health = site.shuntd.json(&["health", "web"]).unwrap();
        let count = |key: &str| health["checks"][0][key].as_u64().unwrap();
        assert!(count("answered") > 40 && count("failed") > 20, "{health}");
        assert_eq!(count("changes"), 1, "{health}");
    }
    assert_eq!(scene.sent(), before);
    scene.lands(0);
    scene.was_always_announced();
}

#[test]
fn no_update_while_no_verdict_changes() {
    sends_nothing(Protocol::Bgp);
}

#[test]
fn no_lsa_while_no_verdict_changes() {
    sends_nothing(Protocol::Ospf);
}
