//! How long an order takes from its start until the neighbour has read the UPDATE.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use hyper_util::rt::TokioIo;
use shunt::api::v1::OrderRequest;
use shunt::api::v1::control_client::ControlClient;
use shunt::types::Rng;
use tonic::transport::{Channel, Endpoint};

use crate::lab::{Net, Node, within};
use crate::process::{Line, Process, command, memory};
use crate::product::{self, Product, Scene, socket};
use crate::speaker::{SERVICE, Speaker};
use crate::statistics::{Spans, head, ms, row};

/// Rounds before those that count.
const WARM_UP: usize = 3;

/// A daemon with an established neighbour.
struct Running {
    _daemon: Process,
    _helpers: Vec<Process>,
    _state: tempfile::TempDir,
    speaker: Speaker,
    node: Node,
    _net: Net,
}

impl Running {
    fn start(product: Product, in_memory: bool) -> Running {
        let (net, node, peer) = Net::pair("router", "peer");
        let speaker = Speaker::start(&peer, Ipv4Addr::new(10, 99, 0, 2), 65001);
        let state = product::state(in_memory);
        let scene = Scene {
            node: &node,
            neighbors: 1,
            announced: false,
            feeds: 0,
            kernel: false,
            flapping: false,
            state: state.path(),
        };
        let helpers = product.prepare(&scene);
        let line = product.daemon(&scene);
        let daemon = within(&node, || Process::start(&line, &node.path("daemon.log")));
        speaker.established();
        Running { _daemon: daemon, _helpers: helpers, _state: state, speaker, node, _net: net }
    }
}

/// A way to give orders.
trait Door {
    /// Announces the service prefix, or takes it back. Gives the time at which it began; returns when the
    /// daemon has answered.
    fn give(&mut self, announce: bool) -> Instant;
}

/// A command, from before it is started.
struct ByCommand {
    node: Node,
    announce: Line,
    withdraw: Line,
}

impl ByCommand {
    fn new(product: Product, node: &Node) -> ByCommand {
        ByCommand {
            node: node.clone(),
            announce: product.command(node, true),
            withdraw: product.command(node, false),
        }
    }
}

impl Door for ByCommand {
    fn give(&mut self, announce: bool) -> Instant {
        let line = if announce { &self.announce } else { &self.withdraw };
        within(&self.node, || run(line))
    }
}

fn run(line: &Line) -> Instant {
    let mut command = command(line);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    assert!(status.success(), "{line:?}: {status}");
    start
}

/// An open connection to shunt's API.
struct BySession {
    runtime: tokio::runtime::Runtime,
    client: ControlClient<Channel>,
}

impl BySession {
    fn open(node: &Node) -> BySession {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = socket(node);
        let connector = tower::service_fn(move |_| {
            let path = path.clone();
            async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = runtime.block_on(endpoint.connect_with_connector(connector)).unwrap();
        BySession { runtime, client: ControlClient::new(channel) }
    }
}

impl Door for BySession {
    fn give(&mut self, announce: bool) -> Instant {
        let order = if announce { "announce" } else { "withdraw" };
        let request = OrderRequest {
            target: SERVICE.to_owned(),
            order: order.to_owned(),
            ..OrderRequest::default()
        };
        let start = Instant::now();
        self.runtime.block_on(self.client.order(request)).unwrap();
        start
    }
}

/// An open connection to BIRD's control socket.
struct ByBirdSession(BufReader<UnixStream>);

impl ByBirdSession {
    fn open(node: &Node) -> ByBirdSession {
        let stream = UnixStream::connect(socket(node)).unwrap();
        let mut session = ByBirdSession(BufReader::new(stream));
        session.answer();
        session
    }

    /// Reads up to the last line of an answer: `0009 service: enabled`, `0001 BIRD 2.0.12 ready.`
    fn answer(&mut self) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.split_at_checked(4) {
                Some((code, rest)) if rest.starts_with(' ') => match code.chars().next() {
                    Some('0' | '1') => return,
                    _ => panic!("BIRD says {line}"),
                },
                _ => {}
            }
        }
    }
}

impl Door for ByBirdSession {
    fn give(&mut self, announce: bool) -> Instant {
        let order: &[u8] = if announce { b"enable service\n" } else { b"disable service\n" };
        let start = Instant::now();
        self.0.get_mut().write_all(order).unwrap();
        self.answer();
        start
    }
}

struct Way {
    name: &'static str,
    running: Rc<Running>,
    door: Box<dyn Door>,
    seen: Spans,
    answered: Spans,
}

impl Way {
    fn new(name: &'static str, running: &Rc<Running>, door: impl Door + 'static) -> Way {
        Way {
            name,
            running: running.clone(),
            door: Box::new(door),
            seen: Spans::default(),
            answered: Spans::default(),
        }
    }

    fn measure(&mut self, counts: bool) {
        let start = self.door.give(true);
        let answered = start.elapsed();
        let seen = self.running.speaker.announced() - start;
        if counts {
            self.seen.push(seen);
            self.answered.push(answered);
        }
        self.door.give(false);
        self.running.speaker.withdrawn();
    }
}

/// What no order can do without: a command has to be started, the disk has to answer, and somebody else has to be
/// woken and to answer in turn.
struct Floors {
    command: Spans,
    disk: Spans,
    wake: Spans,
    file: File,
    echo: UnixStream,
    _state: tempfile::TempDir,
}

impl Floors {
    fn new() -> Floors {
        let state = product::state(false);
        let (echo, mut other) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            let mut octet = [0];
            while other.read_exact(&mut octet).and_then(|()| other.write_all(&octet)).is_ok() {}
        });
        Floors {
            command: Spans::default(),
            disk: Spans::default(),
            wake: Spans::default(),
            file: File::create(state.path().join("floor")).unwrap(),
            echo,
            _state: state,
        }
    }

    fn measure(&mut self, counts: bool) {
        let command = run(&vec!["true".to_owned()]).elapsed();
        let start = Instant::now();
        self.file.write_all_at(&[b'x'; 300], 0).unwrap();
        self.file.sync_all().unwrap();
        let disk = start.elapsed();
        let start = Instant::now();
        self.echo.write_all(&[0]).unwrap();
        self.echo.read_exact(&mut [0]).unwrap();
        let wake = start.elapsed();
        if counts {
            self.command.push(command);
            self.disk.push(disk);
            self.wake.push(wake);
        }
    }
}

/// Orders in turn, so that what else the machine does hits all alike.
pub fn measure(products: &[Product], count: usize) {
    let mut ways = Vec::new();
    let mut memories = Vec::new();
    for product in products {
        let running = Rc::new(Running::start(*product, false));
        let by_command = ByCommand::new(*product, &running.node);
        match product {
            Product::Shunt => {
                let in_memory = Rc::new(Running::start(*product, true));
                ways.push(Way::new("`shunt announce`", &running, by_command));
                let by_command = ByCommand::new(*product, &in_memory.node);
                ways.push(Way::new("… state in tmpfs", &in_memory, by_command));
                let session = BySession::open(&running.node);
                ways.push(Way::new("shunt, open session", &running, session));
                let session = BySession::open(&in_memory.node);
                ways.push(Way::new("… state in tmpfs", &in_memory, session));
            }
            Product::Bird => {
                ways.push(Way::new("`birdc enable`", &running, by_command));
                let session = ByBirdSession::open(&running.node);
                ways.push(Way::new("BIRD, open session", &running, session));
            }
            Product::Openbgpd => ways.push(Way::new("`bgpctl network add`", &running, by_command)),
            Product::Gobgp => ways.push(Way::new("`gobgp global rib add`", &running, by_command)),
            Product::Frr => ways.push(Way::new("`vtysh -c 'network …'`", &running, by_command)),
        }
        memories.push((product.name(), memory(&running.node, "VmRSS"), running));
    }
    let mut floors = Floors::new();
    let mut rng = Rng::new(1);
    let mut order: Vec<usize> = (0..ways.len()).collect();
    for round in 0..WARM_UP + count {
        let counts = round >= WARM_UP;
        for index in &order {
            ways[*index].measure(counts);
        }
        floors.measure(counts);
        // A slow one leaves the processor cold to the next: that shall not always be the same.
        for last in (1..order.len()).rev() {
            order.swap(last, rng.below(last as u64 + 1) as usize);
        }
    }

    println!("\nOrder to UPDATE at the neighbour, ms, {count} in turn:\n");
    head(["way", "UPDATE p50", "p99", "answer p50", "p99"]);
    for way in &ways {
        let [seen, worst] = [50, 99].map(|percent| ms(way.seen.percentile(percent)));
        let [answered, late] = [50, 99].map(|percent| ms(way.answered.percentile(percent)));
        row([way.name, &seen, &worst, &answered, &late]);
    }
    for (name, spans) in [
        ("floor: run `true`", floors.command),
        ("floor: write and sync 300 octets", floors.disk),
        ("floor: wake a thread and be woken", floors.wake),
    ] {
        row([name, "", "", &ms(spans.percentile(50)), &ms(spans.percentile(99))]);
    }
    println!("\nMemory with one neighbour and no route, all processes, MiB:\n");
    head(["daemon", "resident"]);
    for (name, resident, _) in &memories {
        row([name, &format!("{resident:.1}")]);
    }
}
