//! The model of the kernel's routes against a kernel that follows the rules of Linux.

mod kernel;
mod objects;
mod random;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use shunt::fib::{
    Change, Exit, Fib, Hop, Hops, KernelError, Key, Leg, Observed, Route, Settings, Urgency, Via,
    WINDOW,
};
use shunt::types::{Family, Prefix, Time};

const METRIC: u32 = 20;
const OLD_METRIC: u32 = 30;
const EEXIST: i32 = 17;
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;
const ENETUNREACH: i32 = 101;

fn settings() -> Settings {
    let (grace, rescan) = (Duration::from_secs(60), Duration::from_secs(600));
    Settings { metric: METRIC, grace, rescan, objects: false }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn hops(gateways: &[u8]) -> Hops {
    let hop = |last: &u8| Hop {
        gateway: IpAddr::from([192, 0, 2, *last]),
        interface: if last % 2 == 1 { 7 } else { 8 },
    };
    gateways.iter().map(hop).collect()
}

/// What a source of that number says.
fn leg(source: u8) -> Leg {
    let next_hop = Some(IpAddr::from([198, 51, 100, source]));
    Leg { source: u32::from(source), next_hop, hops: hops(&[source]) }
}

fn exit(gateways: &[u8]) -> Option<Exit> {
    Exit::plain(Family::Ipv4, hops(gateways))
}

fn route(text: &str, gateways: &[u8]) -> Route {
    Route { prefix: prefix(text), via: Via::Hops(hops(gateways)), metric: METRIC }
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn error(errno: i32) -> KernelError {
    KernelError { errno, text: "refused".to_owned() }
}

/// A model whose first dump showed these routes.
fn ready(routes: &[Route]) -> Fib {
    let mut fib = Fib::new(settings(), Time::ZERO);
    assert!(fib.take_scan());
    fib.observe(Observed::DumpBegun, Time::ZERO);
    for route in routes {
        fib.observe(Observed::Dumped(route.clone()), Time::ZERO);
    }
    fib.observe(Observed::DumpDone, Time::ZERO);
    fib
}

fn all_applied(fib: &mut Fib, now: Time) -> Vec<Change> {
    let changes = fib.poll(usize::MAX);
    for change in &changes {
        fib.applied(change.key(), Ok(()), now);
    }
    changes
}

#[test]
fn nothing_is_changed_before_the_first_dump_is_complete() {
    let mut fib = Fib::new(settings(), Time::ZERO);
    fib.want(prefix("10.0.0.0/8"), exit(&[1]), Urgency::Bulk);
    fib.want(prefix("10.1.0.0/16"), exit(&[1]), Urgency::Bulk);
    assert!(fib.take_scan());
    assert!(!fib.take_scan(), "asked for once");
    fib.observe(Observed::DumpBegun, Time::ZERO);
    fib.observe(Observed::Dumped(route("10.0.0.0/8", &[1])), Time::ZERO);
    assert!(fib.poll(9).is_empty() && !fib.is_ready() && !fib.is_settled());
    fib.observe(Observed::DumpDone, Time::ZERO);
    assert_eq!(fib.poll(9), [Change::Create(route("10.1.0.0/16", &[1]))]);
    fib.applied(Key::Route(prefix("10.1.0.0/16")), Ok(()), Time::ZERO);
    assert!(fib.is_settled());
}

#[test]
fn adopted_routes_stay_until_the_sweep_and_wanted_ones_are_corrected_at_once() {
    let mut fib =
        ready(&[route("10.0.0.0/8", &[1]), route("10.1.0.0/16", &[1]), route("10.2.0.0/16", &[1])]);
    assert_eq!(fib.totals().adopted, 3);
    fib.want(prefix("10.0.0.0/8"), exit(&[1]), Urgency::Bulk);
    fib.want(prefix("10.1.0.0/16"), exit(&[2, 1]), Urgency::Bulk);
    assert_eq!(
        all_applied(&mut fib, at(1)),
        [Change::Replace(route("10.1.0.0/16", &[1, 2]))],
        "make before break, and the right one is left alone"
    );
    assert!(fib.is_settled());
    // Wanted in this life and then not: no need to wait for the sweep.
    fib.want(prefix("10.0.0.0/8"), None, Urgency::Bulk);
    let delete = |text| Change::Delete { prefix: prefix(text), metric: METRIC };
    assert_eq!(all_applied(&mut fib, at(2)), [delete("10.0.0.0/8")]);
    fib.tick(at(59));
    assert!(fib.poll(9).is_empty());
    assert_eq!(fib.deadline(), Some(at(60)));
    fib.tick(at(60));
    assert_eq!(all_applied(&mut fib, at(60)), [delete("10.2.0.0/16")]);
    assert_eq!((fib.totals().observed, fib.totals().adopted), (1, 0));
}

#[test]
fn a_route_that_is_unwanted_while_it_is_created_is_not_taken_for_an_adopted_one() {
    let mut fib = ready(&[]);
    fib.want(prefix("10.0.0.0/8"), exit(&[1]), Urgency::Bulk);
    assert_eq!(fib.poll(9).len(), 1);
    fib.want(prefix("10.0.0.0/8"), None, Urgency::Bulk);
    assert!(fib.poll(9).is_empty(), "one change in flight per prefix");
    fib.applied(Key::Route(prefix("10.0.0.0/8")), Ok(()), Time::ZERO);
    assert_eq!(fib.poll(9), [Change::Delete { prefix: prefix("10.0.0.0/8"), metric: METRIC }]);
}

#[test]
fn a_foreign_route_in_the_way_is_reported_and_left_alone() {
    let mut fib = ready(&[]);
    let target = prefix("10.0.0.0/8");
    fib.want(target, exit(&[1]), Urgency::Bulk);
    assert_eq!(fib.poll(9), [Change::Create(route("10.0.0.0/8", &[1]))]);
    fib.applied(Key::Route(target), Err(error(EEXIST)), at(1));
    assert!(fib.poll(9).is_empty(), "waits");
    let failure = fib.route(target).unwrap().failure.unwrap();
    assert_eq!(
        failure.error.to_string(),
        "another program's route has the same prefix and metric; it is left alone: delete it, or change \
         kernel.metric"
    );
    // Is it ours after all? The scan says no.
    fib.tick(at(2));
    assert!(fib.take_scan());
    fib.observe(Observed::DumpBegun, at(2));
    fib.observe(Observed::DumpDone, at(2));
    assert_eq!(fib.poll(9), [Change::Create(route("10.0.0.0/8", &[1]))], "never a replace");
    fib.applied(Key::Route(target), Err(error(EEXIST)), at(3));
    // The scan says yes.
    fib.tick(at(4));
    assert!(fib.take_scan());
    fib.observe(Observed::DumpBegun, at(4));
    fib.observe(Observed::Dumped(route("10.0.0.0/8", &[9])), at(4));
    fib.observe(Observed::DumpDone, at(4));
    fib.tick(at(5));
    assert_eq!(fib.poll(9), [Change::Replace(route("10.0.0.0/8", &[1]))]);
}

#[test]
fn failures_are_tried_again_with_doubling_waits_and_at_once_when_a_link_comes_up() {
    let mut fib = ready(&[]);
    let target = prefix("10.0.0.0/8");
    fib.want(target, exit(&[1]), Urgency::Bulk);
    let mut now = at(0);
    for wait in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert_eq!(fib.poll(9).len(), 1);
        fib.applied(Key::Route(target), Err(error(ENETUNREACH)), now);
        assert_eq!(
            fib.route(target).unwrap().failure.unwrap().retry_at,
            now + at(wait).since(at(0))
        );
        assert!(fib.poll(9).is_empty());
        now += Duration::from_secs(wait);
        fib.tick(now);
    }
    assert_eq!(fib.poll(9).len(), 1);
    fib.applied(Key::Route(target), Err(error(ENETUNREACH)), now);
    assert_eq!(fib.totals().failed, 1);
    fib.observe(Observed::Link { index: 7, name: "eth0".to_owned(), up: true, mtu: 1500 }, now);
    assert_eq!(fib.poll(9).len(), 1);
    fib.applied(Key::Route(target), Ok(()), now);
    assert_eq!((fib.totals().failed, fib.is_settled()), (0, true));
    assert_eq!(fib.route(target).unwrap().failure, None);
}

#[test]
fn missing_routes_are_no_error() {
    let mut fib = ready(&[]);
    let (one, two) = (prefix("10.0.0.0/8"), prefix("10.1.0.0/16"));
    fib.want(one, exit(&[1]), Urgency::Bulk);
    fib.want(two, exit(&[1]), Urgency::Bulk);
    all_applied(&mut fib, at(1));
    fib.want(one, None, Urgency::Bulk);
    fib.want(two, exit(&[2]), Urgency::Bulk);
    let changes = fib.poll(9);
    assert_eq!(changes[1], Change::Replace(route("10.1.0.0/16", &[2])));
    fib.applied(Key::Route(one), Err(error(ESRCH)), at(1));
    fib.applied(Key::Route(two), Err(error(ENOENT)), at(1));
    assert_eq!(all_applied(&mut fib, at(1)), [Change::Create(route("10.1.0.0/16", &[2]))]);
    assert!(fib.is_settled());
    assert_eq!(fib.totals().failed, 0);
}

#[test]
fn a_dump_tells_what_is_gone_and_what_came_meanwhile_is_newer() {
    let mut fib = ready(&[]);
    for text in ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"] {
        fib.want(prefix(text), exit(&[1]), Urgency::Bulk);
    }
    all_applied(&mut fib, at(0));
    fib.tick(at(600));
    assert!(fib.take_scan(), "the safety net");
    fib.observe(Observed::DumpBegun, at(600));
    // 10.0/8 is gone without an event; 10.1/16 goes and 10.2/16 changes while the dump runs.
    fib.observe(Observed::RouteGone { prefix: prefix("10.1.0.0/16"), metric: METRIC }, at(600));
    fib.observe(Observed::Dumped(route("10.1.0.0/16", &[1])), at(600));
    fib.want(prefix("10.2.0.0/16"), exit(&[2]), Urgency::Bulk);
    assert_eq!(all_applied(&mut fib, at(600)).len(), 2, "10.1/16 again, and 10.2/16");
    fib.observe(Observed::Dumped(route("10.2.0.0/16", &[1])), at(600));
    fib.observe(Observed::DumpDone, at(600));
    assert_eq!(all_applied(&mut fib, at(600)), [Change::Create(route("10.0.0.0/8", &[1]))]);
    assert!(fib.is_settled());
}

#[test]
fn lost_events_and_links_that_go_down_ask_for_a_scan() {
    let link = |up| Observed::Link { index: 7, name: "eth0".to_owned(), up, mtu: 1500 };
    let address = Observed::AddressGone {
        interface: 7,
        address: IpAddr::from([192, 0, 2, 1]),
        network: prefix("192.0.2.0/24"),
    };
    for reason in [Observed::Lost, link(false), Observed::LinkGone { index: 7 }, address] {
        let mut fib = ready(&[]);
        fib.sweep();
        fib.observe(link(true), at(1));
        fib.observe(
            Observed::Address {
                interface: 7,
                address: IpAddr::from([192, 0, 2, 1]),
                network: prefix("192.0.2.0/24"),
            },
            at(1),
        );
        assert_eq!(fib.deadline(), Some(at(600)));
        fib.observe(reason.clone(), at(10));
        fib.observe(Observed::Lost, at(10));
        assert_eq!(fib.deadline(), Some(at(11)), "{reason:?}");
        fib.tick(at(11));
        assert!(fib.take_scan() && !fib.take_scan());
        // Lost again while the dump runs: once more.
        fib.observe(Observed::DumpBegun, at(11));
        fib.observe(Observed::Lost, at(11));
        fib.observe(Observed::DumpDone, at(12));
        assert_eq!(fib.deadline(), Some(at(13)));
    }
}

#[test]
fn routes_of_an_earlier_metric_go_after_the_new_ones_are_there() {
    let old = Route { metric: OLD_METRIC, ..route("10.0.0.0/8", &[1]) };
    let mut fib = ready(std::slice::from_ref(&old));
    fib.want(prefix("10.0.0.0/8"), exit(&[1]), Urgency::Bulk);
    fib.sweep();
    assert_eq!(all_applied(&mut fib, at(1)), [Change::Create(route("10.0.0.0/8", &[1]))]);
    let delete = Change::Delete { prefix: prefix("10.0.0.0/8"), metric: OLD_METRIC };
    assert_eq!(all_applied(&mut fib, at(1)), [delete]);
    assert!(fib.poll(9).is_empty() && fib.is_settled());
}

#[test]
fn the_window_is_bounded() {
    let mut fib = ready(&[]);
    for n in 0..2000u32 {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + (n << 8));
        fib.want(Prefix::new(address.into(), 24).unwrap(), exit(&[1]), Urgency::Bulk);
    }
    assert_eq!(fib.poll(100).len(), 100);
    let rest = fib.poll(usize::MAX);
    assert_eq!(rest.len(), WINDOW - 100);
    assert!(fib.poll(usize::MAX).is_empty());
    fib.applied(rest[0].key(), Ok(()), Time::ZERO);
    assert_eq!(fib.poll(usize::MAX).len(), 1);
    assert_eq!((fib.totals().wanted, fib.totals().observed), (2000, 1));
}

#[test]
fn links_and_addresses_make_connected_networks() {
    let mut fib = ready(&[]);
    let address = |interface, text: &str, network: &str| Observed::Address {
        interface,
        address: text.parse().unwrap(),
        network: prefix(network),
    };
    let link = |index, up| Observed::Link { index, name: format!("eth{index}"), up, mtu: 1500 };
    // An address can come before its link.
    fib.observe(address(2, "192.0.2.1", "192.0.2.0/24"), at(1));
    assert!(fib.take_interfaces_changed() && !fib.take_interfaces_changed());
    assert_eq!(fib.interfaces().connected().count(), 0);
    fib.observe(link(2, true), at(1));
    fib.observe(address(2, "fe80::1", "fe80::/64"), at(1));
    fib.observe(address(2, "10.9.9.1", "10.9.9.2/32"), at(1));
    fib.observe(link(3, false), at(1));
    fib.observe(address(3, "203.0.113.1", "203.0.113.0/24"), at(1));
    let connected: BTreeSet<(Prefix, u32)> = fib.interfaces().connected().collect();
    assert_eq!(connected, [(prefix("192.0.2.0/24"), 2), (prefix("10.9.9.2/32"), 2)].into());
    assert_eq!(fib.interfaces().addresses().count(), 4);
    fib.take_interfaces_changed();
    fib.observe(link(2, true), at(1));
    assert!(!fib.take_interfaces_changed(), "the same again");
    // A dump that does not show interface 3.
    fib.observe(Observed::DumpBegun, at(2));
    fib.observe(link(2, true), at(2));
    fib.observe(address(2, "192.0.2.1", "192.0.2.0/24"), at(2));
    fib.observe(Observed::DumpDone, at(2));
    assert!(fib.take_interfaces_changed());
    assert!(fib.interfaces().link(3).is_none());
    assert_eq!(fib.interfaces().connected().count(), 1);
}

#[test]
fn a_link_is_shown_with_its_mtu_and_ipv4_addresses() {
    let mut fib = ready(&[]);
    fib.sweep();
    let link = |mtu| Observed::Link { index: 7, name: "eth0".to_owned(), up: true, mtu };
    fib.observe(link(1500), at(1));
    for (address, network) in
        [("192.0.2.9", "192.0.2.0/24"), ("192.0.2.1", "192.0.2.0/24"), ("fe80::1", "fe80::/64")]
    {
        let (address, network) = (address.parse().unwrap(), prefix(network));
        fib.observe(Observed::Address { interface: 7, address, network }, at(1));
    }
    fib.take_interfaces_changed();
    fib.observe(link(9000), at(1));
    assert!(fib.take_interfaces_changed());
    assert_eq!(fib.deadline(), Some(at(600)), "routes stay through a change of the MTU");
    let links: Vec<_> = fib.interfaces().links().collect();
    let [(7, link)] = links[..] else { panic!("{links:?}") };
    assert_eq!((link.name.as_str(), link.up, link.mtu), ("eth0", true, 9000));
    let found: Vec<String> =
        link.ipv4().map(|(address, network)| format!("{address} {network}")).collect();
    assert_eq!(found, ["192.0.2.1 192.0.2.0/24", "192.0.2.9 192.0.2.0/24"]);
}

#[test]
fn an_exit_that_withdraws_leaves_nothing_of_ours() {
    let mut fib = ready(&[route("10.0.0.0/8", &[1]), route("10.1.0.0/16", &[1])]);
    fib.want(prefix("10.0.0.0/8"), exit(&[1]), Urgency::Bulk);
    fib.withdraw_all();
    assert_eq!(all_applied(&mut fib, at(1)).len(), 2);
    assert_eq!(fib.totals().observed, 0);
    assert!(fib.page(None, 9).is_empty());
}
