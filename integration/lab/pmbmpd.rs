//! pmacct's collector of BMP, which logs all that it is told, a line of JSON each.

use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;

/// What shuntd connects to if it is not told otherwise.
const PORT: u16 = 11_019;

pub struct Pmbmpd {
    node: Node,
    daemon: Daemon,
}

impl Pmbmpd {
    /// It has heard nothing, whatever an earlier one on this node has.
    #[track_caller]
    pub fn start(node: &Node) -> Pmbmpd {
        let log = node.path("bmp.log");
        let _ = std::fs::remove_file(&log);
        let config = node.write(
            "pmbmpd.conf",
            &format!(
                "daemonize: false\nbmp_daemon_ip: 0.0.0.0\nbmp_daemon_port: {PORT}\n\
                 bmp_daemon_msglog_file: {log}\nbmp_daemon_msglog_output: json\n"
            ),
        );
        let daemon = node.spawn("pmbmpd", "pmbmpd", &["-f", &config]);
        Pmbmpd { node: node.clone(), daemon }
    }

    /// What it was told so far, oldest first.
    pub fn heard(&mut self) -> Result<Vec<Value>, String> {
        self.daemon.alive()?;
        let text = std::fs::read(self.node.path("bmp.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")))
            .collect()
    }

    pub fn kill(&mut self) {
        self.daemon.kill();
    }
}
