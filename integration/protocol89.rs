//! The raw sockets of OSPF against the kernel, over veth pairs in a network namespace.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use shunt::driver::ospf::{Datagram, RawSocket};
use tokio::time::timeout;

const ALL_SPF_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 5);
const ALL_D_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 6);
/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two pairs in one namespace: `a` to `b`, and `c` to `d`.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // A namespace belongs to a thread, and processes and sockets made by it are in it too.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a network namespace of our own (needs root)");
        for (one, other) in [("a", "b"), ("c", "d")] {
            ip(&format!("link add name {one} type veth peer name {other}"));
        }
        for (n, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            // Both ends are ours, so each gets packets from an address of ours.
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{name}/accept_local"), "1").unwrap();
            ip(&format!("address add 10.0.{}.{}/24 dev {name}", n / 2, 1 + n % 2));
            ip(&format!("link set dev {name} up"));
        }
        ["a", "b", "c", "d"].into_iter().for_each(wait_until_up);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) -> String {
    run(&format!("ip {arguments}"))
}

fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Until then the kernel drops what is sent.
fn wait_until_up(name: &str) {
    let begun = Instant::now();
    while !ip(&format!("link show dev {name}")).contains("state UP") {
        assert!(begun.elapsed() < PATIENCE, "{name} does not come up");
        std::thread::yield_now();
    }
}

fn index(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).unwrap()
}

fn open(name: &str) -> RawSocket {
    RawSocket::open(index(name)).unwrap()
}

async fn send(socket: &RawSocket, source: [u8; 4], destination: Ipv4Addr, packet: &[u8]) {
    loop {
        match socket.try_send(source.into(), destination, packet) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                tokio::task::yield_now().await;
            }
            result => return result.unwrap(),
        }
    }
}

async fn receive(socket: &RawSocket) -> Datagram {
    let mut buffer = vec![0; RawSocket::LARGEST];
    timeout(PATIENCE, socket.receive(&mut buffer)).await.expect("a packet").unwrap()
}

#[test]
fn packets_go_through_their_own_link_only_and_say_where_they_come_from() {
    in_namespace(async || {
        // The lowest address is not the one that the kernel would take.
        ip("address add 10.0.0.200/24 dev a");
        let [a, b, c, d] = ["a", "b", "c", "d"].map(open);
        send(&a, [10, 0, 0, 200], ALL_SPF_ROUTERS, b"hello").await;
        let got = receive(&b).await;
        assert_eq!(got.source, Ipv4Addr::new(10, 0, 0, 200));
        assert_eq!(got.destination, ALL_SPF_ROUTERS);
        assert_eq!(got.packet[..], *b"hello");

        // To an address of `a`, but over the other link: whoever it is for, it came in at `c`.
        send(&d, [10, 0, 1, 2], [10, 0, 0, 1].into(), b"astray").await;
        assert_eq!(receive(&c).await.packet[..], *b"astray");

        // Had one of those come in elsewhere as well, or back to its sender, it would be read before these.
        send(&c, [10, 0, 1, 1], ALL_SPF_ROUTERS, b"other").await;
        assert_eq!(receive(&d).await.packet[..], *b"other");
        send(&b, [10, 0, 0, 2], ALL_SPF_ROUTERS, b"answer").await;
        assert_eq!(receive(&a).await.packet[..], *b"answer");
        send(&d, [10, 0, 1, 2], ALL_SPF_ROUTERS, b"answer").await;
        assert_eq!(receive(&c).await.packet[..], *b"answer");
    });
}

#[test]
fn membership_of_all_d_routers_comes_and_goes() {
    in_namespace(async || {
        let [a, b, d] = ["a", "b", "d"].map(open);
        // A member on another interface does not make this one a member.
        d.set_designated(true).unwrap();
        let says = async |text: &[u8]| {
            send(&a, [10, 0, 0, 1], ALL_D_ROUTERS, text).await;
            send(&a, [10, 0, 0, 1], ALL_SPF_ROUTERS, b"to all").await;
        };
        says(b"nobody").await;
        assert_eq!(receive(&b).await.packet[..], *b"to all");
        for _ in 0..2 {
            b.set_designated(true).unwrap();
        }
        says(b"to the designated").await;
        assert_eq!(receive(&b).await.packet[..], *b"to the designated");
        assert_eq!(receive(&b).await.packet[..], *b"to all");
        for _ in 0..2 {
            b.set_designated(false).unwrap();
        }
        says(b"nobody").await;
        assert_eq!(receive(&b).await.packet[..], *b"to all");
    });
}

#[test]
fn the_header_is_that_of_a_routing_protocol() {
    in_namespace(async || {
        let a = open("a");
        // A witness that sees the header: a packet socket would, but so does any raw socket.
        let plain = socket2::Socket::new(
            socket2::Domain::IPV4,
            socket2::Type::RAW,
            Some(socket2::Protocol::from(89)),
        )
        .unwrap();
        plain.set_read_timeout(Some(PATIENCE)).unwrap();
        let group = socket2::InterfaceIndexOrAddress::Index(index("b"));
        plain.join_multicast_v4_n(&ALL_SPF_ROUTERS, &group).unwrap();
        send(&a, [10, 0, 0, 1], ALL_SPF_ROUTERS, b"hello").await;
        let mut octets = [0; 100];
        let length = std::io::Read::read(&mut (&plain), &mut octets).unwrap();
        assert_eq!((length, octets[0]), (25, 0x45));
        assert_eq!((octets[1], octets[8], octets[9]), (0xc0, 1, 89), "TOS, TTL, protocol");
    });
}

#[test]
fn a_burst_of_a_whole_database_waits_in_the_receive_buffer() {
    in_namespace(async || {
        let [a, b] = ["a", "b"].map(open);
        // 10,000 AS-external-LSAs of 36 octets in packets of 1500 are 255; four times that.
        for number in 0..1000u32 {
            let mut packet = [0; 1480];
            packet[..4].copy_from_slice(&number.to_be_bytes());
            send(&a, [10, 0, 0, 1], ALL_SPF_ROUTERS, &packet).await;
        }
        for number in 0..1000u32 {
            let got = receive(&b).await;
            assert_eq!((got.packet.len(), &got.packet[..4]), (1480, &number.to_be_bytes()[..]));
        }
    });
}

#[test]
fn a_sender_waits_for_a_slow_link_and_nothing_is_lost() {
    in_namespace(async || {
        run("tc qdisc add dev a root tbf rate 100mbit burst 10kb limit 10mb");
        let [a, b] = ["a", "b"].map(open);
        let mut waited = false;
        for number in 0..1000u32 {
            let packet = [&number.to_be_bytes()[..], &[0; 1400]].concat();
            while let Err(error) = a.try_send([10, 0, 0, 1].into(), ALL_SPF_ROUTERS, &packet) {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                waited = true;
                tokio::task::yield_now().await;
            }
        }
        assert!(waited, "the socket took more than a megabyte at once");
        for number in 0..1000u32 {
            assert_eq!(receive(&b).await.packet[..4], number.to_be_bytes());
        }
    });
}

#[test]
fn an_lsa_larger_than_the_mtu_comes_in_one_piece() {
    in_namespace(async || {
        let [a, b] = ["a", "b"].map(open);
        let packet: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
        send(&a, [10, 0, 0, 1], ALL_SPF_ROUTERS, &packet).await;
        assert!(receive(&b).await.packet[..] == packet[..]);
    });
}

#[test]
fn a_socket_lives_through_a_link_that_goes_down_and_up() {
    in_namespace(async || {
        let [a, b] = ["a", "b"].map(open);
        b.set_designated(true).unwrap();
        ip("link set dev a down");
        let error =
            a.try_send([10, 0, 0, 1].into(), ALL_SPF_ROUTERS, b"lost").map_err(|e| e.kind());
        assert!(error.is_err(), "{error:?}");
        ip("link set dev a up");
        wait_until_up("a");
        send(&a, [10, 0, 0, 1], ALL_D_ROUTERS, b"back").await;
        assert_eq!(receive(&b).await.packet[..], *b"back");
    });
}

#[test]
fn an_interface_that_is_gone_cannot_be_opened() {
    in_namespace(async || {
        let gone = index("c");
        ip("link del dev c");
        let error = RawSocket::open(gone).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    });
}
