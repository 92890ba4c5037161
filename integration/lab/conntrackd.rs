//! conntrackd: what the connection tracking of one firewall knows, told to another one.

use std::os::unix::fs::PermissionsExt;

use super::daemon::Daemon;
use super::node::Node;
use super::run::run;
use super::wait::{PATIENCE, wait_for};

pub struct Conntrackd {
    node: Node,
    daemon: Daemon,
}

impl Conntrackd {
    /// Talks with its like over a link of their own. What it is told waits until somebody commits it.
    #[track_caller]
    pub fn start(node: &Node, interface: &str, local: &str, remote: &str) -> Conntrackd {
        let path = |file: &str| node.path(file);
        node.write(
            "conntrackd.conf",
            &format!(
                "Sync {{\n  Mode FTFW {{\n  }}\n  UDP {{\n    IPv4_address {local}\n    \
                 IPv4_Destination_Address {remote}\n    Port 3780\n    Interface {interface}\n    Checksum on\n  }}\n}}\n\
                 General {{\n  HashSize 8192\n  HashLimit 65535\n  Syslog off\n  LogFile {}\n  LockFile {}\n  \
                 UNIX {{\n    Path {}\n  }}\n  NetlinkBufferSize 2097152\n  NetlinkBufferSizeMaxGrowth 8388608\n  \
                 Filter From Userspace {{\n    Protocol Accept {{\n      TCP\n    }}\n    Address Ignore {{\n      \
                 IPv4_address 127.0.0.1\n      IPv4_address {local}\n      IPv4_address {remote}\n    }}\n  }}\n}}\n",
                path("conntrackd-own.log"),
                path("conntrackd.lock"),
                path("conntrackd.ctl"),
            ),
        );
        let daemon = node.spawn("conntrackd", "conntrackd", &["-C", &path("conntrackd.conf")]);
        let mut conntrackd = Conntrackd { node: node.clone(), daemon };
        wait_for("answer of conntrackd", PATIENCE, || {
            conntrackd.daemon.alive()?;
            conntrackd.ask("-s")
        });
        conntrackd
    }

    fn ask(&self, option: &str) -> Result<String, String> {
        run("conntrackd", &["-C", &Conntrackd::configuration(&self.node), option])
    }

    /// How many connections the other side has told of.
    pub fn told(&self) -> Result<usize, String> {
        Ok(self.ask("-e")?.lines().filter(|line| line.contains("ESTABLISHED")).count())
    }

    /// The path of the configuration file.
    pub fn configuration(node: &Node) -> String {
        node.path("conntrackd.conf")
    }

    /// A script for `notify` hooks of others: told `active` or `backup`, it does what a change of roles asks for.
    #[track_caller]
    pub fn script(node: &Node) -> String {
        let tell = format!("conntrackd -C {}", Conntrackd::configuration(node));
        let script = node.write(
            "roles.sh",
            &format!(
                "#!/bin/sh\ncase \"$1\" in\nactive) {tell} -c; {tell} -f; {tell} -R; {tell} -B ;;\n\
                 backup) {tell} -t; {tell} -n ;;\nesac\n"
            ),
        );
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        script
    }
}
