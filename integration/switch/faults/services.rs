//! Services that do not answer as they should.

use crate::health::Answer;
use crate::switch::sites::{Group, Lab, Others, Plan, group};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];

/// The service at the target answers, but in the name of the other site: back.
#[test]
fn the_wrong_site_answers() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    lab.services[1].set(Answer::Said("app1".to_owned()));
    let ended = lab.order("edge1", &SWITCH);
    println!("{ended:?}");
    assert_eq!((ended.outcome("payments").as_str(), ended.code), ("rolled-back", 8));
    lab.services[1].set(Answer::Well);
    assert_eq!(lab.settles("the wrong site answers", "payments"), 1);
}

/// The service at the target falls silent when it is preferred already: back. While it is down it is no target at all.
#[test]
fn the_target_falls_ill() {
    let payments = group("payments", 7);
    let more = format!(
        "checks = [\"web\"]\n[check.web]\nhttp = \"http://APP/health\"\ninterval = \"200ms\"\ntimeout = \"500ms\"\n{}",
        payments.more
    );
    let plan = Plan { groups: vec![Group { more, ..payments }], ..Plan::new(Others::Shunt) };
    let lab = Lab::new(plan);
    let mut order = lab.begin("edge1", &SWITCH);
    order.wait("raise", "begun");
    lab.services[1].set(Answer::Refused);
    let ended = order.end();
    println!("falls silent: {ended:?}");
    assert_eq!((ended.outcome("payments").as_str(), ended.code), ("rolled-back", 8), "{ended:?}");
    let refused = lab.order("edge1", &SWITCH);
    println!("ill: {refused:?}");
    assert_eq!((refused.outcome("payments").as_str(), refused.code), ("refused", 1), "{refused:?}");
    lab.services[1].set(Answer::Well);
    assert_eq!(lab.settles("the target falls ill", "payments"), 1);
}
