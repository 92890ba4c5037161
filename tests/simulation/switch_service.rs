//! What surrounds a switch: gates and hooks, the service that is asked, and connections that are held.

use std::time::Duration;

use shunt::api::v1::{SwitchEnding, SwitchProgress, SwitchRequest, Vantage};
use shunt::sim::{Answer, Program, Service, World};

use crate::switching::{Fleet, text};

const GATES: &str = "[group.payments.switch]\ngates = [[\"/bin/gate\", \"payments\"]]\n\
    before-hooks = [[\"/bin/before\"]]\nafter-hooks = [[\"/bin/after\"], [\"/bin/last\"]]\n\
    command-timeout = \"3s\"\ndeadline = \"10s\"\n";
const PROBE: &str = "[group.payments.probe]\ntcp = \"198.51.100.7:443\"\n\
    answer = { dc1 = \"I am dc1\", dc2 = \"I am dc2\" }\n";
const HOLD: &str = "[group.payments.switch]\nhold = \"5s\"\n";
const SERVICE: &str = "198.51.100.7";

/// With the service behind the firewalls of each site.
fn fleet(seed: u64, more: &str) -> Fleet {
    let mut fleet = Fleet::with(seed, more);
    for (node, text) in
        fleet.nodes.into_iter().zip(["I am dc1", "I am dc1", "I am dc2", "I am dc2"])
    {
        fleet.world.serve(node, SERVICE.parse().unwrap(), text);
    }
    fleet
}

fn request(act: &str) -> SwitchRequest {
    SwitchRequest {
        act: act.to_owned(),
        groups: vec!["payments".to_owned()],
        to: if act == "switch" { "dc2".to_owned() } else { String::new() },
        reason: "maintenance".to_owned(),
        ..SwitchRequest::default()
    }
}

impl Fleet {
    /// What was told of a step, of the first switch ordered at the first node.
    fn told(&self, order: shunt::agent::OrderId, step: &str) -> Vec<(String, String)> {
        let of = |progress: &&SwitchProgress| progress.step == step;
        let heard = self.heard(0, order);
        let told = heard.progress.iter().filter(of);
        told.map(|told| (told.state.clone(), told.text.clone())).collect()
    }

    fn commands(&self, on: usize) -> Vec<String> {
        self.world.commands(self.nodes[on]).iter().map(|words| words.join(" ")).collect()
    }

    fn switched(&mut self) -> SwitchEnding {
        let order = self.switch(0, "dc2");
        self.ends(0, order)
    }
}

#[test]
fn gates_come_first_and_hooks_around_the_change() {
    let mut fleet = fleet(1, GATES);
    let said = Program::Writes("12 s behind\ncaught up".to_owned());
    fleet.world.set_program(fleet.nodes[0], "/bin/gate", said);
    fleet.world.set_program(fleet.nodes[0], "/bin/after", Program::Fails("no mail".to_owned()));
    let order = fleet.switch(0, "dc2");
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    assert_eq!(fleet.commands(0), ["/bin/gate payments", "/bin/before", "/bin/after", "/bin/last"]);
    let pair = |state: &str, text: &str| (state.to_owned(), text.to_owned());
    let gates = fleet.told(order, "gates");
    let expected = [
        pair("begun", ""),
        pair("waiting", "runs `/bin/gate payments`"),
        pair("waiting", "`/bin/gate payments`: 12 s behind"),
        pair("waiting", "`/bin/gate payments`: caught up"),
        pair("done", ""),
    ];
    assert_eq!(gates, expected);
    let after = fleet.told(order, "after");
    assert_eq!(after.last(), Some(&pair("failed", "no mail")), "told, and nothing more");
    assert!((1..4).all(|other| fleet.commands(other).is_empty()), "only who coordinates");
    assert_eq!(fleet.exit(), Some("dc2"));
}

#[test]
fn a_gate_that_fails_changes_nothing_and_break_glass_does_not_ask_it() {
    let mut fleet = fleet(2, GATES);
    let fails =
        Program::Fails("`/bin/gate payments` ended with exit code 1: 12 s behind".to_owned());
    fleet.world.set_program(fleet.nodes[0], "/bin/gate", fails);
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "refused");
    assert_eq!(ending.why, "`/bin/gate payments` ended with exit code 1: 12 s behind");
    assert_eq!((fleet.announced(), fleet.exit()), ([200, 200, 100, 100], Some("dc1")));
    assert_eq!(fleet.commands(0), ["/bin/gate payments"]);

    let glass = SwitchRequest { break_glass: true, ..request("switch") };
    let order = fleet.world.switch(fleet.nodes[0], glass);
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    assert_eq!(fleet.commands(0)[1..], ["/bin/before", "/bin/after", "/bin/last"]);
}

/// A hook that hangs is killed when its time is over, and when the operator wants no more of the switch.
#[test]
fn a_hook_that_hangs_ends_with_its_time_or_with_the_switch() {
    let mut fleet = fleet(3, GATES);
    fleet.world.set_program(fleet.nodes[0], "/bin/before", Program::Hangs);
    let began = fleet.world.now();
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "refused");
    assert_eq!(ending.why, "`/bin/before` was killed, as it was not done within 3 s");
    assert!(fleet.world.now().since(began) < Duration::from_millis(3200));

    let order = fleet.switch(0, "dc2");
    fleet.world.run_for(Duration::from_secs(1));
    assert!(!fleet.world.transcript().contains("kills /bin/before"));
    fleet.world.switch(fleet.nodes[0], request("abort"));
    let ending = fleet.ends(0, order);
    assert_eq!((ending.outcome.as_str(), ending.why.as_str()), ("refused", "aborted by alice"));
    assert!(fleet.world.transcript().contains("kills /bin/before"));
    fleet.world.run_for(Duration::from_secs(10));
    assert_eq!(fleet.exit(), Some("dc1"));
}

#[test]
fn an_approval_is_waited_for_until_the_deadline() {
    let mut fleet = fleet(4, &format!("{GATES}approval = true\n"));
    let order = fleet.switch(0, "dc2");
    fleet.world.run_for(Duration::from_secs(5));
    let gates = fleet.told(order, "gates");
    assert_eq!(gates.last().unwrap().1, "to be approved: shunt switch approve payments");
    assert_eq!(fleet.commands(0), ["/bin/gate payments"], "hooks have not been run");
    let approval = fleet.world.switch(fleet.nodes[0], request("approve"));
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    assert!(fleet.heard(0, approval).ended.is_some_and(|ended| ended.is_ok()));
    assert!(fleet.told(order, "gates").iter().any(|(_, text)| text == "approved by alice"));

    let again = fleet
        .world
        .switch(fleet.nodes[0], SwitchRequest { to: "dc1".to_owned(), ..request("switch") });
    let ending = fleet.ends(0, again);
    assert_eq!(ending.outcome, "refused");
    assert!(ending.why.contains("deadline"), "{ending:?}");
    let late = fleet.world.switch(fleet.nodes[0], request("approve"));
    fleet.world.run_for(Duration::from_millis(10));
    assert!(fleet.heard(0, late).ended.unwrap().is_err());
}

#[test]
fn the_service_is_asked_and_what_was_seen_is_told() {
    let mut fleet = fleet(5, PROBE);
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    let nodes: Vec<&str> = ending.vantages.iter().map(|vantage| vantage.node.as_str()).collect();
    assert_eq!(nodes, ["a1", "a2", "b1", "b2"]);
    for Vantage { node, probes, lost, longest_us, answers_us, .. } in &ending.vantages {
        assert!(*probes > 0 && *lost == 0, "{node}: {lost} of {probes}");
        assert_eq!(answers_us.len(), *probes as usize);
        assert!(*longest_us <= 52_000, "{node}: {longest_us} µs");
    }
    let runs = fleet.nodes.map(|node| fleet.world.runs(node));
    fleet.world.run_for(Duration::from_secs(10));
    assert_eq!(runs, fleet.nodes.map(|node| fleet.world.runs(node)), "nobody asks any more");
}

/// The routes are well, and yet the answer is the other site's.
#[test]
fn an_answer_of_the_wrong_site_turns_the_switch_back() {
    let mut fleet = fleet(6, PROBE);
    for node in &fleet.nodes[2..] {
        fleet.world.serve(*node, SERVICE.parse().unwrap(), "I am dc1");
    }
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "rolled-back");
    let why = "the service is answered by dc1, not by dc2, for 5.0 s";
    assert!(ending.why.starts_with("b") && ending.why.ends_with(why), "{ending:?}");
    fleet.world.run_for(Duration::from_secs(2));
    assert_eq!((fleet.announced(), fleet.exit()), ([200, 200, 100, 100], Some("dc1")));
}

/// A node that does not announce the group into the area is answered by whoever its routes lead to, and all is well only when
/// that is the target.
#[test]
fn a_node_that_follows_the_routes_sees_the_service_move() {
    let mut fleet = fleet(11, PROBE);
    let a2 = fleet.nodes[1];
    let edge = text(2, "a2", "dc1", PROBE).replace("export = \"groups\"", "export = \"none\"");
    fleet.world.reload(a2, &edge).unwrap();
    fleet.world.run_for(Duration::from_secs(10));
    let at =
        |fleet: &Fleet| *fleet.world.trace(a2, SERVICE.parse().unwrap()).unwrap().last().unwrap();
    assert_eq!(at(&fleet), fleet.nodes[0]);
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    assert!(fleet.nodes[2..].contains(&at(&fleet)));
    let vantage = &ending.vantages[1];
    assert_eq!((vantage.node.as_str(), vantage.lost), ("a2", 0), "{vantage:?}");

    // A connection of a2 came to another server, that of a1 did not.
    let slow = format!(
        "{PROBE}[group.payments.switch]\nafter-hooks = [[\"/bin/after\"]]\ncommand-timeout = \"3s\"\n"
    );
    for (node, text) in
        [(a2, edge.replace(PROBE, &slow)), (fleet.nodes[0], text(1, "a1", "dc1", &slow))]
    {
        fleet.world.reload(node, &text).unwrap();
    }
    fleet.world.set_program(fleet.nodes[0], "/bin/after", Program::Hangs);
    let order = fleet.switch(0, "dc1");
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "committed", "{ending:?}");
    let sessions: Vec<&str> = ending.vantages.iter().map(|seen| seen.session.as_str()).collect();
    assert_eq!(sessions, ["kept", "lost", "kept", "kept"]);
    assert_eq!(fleet.switched().outcome, "committed");

    // On the way back, the firewall of dc1 answers as if it were in dc2.
    fleet.world.serve(fleet.nodes[0], SERVICE.parse().unwrap(), "I am dc2");
    let order = fleet.switch(0, "dc1");
    let ending = fleet.ends(0, order);
    assert_eq!(ending.outcome, "rolled-back");
    assert!(ending.why.contains("the service is answered by dc2, not by dc1"), "{ending:?}");
    fleet.world.run_for(Duration::from_secs(2));
    assert!(fleet.nodes[2..].contains(&at(&fleet)));
}

#[test]
fn a_service_that_does_not_answer_turns_the_switch_back() {
    let mut fleet = fleet(7, PROBE);
    let never = Service { answer: Answer::Never, ..Service::default() };
    fleet.world.set_service(&format!("{SERVICE}:443"), never);
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "rolled-back");
    assert!(
        ending.why.contains("the service has not answered yet") || ending.why.contains("no answer"),
        "{ending:?}"
    );
    let a1 = &ending.vantages[0];
    assert!(a1.lost > 0 && a1.longest_us > 3_000_000, "{a1:?}");
    assert_eq!(fleet.preferred(), ["dc1"]);
}

#[test]
fn new_connections_are_held_from_before_the_change_to_its_end() {
    let mut fleet = fleet(8, HOLD);
    let order = fleet.switch(0, "dc2");
    let mut held = Vec::new();
    for _ in 0..2000 {
        fleet.world.run_for(Duration::from_micros(100));
        let now = fleet.nodes.map(|node| fleet.world.held(node).len());
        let state = (now, fleet.announced());
        if held.last() != Some(&state) {
            held.push(state);
        }
    }
    assert_eq!(fleet.ends(0, order).outcome, "committed");
    let none = [0; 4];
    assert_eq!(held.first(), Some(&(none, [200, 200, 100, 100])));
    assert_eq!(held.last(), Some(&(none, [100, 100, 200, 200])));
    for (now, announced) in &held {
        let is_raised = announced[2].max(announced[3]) > 100;
        let is_lowered = announced[0].max(announced[1]) == 100;
        assert!(!is_raised || is_lowered || *now == [1; 4], "{now:?} while {announced:?}");
    }
    assert!(held.contains(&([1; 4], [100, 100, 201, 201])), "and until the last look: {held:?}");
}

#[test]
fn where_nothing_can_be_held_the_switch_is_refused() {
    let mut fleet = fleet(9, HOLD);
    fleet.world.fail_holds(fleet.nodes[2], true);
    let ending = fleet.switched();
    assert_eq!(ending.outcome, "refused");
    let why = "b1: new connections cannot be held: there is no nft (package nftables)";
    assert_eq!(ending.why, why);
    let is_free = |world: &World| fleet.nodes.iter().all(|node| world.held(*node).is_empty());
    fleet.world.run_for(Duration::from_millis(100));
    assert!(is_free(&fleet.world), "the others let go");
    assert_eq!(fleet.exit(), Some("dc1"));
}

/// A coordinator that dies leaves nothing held: the kernel, and the end of the lock, let go.
#[test]
fn what_is_held_ends_by_itself() {
    let mut fleet = fleet(10, HOLD);
    fleet.switch(0, "dc2");
    let nodes = fleet.nodes;
    let held = |world: &World| nodes.iter().all(|node| !world.held(*node).is_empty());
    assert!(fleet.world.run_until(Duration::from_secs(1), held));
    fleet.world.kill(fleet.nodes[0]);
    fleet.world.run_for(Duration::from_secs(5));
    assert!(nodes.iter().all(|node| fleet.world.held(*node).is_empty()));
}
