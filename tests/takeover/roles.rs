use std::time::Duration;

use shunt::agent::Event;
use shunt::fast::Report;
use shunt::fib::Observed;
use shunt::vrrp::{Reason, State, VirtualRouterId};

use crate::rig::{OTHER, Rig};

const OURS: Option<&str> = Some("10.0.1.2");

#[test]
fn a_takeover_waits_for_each_step() {
    let mut rig = Rig::new();
    assert_eq!(rig.preference(), 50, "Backup");
    assert_eq!(rig.take(), ["outside not assigned", "inside not assigned"]);

    // The role counts once both members have it.
    let [inside, outside] = [1, 2].map(VirtualRouterId);
    rig.report(inside, State::Active, Reason::ActiveDown, OURS);
    assert_eq!(rig.take(), Vec::<String>::new());
    rig.report(outside, State::Active, Reason::SyncGroup, OURS);
    let commit = rig.has_command().unwrap();
    assert_eq!(rig.take(), ["/sbin/commit now"]);

    rig.now += Duration::from_millis(8);
    rig.command_ends(commit, Ok("committed"));
    assert_eq!(rig.take(), ["inside assigned", "outside assigned"]);
    assert_eq!(rig.preference(), 50, "nobody could come to us yet");

    let set = |router| Event::AddressesSet { router, assigned: true, result: Ok(()) };
    rig.tell(set(inside));
    assert_eq!(rig.take(), Vec::<String>::new());
    rig.now += Duration::from_millis(1);
    rig.tell(set(outside));
    assert_eq!(rig.preference(), 200);
    assert_eq!(
        rig.events("takeover"),
        [
            "fw: taken over in 9.0 ms: commit 8.0 ms, forwarding 0.0 ms, addresses 1.0 ms, link 0.0 ms, \
             OSPF 0.0 ms, BGP 0.0 ms"
        ]
    );
    assert_eq!(rig.take(), ["announce 1", "announce 2", "/sbin/after"]);
}

#[test]
fn a_commit_that_fails_or_hangs_does_not_keep_us_from_forwarding() {
    let mut rig = Rig::new();
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    let commit = rig.has_command().unwrap();
    rig.take();
    rig.command_ends(commit, Err("exit code 1: no such daemon"));
    assert_eq!(rig.events("takeover"), ["fw: commit: exit code 1: no such daemon"]);
    assert_eq!(rig.take(), ["inside assigned", "outside assigned"]);
    rig.kernel(true);
    assert!(rig.events("takeover")[0].contains("commit 0.0 ms (failed)"));

    // The driver kills it at its deadline; this is for one that tells nothing at all.
    let mut rig = Rig::new();
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    rig.take();
    rig.wait(Duration::from_millis(1999));
    assert_eq!(rig.take(), Vec::<String>::new());
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.take(), ["inside assigned", "outside assigned"]);
}

#[test]
fn who_stays_active_after_a_split_learns_what_went_through_the_other() {
    let mut rig = Rig::active();
    let another = |yields| {
        let [router, _] = [1, 2].map(VirtualRouterId);
        let address = OTHER.parse().unwrap();
        Event::Fast(Report::AnotherActive { router, address, priority: 100, yields })
    };
    rig.tell(another(true));
    assert_eq!(rig.take(), Vec::<String>::new(), "we have lost, the lane says so");
    rig.tell(another(false));
    let commit = rig.has_command().unwrap();
    rig.tell(another(false));
    assert_eq!(rig.take(), ["/sbin/commit now"]);
    assert_eq!(rig.preference(), 200, "nothing moves meanwhile");
    rig.now += Duration::from_millis(8);
    rig.command_ends(commit, Ok(""));
    assert_eq!(rig.preference(), 200);
    let told = "fw: taken over again in 8.0 ms: commit 8.0 ms, forwarding 0.0 ms, addresses 0.0 ms, link 0.0 ms, \
                OSPF 0.0 ms, BGP 0.0 ms";
    assert_eq!(rig.events("takeover"), [told]);
    assert_eq!(rig.take(), ["announce 1", "announce 2", "/sbin/after"]);
}

#[test]
fn a_role_that_is_lost_is_undone_at_once() {
    let mut rig = Rig::active();
    let outside = VirtualRouterId(2);
    rig.report(outside, State::Backup, Reason::HigherPriority, Some(OTHER));
    assert_eq!(rig.preference(), 50);
    assert_eq!(rig.take(), ["/sbin/release", "inside not assigned", "outside not assigned"]);
    // In the middle of a takeover as well.
    let mut rig = Rig::new();
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    let commit = rig.has_command().unwrap();
    rig.command_ends(commit, Ok(""));
    rig.take();
    rig.lane(State::Backup, Reason::HigherPriority, Some(OTHER));
    assert_eq!(rig.take(), ["/sbin/release", "inside not assigned", "outside not assigned"]);
    rig.kernel(true);
    assert_eq!(rig.preference(), 50, "what the kernel did before it heard of the end");
}

#[test]
fn a_release_by_order_hands_over_before_it_lets_go() {
    let mut rig = Rig::active();
    rig.order("vrrp-release", "outside", 1800);
    assert_eq!(rig.preference(), 50, "BGP and OSPF first");
    assert_eq!(rig.take(), ["release 1 true", "release 2 true"]);

    rig.lane(State::Backup, Reason::Released, None);
    assert_eq!(rig.take(), Vec::<String>::new(), "we forward until there is another one");
    rig.now += Duration::from_millis(40);
    rig.lane(State::Backup, Reason::AnotherActive, Some(OTHER));
    assert_eq!(rig.take(), ["inside not assigned", "outside not assigned"]);
    rig.kernel(false);
    assert_eq!(
        rig.events("takeover"),
        ["fw: released in 40.0 ms: BGP 0.0 ms, OSPF 0.0 ms, link 40.0 ms, addresses 0.0 ms"]
    );
    assert_eq!(rig.take(), ["/sbin/release"]);

    // When the time is over.
    rig.wait(Duration::from_secs(1799));
    assert_eq!(rig.take(), Vec::<String>::new());
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.take(), ["release 1 false", "release 2 false"]);
}

#[test]
fn a_release_ends_before_its_time_by_order() {
    let mut rig = Rig::new();
    rig.take();
    rig.order("vrrp-release", "inside", 0);
    assert_eq!(
        rig.take(),
        ["release 1 true", "release 2 true"],
        "a Backup has nothing to hand over"
    );
    rig.order("vrrp-resume", "inside", 0);
    assert_eq!(rig.take(), ["release 1 false", "release 2 false"]);
}

/// Never "no site left".
#[test]
fn what_nobody_takes_is_taken_back() {
    let mut rig = Rig::active();
    rig.order("vrrp-release", "outside", 0);
    rig.take();
    rig.lane(State::Backup, Reason::Released, None);
    rig.wait(Duration::from_millis(400));
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    let commit = rig.has_command().expect("a takeover like any other");
    assert_eq!(rig.take(), ["/sbin/commit now"], "the addresses have stayed");
    rig.command_ends(commit, Ok(""));
    assert_eq!(rig.preference(), 200);
    assert_eq!(rig.take(), ["announce 1", "announce 2", "/sbin/after"]);
    rig.wait(Duration::from_secs(60));
    assert_eq!(rig.take(), Vec::<String>::new(), "and it is not released again and again");
}

#[test]
fn without_addresses_the_role_is_given_up_for_a_while() {
    let mut rig = Rig::new();
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    let commit = rig.has_command().unwrap();
    rig.command_ends(commit, Ok(""));
    rig.take();
    let (router, fault) = (VirtualRouterId(1), "not permitted".to_owned());
    rig.tell(Event::AddressesSet { router, assigned: false, result: Err(fault) });
    assert_eq!(rig.events("vrrp"), ["inside: virtual addresses: not permitted"]);
    let wanted = rig.take();
    assert!(wanted.contains(&"release 1 true".to_owned()), "{wanted:?}");
    assert_eq!(rig.preference(), 50);
    rig.lane(State::Backup, Reason::Released, Some(OTHER));
    rig.take();
    rig.wait(Duration::from_secs(10));
    assert!(rig.take().contains(&"release 1 false".to_owned()));
}

/// The guardian took them while this process stood still, or a person did.
#[test]
fn addresses_that_vanish_are_taken_again() {
    let mut rig = Rig::active();
    let (router, fault) = (VirtualRouterId(1), "10.0.2.1 is gone".to_owned());
    rig.tell(Event::AddressesSet { router, assigned: false, result: Err(fault) });
    rig.wait(Duration::from_millis(19));
    assert_eq!(rig.take(), Vec::<String>::new(), "the lane may say that we stood still");
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.take(), ["inside assigned"]);
    rig.tell(Event::AddressesSet { router, assigned: true, result: Ok(()) });
    assert_eq!(rig.take(), ["announce 1", "announce 2", "/sbin/after"]);
    assert_eq!(rig.preference(), 200);
}

#[test]
fn what_a_member_tracks_counts_for_all() {
    let mut rig = Rig::new();
    rig.take();
    rig.link(2, false);
    assert_eq!(rig.take(), ["adjust 1 -30", "adjust 2 -30"]);
    let probe = shunt::agent::ProbeId(1);
    rig.tell(Event::Probed { probe, up: false, text: "no such file".to_owned() });
    assert_eq!(rig.events("track"), ["file /run/ok: down: no such file"]);
    assert_eq!(rig.take(), ["adjust 1 -50", "adjust 2 -50"]);
    rig.link(2, true);
    rig.tell(Event::Probed { probe, up: true, text: "there".to_owned() });
    assert_eq!(rig.take(), ["adjust 1 -20", "adjust 2 -20", "adjust 1 0", "adjust 2 0"]);
}

#[test]
fn a_stop_hands_over_first() {
    let mut rig = Rig::active();
    rig.tell(Event::StopWanted);
    assert_eq!(rig.take(), ["release 1 true", "release 2 true"]);
    rig.lane(State::Backup, Reason::Released, None);
    rig.lane(State::Backup, Reason::AnotherActive, Some(OTHER));
    rig.kernel(false);
    let release = rig.has_command().unwrap();
    let words = rig.take();
    for expected in ["/sbin/release", "1 gone", "2 gone", "stop"] {
        assert!(words.contains(&expected.to_owned()), "{words:?}");
    }
    rig.command_ends(release, Ok(""));
    assert_eq!(rig.take(), ["stopped"]);
}

#[test]
fn a_stop_does_not_wait_for_a_firewall_that_is_alone() {
    let mut rig = Rig::active();
    rig.tell(Event::StopWanted);
    rig.lane(State::Backup, Reason::Released, None);
    rig.take();
    rig.wait(Duration::from_millis(499));
    assert!(!rig.take().contains(&"stopped".to_owned()));
    rig.wait(Duration::from_millis(1100));
    rig.commands_end();
    assert!(rig.take().contains(&"stopped".to_owned()));
}

#[test]
fn commands_run_one_after_the_other() {
    let mut rig = Rig::new();
    rig.lane(State::Active, Reason::ActiveDown, OURS);
    let commit = rig.has_command().unwrap();
    rig.command_ends(commit, Ok(""));
    rig.kernel(true);
    let after = rig.has_command().unwrap();
    assert_eq!(rig.take().last().map(String::as_str), Some("/sbin/after"));
    rig.command_ends(after, Err("exit code 3"));
    assert_eq!(rig.events("takeover"), ["fw: exit code 3"]);
    let then = rig.has_command().unwrap();
    assert_eq!(rig.take(), ["/sbin/then"]);
    // What is left of one role does not run in the other.
    rig.lane(State::Backup, Reason::HigherPriority, Some(OTHER));
    assert!(!rig.take().contains(&"/sbin/release".to_owned()), "the other one still runs");
    rig.command_ends(then, Ok(""));
    assert_eq!(rig.take(), ["/sbin/release"]);
}

/// Each router alone from now on, or together again.
#[test]
fn another_sync_group_takes_nothing_from_an_active() {
    let mut rig = Rig::active();
    let mut alone = crate::rig::config();
    for router in alone.vrrp.values_mut() {
        router.sync_group = None;
    }
    for config in [alone, crate::rig::config()] {
        rig.tell(Event::Reconfigured(Box::new(config)));
        assert_eq!((rig.take(), rig.preference()), (Vec::<String>::new(), 200));
    }
}

#[test]
fn a_group_without_one_of_its_interfaces_is_given_away() {
    let mut rig = Rig::active();
    rig.tell(Event::Kernel(Observed::LinkGone { index: 2 }));
    assert_eq!(rig.preference(), 50);
    let words = rig.take();
    assert!(words.contains(&"release 2 true".to_owned()), "{words:?}");
    // And asked for again when it is back.
    rig.link(2, true);
    assert!(rig.take().contains(&"release 2 false".to_owned()));
}
