//! Services that do not answer as they should.

use crate::health::Answer;
use crate::switch::sites::{Lab, Others, Plan};

/// The service at the target answers, but in the name of the other site: back.
#[test]
fn the_wrong_site_answers() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    lab.services[1].set(Answer::Said("app1".to_owned()));
    let ended = lab.order("edge1", &["switch", "payments", "--to", "dc2", "--yes"]);
    println!("{ended:?}");
    assert_eq!((ended.outcome("payments").as_str(), ended.code), ("rolled-back", 8));
    lab.services[1].set(Answer::Well);
    assert_eq!(lab.settles("the wrong site answers", "payments"), 1);
}
