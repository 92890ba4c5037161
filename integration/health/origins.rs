//! Where the runs of checks come from, and what the kernel tells them, in a network namespace.

use std::process::Command;
use std::time::Duration;

use shunt::driver::checks::ask;
use shunt::health::{Method, Origin, Outcome, Query, RecordType, Settings};

/// Longer than anything here takes: what fails by it was not told by the kernel.
const PATIENCE: Duration = Duration::from_secs(20);

/// With `a` and `c`, behind which there is nobody. What has mark 7 goes nowhere.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // A namespace belongs to a thread, and processes and sockets made by it are in it too.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a network namespace of our own (needs root)");
        // The kernel's own ICMP errors take this way.
        ip("link set dev lo up");
        for (name, other, address) in [("a", "b", "10.0.0.1/24"), ("c", "d", "10.0.1.1/24")] {
            ip(&format!("link add name {name} type veth peer name {other}"));
            ip(&format!("address add {address} dev {name}"));
            ip(&format!("link set dev {name} up"));
            ip(&format!("link set dev {other} up"));
            // Nobody answers, and after this it is known.
            let path = format!("/proc/sys/net/ipv4/neigh/{name}/retrans_time_ms");
            std::fs::write(path, "20").unwrap();
        }
        ip("route add blackhole default table 100");
        ip("rule add fwmark 7 table 100");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
}

async fn failed(method: Method, origin: Origin) -> String {
    let settings = Settings {
        method,
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
        origin,
        ..Settings::default()
    };
    match ask(&settings).await {
        (Outcome::Failed(text), _) => text,
        other => panic!("{other:?}"),
    }
}

fn echo(to: &str) -> Method {
    Method::Icmp { to: to.parse().unwrap() }
}

fn connect(to: &str) -> Method {
    Method::Tcp { to: to.parse().unwrap(), send: Vec::new(), expect: None }
}

fn question(server: &str) -> Method {
    Method::Dns(Query {
        server: server.parse().unwrap(),
        name: "db.example.".to_owned(),
        record: RecordType::A,
        expect: None,
    })
}

fn on(interface: &str) -> Origin {
    Origin { interface: Some(interface.to_owned()), ..Origin::default() }
}

#[test]
fn what_cannot_be_reached_is_told_at_once() {
    in_namespace(async || {
        let text = failed(echo("192.0.2.1"), Origin::default()).await;
        assert_eq!(text, "192.0.2.1 cannot be reached: network is unreachable");
        let text = failed(echo("10.0.0.9"), Origin::default()).await;
        assert_eq!(text, "10.0.0.9 cannot be reached: no route to host");
        let text = failed(connect("10.0.0.9:80"), Origin::default()).await;
        assert_eq!(text, "no connection to 10.0.0.9:80: no route to host");
        let text = failed(question("10.0.0.9:53"), Origin::default()).await;
        assert_eq!(text, "10.0.0.9:53 cannot be asked: no route to host");
    });
}

#[test]
fn a_run_has_its_mark() {
    in_namespace(async || {
        let marked = || Origin { mark: 7, ..Origin::default() };
        let text = failed(echo("10.0.0.9"), marked()).await;
        assert_eq!(text, "10.0.0.9 cannot be reached: invalid argument", "a blackhole");
        let text = failed(connect("10.0.0.9:80"), marked()).await;
        assert_eq!(text, "no connection to 10.0.0.9:80: invalid argument", "a blackhole");
    });
}

#[test]
fn a_run_leaves_by_its_interface() {
    in_namespace(async || {
        // It is there, but of no use.
        ip("link set dev c down");
        let text = failed(connect("10.0.0.9:80"), on("a")).await;
        assert_eq!(text, "no connection to 10.0.0.9:80: no route to host");
        let text = failed(connect("10.0.0.9:80"), on("c")).await;
        assert_eq!(text, "no connection to 10.0.0.9:80: network is unreachable");
    });
}
