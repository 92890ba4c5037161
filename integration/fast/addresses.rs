//! The virtual addresses of a daemon that lives, stands still, dies, and comes back.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::vrrp::{Instance, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Net, Node, PATIENCE, wait_for, within};

/// Between two advertisements.
const INTERVAL: Duration = Duration::from_millis(100);
const LINKS: [&str; 2] = ["vrrp4.51", "vrrp6.51"];
const ALL: [&str; 4] = ["10.98.1.100", "10.98.1.101", "fe80::5100", "fd98:1::100"];

/// A node that is alone on a LAN, Active for IPv4 and IPv6.
fn alone(net: &mut Net) -> (Node, VrrpShunt) {
    let node = net.node("alone");
    net.lan("lan", 1, &[&node]);
    let instance = |name, addresses: &[&str]| Instance {
        interval: 10,
        virtual_mac: true,
        ..Instance::new(name, "lan", 51, addresses, 150)
    };
    let router = VrrpRouter {
        instances: vec![
            instance("four", &["10.98.1.100/24", "10.98.1.101/24"]),
            instance("six", &["fe80::5100/64", "fd98:1::100/64"]),
        ],
        ..VrrpRouter::default()
    };
    let shunt = VrrpShunt::start(&node, router);
    (node, shunt)
}

/// Which of the virtual addresses the node has, by `ip`.
fn held(node: &Node) -> Vec<&'static str> {
    let text = node.must("ip", &["-oneline", "address"]);
    let has = |address: &&str| text.contains(&format!(" {address}/"));
    ALL.into_iter().filter(has).collect()
}

/// Which of the macvlans there are, and of these which are up.
fn links(node: &Node) -> (Vec<&'static str>, Vec<&'static str>) {
    let text = node.must("ip", &["-oneline", "link"]);
    let line = |name: &str| text.lines().find(|line| line.contains(&format!(" {name}@")));
    let there = LINKS.into_iter().filter(|name| line(name).is_some());
    let up = LINKS.into_iter().filter(|name| {
        line(name).is_some_and(|line| line.contains(",UP,") || line.contains(",UP>"))
    });
    (there.collect(), up.collect())
}

#[track_caller]
fn wait_until(node: &Node, expected: &[&str], up: &[&str]) {
    wait_for(&format!("addresses {expected:?}"), PATIENCE, || {
        let (held, (_, links)) = (held(node), links(node));
        if held == expected && links == up { Ok(()) } else { Err(format!("{held:?} {links:?}")) }
    });
}

/// How long it takes until 10.98.1.100 is not an address of the node any more. Asks the kernel itself: `ip` takes
/// longer than that.
#[track_caller]
fn time_until_gone(node: &Node, after: impl FnOnce() + Send) -> Duration {
    within(node, move || {
        let has = || UdpSocket::bind("10.98.1.100:0").is_ok();
        assert!(has());
        let begin = Instant::now();
        after();
        while has() {
            assert!(begin.elapsed() < PATIENCE);
        }
        begin.elapsed()
    })
}

fn arp(node: &Node) -> [String; 2] {
    ["arp_ignore", "arp_announce"].map(|key| {
        let path = format!("/proc/sys/net/ipv4/conf/lan/{key}");
        node.must("cat", &[&path]).trim().to_owned()
    })
}

#[test]
fn a_daemon_that_is_killed_leaves_no_address_behind_and_cleans_up_when_it_is_back() {
    let mut net = Net::new();
    let (node, mut shunt) = alone(&mut net);
    wait_until(&node, &ALL, &LINKS);
    assert_eq!(arp(&node), ["1", "2"]);
    let took = time_until_gone(&node, || shunt.shuntd.signal(Signal::SIGKILL));
    println!("addresses gone {took:?} after it was killed");
    shunt.kill();
    wait_until(&node, &[], &[]);

    // The macvlans keep what the interface was like, and the next life restores it at its end.
    assert_eq!(links(&node).0, LINKS);
    assert_eq!(arp(&node), ["1", "2"]);
    shunt.start();
    wait_until(&node, &ALL, &LINKS);
    shunt.stop();
    assert_eq!((links(&node).0, held(&node)), (vec![], vec![]));
    assert_eq!(arp(&node), ["0", "0"]);
}

#[test]
fn a_daemon_that_stands_still_loses_its_addresses_and_takes_them_again() {
    let mut net = Net::new();
    let (node, shunt) = alone(&mut net);
    wait_until(&node, &ALL, &LINKS);
    let took = time_until_gone(&node, || shunt.shuntd.signal(Signal::SIGSTOP));
    println!("addresses gone {took:?} after it was stopped");
    assert!(took > INTERVAL, "too early: {took:?}");
    wait_until(&node, &[], &[]);
    shunt.shuntd.signal(Signal::SIGCONT);
    wait_until(&node, &ALL, &LINKS);
}
