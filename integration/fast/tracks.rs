//! What lowers the priority of an Active, and how soon the others hear of it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::segment::{OWN, Segment};
use crate::lab::vrrp::{Instance, Keepalived, LOWERED_BY, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Bird, Net, Node, PATIENCE, Peer, Session, Speaker, wait_for};

/// The Active's, with all that it tracks. Without one of two things it is still the higher one, without both it is not.
const HIGHER: u8 = 150;
const LOWER: u8 = 90;
/// What is tracked beside the file.
const INTERFACE: &str = "tracked0";
const PREFIX: &str = "192.0.2.0/24";

/// Seconds from the change until the packet, on a machine that has other things to do.
const SOON: f64 = 0.25;

/// shuntd, which tracks an interface as well: beneath what the file takes, together with it too low.
fn shunt(node: &Node, router: VrrpRouter) -> VrrpShunt {
    node.ip_batch(&format!("link add {INTERFACE} type veth peer name end\nlink set end up\n"));
    node.up(INTERFACE);
    let more =
        format!("\n[[vrrp.four.track]]\ninterface = \"{INTERFACE}\"\nlower-by = {LOWERED_BY}\n");
    VrrpShunt::with(node, router, &more)
}

fn change(version: u8) -> impl Fn(usize, &mut VrrpRouter) {
    move |index, router| {
        router.instances.truncate(1);
        let four = &mut router.instances[0];
        four.priority = if index == 0 { HIGHER } else { LOWER };
        four.version = version;
        four.interval = 100;
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// What the first one has advertised, with the time of the calendar.
#[track_caller]
fn advertised<A: VrrpPeer, B: VrrpPeer>(segment: &Segment<A, B>) -> Vec<(f64, u8)> {
    let filter = format!("vrrp && ip.src == {}", OWN[0]);
    let lines = segment.capture.fields(&filter, &["frame.time_epoch", "vrrp.prio"]);
    let both = lines.iter().filter_map(|line| line.split_once('\t'));
    both.map(|(time, priority)| (time.parse().unwrap(), priority.parse().unwrap())).collect()
}

/// After `change` the very next advertisement of the Active has another priority, and it does not wait for its time: half
/// a second is left until then.
#[track_caller]
fn is_told_at_once<A: VrrpPeer, B: VrrpPeer>(
    segment: &mut Segment<A, B>,
    expected: u8,
    change: impl FnOnce(&mut Segment<A, B>),
) {
    let count = advertised(segment).len();
    wait_for("advertisement", PATIENCE, || match advertised(segment).len() {
        more if more > count => Ok(()),
        _ => Err("none".to_owned()),
    });
    let began = now();
    change(segment);
    let after = wait_for(&format!("two advertisements with {expected}"), PATIENCE, || {
        let after = advertised(segment).into_iter().filter(|(time, _)| *time > began);
        let after: Vec<_> = after.collect();
        match after.iter().filter(|(_, priority)| *priority == expected).count() {
            0 | 1 => Err(format!("{after:?}")),
            _ => Ok(after),
        }
    });
    let others = after.iter().filter(|(_, priority)| *priority != expected).count();
    let (time, _) = after[others.min(after.len() - 1)];
    assert_eq!(others, 0, "after the change at {began}: {after:?}");
    assert!(time < began + SOON, "after the change at {began}: {after:?}");
}

#[track_caller]
fn reach_the_wire(version: u8) {
    let mut segment = Segment::with(shunt, Keepalived::start, change(version));
    segment.first_is_active();
    is_told_at_once(&mut segment, HIGHER - LOWERED_BY, |segment| segment.nodes[0].down(INTERFACE));
    is_told_at_once(&mut segment, HIGHER, |segment| segment.nodes[0].up(INTERFACE));
    segment.first_is_active();
    is_told_at_once(&mut segment, HIGHER - LOWERED_BY, |segment| segment.nodes[0].down(INTERFACE));
    // keepalived goes by what it is told: with both it is the higher one.
    segment.first_is_active();
    segment.first.track(false);
    segment.second_is_active(true);
    segment.first.track(true);
    segment.first_is_active();
    segment.nodes[0].up(INTERFACE);
    segment.saw(&format!("vrrp.prio == {}", HIGHER - 2 * LOWERED_BY));
    segment.no_faults();
}

#[test]
fn reach_the_wire_with_the_next_advertisement_in_version_2() {
    reach_the_wire(2);
}

#[test]
fn reach_the_wire_with_the_next_advertisement_in_version_3() {
    reach_the_wire(3);
}

/// The other way round: shuntd as Backup hears keepalived's.
#[test]
fn are_heard_from_keepalived() {
    for version in [2, 3] {
        let mut segment = Segment::with(Keepalived::start, VrrpShunt::start, change(version));
        segment.first_is_active();
        for (there, expected) in [(false, HIGHER - LOWERED_BY), (true, HIGHER)] {
            segment.first.track(there);
            wait_for(&format!("priority {expected}"), PATIENCE, || {
                let shown = segment.second.shuntd.json(&["vrrp"])?;
                match &shown["routers"][0]["active_priority"] {
                    priority if *priority == expected => Ok(()),
                    _ => Err(shown.to_string()),
                }
            });
            segment.first_is_active();
        }
    }
}

/// A route that BGP has learned.
#[test]
fn a_route_that_is_gone_moves_the_role() {
    let mut net = Net::new();
    let [feed, first, second] = ["feed", "first", "second"].map(|name| net.node(name));
    net.link(&first, &feed, 0);
    let _lan = net.lan("lan", 1, &[&first, &second]);
    let router = |priority| VrrpRouter {
        instances: super::segment::instances(priority),
        ..VrrpRouter::default()
    };
    let mut bird = Bird::start(
        &feed,
        Speaker {
            asn: 65001,
            router_id: "10.255.0.2".parse().unwrap(),
            sessions: vec![Session::new("10.99.0.2", "10.99.0.1", 65000)],
            networks: vec![PREFIX.to_owned()],
        },
    );
    let more = format!(
        "\n[kernel]\ngrace = \"1s\"\n\n[neighbor.feed]\naddress = \"10.99.0.2\"\nremote-as = 65001\nimport = \"all\"\nexport = \"none\"\n\
         connect-retry = \"1s\"\n[[vrrp.four.track]]\nroute = \"{PREFIX}\"\nlower-by = {LOWERED_BY}\n\
         [[vrrp.six.track]]\nneighbor = \"feed\"\nlower-by = {LOWERED_BY}\n"
    );
    let first = VrrpShunt::with(&first, router(HIGHER), &more);
    let second = Keepalived::start(&second, router(HIGHER - 10));
    let roles = |four: &str, six: &str| {
        for (name, expected) in [("four", four), ("six", six)] {
            wait_for(&format!("{name} {expected} at the first"), PATIENCE, || {
                let other = if expected == "active" { "backup" } else { "active" };
                match (first.role(name)?, second.role(name)?) {
                    (one, two) if one == expected && two == other => Ok(()),
                    both => Err(format!("{both:?}")),
                }
            });
        }
    };
    roles("active", "active");
    bird.withdraw(PREFIX);
    roles("backup", "active");
    bird.announce(PREFIX);
    roles("active", "active");
    bird.kill();
    roles("backup", "backup");
    bird.start();
    roles("active", "active");
}

/// A command that runs for long does not outlive a shuntd that is killed.
#[test]
fn end_with_shuntd() {
    let mut net = Net::new();
    let [node, other] = ["one", "other"].map(|name| net.node(name));
    net.lan("lan", 1, &[&node, &other]);
    let told = node.path("command.pid");
    let command = format!("sleep 1000 & echo $! >{told}; wait");
    let more = format!(
        "\n[[vrrp.four.track]]\ncommand = [\"/bin/sh\", \"-c\", \"{command}\"]\ntimeout = \"60s\"\ninterval = \"60s\"\n"
    );
    let router = VrrpRouter {
        instances: vec![Instance::new("four", "lan", 4, &["10.98.1.100/24"], 100)],
        ..VrrpRouter::default()
    };
    let mut shunt = VrrpShunt::with(&node, router, &more);
    let child = wait_for("command", PATIENCE, || {
        let text = std::fs::read_to_string(&told).map_err(|error| error.to_string())?;
        text.trim().parse::<u32>().map_err(|error| error.to_string())
    });
    let lives = || std::path::Path::new(&format!("/proc/{child}")).exists();
    assert!(lives());
    shunt.kill();
    wait_for("its end", PATIENCE, || if lives() { Err("it lives".to_owned()) } else { Ok(()) });
}
