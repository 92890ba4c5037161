//! What a neighbour sees of a virtual router.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A host at the other end of the cable, with 10.0.0.50/24 and 2001:db8::50/64: a thread in a namespace of its own.
struct Host {
    work: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Host {
    fn new() -> Host {
        let (work, todo) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (sender, id) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            sender.send(nix::unistd::gettid()).unwrap();
            todo.into_iter().for_each(|work| work());
        });
        ip(&format!("link set lan-far netns {}", id.recv().unwrap()));
        let host = Host { work, thread: Some(thread) };
        host.run(|| {
            ip("link set lan-far up");
            ip("address add 10.0.0.50/24 dev lan-far");
            ip("address add 2001:db8::50/64 dev lan-far nodad");
            eventually(|| !ip("-6 address show tentative").contains("inet6"));
        });
        eventually(|| !ip("-6 address show tentative").contains("inet6"));
        host
    }

    fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, result) = mpsc::channel();
        self.work.send(Box::new(move || drop(sender.send(work())))).unwrap();
        result.recv().expect("the host did not panic")
    }

    /// The MAC address it knows for `address`.
    fn neighbor(&self, address: &'static str) -> String {
        self.run(move || mac_of(address))
    }

    /// Whether port 7 of `address` answers it.
    fn is_answered_by(&self, address: &'static str) -> bool {
        self.run(move || ask("::", address))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.work = mpsc::channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// By the neighbour table; empty if it is not known.
fn mac_of(address: &str) -> String {
    let text = ip(&format!("neighbor show {address}"));
    let mut words = text.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

/// Whether port 7 of `address` answers us, who ask from `source`.
fn ask(source: &str, address: &str) -> bool {
    let to: SocketAddr = match address.parse().unwrap() {
        IpAddr::V6(to) if to.is_unicast_link_local() => {
            SocketAddrV6::new(to, 7, 0, index("lan-far")).into()
        }
        to => (to, 7).into(),
    };
    let source = if source == "::" && to.is_ipv4() { "0.0.0.0" } else { source };
    let socket = UdpSocket::bind((source.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.send_to(b"?", to).unwrap();
    let mut answer = socket.recv_from(&mut [0; 8]);
    // A socket with a timeout may be woken by anything.
    while matches!(&answer, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
        answer = socket.recv_from(&mut [0; 8]);
    }
    match answer {
        Ok((_, from)) => from.ip() == to.ip(),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
            false
        }
    }
}

/// Answers on port 7 of `address`, in the namespace of the caller, until dropped.
struct Responder {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Responder {
    fn start(address: SocketAddr) -> Responder {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = is_over.clone();
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                if let Ok((_, from)) = socket.recv_from(&mut [0; 8]) {
                    let _ = socket.send_to(b"!", from);
                }
            }
        });
        Responder { is_over, thread: Some(thread) }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Virtual router 10 in both families, and the sockets that answer for it.
fn both_families(watched: &Watched) -> Vec<Responder> {
    assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], true))), Ok(true));
    assert_eq!(watched.set(GATE6, Some(wanted(&["fe80::10", "2001:db8::1"], true))), Ok(true));
    let link_local = SocketAddrV6::new("fe80::10".parse().unwrap(), 7, 0, index("vrrp6.10"));
    ["10.0.0.1:7".parse().unwrap(), link_local.into(), "[2001:db8::1]:7".parse().unwrap()]
        .map(Responder::start)
        .into()
}

const VIRTUAL: [(&str, &str); 3] = [
    ("10.0.0.1", "00:00:5e:00:01:0a"),
    ("fe80::10", "00:00:5e:00:02:0a"),
    ("2001:db8::1", "00:00:5e:00:02:0a"),
];

#[test]
fn neighbours_know_virtual_addresses_by_the_virtual_mac_only() {
    in_namespace(|| {
        // As strict as can be, for all interfaces.
        set_sysctl("ipv4/conf/all/rp_filter", "1");
        let host = Host::new();
        let watched = Watched::new();
        let _responders = both_families(&watched);
        for (address, mac) in VIRTUAL {
            assert!(host.is_answered_by(address), "{address}");
            assert_eq!(host.neighbor(address), mac, "{address}");
        }
        let own = ip("link show dev lan");
        assert!(!host.is_answered_by("10.0.0.2"), "nobody is at its port");
        assert!(own.contains(&host.neighbor("10.0.0.2")), "ours by our own: {own}");

        // When we ask for the host with a virtual address as source.
        let host_side = host.run(|| Responder::start("10.0.0.50:7".parse().unwrap()));
        ip("neighbor flush dev lan");
        assert!(ask("10.0.0.1", "10.0.0.50"));
        assert_eq!(host.neighbor("10.0.0.1"), "00:00:5e:00:01:0a");
        drop(host_side);
    });
}

#[test]
fn as_backup_nothing_is_taken_and_nobody_is_answered() {
    in_namespace(|| {
        let host = Host::new();
        let watched = Watched::new();
        let responders = both_families(&watched);
        assert!(VIRTUAL.iter().all(|(address, _)| host.is_answered_by(address)));
        let received = || {
            let text = ip("-statistics link show dev vrrp4.10");
            let line = text.lines().skip_while(|line| !line.contains("RX:")).nth(1).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        drop(responders);
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], false))), Ok(false));
        assert_eq!(watched.set(GATE6, Some(wanted(&["fe80::10"], false))), Ok(false));
        eventually(|| !is_up("vrrp4.10") && !is_up("vrrp6.10"));
        let before = received();
        // The host knows the virtual MAC still, and a switch floods what is addressed to it.
        let _everywhere = Responder::start("[::]:7".parse().unwrap());
        for (address, _) in VIRTUAL {
            assert!(!host.is_answered_by(address), "{address}");
        }
        host.run(|| ip("neighbor flush dev lan-far"));
        for (address, _) in VIRTUAL {
            assert!(!host.is_answered_by(address), "{address}");
            assert_eq!(host.neighbor(address), "", "{address}");
        }
        assert_eq!(received(), before);
    });
}

#[test]
fn another_active_with_the_same_mac_and_address_is_heard() {
    in_namespace(|| {
        let host = Host::new();
        let watched = Watched::new();
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], true))), Ok(true));
        let group = Ipv4Addr::new(224, 0, 0, 18);
        let socket = UdpSocket::bind("0.0.0.0:9").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let lan = socket2::InterfaceIndexOrAddress::Index(index("lan"));
        socket2::SockRef::from(&socket).join_multicast_v4_n(&group, &lan).unwrap();
        host.run(move || {
            ip("link add twin link lan-far address 00:00:5e:00:01:0a type macvlan mode bridge");
            ip("link set twin up");
            ip("address add 10.0.0.1/32 dev twin");
            let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
            let twin = Ipv4Addr::new(10, 0, 0, 1);
            socket2::SockRef::from(&socket).set_multicast_if_v4(&twin).unwrap();
            socket.send_to(b"advertisement", (group, 9)).unwrap();
        });
        let (_, from) = socket.recv_from(&mut [0; 32]).expect("it was heard on the interface");
        assert_eq!(from.ip().to_string(), "10.0.0.1");
    });
}

#[test]
fn what_is_not_accepted_is_dropped_but_found_by_neighbours() {
    in_namespace(|| {
        let tables = || {
            let output = Command::new("nft").args(["list", "tables"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let host = Host::new();
        let watched = Watched::new();
        let _responders = both_families(&watched);
        assert_eq!(tables(), "");
        let refuse = |addresses: &[&str]| {
            Some(VirtualAddresses { accept: false, ..wanted(addresses, true) })
        };
        assert_eq!(watched.set(GATE, refuse(&["10.0.0.1"])), Ok(true));
        assert_eq!(watched.set(GATE6, refuse(&["fe80::10", "2001:db8::1"])), Ok(true));
        assert_eq!(tables(), "table inet shunt-vrrp\n");
        for (address, mac) in VIRTUAL {
            assert!(!host.is_answered_by(address), "{address}");
            assert_eq!(host.neighbor(address), mac, "{address}");
        }
        // One of them only.
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], true))), Ok(true));
        assert!(host.is_answered_by("10.0.0.1") && !host.is_answered_by("2001:db8::1"));
        assert_eq!(watched.set(GATE6, None), Ok(false));
        assert_eq!(tables(), "");
        assert_eq!(watched.set(GATE, refuse(&["10.0.0.1"])), Ok(true));
        drop(watched);
        assert_eq!(tables(), "");
    });
}
