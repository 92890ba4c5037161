//! A test's own network: namespaces, links, and a scratch directory, all removed at its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::node::Node;
use super::run::{must, run};
use super::wait::wait_for;

/// Namespaces are named `shunt-t<pid>.<number>-<node>`: the process id lets a later run remove what a killed run left.
const PREFIX: &str = "shunt-t";

pub struct Net {
    prefix: String,
    scratch: Option<TempDir>,
    nodes: Vec<Node>,
}

impl Net {
    /// An empty network. Fails without root.
    #[track_caller]
    pub fn new() -> Net {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "interop tests make network namespaces and need root: run `make interop` as root, or `make check` without"
        );
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            sweep();
        }
        let scratch = tempfile::Builder::new().prefix("shunt-").tempdir().unwrap();
        // Daemons that give up root must be able to reach their files.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Net {
            prefix: format!("{PREFIX}{}.{number}", std::process::id()),
            scratch: Some(scratch),
            nodes: Vec::new(),
        }
    }

    /// Two nodes `a` and `b` with one link between them.
    #[track_caller]
    pub fn pair(a: &str, b: &str) -> (Net, Node, Node) {
        let mut net = Net::new();
        let (a, b) = (net.node(a), net.node(b));
        net.link(&a, &b, 0);
        (net, a, b)
    }

    fn scratch(&self) -> &Path {
        self.scratch.as_ref().expect("the scratch directory lives as long as the network").path()
    }

    /// A node: a namespace with a loopback that is up, and a directory of its own.
    #[track_caller]
    pub fn node(&mut self, name: &str) -> Node {
        let namespace = format!("{}-{name}", self.prefix);
        let dir = self.scratch().join(name);
        fs::create_dir(&dir).unwrap();
        must("ip", &["netns", "add", &namespace]);
        let node = Node::new(name, &namespace, &dir);
        self.nodes.push(node.clone());
        must("ip", &["-n", &namespace, "link", "set", "lo", "up"]);
        node.must("sh", &["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"]);
        node
    }

    /// A link number `n` between two nodes, each end named after the other node: 10.99.n.0/24 and fd99:n::/64, with
    /// .1 and ::1 on `a`, .2 and ::2 on `b`.
    #[track_caller]
    pub fn link(&self, a: &Node, b: &Node, n: u8) {
        must(
            "ip",
            &[
                "link",
                "add",
                b.name(),
                "netns",
                a.namespace(),
                "type",
                "veth",
                "peer",
                "name",
                a.name(),
                "netns",
                b.namespace(),
            ],
        );
        for (node, other, host) in [(a, b, 1), (b, a, 2)] {
            node.address(other.name(), &format!("10.99.{n}.{host}/24"));
            node.address(other.name(), &format!("fd99:{n}::{host}/64"));
            node.up(other.name());
        }
        for (node, other) in [(a, b), (b, a)] {
            node.wait_link_local(other.name());
        }
    }

    /// A LAN number `n`: a bridge in a namespace of its own, on which every node has an interface named `name`, with
    /// 10.98.n.1/24 and fd98:n::1/64 for the first, .2 and ::2 for the second, and so on. The bridge's ports are named after the nodes.
    #[track_caller]
    pub fn lan(&mut self, name: &str, n: u8, members: &[&Node]) -> Node {
        let lan = self.node(name);
        let bridge =
            "link add bridge type bridge forward_delay 0 mcast_snooping 0\nlink set bridge up\n";
        lan.ip_batch(bridge);
        for (member, host) in members.iter().zip(1..) {
            lan.ip_batch(&format!(
                "link add {port} type veth peer name {name} netns {namespace}\nlink set {port} master bridge up\n",
                port = member.name(),
                namespace = member.namespace(),
            ));
            member.address(name, &format!("10.98.{n}.{host}/24"));
            member.address(name, &format!("fd98:{n}::{host}/64"));
            member.up(name);
        }
        lan
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for node in &self.nodes {
            remove(node.namespace());
        }
        if std::thread::panicking()
            && let Some(scratch) = self.scratch.take()
        {
            let scratch = scratch.keep();
            eprintln!("the files of this test are kept in {}", scratch.display());
            print_logs(&scratch);
        }
    }
}

/// The last lines of every `*.log` below `dir`.
fn print_logs(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            print_logs(&path);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {} (last of {} lines)", path.display(), lines.len());
            for line in &lines[lines.len().saturating_sub(30)..] {
                eprintln!("{line}");
            }
        }
    }
}

/// Ends every process in a namespace, by its id, and removes the namespace.
fn remove(namespace: &str) {
    let pids = || run("ip", &["netns", "pids", namespace]).unwrap_or_default();
    for pid in pids().split_whitespace() {
        let _ = run("kill", &["-KILL", pid]);
    }
    // A link is gone with its namespace, and that only when the last process has left it.
    if !std::thread::panicking() {
        wait_for("end of the processes in a namespace", Duration::from_secs(10), || {
            let pids = pids();
            if pids.trim().is_empty() { Ok(()) } else { Err(pids) }
        });
    }
    let _ = run("ip", &["netns", "del", namespace]);
}

/// Removes the namespaces of runs that were killed before they could do so themselves.
fn sweep() {
    for line in must("ip", &["netns", "list"]).lines() {
        let Some(namespace) = line.split_whitespace().next() else { continue };
        let owner = namespace.strip_prefix(PREFIX).and_then(|rest| rest.split('.').next());
        if let Some(pid) = owner
            && pid.parse::<u32>().is_ok()
            && !Path::new("/proc").join(pid).exists()
        {
            remove(namespace);
        }
    }
}
