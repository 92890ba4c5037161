//! Commands that do not end as they should, and time that is given by them.

use crate::switch::sites::{Group, Lab, Others, Plan, group};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];

fn plan(switch: &str) -> Plan {
    let payments = group("payments", 7);
    let more = format!("{}[group.payments.switch]\n{switch}\n", payments.more);
    Plan { groups: vec![Group { more, ..payments }], ..Plan::new(Others::Shunt) }
}

/// Before anything is changed.
#[test]
fn a_gate_fails() {
    let lab = Lab::new(plan(
        "gates = [[\"/bin/sh\", \"-c\", \"echo the replica is 9 s behind; exit 3\"]]",
    ));
    let ended = lab.order("edge1", &SWITCH);
    println!("{ended:?}");
    assert_eq!((ended.outcome("payments").as_str(), ended.code), ("refused", 1), "{ended:?}");
    assert!(ended.errors.contains("the replica is 9 s behind"), "{ended:?}");
    assert_eq!(lab.settles("a gate fails", "payments"), 1);
}

/// A hook hangs that runs before anything is changed, and one when the group has moved.
#[test]
fn hooks_hang() {
    let hang = "[[\"/bin/sleep\", \"1000\"]]";
    for (key, outcome, site) in [("before-hooks", "refused", 1), ("after-hooks", "committed", 2)] {
        let lab = Lab::new(plan(&format!("{key} = {hang}\ncommand-timeout = \"1s\"")));
        let ended = lab.order("edge1", &SWITCH);
        println!("{key}: {ended:?}");
        assert_eq!(ended.outcome("payments").as_str(), outcome, "{ended:?}");
        assert_eq!(lab.settles(&format!("one of {key} hangs"), "payments"), site);
    }
}
