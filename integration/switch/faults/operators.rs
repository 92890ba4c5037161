//! Operators who want different things.

use crate::switch::sites::{Lab, Others, Plan};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];

/// At most one of two who switch at the same moment does; who meets the other one is told so.
#[test]
fn two_switch_at_once() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    let orders = ["edge1", "fw2"].map(|node| lab.begin(node, &SWITCH));
    let ended = orders.map(|order| order.end());
    println!("{ended:?}");
    let committed = ended.iter().filter(|ended| ended.code == 0).count();
    for refused in ended.iter().filter(|ended| ended.code != 0) {
        assert_eq!((refused.code, refused.outcome("payments").as_str()), (1, "refused"));
        assert!(refused.errors.contains("to dc2 is in progress"), "{refused:?}");
    }
    let at = if committed == 0 { 1 } else { 2 };
    assert_eq!(lab.settles("two at once", "payments"), at);
    // Who comes later is refused, and changes nothing; who waits finds it there already.
    let mut order =
        lab.begin("edge1", &SWITCH.map(|word| if at == 2 && word == "dc2" { "dc1" } else { word }));
    order.wait("prepare", "done");
    let late = lab.order("fw2", &SWITCH.map(|word| if word == "dc2" { "dc1" } else { word }));
    println!("{late:?}");
    assert_eq!(late.code, 1, "{late:?}");
    order.end().committed(&["payments"]);
    assert_eq!(lab.settles("the second one later", "payments"), 3 - at);
}

/// Ctrl-C puts everything back.
#[test]
fn who_ordered_it_changes_his_mind() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    let mut order = lab.begin("edge1", &SWITCH);
    order.wait("raise", "begun");
    order.interrupt();
    let ended = order.end();
    println!("{ended:?}");
    assert_eq!((ended.outcome("payments").as_str(), ended.code), ("rolled-back", 8), "{ended:?}");
    assert_eq!(lab.settles("Ctrl-C", "payments"), 1);
}
