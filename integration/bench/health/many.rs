//! Thousands of checks in one daemon: whether each is made in its time, and what that costs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Net, Node, PATIENCE, wait_for};
use crate::process::{Process, command, memory, processor, shared_out};
use crate::product::{self, Product};
use crate::server::{Request, Server};
use crate::statistics::{Spans, head, ms, row};

const PORT: u16 = 8080;
const INTERVAL: Duration = Duration::from_secs(1);
/// A run that begins so much later than it should is late: more than timers and a busy server do.
const LATE: Duration = Duration::from_millis(50);
/// One that was left out: nothing was asked for one interval and a half.
const MISSED: Duration = Duration::from_millis(1500);
/// Until all checks are spread over the interval and the verdicts are there.
const SETTLED: Duration = Duration::from_secs(5);
/// A group of shunt's, a virtual server of keepalived's.
const PER_GROUP: usize = 20;

/// Each check has a server address of its own.
fn address(check: usize) -> Ipv4Addr {
    let number = u16::try_from(check).unwrap();
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 77, 0, 0)) + 256 + u32::from(number))
}

fn start(product: Product, node: &Node, checks: usize) -> Process {
    match product {
        Product::Shunt => product::shunt(node, &shunt(checks)),
        _ => product::keepalived(node, &keepalived(checks)),
    }
}

fn shunt(checks: usize) -> String {
    let mut text =
        "[node]\nname = \"router\"\nsite = \"dc1\"\nasn = 65000\nrouter-id = \"10.99.0.1\"\n\
         own-prefixes = [\"198.51.0.0/16\"]\n\
         [kernel]\ninstall = false\n"
            .to_owned();
    for check in 0..checks {
        let to = address(check);
        let _ = writeln!(text, "[check.c{check}]\nhttp = \"http://{to}:{PORT}/health\"");
    }
    for (group, first) in (0..checks).step_by(PER_GROUP).enumerate() {
        let names = (first..checks.min(first + PER_GROUP)).map(|check| format!("\"c{check}\""));
        let names: Vec<String> = names.collect();
        let _ = write!(
            text,
            "[group.g{group}]\nprefixes = [\"198.51.{}.{}/32\"]\nbase = {{ dc1 = \"primary\" }}\n\
             checks = [{}]\n",
            100 + group / 256,
            group % 256,
            names.join(", ")
        );
    }
    text
}

/// What shunt does by default: every second, down with the third failure, 200 ms between those.
fn keepalived(checks: usize) -> String {
    let mut text = String::new();
    for (group, first) in (0..checks).step_by(PER_GROUP).enumerate() {
        let _ = write!(
            text,
            "virtual_server 198.51.{}.{} 80 {{\n  delay_loop 1\n  protocol TCP\n  connect_timeout 1\n  \
             retry 2\n  delay_before_retry 0.2\n",
            100 + group / 256,
            group % 256
        );
        for check in first..checks.min(first + PER_GROUP) {
            let _ = write!(
                text,
                "  real_server {} {PORT} {{\n    HTTP_GET {{\n      url {{\n        path /health\n        \
                 status_code 200\n      }}\n    }}\n  }}\n",
                address(check)
            );
        }
        text.push_str("}\n");
    }
    text
}

/// What was asked of each check in a span of time.
struct Seen {
    requests: usize,
    gaps: Spans,
    late: usize,
    missed: usize,
    /// Checks that were not asked at all.
    never: usize,
}

impl Seen {
    fn of(requests: &[Request], checks: usize) -> Seen {
        let mut by_check: BTreeMap<Ipv4Addr, Vec<Instant>> = BTreeMap::new();
        for request in requests {
            by_check.entry(request.to).or_default().push(request.at);
        }
        let mut seen = Seen {
            requests: requests.len(),
            gaps: Spans::default(),
            late: 0,
            missed: 0,
            never: checks - by_check.len(),
        };
        for times in by_check.values() {
            for pair in times.windows(2) {
                let gap = pair[1].duration_since(pair[0]);
                seen.late += usize::from(gap > INTERVAL + LATE);
                seen.missed += usize::from(gap > MISSED);
                seen.gaps.push(gap);
            }
        }
        seen
    }
}

/// The server goes before everything else, so that it is not what delays; the daemon does not inherit that.
#[track_caller]
fn hasten() {
    let pid = std::process::id().to_string();
    let line = ["chrt", "--all-tasks", "--reset-on-fork", "--fifo", "--pid", "10", &pid];
    let done = command(&line.map(str::to_owned).to_vec()).status().unwrap();
    assert!(done.success(), "the server's priority");
}

pub fn measure(products: &[Product], checks: usize, span: Duration) {
    println!(
        "\n{checks} HTTP checks each second in one daemon, {} s of each kind; gaps between two requests of a check, ms:\n",
        span.as_secs()
    );
    head([
        "daemon",
        "service",
        "requests/s",
        "gap p50",
        "p99",
        "longest",
        "over 1.05 s",
        "over 1.5 s",
        "never asked",
        "processor, ms/s",
        "resident, MiB",
        "proportional, MiB",
    ]);
    for &product in products.iter().filter(|product| **product != Product::Exabgp) {
        let (_net, router, servers) = Net::pair("router", "servers");
        servers.ip_batch("route add local 10.77.0.0/16 dev lo\n");
        router.ip_batch("route add 10.77.0.0/16 via 10.99.0.2\n");
        let server = Server::start(&servers, PORT);
        hasten();
        let _daemon = start(product, &router, checks);
        wait_for("first request of every check", PATIENCE, || {
            thread::sleep(INTERVAL + LATE);
            match Seen::of(&server.requests(), checks).never {
                0 => Ok(()),
                never => Err(format!("{never} were not asked")),
            }
        });
        for silent in [false, true] {
            if silent {
                server.fall_silent();
            } else {
                thread::sleep(SETTLED);
            }
            server.requests();
            let (start, used) = (Instant::now(), processor(&router));
            thread::sleep(span);
            let (used, took) = (processor(&router) - used, start.elapsed());
            let seen = Seen::of(&server.requests(), checks);
            let per_second = |what: f64| format!("{:.1}", what / took.as_secs_f64());
            row([
                product.name(),
                if silent { "accepts, says nothing" } else { "well" },
                &per_second(f64::from(u32::try_from(seen.requests).unwrap())),
                &ms(seen.gaps.percentile(50)),
                &ms(seen.gaps.percentile(99)),
                &ms(seen.gaps.percentile(100)),
                &seen.late.to_string(),
                &seen.missed.to_string(),
                &seen.never.to_string(),
                &per_second(used.as_secs_f64() * 1000.0),
                &format!("{:.1}", memory(&router, "VmRSS")),
                &format!("{:.1}", shared_out(&router)),
            ]);
        }
    }
}
