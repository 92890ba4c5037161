//! The kernel side of the driver against the kernel, each test in a network namespace of its own. The witness is `ip`.

mod objects;

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shunt::driver::kernel::{self, Kernel, Report, Settings};
use shunt::fib::{self, Change, Exit, Fib, Hop, KernelError, Key, Observed, Route, Urgency, Via};
use shunt::types::{Prefix, Time};
use tokio::sync::mpsc;

const PROTOCOL: u8 = 201;
const METRIC: u32 = 20;
/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` on a thread with a network namespace of its own, where two veth pairs lead east and west.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // A namespace belongs to a thread, and processes and sockets made by it are in it too.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a network namespace of our own (needs root)");
        for side in ["east", "west"] {
            ip(&format!("link add {side} type veth peer name {side}-far"));
            ip(&format!("link set {side} up"));
            ip(&format!("link set {side}-far up"));
        }
        ip("link set lo up");
        ip("address add 10.0.1.1/24 dev east");
        ip("address add 10.0.2.1/24 dev west");
        ip("address add 2001:db8:1::1/64 dev east nodad");
        ip("address add 2001:db8:2::1/64 dev west nodad");
        // Let the interfaces finish with their link-local addresses, so that no late event wakes what should wake by itself.
        while ip("-6 address show tentative").contains("inet6") {
            std::thread::yield_now();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Many commands at once.
fn ip_batch(lines: impl Iterator<Item = String>) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let text: String = lines.map(|line| line + "\n").collect();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What `ip -j route show` says, in short: `10.0.0.0/8 proto 201 metric 20 via …@east, …`, sorted.
fn routes(family: &str) -> Vec<String> {
    let json = ip(&format!("{family} -N -j route show"));
    let routes: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let mut lines = Vec::new();
    for route in routes.iter().filter(|route| route["protocol"] != "2") {
        let gateway = |hop: &serde_json::Value| {
            let via = hop["via"]["host"].as_str().or(hop["gateway"].as_str()).unwrap_or("link");
            format!("{via}@{}", hop["dev"].as_str().unwrap())
        };
        let hops: Vec<String> = match route["nexthops"].as_array() {
            Some(hops) => hops.iter().map(gateway).collect(),
            None => vec![gateway(route)],
        };
        let [protocol, destination] = ["protocol", "dst"].map(|key| route[key].as_str().unwrap());
        let metric = route["metric"].as_u64().unwrap_or(0);
        lines.push(format!(
            "{destination} proto {protocol} metric {metric} via {}",
            hops.join(", ")
        ));
    }
    lines.sort();
    lines
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

/// `10.0.1.2@east`.
fn hop(text: &str) -> Hop {
    let (gateway, interface) = text.split_once('@').unwrap();
    Hop { gateway: gateway.parse().unwrap(), interface: index(interface) }
}

fn route(to: &str, hops: &[&str]) -> Route {
    let hops = hops.iter().map(|text| hop(text)).collect();
    Route { prefix: prefix(to), via: Via::Hops(hops), metric: METRIC }
}

fn delete(to: &str) -> Change {
    Change::Delete { prefix: prefix(to), metric: METRIC }
}

/// The task under test and what it reported.
struct Watched {
    kernel: Kernel,
    reports: mpsc::Receiver<Report>,
}

impl Watched {
    fn new() -> Watched {
        Watched::with_buffer(1 << 20)
    }

    fn with_buffer(receive_buffer: usize) -> Watched {
        let (sender, reports) = mpsc::channel(4);
        let settings = Settings { protocol: PROTOCOL, table: 254, receive_buffer };
        Watched { kernel: kernel::spawn(settings, sender).unwrap(), reports }
    }

    async fn report(&mut self) -> Report {
        let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        report.expect("a report in time").expect("the task runs")
    }

    /// Makes the changes and waits for all results; what was observed meanwhile is dropped.
    async fn apply(&mut self, changes: Vec<Change>) -> Vec<Result<(), KernelError>> {
        let wanted: Vec<Key> = changes.iter().map(Change::key).collect();
        self.kernel.apply(changes);
        let mut results = Vec::new();
        while results.len() < wanted.len() {
            if let Report::Applied(more) = self.report().await {
                results.extend(more);
            }
        }
        let (keys, results): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        assert_eq!(keys, wanted, "one result per change, in order");
        results
    }

    /// Everything observed up to and with the first that `is_last`.
    async fn observed_until(
        &mut self,
        mut is_last: impl FnMut(&Observed) -> bool,
    ) -> Vec<Observed> {
        let mut all = Vec::new();
        loop {
            if let Report::Observed(more) = self.report().await {
                for observed in more {
                    let last = is_last(&observed);
                    all.push(observed);
                    if last {
                        return all;
                    }
                }
            }
        }
    }

    async fn dump(&mut self) -> Vec<Observed> {
        self.kernel.rescan();
        let dump = self.observed_until(|observed| *observed == Observed::DumpDone).await;
        let begin = dump.iter().rposition(|observed| *observed == Observed::DumpBegun);
        dump[begin.expect("a dump has a beginning")..].to_vec()
    }
}

#[test]
fn routes_are_created_replaced_and_deleted() {
    in_namespace(async || {
        let mut watched = Watched::new();
        let four = |hops: &[&str]| route("198.51.100.0/24", hops);
        let six = |hops: &[&str]| route("2001:db8:f::/48", hops);
        let (east4, west4) = ("10.0.1.2@east", "10.0.2.2@west");
        let (east6, west6) = ("2001:db8:1::2@east", "2001:db8:2::2@west");

        let create = vec![Change::Create(four(&[east4])), Change::Create(six(&[east6]))];
        assert_eq!(watched.apply(create).await, [Ok(()), Ok(())]);
        assert_eq!(routes("-4"), ["198.51.100.0/24 proto 201 metric 20 via 10.0.1.2@east"]);
        assert_eq!(routes("-6"), ["2001:db8:f::/48 proto 201 metric 20 via 2001:db8:1::2@east"]);

        // From one path to two and back to the other one: nothing of the old route may stay.
        let both =
            vec![Change::Replace(four(&[east4, west4])), Change::Replace(six(&[east6, west6]))];
        assert_eq!(watched.apply(both).await, [Ok(()), Ok(())]);
        assert_eq!(
            routes("-4"),
            ["198.51.100.0/24 proto 201 metric 20 via 10.0.1.2@east, 10.0.2.2@west"]
        );
        assert_eq!(
            routes("-6"),
            ["2001:db8:f::/48 proto 201 metric 20 via 2001:db8:1::2@east, 2001:db8:2::2@west"]
        );
        let dump = watched.dump().await;
        assert!(dump.contains(&Observed::Dumped(four(&[east4, west4]))), "{dump:#?}");
        assert!(dump.contains(&Observed::Dumped(six(&[east6, west6]))), "{dump:#?}");

        let west = vec![Change::Replace(four(&[west4])), Change::Replace(six(&[west6]))];
        assert_eq!(watched.apply(west).await, [Ok(()), Ok(())]);
        assert_eq!(routes("-4"), ["198.51.100.0/24 proto 201 metric 20 via 10.0.2.2@west"]);
        assert_eq!(routes("-6"), ["2001:db8:f::/48 proto 201 metric 20 via 2001:db8:2::2@west"]);

        // A path that the kernel refuses leaves the old route in place.
        let lost = ["10.0.1.2@east", "203.0.113.1@west"];
        let lost6 = ["2001:db8:1::2@east", "::1@west"];
        let bad = vec![Change::Replace(four(&lost)), Change::Replace(six(&lost6))];
        for result in watched.apply(bad).await {
            assert_ne!(result.unwrap_err().text, "");
        }
        assert_eq!(routes("-4"), ["198.51.100.0/24 proto 201 metric 20 via 10.0.2.2@west"]);
        assert_eq!(routes("-6"), ["2001:db8:f::/48 proto 201 metric 20 via 2001:db8:2::2@west"]);

        let both = vec![
            Change::Replace(six(&[east6, west6])),
            delete("198.51.100.0/24"),
            delete("2001:db8:f::/48"),
        ];
        assert_eq!(watched.apply(both).await, [Ok(()), Ok(()), Ok(())]);
        assert_eq!((routes("-4"), routes("-6")), (vec![], vec![]));

        // Nothing to replace, nothing to delete.
        let gone = vec![
            Change::Replace(four(&[east4])),
            Change::Replace(six(&[east6])),
            Change::Replace(six(&[east6, west6])),
            delete("198.51.100.0/24"),
            delete("2001:db8:f::/48"),
        ];
        let errors: Vec<i32> =
            watched.apply(gone).await.into_iter().map(|result| result.unwrap_err().errno).collect();
        assert_eq!(errors, [libc::ENOENT, libc::ENOENT, libc::ENOENT, libc::ESRCH, libc::ESRCH]);
        assert_eq!((routes("-4"), routes("-6")), (vec![], vec![]));
    });
}

#[test]
fn default_routes_and_ipv4_over_ipv6_next_hops_are_understood() {
    in_namespace(async || {
        let mut watched = Watched::new();
        let wanted = [
            route("0.0.0.0/0", &["10.0.1.2@east"]),
            route("::/0", &["2001:db8:1::2@east"]),
            // RFC 8950: IPv4 by an IPv6 next hop, alone and among several.
            route("198.51.100.0/25", &["2001:db8:1::2@east"]),
            route("198.51.100.128/25", &["10.0.1.2@east", "2001:db8:2::2@west"]),
            route("203.0.113.7/32", &["fe80::1@east", "fe80::1@west"]),
        ];
        let changes = wanted.iter().cloned().map(Change::Create).collect();
        assert_eq!(watched.apply(changes).await, vec![Ok(()); 5]);
        assert_eq!(
            routes("-4"),
            [
                "198.51.100.0/25 proto 201 metric 20 via 2001:db8:1::2@east",
                "198.51.100.128/25 proto 201 metric 20 via 10.0.1.2@east, 2001:db8:2::2@west",
                "203.0.113.7 proto 201 metric 20 via fe80::1@east, fe80::1@west",
                "default proto 201 metric 20 via 10.0.1.2@east",
            ]
        );
        assert_eq!(routes("-6"), ["default proto 201 metric 20 via 2001:db8:1::2@east"]);
        let dump = watched.dump().await;
        for route in wanted {
            assert!(dump.contains(&Observed::Dumped(route.clone())), "{route:?} in {dump:#?}");
        }
    });
}

#[test]
fn foreign_routes_are_left_alone() {
    in_namespace(async || {
        ip("route add 198.51.100.0/24 via 10.0.1.9 proto static metric 20");
        ip("-6 route add 2001:db8:f::/48 via 2001:db8:1::9 proto static metric 20");
        let before = (routes("-4"), routes("-6"));
        let mut watched = Watched::new();
        let changes = vec![
            Change::Create(route("198.51.100.0/24", &["10.0.1.2@east"])),
            Change::Create(route("2001:db8:f::/48", &["2001:db8:1::2@east"])),
            Change::Create(route("2001:db8:f::/48", &["2001:db8:1::2@east", "2001:db8:2::2@west"])),
            delete("198.51.100.0/24"),
            delete("2001:db8:f::/48"),
            Change::Create(route("203.0.113.0/24", &["10.0.1.2@east"])),
        ];
        let results = watched.apply(changes).await;
        let errors: Vec<Option<i32>> =
            results.iter().map(|r| r.as_ref().err().map(|e| e.errno)).collect();
        let (exists, missing) = (Some(libc::EEXIST), Some(libc::ESRCH));
        assert_eq!(errors, [exists, exists, exists, missing, missing, None]);
        let ours = "203.0.113.0/24 proto 201 metric 20 via 10.0.1.2@east".to_owned();
        assert_eq!((routes("-4"), routes("-6")), ([before.0, vec![ours]].concat(), before.1));
        let dump = watched.dump().await;
        let dumped = dump.iter().filter(|observed| matches!(observed, Observed::Dumped(_)));
        assert_eq!(dumped.count(), 1, "foreign routes are not shown: {dump:#?}");
    });
}

#[test]
fn refusals_carry_the_kernels_own_words() {
    in_namespace(async || {
        let mut watched = Watched::new();
        let unreachable = Change::Create(route("198.51.100.0/24", &["203.0.113.1@east"]));
        let results = watched.apply(vec![unreachable]).await;
        let error = results[0].as_ref().unwrap_err();
        assert_eq!(
            (error.errno, error.text.as_str()),
            (libc::ENETUNREACH, "Nexthop has invalid gateway")
        );
    });
}

#[test]
fn changes_by_others_are_seen_and_our_own_are_not_echoed() {
    in_namespace(async || {
        let mut watched = Watched::new();
        let (east6, west6) = ("2001:db8:1::2@east", "2001:db8:2::2@west");
        let changes = vec![
            Change::Create(route("198.51.100.0/24", &["10.0.1.2@east"])),
            Change::Create(route("203.0.113.0/24", &["10.0.1.2@east"])),
            Change::Create(route("2001:db8:f::/48", &[east6, west6])),
            Change::Create(route("2001:db8:e::/48", &[east6, west6])),
        ];
        assert_eq!(watched.apply(changes).await, vec![Ok(()); 4]);
        let gone = |to| Observed::RouteGone { prefix: prefix(to), metric: METRIC };

        // The first that is seen is what the other did, not what we did.
        ip("route del 198.51.100.0/24 proto 201");
        let seen = watched.observed_until(|observed| !is_interface(observed)).await;
        assert_eq!(seen.last(), Some(&gone("198.51.100.0/24")));

        // Other protocols' routes are not seen, except where they took the place of one.
        ip("route add 192.0.2.0/24 via 10.0.1.2 proto static metric 20");
        ip("route del 192.0.2.0/24");
        ip("route replace 203.0.113.0/24 via 10.0.2.2 proto static metric 20");
        let seen = watched.observed_until(|observed| !is_interface(observed)).await;
        assert_eq!(seen.last(), Some(&gone("203.0.113.0/24")));

        ip("-6 route del 2001:db8:e::/48 proto 201");
        let seen = watched.observed_until(|observed| !is_interface(observed)).await;
        assert_eq!(seen.last(), Some(&gone("2001:db8:e::/48")));
        // One path of an IPv6 route: the other stays, and only a dump can tell.
        ip("-6 route del 2001:db8:f::/48 via 2001:db8:1::2 dev east proto 201");
        let seen = watched.observed_until(|observed| !is_interface(observed)).await;
        assert_eq!(seen.last(), Some(&Observed::Lost));
        let left = Observed::Dumped(route("2001:db8:f::/48", &[west6]));
        assert!(watched.dump().await.contains(&left));

        ip("route add 192.0.2.0/24 via 10.0.1.2 proto 201 metric 7");
        let seen = watched.observed_until(|observed| !is_interface(observed)).await;
        let added = Route { metric: 7, ..route("192.0.2.0/24", &["10.0.1.2@east"]) };
        assert_eq!(seen.last(), Some(&Observed::Route(added)));
    });
}

fn is_interface(observed: &Observed) -> bool {
    matches!(
        observed,
        Observed::Link { .. }
            | Observed::LinkGone { .. }
            | Observed::Address { .. }
            | Observed::AddressGone { .. }
    )
}

#[test]
fn links_and_addresses_are_dumped_and_followed() {
    in_namespace(async || {
        ip("address add 10.0.3.1 peer 10.0.3.2/32 dev west");
        let mut watched = Watched::new();
        let (east, west) = (index("east"), index("west"));
        let address = |interface, address: &str, network: &str| Observed::Address {
            interface,
            address: address.parse::<IpAddr>().unwrap(),
            network: prefix(network),
        };
        let sized = |index, name: &str, up, mtu| {
            let name = name.into();
            Observed::Link { index, name, up, mtu }
        };
        let link = |index, name: &str, up| sized(index, name, up, 1500);

        let dump = watched.dump().await;
        for expected in [
            link(east, "east", true),
            sized(1, "lo", true, 65536),
            address(east, "10.0.1.1", "10.0.1.0/24"),
            address(west, "10.0.3.1", "10.0.3.2/32"),
            address(west, "2001:db8:2::1", "2001:db8:2::/64"),
        ] {
            assert!(dump.contains(&expected), "{expected:?} in {dump:#?}");
        }

        // The far end going down takes the carrier, the near end stays configured up.
        ip("link set east-far down");
        watched.observed_until(|observed| *observed == link(east, "east", false)).await;
        ip("link set east-far up");
        watched.observed_until(|observed| *observed == link(east, "east", true)).await;
        ip("link set east mtu 1400");
        watched.observed_until(|observed| *observed == sized(east, "east", true, 1400)).await;
        ip("link set east mtu 1500");
        ip("link set east down");
        watched.observed_until(|observed| *observed == link(east, "east", false)).await;
        ip("address add 10.0.4.1/24 dev west");
        let added = address(west, "10.0.4.1", "10.0.4.0/24");
        watched.observed_until(|observed| *observed == added).await;
        ip("address del 10.0.4.1/24 dev west");
        let network = prefix("10.0.4.0/24");
        let gone = Observed::AddressGone {
            interface: west,
            address: "10.0.4.1".parse().unwrap(),
            network,
        };
        watched.observed_until(|observed| *observed == gone).await;

        // A port that leaves a bridge is not a link that is gone; the next event must be about the deleted link.
        ip("link add bridge type bridge");
        ip("link set west-far master bridge");
        ip("link set west-far nomaster");
        ip("link del bridge");
        let seen = watched.observed_until(|o| matches!(o, Observed::LinkGone { .. })).await;
        let bridge = seen.iter().find_map(|observed| match observed {
            Observed::Link { index, name, .. } if name == "bridge" => Some(*index),
            _ => None,
        });
        assert_eq!(seen.last(), Some(&Observed::LinkGone { index: bridge.unwrap() }));
    });
}

#[test]
fn lost_events_are_reported_and_a_dump_makes_up_for_them() {
    in_namespace(async || {
        // Some ten events fit, and reports wait in the channel while nobody takes them.
        let mut watched = Watched::with_buffer(4096);
        let far = 3000;
        ip_batch((0..far).map(|n| {
            format!("route add 172.16.{}.{}/32 via 10.0.1.2 proto 201 metric 20", n / 256, n % 256)
        }));
        watched.observed_until(|observed| *observed == Observed::Lost).await;
        let dump = watched.dump().await;
        let dumped = dump.iter().filter(|observed| matches!(observed, Observed::Dumped(_)));
        assert_eq!(dumped.count(), far);
    });
}

#[test]
fn without_the_capability_everything_is_seen_and_nothing_changed() {
    in_namespace(async || {
        drop_capabilities();
        let mut watched = Watched::new();
        let create = Change::Create(route("198.51.100.0/24", &["10.0.1.2@east"]));
        let results = watched.apply(vec![create, delete("203.0.113.0/24")]).await;
        for result in results {
            let error = result.unwrap_err();
            assert_eq!(error.errno, libc::EPERM);
            assert!(error.text.contains("CAP_NET_ADMIN"), "{}", error.text);
        }
        let dump = watched.dump().await;
        let (index, name) = (index("east"), "east".into());
        let east = Observed::Link { index, name, up: true, mtu: 1500 };
        assert!(dump.contains(&east), "{dump:#?}");
    });
}

/// Of this thread. No library at hand sets them without a process of its own.
fn drop_capabilities() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    // _LINUX_CAPABILITY_VERSION_3.
    let header = Header { version: 0x2008_0522, pid: 0 };
    let none = [0u32; 6];
    // SAFETY: both pointers lead to what capset(2) reads for this version: the header, two times three words.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    assert_eq!(result, 0);
}

/// The model and the kernel together, as in the agent.
struct Driven {
    fib: Fib,
    watched: Watched,
    begun: Instant,
    scanning: bool,
}

impl Driven {
    fn new(objects: bool) -> Driven {
        let settings = fib::Settings {
            metric: METRIC,
            grace: Duration::from_secs(3600),
            rescan: Duration::from_secs(3600),
            objects,
        };
        let fib = Fib::new(settings, Time::ZERO);
        Driven { fib, watched: Watched::new(), begun: Instant::now(), scanning: false }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.begun.elapsed()
    }

    fn want(&mut self, to: &str, hops: &[&str]) {
        let (to, hops) = (prefix(to), hops.iter().map(|text| hop(text)).collect());
        self.fib.want(to, Exit::plain(to.family(), hops), Urgency::Bulk);
    }

    /// Lets model and kernel work until `done`.
    async fn until(&mut self, done: impl Fn(&Fib) -> bool) {
        loop {
            self.fib.tick(self.now());
            if self.fib.take_scan() {
                self.scanning = true;
                self.watched.kernel.rescan();
            }
            let changes = self.fib.poll(usize::MAX);
            if !changes.is_empty() {
                self.watched.kernel.apply(changes);
            }
            if !self.scanning && self.fib.is_settled() && done(&self.fib) {
                return;
            }
            let wait = self.fib.deadline().map(|at| at.since(self.now()));
            let report = tokio::select! {
                report = self.watched.report() => report,
                () = tokio::time::sleep(wait.unwrap_or(PATIENCE)) => continue,
            };
            let now = self.now();
            match report {
                Report::Observed(all) => {
                    for observed in all {
                        self.scanning &= observed != Observed::DumpDone;
                        self.fib.observe(observed, now);
                    }
                }
                Report::Applied(results) => {
                    for (key, result) in results {
                        self.fib.applied(key, result, now);
                    }
                }
            }
        }
    }
}

#[test]
fn routes_of_an_earlier_life_are_adopted_and_swept() {
    in_namespace(async || {
        for route in [
            "198.51.100.0/24 via 10.0.1.2 proto 201 metric 20",
            "203.0.113.0/24 via 10.0.1.2 proto 201 metric 20",
            // From a configuration with another metric, and somebody else's.
            "203.0.113.0/24 via 10.0.1.2 proto 201 metric 7",
            "192.0.2.0/24 via 10.0.1.2 proto static metric 20",
            "2001:db8:f::/48 via 2001:db8:1::2 proto 201 metric 20",
        ] {
            ip(&format!("route add {route}"));
        }
        let mut driven = Driven::new(false);
        driven.want("198.51.100.0/24", &["10.0.1.2@east", "10.0.2.2@west"]);
        driven.until(Fib::is_ready).await;
        let mut expected = vec![
            "192.0.2.0/24 proto 4 metric 20 via 10.0.1.2@east",
            "198.51.100.0/24 proto 201 metric 20 via 10.0.1.2@east, 10.0.2.2@west",
            "203.0.113.0/24 proto 201 metric 20 via 10.0.1.2@east",
            "203.0.113.0/24 proto 201 metric 7 via 10.0.1.2@east",
        ];
        assert_eq!(routes("-4"), expected);
        assert_eq!(routes("-6"), ["2001:db8:f::/48 proto 201 metric 20 via 2001:db8:1::2@east"]);

        driven.fib.sweep();
        driven.until(Fib::is_ready).await;
        expected.truncate(2);
        assert_eq!(routes("-4"), expected);
        assert_eq!(routes("-6"), Vec::<String>::new());
    });
}

#[test]
fn what_the_kernel_drops_with_a_link_comes_back() {
    in_namespace(async || {
        let mut driven = Driven::new(false);
        driven.want("198.51.100.0/24", &["10.0.1.2@east"]);
        driven.want("203.0.113.0/24", &["10.0.1.2@east", "10.0.2.2@west"]);
        driven.want("2001:db8:f::/48", &["2001:db8:1::2@east", "2001:db8:2::2@west"]);
        driven.until(Fib::is_ready).await;
        let (four, six) = (routes("-4"), routes("-6"));
        assert_eq!((four.len(), six.len()), (2, 1));

        // Down and up again before anyone could change what is wanted: no event says that the first route is gone.
        ip("link set east down");
        ip("link set east up");
        ip("-6 address add 2001:db8:1::1/64 dev east nodad");
        assert_eq!(routes("-4").len(), 1, "the kernel drops it silently");
        let wanted = [prefix("198.51.100.0/24"), prefix("2001:db8:f::/48")];
        driven
            .until(|fib| {
                wanted.iter().all(|prefix| {
                    let route = fib.route(*prefix).unwrap();
                    route.failure.is_none()
                        && route.observed.map(|hops| &**hops) == route.wanted.as_ref()
                }) && routes("-4").len() == 2
            })
            .await;
        assert_eq!((routes("-4"), routes("-6")), (four, six));
    });
}

#[test]
fn a_dump_that_others_disturb_is_begun_anew_until_it_is_whole() {
    in_namespace(async || {
        // Enough addresses for many datagrams, and somebody who adds and removes others.
        const STEADY: usize = 1000;
        ip_batch(
            (0..STEADY).map(|n| format!("address add 172.16.{}.{}/32 dev east", n / 256, n % 256)),
        );
        let mut watched = Watched::with_buffer(16 << 20);
        let calm = Arc::new(AtomicBool::new(false));
        let busy = std::thread::spawn({
            let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
            let calm = calm.clone();
            move || {
                nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
                while !calm.load(Ordering::Relaxed) {
                    ip_batch((0..50).flat_map(|n| {
                        ["add", "del"]
                            .map(|verb| format!("address {verb} 172.31.0.{n}/32 dev west"))
                    }));
                }
            }
        });
        let begun = Instant::now();
        let mut dump = Vec::new();
        while dump.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "no dump was ever interrupted");
            watched.kernel.rescan();
            let mut beginnings = 0;
            let seen = watched
                .observed_until(|observed| {
                    beginnings += usize::from(*observed == Observed::DumpBegun);
                    // It was begun anew: let it come to an end.
                    calm.fetch_or(beginnings > 1, Ordering::Relaxed);
                    *observed == Observed::DumpDone
                })
                .await;
            if beginnings > 1 {
                dump = seen;
            }
        }
        busy.join().unwrap();
        let last = dump.iter().rposition(|observed| *observed == Observed::DumpBegun).unwrap();
        let whole = dump[last..].iter().filter(|observed| {
            matches!(observed, Observed::Address { network, .. }
                if prefix("172.16.0.0/16").covers(*network))
        });
        assert_eq!(whole.count(), STEADY);
    });
}

#[test]
fn a_hundred_thousand_routes_go_in_and_out() {
    in_namespace(async || {
        const ROUTES: u32 = 100_000;
        let mut watched = Watched::new();
        let hops: fib::Hops = std::iter::once(hop("10.0.1.2@east")).collect();
        let prefixes =
            || (0..ROUTES).map(|n| Prefix::host(std::net::Ipv4Addr::from(0x2c00_0000 + n).into()));
        let create = prefixes()
            .map(|prefix| {
                Change::Create(Route { prefix, via: Via::Hops(hops.clone()), metric: METRIC })
            })
            .collect();
        let begun = Instant::now();
        assert!(watched.apply(create).await.iter().all(Result::is_ok));
        println!("{:.0} routes/s in", f64::from(ROUTES) / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let dump = watched.dump().await;
        println!("dump {:?}", begun.elapsed());
        let dumped = dump.iter().filter(|observed| matches!(observed, Observed::Dumped(_)));
        assert_eq!(dumped.count(), ROUTES as usize);
        // Not one event about our own routes may come back, in the dump or before it.
        assert!(
            !dump.iter().any(|observed| matches!(observed, Observed::Route(_) | Observed::Lost))
        );
        let delete = prefixes().map(|prefix| Change::Delete { prefix, metric: METRIC }).collect();
        let begun = Instant::now();
        assert!(watched.apply(delete).await.iter().all(Result::is_ok));
        println!("{:.0} routes/s out", f64::from(ROUTES) / begun.elapsed().as_secs_f64());
        assert_eq!(routes("-4"), Vec::<String>::new());
    });
}
