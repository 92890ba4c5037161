//! How long after the end of the active router the other one forwards, and what is lost when the end was planned.

use std::net::{Ipv4Addr, UdpSocket};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::vrrp::{Instance, Keepalived, VrrpPeer, VrrpRouter, VrrpShunt};
use crate::lab::{Net, Node, PATIENCE, wait_for, within};
use crate::port::Port;
use crate::statistics::{Spans, head, ms, row};

const EVERY: Duration = Duration::from_micros(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long after the takeover losses are counted as well.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// Who does not forward by then never will: the kernel of a dead daemon's node goes on.
const GIVE_UP: Duration = Duration::from_secs(6);
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 98, 2, 1), 7008);
const GATEWAY: &str = "10.98.1.100";
/// The first one is to be active.
const PRIORITIES: [u8; 2] = [250, 240];

/// Two routers of one make.
#[derive(Clone, Copy)]
struct Pair {
    keepalived: bool,
    virtual_mac: bool,
}

impl Pair {
    const ALL: [Pair; 4] = [
        Pair { keepalived: false, virtual_mac: true },
        Pair { keepalived: false, virtual_mac: false },
        Pair { keepalived: true, virtual_mac: true },
        Pair { keepalived: true, virtual_mac: false },
    ];

    fn name(self) -> String {
        let product = if self.keepalived { "keepalived" } else { "shunt" };
        let mac = if self.virtual_mac { "virtual MAC" } else { "physical MAC" };
        format!("{product}, {mac}")
    }
}

enum Router {
    Shunt(VrrpShunt),
    Keepalived(Keepalived),
}

impl Deref for Router {
    type Target = dyn VrrpPeer;

    fn deref(&self) -> &Self::Target {
        match self {
            Router::Shunt(shunt) => shunt,
            Router::Keepalived(keepalived) => keepalived,
        }
    }
}

impl DerefMut for Router {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Router::Shunt(shunt) => shunt,
            Router::Keepalived(keepalived) => keepalived,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// SIGKILL of the daemon.
    Killed,
    /// Nothing of it passes any more on the clients' side; the carrier stays.
    Cut,
    /// SIGTERM.
    Stopped,
    /// `shunt vrrp release`.
    Released,
}

impl End {
    const ALL: [End; 4] = [End::Killed, End::Cut, End::Stopped, End::Released];

    fn name(self) -> &'static str {
        match self {
            End::Killed => "killed",
            End::Cut => "link cut",
            End::Stopped => "stopped",
            End::Released => "released",
        }
    }
}

/// A probe at the server.
#[derive(Clone, Copy)]
struct Arrival {
    at: Instant,
    number: usize,
    source: [u8; 6],
}

/// Probes from the client over the gateway to the server, one way.
struct Traffic {
    sent: Arc<Mutex<Vec<Instant>>>,
    arrived: Arc<Mutex<Vec<Arrival>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _server: UdpSocket,
}

impl Traffic {
    fn start(client: &Node, server: &Node) -> Traffic {
        let sender = within(client, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
        // Nobody reads it, and nobody answers that there is nobody.
        let _server = within(server, || UdpSocket::bind(SERVER).unwrap());
        let wire = within(server, || {
            let ip = i32::from(0x0800_u16.to_be());
            Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(ip))).unwrap()
        });
        wire.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (log, ended) = (sent.clone(), stop.clone());
        let sending = thread::spawn(move || {
            let mut next = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(Instant::now());
                    log.len() as u64 - 1
                };
                let _ = sender.send_to(&number.to_be_bytes(), SERVER);
                next = (next + EVERY).max(Instant::now());
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let (log, ended) = (arrived.clone(), stop.clone());
        let receiving = thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !ended.load(Ordering::Relaxed) {
                let Ok(size) = std::io::Read::read(&mut &wire, &mut buffer) else { continue };
                let at = Instant::now();
                if let Some((source, number)) = probe(&buffer[..size]) {
                    log.lock().unwrap().push(Arrival { at, number, source });
                }
            }
        });
        Traffic { sent, arrived, stop, threads: vec![sending, receiving], _server }
    }

    /// What has arrived since then.
    fn since(&self, from: Instant) -> Vec<Arrival> {
        let arrived = self.arrived.lock().unwrap();
        let begin = arrived.partition_point(|arrival| arrival.at < from);
        arrived[begin..].to_vec()
    }

    /// How many of those sent in this time have not arrived.
    fn lost(&self, from: Instant, to: Instant) -> usize {
        // The last ones are under way.
        thread::sleep(Duration::from_millis(50));
        let sent = self.sent.lock().unwrap();
        let numbers = sent.partition_point(|at| *at < from)..sent.partition_point(|at| *at < to);
        let arrived = self.since(from);
        let came = arrived.iter().filter(|arrival| numbers.contains(&arrival.number)).count();
        numbers.len().saturating_sub(came)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The source address and the number of a probe, from the Ethernet frame.
fn probe(frame: &[u8]) -> Option<([u8; 6], usize)> {
    let port = frame.get(36..38)?;
    if frame.get(23)? != &17 || port != SERVER.1.to_be_bytes() {
        return None;
    }
    let number = u64::from_be_bytes(frame.get(42..50)?.try_into().ok()?);
    Some((frame.get(6..12)?.try_into().ok()?, usize::try_from(number).ok()?))
}

struct Scene {
    routers: [Router; 2],
    /// On the server's side.
    macs: [[u8; 6]; 2],
    port: Port,
    traffic: Traffic,
    _net: Net,
}

impl Scene {
    /// `interval`: centiseconds between advertisements.
    fn start(pair: Pair, interval: u16) -> Scene {
        let mut net = Net::new();
        let [client, server] = ["client", "server"].map(|name| net.node(name));
        let nodes = ["first", "second"].map(|name| net.node(name));
        let inside = net.lan("inside", 1, &[&client, &nodes[0], &nodes[1]]);
        net.lan("outside", 2, &[&server, &nodes[0], &nodes[1]]);
        client.must("ip", &["route", "add", "default", "via", GATEWAY]);
        let port = Port::new(&inside, "first");
        let macs = [0, 1].map(|index: usize| mac(&nodes[index], "outside"));
        let routers = [0, 1].map(|index: usize| {
            let address = format!("{GATEWAY}/32");
            let mut instance = Instance::new("gate", "inside", 11, &[&address], PRIORITIES[index]);
            instance.interval = interval;
            instance.virtual_mac = pair.virtual_mac;
            let router = VrrpRouter { instances: vec![instance], ..VrrpRouter::default() };
            match pair.keepalived {
                true => Router::Keepalived(Keepalived::start(&nodes[index], router)),
                false => Router::Shunt(VrrpShunt::start(&nodes[index], router)),
            }
        });
        let traffic = Traffic::start(&client, &server);
        Scene { routers, macs, port, traffic, _net: net }
    }

    /// Waits until all goes through the first router.
    #[track_caller]
    fn ready(&self) {
        wait_for("the first router to forward", PATIENCE, || {
            for (router, expected) in self.routers.iter().zip(["active", "backup"]) {
                let role = router.role("gate")?;
                if role != expected {
                    return Err(format!("{role} instead of {expected}"));
                }
            }
            let arrived = self.traffic.since(Instant::now() - Duration::from_millis(300));
            let there = arrived.iter().all(|arrival| arrival.source == self.macs[0]);
            if there && arrived.len() > 500 { Ok(()) } else { Err(format!("{}", arrived.len())) }
        });
    }

    /// Time to the first probe through the second router, if it ever forwards, and what was lost meanwhile.
    #[track_caller]
    fn end(&mut self, end: End) -> (Option<Duration>, Duration) {
        self.ready();
        let began = Instant::now();
        match end {
            End::Killed => self.routers[0].kill(),
            End::Cut => {
                self.port.cut();
            }
            End::Stopped => self.routers[0].stop(),
            End::Released => self.order(&["vrrp", "release", "gate", "--for", "5m"]),
        }
        let first = loop {
            thread::sleep(LOOK_EVERY);
            let arrived = self.traffic.since(began);
            let through = arrived.iter().find(|arrival| arrival.source == self.macs[1]);
            if through.is_some() || began.elapsed() > GIVE_UP {
                break through.map(|arrival| arrival.at);
            }
        };
        thread::sleep(AFTERWARDS);
        let lost = self.traffic.lost(began, first.unwrap_or_else(Instant::now) + AFTERWARDS);
        match end {
            End::Killed | End::Stopped => self.routers[0].start(),
            End::Cut => self.port.mend(),
            End::Released => self.order(&["vrrp", "resume", "gate"]),
        }
        (first.map(|at| at - began), EVERY * u32::try_from(lost).unwrap())
    }

    #[track_caller]
    fn order(&self, arguments: &[&str]) {
        if let Router::Shunt(shunt) = &self.routers[0] {
            shunt.shuntd.order(arguments);
        }
    }
}

fn mac(node: &Node, interface: &str) -> [u8; 6] {
    let text = node.must("cat", &[&format!("/sys/class/net/{interface}/address")]);
    let octets: Vec<u8> =
        text.trim().split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
    octets.try_into().unwrap()
}

/// Time and loss, of each kind of end.
type Seen = Vec<(End, Spans, Spans)>;

fn takeovers(pair: Pair, interval: u16, count: usize) -> Seen {
    let mut scene = Scene::start(pair, interval);
    let ends = End::ALL.into_iter().filter(|end| *end != End::Released || !pair.keepalived);
    let mut seen: Seen = ends.map(|end| (end, Spans::default(), Spans::default())).collect();
    for round in 0..count {
        for (end, times, losses) in &mut seen {
            // Any time between two advertisements.
            thread::sleep(Duration::from_millis(round as u64 * 37 % (u64::from(interval) * 10)));
            let (time, loss) = scene.end(*end);
            if let Some(time) = time {
                times.push(time);
            }
            losses.push(loss);
        }
    }
    seen
}

pub fn measure(with_shunt: bool, count: usize) {
    let pairs: Vec<Pair> =
        Pair::ALL.into_iter().filter(|pair| pair.keepalived || with_shunt).collect();
    println!(
        "\nThe active router's end until the other one forwards, and probes lost meanwhile (two each millisecond), ms:\n"
    );
    head(["pair", "advertisements", "end", "p50", "worst", "aim", "lost p50", "lost worst"]);
    for &pair in &pairs {
        show(pair, 10, &takeovers(pair, 10, count));
    }
    // They mostly wait, each for itself.
    let slow: Vec<(Pair, Seen)> = thread::scope(|scope| {
        let work = |pair| move || takeovers(pair, 100, count.div_ceil(3));
        let threads: Vec<_> = pairs.iter().map(|&pair| (pair, scope.spawn(work(pair)))).collect();
        threads.into_iter().map(|(pair, thread)| (pair, thread.join().unwrap())).collect()
    });
    for (pair, seen) in &slow {
        show(*pair, 100, seen);
    }
}

fn show(pair: Pair, interval: u16, seen: &Seen) {
    // Three intervals, the skew of the second router, and 10 ms.
    let interval_ms = u64::from(interval) * 10;
    let skew = (256 - u64::from(PRIORITIES[1])) * interval_ms / 256;
    let aim = (3 * interval_ms + skew + 10).to_string();
    for (end, times, losses) in seen {
        let aim = if matches!(end, End::Killed | End::Cut) { aim.as_str() } else { "" };
        let [middle, worst] = [50, 100].map(|percent| match times.is_empty() {
            true => "never".to_owned(),
            false => ms(times.percentile(percent)),
        });
        let [lost, most] = [50, 100].map(|percent| ms(losses.percentile(percent)));
        let every = format!("{interval_ms} ms");
        row([&pair.name(), &every, end.name(), &middle, &worst, aim, &lost, &most]);
    }
}
