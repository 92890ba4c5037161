//! What nodes keep: no room for it, and times of another calendar.

use std::fs::{self, File};
use std::io::Write;

use shunt::group::Intents;
use shunt::types::Wall;

use crate::lab::Node;
use crate::switch::sites::{Group, Lab, Others, Plan, group};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];
const PAGE: usize = 4096;

/// Fills the file system that a directory is on, but for so many pages.
#[track_caller]
fn fill(directory: &str, pages: usize) {
    let mut file = File::create(format!("{directory}/filler")).unwrap();
    let mut length = 0;
    while let Ok(more) = file.write(&[0; PAGE]) {
        length += more;
    }
    file.set_len(length.saturating_sub(pages * PAGE).try_into().unwrap()).unwrap();
}

/// The disk of a node of the target is full before it can write that a switch has begun, and the next time before it can write
/// that it is raised: back, both times.
#[test]
fn the_disk_is_full() {
    let plan = Plan { small_disk: Some("fw2"), ..Plan::new(Others::Shunt) };
    let lab = Lab::new(plan);
    let state = lab.member("fw2").node.path("state");
    for (pages, outcome) in [(0, "refused"), (1, "rolled-back")] {
        fill(&state, pages);
        let ended = lab.order("edge1", &SWITCH);
        println!("room for {pages}: {ended:?}");
        assert_eq!(ended.outcome("payments"), outcome, "{ended:?}");
        assert!(ended.errors.contains("fw2"), "{ended:?}");
        fs::remove_file(format!("{state}/filler")).unwrap();
        assert_eq!(lab.settles(&format!("room for {pages} pages"), "payments"), 1);
    }
    lab.order("edge1", &SWITCH).committed(&["payments"]);
}

/// The lock that a node has on its disk ends then.
#[track_caller]
fn set_end(node: &Node, end: Wall) {
    let newest = ["intents.0", "intents.1"].map(|file| {
        let path = node.path(&format!("state/{file}"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let sequence = text.lines().next().unwrap_or_default().to_owned();
        let number = sequence.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>();
        (number.unwrap_or(0), sequence, path, text)
    });
    let (_, sequence, path, text) = newest.into_iter().max().unwrap();
    let frame = format!("{sequence}\n");
    let inner = text.strip_prefix(&frame).and_then(|rest| rest.strip_suffix(&frame)).unwrap();
    let mut intents = Intents::from_text(inner).unwrap();
    let mut placed = intents.placed("payments").unwrap().clone();
    placed.placement.lock.as_mut().unwrap().until = end;
    intents.place("payments", placed);
    fs::write(path, format!("{frame}{}{frame}", intents.to_text())).unwrap();
}

/// In the middle of a switch the clock of a node jumps so far back that its lock would hold for decades, and that of another one
/// behind the end of its lock: each starts anew, and what the second one then takes for the outcome the others hear. The switch is committed; and where its coordinator is gone as well, another node ends it.
#[test]
fn clocks_jump() {
    let payments = group("payments", 7);
    let hook = "[[\"/bin/sh\", \"-c\", \"while [ -e FILES/held ]; do sleep 0.05; done\"]]";
    let more = format!("{}[group.payments.switch]\nafter-hooks = {hook}\n", payments.more);
    let plan = Plan { groups: vec![Group { more, ..payments }], ..Plan::new(Others::Shunt) };
    let mut lab = Lab::new(plan);
    let held = lab.member("edge1").node.write("held", "");
    let [past, future] =
        [1_000_000_000, 4_000_000_000].map(|seconds| Wall::from_micros(seconds * 1_000_000));

    let mut order = lab.begin("edge1", &SWITCH);
    order.wait("after", "begun");
    for (index, end) in [(3, future), (2, past)] {
        lab.fleet[index].dies_and_returns(|node| set_end(node, end));
    }
    assert_eq!(lab.traffic_at("payments"), Ok(2));
    fs::remove_file(&held).unwrap();
    let ended = order.end();
    println!("clocks jump: {ended:?}");
    ended.committed(&["payments"]);
    assert_eq!(lab.settles("clocks jump", "payments"), 2);

    fs::write(&held, "").unwrap();
    let mut order =
        lab.begin("edge1", &SWITCH.map(|word| if word == "dc2" { "dc1" } else { word }));
    order.wait("after", "begun");
    lab.fleet[0].shuntd.kill();
    lab.fleet[2].dies_and_returns(|node| set_end(node, future));
    fs::remove_file(&held).unwrap();
    let ended = lab.order("fw2", &["switch", "resume", "payments"]);
    println!("taken over: {ended:?}");
    assert_eq!(ended.outcome("payments"), "committed", "{ended:?}");
    lab.fleet[0].dies_and_returns(|_| {});
    assert_eq!(lab.settles("clocks jump and the coordinator dies", "payments"), 1);
}
