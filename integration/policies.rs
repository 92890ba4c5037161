//! Policies beside real peers: what they announce is judged, and what they get is changed, without a new session.

use crate::edge::{Edge, Meeting, NEIGHBORS, SERVICE, UPSTREAM, configuration};
use crate::lab::{Bird, Frr, Gobgp, Node, PATIENCE, Peer, Speaker, wait_for};

/// What the ISP should not announce.
const UNWANTED: [&str; 2] = ["203.0.113.0/24", "2001:db8:eeee::/48"];

const USE: &str = "import-policy = [\"in\"]\nexport-policy = [\"out\"]\n";

const LIST: &str = r#"
[prefix-list.unwanted]
prefixes = ["203.0.113.0/24 le 32", "2001:db8:e000::/36 ge 40"]
"#;

const REJECT: &str = r#"
[[policy.in.rule]]
name = "unwanted"
match = { prefix-list = "unwanted", as-path = "^65001$" }
then = "reject"
"#;

const IN: &str = r#"
[[policy.in.rule]]
name = "prefer"
match = { as-path-length = 1, origin-as = 65001, next-hop = ["10.99.0.0/24", "fd99::2"] }
set = { local-pref = 150, communities = "65000:150" }
then = "accept"
"#;

const OUT: &str = r#"
[[policy.out.rule]]
name = "own"
match = { as-path = "^$" }
set = { med = 77, prepend = 2, communities = "65000:77", large-communities = "65000:7:7" }
then = "accept"
"#;

const NO_IPV6: &str = r#"
[[policy.out.rule]]
match = { family = "ipv6" }
then = "reject"
"#;

#[track_caller]
fn are_judged<P: Peer>(start: impl Fn(&Node, Speaker) -> P) {
    let mut edge = Edge::meet(start, Meeting::default());
    for family in [0, 1] {
        edge.isp.announce(UNWANTED[family]);
        edge.learned(UNWANTED[family], true);
        edge.isp_sees(SERVICE[family], |seen| seen.as_path == [65000] && seen.med == Some(0));
    }

    let reload = |edge: &Edge<P>, policies: &[&str]| {
        edge.shuntd.configure(&format!(
            "{}{}",
            configuration(Meeting::default(), USE),
            policies.concat()
        ));
        edge.shuntd.order(&["reload"]);
    };
    let stored = |edge: &Edge<P>, prefix: &str, local_pref: u64, community: &str| {
        wait_for(&format!("{prefix} with LOCAL_PREF {local_pref}"), PATIENCE, || {
            let routes = edge.shuntd.routes()?;
            let route = routes.iter().find(|route| route["prefix"] == prefix);
            let attributes = route.map(|route| &route["paths"][0]["attributes"]);
            match attributes {
                Some(set)
                    if set["local_pref"] == local_pref
                        && set["communities"] == serde_json::json!([community]) =>
                {
                    Ok(())
                }
                other => Err(format!("{other:?}")),
            }
        });
    };

    // The routes that are there are sent again and judged; what goes out is changed in place.
    reload(&edge, &[LIST, REJECT, IN, OUT]);
    for family in [0, 1] {
        edge.learned(UNWANTED[family], false);
        stored(&edge, UPSTREAM[family], 150, "65000:150");
        let seen = edge.isp_sees(SERVICE[family], |seen| seen.med == Some(77));
        assert_eq!(seen.as_path, [65000; 3]);
        assert_eq!(seen.communities, ["65000:77"]);
        assert_eq!(seen.large_communities, ["65000:7:7"]);
        let neighbor = edge.shuntd.neighbor(NEIGHBORS[family]).unwrap();
        assert_eq!(neighbor["rejected_by"][0]["rule"], "policy in, rule unwanted", "{neighbor}");
    }

    // One rule less, and one family less.
    reload(&edge, &[IN, NO_IPV6, OUT]);
    for prefix in UNWANTED {
        stored(&edge, prefix, 150, "65000:150");
    }
    edge.isp_lacks(SERVICE[1]);
    edge.isp_sees(SERVICE[0], |seen| seen.med == Some(77));

    // And without any.
    edge.shuntd.configure(&configuration(Meeting::default(), ""));
    edge.shuntd.order(&["reload"]);
    for prefix in SERVICE {
        edge.isp_sees(prefix, |seen| seen.as_path == [65000] && seen.med == Some(0));
    }
    for name in NEIGHBORS {
        let neighbor = edge.shuntd.neighbor(name).unwrap();
        assert_eq!(neighbor["established_count"], 1, "a policy cost the session: {neighbor}");
    }
    edge.no_faults();
}

#[test]
fn frr() {
    are_judged(Frr::start);
}

#[test]
fn bird() {
    are_judged(Bird::start);
}

#[test]
fn gobgp() {
    are_judged(Gobgp::start);
}
