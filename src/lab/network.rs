use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::Failure;
use super::topology::{LANS, LINKS, NODES, SERVICE_HOSTS, SWITCH, Static, interfaces};

/// Builds the whole network of `topology`.
pub fn build() -> Result<(), Failure> {
    let mut batch = String::new();
    for node in NODES {
        let _ = writeln!(batch, "netns add {node}");
    }
    ip(&[], &batch)?;
    for node in NODES {
        within(node, forward)?.map_err(|error| Failure::of(format!("{node}: sysctl"), error))?;
    }
    batch.clear();
    for link in LINKS {
        // Each end is named after the node at the other end.
        let [(a, _), (b, _)] = link.ends;
        let _ = writeln!(batch, "link add {b} netns {a} type veth peer name {a} netns {b}");
    }
    for lan in LANS {
        let name = lan.name;
        for (node, _) in lan.members {
            let port = lan.port(node);
            let _ = writeln!(
                batch,
                "link add {name} netns {node} type veth peer name {port} netns {SWITCH}"
            );
        }
    }
    ip(&[], &batch)?;
    batch.clear();
    for lan in LANS {
        let name = lan.name;
        let _ = writeln!(batch, "link add {name} type bridge\nlink set {name} up");
        for (node, _) in lan.members {
            let _ = writeln!(batch, "link set {} master {name} up", lan.port(node));
        }
    }
    ip(&["-n", SWITCH], &batch)?;
    for node in NODES {
        batch.clear();
        let _ = writeln!(batch, "link set lo up");
        for (name, address, length) in interfaces(node) {
            let _ = writeln!(batch, "addr add {address}/{length} dev {name}");
            let _ = writeln!(batch, "link set {name} up");
        }
        for host in SERVICE_HOSTS.iter().filter(|host| host.node == node) {
            // On the loopback, as it belongs to no link.
            let _ = writeln!(batch, "addr add {} dev lo", host.address);
        }
        for Static { prefix, via, .. } in Static::of(node) {
            let _ = writeln!(batch, "route add {prefix} via {via}");
        }
        ip(&["-n", node], &batch)?;
    }
    Ok(())
}

/// The node forwards packets, also where the way back differs from the way there.
fn forward() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    for interfaces in ["all", "default"] {
        fs::write(format!("/proc/sys/net/ipv4/conf/{interfaces}/rp_filter"), "0")?;
    }
    Ok(())
}

/// Takes links of a node down.
pub fn cut(node: &str, others: &[&str]) -> Result<(), Failure> {
    let batch: String = others.iter().map(|other| format!("link set {other} down\n")).collect();
    ip(&["-n", node], &batch)
}

/// Takes links of a node up again. The kernel has forgotten its routes over them.
pub fn mend(node: &str, others: &[&str]) -> Result<(), Failure> {
    let mut batch: String = others.iter().map(|other| format!("link set {other} up\n")).collect();
    for Static { prefix, via, .. } in Static::of(node) {
        let _ = writeln!(batch, "route replace {prefix} via {via}");
    }
    ip(&["-n", node], &batch)
}

/// Runs lines of `ip` commands.
pub fn ip(options: &[&str], batch: &str) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::of(format!("ip {} for\n{batch}", options.join(" ")), error)
    };
    let mut child = Command::new("ip")
        .args(options)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::of("ip (Debian package iproute2)", error))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(batch.as_bytes()).map_err(|error| failed(&error))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// Runs `task` on a thread of its own that is in a node's namespace. Processes it starts stay there.
pub fn within<T: Send>(node: &str, task: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let ended = thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(node)?;
                Ok(task())
            })
            .join()
    });
    ended.unwrap_or_else(|_| Err(Failure::new(format!("{node}: a thread of the lab panicked"))))
}

/// Moves the calling thread, and no other, into a node's namespace.
pub fn enter(node: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::of(format!("namespace {node}"), error);
    let namespace = File::open(format!("/run/netns/{node}")).map_err(failed)?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| failed(error.into()))
}

/// The nodes that packets from `node` to `address` pass, as the kernels forward them; it ends where there is no route.
pub fn trace(node: &str, address: &str) -> Vec<String> {
    let mut path = vec![node.to_owned()];
    while path.len() <= NODES.len()
        && let Some(here) = path.last()
        && let Some(next) = next_node(here, address)
    {
        path.push(next);
    }
    path
}

fn next_node(node: &str, address: &str) -> Option<String> {
    let text = answer(&["-n", node, "route", "get", address])?;
    let after = |key: &str| {
        let mut words = text.split_whitespace();
        words.find(|word| *word == key)?;
        words.next()
    };
    let interface = after("dev").filter(|interface| *interface != "lo")?;
    match LANS.iter().find(|lan| lan.name == interface) {
        // A virtual address is looked for at all of them.
        Some(lan) => {
            let gateway = after("via").unwrap_or(address);
            let mut nodes = lan.members.iter().map(|(node, _)| *node);
            nodes.find(|node| has_address(node, gateway)).map(str::to_owned)
        }
        // Interfaces of links are named after the node at the other end.
        None => Some(interface.to_owned()),
    }
}

fn has_address(node: &str, address: &str) -> bool {
    answer(&["-n", node, "-o", "addr", "show", "to", address]).is_some_and(|text| !text.is_empty())
}

/// What `ip` prints.
fn answer(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ip").args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
