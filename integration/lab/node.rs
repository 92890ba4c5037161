//! A host of the test: one network namespace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::daemon::Daemon;
use super::run::{must, run};
use super::wait::wait_for;

#[derive(Clone)]
pub struct Node {
    name: String,
    namespace: String,
    dir: PathBuf,
}

impl Node {
    pub fn new(name: &str, namespace: &str, dir: &Path) -> Node {
        Node { name: name.to_owned(), namespace: namespace.to_owned(), dir: dir.to_owned() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A file in the node's own directory, as text for a command line or a configuration.
    pub fn path(&self, file: &str) -> String {
        self.dir.join(file).to_str().expect("scratch paths are plain text").to_owned()
    }

    /// Writes a file into the node's own directory and gives its path.
    #[track_caller]
    pub fn write(&self, file: &str, text: &str) -> String {
        let path = self.path(file);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a file that nobody else may read, and gives its path.
    #[track_caller]
    pub fn secret(&self, name: &str, secret: &str) -> String {
        let path = self.write(&format!("{name}.secret"), secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Runs a command inside the node.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let mut all = vec!["netns", "exec", &self.namespace, program];
        all.extend(arguments);
        run("ip", &all)
    }

    #[track_caller]
    pub fn must(&self, program: &str, arguments: &[&str]) -> String {
        match self.run(program, arguments) {
            Ok(out) => out,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a program inside the node, in the foreground and in a session of its own; it logs to `<name>.log`.
    #[track_caller]
    pub fn spawn(&self, name: &str, program: &str, arguments: &[&str]) -> Daemon {
        let mut all = vec!["netns", "exec", &self.namespace, "setsid", program];
        all.extend(arguments);
        Daemon::spawn(name, "ip", &all, &self.path(&format!("{name}.log")))
    }

    /// Everything that runs in the node stands still (SIGSTOP).
    #[track_caller]
    pub fn freeze(&self) {
        self.signal_all("-STOP");
    }

    /// And goes on (SIGCONT).
    #[track_caller]
    pub fn thaw(&self) {
        self.signal_all("-CONT");
    }

    /// Everything that runs in the node goes before what has no real-time priority.
    #[track_caller]
    pub fn hasten(&self) {
        for pid in must("ip", &["netns", "pids", &self.namespace]).split_whitespace() {
            must("chrt", &["--all-tasks", "--fifo", "--pid", "10", pid]);
        }
    }

    #[track_caller]
    fn signal_all(&self, signal: &str) {
        let pids = must("ip", &["netns", "pids", &self.namespace]);
        must("kill", &[&[signal][..], &pids.split_whitespace().collect::<Vec<_>>()].concat());
    }

    /// Adds an address with its prefix length; an IPv6 address is usable at once.
    #[track_caller]
    pub fn address(&self, interface: &str, address: &str) {
        let mut arguments = vec!["-n", &self.namespace, "addr", "add", address, "dev", interface];
        if address.contains(':') {
            arguments.push("nodad");
        }
        must("ip", &arguments);
    }

    #[track_caller]
    pub fn up(&self, interface: &str) {
        // Without duplicate address detection the link-local address is usable at once, too.
        self.must(
            "sh",
            &["-c", &format!("echo 0 >/proc/sys/net/ipv6/conf/{interface}/accept_dad")],
        );
        must("ip", &["-n", &self.namespace, "link", "set", interface, "up"]);
    }

    #[track_caller]
    pub fn down(&self, interface: &str) {
        must("ip", &["-n", &self.namespace, "link", "set", interface, "down"]);
    }

    #[track_caller]
    pub fn mtu(&self, interface: &str, octets: u16) {
        let octets = octets.to_string();
        must("ip", &["-n", &self.namespace, "link", "set", interface, "mtu", &octets]);
    }

    /// Many `ip` commands in one run: one on each line.
    #[track_caller]
    pub fn ip_batch(&self, lines: &str) {
        let file = self.write("ip.batch", lines);
        must("ip", &["-n", &self.namespace, "-batch", &file]);
    }

    /// Waits for the IPv6 link-local address: FRR starts no IPv6 session on an interface without one.
    #[track_caller]
    pub fn wait_link_local(&self, interface: &str) {
        wait_for("IPv6 link-local address", Duration::from_secs(10), || {
            let out = run(
                "ip",
                &["-n", &self.namespace, "-6", "addr", "show", "dev", interface, "scope", "link"],
            )?;
            if out.contains("inet6 fe80") && !out.contains("tentative") { Ok(()) } else { Err(out) }
        });
    }
}
