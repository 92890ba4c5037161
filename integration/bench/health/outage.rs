//! The preferred site's service has a fault: how long until a client is served by the other site.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Net, Node, PATIENCE};
use crate::process::Process;
use crate::product::{self, Product};
use crate::service::{Client, Fault, Service};
use crate::statistics::{Spans, head, ms, row};
use crate::wire::{SERVICE_PORT, Wire};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 7), SERVICE_PORT);
/// The router to the first site.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 1);
/// What has been served by the first site for so long is hurt.
const SETTLED: Duration = Duration::from_secs(2);
/// How often the client asks before the fault.
const IDLE: Duration = Duration::from_millis(20);

/// A daemon with its settings.
pub struct Plan {
    product: Product,
    name: &'static str,
    /// As the daemon takes them.
    settings: &'static str,
    /// `fall` × `fast-interval` + `timeout` + 20 ms.
    bound: Option<Duration>,
}

/// About 100 ms between two checks, down with the third failure.
pub const FAST: [Plan; 5] = [
    Plan {
        product: Product::Shunt,
        name: "100 ms",
        settings: "interval = \"100ms\"\ntimeout = \"100ms\"\n",
        bound: Some(Duration::from_millis(3 * 100 + 100 + 20)),
    },
    Plan {
        product: Product::Shunt,
        name: "100 ms, in doubt 20 ms",
        settings: "interval = \"100ms\"\nfast-interval = \"20ms\"\ntimeout = \"100ms\"\n",
        bound: Some(Duration::from_millis(3 * 20 + 100 + 20)),
    },
    Plan {
        product: Product::Exabgp,
        name: "0.1 s, `curl --max-time 0.1`",
        settings: "--interval 0.1 --fast-interval 0.1 --timeout 1 --fall 3 --rise 2 --cmd 'curl -sf --max-time 0.1 URL'",
        bound: None,
    },
    Plan {
        product: Product::Exabgp,
        name: "0.1 s, timeout 1 s (its least)",
        settings: "--interval 0.1 --fast-interval 0.1 --timeout 1 --fall 3 --rise 2 --cmd 'curl -sf URL'",
        bound: None,
    },
    Plan {
        product: Product::Keepalived,
        name: "0.1 s",
        settings: "delay_loop 0.1\n  connect_timeout 0.1\n  retry 2\n  delay_before_retry 0.1\n",
        bound: None,
    },
];

/// With defaults, or as examples have it.
pub const USUAL: [Plan; 5] = [
    Plan {
        product: Product::Shunt,
        name: "default (1 s)",
        settings: "",
        bound: Some(Duration::from_millis(3 * 200 + 1000 + 20)),
    },
    Plan {
        product: Product::Exabgp,
        name: "1 s",
        settings: "--interval 1 --fast-interval 1 --timeout 1 --fall 3 --rise 2 --cmd 'curl -sf URL'",
        bound: None,
    },
    Plan {
        product: Product::Exabgp,
        name: "default (5 s)",
        settings: "--cmd 'curl -sf URL'",
        bound: None,
    },
    Plan {
        product: Product::Keepalived,
        name: "1 s",
        settings: "delay_loop 1\n  connect_timeout 1\n  retry 2\n  delay_before_retry 1\n",
        bound: None,
    },
    Plan {
        product: Product::Keepalived,
        name: "as in its example (6 s)",
        settings: "delay_loop 6\n  connect_timeout 3\n  retry 3\n  delay_before_retry 3\n",
        bound: None,
    },
];

/// A client behind a router, and two sites of which the first is preferred. Only the first is checked.
struct Scene {
    client: Node,
    wire: Wire,
    /// Of the first site; the other one answers as long as this value lives.
    services: [Service; 2],
    _daemons: Vec<Process>,
    _net: Net,
}

impl Scene {
    fn start(plan: &Plan) -> Scene {
        let mut net = Net::new();
        let [client, router, first, second] =
            ["client", "router", "first", "second"].map(|name| net.node(name));
        net.link(&client, &router, 0);
        client.ip_batch("route add default via 10.99.0.2\n");
        let sites = [&first, &second];
        for (site, number) in sites.into_iter().zip(1..) {
            net.link(&router, site, number);
            site.ip_batch(&format!("route add 10.99.0.0/24 via 10.99.{number}.1\n"));
            site.address("lo", &format!("{}/32", SERVICE.ip()));
        }
        let services = sites.map(|site| Service::start(site, SERVICE));
        let wire = Wire::start(&first, *SERVICE.ip(), ROUTER);
        let mut daemons = vec![product::bird(&router, &router_config())];
        for (site, number) in sites.into_iter().zip(1..) {
            daemons.extend(announcer(plan, site, number));
        }
        Scene { client, wire, services, _daemons: daemons, _net: net }
    }

    /// Waits until the client has been served by the first site for some time.
    #[track_caller]
    fn ready(&self, settled: Duration) {
        let client = Client::start(&self.client, SERVICE, IDLE);
        let end = Instant::now() + PATIENCE;
        let mut since = None;
        while Instant::now() < end {
            match client.next(PATIENCE) {
                Some(answer) if answer.by == "first" => {
                    if answer.at.duration_since(*since.get_or_insert(answer.asked)) >= settled {
                        return;
                    }
                }
                _ => since = None,
            }
        }
        panic!("the first site does not serve the client");
    }

    /// Outage, and from the first answer that failed to the announcement.
    #[track_caller]
    fn fault(&mut self, fault: Fault, every: Duration) -> (Duration, Option<Duration>) {
        let client = Client::start(&self.client, SERVICE, every);
        assert!(client.next(PATIENCE).is_some(), "the client is served before the fault");
        self.wire.forget();
        let hurt = self.services[0].hurt(fault);
        let end = hurt + PATIENCE;
        let served = loop {
            let answer = client.next(end.saturating_duration_since(Instant::now()));
            let answer = answer.expect("the other site serves the client");
            if answer.by == "second" {
                break answer.at;
            }
        };
        drop(client);
        let (failed, announced) = self.wire.since(hurt);
        let told =
            failed.zip(announced).and_then(|(failed, told)| told.checked_duration_since(failed));
        self.services[0].heal();
        (served - hurt, told)
    }
}

fn router_config() -> String {
    let neighbor = |number: u8| {
        format!(
            "protocol bgp site{number} {{ local 10.99.{number}.1 as 65000; neighbor 10.99.{number}.2 as 65001;\n  \
             connect delay time 1; error wait time 1, 1; connect retry time 1; ipv4 {{ import all; export none; }}; }}\n"
        )
    };
    format!(
        "router id 10.99.1.1;\nprotocol device {{ }}\nprotocol kernel {{ ipv4 {{ import none; export all; }}; }}\n{}{}",
        neighbor(1),
        neighbor(2)
    )
}

/// MED of the first site while its service is well, of the second, and of the first otherwise.
const METRICS: [u16; 3] = [100, 500, 1000];

fn announcer(plan: &Plan, site: &Node, number: u8) -> Vec<Process> {
    let is_checked = number == 1;
    let url = format!("http://{SERVICE}/health");
    let med = METRICS[usize::from(number) - 1];
    match plan.product {
        Product::Shunt => {
            let mut config = format!(
                "[node]\nname = \"{name}\"\nsite = \"{name}\"\nasn = 65001\nrouter-id = \"10.99.{number}.2\"\nown-prefixes = [\"198.51.100.0/24\"]\n\
                 [kernel]\ninstall = false\n\
                 [neighbor.router]\naddress = \"10.99.{number}.1\"\nremote-as = 65000\nimport = \"none\"\n\
                 export = \"groups\"\nconnect-retry = \"1s\"\n\
                 [group.service]\nprefixes = [\"{}/32\"]\nbase = {{ first = \"primary\", second = \"standby\" }}\n",
                SERVICE.ip(),
                name = site.name(),
            );
            if is_checked {
                config += &format!(
                    "checks = [\"web\"]\n[check.web]\nhttp = \"{url}\"\n{}",
                    plan.settings
                );
            }
            vec![product::shunt(site, &config)]
        }
        Product::Exabgp => {
            let [up, _, down] = METRICS;
            let (mut process, mut routes) = (String::new(), String::new());
            if is_checked {
                let line = format!(
                    "#!/bin/sh\nexec python3 -m exabgp healthcheck --no-syslog --no-ip-setup --ip {}/32 --up-metric {up} \
                     --down-metric {down} {}\n",
                    SERVICE.ip(),
                    plan.settings.replace("URL", &url)
                );
                let script = site.write("watch", &line);
                std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
                process = format!("process watch {{ run {script}; encoder text; }}\n");
                routes.push_str("api { processes [ watch ]; }");
            } else {
                routes = format!("static {{ route {}/32 next-hop self med {med}; }}", SERVICE.ip());
            }
            let config = format!(
                "{process}neighbor 10.99.{number}.1 {{\n  router-id 10.99.{number}.2;\n  local-address 10.99.{number}.2;\n  \
                 local-as 65001;\n  peer-as 65000;\n  hold-time 9;\n  family {{ ipv4 unicast; }}\n  {routes}\n}}\n"
            );
            vec![product::exabgp(site, &config)]
        }
        Product::Keepalived => {
            let config = format!(
                "router id 10.99.{number}.2;\nprotocol device {{ }}\n\
                 protocol static service {{ ipv4; route {}/32 blackhole {{ bgp_med = {med}; }}; }}\n\
                 protocol bgp upstream {{ local 10.99.{number}.2 as 65001; neighbor 10.99.{number}.1 as 65000;\n  \
                 connect delay time 1; error wait time 1, 1; connect retry time 1;\n  \
                 ipv4 {{ import none; export all; next hop self; }}; }}\n",
                SERVICE.ip()
            );
            let mut daemons = vec![product::bird(site, &config)];
            if is_checked {
                let order = |order| {
                    format!("\"/usr/sbin/birdc -s {} {order} service\"", site.path("bird.ctl"))
                };
                let servers = format!(
                    "virtual_server {} 80 {{\n  protocol TCP\n  {}  quorum_up {}\n  quorum_down {}\n  \
                     real_server {} {} {{\n    HTTP_GET {{\n      url {{\n        path /health\n        status_code 200\n      \
                     }}\n    }}\n  }}\n}}\n",
                    SERVICE.ip(),
                    plan.settings,
                    order("enable"),
                    order("disable"),
                    SERVICE.ip(),
                    SERVICE.port()
                );
                daemons.push(product::keepalived(site, &servers));
            }
            daemons
        }
    }
}

struct Measured {
    outage: Spans,
    told: Spans,
}

/// Faults at any time between two checks.
fn watch(plan: &Plan, fault: Fault, faults: usize, every: Duration) -> Measured {
    let mut measured = Measured { outage: Spans::default(), told: Spans::default() };
    let mut scene = Scene::start(plan);
    for round in 0..faults {
        scene.ready(SETTLED + Duration::from_micros(round as u64 * 61_803 % 1_000_000));
        let (outage, told) = scene.fault(fault, every);
        measured.outage.push(outage);
        told.into_iter().for_each(|told| measured.told.push(told));
    }
    measured
}

/// Of the fast plans one after the other, of the usual ones, which need long, all at once.
pub fn measure(products: &[Product], plans: &[Plan], faults: usize, at_once: bool) {
    println!(
        "\nA fault of the service at the preferred site until a client is served by the other one, and from the first failed \
         check to the announcement, ms, {faults} times each:\n"
    );
    head([
        "daemon",
        "checks",
        "fault",
        "outage least",
        "p50",
        "worst",
        "told least",
        "p50",
        "worst",
        "bound",
    ]);
    let chosen = plans.iter().filter(|plan| products.contains(&plan.product));
    let kinds: Vec<(&Plan, Fault)> =
        chosen.flat_map(|plan| Fault::ALL.map(|fault| (plan, fault))).collect();
    let show = |(plan, fault): (&Plan, Fault), measured: &Measured| {
        let [least, middle, worst] =
            [0, 50, 100].map(|percent| ms(measured.outage.percentile(percent)));
        let [told_least, told, told_worst] =
            [0, 50, 100].map(|percent| ms(measured.told.percentile(percent)));
        let bound = plan.bound.map(|bound| bound.as_millis().to_string()).unwrap_or_default();
        row([
            plan.product.name(),
            plan.name,
            fault.name(),
            &least,
            &middle,
            &worst,
            &told_least,
            &told,
            &told_worst,
            &bound,
        ]);
    };
    if at_once {
        thread::scope(|scope| {
            let watch = |(plan, fault)| scope.spawn(move || watch(plan, fault, faults, IDLE));
            let threads: Vec<_> = kinds.iter().map(|&kind| (kind, watch(kind))).collect();
            for (kind, thread) in threads {
                show(kind, &thread.join().unwrap());
            }
        });
    } else {
        for (plan, fault) in kinds {
            show((plan, fault), &watch(plan, fault, faults, Duration::from_millis(5)));
        }
    }
}
