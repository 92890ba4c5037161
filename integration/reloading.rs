//! A changed configuration file touches the neighbours that changed; a bad one touches nothing.

use crate::edge::{EDGE, Edge, Meeting, NEIGHBORS, SERVICE, configuration};
use crate::lab::{Bird, PATIENCE, wait_for};

#[test]
fn only_what_changed_is_touched() {
    let edge = Edge::meet(Bird::start, Meeting::default());
    let times =
        |name: &str| edge.shuntd.neighbor(name).unwrap()["established_count"].as_u64().unwrap();
    let before = configuration(Meeting::default(), "");

    // Nothing changed: nothing happens.
    edge.shuntd.order(&["reload"]);

    // The first neighbour gets another hold time.
    edge.shuntd.configure(&before.replacen("hold-time = \"9s\"", "hold-time = \"12s\"", 1));
    edge.shuntd.order(&["reload"]);
    wait_for("second session with the changed neighbour", PATIENCE, || match times(NEIGHBORS[0]) {
        2 => Ok(()),
        count => Err(format!("{count} sessions")),
    });
    edge.established();
    assert_eq!(times(NEIGHBORS[1]), 1);

    // The mapping changes what is announced, without a new session.
    let changed = before
        .replacen("hold-time = \"9s\"", "hold-time = \"12s\"", 1)
        .replace("{ med = 0 }", "{ med = 7 }");
    edge.shuntd.configure(&changed);
    edge.shuntd.order(&["reload"]);
    for prefix in SERVICE {
        edge.isp_sees(prefix, |seen| seen.med == Some(7));
    }

    // A bad file is refused, with its place.
    edge.shuntd.configure(&changed.replace("import = \"all\"", "imports = \"all\""));
    let refusal = edge.shuntd.ask(&["reload"]).unwrap_err();
    assert!(refusal.contains("imports") && refusal.contains("shunt.toml:"), "{refusal}");
    for prefix in SERVICE {
        edge.isp_sees(prefix, |seen| seen.med == Some(7));
    }
    assert_eq!((times(NEIGHBORS[0]), times(NEIGHBORS[1])), (2, 1));
    for ours in EDGE {
        assert_eq!(edge.capture.faults(ours), [""; 0]);
    }
}
