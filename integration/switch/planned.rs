//! Switches where nothing goes wrong: of one group, of all of them, of a site and back.

use std::time::{Duration, Instant};

use super::order::Ended;
use super::sites::{Group, Lab, Others, Plan, group};
use super::traffic::Traffic;

/// The order is carried out while datagrams of all clients are answered without one that is lost.
#[track_caller]
fn moves(lab: &Lab, order: &[&str], groups: &[&str], to: u8) -> Ended {
    let traffic = Traffic::start(lab);
    let from = Instant::now();
    let ended = lab.order("edge1", order);
    ended.committed(groups);
    for group in groups {
        lab.is_at(group, to);
    }
    let to = format!("app{to}");
    traffic.moved(&order.join(" "), from, &to, groups);
    println!("{}: {:?}", order.join(" "), ended.took);
    ended
}

/// There and back, ordered at a node of either site.
#[track_caller]
fn one_group_moves(others: Others) {
    let lab = Lab::new(Plan::new(others));
    for (to, site) in [("dc2", 2), ("dc1", 1)] {
        moves(&lab, &["switch", "payments", "--to", to, "--yes"], &["payments"], site);
    }
}

#[test]
fn one_group_between_our_own() {
    one_group_moves(Others::Shunt);
}

#[test]
fn one_group_between_frr() {
    one_group_moves(Others::Frr);
}

const ALL: [&str; 3] = ["database", "payments", "web"];

/// The database leaves a site before what asks it.
fn three_groups(others: Others) -> Plan {
    let payments = group("payments", 7);
    let more = format!("{}[group.payments.switch]\nafter = [\"database\"]\n", payments.more);
    let groups = vec![Group { more, ..payments }, group("database", 8), group("web", 9)];
    Plan { groups, ..Plan::new(others) }
}

/// All of one site, by name, by evacuation, and back.
#[track_caller]
fn all_groups_move(others: Others) {
    let lab = Lab::new(three_groups(others));
    let by_name = ["switch", "database", "payments", "web", "--to", "dc2", "--yes"];
    moves(&lab, &by_name, &ALL, 2);
    moves(&lab, &["evacuate", "dc2", "--yes"], &ALL, 1);
    let ended = moves(&lab, &["evacuate", "dc1", "--yes"], &ALL, 2);
    let end_of = |group: &str| {
        ended.said.iter().position(|said| said["group"] == group && !said["ending"].is_null())
    };
    let first_of = |group: &str| ended.said.iter().position(|said| said["group"] == group);
    assert!(end_of("database") < first_of("payments"), "{ended:?}");
    assert!(first_of("web") < end_of("database"), "{ended:?}");
    let except = ["evacuate", "dc2", "--except", "web", "--yes"];
    moves(&lab, &except, &["database", "payments"], 1);
    lab.is_at("web", 2);
}

#[test]
fn all_groups_between_our_own() {
    all_groups_move(Others::Shunt);
}

#[test]
fn all_groups_between_frr() {
    all_groups_move(Others::Frr);
}

/// 200 addresses of one group: from the order to the commit within a second.
#[test]
fn two_hundred_addresses() {
    let prefixes = (1..=200).map(|host| format!("198.51.100.{host}/32")).collect();
    let payments = Group { prefixes, ..group("payments", 1) };
    let lab = Lab::new(Plan { groups: vec![payments], ..Plan::new(Others::Shunt) });
    for (to, site) in [("dc2", 2), ("dc1", 1)] {
        let ended = moves(&lab, &["switch", "payments", "--to", to, "--yes"], &["payments"], site);
        let took = Duration::from_micros(ended.ending("payments")["total_us"].as_u64().unwrap());
        assert!(took <= Duration::from_secs(1), "{took:?}: {ended:?}");
    }
}
