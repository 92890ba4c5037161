//! Origin validation, against the words of RFC 6811 §2 applied to a plain list.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use shunt::rpki::{CacheId, Change, Table};
use shunt::types::{Asn, Family, Prefix, Rng, Validity};
use shunt::wire::rtr::{ErrorCode, Vrp};

use super::vrp;

fn cache(place: usize) -> CacheId {
    CacheId::new(place).unwrap()
}

fn state(table: &Table, route: &str) -> Validity {
    let (prefix, origin) = route.split_once(' ').unwrap();
    table.state(prefix.parse().unwrap(), origin.parse().ok().map(Asn))
}

#[test]
fn a_route_is_valid_by_one_vrp_and_invalid_by_others_only() {
    let mut table = Table::default();
    assert_eq!(state(&table, "10.0.0.0/8 1"), Validity::NotFound);
    let vrps = ["10.0.0.0/8-16 1", "10.1.0.0/16 2", "10.9.0.0/16-24 0", "2001:db8::/32 1"];
    table.replace(cache(0), vrps.map(vrp).to_vec());
    for (route, expected) in [
        ("10.0.0.0/8 1", Validity::Valid),
        ("10.0.0.0/8 2", Validity::Invalid),
        ("10.200.0.0/16 1", Validity::Valid),
        // Longer than permitted.
        ("10.200.0.0/17 1", Validity::Invalid),
        ("10.1.0.0/16 1", Validity::Valid),
        ("10.1.0.0/16 2", Validity::Valid),
        ("10.1.0.0/16 3", Validity::Invalid),
        ("10.1.0.0/24 2", Validity::Invalid),
        // AS 0: nobody. But what is said elsewhere counts as well.
        ("10.9.0.0/24 0", Validity::Invalid),
        ("10.9.0.0/16 1", Validity::Valid),
        // It ends with an AS_SET.
        ("10.0.0.0/8 none", Validity::Invalid),
        // Covered by nothing: a VRP for a part of it says nothing.
        ("10.0.0.0/7 1", Validity::NotFound),
        ("11.0.0.0/8 none", Validity::NotFound),
        ("2001:db8::/32 1", Validity::Valid),
        ("2001:db8::/33 1", Validity::Invalid),
        ("::/0 1", Validity::NotFound),
    ] {
        assert_eq!(state(&table, route), expected, "{route}");
    }
    let covering: Vec<String> =
        table.covering("10.1.2.0/24".parse().unwrap()).map(|vrp| vrp.to_string()).collect();
    assert_eq!(covering, ["10.0.0.0/8-16 AS 1", "10.1.0.0/16 AS 2"]);
}

#[test]
fn a_vrp_counts_as_long_as_any_cache_has_it() {
    let mut table = Table::default();
    let (first, second) = (cache(0), cache(CacheId::MOST - 1));
    assert_eq!(CacheId::new(CacheId::MOST), None);
    let changed = table.replace(first, ["10.0.0.0/8 1", "10.0.0.0/8 2"].map(vrp).to_vec());
    assert_eq!(changed.len(), 1);
    // Nothing is new in it.
    assert_eq!(table.replace(second, vec![vrp("10.0.0.0/8 2")]), BTreeSet::new());
    assert_eq!(table.len(Family::Ipv4), 2);
    assert_eq!(table.count(second, Family::Ipv4), 1);
    let changed = table.replace(first, Vec::new());
    assert_eq!(changed, BTreeSet::from(["10.0.0.0/8".parse().unwrap()]));
    assert_eq!(state(&table, "10.0.0.0/8 2"), Validity::Valid);
    assert_eq!(state(&table, "10.0.0.0/8 1"), Validity::Invalid);
    table.replace(second, Vec::new());
    assert!(table.is_empty());
    assert_eq!(state(&table, "10.0.0.0/8 1"), Validity::NotFound);
}

#[test]
fn a_contradiction_is_noticed() {
    let mut table = Table::default();
    let change = |announced, text| Change { announced, vrp: vrp(text) };
    let (_, result) = table.change(cache(0), &[change(true, "10.0.0.0/8 1")]);
    assert_eq!(result, Ok(()));
    let (changed, result) =
        table.change(cache(0), &[change(true, "11.0.0.0/8 1"), change(true, "10.0.0.0/8 1")]);
    assert_eq!(result, Err((ErrorCode::DuplicateAnnouncement, vrp("10.0.0.0/8 1"))));
    // What came before is there, and told.
    assert_eq!(changed.len(), 1);
    // Another cache may have it as well, but cannot take back what it has not said.
    let (_, result) = table.change(cache(1), &[change(false, "10.0.0.0/8 1")]);
    assert_eq!(result, Err((ErrorCode::UnknownWithdrawal, vrp("10.0.0.0/8 1"))));
}

/// Random changes by three caches in a small space, where much covers much.
#[test]
fn the_table_agrees_with_a_plain_list() {
    let mut rng = Rng::new(6811);
    let mut table = Table::default();
    let mut lists: BTreeMap<usize, BTreeSet<Vrp>> = BTreeMap::new();
    let random_prefix = |rng: &mut Rng| {
        let address = IpAddr::from((rng.below(4) as u32 * 0x4000_0000).to_be_bytes());
        let address = match address {
            IpAddr::V4(v4) if rng.chance(30) => {
                IpAddr::from((u128::from(v4.to_bits()) << 96).to_be_bytes())
            }
            other => other,
        };
        Prefix::new(address, rng.below(6) as u8).unwrap()
    };
    for _ in 0..3000 {
        let place = rng.below(3) as usize;
        let prefix = random_prefix(&mut rng);
        let max_length = prefix.length() + rng.below(3) as u8;
        let vrp = Vrp { prefix, max_length, asn: Asn(rng.below(3) as u32) };
        lists.entry(place).or_default();
        let list_of = |lists: &BTreeMap<usize, BTreeSet<Vrp>>| -> BTreeSet<Vrp> {
            lists.values().flatten().copied().collect()
        };
        let before = list_of(&lists);
        let changed = if rng.chance(5) {
            let kept: Vec<Vrp> = lists[&place].iter().filter(|_| rng.chance(50)).copied().collect();
            lists.insert(place, kept.iter().copied().collect());
            table.replace(cache(place), kept)
        } else {
            let list = lists.entry(place).or_default();
            let announced = !list.remove(&vrp);
            if announced {
                list.insert(vrp);
            }
            let (changed, result) = table.change(cache(place), &[Change { announced, vrp }]);
            assert_eq!(result, Ok(()));
            changed
        };
        let all = list_of(&lists);
        let differs: BTreeSet<Prefix> =
            all.symmetric_difference(&before).map(|vrp| vrp.prefix).collect();
        assert_eq!(changed, differs);
        assert_eq!(table.len(Family::Ipv4) + table.len(Family::Ipv6), all.len());
        let (route, origin) = (random_prefix(&mut rng), Some(Asn(rng.below(3) as u32)));
        let covering: Vec<&Vrp> = all.iter().filter(|vrp| vrp.prefix.covers(route)).collect();
        let matched = covering.iter().any(|vrp| {
            route.length() <= vrp.max_length && Some(vrp.asn) == origin && vrp.asn != Asn(0)
        });
        let expected = match (covering.is_empty(), matched) {
            (true, _) => Validity::NotFound,
            (false, true) => Validity::Valid,
            (false, false) => Validity::Invalid,
        };
        assert_eq!(table.state(route, origin), expected);
    }
}
