//! Drills: there and back, and what an alarm makes of them.

use std::time::{Duration, Instant};

use super::order::Ended;
use super::sites::{Group, Lab, Others, Plan, group};

/// From when the alarm's command would fail: it is run each second, and then it is to be over within two.
const OVER: Duration = Duration::from_secs(3);

/// With a rule that would keep the group where it has been moved to.
fn lab() -> Lab {
    let payments = group("payments", 7);
    let more = format!(
        "{}[group.payments.switch]\nobjective = \"1s\"\nhold-after-change = \"1h\"\n",
        payments.more
    );
    Lab::new(Plan { groups: vec![Group { more, ..payments }], ..Plan::new(Others::Shunt) })
}

/// The kinds and outcomes that the ledger has.
fn ledger(lab: &Lab) -> Vec<(String, String, String)> {
    let said = lab.order("edge1", &["history", "payments"]).said;
    let word = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    said.iter()
        .map(|entry| (word(entry, "kind"), word(entry, "to"), word(entry, "outcome")))
        .collect()
}

fn drills(ways: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let one = |(to, outcome): &(&str, &str)| {
        ("drill".to_owned(), (*to).to_owned(), (*outcome).to_owned())
    };
    ways.iter().map(one).collect()
}

fn report(ended: &Ended) -> &serde_json::Value {
    &ended.said.last().unwrap()["drill"]
}

#[test]
fn there_and_back() {
    let lab = lab();
    let ended = lab.order("edge1", &["drill", "payments", "--to", "dc2", "--stay", "2s", "--yes"]);
    println!("{}", report(&ended));
    assert_eq!(ended.code, 0, "{ended:?}");
    lab.is_at("payments", 1);
    let report = report(&ended);
    assert_eq!(
        (&report["verdict"], &report["objective_us"]),
        (&"passed".into(), &1_000_000.into())
    );
    for way in report["ways"].as_array().unwrap() {
        let vantages = way["ending"]["vantages"].as_array().unwrap();
        assert!(vantages.iter().any(|one| one["probes"].as_u64().unwrap() > 0), "{way}");
    }
    assert_eq!(ledger(&lab), drills(&[("dc2", "committed"), ("dc1", "committed")]));
}

#[test]
fn an_alarm_during_the_stay() {
    let lab = lab();
    let file = lab.member("edge1").node.path("alarm");
    let alarm = format!("! test -e {file}");
    let drill = ["drill", "payments", "--to", "dc2", "--stay", "60s", "--yes", "--alarm", &alarm];
    let mut drill = lab.begin("edge1", &drill);
    drill.wait("commit", "done");
    lab.is_at("payments", 2);
    let begun = Instant::now();
    std::fs::write(&file, "").unwrap();
    let ended = drill.end();
    let took = begun.elapsed();
    println!("alarm during the stay: back after {took:?}");
    assert_eq!(ended.code, 12, "{ended:?}");
    assert!(took <= OVER, "{took:?}: {ended:?}");
    lab.is_at("payments", 1);
    assert_eq!(ledger(&lab), drills(&[("dc2", "committed"), ("dc1", "committed")]));
}

#[test]
fn an_alarm_under_way() {
    let mut payments = group("payments", 7);
    payments.more += "[group.payments.switch]\nbefore-hooks = [[\"/bin/sleep\", \"20\"]]\n";
    let lab = Lab::new(Plan { groups: vec![payments], ..Plan::new(Others::Shunt) });
    let file = lab.member("edge1").node.path("alarm");
    let alarm = format!("! test -e {file}");
    let drill = ["drill", "payments", "--to", "dc2", "--yes", "--alarm", &alarm];
    let mut drill = lab.begin("edge1", &drill);
    drill.wait("before", "begun");
    let begun = Instant::now();
    std::fs::write(&file, "").unwrap();
    let ended = drill.end();
    let took = begun.elapsed();
    println!("alarm under way: over after {took:?}");
    assert!(matches!(ended.code, 1 | 12), "{ended:?}");
    assert!(took <= OVER, "{took:?}: {ended:?}");
    lab.is_at("payments", 1);
}
