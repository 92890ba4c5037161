//! What nodes write into their ledgers: switches, and what they do by themselves.

use std::time::Duration;

use shunt::api::v1::LedgerEntry;
use shunt::sim::World;

use super::switching::Fleet;

fn kinds(entries: &[LedgerEntry]) -> Vec<(&str, &str, &str)> {
    entries.iter().map(|e| (e.kind.as_str(), e.group.as_str(), e.to.as_str())).collect()
}

#[test]
fn who_coordinates_records_the_switch_and_who_heard_of_it_records_that() {
    let mut fleet = Fleet::new(7);
    // a2 is cut off and excused; it learns the outcome when it is back.
    fleet.world.cut(fleet.links[1]);
    fleet.world.run_for(Duration::from_secs(60));
    let request = shunt::api::v1::SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: "dc2".to_owned(),
        without: vec!["a2".to_owned()],
        reason: "ticket 4711".to_owned(),
        ..Default::default()
    };
    let order = fleet.world.switch(fleet.nodes[0], request);
    assert_eq!(fleet.ends(0, order).outcome, "committed");
    fleet.world.mend(fleet.links[1]);
    let a2 = fleet.nodes[1];
    let knows = |world: &World| !world.ledger(a2).is_empty();
    assert!(fleet.world.run_until(Duration::from_secs(60), knows));

    let [entry] = fleet.world.ledger(fleet.nodes[0]) else { panic!("one entry") };
    let LedgerEntry { node, kind, group, from, to, owner, reason, outcome, .. } = entry;
    assert_eq!(
        [node, kind, group, from, to, owner, reason, outcome].map(String::as_str),
        ["a1", "switch", "payments", "dc1", "dc2", "alice", "ticket 4711", "committed"]
    );
    assert_eq!((entry.epoch, &entry.unheard[..]), (1, &["a2".to_owned()][..]));
    let steps: Vec<&str> = entry.steps.iter().map(|step| step.step.as_str()).collect();
    assert!(steps.starts_with(&["survey"]) && steps.contains(&"lower"), "{steps:?}");
    assert!(entry.total_us > 0 && !entry.at.is_empty());

    let heard = fleet.world.ledger(a2);
    assert_eq!(kinds(heard), [("placement", "payments", "dc2")]);
    assert!(heard[0].owner.starts_with("heard from "), "{:?}", heard[0]);
    // Who took part does not say the same again.
    assert_eq!(kinds(fleet.world.ledger(fleet.nodes[2])), []);
}
