//! What else a group follows.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::plan::{Plan, Protocol, SECOND, SERVICE, UPSTREAM};
use super::scene::Scene;
use crate::lab::{PATIENCE, Peer, wait_for};

/// Waits until both upstreams are up, and watched.
#[track_caller]
fn established(scene: &Scene) {
    let shuntd = &scene.sites[0].shuntd;
    wait_for("sessions with the upstreams", PATIENCE, || {
        let (bfd, bgp) = (shuntd.json(&["bfd"])?, shuntd.json(&["neighbors"])?);
        let up = |all: &Value, key: &str, state: &str| {
            let list = all[key].as_array().cloned().unwrap_or_default();
            list.iter().filter(|one| one["state"] == state).count() == 2
        };
        let all = up(&bfd, "sessions", "up") && up(&bgp, "neighbors", "established");
        if all { Ok(()) } else { Err(format!("{bfd}\n{bgp}")) }
    });
}

/// It has lowered itself inside within a second, again.
#[track_caller]
fn lowers_itself(scene: &mut Scene, lose: impl FnOnce(&mut Scene)) {
    let before = scene.told_at(0, 10).len();
    let lost = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    lose(scene);
    scene.lands(1);
    let told = u128::from(scene.told_at(0, 10)[before]);
    assert!((lost..lost + 1_000_000).contains(&told), "after {} us", told.wrapping_sub(lost));
    scene.because(0, "this node is isolated: no upstream is up: drain (10)");
    scene.said([&[10], &[]]);
}

/// All upstreams are gone: lowered inside by the event, and not by a look now and then.
#[test]
fn an_isolated_node_lowers_itself_at_once() {
    let plan = Plan {
        first: "[[group.payments.rule]]\nisolated = true\n[isolation]\nneighbors = [\"isp1\", \"isp2\"]\n",
        upstreams: true,
        ..Plan::default()
    };
    let mut scene = Scene::new(Protocol::Ospf, plan);
    established(&scene);
    scene.isps[0].1.kill();
    scene.pass(2.0);
    scene.lands(0);
    scene.said([&[], &[]]);
    lowers_itself(&mut scene, |scene| scene.isps[1].1.kill());
    for (_, isp) in &mut scene.isps {
        isp.start();
    }
    established(&scene);
    scene.lands(0);
    scene.said([&[200], &[]]);
    // Without a word, too.
    lowers_itself(&mut scene, |scene| scene.isps.iter().for_each(|(node, _)| node.freeze()));
    scene.isps.iter().for_each(|(node, _)| node.thaw());
    scene.lands(0);
    scene.said([&[200], &[]]);
    scene.was_always_announced();
}

/// Of two prefixes of a group rules lower the one that they name.
#[test]
fn a_rule_holds_for_the_prefixes_that_it_names() {
    let plan = Plan {
        group: "prefixes = [\"198.51.100.7/32\", \"198.51.100.8/32\"]",
        first: "[[group.payments.rule]]\nroute = \"203.0.113.0/24\"\nthen = \"-150\"\n\
                prefixes = [\"198.51.100.8/32\"]\n\
                [[group.payments.rule]]\ninterface = \"isp2\"\nthen = \"drain\"\n\
                prefixes = [\"198.51.100.8/32\"]\n",
        upstreams: true,
        ..Plan::default()
    };
    let mut scene = Scene::new(Protocol::Ospf, plan);
    established(&scene);
    scene.prefers_for(SECOND, 0);
    for (_, isp) in &mut scene.isps {
        isp.withdraw(UPSTREAM);
    }
    scene.prefers_for(SECOND, 1);
    scene.because_of(SECOND, 0, "route 203.0.113.0/24 is absent: 50");
    scene.isps[0].1.announce(UPSTREAM);
    scene.prefers_for(SECOND, 0);
    scene.sites[0].node.down("isp2");
    scene.prefers_for(SECOND, 1);
    scene.because_of(SECOND, 0, "interface isp2 is down: drain (10)");
    scene.sites[0].node.up("isp2");
    scene.prefers_for(SECOND, 0);
    scene.prefers_for(SERVICE, 0);
    scene.lands(0);
    scene.said([&[], &[]]);
    scene.was_always_announced();
}
