//! A group is announced, its preference changed, withdrawn and released: the ISP sees the mapped attributes, and the
//! wire carries exactly the UPDATEs needed.

use std::collections::BTreeMap;

use crate::edge::{EDGE, Edge, Meeting, SERVICE, every_peer};
use crate::lab::{Node, Peer, Seen, Speaker, Update};

/// The attributes of one level of the mapping `isp`, as the peer shows them.
fn mapped(family: usize, level: &str) -> Seen {
    let (prepends, med, communities, large): (usize, u32, &[&str], &[&str]) = match level {
        "primary" => (0, 0, &[], &[]),
        "standby" => (2, 100, &["65000:100"], &["65000:1:100"]),
        "drain" => (3, 200, &["65535:0"], &[]),
        other => panic!("no level {other}"),
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Seen {
        as_path: vec![65000; 1 + prepends],
        next_hop: EDGE[family].to_owned(),
        med: Some(med),
        communities: words(communities),
        large_communities: words(large),
    }
}

/// The UPDATE that announces a service prefix at one level, and nothing else.
fn announcing(family: usize, level: &str) -> Update {
    let seen = mapped(family, level);
    let path = seen.as_path.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let mut attributes =
        BTreeMap::from([(1, "0".to_owned()), (2, path), (4, seen.med.unwrap().to_string())]);
    attributes.insert(if family == 0 { 3 } else { 14 }, seen.next_hop);
    if !seen.communities.is_empty() {
        attributes.insert(8, seen.communities.join(" "));
    }
    if !seen.large_communities.is_empty() {
        attributes.insert(32, seen.large_communities.join(" "));
    }
    Update { announced: vec![SERVICE[family].to_owned()], withdrawn: Vec::new(), attributes }
}

fn withdrawing(family: usize) -> Update {
    Update {
        announced: Vec::new(),
        withdrawn: vec![SERVICE[family].to_owned()],
        attributes: BTreeMap::new(),
    }
}

#[track_caller]
fn changes_are_seen<P: Peer>(start: impl Fn(&Node, Speaker) -> P) {
    let edge = Edge::meet(start, Meeting::default());
    let seen = |level: &str| {
        for (family, prefix) in SERVICE.into_iter().enumerate() {
            edge.isp_sees(prefix, |seen| *seen == mapped(family, level));
        }
    };
    seen("primary");
    edge.shuntd.order(&["prefer", "payments", "standby"]);
    seen("standby");
    // An order that changes nothing sends nothing.
    edge.shuntd.order(&["prefer", "payments", "standby"]);
    edge.shuntd.order(&["prefer", "payments", "drain"]);
    seen("drain");
    edge.shuntd.order(&["withdraw", "payments"]);
    for prefix in SERVICE {
        edge.isp_lacks(prefix);
    }
    edge.shuntd.order(&["release", "payments"]);
    seen("primary");

    for (family, source) in EDGE.into_iter().enumerate() {
        let expected = [
            announcing(family, "primary"),
            announcing(family, "standby"),
            announcing(family, "drain"),
            withdrawing(family),
            announcing(family, "primary"),
        ];
        edge.capture.all_updates(source, &expected);
    }
    edge.no_faults();
}

every_peer!(changes_are_seen);
