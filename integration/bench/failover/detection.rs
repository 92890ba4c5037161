//! How long after a neighbour's fault a third router has the WITHDRAW.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::bfd::{BfdSeen, Timers, bird_seen};
use crate::lab::{Net, Node, PATIENCE, wait_for};
use crate::port::Port;
use crate::process::Process;
use crate::product::{self, ASN, Path, Product, Role};
use crate::speaker::{Change, Event, Speaker};
use crate::statistics::{Spans, head, ms, row};

/// Neighbours, so that some come back while another is measured.
const FEEDS: u8 = 8;

/// What has been up for so long is measured.
const SETTLED: Duration = Duration::from_millis(200);

const SINK: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// SIGKILL: the kernel closes its TCP connections, which tells sooner than BFD.
    Killed,
    /// SIGSTOP.
    Stopped,
    /// Nothing passes any more; the carrier stays.
    Cut,
}

impl Fault {
    const ALL: [Fault; 3] = [Fault::Killed, Fault::Stopped, Fault::Cut];

    fn name(self) -> &'static str {
        match self {
            Fault::Killed => "killed",
            Fault::Stopped => "stopped",
            Fault::Cut => "link cut",
        }
    }
}

/// A BIRD that announces a service, on a link of its own.
struct Feed {
    number: u8,
    node: Node,
    config: String,
    daemon: Option<Process>,
    port: Port,
    /// Since when its service is announced at the sink.
    announced: Option<Instant>,
    fault: Option<Fault>,
}

impl Feed {
    fn run(&mut self) {
        self.daemon = Some(product::bird(&self.node, "bird", &self.config));
    }

    fn router(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, self.number, 1)
    }

    fn hurt(&mut self, fault: Fault) -> Instant {
        self.fault = Some(fault);
        let now = Instant::now();
        let daemon = self.daemon.as_ref().expect("it runs");
        match fault {
            Fault::Killed => daemon.signal(Signal::SIGKILL),
            Fault::Stopped => daemon.signal(Signal::SIGSTOP),
            Fault::Cut => return self.port.cut(),
        }
        now
    }

    fn heal(&mut self) {
        match self.fault.take() {
            Some(Fault::Killed) => {
                self.daemon = None;
                self.run();
            }
            Some(Fault::Stopped) => {
                self.daemon.as_ref().expect("it runs").signal(Signal::SIGCONT);
            }
            Some(Fault::Cut) => self.port.mend(),
            None => {}
        }
    }

    /// The router's BFD session, as the feed sees it.
    fn session(&self) -> Result<BfdSeen, String> {
        let shown =
            self.node.run("birdc", &["-s", &self.node.path("bird.ctl"), "show bfd sessions"])?;
        bird_seen(&shown, &self.router().to_string())
    }
}

struct Scene {
    timers: Timers,
    feeds: Vec<Feed>,
    sink: Speaker,
    /// WITHDRAWs that nobody asked for.
    false_alarms: usize,
    _router: Vec<Process>,
    _net: Net,
}

impl Scene {
    fn start(product: Product, timers: Timers) -> Scene {
        let mut net = Net::new();
        let [router, sink] = ["router", "sink"].map(|name| net.node(name));
        net.link(&router, &sink, 0);
        let sink = Speaker::start(&sink, SINK, ASN + 1);
        let mut paths = Vec::new();
        let mut feeds = Vec::new();
        for number in 1..=FEEDS {
            let node = net.node(&format!("feed{number}"));
            let name = format!("link{number}");
            let lan = net.lan(&name, number, &[&router, &node]);
            let port = Port::new(&lan, node.name());
            let [local, remote] = [1, 2].map(|host| Ipv4Addr::new(10, 98, number, host));
            paths.push(Path { interface: name, local, remote });
            let config = feed(number, timers);
            let mut feed =
                Feed { number, node, config, daemon: None, port, announced: None, fault: None };
            feed.run();
            feeds.push(feed);
        }
        let role = Role { node: &router, timers, paths, sink: Some(SINK) };
        let router = product.start(&role);
        Scene { timers, feeds, sink, false_alarms: 0, _router: router, _net: net }
    }

    /// Takes what comes from the sink; gives the next withdrawal of this feed.
    fn look(&mut self, hurt: Option<u8>, patience: Duration) -> Option<Instant> {
        let end = Instant::now() + patience;
        while let Some(event) = self.sink.next(end.saturating_duration_since(Instant::now())) {
            let (Change { at, service }, there) = match event {
                Event::Announced(change) => (change, true),
                Event::Withdrawn(change) => (change, false),
                Event::Established(_) => continue,
            };
            let Some(feed) = self.feeds.iter_mut().find(|feed| feed.number == service) else {
                continue;
            };
            feed.announced = there.then_some(at);
            if !there && hurt == Some(service) {
                return Some(at);
            }
            if !there && feed.fault.is_none() {
                self.false_alarms += 1;
            }
        }
        None
    }

    /// Waits until a feed is announced and its BFD session as fast as it is to be.
    #[track_caller]
    fn ready(&mut self, index: usize) {
        let expected = BfdSeen {
            state: "up".to_owned(),
            transmit: self.timers.transmit.into(),
            detection: u64::from(self.timers.transmit) * u64::from(self.timers.multiplier),
        };
        wait_for("feed", PATIENCE, || {
            self.look(None, Duration::ZERO);
            let since = self.feeds[index].announced.ok_or("not announced")?;
            let seen = self.feeds[index].session()?;
            if seen != expected {
                return Err(format!("{seen:?}"));
            }
            if since.elapsed() < SETTLED {
                return Err("just announced".to_owned());
            }
            Ok(())
        });
    }

    /// `None`: a false alarm came just before.
    #[track_caller]
    fn fault(&mut self, index: usize, fault: Fault) -> Option<Duration> {
        self.ready(index);
        let number = self.feeds[index].number;
        let hurt = self.feeds[index].hurt(fault);
        let seen = self.look(Some(number), PATIENCE).expect("the sink has the WITHDRAW");
        self.feeds[index].heal();
        let span = seen.checked_duration_since(hurt);
        self.false_alarms += usize::from(span.is_none());
        span
    }
}

fn feed(number: u8, timers: Timers) -> String {
    let asn = ASN + 1 + u16::from(number);
    format!(
        "router id 10.98.{number}.2;\nprotocol device {{ }}\n\
         protocol static {{ ipv4; route 198.51.100.{number}/32 blackhole; }}\n\
         protocol bfd {{ {} }}\n\
         protocol bgp upstream {{ local 10.98.{number}.2 as {asn}; neighbor 10.98.{number}.1 as {ASN}; bfd on;\n  \
         connect delay time 1; error wait time 1, 1; connect retry time 1; graceful restart off;\n  \
         ipv4 {{ import none; export all; }}; }}\n",
        product::bird_bfd(timers)
    )
}

pub fn measure(products: &[Product], intervals: &[u16], faults: usize) {
    println!(
        "\nA neighbour's fault until a third router has read the WITHDRAW, ms, {faults} times each:\n"
    );
    head([
        "daemon",
        "detection time",
        "fault",
        "p50",
        "p99",
        "worst",
        "p99 / detection time",
        "false alarms",
    ]);
    for &interval in intervals {
        let timers = Timers::new(interval, 3);
        let configured = Duration::from_millis(3 * u64::from(interval));
        for &product in products.iter().filter(|product| product.least_interval() <= interval) {
            let mut scene = Scene::start(product, timers);
            let mut spans: HashMap<&str, Spans> = HashMap::new();
            for round in 0..Fault::ALL.len() * faults {
                let fault = Fault::ALL[round % Fault::ALL.len()];
                // Any time between two packets.
                thread::sleep(Duration::from_micros(round as u64 * 617 % 5000));
                let span = loop {
                    if let Some(span) = scene.fault(round % usize::from(FEEDS), fault) {
                        break span;
                    }
                };
                spans.entry(fault.name()).or_default().push(span);
            }
            for fault in Fault::ALL {
                let all = &spans[fault.name()];
                let [middle, late, worst] = [50, 99, 100].map(|percent| all.percentile(percent));
                let ratio = late.as_secs_f64() / configured.as_secs_f64();
                row([
                    product.name(),
                    &format!("{interval} ms × 3"),
                    fault.name(),
                    &ms(middle),
                    &ms(late),
                    &ms(worst),
                    &format!("{ratio:.2}"),
                    &scene.false_alarms.to_string(),
                ]);
            }
        }
    }
}
