//! `shunt plan prefer` says beforehand what the routers of the area then do.

use serde_json::Value;

use super::scene::{SERVICE, frr_and_bird};
use super::switching::{CORE, DC1, DC2, Sites};
use crate::lab::Node;
use crate::lab::ospf::{OspfPeer, OspfRouter};

/// The exits that a plan gives for a router, before and after.
fn exits(plan: &Value, router: &str) -> [Vec<String>; 2] {
    let all = plan["routers"].as_array().cloned().unwrap_or_default();
    let one = all.iter().find(|one| one["router"]["router_id"] == router);
    let one = one.unwrap_or_else(|| panic!("{router} is not in {plan}"));
    ["before", "after"].map(|when| {
        let exits = one[when]["exits"].as_array().cloned().unwrap_or_default();
        exits.iter().map(|exit| exit["router_id"].as_str().unwrap_or_default().to_owned()).collect()
    })
}

#[track_caller]
fn agrees_with_what_happens<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
    let sites = Sites::start(start);
    let plan = |level: &str| sites.dc2.shuntd.json(&["plan", "prefer", SERVICE, level]).unwrap();
    let dc = |number: u8| if number == 1 { DC1 } else { DC2 };

    // A level below that of the other site moves nobody, one above it moves everybody, the same one parts them.
    for (level, site) in [("drain", 1), ("220", 2)] {
        let plan = plan(level);
        assert_eq!(exits(&plan, CORE), [[DC1], [dc(site)]], "{plan}");
        let own =
            plan["routers"].as_array().unwrap().iter().filter(|one| one["own"] == true).count();
        assert_eq!(own, 1, "{plan}");
        sites.goes_to(1);
        sites.dc2.order(&["prefer", "payments", level, "--no-wait"]);
        sites.goes_to(site);
        sites.dc2.order(&["release", "payments", "--no-wait"]);
        sites.goes_to(1);
    }
    let plan = plan("primary");
    assert_eq!(exits(&plan, CORE), [vec![DC1], vec![DC1, DC2]], "{plan}");
    sites.dc2.order(&["prefer", "payments", "primary", "--no-wait"]);
    sites.at_core.wait_next_hops(SERVICE, &["10.99.1.2@dc1", "10.99.2.2@dc2"]);
    // Withdrawn here, all goes there.
    let plan = sites.dc1.shuntd.json(&["plan", "prefer", SERVICE, "0"]).unwrap();
    assert_eq!(exits(&plan, CORE), [vec![DC1, DC2], vec![DC2]], "{plan}");
    sites.dc1.order(&["withdraw", "payments", "--no-wait"]);
    sites.goes_to(2);
}

frr_and_bird!(agrees_with_what_happens);
