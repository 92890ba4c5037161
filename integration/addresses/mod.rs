//! Virtual addresses in the kernel: the driver's thread and the guardian against the kernel, each test in a network namespace
//! of its own, with a host behind a cable in another. The witness is `ip`.

mod guardian;
mod neighbors;
mod routers;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use shunt::agent::{Event, VirtualAddresses};
use shunt::driver::addresses::Addresses;
use shunt::driver::guardian::Beat;
use shunt::types::Mac;
use shunt::vrrp::VirtualRouterId;

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);
const GATE: VirtualRouterId = VirtualRouterId(1);
const GATE6: VirtualRouterId = VirtualRouterId(2);

/// Runs `test` on a thread with a network namespace of its own, with the interface `lan` of 10.0.0.2/24 and
/// 2001:db8::2/64.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // A namespace belongs to a thread, and what it starts is in it too.
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of our own (needs root)");
        ip("link add lan type veth peer name lan-far");
        ip("link set lo up");
        ip("link set lan-far up");
        ip("link set lan up");
        ip("address add 10.0.0.2/24 dev lan");
        ip("address add 2001:db8::2/64 dev lan nodad");
        test();
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

/// `10.0.0.1/32`, … of an interface, those of IPv6 without the link-local one that belongs to `lan`.
fn addresses_of(interface: &str) -> Vec<String> {
    let text = ip(&format!("-oneline address show dev {interface}"));
    let mut all: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3))
        .filter(|address| interface != "lan" || !address.starts_with("fe80"))
        .map(str::to_owned)
        .collect();
    all.sort();
    all
}

/// Waits until it is so.
fn eventually(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "not in time");
        std::thread::yield_now();
    }
}

fn interfaces() -> Vec<String> {
    let text = ip("-oneline link show");
    let name = |line: &str| line.split([' ', '@', ':']).nth(2).unwrap().to_owned();
    text.lines().map(name).collect()
}

fn is_up(interface: &str) -> bool {
    let text = ip(&format!("-oneline link show dev {interface}"));
    let flags = text.split(['<', '>']).nth(1).unwrap();
    flags.split(',').any(|flag| flag == "UP")
}

fn sysctl(path: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/net/{path}")).unwrap().trim().to_owned()
}

fn set_sysctl(path: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{path}"), value).unwrap();
}

fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

/// Virtual router 10 on `lan` with its virtual MAC.
fn wanted(addresses: &[&str], assigned: bool) -> VirtualAddresses {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let family = if addresses[0].is_ipv4() { 1 } else { 2 };
    VirtualAddresses {
        name: "gate".to_owned(),
        interface: index("lan"),
        interface_name: "lan".to_owned(),
        mac: Some(Mac([0, 0, 0x5e, 0, family, 10])),
        vrid: 10,
        addresses,
        assigned,
        accept: true,
        deadman: Duration::from_secs(60),
    }
}

/// The thread under test, and what it told.
struct Watched {
    addresses: Addresses,
    told: mpsc::Receiver<Event>,
    beat: Beat,
}

impl Watched {
    fn new() -> Watched {
        let (sender, told) = mpsc::channel();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_shuntd"));
        let tell = move |event| drop(sender.send(event));
        let (addresses, beat) = Addresses::start(program, tell).unwrap();
        Watched { addresses, told, beat }
    }

    /// Whether they are assigned then, or why not.
    fn set(
        &self,
        router: VirtualRouterId,
        wanted: Option<VirtualAddresses>,
    ) -> Result<bool, String> {
        self.addresses.set(router, wanted.map(Box::new));
        self.told(router)
    }

    fn told(&self, about: VirtualRouterId) -> Result<bool, String> {
        match self.told.recv_timeout(PATIENCE).expect("an answer in time") {
            Event::AddressesSet { router, assigned, result } if router == about => {
                result.map(|()| assigned)
            }
            other => panic!("not about {about:?}: {other:?}"),
        }
    }
}
