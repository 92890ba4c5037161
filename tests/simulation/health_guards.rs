//! When a node doubts what its checks say: what begins and ends a doubt, and what is held back meanwhile.

use shunt::api::v1;
use shunt::sim::{Answer, Link, Service, World};

use super::health::{Pair, announcement, five, millis, text, web};

const WITNESS: &str = "[check.gateway]\nicmp = \"10.9.9.9\"\ninterval = \"100ms\"\n\
                       fast-interval = \"50ms\"\ntimeout = \"200ms\"\n\
                       [guard]\nwitnesses = [\"gateway\"]\n";

fn bad() -> Service {
    Service { answer: Answer::Bad, ..Service::default() }
}

/// The witness is asked ten times a second and the service twice a minute: the first of them that answers again says
/// nothing of the other.
#[test]
fn who_sees_again_waits_for_the_slowest_check() {
    let texts = [0, 1].map(|site| {
        text(site, "", WITNESS).replacen("interval = \"100ms\"", "interval = \"30s\"", 1)
    });
    let mut pair = Pair::of(1, texts);
    pair.guarded(millis(30_000));
    pair.changed();
    pair.world.set_check_loss(pair.sites[0], 100);
    pair.guarded(millis(60_000));
    let down = |pair: &Pair| {
        pair.status(0).warnings.iter().any(|warning| warning.starts_with("check web "))
    };
    assert!(down(&pair), "{:?}", pair.status(0).warnings);
    pair.world.set_check_loss(pair.sites[0], 0);
    pair.guarded(millis(600));
    let again = "guard: a witness answers again: what the checks say counts from ";
    assert!(pair.because(0)[1].starts_with(again), "{:?}", pair.because(0));
    assert!(pair.because(0)[1].contains(": check web is down: no "), "{:?}", pair.because(0));
    let warnings = pair.status(0).warnings;
    assert!(warnings.iter().any(|warning| warning.starts_with(again)), "{warnings:?}");
    // It is asked in a hurry, and is up before anything counts.
    pair.guarded(millis(3000));
    assert!(!down(&pair), "{:?}", pair.status(0).warnings);
    pair.guarded(millis(60_000));
    assert_eq!((pair.preferences(), pair.changed()), ([200, 100], [0, 0]));
    assert_eq!(pair.because(0).len(), 1, "{:?}", pair.because(0));
}

/// Without a word of what was held back, nothing of it would ever count.
#[test]
fn what_a_freeze_held_back_counts_when_it_is_configured_away() {
    let guard = "[guard]\ncorrelated = 3\nwithin = \"10s\"\nfreeze = \"10m\"\n";
    let mut pair = Pair::of(1, five(guard));
    let node = pair.sites[0];
    let drained = |world: &World| {
        let groups = world.agent(node).unwrap().groups("", world.agent_now(node)).unwrap().groups;
        groups.iter().filter(|group| group.announcements[0].preference == 10).count()
    };
    for group in 1..=5 {
        pair.world.set_service(&format!("10.9.1.{}:80", 20 + group), bad());
    }
    pair.world.run_for(millis(30_000));
    assert_eq!(drained(&pair.world), 3);
    // A check that is there anew is held back like the others.
    let [frozen, _] = five(guard);
    let changed = frozen.replace("timeout = \"200ms\"", "timeout = \"150ms\"");
    pair.world.reload(node, &changed).unwrap();
    pair.world.run_for(millis(30_000));
    assert_eq!(drained(&pair.world), 3);
    pair.world.reload(node, &changed.replace(guard, "")).unwrap();
    pair.world.run_for(millis(3000));
    assert_eq!(drained(&pair.world), 5);
}

/// The same freeze as by the area, where other nodes are heard of by BGP alone.
#[test]
fn other_nodes_that_are_heard_of_by_bgp_freeze_as_well() {
    let guard = "[guard]\ncorrelated = 1\nwithin = \"10s\"\nfreeze = \"60s\"\n";
    let mut world = World::new(5);
    let sites = [0, 1, 2].map(|site| {
        let others: &[u8] = if site == 0 { &[1, 2] } else { &[0] };
        let mut more = if site == 0 { guard.to_owned() } else { String::new() };
        for other in others {
            let link = u8::max(*other, u8::try_from(site).unwrap());
            let end = if *other == 0 { 1 } else { 2 };
            more += &format!(
                "[neighbor.n{other}]\naddress = \"10.0.{link}.{end}\"\nremote-as = 64500\n\
                 import = \"all\"\nexport = \"groups\"\n"
            );
        }
        let text = text(site, "", &more);
        let text = text.replace("dc2 = \"standby\" }", "dc2 = \"standby\", dc3 = 50 }");
        let (before, rest) = text.split_once("[ospf]").unwrap();
        let (_, rest) = rest.split_once("network = \"point-to-point\"\n").unwrap();
        world.node(&format!("{before}{rest}"))
    });
    for other in [1, 2] {
        let (ours, theirs) = (format!("10.0.{other}.1/24"), format!("10.0.{other}.2/24"));
        world.link((sites[0], &ours), (sites[other], &theirs), Link::default());
    }
    for node in sites {
        world.start(node);
        assert!(world.agent(node).is_some(), "a mistake in the configuration");
    }
    world.run_for(millis(30_000));
    let preferences =
        |world: &World| sites.map(|node| announcement(world, node).map_or(0, |own| own.preference));
    assert_eq!(preferences(&world), [200, 100, 50]);
    // One other node that changes twice is one.
    world.set_service(&web(1), bad());
    world.run_for(millis(2000));
    world.set_service(&web(1), Service::default());
    world.run_for(millis(2000));
    let alarms = |world: &World| {
        let is_one = |event: &&v1::Event| event.kind == "guard" && event.severity == "warning";
        world.events(sites[0]).iter().filter(is_one).count()
    };
    assert_eq!(alarms(&world), 0, "{}", world.transcript());
    world.run_for(millis(20_000));
    world.set_service(&web(1), bad());
    world.set_service(&web(2), bad());
    world.run_for(millis(3000));
    world.set_service(&web(0), bad());
    world.run_for(millis(3000));
    assert_eq!((preferences(&world), alarms(&world)), ([200, 9, 8], 1));
    let because = announcement(&world, sites[0]).unwrap().because;
    let frozen = "guard: frozen: more than 1 nodes changed within 10 s";
    assert!(because[1].starts_with(frozen), "{because:?}");
    world.run_for(millis(60_000));
    assert_eq!(preferences(&world), [10, 9, 8]);
}

/// Down at both sites, which is said, and nobody is withdrawn; down at one of them is nothing to speak of.
#[test]
fn who_is_down_with_all_others_says_why_it_stays() {
    let mut pair = Pair::new(1, "", "");
    pair.refuse(0);
    pair.guarded(millis(10_000));
    let kept = "guard: 198.51.100.7/32 is down here, and on-all-down keeps it announced: no other \
                site announces it any better";
    let says = |pair: &Pair| pair.status(0).warnings.iter().any(|warning| warning == kept);
    assert!(!says(&pair), "the other one has it");
    pair.refuse(1);
    pair.guarded(millis(10_000));
    assert!(says(&pair), "{:?}", pair.status(0).warnings);
    assert_eq!(
        pair.because(0).last().unwrap(),
        "guard: on-all-down: stays announced, as no other site announces it any better: drain (10)"
    );
    assert!(pair.status(1).warnings.iter().all(|warning| !warning.starts_with("guard: ")));
    let told = |pair: &Pair| {
        let events = pair.world.events(pair.sites[0]).iter();
        let guards = events.filter(|event| event.kind == "guard");
        guards.map(|event| (event.severity.clone(), event.text.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&pair).len(), 1, "{:?}", told(&pair));
    assert_eq!(told(&pair)[0].0, "warning");
    pair.recover(1);
    pair.guarded(millis(10_000));
    assert!(!says(&pair), "{:?}", pair.status(0).warnings);
    let over = "on-all-down: holds nothing back any more";
    assert_eq!(told(&pair)[1], ("info".to_owned(), over.to_owned()));
}
