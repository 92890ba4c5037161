//! The decision process, import and export tables, and what a neighbour is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use shunt::rib::export::{Neighbor, Originated, Withheld, export, originate, withheld};
use shunt::rib::import::{Policy, Rejected, Session, import};
use shunt::rib::{
    AdjRibOut, Batch, Connected, Distances, IgpRoute, Reason, Resolved, Rib, Route, Source,
    SourceId, SourceKind, Standing, Told, Unusable, Urgency,
};
use shunt::types::{Asn, Family, Prefix, RouterId};
use shunt::wire::bgp::{
    AsPath, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop, Origin, Role,
    Segment,
};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn hop(text: &str) -> NextHop {
    NextHop::from(ip(text))
}

fn id(text: &str) -> RouterId {
    RouterId(text.parse().unwrap())
}

/// A set as a neighbour in 192.0.2.0/24 would send it.
fn set(next_hop: &str, path: &[u32]) -> Attributes {
    let mut attributes = Attributes::originated(hop(next_hop));
    attributes.as_path = AsPath::sequence(path.iter().copied().map(Asn));
    attributes
}

/// A RIB with 192.0.2.0/24 connected on interface 7 and our address 192.0.2.1 in it.
fn rib() -> Rib {
    let mut rib = Rib::new();
    rib.set_connected(Connected::new([(prefix("192.0.2.0/24"), 7)], [ip("192.0.2.1")]));
    rib
}

fn learn(rib: &mut Rib, source: u32, prefix_text: &str, attributes: Attributes) {
    let attributes = rib.intern(attributes);
    rib.learn(SourceId(source), prefix(prefix_text), attributes);
}

/// An OSPF route over one gateway on interface 7.
fn ospf(metric: u32, gateway: &str) -> IgpRoute {
    IgpRoute {
        kind: "OSPF intra-area",
        metric,
        second_metric: 0,
        tag: 0,
        hops: [Resolved { gateway: ip(gateway), interface: 7 }].into_iter().collect(),
        exits: Box::default(),
    }
}

fn gateways(rib: &Rib, target: &str, max: usize) -> Vec<String> {
    rib.hops(prefix(target), max).iter().map(|hop| hop.gateway.to_string()).collect()
}

/// What has changed, in the order of prefixes, each once.
fn changes(rib: &mut Rib) -> Vec<String> {
    let changed: BTreeSet<Prefix> = rib.take_changes(usize::MAX).into_iter().collect();
    changed.iter().map(Prefix::to_string).collect()
}

mod decision {
    use super::*;

    /// Two paths for one prefix from two sources.
    struct Pair {
        better: (u32, Source, Attributes),
        worse: (u32, Source, Attributes),
    }

    /// Every step of the decision, in order. Each row changes the pair so that `better` wins by this
    /// step. A row is then combined with every later one turned round: the earlier step decides.
    type Row = (&'static str, fn(&mut Pair), &'static str);

    const ROWS: &[Row] = &[
        (
            "usable",
            |pair| pair.worse.2.next_hop = hop("203.0.113.9"),
            "next hop 203.0.113.9 is in no connected network and no OSPF route has it",
        ),
        (
            "LOCAL_PREF",
            |pair| pair.worse.2.local_pref = Some(99),
            "lower LOCAL_PREF (99, best has 100)",
        ),
        (
            "AS path length",
            |pair| pair.worse.2.as_path = pair.worse.2.as_path.prepended(Asn(64496), 1),
            "longer AS path (3, best has 2)",
        ),
        (
            "origin",
            |pair| pair.worse.2.origin = Origin::Incomplete,
            "worse origin (incomplete, best has IGP)",
        ),
        ("MED", |pair| pair.worse.2.med = Some(1), "higher MED (1, best has 0)"),
        (
            "eBGP before iBGP",
            |pair| pair.worse.1.kind = SourceKind::Ibgp,
            "learned by iBGP, the best one by eBGP",
        ),
        (
            "IGP metric",
            |pair| pair.worse.2.next_hop = hop("198.18.0.1"),
            "higher IGP metric (30, best has 0)",
        ),
        (
            "router id",
            |pair| pair.worse.1.router_id = id("10.0.0.9"),
            "higher router id (10.0.0.9, best has 10.0.0.1)",
        ),
        (
            "cluster list",
            |pair| pair.worse.2.cluster_list = Box::new([1]),
            "longer cluster list (1, best has 0)",
        ),
        (
            "neighbour address",
            |pair| pair.worse.1.address = ip("192.0.2.99"),
            "higher neighbour address (192.0.2.99, best has 192.0.2.10)",
        ),
        ("source", |_| (), "equal, from a neighbour configured later"),
    ];

    fn pair() -> Pair {
        let source = Source::neighbor(true, id("10.0.0.1"), ip("192.0.2.10"));
        let attributes = || set("192.0.2.10", &[64500, 64501]);
        Pair { better: (1, source, attributes()), worse: (2, source, attributes()) }
    }

    /// Turns the pair round: what was better is worse.
    fn swap(pair: &mut Pair) {
        std::mem::swap(&mut pair.better, &mut pair.worse);
    }

    fn outcome(pair: &Pair) -> (SourceId, String) {
        let mut rib = rib();
        rib.set_igp(prefix("198.18.0.0/24"), Some(ospf(30, "192.0.2.77")));
        for (source, facts, attributes) in [&pair.worse, &pair.better] {
            rib.add_source(SourceId(*source), *facts);
            learn(&mut rib, *source, "198.51.100.0/24", attributes.clone());
        }
        let candidates = rib.candidates(prefix("198.51.100.0/24"), 1);
        assert_eq!(candidates[0].standing, Standing::Best);
        let best = rib.best(prefix("198.51.100.0/24")).unwrap();
        assert_eq!(best.source, candidates[0].route.source());
        let text = match candidates[1].standing {
            Standing::Lost { reason, against } => {
                assert_eq!(against, best.source);
                reason.to_string()
            }
            Standing::Unusable(why) => why.to_string(),
            other => panic!("{other:?}"),
        };
        (best.source, text)
    }

    #[test]
    fn each_step_decides_when_the_earlier_ones_are_equal() {
        for (name, apply, reason) in ROWS {
            let mut pair = pair();
            apply(&mut pair);
            assert_eq!(outcome(&pair), (SourceId(1), (*reason).to_owned()), "{name}");
        }
    }

    #[test]
    fn no_later_step_outweighs_an_earlier_one() {
        for (at, (name, apply, reason)) in ROWS.iter().enumerate() {
            for (later, apply_later, _) in &ROWS[at + 1..] {
                let mut pair = pair();
                swap(&mut pair);
                apply_later(&mut pair);
                swap(&mut pair);
                apply(&mut pair);
                let (winner, text) = outcome(&pair);
                assert_eq!(winner, SourceId(1), "{name} against {later}");
                // The numbers in the text may differ, the step may not.
                let step = |text: &str| text.split(" (").next().unwrap().to_owned();
                assert_eq!(step(&text), step(reason), "{name} against {later}");
            }
        }
    }

    #[test]
    fn originator_id_stands_in_for_the_router_id() {
        let mut pair = pair();
        pair.better.1.router_id = id("10.0.0.200");
        pair.better.2.originator_id = Some(id("10.0.0.1"));
        pair.worse.1.router_id = id("10.0.0.2");
        assert_eq!(
            outcome(&pair),
            (SourceId(1), "higher router id (10.0.0.2, best has 10.0.0.1)".to_owned())
        );
    }

    #[test]
    fn our_own_announcement_wins_and_needs_no_next_hop() {
        let mut rib = rib();
        rib.add_source(SourceId(1), Source::neighbor(true, id("10.0.0.1"), ip("192.0.2.10")));
        let mut strong = set("192.0.2.10", &[]);
        strong.local_pref = Some(u32::MAX);
        learn(&mut rib, 1, "198.51.100.0/24", strong);
        learn(&mut rib, 0, "198.51.100.0/24", Attributes::originated(hop("0.0.0.0")));
        let best = rib.best(prefix("198.51.100.0/24")).unwrap();
        assert_eq!((best.source, best.hop), (SourceId::LOCAL, Ok(None)));
        assert!(rib.hops(prefix("198.51.100.0/24"), 8).is_empty());
        let candidates = rib.candidates(prefix("198.51.100.0/24"), 8);
        assert_eq!(
            candidates[1].standing,
            Standing::Lost { reason: Reason::Own, against: SourceId::LOCAL }
        );
    }

    #[test]
    fn a_lone_unusable_path_is_shown_and_never_best() {
        let mut rib = rib();
        rib.add_source(SourceId(1), Source::neighbor(true, id("10.0.0.1"), ip("192.0.2.10")));
        learn(&mut rib, 1, "198.51.100.0/24", set("192.0.2.1", &[64500]));
        assert!(rib.best(prefix("198.51.100.0/24")).is_none());
        assert!(rib.hops(prefix("198.51.100.0/24"), 8).is_empty());
        assert_eq!(
            rib.candidates(prefix("198.51.100.0/24"), 8)[0].standing,
            Standing::Unusable(Unusable::OwnAddress(ip("192.0.2.1")))
        );
    }

    #[test]
    fn equal_cost_paths_share_up_to_the_limit_and_each_next_hop_once() {
        let mut rib = rib();
        for source in 1..=5 {
            let address = format!("192.0.2.{}", 10 + source);
            let facts = Source::neighbor(true, id(&format!("10.0.0.{source}")), ip(&address));
            rib.add_source(SourceId(source), facts);
        }
        let target = "198.51.100.0/24";
        learn(&mut rib, 1, target, set("192.0.2.11", &[64500, 64510]));
        learn(&mut rib, 2, target, set("192.0.2.12", &[64501, 64510]));
        learn(&mut rib, 3, target, set("192.0.2.11", &[64500, 64510]));
        learn(&mut rib, 4, target, set("192.0.2.14", &[64503, 64510]));
        let mut med = set("192.0.2.15", &[64504, 64510]);
        med.med = Some(5);
        learn(&mut rib, 5, target, med);
        let shares = |max| gateways(&rib, target, max);
        assert_eq!(shares(8), ["192.0.2.11", "192.0.2.12", "192.0.2.14"]);
        assert_eq!(shares(2), ["192.0.2.11", "192.0.2.12"]);
        assert_eq!(shares(1), ["192.0.2.11"]);
        assert!(shares(0).is_empty());
        let standings: Vec<String> = rib
            .candidates(prefix(target), 2)
            .iter()
            .map(|candidate| match candidate.standing {
                Standing::Best => "best".to_owned(),
                Standing::Multipath => "multipath".to_owned(),
                Standing::Lost { reason, .. } => reason.to_string(),
                Standing::Unusable(why) => why.to_string(),
            })
            .collect();
        assert_eq!(
            standings,
            [
                "best",
                "multipath",
                "higher router id (10.0.0.3, best has 10.0.0.1)",
                "higher router id (10.0.0.4, best has 10.0.0.1)",
                "higher MED (5, best has 0)",
            ]
        );
    }

    fn any_path() -> impl Strategy<Value = (Source, Attributes)> {
        let source = (any::<bool>(), 1..4u8, 1..4u8);
        let attributes = (
            1..4u8,
            0..3usize,
            0..3u8,
            proptest::option::of(0..2u32),
            proptest::option::of(99..102u32),
            proptest::option::of(1..3u8),
            0..2usize,
        );
        (source, attributes).prop_map(|((external, router, address), parts)| {
            let (next_hop, length, origin, med, local_pref, originator, clusters) = parts;
            let source = Source::neighbor(
                external,
                id(&format!("10.0.0.{router}")),
                ip(&format!("192.0.2.{address}")),
            );
            // 192.0.2.1 is our own address, so some paths are unusable.
            let mut attributes = set(&format!("192.0.2.{next_hop}"), &vec![64500; length]);
            attributes.origin = [Origin::Igp, Origin::Egp, Origin::Incomplete][usize::from(origin)];
            attributes.med = med;
            attributes.local_pref = local_pref;
            attributes.originator_id = originator.map(|last| id(&format!("10.0.0.{last}")));
            attributes.cluster_list = vec![1; clusters].into();
            (source, attributes)
        })
    }

    proptest! {
        /// The order is total: it does not depend on the order of arrival, and taking away the best path leaves the
        /// order of the others as it was.
        #[test]
        fn the_order_is_total(
            paths in proptest::collection::vec(any_path(), 1..7),
            order in any::<u64>(),
        ) {
            let target = prefix("198.51.100.0/24");
            let fill = |order: &[usize]| {
                let mut rib = rib();
                for at in order {
                    let source = 1 + u32::try_from(*at).unwrap();
                    rib.add_source(SourceId(source), paths[*at].0);
                    learn(&mut rib, source, "198.51.100.0/24", paths[*at].1.clone());
                }
                rib
            };
            let ranked = |rib: &Rib| -> Vec<u32> {
                rib.candidates(target, 1).iter().map(|c| c.route.source().0).collect()
            };
            let straight: Vec<usize> = (0..paths.len()).collect();
            let mut mixed = straight.clone();
            let mut rng = shunt::types::Rng::new(order);
            for at in (1..mixed.len()).rev() {
                mixed.swap(at, usize::try_from(rng.below(at as u64 + 1)).unwrap());
            }
            let mut rib = fill(&mixed);
            let mut expected = ranked(&fill(&straight));
            while !expected.is_empty() {
                prop_assert_eq!(&ranked(&rib), &expected);
                let usable = rib.candidates(target, 1)[0].standing == Standing::Best;
                let best = rib.best(target).map(|path| path.source.0);
                prop_assert_eq!(best, usable.then_some(expected[0]));
                rib.forget(SourceId(expected.remove(0)), target);
            }
            prop_assert!(rib.is_empty());
        }
    }
}

mod table {
    use super::*;

    fn two_neighbors() -> Rib {
        let mut rib = rib();
        rib.add_source(SourceId(1), Source::neighbor(true, id("10.0.0.1"), ip("192.0.2.11")));
        rib.add_source(SourceId(2), Source::neighbor(true, id("10.0.0.2"), ip("192.0.2.12")));
        rib
    }

    #[test]
    fn only_what_changes_something_is_a_change_and_the_first_comes_first() {
        let mut rib = two_neighbors();
        for text in ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "10.2.0.0/16"] {
            learn(&mut rib, 1, text, set("192.0.2.11", &[64500]));
        }
        let first: Vec<String> = rib.take_changes(2).iter().map(Prefix::to_string).collect();
        assert_eq!(first, ["10.0.0.0/8", "10.1.0.0/16"]);
        assert!(rib.has_changes());
        let rest: Vec<String> = rib.take_changes(9).iter().map(Prefix::to_string).collect();
        assert_eq!(rest, ["2001:db8::/32", "10.2.0.0/16"]);
        // The same again, also as another allocation, and what is not there.
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        rib.learn(SourceId(1), prefix("10.0.0.0/8"), Arc::new(set("192.0.2.11", &[64500])));
        rib.forget(SourceId(2), prefix("10.0.0.0/8"));
        rib.forget(SourceId(1), prefix("172.16.0.0/12"));
        rib.clear(SourceId(2));
        assert!(!rib.has_changes());
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500, 64501]));
        assert_eq!(changes(&mut rib), ["10.0.0.0/8"]);
        rib.forget(SourceId(1), prefix("10.1.0.0/16"));
        assert_eq!(changes(&mut rib), ["10.1.0.0/16"]);
        assert_eq!(rib.count(SourceId(1), Family::Ipv4), 2);
        assert_eq!(rib.count(SourceId(1), Family::Ipv6), 1);
        assert_eq!(rib.len(Family::Ipv4), 2);
        // A source nobody added.
        rib.learn(SourceId(9), prefix("10.9.0.0/16"), Arc::new(set("192.0.2.11", &[])));
        assert!(!rib.has_changes());
    }

    #[test]
    fn losing_a_neighbor_takes_its_paths_only() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        learn(&mut rib, 2, "10.0.0.0/8", set("192.0.2.12", &[64501, 64502]));
        learn(&mut rib, 1, "10.1.0.0/16", set("192.0.2.11", &[64500]));
        learn(&mut rib, 2, "10.2.0.0/16", set("192.0.2.12", &[64501]));
        changes(&mut rib);
        rib.remove_source(SourceId(1));
        assert_eq!(changes(&mut rib), ["10.0.0.0/8", "10.1.0.0/16"]);
        assert_eq!(rib.best(prefix("10.0.0.0/8")).unwrap().source, SourceId(2));
        assert!(rib.best(prefix("10.1.0.0/16")).is_none());
        assert_eq!(rib.page(None, 9), [prefix("10.0.0.0/8"), prefix("10.2.0.0/16")]);
        assert_eq!(rib.count(SourceId(1), Family::Ipv4), 0);
    }

    #[test]
    fn stale_paths_stay_in_use_until_swept() {
        let mut rib = two_neighbors();
        for text in ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"] {
            learn(&mut rib, 1, text, set("192.0.2.11", &[64500]));
        }
        changes(&mut rib);
        rib.mark_stale(SourceId(1), Family::Ipv4);
        let stale = |rib: &Rib, text: &str| rib.best(prefix(text)).map(|path| path.stale);
        assert_eq!(stale(&rib, "10.0.0.0/8"), Some(true));
        assert_eq!(stale(&rib, "2001:db8::/32"), Some(false));
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        assert_eq!(stale(&rib, "10.0.0.0/8"), Some(false));
        assert!(!rib.has_changes(), "staleness is no change of the route");
        assert_eq!(rib.sweep_stale(SourceId(1), Family::Ipv6), 0);
        assert_eq!(rib.sweep_stale(SourceId(1), Family::Ipv4), 1);
        assert_eq!(changes(&mut rib), ["10.1.0.0/16"]);
        assert_eq!(rib.count(SourceId(1), Family::Ipv4), 1);
        assert_eq!(rib.sweep_stale(SourceId(1), Family::Ipv4), 0);
    }

    #[test]
    fn a_lost_table_is_gone_at_once_and_taken_in_portions() {
        let mut rib = two_neighbors();
        for n in 0..1000 {
            for source in [1, 2] {
                let text = format!("10.{}.{}.0/24", n / 256, n % 256);
                learn(&mut rib, source, &text, set(&format!("192.0.2.1{source}"), &[64500]));
            }
        }
        rib.take_changes(usize::MAX);
        rib.clear(SourceId(1));
        assert_eq!(rib.count(SourceId(1), Family::Ipv4), 0);
        let from = |rib: &Rib, text: &str| rib.best(prefix(text)).map(|path| path.source.0);
        assert_eq!(from(&rib, "10.3.200.0/24"), Some(2), "nobody sees its paths");
        assert_eq!(rib.take_changes(10).len(), 10);
        // It comes back in the middle, and what it says again stays.
        learn(&mut rib, 1, "10.3.200.0/24", set("192.0.2.11", &[64500]));
        let mut portions = 0;
        while rib.has_changes() {
            assert!(rib.take_changes(100).len() <= 100);
            portions += 1;
        }
        assert!((10..14).contains(&portions), "{portions}");
        assert_eq!(from(&rib, "10.3.200.0/24"), Some(1));
        // Lost once more, and before that was gone through, the other as well.
        rib.clear(SourceId(1));
        rib.take_changes(10);
        rib.remove_source(SourceId(2));
        while rib.has_changes() {
            rib.take_changes(100);
        }
        assert!(rib.is_empty());
    }

    #[test]
    fn a_network_that_comes_or_goes_touches_the_prefixes_behind_it() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        learn(&mut rib, 2, "10.1.0.0/16", set("203.0.113.5", &[64501]));
        changes(&mut rib);
        let near = (prefix("192.0.2.0/24"), 7);
        let far = (prefix("203.0.113.0/24"), 8);
        rib.set_connected(Connected::new([near, far], [ip("192.0.2.1")]));
        assert_eq!(changes(&mut rib), ["10.1.0.0/16"]);
        assert_eq!(rib.hops(prefix("10.1.0.0/16"), 8)[0].interface, 8);
        rib.set_connected(Connected::new([near, far], [ip("192.0.2.1"), ip("192.0.2.9")]));
        assert!(!rib.has_changes());
        rib.set_connected(Connected::new([far], []));
        assert_eq!(changes(&mut rib), ["10.0.0.0/8"]);
        assert!(rib.best(prefix("10.0.0.0/8")).is_none());
    }

    #[test]
    fn an_address_is_matched_by_the_longest_usable_prefix() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, "0.0.0.0/0", set("192.0.2.11", &[64500]));
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        learn(&mut rib, 2, "10.1.0.0/16", set("203.0.113.5", &[64501]));
        let found = |text: &str| rib.longest_match(ip(text)).map(|prefix| prefix.to_string());
        assert_eq!(found("10.1.2.3").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(found("172.16.0.1").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(found("2001:db8::1"), None);
    }

    #[test]
    fn unused_attribute_sets_do_not_pile_up() {
        let mut rib = two_neighbors();
        for med in 0..100_000 {
            let mut attributes = set("192.0.2.11", &[64500]);
            attributes.med = Some(med);
            learn(&mut rib, 1, "10.0.0.0/8", attributes);
        }
        assert!(rib.attribute_sets() <= 2048, "{}", rib.attribute_sets());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Learn {
            source: u32,
            prefix: usize,
            med: u32,
            eligible: bool,
        },
        /// Eligible is what has no lower MED.
        Judge {
            prefix: usize,
            least: u32,
        },
        Forget {
            source: u32,
            prefix: usize,
        },
        Clear {
            source: u32,
        },
        MarkStale {
            source: u32,
        },
        SweepStale {
            source: u32,
        },
        Follow {
            limit: usize,
        },
    }

    /// The MED and the source of the best path.
    fn best(rib: &Rib, prefix: Prefix) -> Option<(u32, u32)> {
        rib.best(prefix).map(|path| (path.attributes.med.unwrap(), path.source.0))
    }

    fn any_op() -> impl Strategy<Value = Op> {
        let source = 1..4u32;
        let target = 0..6usize;
        prop_oneof![
            6 => (source.clone(), target.clone(), 0..3u32, proptest::bool::weighted(0.7)).prop_map(
                |(source, prefix, med, eligible)| Op::Learn { source, prefix, med, eligible }
            ),
            2 => (target.clone(), 0..3u32).prop_map(|(prefix, least)| Op::Judge { prefix, least }),
            3 => (source.clone(), target).prop_map(|(source, prefix)| Op::Forget { source, prefix }),
            1 => source.clone().prop_map(|source| Op::Clear { source }),
            1 => source.clone().prop_map(|source| Op::MarkStale { source }),
            1 => source.prop_map(|source| Op::SweepStale { source }),
            4 => (0..3usize).prop_map(|limit| Op::Follow { limit }),
        ]
    }

    proptest! {
        /// Against a naive model: what is best, what counts, and no change is missed by who takes them in portions.
        #[test]
        fn the_table_agrees_with_a_naive_model(ops in proptest::collection::vec(any_op(), 0..60)) {
            let prefixes: Vec<Prefix> = ["10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/0",
                "198.51.100.7/32", "198.51.100.0/24"].iter().map(|text| prefix(text)).collect();
            let mut rib = rib();
            for source in 1..4u32 {
                let address = ip(&format!("192.0.2.{}", 10 + source));
                let facts = Source::neighbor(true, id(&format!("10.0.0.{source}")), address);
                rib.add_source(SourceId(source), facts);
            }
            // (prefix, source) to (MED, stale, eligible)
            let mut model: BTreeMap<(Prefix, u32), (u32, bool, bool)> = BTreeMap::new();
            // What somebody who follows the changes believes is best.
            let mut followed: BTreeMap<Prefix, Option<(u32, u32)>> = BTreeMap::new();
            for op in ops {
                match op {
                    Op::Learn { source, prefix, med, eligible } => {
                        let mut attributes = set(&format!("192.0.2.{}", 10 + source), &[64500]);
                        attributes.med = Some(med);
                        let attributes = rib.intern(attributes);
                        let id = SourceId(source);
                        rib.learn_if(eligible, id, prefixes[prefix], attributes);
                        model.insert((prefixes[prefix], source), (med, false, eligible));
                    }
                    Op::Judge { prefix, least } => {
                        rib.judge(prefixes[prefix], |_, set, _| set.med >= Some(least));
                        for ((of, _), (med, _, eligible)) in &mut model {
                            if *of == prefixes[prefix] {
                                *eligible = *med >= least;
                            }
                        }
                    }
                    Op::Forget { source, prefix } => {
                        rib.forget(SourceId(source), prefixes[prefix]);
                        model.remove(&(prefixes[prefix], source));
                    }
                    Op::Clear { source } => {
                        rib.clear(SourceId(source));
                        model.retain(|(_, from), _| *from != source);
                    }
                    Op::MarkStale { source } => {
                        rib.mark_stale(SourceId(source), Family::Ipv4);
                        for ((_, from), (_, stale, _)) in &mut model {
                            *stale |= *from == source;
                        }
                    }
                    Op::SweepStale { source } => {
                        let before = model.len();
                        model.retain(|(_, from), (_, stale, _)| !(*from == source && *stale));
                        let swept = rib.sweep_stale(SourceId(source), Family::Ipv4);
                        prop_assert_eq!(swept, before - model.len());
                    }
                    Op::Follow { limit } => {
                        let taken = rib.take_changes(limit);
                        prop_assert!(taken.len() <= limit);
                        for prefix in taken {
                            followed.insert(prefix, best(&rib, prefix));
                        }
                    }
                }
                for prefix in &prefixes {
                    let expected = model
                        .iter()
                        .filter(|((of, _), (_, _, eligible))| of == prefix && *eligible)
                        .map(|((_, source), (med, _, _))| (*med, *source))
                        .min();
                    prop_assert_eq!(best(&rib, *prefix), expected);
                    if !rib.has_changes() {
                        prop_assert_eq!(followed.get(prefix).copied().flatten(), expected);
                    }
                    for candidate in rib.candidates(*prefix, 1) {
                        let Route::Bgp(path) = candidate.route else { panic!("nothing of the IGP") };
                        let (_, stale, eligible) = model[&(*prefix, path.source.0)];
                        prop_assert_eq!((path.stale, path.hop.is_ok()), (stale, eligible));
                    }
                }
                for source in 1..4u32 {
                    let count = model.keys().filter(|(_, from)| *from == source).count();
                    prop_assert_eq!(rib.count(SourceId(source), Family::Ipv4), count);
                    let of = |((_, from), (_, _, eligible)): &(&(Prefix, u32), &(u32, bool, bool))| {
                        *from == source && !*eligible
                    };
                    let ineligible = rib.count_ineligible(SourceId(source), Family::Ipv4);
                    prop_assert_eq!(ineligible, model.iter().filter(of).count());
                }
            }
            while rib.has_changes() {
                for prefix in rib.take_changes(2) {
                    followed.insert(prefix, best(&rib, prefix));
                }
            }
            for prefix in &prefixes {
                prop_assert_eq!(followed.get(prefix).copied().flatten(), best(&rib, *prefix));
            }
            let prefixes: std::collections::BTreeSet<Prefix> =
                model.keys().map(|(prefix, _)| *prefix).collect();
            prop_assert_eq!(rib.len(Family::Ipv4), prefixes.len(), "what is gone takes no room");
        }
    }
}

mod importing {
    use super::*;

    fn session(external: bool, role: Option<Role>) -> Session {
        Session {
            kind: if external { SourceKind::Ebgp } else { SourceKind::Ibgp },
            own_asn: Asn(64512),
            remote_asn: if external { Asn(64500) } else { Asn(64512) },
            own_router_id: id("10.0.0.1"),
            role,
        }
    }

    #[test]
    fn paths_that_must_not_be_taken_say_why() {
        let mut own_in_set = set("192.0.2.11", &[64500]);
        own_in_set.as_path = AsPath(Box::new([
            Segment::Sequence(Box::new([Asn(64500)])),
            Segment::Set(Box::new([Asn(64499), Asn(64512)])),
        ]));
        let mut begins_with_set = set("192.0.2.11", &[]);
        begins_with_set.as_path = AsPath(Box::new([Segment::Set(Box::new([Asn(64500)]))]));
        let mut reflected = set("192.0.2.11", &[]);
        reflected.originator_id = Some(id("10.0.0.1"));
        let rows: Vec<(Attributes, bool, &str)> = vec![
            (set("192.0.2.11", &[64500, 64512]), true, "AS_PATH holds our own AS 64512"),
            (set("192.0.2.11", &[64500, 64512]), false, "AS_PATH holds our own AS 64512"),
            (own_in_set, true, "AS_PATH holds our own AS 64512"),
            (
                set("192.0.2.11", &[64501, 64500]),
                true,
                "AS_PATH begins with 64501, not with the neighbour's AS 64500",
            ),
            (set("192.0.2.11", &[]), true, "AS_PATH does not begin with the neighbour's AS 64500"),
            (begins_with_set, true, "AS_PATH does not begin with the neighbour's AS 64500"),
            (reflected, false, "ORIGINATOR_ID 10.0.0.1 is our own router id"),
        ];
        for (attributes, external, why) in rows {
            let rejected = import(attributes, &session(external, None)).unwrap_err();
            assert_eq!(rejected.to_string(), why);
        }
    }

    #[test]
    fn what_belongs_to_one_as_is_dropped_from_ebgp_and_kept_from_ibgp() {
        let mut attributes = set("192.0.2.11", &[64500]);
        attributes.local_pref = Some(400);
        attributes.originator_id = Some(id("10.0.0.7"));
        attributes.cluster_list = Box::new([1, 2]);
        attributes.med = Some(3);
        let external = import(attributes.clone(), &session(true, None)).unwrap();
        let mut expected = set("192.0.2.11", &[64500]);
        expected.med = Some(3);
        assert_eq!(external, expected);
        assert_eq!(import(attributes.clone(), &session(false, None)).unwrap(), attributes);
    }

    #[test]
    fn graceful_shutdown_from_ebgp_is_the_last_choice() {
        let mut attributes = set("192.0.2.11", &[64500]);
        attributes.communities = Box::new([Community::GRACEFUL_SHUTDOWN]);
        attributes.local_pref = Some(400);
        let external = import(attributes.clone(), &session(true, None)).unwrap();
        assert_eq!(external.local_pref, Some(0));
        assert_eq!(external.communities, attributes.communities);
        let internal = import(attributes, &session(false, None)).unwrap();
        assert_eq!(internal.local_pref, Some(400));
    }

    #[test]
    fn a_route_server_is_not_in_the_path() {
        let session = session(true, Some(Role::RouteServerClient));
        assert!(import(set("192.0.2.11", &[64501]), &session).is_ok());
    }

    #[test]
    fn only_to_customer_follows_the_ingress_procedure() {
        let leak = |sender, marked| Err(Rejected::Leak { sender, marked: Asn(marked) });
        let (mine, theirs, other) = (Asn(64512), Asn(64500), Asn(64599));
        // Our role, the mark received, the mark stored.
        type Row = (Option<Role>, Option<Asn>, Result<Option<Asn>, Rejected>);
        let rows: [Row; 16] = [
            (Some(Role::Provider), None, Ok(None)),
            (Some(Role::Provider), Some(other), leak("customer", 64599)),
            (Some(Role::Provider), Some(theirs), leak("customer", 64500)),
            (Some(Role::RouteServer), None, Ok(None)),
            (Some(Role::RouteServer), Some(theirs), leak("route server client", 64500)),
            (Some(Role::Peer), None, Ok(Some(theirs))),
            (Some(Role::Peer), Some(theirs), Ok(Some(theirs))),
            (Some(Role::Peer), Some(other), leak("peer", 64599)),
            (Some(Role::Peer), Some(mine), leak("peer", 64512)),
            (Some(Role::Customer), None, Ok(Some(theirs))),
            (Some(Role::Customer), Some(other), Ok(Some(other))),
            (Some(Role::RouteServerClient), None, Ok(Some(theirs))),
            (Some(Role::RouteServerClient), Some(other), Ok(Some(other))),
            (None, None, Ok(None)),
            (None, Some(other), Ok(Some(other))),
            (Some(Role::Unknown(9)), Some(other), Ok(Some(other))),
        ];
        for (role, received, stored) in rows {
            let mut attributes = set("192.0.2.11", &[64500]);
            attributes.only_to_customer = received;
            let result = import(attributes.clone(), &session(true, role));
            assert_eq!(result.map(|set| set.only_to_customer), stored, "{role:?} {received:?}");
            let internal = import(attributes, &session(false, role)).unwrap();
            assert_eq!(internal.only_to_customer, received, "iBGP has no roles");
        }
        assert_eq!(
            Rejected::Leak { sender: "peer", marked: other }.to_string(),
            "route leak: a peer sent a route that AS 64599 marked only-to-customer"
        );
    }

    #[test]
    fn policies_look_at_the_prefix_only() {
        let rows = [
            (Policy::None, [false; 3]),
            (Policy::DefaultOnly, [true, true, false]),
            (Policy::All, [true; 3]),
        ];
        for (policy, accepted) in rows {
            let prefixes = ["0.0.0.0/0", "::/0", "10.0.0.0/8"];
            assert_eq!(prefixes.map(|text| policy.accepts(prefix(text))), accepted);
        }
    }
}

mod exporting {
    use super::*;

    fn neighbor(external: bool, role: Option<Role>) -> Neighbor {
        Neighbor {
            id: SourceId(5),
            kind: if external { SourceKind::Ebgp } else { SourceKind::Ibgp },
            own_asn: Asn(64512),
            role,
        }
    }

    fn learned() -> Attributes {
        let mut attributes = set("192.0.2.11", &[64500, 64501]);
        attributes.med = Some(7);
        attributes.communities = Box::new([Community(0x1234_5678)]);
        attributes.extended_communities = Box::new([
            ExtendedCommunity([0x00, 2, 0, 0, 0, 0, 0, 1]),
            ExtendedCommunity([0x40, 2, 0, 0, 0, 0, 0, 1]),
        ]);
        attributes.large_communities =
            Box::new([LargeCommunity { global: 1, local1: 2, local2: 3 }]);
        attributes
    }

    fn pass(
        attributes: &Attributes,
        from: SourceKind,
        to: &Neighbor,
    ) -> Result<Attributes, Withheld> {
        match withheld(attributes, SourceId(1), from, to) {
            None => Ok(export(attributes, to, hop("192.0.2.1"))),
            Some(why) => Err(why),
        }
    }

    #[test]
    fn to_ebgp_our_as_goes_in_front_and_what_is_ours_stays() {
        let mut attributes = learned();
        attributes.local_pref = Some(300);
        attributes.originator_id = Some(id("10.0.0.9"));
        attributes.cluster_list = Box::new([1]);
        let mut expected = learned();
        expected.next_hop = hop("192.0.2.1");
        expected.as_path = AsPath::sequence([64512, 64500, 64501].map(Asn));
        expected.med = None;
        expected.extended_communities = Box::new([ExtendedCommunity([0x00, 2, 0, 0, 0, 0, 0, 1])]);
        for from in [SourceKind::Ebgp, SourceKind::Ibgp] {
            assert_eq!(pass(&attributes, from, &neighbor(true, None)).as_ref(), Ok(&expected));
        }
    }

    #[test]
    fn to_ibgp_the_path_stays_and_local_pref_is_always_there() {
        let mut expected = learned();
        expected.next_hop = hop("192.0.2.1");
        expected.local_pref = Some(100);
        assert_eq!(pass(&learned(), SourceKind::Ebgp, &neighbor(false, None)), Ok(expected));
        let mut leaving = learned();
        leaving.local_pref = Some(0);
        let passed = pass(&leaving, SourceKind::Ebgp, &neighbor(false, None)).unwrap();
        assert_eq!(passed.local_pref, Some(0));
    }

    #[test]
    fn what_is_not_passed_on_says_why() {
        let says = |community: u32| {
            let mut attributes = learned();
            attributes.communities = Box::new([Community(1), Community(community)]);
            attributes
        };
        let (external, internal) = (neighbor(true, None), neighbor(false, None));
        let (ebgp, ibgp) = (SourceKind::Ebgp, SourceKind::Ibgp);
        let rows = [
            (learned(), ibgp, internal, Some("learned by iBGP, not passed on to iBGP")),
            (learned(), ebgp, internal, None),
            (says(0xffff_ff02), ebgp, external, Some("community NO_ADVERTISE")),
            (says(0xffff_ff02), ebgp, internal, Some("community NO_ADVERTISE")),
            (says(0xffff_ff01), ebgp, external, Some("community NO_EXPORT")),
            (says(0xffff_ff01), ebgp, internal, None),
            (says(0xffff_ff03), ebgp, external, Some("community NO_EXPORT")),
            (says(0xffff_ff03), ebgp, internal, None),
        ];
        for (attributes, from, to, why) in rows {
            let withheld = pass(&attributes, from, &to).err().map(|withheld| withheld.to_string());
            assert_eq!(withheld.as_deref(), why);
        }
        let back = withheld(&learned(), SourceId(5), ebgp, &external);
        assert_eq!(back, Some(Withheld::FromNeighbor));
    }

    #[test]
    fn only_to_customer_follows_the_egress_procedure() {
        let (mine, other) = (Asn(64512), Asn(64599));
        let held = || Err(Withheld::OnlyToCustomer { marked: Asn(64599) });
        // Our role, the mark the route has, the mark it is sent with.
        type Row = (Option<Role>, Option<Asn>, Result<Option<Asn>, Withheld>);
        let rows: [Row; 12] = [
            (Some(Role::Provider), None, Ok(Some(mine))),
            (Some(Role::Provider), Some(other), Ok(Some(other))),
            (Some(Role::RouteServer), None, Ok(Some(mine))),
            (Some(Role::RouteServer), Some(other), Ok(Some(other))),
            (Some(Role::Peer), None, Ok(Some(mine))),
            (Some(Role::Peer), Some(other), held()),
            (Some(Role::Customer), None, Ok(None)),
            (Some(Role::Customer), Some(other), held()),
            (Some(Role::RouteServerClient), None, Ok(None)),
            (Some(Role::RouteServerClient), Some(other), held()),
            (None, None, Ok(None)),
            (None, Some(other), Ok(Some(other))),
        ];
        for (role, has, sent) in rows {
            let mut attributes = learned();
            attributes.only_to_customer = has;
            let passed = pass(&attributes, SourceKind::Ebgp, &neighbor(true, role));
            assert_eq!(passed.map(|set| set.only_to_customer), sent, "{role:?} {has:?}");
            let internal = pass(&attributes, SourceKind::Ebgp, &neighbor(false, role)).unwrap();
            assert_eq!(internal.only_to_customer, has, "iBGP has no roles");
            if has.is_none() {
                let own =
                    originate(&Originated::default(), &neighbor(true, role), hop("192.0.2.1"));
                assert_eq!(Ok(own.only_to_customer), sent, "{role:?} own");
            }
        }
    }

    #[test]
    fn our_own_announcement_says_what_the_mapping_said() {
        let mapped = Originated {
            med: Some(55),
            prepend: 2,
            local_pref: Some(200),
            communities: Box::new([Community::GRACEFUL_SHUTDOWN]),
            large_communities: Box::new([LargeCommunity { global: 64512, local1: 1, local2: 2 }]),
        };
        let mut expected = Attributes::originated(hop("2001:db8::1"));
        expected.med = Some(55);
        expected.communities = mapped.communities.clone();
        expected.large_communities = mapped.large_communities.clone();
        let mut external = expected.clone();
        external.as_path = AsPath::sequence([Asn(64512); 3]);
        assert_eq!(originate(&mapped, &neighbor(true, None), hop("2001:db8::1")), external);
        expected.local_pref = Some(200);
        assert_eq!(originate(&mapped, &neighbor(false, None), hop("2001:db8::1")), expected);
        let plain = Originated::default();
        let internal = originate(&plain, &neighbor(false, None), hop("192.0.2.1"));
        assert_eq!((internal.local_pref, internal.as_path.length()), (Some(100), 0));
        let external = originate(&plain, &neighbor(true, None), hop("192.0.2.1"));
        assert_eq!((external.local_pref, external.as_path.length()), (None, 1));
    }
}

mod sending {
    use super::*;

    /// The first is made for the neighbour, the others are passed on.
    fn sets(count: u32) -> Vec<Told> {
        (0..count)
            .map(|med| {
                let mut attributes = set("192.0.2.1", &[64512]);
                attributes.med = Some(med);
                match med {
                    0 => Told::Made(Arc::new(attributes)),
                    _ => Told::Passed(Arc::new(attributes)),
                }
            })
            .collect()
    }

    fn announced(batch: &Batch) -> Vec<(u32, Vec<String>)> {
        batch
            .announced
            .iter()
            .map(|(told, prefixes)| {
                let (Told::Made(set) | Told::Passed(set)) = told;
                (set.med.unwrap(), prefixes.iter().map(Prefix::to_string).collect())
            })
            .collect()
    }

    #[test]
    fn routes_are_packed_by_set_in_the_order_the_sets_came() {
        let sets = sets(3);
        let mut out = AdjRibOut::new();
        for (at, text) in
            [(2, "10.9.0.0/16"), (1, "10.1.0.0/16"), (2, "10.3.0.0/16"), (2, "2001:db8::/32")]
        {
            out.set(prefix(text), Some(sets[at].clone()), Urgency::Bulk);
        }
        let batch = out.drain(100);
        assert_eq!(
            announced(&batch),
            [
                (2, vec!["10.9.0.0/16".to_owned(), "10.3.0.0/16".to_owned()]),
                (2, vec!["2001:db8::/32".to_owned()]),
                (1, vec!["10.1.0.0/16".to_owned()]),
            ]
        );
        assert!(out.drain(100).is_empty());
        out.set(prefix("10.9.0.0/16"), None, Urgency::Bulk);
        out.set(prefix("10.1.0.0/16"), Some(sets[0].clone()), Urgency::Bulk);
        let batch = out.drain(100);
        assert_eq!(batch.withdrawn, [prefix("10.9.0.0/16")]);
        assert_eq!(announced(&batch), [(0, vec!["10.1.0.0/16".to_owned()])]);
    }

    #[test]
    fn what_cancels_out_is_never_sent() {
        let sets = sets(2);
        let target = prefix("198.51.100.0/24");
        let set = |out: &mut AdjRibOut, at: Option<usize>| {
            out.set(target, at.map(|at| sets[at].clone()), Urgency::Own);
        };
        let mut out = AdjRibOut::new();
        set(&mut out, Some(0));
        set(&mut out, None);
        assert!(out.drain(9).is_empty(), "nothing to nothing");
        set(&mut out, Some(0));
        assert_eq!(out.sent(target), None);
        assert!(out.is_pending(target));
        assert!(!out.drain(9).is_empty());
        assert_eq!(out.sent(target).as_ref(), Some(&sets[0]));
        set(&mut out, Some(0));
        assert!(out.drain(9).is_empty(), "the same again");
        set(&mut out, Some(1));
        set(&mut out, Some(0));
        assert!(out.drain(9).is_empty(), "A, B, A");
        set(&mut out, None);
        set(&mut out, Some(0));
        assert!(out.drain(9).is_empty(), "A, none, A");
    }

    #[test]
    fn our_own_announcements_overtake() {
        let sets = sets(2);
        let mut out = AdjRibOut::new();
        for last in 0..200 {
            let bulk = prefix(&format!("10.0.{last}.0/24"));
            out.set(bulk, Some(sets[0].clone()), Urgency::Bulk);
        }
        out.drain(50);
        out.set(prefix("198.51.100.0/24"), Some(sets[1].clone()), Urgency::Own);
        let batch = out.drain(1);
        assert_eq!(announced(&batch), [(1, vec!["198.51.100.0/24".to_owned()])]);
        assert_eq!(out.pending(), 150);
    }

    #[test]
    fn a_route_refresh_sends_one_family_again_and_still_knows_what_to_withdraw() {
        let sets = sets(2);
        let mut out = AdjRibOut::new();
        for text in ["10.1.0.0/16", "10.2.0.0/16", "2001:db8::/32"] {
            out.set(prefix(text), Some(sets[0].clone()), Urgency::Bulk);
        }
        out.drain(100);
        out.resend(Family::Ipv4);
        // Back to the same before it is sent: it was asked for, so it goes out.
        out.set(prefix("10.1.0.0/16"), Some(sets[1].clone()), Urgency::Bulk);
        out.set(prefix("10.1.0.0/16"), Some(sets[0].clone()), Urgency::Bulk);
        // Gone before it is sent: the neighbour has it.
        out.set(prefix("10.2.0.0/16"), None, Urgency::Bulk);
        let batch = out.drain(100);
        assert_eq!(batch.withdrawn, [prefix("10.2.0.0/16")]);
        assert_eq!(announced(&batch), [(0, vec!["10.1.0.0/16".to_owned()])]);
        out.clear();
        out.resend(Family::Ipv6);
        assert!(out.drain(100).is_empty() && out.is_empty());
    }

    #[test]
    fn a_large_refresh_goes_in_portions_and_misses_nothing() {
        let sets = sets(2);
        let mut out = AdjRibOut::new();
        for n in 0..40_000u32 {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + (n << 4));
            let prefix = Prefix::new(address.into(), 28).unwrap();
            out.set(prefix, Some(sets[0].clone()), Urgency::Bulk);
        }
        out.set(prefix("2001:db8::/32"), Some(sets[0].clone()), Urgency::Bulk);
        out.drain(usize::MAX);
        assert!(out.is_settled());
        out.resend(Family::Ipv4);
        out.resend(Family::Ipv6);
        let (mut sent, mut most) = (std::collections::BTreeSet::new(), 0);
        while !out.is_settled() {
            for (_, prefixes) in out.drain(1000).announced {
                sent.extend(prefixes);
            }
            most = most.max(out.pending());
        }
        assert_eq!(sent.len(), 40_001);
        assert!(most < 20_000, "{most} queued at once");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set { prefix: usize, set: Option<usize>, own: bool },
        Drain { limit: usize },
        Resend,
        Clear,
    }

    fn any_op() -> impl Strategy<Value = Op> {
        prop_oneof![
            12 => (0..8usize, proptest::option::of(0..3usize), any::<bool>())
                .prop_map(|(prefix, set, own)| Op::Set { prefix, set, own }),
            4 => (0..6usize).prop_map(|limit| Op::Drain { limit }),
            1 => Just(Op::Resend),
            1 => Just(Op::Clear),
        ]
    }

    proptest! {
        /// A neighbour that applies every batch ends with what was set, and never gets what it has, but for a refresh.
        #[test]
        fn the_neighbor_ends_with_what_was_set(ops in proptest::collection::vec(any_op(), 0..80)) {
            let sets = sets(3);
            let prefixes: Vec<Prefix> = (0..4)
                .flat_map(|n| [prefix(&format!("10.{n}.0.0/16")), prefix(&format!("2001:db8:{n}::/48"))])
                .collect();
            let mut out = AdjRibOut::new();
            let mut wanted: BTreeMap<Prefix, Told> = BTreeMap::new();
            let mut neighbor: BTreeMap<Prefix, Told> = BTreeMap::new();
            let mut asked: Vec<Prefix> = Vec::new();
            let mut refreshing = false;
            let mut ops = ops;
            ops.push(Op::Drain { limit: 1000 });
            for op in ops {
                match op {
                    Op::Set { prefix, set, own } => {
                        let attributes = set.map(|at| sets[at].clone());
                        match &attributes {
                            Some(set) => wanted.insert(prefixes[prefix], set.clone()),
                            None => wanted.remove(&prefixes[prefix]),
                        };
                        let urgency = if own { Urgency::Own } else { Urgency::Bulk };
                        out.set(prefixes[prefix], attributes, urgency);
                    }
                    Op::Drain { limit } => {
                        let batch = out.drain(limit);
                        let settled = out.is_settled();
                        let mut size = batch.withdrawn.len();
                        for prefix in batch.withdrawn {
                            prop_assert!(neighbor.remove(&prefix).is_some(), "had no {prefix}");
                        }
                        for (set, prefixes) in batch.announced {
                            size += prefixes.len();
                            prop_assert!(prefixes.iter().all(|p| p.family() == prefixes[0].family()));
                            for prefix in prefixes {
                                let old = neighbor.insert(prefix, set.clone());
                                let repeated = old.as_ref() == Some(&set);
                                prop_assert!(!repeated || refreshing);
                                asked.retain(|other| *other != prefix);
                            }
                        }
                        prop_assert!(size <= limit);
                        refreshing &= !settled;
                    }
                    Op::Resend => {
                        out.resend(Family::Ipv4);
                        refreshing = true;
                        asked.extend(neighbor.keys().filter(|p| p.family() == Family::Ipv4));
                    }
                    Op::Clear => {
                        out.clear();
                        (wanted, neighbor, asked) = Default::default();
                        refreshing = false;
                    }
                }
                for prefix in &prefixes {
                    prop_assert_eq!(out.wanted(*prefix), wanted.get(prefix).cloned());
                    prop_assert_eq!(out.sent(*prefix), neighbor.get(prefix).cloned());
                    if neighbor.get(prefix) != wanted.get(prefix) {
                        prop_assert!(out.is_pending(*prefix));
                    }
                }
            }
            prop_assert!(!asked.iter().any(|prefix| neighbor.contains_key(prefix)), "not sent again");
            prop_assert_eq!(neighbor, wanted);
            prop_assert!(out.is_settled());
        }
    }
}

mod igp {
    use super::*;

    const TARGET: &str = "198.51.100.0/24";

    /// An eBGP neighbour 1 and an iBGP neighbour 2.
    fn two_neighbors() -> Rib {
        let mut rib = rib();
        rib.add_source(SourceId(1), Source::neighbor(true, id("10.0.0.1"), ip("192.0.2.11")));
        rib.add_source(SourceId(2), Source::neighbor(false, id("10.0.0.2"), ip("192.0.2.12")));
        rib
    }

    /// `best` for the one in use, else why it is not.
    fn standings(rib: &Rib) -> Vec<(SourceId, String)> {
        let text = |standing| match standing {
            Standing::Best => "best".to_owned(),
            Standing::Multipath => "multipath".to_owned(),
            Standing::Lost { reason, against } => format!("{reason}, against {}", against.0),
            Standing::Unusable(why) => why.to_string(),
        };
        let candidates = rib.candidates(prefix(TARGET), 8);
        candidates.iter().map(|c| (c.route.source(), text(c.standing))).collect()
    }

    fn is(source: SourceId, text: &str) -> (SourceId, String) {
        (source, text.to_owned())
    }

    #[test]
    fn distance_decides_between_the_protocols() {
        let mut rib = two_neighbors();
        rib.set_igp(prefix(TARGET), Some(ospf(10, "192.0.2.77")));
        assert_eq!(changes(&mut rib), [TARGET]);
        assert_eq!(standings(&rib), [is(SourceId::IGP, "best")]);
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.77"]);
        assert!(rib.best(prefix(TARGET)).is_none(), "neighbours hear of BGP only");

        learn(&mut rib, 2, TARGET, set("192.0.2.12", &[64500]));
        let igp = SourceId::IGP.0;
        let lost = format!("higher distance (200, best has 110), against {igp}");
        assert_eq!(standings(&rib), [is(SourceId::IGP, "best"), is(SourceId(2), &lost)]);
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.77"]);

        learn(&mut rib, 1, TARGET, set("192.0.2.11", &[64500]));
        assert_eq!(
            standings(&rib),
            [
                is(SourceId(1), "best"),
                is(SourceId(2), "learned by iBGP, the best one by eBGP, against 1"),
                is(SourceId::IGP, "higher distance (110, best has 20), against 1"),
            ]
        );
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.11"]);

        // BGP's own decision comes first: its winner stands against OSPF, not its best distance.
        let mut strong = set("192.0.2.12", &[64500]);
        strong.local_pref = Some(200);
        learn(&mut rib, 2, TARGET, strong);
        assert_eq!(standings(&rib)[0], is(SourceId::IGP, "best"));
        assert_eq!(rib.best(prefix(TARGET)).unwrap().source, SourceId(2));

        rib.set_own_in_igp(prefix(TARGET), true);
        learn(&mut rib, 0, TARGET, Attributes::originated(hop("0.0.0.0")));
        let own = "learned, and we announce the prefix ourselves, against 0";
        let found = standings(&rib);
        assert_eq!(found[0], is(SourceId::LOCAL, "best"));
        assert_eq!(found[3], is(SourceId::IGP, own));
        assert!(gateways(&rib, TARGET, 8).is_empty());
    }

    #[test]
    fn paths_of_equal_cost_lose_to_the_igp_together() {
        let mut rib = two_neighbors();
        rib.add_source(SourceId(3), Source::neighbor(false, id("10.0.0.3"), ip("192.0.2.13")));
        learn(&mut rib, 2, TARGET, set("192.0.2.12", &[64500]));
        learn(&mut rib, 3, TARGET, set("192.0.2.13", &[64500]));
        assert_eq!(standings(&rib)[1], is(SourceId(3), "multipath"));
        rib.set_igp(prefix(TARGET), Some(ospf(10, "192.0.2.77")));
        let lost: Vec<bool> =
            standings(&rib).iter().map(|(_, text)| text.starts_with("higher distance")).collect();
        assert_eq!(lost, [false, true, true]);
    }

    /// An edge announces a service to its ISPs, and learns by OSPF at which firewall it is. A firewall announces it into
    /// the area as well, and serves what comes.
    #[test]
    fn our_own_announcement_leaves_the_way_to_the_igp_unless_it_is_made_there_too() {
        let mut rib = rib();
        learn(&mut rib, SourceId::LOCAL.0, TARGET, set("0.0.0.0", &[]));
        rib.set_igp(prefix(TARGET), Some(ospf(10, "192.0.2.77")));
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.77"]);
        let igp = SourceId::IGP;
        assert_eq!(standings(&rib)[0], is(igp, "best"));
        assert!(standings(&rib)[1].1.starts_with("announced to BGP neighbors only"));
        assert_eq!(rib.best(prefix(TARGET)).unwrap().source, SourceId::LOCAL);
        changes(&mut rib);

        rib.set_own_in_igp(prefix(TARGET), true);
        assert_eq!(changes(&mut rib), [TARGET]);
        assert!(gateways(&rib, TARGET, 8).is_empty());
        let lost = is(igp, "learned, and we announce the prefix ourselves, against 0");
        assert_eq!(standings(&rib), [is(SourceId::LOCAL, "best"), lost]);
    }

    #[test]
    fn distances_can_be_changed_and_touch_what_both_protocols_have() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, TARGET, set("192.0.2.11", &[64500]));
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        rib.set_igp(prefix(TARGET), Some(ospf(10, "192.0.2.77")));
        rib.set_igp(prefix("10.1.0.0/16"), Some(ospf(10, "192.0.2.77")));
        changes(&mut rib);
        rib.set_distances(Distances::default());
        assert!(!rib.has_changes());
        rib.set_distances(Distances { ospf: 15, ..Distances::default() });
        assert_eq!(changes(&mut rib), [TARGET]);
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.77"]);
        rib.set_distances(Distances { ospf: 20, ..Distances::default() });
        let lost = "same distance, and BGP goes before OSPF, against 1";
        assert_eq!(standings(&rib)[1], is(SourceId::IGP, lost));
    }

    #[test]
    fn an_unusable_path_leaves_the_prefix_to_the_igp() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, TARGET, set("203.0.113.9", &[64500]));
        rib.set_igp(prefix(TARGET), Some(ospf(10, "192.0.2.77")));
        let found = standings(&rib);
        assert_eq!(found[0], is(SourceId::IGP, "best"));
        assert!(found[1].1.contains("no OSPF route"), "{found:?}");
        rib.set_igp(prefix(TARGET), None);
        assert_eq!(standings(&rib).len(), 1);
        assert!(gateways(&rib, TARGET, 8).is_empty());
    }

    #[test]
    fn walks_and_matches_see_the_routes_of_both() {
        let mut rib = two_neighbors();
        for text in ["10.0.0.0/8", "10.2.0.0/16", "2001:db8::/32"] {
            learn(&mut rib, 1, text, set("192.0.2.11", &[64500]));
        }
        for text in ["0.0.0.0/0", "10.1.0.0/16", "10.2.0.0/16", "172.16.0.0/12"] {
            rib.set_igp(prefix(text), Some(ospf(10, "192.0.2.77")));
        }
        let all: Vec<Prefix> = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.2.0.0/16",
            "172.16.0.0/12",
            "2001:db8::/32",
        ]
        .map(prefix)
        .to_vec();
        assert_eq!(rib.page(None, 9), all);
        for (at, after) in all.iter().enumerate() {
            assert_eq!(
                rib.page(Some(*after), 2),
                all[at + 1..].iter().take(2).copied().collect::<Vec<_>>()
            );
        }
        let found = |text: &str| rib.longest_match(ip(text));
        assert_eq!(found("10.1.2.3"), Some(prefix("10.1.0.0/16")));
        assert_eq!(found("10.3.2.1"), Some(prefix("10.0.0.0/8")));
        assert_eq!(found("9.9.9.9"), Some(prefix("0.0.0.0/0")));
        rib.clear_igp();
        assert_eq!(rib.page(None, 9), ["10.0.0.0/8", "10.2.0.0/16", "2001:db8::/32"].map(prefix));
        assert_eq!(changes(&mut rib).len(), 6);
    }

    #[test]
    fn next_hops_resolve_over_the_longest_igp_route_and_follow_it() {
        let mut rib = two_neighbors();
        learn(&mut rib, 2, TARGET, set("10.9.9.9", &[64500]));
        learn(&mut rib, 2, "203.0.113.0/24", set("192.0.2.12", &[64500]));
        assert!(gateways(&rib, TARGET, 8).is_empty());
        changes(&mut rib);

        rib.set_igp(prefix("10.0.0.0/8"), Some(ospf(10, "192.0.2.77")));
        assert_eq!(changes(&mut rib), ["10.0.0.0/8", TARGET]);
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.77"]);

        let mut both = ospf(20, "192.0.2.78");
        both.hops.push(Resolved { gateway: ip("192.0.2.79"), interface: 7 });
        rib.set_igp(prefix("10.9.0.0/16"), Some(both));
        assert_eq!(changes(&mut rib), ["10.9.0.0/16", TARGET]);
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.78", "192.0.2.79"]);
        assert_eq!(gateways(&rib, TARGET, 1), ["192.0.2.78"]);

        // A network of our own links goes before the IGP, whatever its length.
        let near = [(prefix("192.0.2.0/24"), 7), (prefix("10.9.9.0/24"), 8)];
        rib.set_connected(Connected::new(near, []));
        rib.set_igp(prefix("10.9.9.9/32"), Some(ospf(1, "192.0.2.80")));
        assert_eq!(gateways(&rib, TARGET, 8), ["10.9.9.9"]);
        rib.set_connected(Connected::new(near.into_iter().take(1), []));
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.80"]);

        changes(&mut rib);
        for text in ["10.9.9.9/32", "10.9.0.0/16", "10.0.0.0/8"] {
            rib.set_igp(prefix(text), None);
            assert!(changes(&mut rib).contains(&TARGET.to_owned()), "{text}");
        }
        assert!(rib.best(prefix(TARGET)).is_none());
    }

    #[test]
    fn next_hops_resolve_neither_over_the_default_route_nor_over_bgp() {
        let mut rib = two_neighbors();
        learn(&mut rib, 1, "10.0.0.0/8", set("192.0.2.11", &[64500]));
        learn(&mut rib, 2, TARGET, set("10.9.9.9", &[64500]));
        rib.set_igp(prefix("0.0.0.0/0"), Some(ospf(10, "192.0.2.77")));
        assert_eq!(
            standings(&rib)[0].1,
            "next hop 10.9.9.9 is in no connected network and no OSPF route has it"
        );
        // Through itself: the path wins the very prefix that its next hop resolves over, and stays.
        let target = "10.9.0.0/16";
        learn(&mut rib, 1, target, set("10.9.9.9", &[64500]));
        assert!(gateways(&rib, target, 8).is_empty());
        rib.set_igp(prefix(target), Some(ospf(10, "192.0.2.78")));
        assert_eq!(rib.candidates(prefix(target), 8)[0].route.source(), SourceId(1));
        assert_eq!(gateways(&rib, target, 8), ["192.0.2.78"]);
    }

    #[test]
    fn the_nearer_next_hop_wins_and_the_best_follows_the_metric() {
        let mut rib = two_neighbors();
        rib.add_source(SourceId(3), Source::neighbor(false, id("10.0.0.3"), ip("192.0.2.13")));
        rib.set_igp(prefix("10.8.0.0/16"), Some(ospf(10, "192.0.2.78")));
        rib.set_igp(prefix("10.9.0.0/16"), Some(ospf(20, "192.0.2.79")));
        learn(&mut rib, 2, TARGET, set("10.8.0.1", &[64500]));
        learn(&mut rib, 3, TARGET, set("10.9.0.1", &[64500]));
        changes(&mut rib);
        assert_eq!(
            standings(&rib)[1],
            is(SourceId(3), "higher IGP metric (20, best has 10), against 2")
        );

        // Equal cost shares the traffic, over the gateways of both.
        rib.set_igp(prefix("10.9.0.0/16"), Some(ospf(10, "192.0.2.79")));
        assert_eq!(gateways(&rib, TARGET, 8), ["192.0.2.78", "192.0.2.79"]);

        // An external metric of type 2 outweighs any cost.
        let far = IgpRoute { second_metric: 1, metric: 1, ..ospf(0, "192.0.2.78") };
        rib.set_igp(prefix("10.8.0.0/16"), Some(far));
        assert_eq!(changes(&mut rib), ["10.8.0.0/16", "10.9.0.0/16", TARGET]);
        assert_eq!(standings(&rib)[0], is(SourceId(3), "best"));
        assert_eq!(
            standings(&rib)[1],
            is(SourceId(2), "higher IGP metric (1 and 1 to the exit, best has 10), against 3")
        );

        // What says the same of the way there is no change behind it.
        let tagged = IgpRoute { tag: 7, ..ospf(10, "192.0.2.79") };
        rib.set_igp(prefix("10.9.0.0/16"), Some(tagged.clone()));
        assert_eq!(changes(&mut rib), ["10.9.0.0/16"]);
        rib.set_igp(prefix("10.9.0.0/16"), Some(tagged));
        assert!(!rib.has_changes());
        rib.set_igp(prefix("10.7.0.0/16"), None);
        assert!(!rib.has_changes());
    }
}
