//! What the area and a peer's kernel see of what shuntd announces.

use super::scene::{Meeting, PEER, SERVICE, SHUNT, adjacent, computes, frr_and_bird, lacks};
use crate::lab::Node;
use crate::lab::ospf::{Computed, OspfBird, OspfPeer, OspfRouter};

const GROUPS: &str = r#"
[mapping.inside]
primary = { metric = 100 }
standby = { metric = 2000 }
drain = { metric = 30000 }

[group.one]
prefixes = ["198.51.100.1/32"]
base = { shunt = "primary" }
ospf = "external-1"
ospf-tag = 11

[group.two]
prefixes = ["198.51.100.2/32", "198.51.100.128/25"]
base = { shunt = "standby" }
ospf-tag = 4294967295

[group.three]
prefixes = ["198.51.100.3/32"]
base = { shunt = "primary" }
ospf = "stub"
"#;

mod groups {
    use super::*;

    /// Each kind of announcement, through the levels, withdrawn and back.
    #[track_caller]
    fn are_seen_with_their_preference<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut meeting = Meeting::with(start, |ours, _| ours.externals.clear());
        meeting.shunt.write(|_, more| *more = GROUPS.to_owned());
        meeting.shunt.order(&["reload"]);
        adjacent(&meeting.peer, SHUNT, "full/ptp");
        adjacent(&meeting.shunt, PEER, "full/ptp");
        let external_1 = |metric| Computed {
            kind: "external-1",
            cost: 10 + metric,
            type_2_metric: None,
            tag: 11,
        };
        let external_2 = |metric| Computed {
            kind: "external-2",
            cost: 10,
            type_2_metric: Some(metric),
            tag: u32::MAX,
        };
        let stub = |metric| Computed {
            kind: "intra-area",
            cost: 10 + metric,
            type_2_metric: None,
            tag: 0,
        };
        let (one, two, three) = ("198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32");
        let net = "198.51.100.128/25";
        computes(&meeting.peer, one, external_1(100));
        computes(&meeting.peer, two, external_2(2000));
        computes(&meeting.peer, net, external_2(2000));
        computes(&meeting.peer, three, stub(100));
        for prefix in [one, two, net, three] {
            meeting.there.wait_next_hops(prefix, &["10.99.0.1@shunt"]);
        }

        for (level, metric) in [("standby", 2000), ("drain", 30000), ("primary", 100)] {
            for group in ["one", "two", "three"] {
                meeting.shunt.order(&["prefer", group, level, "--no-wait"]);
            }
            computes(&meeting.peer, one, external_1(metric));
            computes(&meeting.peer, two, external_2(metric));
            computes(&meeting.peer, three, stub(metric));
        }

        for group in ["one", "two", "three"] {
            meeting.shunt.order(&["withdraw", group, "--no-wait"]);
        }
        for prefix in [one, two, net, three] {
            meeting.there.wait_next_hops(prefix, &[]);
        }
        for group in ["one", "two", "three"] {
            meeting.shunt.order(&["release", group, "--no-wait"]);
        }
        computes(&meeting.peer, net, external_2(2000));
        for prefix in [one, two, net, three] {
            meeting.there.wait_next_hops(prefix, &["10.99.0.1@shunt"]);
        }
        // What a peer says of it, `why` says as well.
        let why = meeting.shunt.shuntd.json(&["why", one]).unwrap();
        assert_eq!(why["ospf"]["announcement"]["metric"], 100, "{why}");
        assert_eq!(why["ospf"]["announcement"]["how"], "external-1", "{why}");
        meeting.no_faults();
    }

    frr_and_bird!(are_seen_with_their_preference);
}

mod collisions {
    use super::*;

    /// Networks with one and the same address need link state ids of their own (RFC 2328 Appendix E).
    #[track_caller]
    fn of_link_state_ids_are_resolved<P: OspfPeer>(start: impl Fn(&Node, OspfRouter) -> P) {
        let mut meeting = Meeting::new(start);
        let all = ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/32", "10.0.0.255/32"];
        // In every order something else comes first: the others move away, and back.
        let orders = [[0, 1, 2, 3, 4], [2, 4, 0, 3, 1]];
        for order in orders {
            for at in order {
                meeting.shunt.announce(&[all[at]]);
            }
            for prefix in all {
                meeting.there.wait_next_hops(prefix, &["10.99.0.1@shunt"]);
            }
            for gone in 1..=order.len() {
                meeting.shunt.withdraw(&[all[order[gone - 1]]]);
                if gone % 2 == 0 {
                    continue;
                }
                for &at in &order[..gone] {
                    meeting.there.wait_next_hops(all[at], &[]);
                }
                for &at in &order[gone..] {
                    meeting.there.wait_next_hops(all[at], &["10.99.0.1@shunt"]);
                }
            }
        }
        lacks(&meeting.peer, all[0]);
        meeting.there.wait_next_hops(SERVICE, &["10.99.0.1@shunt"]);
        meeting.no_faults();
    }

    frr_and_bird!(of_link_state_ids_are_resolved);
}

/// An order is answered when the neighbour has acknowledged it.
#[test]
fn an_order_tells_what_the_neighbor_has_acknowledged() {
    let meeting = Meeting::new(OspfBird::start);
    let reply = meeting.shunt.shuntd.json(&["withdraw", "own"]).unwrap();
    let delivery = &reply["deliveries"][0];
    assert_eq!(delivery["outcome"], "acknowledged", "{reply}");
    assert!(delivery["neighbor"].as_str().unwrap().contains(PEER), "{reply}");
    assert_eq!(delivery["prefixes"][0]["prefix"], SERVICE, "{reply}");
    // It is so: in BIRD's database its age is MaxAge, if it is there at all.
    let shown = meeting.peer.ask("show ospf lsadb type 5").unwrap();
    let old = |line: &str| line.split_whitespace().any(|word| word == "3600");
    assert!(shown.lines().all(|line| !line.contains("198.51.100.7") || old(line)), "{shown}");
}
