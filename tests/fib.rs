//! The model of the kernel's routes against a kernel that follows the rules of Linux.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use shunt::fib::{Change, Fib, Hop, Hops, KernelError, Observed, Route, Settings, WINDOW};
use shunt::types::{Prefix, Time};

const METRIC: u32 = 20;
const OLD_METRIC: u32 = 30;
const EEXIST: i32 = 17;
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;
const ENETUNREACH: i32 = 101;

fn settings() -> Settings {
    Settings { metric: METRIC, grace: Duration::from_secs(60), rescan: Duration::from_secs(600) }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn hops(gateways: &[u8]) -> Hops {
    let hop = |last: &u8| Hop { gateway: IpAddr::from([192, 0, 2, *last]), interface: 7 };
    gateways.iter().map(hop).collect()
}

fn route(text: &str, gateways: &[u8]) -> Route {
    Route { prefix: prefix(text), hops: hops(gateways), metric: METRIC }
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
        fib.applied(change.prefix(), Ok(()), now);
    }
    changes
}

#[test]
fn nothing_is_changed_before_the_first_dump_is_complete() {
    let mut fib = Fib::new(settings(), Time::ZERO);
    fib.want(prefix("10.0.0.0/8"), Some(hops(&[1])));
    fib.want(prefix("10.1.0.0/16"), Some(hops(&[1])));
    assert!(fib.take_scan());
    assert!(!fib.take_scan(), "asked for once");
    fib.observe(Observed::DumpBegun, Time::ZERO);
    fib.observe(Observed::Dumped(route("10.0.0.0/8", &[1])), Time::ZERO);
    assert!(fib.poll(9).is_empty() && !fib.is_ready() && !fib.is_settled());
    fib.observe(Observed::DumpDone, Time::ZERO);
    assert_eq!(fib.poll(9), [Change::Create(route("10.1.0.0/16", &[1]))]);
    fib.applied(prefix("10.1.0.0/16"), Ok(()), Time::ZERO);
    assert!(fib.is_settled());
}

#[test]
fn adopted_routes_stay_until_the_sweep_and_wanted_ones_are_corrected_at_once() {
    let mut fib =
        ready(&[route("10.0.0.0/8", &[1]), route("10.1.0.0/16", &[1]), route("10.2.0.0/16", &[1])]);
    assert_eq!(fib.totals().adopted, 3);
    fib.want(prefix("10.0.0.0/8"), Some(hops(&[1])));
    fib.want(prefix("10.1.0.0/16"), Some(hops(&[2, 1])));
    assert_eq!(
        all_applied(&mut fib, at(1)),
        [Change::Replace(route("10.1.0.0/16", &[1, 2]))],
        "make before break, and the right one is left alone"
    );
    assert!(fib.is_settled());
    // Wanted in this life and then not: no need to wait for the sweep.
    fib.want(prefix("10.0.0.0/8"), None);
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
    fib.want(prefix("10.0.0.0/8"), Some(hops(&[1])));
    assert_eq!(fib.poll(9).len(), 1);
    fib.want(prefix("10.0.0.0/8"), None);
    assert!(fib.poll(9).is_empty(), "one change in flight per prefix");
    fib.applied(prefix("10.0.0.0/8"), Ok(()), Time::ZERO);
    assert_eq!(fib.poll(9), [Change::Delete { prefix: prefix("10.0.0.0/8"), metric: METRIC }]);
}

#[test]
fn a_foreign_route_in_the_way_is_reported_and_left_alone() {
    let mut fib = ready(&[]);
    let target = prefix("10.0.0.0/8");
    fib.want(target, Some(hops(&[1])));
    assert_eq!(fib.poll(9), [Change::Create(route("10.0.0.0/8", &[1]))]);
    fib.applied(target, Err(error(EEXIST)), at(1));
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
    fib.applied(target, Err(error(EEXIST)), at(3));
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
    fib.want(target, Some(hops(&[1])));
    let mut now = at(0);
    for wait in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert_eq!(fib.poll(9).len(), 1);
        fib.applied(target, Err(error(ENETUNREACH)), now);
        assert_eq!(
            fib.route(target).unwrap().failure.unwrap().retry_at,
            now + at(wait).since(at(0))
        );
        assert!(fib.poll(9).is_empty());
        now += Duration::from_secs(wait);
        fib.tick(now);
    }
    assert_eq!(fib.poll(9).len(), 1);
    fib.applied(target, Err(error(ENETUNREACH)), now);
    assert_eq!(fib.totals().failed, 1);
    fib.observe(Observed::Link { index: 7, name: "eth0".to_owned(), up: true, mtu: 1500 }, now);
    assert_eq!(fib.poll(9).len(), 1);
    fib.applied(target, Ok(()), now);
    assert_eq!((fib.totals().failed, fib.is_settled()), (0, true));
    assert_eq!(fib.route(target).unwrap().failure, None);
}

#[test]
fn missing_routes_are_no_error() {
    let mut fib = ready(&[]);
    let (one, two) = (prefix("10.0.0.0/8"), prefix("10.1.0.0/16"));
    fib.want(one, Some(hops(&[1])));
    fib.want(two, Some(hops(&[1])));
    all_applied(&mut fib, at(1));
    fib.want(one, None);
    fib.want(two, Some(hops(&[2])));
    let changes = fib.poll(9);
    assert_eq!(changes[1], Change::Replace(route("10.1.0.0/16", &[2])));
    fib.applied(one, Err(error(ESRCH)), at(1));
    fib.applied(two, Err(error(ENOENT)), at(1));
    assert_eq!(all_applied(&mut fib, at(1)), [Change::Create(route("10.1.0.0/16", &[2]))]);
    assert!(fib.is_settled());
    assert_eq!(fib.totals().failed, 0);
}

#[test]
fn a_dump_tells_what_is_gone_and_what_came_meanwhile_is_newer() {
    let mut fib = ready(&[]);
    for text in ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"] {
        fib.want(prefix(text), Some(hops(&[1])));
    }
    all_applied(&mut fib, at(0));
    fib.tick(at(600));
    assert!(fib.take_scan(), "the safety net");
    fib.observe(Observed::DumpBegun, at(600));
    // 10.0/8 is gone without an event; 10.1/16 goes and 10.2/16 changes while the dump runs.
    fib.observe(Observed::RouteGone { prefix: prefix("10.1.0.0/16"), metric: METRIC }, at(600));
    fib.observe(Observed::Dumped(route("10.1.0.0/16", &[1])), at(600));
    fib.want(prefix("10.2.0.0/16"), Some(hops(&[2])));
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
    fib.want(prefix("10.0.0.0/8"), Some(hops(&[1])));
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
        fib.want(Prefix::new(address.into(), 24).unwrap(), Some(hops(&[1])));
    }
    assert_eq!(fib.poll(100).len(), 100);
    let rest = fib.poll(usize::MAX);
    assert_eq!(rest.len(), WINDOW - 100);
    assert!(fib.poll(usize::MAX).is_empty());
    fib.applied(rest[0].prefix(), Ok(()), Time::ZERO);
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
    fib.want(prefix("10.0.0.0/8"), Some(hops(&[1])));
    fib.withdraw_all();
    assert_eq!(all_applied(&mut fib, at(1)).len(), 2);
    assert_eq!(fib.totals().observed, 0);
    assert!(fib.page(None, 9).is_empty());
}

/// A kernel table: a key is a prefix and a metric; one route per key.
#[derive(Default)]
struct Kernel {
    routes: BTreeMap<(Prefix, u32), Owned>,
    requests: VecDeque<Change>,
    answers: VecDeque<(Prefix, Result<(), KernelError>)>,
    events: VecDeque<Observed>,
    /// The next key that a running dump looks at.
    dump: Option<Option<(Prefix, u32)>>,
    /// Whether our own requests are echoed as events.
    echo: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    ours: bool,
    hops: Hops,
}

impl Kernel {
    /// Carries out the oldest request, by the rules of Linux.
    fn work(&mut self) {
        let Some(change) = self.requests.pop_front() else { return };
        let prefix = change.prefix();
        let result = match &change {
            Change::Create(route) => match self.routes.contains_key(&(prefix, route.metric)) {
                true => Err(error(EEXIST)),
                false => Ok(()),
            },
            Change::Replace(route) => match self.routes.get(&(prefix, route.metric)) {
                // Linux would replace it; that this never happens is what is tested.
                Some(owned) => {
                    assert!(owned.ours, "a foreign route was replaced");
                    Ok(())
                }
                None => Err(error(ENOENT)),
            },
            Change::Delete { metric, .. } => match self.routes.get(&(prefix, *metric)) {
                Some(owned) if owned.ours => Ok(()),
                _ => Err(error(ESRCH)),
            },
        };
        if result.is_ok() {
            let event = match change {
                Change::Create(route) | Change::Replace(route) => {
                    let owned = Owned { ours: true, hops: route.hops.clone() };
                    self.routes.insert((prefix, route.metric), owned);
                    Observed::Route(route)
                }
                Change::Delete { metric, .. } => {
                    self.routes.remove(&(prefix, metric));
                    Observed::RouteGone { prefix, metric }
                }
            };
            if self.echo {
                self.events.push_back(event);
            }
        }
        self.answers.push_back((prefix, result));
    }

    /// Somebody else changes the table.
    fn meddle(&mut self, prefix: Prefix, metric: u32, owned: Option<Owned>, silently: bool) {
        let old = match &owned {
            Some(owned) => self.routes.insert((prefix, metric), owned.clone()),
            None => self.routes.remove(&(prefix, metric)),
        };
        let event = match (owned, old) {
            (Some(Owned { ours: true, hops }), _) => {
                Observed::Route(Route { prefix, hops, metric })
            }
            (_, Some(Owned { ours: true, .. })) => Observed::RouteGone { prefix, metric },
            _ => return,
        };
        if !silently {
            self.events.push_back(event);
        }
    }

    /// One step of a running dump.
    fn dump_step(&mut self) -> Option<Observed> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = self.dump?.map_or(Unbounded, Excluded);
        let mut rest = self.routes.range((from, Unbounded)).filter(|(_, owned)| owned.ours);
        match rest.next() {
            Some((key, owned)) => {
                self.dump = Some(Some(*key));
                let route = Route { prefix: key.0, hops: owned.hops.clone(), metric: key.1 };
                Some(Observed::Dumped(route))
            }
            None => {
                self.dump = None;
                Some(Observed::DumpDone)
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Want { prefix: usize, gateways: Vec<u8> },
    Meddle { prefix: usize, old_metric: bool, ours: bool, gateways: Vec<u8>, silently: bool },
    Poll(usize),
    Work(usize),
    Answers(usize),
    Events(usize),
    DumpSteps(usize),
    Lost,
    Sweep,
    Pass(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let gateways = || proptest::collection::vec(1..4u8, 0..3);
    prop_oneof![
        6 => (0..5usize, gateways()).prop_map(|(prefix, gateways)| Op::Want { prefix, gateways }),
        3 => (0..5usize, proptest::bool::weighted(0.2), any::<bool>(), gateways(), any::<bool>())
            .prop_map(|(prefix, old_metric, ours, gateways, silently)| {
                Op::Meddle { prefix, old_metric, ours, gateways, silently }
            }),
        4 => (0..4usize).prop_map(Op::Poll),
        4 => (0..4usize).prop_map(Op::Work),
        4 => (0..4usize).prop_map(Op::Answers),
        4 => (0..4usize).prop_map(Op::Events),
        4 => (0..4usize).prop_map(Op::DumpSteps),
        1 => Just(Op::Lost),
        1 => Just(Op::Sweep),
        2 => (0..3u64).prop_map(Op::Pass),
    ]
}

struct World {
    fib: Fib,
    kernel: Kernel,
    now: Time,
    prefixes: Vec<Prefix>,
    wanted: BTreeMap<Prefix, Hops>,
}

impl World {
    fn new(echo: bool) -> World {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.0.1/32", "2001:db8::/32", "::/0"];
        World {
            fib: Fib::new(settings(), Time::ZERO),
            kernel: Kernel { echo, ..Kernel::default() },
            now: Time::ZERO,
            prefixes: texts.iter().map(|text| prefix(text)).collect(),
            wanted: BTreeMap::new(),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Want { prefix, gateways } => {
                let (prefix, hops) = (self.prefixes[prefix], hops(&gateways));
                match hops.is_empty() {
                    true => self.wanted.remove(&prefix),
                    false => self.wanted.insert(prefix, hops.clone()),
                };
                self.fib.want(prefix, Some(hops));
            }
            Op::Meddle { prefix, old_metric, ours, gateways, silently } => {
                let (prefix, hops) = (self.prefixes[prefix], hops(&gateways));
                let metric = if old_metric { OLD_METRIC } else { METRIC };
                let owned = (!hops.is_empty()).then_some(Owned { ours, hops });
                if owned.as_ref().is_some_and(|owned| !owned.ours) {
                    self.take_key(prefix, metric, owned);
                } else {
                    self.kernel.meddle(prefix, metric, owned, silently);
                }
            }
            Op::Poll(limit) => {
                for change in self.fib.poll(limit) {
                    assert!(self.fib.is_ready());
                    let busy = |other: &Change| other.prefix() == change.prefix();
                    assert!(!self.kernel.requests.iter().any(busy), "two in flight");
                    self.kernel.requests.push_back(change);
                }
            }
            Op::Work(count) => (0..count).for_each(|_| self.kernel.work()),
            Op::Answers(count) => {
                for _ in 0..count {
                    if let Some((prefix, result)) = self.kernel.answers.pop_front() {
                        self.fib.applied(prefix, result, self.now);
                    }
                }
            }
            Op::Events(count) => {
                for _ in 0..count {
                    if let Some(event) = self.kernel.events.pop_front() {
                        self.fib.observe(event, self.now);
                    }
                }
            }
            Op::DumpSteps(count) => {
                if self.kernel.dump.is_none() && self.fib.take_scan() {
                    self.kernel.dump = Some(None);
                    self.fib.observe(Observed::DumpBegun, self.now);
                }
                for _ in 0..count {
                    if let Some(line) = self.kernel.dump_step() {
                        self.fib.observe(line, self.now);
                    }
                }
            }
            Op::Lost => {
                self.kernel.events.clear();
                self.fib.observe(Observed::Lost, self.now);
            }
            Op::Sweep => self.fib.sweep(),
            Op::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.fib.tick(self.now);
            }
        }
    }

    /// Another program's route gets the key, whether it was free or ours. Only where the model knows what is there and
    /// hears of it at once: between the kernel's word and our hearing it, a replace can hit
    /// anything, and nobody can help that.
    fn take_key(&mut self, prefix: Prefix, metric: u32, owned: Option<Owned>) {
        let busy = self.kernel.requests.iter().any(|change| change.prefix() == prefix)
            || self.kernel.answers.iter().any(|(other, _)| *other == prefix);
        if busy || self.kernel.dump.is_some() {
            return;
        }
        self.apply(Op::Events(1000));
        let there = self.kernel.routes.get(&(prefix, METRIC)).filter(|owned| owned.ours);
        let believed = self.fib.route(prefix).and_then(|view| view.observed);
        if there.map(|owned| &owned.hops) == believed {
            self.kernel.meddle(prefix, metric, owned, false);
            self.apply(Op::Events(1000));
        }
    }

    /// Lets everything run until nothing is left to be done.
    fn run_dry(&mut self) {
        for _ in 0..100 {
            self.apply(Op::Events(1000));
            self.apply(Op::DumpSteps(1000));
            self.apply(Op::Poll(1000));
            self.apply(Op::Work(1000));
            self.apply(Op::Answers(1000));
            if self.kernel.events.is_empty() && self.fib.is_settled() {
                return;
            }
        }
        panic!("never settles");
    }

    /// Unless somebody else has the key, what is in the kernel is what is wanted.
    fn check(&self) {
        for prefix in &self.prefixes {
            let key = (*prefix, METRIC);
            let there = self.kernel.routes.get(&key);
            let view = self.fib.route(*prefix);
            match there {
                Some(owned) if !owned.ours => {
                    let failed = view.is_some_and(|view| view.failure.is_some());
                    assert_eq!(
                        failed,
                        self.wanted.contains_key(prefix),
                        "{prefix}: conflict shown"
                    );
                }
                there => {
                    let there = there.map(|owned| &owned.hops);
                    assert_eq!(there, self.wanted.get(prefix), "{prefix} in the kernel");
                    assert_eq!(view.and_then(|view| view.observed), there, "{prefix} in the model");
                }
            }
            // A stray may be all there is while the wanted route is in conflict.
            let stray = self.kernel.routes.get(&(*prefix, OLD_METRIC));
            let failed = view.is_some_and(|view| view.failure.is_some());
            assert!(failed || !stray.is_some_and(|owned| owned.ours), "{prefix}: old metric");
        }
        let totals = self.fib.totals();
        assert_eq!((totals.wanted, totals.adopted), (self.wanted.len(), 0));
        let observed = self.prefixes.iter().filter_map(|prefix| self.fib.route(*prefix)?.observed);
        assert_eq!(totals.observed, observed.count());
    }
}

proptest! {
    /// Whatever happens, in whatever order the news arrives: after one more scan the kernel has what
    /// is wanted, and foreign routes are as they were.
    #[test]
    fn model_and_kernel_converge(
        ops in proptest::collection::vec(any_op(), 0..120),
        echo in any::<bool>(),
    ) {
        let mut world = World::new(echo);
        for op in ops {
            world.apply(op);
        }
        world.run_dry();
        // Past the longest wait and the safety-net scan.
        for _ in 0..3 {
            world.apply(Op::Pass(700));
            world.run_dry();
        }
        world.check();
    }

    /// Without losses, and with one stream for answers and events, no safety net is needed: the model only scans when it
    /// asks to within seconds.
    #[test]
    fn without_losses_the_safety_net_is_not_needed(
        ops in proptest::collection::vec(any_op(), 0..120),
        echo in any::<bool>(),
    ) {
        let mut world = World::new(echo);
        world.run_dry();
        for op in ops {
            match op {
                Op::Meddle { silently: true, .. } | Op::Lost => {}
                // All that the kernel says is heard in its order.
                Op::Work(_) => {
                    world.apply(Op::Work(1));
                    world.apply(Op::Answers(1));
                    world.apply(Op::Events(1000));
                }
                Op::Meddle { .. } => {
                    world.apply(op);
                    world.apply(Op::Events(1000));
                }
                _ => world.apply(op),
            }
        }
        world.apply(Op::Sweep);
        world.run_dry();
        for _ in 0..80 {
            world.apply(Op::Pass(1));
            world.run_dry();
        }
        world.check();
    }
}
