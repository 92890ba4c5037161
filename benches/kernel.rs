//! Routes per second into and out of the kernel, through the driver's kernel task, beside `ip -batch` with the same
//! routes. Needs root; runs in a network namespace of its own.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Instant;

use shunt::driver::kernel::{self, Kernel, Report, Settings};
use shunt::fib::{Change, Hop, Hops, Observed, Route, Via};
use shunt::types::Prefix;
use tokio::sync::mpsc;

const ROUTES: u32 = 100_000;
const METRIC: u32 = 20;

fn main() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a namespace (needs root)");
    ip(&[
        "link add east type veth peer name east-far",
        "link add west type veth peer name west-far",
        "link set east up",
        "link set west up",
        "link set east-far up",
        "link set west-far up",
        "address add 10.0.1.1/24 dev east",
        "address add 10.0.2.1/24 dev west",
        "address add 2001:db8:1::1/64 dev east nodad",
        "address add 2001:db8:2::1/64 dev west nodad",
    ]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, mut reports) = mpsc::channel(2);
        let settings = Settings { protocol: 201, table: 254, receive_buffer: 8 << 20 };
        let kernel = kernel::spawn(settings, sender).unwrap();
        let (four, six) = (["10.0.1.2", "10.0.2.2"], ["2001:db8:1::2", "2001:db8:2::2"]);
        println!(
            "{ROUTES} routes              create     replace        dump      delete  (routes/s)"
        );
        for (name, prefix, hops) in [
            ("IPv4", ipv4 as fn(u32) -> Prefix, &four[..1]),
            ("IPv4, two paths", ipv4, &four[..]),
            ("IPv6", ipv6, &six[..1]),
            ("IPv6, two paths", ipv6, &six[..]),
        ] {
            measure(name, prefix, hops, &kernel, &mut reports).await;
        }
    });
    let lines = |verb: &str| -> Vec<String> {
        let line = |n| format!("route {verb} {} via 10.0.1.2 proto 201 metric 20", ipv4(n));
        (0..ROUTES).map(line).collect()
    };
    let rates = ["add", "del"].map(|verb| {
        let lines = lines(verb);
        let begun = Instant::now();
        ip(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        rate(begun)
    });
    println!("{:20} {} {:>11} {:>11} {}", "ip -batch, IPv4", rates[0], "", "", rates[1]);
}

fn ipv4(n: u32) -> Prefix {
    Prefix::host(Ipv4Addr::from(0x2c00_0000 + n).into())
}

fn ipv6(n: u32) -> Prefix {
    format!("2001:db8:{:x}:{:x}::/64", 0x100 + (n >> 16), n & 0xffff).parse().unwrap()
}

async fn measure(
    name: &str,
    prefix: fn(u32) -> Prefix,
    gateways: &[&str],
    kernel: &Kernel,
    reports: &mut mpsc::Receiver<Report>,
) {
    let index = |name| nix::net::if_::if_nametoindex(name).unwrap();
    let interfaces = ["east", "west"].map(index);
    let hops: Hops = gateways
        .iter()
        .zip(interfaces)
        .map(|(gateway, interface)| Hop { gateway: gateway.parse().unwrap(), interface })
        .collect();
    let route = |n| Route { prefix: prefix(n), via: Via::Hops(hops.clone()), metric: METRIC };
    let create =
        apply(kernel, reports, (0..ROUTES).map(|n| Change::Create(route(n))).collect()).await;
    let replace =
        apply(kernel, reports, (0..ROUTES).map(|n| Change::Replace(route(n))).collect()).await;
    let begun = Instant::now();
    kernel.rescan();
    let mut dumped = 0;
    'dump: while let Some(report) = reports.recv().await {
        let Report::Observed(all) = report else { continue };
        for observed in all {
            dumped += u32::from(matches!(observed, Observed::Dumped(_)));
            if observed == Observed::DumpDone {
                break 'dump;
            }
        }
    }
    assert_eq!(dumped, ROUTES);
    let dump = rate(begun);
    let delete = |n| Change::Delete { prefix: prefix(n), metric: METRIC };
    let delete = apply(kernel, reports, (0..ROUTES).map(delete).collect()).await;
    println!("{name:20} {create} {replace} {dump} {delete}");
}

async fn apply(
    kernel: &Kernel,
    reports: &mut mpsc::Receiver<Report>,
    changes: Vec<Change>,
) -> String {
    let begun = Instant::now();
    let mut left = changes.len();
    kernel.apply(changes);
    while left > 0 {
        if let Some(Report::Applied(results)) = reports.recv().await {
            assert!(results.iter().all(|(_, result)| result.is_ok()));
            left -= results.len();
        }
    }
    rate(begun)
}

fn rate(begun: Instant) -> String {
    format!("{:11.0}", f64::from(ROUTES) / begun.elapsed().as_secs_f64())
}

fn ip(lines: &[&str]) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}
