//! A service at two sites, a router that chooses between them, and a client behind it.
//!
//! ```text
//!              client
//!                 |
//!              inside           BIRD with OSPF, or FRR with BGP
//!              /    \
//!           dc1      dc2        shuntd: 198.51.100.7/32 with 200 and with 100
//!            |        |
//!          app1      app2       the service
//! ```
//!
//! What each site announces is read from the wire, at the router inside, and turned back into a preference.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::plan::{ADDRESS, Plan, Protocol, SECOND, SERVICE, bird, config, frr, upstream};
use super::service::Service;
use crate::lab::ospf::OspfBird;
use crate::lab::{
    Bird, Capture, Frr, Instance, Monitor, Net, Node, PATIENCE, Shuntd, run, wait_for, within,
};

/// A request may wait for a retransmission, not for more.
const REQUEST: Duration = Duration::from_secs(3);

pub struct Site {
    pub shuntd: Shuntd,
    pub node: Node,
    /// Where the service is.
    pub app: Node,
    pub service: Service,
    /// What is counted.
    pub backends: Vec<Service>,
    capture: Capture,
    /// So much of what it announced has been looked at.
    heard: usize,
}

pub struct Scene {
    protocol: Protocol,
    pub sites: [Site; 2],
    pub inside: Node,
    pub isps: Vec<(Node, Bird)>,
    client: Node,
    monitor: Monitor,
    _router: Router,
    /// Last, so that it goes last.
    _net: Net,
}

enum Router {
    Bird(#[expect(dead_code, reason = "it only has to be there")] OspfBird),
    Frr(#[expect(dead_code, reason = "it only has to be there")] Frr),
}

impl Scene {
    /// Returns when both sites are announced, and the first one is preferred.
    #[track_caller]
    pub fn new(protocol: Protocol, plan: Plan) -> Scene {
        let mut net = Net::new();
        let [inside, client] = ["inside", "client"].map(|name| net.node(name));
        net.link(&inside, &client, 5);
        route(&client, "default", "10.99.5.1");
        let places = [1, 2].map(|number: u8| {
            let node = net.node(&format!("dc{number}"));
            let app = net.node(&format!("app{number}"));
            net.link(&inside, &node, number);
            net.link(&node, &app, 10 + number);
            route(&node, "default", &format!("10.99.{number}.1"));
            route(&app, "default", &format!("10.99.1{number}.1"));
            for prefix in [SERVICE, SECOND] {
                route(&node, prefix, &format!("10.99.1{number}.2"));
                app.address("lo", prefix);
            }
            (number, node, app)
        });
        let isps = if plan.upstreams { vec![1, 2] } else { Vec::new() };
        let isps = isps.into_iter().map(|number| {
            let isp = net.node(&format!("isp{number}"));
            net.link(&isp, &places[0].1, 20 + number);
            let bird = upstream(&isp, number);
            (isp, bird)
        });
        let isps = isps.collect();
        let router = match protocol {
            Protocol::Ospf => Router::Bird(bird(&inside)),
            Protocol::Bgp => Router::Frr(frr(&inside)),
        };
        let monitor = Monitor::start(&inside);
        let sites = places.map(|(number, node, app)| {
            let filter = match protocol {
                Protocol::Ospf => "proto 89".to_owned(),
                // Not what the sites say to each other.
                Protocol::Bgp => format!("tcp port 179 and host 10.99.{number}.1"),
            };
            let capture = Capture::start(&inside, node.name(), &filter);
            let service = Service::start(&app, 80);
            let backends = (1..=plan.backends).map(|server| Service::start(&app, 8000 + server));
            let backends = backends.collect();
            let shuntd = Shuntd::start(&node, &config(&node, protocol, number, plan));
            Site { shuntd, node, app, service, backends, capture, heard: 0 }
        });
        let mut scene =
            Scene { protocol, sites, inside, isps, client, monitor, _router: router, _net: net };
        scene.begin();
        scene
    }

    #[track_caller]
    fn begin(&mut self) {
        for (site, expected) in [(0, 200), (1, 100)] {
            wait_for("verdicts", PATIENCE, || {
                let health = self.sites[site].shuntd.json(&["health"])?;
                let checks = health["checks"].as_array().cloned().unwrap_or_default();
                let up = checks.iter().all(|check| check["state"] == "up");
                if up { Ok(()) } else { Err(health.to_string()) }
            });
            wait_for("the announcement as configured", PATIENCE, || {
                let announced = self.announced(site);
                let because = self.sites[site].shuntd.json(&["groups"])?;
                if announced.last() == Some(&expected) {
                    Ok(())
                } else {
                    Err(format!("{announced:?}, {because}"))
                }
            });
        }
        self.prefers(0);
        for site in [0, 1] {
            self.sites[site].heard = self.announced(site).len();
        }
    }

    /// Every preference that a site has announced on the wire, in order; 0 is a withdrawal.
    fn announced(&self, site: usize) -> Vec<u32> {
        let source = format!("10.99.{}.2", site + 1);
        let capture = &self.sites[site].capture;
        match self.protocol {
            Protocol::Ospf => {
                let own = |key: &(u8, String, String)| {
                    key.0 == 5 && key.1 == ADDRESS && key.2 == format!("192.0.2.{}", site + 1)
                };
                let mut instances = capture.instances(&source);
                instances.retain(|instance| own(&instance.key));
                // Not what is only sent again.
                let mut newest = 0;
                instances.retain(|instance| {
                    let newer = instance.sequence > newest || instance.age == 3600;
                    newest = newest.max(instance.sequence);
                    newer
                });
                instances.dedup_by_key(|instance| (instance.sequence, instance.age == 3600));
                // Before its routes are in the kernel a router announces the worst metric.
                let preference = |metric: u32| 255_u32.saturating_sub(metric / 100).max(1);
                let preferences = instances.iter().map(|instance| match instance.age {
                    3600 => 0,
                    _ => instance.metric.map_or(0, preference),
                });
                preferences.collect()
            }
            Protocol::Bgp => {
                let updates = capture.updates(&source);
                let preferences = updates.iter().filter_map(|update| {
                    if update.withdrawn.iter().any(|prefix| prefix == SERVICE) {
                        return Some(0);
                    }
                    update.announced.iter().find(|prefix| *prefix == SERVICE)?;
                    Some(255 - update.attributes.get(&4)?.parse::<u32>().ok()?)
                });
                preferences.collect()
            }
        }
    }

    /// Each site has announced these preferences since the last time, in this order, and no others.
    #[track_caller]
    pub fn said(&mut self, expected: [&[u32]; 2]) {
        let said = self.heard();
        assert_eq!(said, expected, "\n{}\n{}", self.events(0), self.events(1));
    }

    /// What each site has announced since the last time.
    pub fn heard(&mut self) -> [Vec<u32>; 2] {
        [0, 1].map(|site| {
            let said = self.announced(site).split_off(self.sites[site].heard);
            self.sites[site].heard += said.len();
            said
        })
    }

    /// How many UPDATEs, or LSAs of any kind, each site has sent so far.
    pub fn sent(&self) -> [usize; 2] {
        [0, 1].map(|site| {
            let source = format!("10.99.{}.2", site + 1);
            let capture = &self.sites[site].capture;
            match self.protocol {
                Protocol::Ospf => capture.instances(&source).len(),
                Protocol::Bgp => {
                    let messages = capture.messages(&source);
                    messages.iter().filter(|message| message["bgp.type"] == "2").count()
                }
            }
        })
    }

    /// When each LSA with this preference went out, in microseconds of the calendar.
    pub fn told_at(&self, site: usize, preference: u32) -> Vec<u64> {
        let instances = self.sites[site].capture.instances(&format!("10.99.{}.2", site + 1));
        let own = |instance: &&Instance| {
            instance.key.1 == ADDRESS && instance.metric == Some((255 - preference) * 100)
        };
        instances.iter().filter(own).map(|instance| instance.time).collect()
    }

    /// Waits until the router inside prefers a site.
    #[track_caller]
    pub fn prefers(&self, site: usize) {
        self.prefers_for(SERVICE, site);
    }

    #[track_caller]
    pub fn prefers_for(&self, prefix: &str, site: usize) {
        let name = format!("dc{}", site + 1);
        self.inside.wait_next_hops(prefix, &[&format!("10.99.{}.2@{name}", site + 1)]);
    }

    /// The same, and a request is answered there.
    #[track_caller]
    pub fn lands(&self, site: usize) {
        self.prefers(site);
        assert_eq!(self.request(), Ok(format!("app{}", site + 1)));
    }

    /// What a client gets from the service.
    pub fn request(&self) -> Result<String, String> {
        let ask = || -> std::io::Result<String> {
            let address = (ADDRESS.parse::<std::net::IpAddr>().unwrap(), 80).into();
            let mut stream = TcpStream::connect_timeout(&address, REQUEST)?;
            stream.set_read_timeout(Some(REQUEST))?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = within(&self.client, ask).map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(answer.clone())?;
        if head.starts_with("HTTP/1.1 200 ") { Ok(body.to_owned()) } else { Err(answer) }
    }

    /// Lets time go by.
    pub fn pass(&self, seconds: f64) {
        std::thread::sleep(Duration::from_secs_f64(seconds));
    }

    /// There has never been a moment without a way to the service.
    #[track_caller]
    pub fn was_always_announced(&self) {
        let changes = self.monitor.changes(SERVICE);
        assert!(!changes.is_empty() && !has_gone(&changes), "{changes:#?}");
    }

    /// Waits until there is no way to the service.
    #[track_caller]
    pub fn is_gone(&self) {
        self.inside.wait_next_hops(SERVICE, &[]);
        wait_for("end of the route in the monitor", PATIENCE, || {
            let changes = self.monitor.changes(SERVICE);
            if has_gone(&changes) { Ok(()) } else { Err(format!("{changes:#?}")) }
        });
    }

    /// Waits until this is among the reasons that `shunt` gives at a site.
    #[track_caller]
    pub fn because(&self, site: usize, text: &str) {
        self.because_of(SERVICE, site, text);
    }

    #[track_caller]
    pub fn because_of(&self, prefix: &str, site: usize, text: &str) {
        wait_for(&format!("reason `{text}`"), PATIENCE, || {
            let groups = self.sites[site].shuntd.json(&["groups", "payments"])?;
            let all = groups["groups"][0]["announcements"].as_array().cloned().unwrap_or_default();
            let own = all.iter().find(|one| one["prefix"] == prefix).ok_or(groups.to_string())?;
            let because = own["because"].to_string().replace("\\\"", "\"");
            if because.contains(text) { Ok(()) } else { Err(because) }
        });
    }

    /// Waits until this is among the warnings at a site.
    #[track_caller]
    pub fn warns(&self, site: usize, text: &str) {
        wait_for(&format!("warning `{text}`"), PATIENCE, || {
            let status = self.sites[site].shuntd.json(&["status"])?;
            let warnings = status["warnings"].to_string();
            if warnings.contains(text) { Ok(()) } else { Err(warnings) }
        });
    }

    fn events(&self, site: usize) -> String {
        self.sites[site].shuntd.ask(&["events"]).unwrap_or_default()
    }
}

fn has_gone(changes: &[(String, String)]) -> bool {
    changes.iter().any(|(_, what)| what.starts_with("Deleted "))
}

impl Site {
    /// Waits until no program of that name runs where shuntd does.
    #[track_caller]
    pub fn is_without(&self, program: &str) {
        wait_for(&format!("end of {program}"), PATIENCE, || {
            let pids = run("ip", &["netns", "pids", self.node.namespace()])?;
            let name = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm"));
            let of = |pid: &&str| name(pid).is_ok_and(|name| name.trim() == program);
            match pids.split_whitespace().filter(of).count() {
                0 => Ok(()),
                count => Err(format!("{count} of them")),
            }
        });
    }
}

#[track_caller]
fn route(node: &Node, to: &str, by: &str) {
    node.must("ip", &["route", "add", to, "via", by]);
}
