//! Learned routes in the kernel of the edge node, and what shuntd leaves alone there.

use serde_json::Value;

use crate::edge::{Edge, ISP, Meeting, UPSTREAM, configuration};
use crate::lab::{Bird, Node, PATIENCE, Peer, hops_in_use, wait_for};

/// Our routes (`protocol` 201) in the kernel of a node, as `ip -j route` shows them.
fn installed(node: &Node) -> Vec<Value> {
    ["-4", "-6"]
        .iter()
        .flat_map(|family| {
            let text = node.must("ip", &["-j", family, "route", "show", "proto", "201"]);
            serde_json::from_str::<Vec<Value>>(&text).unwrap_or_default()
        })
        .collect()
}

#[track_caller]
fn wait_installed(node: &Node, expected: &[&str]) {
    wait_for("learned routes in the kernel", PATIENCE, || {
        let routes = installed(node);
        let found: Vec<&str> = routes.iter().filter_map(|route| route["dst"].as_str()).collect();
        if found == expected { Ok(()) } else { Err(format!("{routes:?}")) }
    });
}

#[test]
fn routes_are_installed_adopted_and_swept() {
    let mut edge = Edge::meet(Bird::start, Meeting::default());
    let node = edge.node.clone();
    // Somebody else's route, of the very same prefix.
    let foreign = ["route", "add", UPSTREAM[0], "via", ISP[0], "proto", "static", "metric", "500"];
    node.must("ip", &foreign);
    wait_installed(&node, &UPSTREAM);
    for route in installed(&node) {
        let [hop] = hops_in_use(&route)[..] else { panic!("{route}") };
        assert!(ISP.contains(&hop["gateway"].as_str().unwrap()), "{route}");
    }

    // A crash takes nothing away, and a restart finds its own routes again.
    edge.shuntd.kill();
    wait_installed(&node, &UPSTREAM);
    edge.shuntd.start_again();
    edge.established();
    wait_installed(&node, &UPSTREAM);

    // What is no longer learned goes.
    edge.isp.withdraw(UPSTREAM[0]);
    wait_installed(&node, &UPSTREAM[1..]);
    edge.isp.announce(UPSTREAM[0]);
    wait_installed(&node, &UPSTREAM);

    // What was left by a crash and is no longer wanted is swept.
    edge.shuntd.kill();
    edge.shuntd.configure(
        &configuration(Meeting::default(), "").replace("import = \"all\"", "import = \"none\""),
    );
    edge.shuntd.start_again();
    wait_installed(&node, &[]);
    let foreign = node.must("ip", &["route", "show", UPSTREAM[0]]);
    assert!(foreign.contains("proto static metric 500"), "{foreign}");
}
