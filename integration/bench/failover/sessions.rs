//! What 100 BFD sessions cost.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::bfd::Timers;
use crate::lab::{Net, Node, PATIENCE, wait_for};
use crate::process::{memory, processor};
use crate::product::{self, Path, Product, Role};
use crate::statistics::{head, row};

const SESSIONS: u8 = 100;
const TIMERS: Timers = Timers::new(10, 3);
const WATCHED: Duration = Duration::from_secs(20);

/// Processor time per second, MiB, sessions lost meanwhile.
fn sessions(product: Product) -> (Duration, f64, usize) {
    let (_net, router, far) = Net::pair("router", "far");
    let addresses = |node: &Node, interface: &str, side: u8| {
        let lines =
            (1..=SESSIONS).map(|n| format!("addr add 10.77.{side}.{n}/16 dev {interface}\n"));
        node.ip_batch(&lines.collect::<String>());
    };
    addresses(&router, "far", 1);
    addresses(&far, "router", 2);
    let paths = |interface: &str, local: u8, remote: u8| -> Vec<Path> {
        let path = |n| Path {
            interface: interface.to_owned(),
            local: Ipv4Addr::new(10, 77, local, n),
            remote: Ipv4Addr::new(10, 77, remote, n),
        };
        (1..=SESSIONS).map(path).collect()
    };
    // The same far end for all.
    let config = format!(
        "router id 10.77.2.1;\nprotocol device {{ }}\nprotocol bfd {{\n  {}\n{}}}\n",
        product::bird_bfd(TIMERS),
        product::bird_sessions(&paths("router", 2, 1))
    );
    let _far = product::bird(&far, "bird", &config);
    let role = Role { node: &router, timers: TIMERS, paths: paths("far", 1, 2), sink: None };
    let _router = product.start(&role);
    let up = || -> Result<Vec<String>, String> {
        let shown = far.run("birdc", &["-s", &far.path("bird.ctl"), "show bfd sessions"])?;
        let fast = shown.lines().filter(|line| line.contains(" Up ") && line.contains(" 0.030"));
        // Address and since when.
        let word = |line: &str, at| line.split_whitespace().nth(at).unwrap_or_default().to_owned();
        Ok(fast.map(|line| format!("{} {}", word(line, 0), word(line, 3))).collect())
    };
    let before = wait_for("sessions", PATIENCE, || match up()? {
        all if all.len() == usize::from(SESSIONS) => Ok(all),
        some => Err(format!("{} of them", some.len())),
    });
    thread::sleep(Duration::from_secs(2));
    let (start, used) = (Instant::now(), processor(&router));
    thread::sleep(WATCHED);
    let (used, span) = (processor(&router) - used, start.elapsed());
    let after = up().unwrap_or_default();
    let lost = before.iter().filter(|session| !after.contains(session)).count();
    (used.div_f64(span.as_secs_f64()), memory(&router, "VmRSS"), lost)
}

pub fn measure(products: &[Product]) {
    println!(
        "\n{SESSIONS} BFD sessions, 10 ms × 3, processor time of all processes over {} s:\n",
        WATCHED.as_secs()
    );
    head(["daemon", "ms each second", "memory, MiB", "sessions that went down meanwhile"]);
    for &product in products {
        let (used, memory, lost) = sessions(product);
        let used = format!("{:.1}", used.as_secs_f64() * 1000.0);
        row([product.name(), &used, &format!("{memory:.1}"), &lost.to_string()]);
    }
}
