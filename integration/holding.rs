//! New connections that are held by nftables, on a router between a client and a server. The witness is the client's TCP.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use shunt::driver::checks;
use shunt::driver::hold::Table;
use shunt::health::{Method, Origin, Outcome, Settings};
use shunt::types::Prefix;

use crate::lab::{Net, Node, within};

const SERVICE: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];
/// Of another group, on the same server.
const OTHER: &str = "203.0.113.8";
const PORT: u16 = 7007;
/// A client sends its SYN again after this (RFC 6298 §2).
const AGAIN: Duration = Duration::from_secs(1);
/// Without a hold a connection takes some microseconds.
const AT_ONCE: Duration = Duration::from_millis(500);

struct Scene {
    _net: Net,
    client: Node,
    router: Node,
    server: Node,
}

impl Scene {
    fn new() -> Scene {
        let mut net = Net::new();
        let (client, router, server) = (net.node("client"), net.node("router"), net.node("server"));
        net.link(&client, &router, 0);
        net.link(&router, &server, 1);
        for (family, via) in [("-4", "10.99.0.2"), ("-6", "fd99:0::2")] {
            client.must("ip", &[family, "route", "add", "default", "via", via]);
        }
        for (family, via) in [("-4", "10.99.1.1"), ("-6", "fd99:1::1")] {
            server.must("ip", &[family, "route", "add", "default", "via", via]);
        }
        for address in [SERVICE[0], SERVICE[1], OTHER] {
            let length = if address.contains(':') { 128 } else { 32 };
            let prefix = format!("{address}/{length}");
            server.address("lo", &prefix);
            let (family, via) =
                if length == 32 { ("-4", "10.99.1.2") } else { ("-6", "fd99:1::2") };
            router.must("ip", &[family, "route", "add", &prefix, "via", via]);
        }
        let scene = Scene { _net: net, client, router, server };
        for address in [SERVICE[0], SERVICE[1], OTHER] {
            scene.echo(address);
        }
        scene
    }

    /// Sends back what it receives, to as many as come.
    fn echo(&self, address: &str) {
        let address = SocketAddr::new(address.parse().unwrap(), PORT);
        let listener = within(&self.server, || TcpListener::bind(address).unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut octets = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut octets) {
                        let _ = stream.write_all(&octets[..count]);
                    }
                });
            }
        });
    }

    /// How long it takes to connect.
    fn connect(&self, address: &str) -> JoinHandle<(TcpStream, Duration)> {
        let (client, address) = (self.client.clone(), address.to_owned());
        std::thread::spawn(move || {
            let to = SocketAddr::new(address.parse().unwrap(), PORT);
            let begin = Instant::now();
            let stream = within(&client, || TcpStream::connect(to)).expect("delayed, not refused");
            (stream, begin.elapsed())
        })
    }

    /// Does something with the table of the router.
    fn router(
        &self,
        work: impl AsyncFnOnce(&mut Table) -> Result<(), String> + Send,
        table: &mut Table,
    ) {
        within(&self.router, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work(table)).unwrap();
        });
    }

    fn hold(&self, table: &mut Table, lasts: Option<Duration>) {
        let prefixes: Vec<Prefix> = SERVICE
            .iter()
            .map(|address| Prefix::host(address.parse::<IpAddr>().unwrap()))
            .collect();
        self.router(async |table| table.set("payments", prefixes, lasts).await, table);
    }

    /// As an agent asks, from the client.
    fn probe(&self, traffic_class: u8) -> Outcome {
        let to = SocketAddr::new(SERVICE[0].parse().unwrap(), PORT);
        let settings = Settings {
            method: Method::Tcp { to, send: b"ping".to_vec(), expect: Some(b"ping".to_vec()) },
            connect_timeout: AT_ONCE,
            timeout: AT_ONCE,
            origin: Origin { traffic_class, ..Origin::default() },
            ..Settings::default()
        };
        within(&self.client, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(checks::ask(&settings)).0
        })
    }

    fn tables(&self) -> String {
        self.router.must("nft", &["list", "tables"])
    }
}

fn echoes(stream: &mut TcpStream) -> Duration {
    let begin = Instant::now();
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    begin.elapsed()
}

#[test]
fn new_connections_are_delayed_and_established_ones_go_on() {
    let scene = Scene::new();
    let mut table = Table::default();
    let (mut session, took) = scene.connect(SERVICE[0]).join().unwrap();
    assert!(took < AT_ONCE, "{took:?}");

    scene.hold(&mut table, Some(Duration::from_secs(30)));
    let waiting = SERVICE.map(|address| scene.connect(address));
    let (_, took) = scene.connect(OTHER).join().unwrap();
    assert!(took < AT_ONCE, "another group: {took:?}");
    assert!(echoes(&mut session) < AT_ONCE, "an established session");
    assert!(matches!(scene.probe(0), Outcome::Failed(_)), "a question like a client's");
    let outcome = scene.probe(Origin::NETWORK_CONTROL);
    assert!(matches!(outcome, Outcome::Answered { .. }), "the agents' own questions: {outcome:?}");

    assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "held");
    scene.hold(&mut table, None);
    for waiting in waiting {
        let (mut stream, took) = waiting.join().unwrap();
        println!("connected after {took:?}");
        assert!(took > AGAIN - AT_ONCE && took < 2 * AGAIN, "at the next SYN: {took:?}");
        echoes(&mut stream);
    }
    assert!(scene.connect(SERVICE[0]).join().unwrap().1 < AT_ONCE);
    assert_eq!(scene.tables(), "", "nothing is left");
    assert!(echoes(&mut session) < AT_ONCE);
}

/// As after kill -9: nobody takes back what was ordered.
#[test]
fn the_kernel_lets_go_when_nobody_else_does() {
    let scene = Scene::new();
    let mut table = Table::default();
    scene.hold(&mut table, Some(Duration::from_millis(1500)));
    drop(table);
    assert!(scene.tables().contains("inet shunt"));
    let (_, took) = scene.connect(SERVICE[0]).join().unwrap();
    println!("connected after {took:?}");
    // The SYN of the first second is dropped, that of the third is not.
    assert!(took > 2 * AGAIN && took < 4 * AGAIN, "{took:?}");
    // The next start sweeps.
    scene.router(async |table| table.clear().await, &mut Table::default());
    assert_eq!(scene.tables(), "");
}

/// Groups come and go by themselves, and so do other tables.
#[test]
fn groups_are_held_apart() {
    let scene = Scene::new();
    scene.router.must("nft", &["add table inet other"]);
    let mut table = Table::default();
    scene.hold(&mut table, Some(Duration::from_secs(30)));
    let others = vec![Prefix::host(OTHER.parse::<IpAddr>().unwrap())];
    let long = Some(Duration::from_secs(30));
    // A name that nft has a meaning for.
    scene.router(async |table| table.set("tcp", others, long).await, &mut table);
    let waiting = [SERVICE[0], OTHER].map(|address| scene.connect(address));
    scene.hold(&mut table, None);
    let [free, held] = waiting;
    free.join().unwrap();
    assert!(!held.is_finished());
    scene.router(async |table| table.set("tcp", Vec::new(), None).await, &mut table);
    held.join().unwrap();
    assert_eq!(scene.tables(), "table inet other\n");
}
