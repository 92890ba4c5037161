//! What speaks against a switch: freezes, changes that are too young, gates that are shut, sites that are too few.

use std::time::Duration;

use shunt::api::v1::{SwitchEnding, SwitchRequest};
use shunt::sim::{Answer, Link, Service, World};

use crate::switching::{CORE, Fleet, text};

fn request(to: &str, break_glass: bool) -> SwitchRequest {
    SwitchRequest {
        act: "switch".to_owned(),
        groups: vec!["payments".to_owned()],
        to: to.to_owned(),
        reason: "because".to_owned(),
        break_glass,
        ..SwitchRequest::default()
    }
}

impl Fleet {
    fn tries(&mut self, to: &str, break_glass: bool) -> SwitchEnding {
        let order = self.world.switch(self.nodes[0], request(to, break_glass));
        self.ends(0, order)
    }
}

#[track_caller]
fn refused(ending: &SwitchEnding, why: &str) {
    assert_eq!((ending.outcome.as_str(), ending.why.as_str()), ("refused", why));
}

#[track_caller]
fn committed(ending: &SwitchEnding) {
    assert_eq!(ending.outcome, "committed", "{ending:?}");
}

/// The simulator's calendar begins on a Thursday, 2026-01-01, at midnight.
#[test]
fn a_freeze_refuses_until_its_end() {
    let window = "Wed 22:00 - Thu 00:02";
    let mut fleet = Fleet::with(1, &format!("[group.payments.switch]\nfreeze = [\"{window}\"]\n"));
    let ending = fleet.tries("dc2", false);
    refused(
        &ending,
        &format!("a1: no switches until 2026-01-01T00:02:00Z: payments is frozen (`{window}`)"),
    );
    assert_eq!(fleet.exit(), Some("dc1"));
    committed(&fleet.tries("dc2", true));
    fleet.world.run_for(Duration::from_secs(125));
    committed(&fleet.tries("dc1", false));
}

#[test]
fn a_group_that_has_just_moved_stays_for_a_while() {
    let mut fleet = Fleet::with(2, "[group.payments.switch]\nhold-after-change = \"10m\"\n");
    committed(&fleet.tries("dc2", false));
    fleet.world.run_for(Duration::from_secs(300));
    let ending = fleet.tries("dc1", false);
    assert!(ending.why.starts_with("a1: no switches until "), "{ending:?}");
    assert!(ending.why.ends_with("(`hold-after-change`)"), "{ending:?}");
    committed(&fleet.tries("dc1", true));
    fleet.world.run_for(Duration::from_secs(590));
    assert_eq!(fleet.tries("dc2", false).outcome, "refused");
    fleet.world.run_for(Duration::from_secs(11));
    committed(&fleet.tries("dc2", false));
}

/// A lock that was let go again is no change.
#[test]
fn a_switch_that_did_not_come_about_holds_up_no_other() {
    let more = "[group.payments.switch]\nhold-after-change = \"10m\"\nhold = \"5s\"\n";
    let mut fleet = Fleet::with(3, more);
    committed(&fleet.tries("dc2", false));
    fleet.world.run_for(Duration::from_secs(590));
    fleet.world.fail_holds(fleet.nodes[3], true);
    let ending = fleet.tries("dc1", true);
    assert!(ending.why.contains("cannot be held"), "{ending:?}");
    fleet.world.fail_holds(fleet.nodes[3], false);
    fleet.world.run_for(Duration::from_secs(11));
    committed(&fleet.tries("dc1", false));
}

#[test]
fn a_gate_that_is_shut_on_one_node_refuses() {
    let more = "[group.payments.switch]\ngated-by = [\"open\"]\n[check.open]\nfile = \"/etc/shunt/stop\"\n";
    let mut fleet = Fleet::with(4, more);
    fleet.world.set_file(fleet.nodes[3], "/etc/shunt/stop", true);
    fleet.world.run_for(Duration::from_secs(3));
    let why = "b2: no switches until check open is up, which is down: is there (`gated-by`)";
    refused(&fleet.tries("dc2", false), why);
    fleet.world.set_file(fleet.nodes[3], "/etc/shunt/stop", false);
    fleet.world.run_for(Duration::from_secs(3));
    committed(&fleet.tries("dc2", false));
}

fn checked(number: u8, name: &str, site: &str, more: &str) -> String {
    let check = format!("{more}[check.web]\ntcp = \"10.0.0.{number}:80\"\ninterval = \"100ms\"\n");
    let text = text(number, name, site, &check);
    text.replace("[group.payments]\n", "[group.payments]\nchecks = [\"web\"]\n")
}

fn ail(world: &mut World, number: u8, ails: bool) {
    let answer = if ails { Answer::Bad } else { Answer::Good };
    let service = Service { answer, ..Service::default() };
    world.set_service(&format!("10.0.0.{number}:80"), service);
    world.run_for(Duration::from_secs(5));
}

#[test]
fn a_site_that_is_ill_is_no_target() {
    let mut fleet = Fleet::new(5);
    for (number, (name, site)) in
        (1..).zip([("a1", "dc1"), ("a2", "dc1"), ("b1", "dc2"), ("b2", "dc2")])
    {
        let node = fleet.nodes[usize::from(number) - 1];
        fleet.world.reload(node, &checked(number, name, site, "")).unwrap();
    }
    ail(&mut fleet.world, 4, true);
    assert_eq!(fleet.announced(), [200, 200, 100, 9]);
    let ending = fleet.tries("dc2", false);
    assert!(
        ending.why.starts_with("b2: 198.51.100.7/32 is not well there: check web"),
        "{ending:?}"
    );
    let evacuation = SwitchRequest {
        act: "evacuate".to_owned(),
        leave: "dc1".to_owned(),
        reason: "because".to_owned(),
        ..SwitchRequest::default()
    };
    let order = fleet.world.switch(fleet.nodes[0], evacuation);
    assert_eq!(fleet.ends(0, order).outcome, "refused");
    assert_eq!(fleet.exit(), Some("dc1"));
    ail(&mut fleet.world, 4, false);
    committed(&fleet.tries("dc2", false));
}

/// Three sites of one node each: two of them are to be there when the third is left.
#[test]
fn a_site_is_not_left_if_too_few_others_could_serve() {
    let sites = [(1, "a1", "dc1"), (3, "b1", "dc2"), (4, "b2", "dc3")];
    let mut world = World::new(6);
    let text = |(number, name, site): (u8, &str, &str)| {
        checked(number, name, site, "[site.dc3]\nid = 3\n[site.elsewhere]\nid = 4\n")
            .replace("[fleet.node.a2]\nsite = \"dc1\"", "[fleet.node.a2]\nsite = \"elsewhere\"")
            .replace("[fleet.node.b2]\nsite = \"dc2\"", "[fleet.node.b2]\nsite = \"dc3\"")
            .replace("dc2 = \"standby\"", "dc2 = \"standby\", dc3 = 50")
            .replace("[group.payments]\n", "[group.payments]\nmin-sites = 2\n")
    };
    let nodes = sites.map(|site| world.node(&text(site)));
    let core = world.node(CORE);
    for ((number, ..), node) in sites.into_iter().zip(nodes) {
        let (near, far) = (format!("10.0.{number}.1/24"), format!("10.0.{number}.2/24"));
        world.link((node, &near), (core, &far), Link::default());
    }
    for node in nodes.into_iter().chain([core]) {
        world.start(node);
    }
    world.run_for(Duration::from_secs(30));
    let tries = |world: &mut World| {
        let order = world.switch(nodes[0], request("dc2", false));
        let ended = |world: &World| world.heard(nodes[0], order).ended.is_some();
        assert!(world.run_until(Duration::from_secs(30), ended));
        world.heard(nodes[0], order).ending("payments").unwrap().clone()
    };
    ail(&mut world, 4, true);
    let why = "a1: without dc1 only 1 of the 2 sites that `min-sites` wants could serve payments: switch when another one \
               announces it as more than drained";
    refused(&tries(&mut world), why);
    ail(&mut world, 4, false);
    committed(&tries(&mut world));
}
