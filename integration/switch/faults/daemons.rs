//! Daemons that die.

use crate::switch::sites::{Lab, Others, Plan};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];

fn to(site: u8) -> Vec<String> {
    SWITCH.map(|word| word.replace("dc2", &format!("dc{site}"))).into()
}

/// Kills a node when a step has begun, and starts it again. Then the group is at one site, and can be switched.
#[track_caller]
fn dies(node: usize, coordinator: &str, steps: &[&str]) {
    let mut lab = Lab::new(Plan::new(Others::Shunt));
    let mut at = 1;
    for step in steps {
        let order = to(3 - at);
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        let mut order = lab.begin(coordinator, &order);
        order.wait(step, "begun");
        lab.fleet[node].dies_and_returns(|_| {});
        let what = format!("{} killed at {step}", lab.fleet[node].node.name());
        at = lab.settles(&what, "payments");
        drop(order);
    }
    let order = to(3 - at);
    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    lab.order(coordinator, &order).committed(&["payments"]);
}

#[test]
fn the_coordinator_dies() {
    dies(0, "edge1", &["prepare", "raise", "see", "lower", "commit"]);
}

#[test]
fn the_target_dies() {
    dies(3, "edge1", &["raise", "see", "lower"]);
}
