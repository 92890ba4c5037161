//! What goes wrong on the way: packets that a node or a port of a LAN does not get, by rules of nft in a namespace.

use super::node::Node;

impl Node {
    /// From now on drops what comes in and matches, e.g. `iifname "lan" meta l4proto 89`. Captures still see it.
    /// Several calls add up.
    #[track_caller]
    pub fn lose(&self, matching: &str) {
        let file = self.write(
            "fault.nft",
            &format!(
                "table inet fault {{\n  chain in {{\n    type filter hook input priority 0; policy accept;\n    \
                 {matching} counter drop\n  }}\n}}\n"
            ),
        );
        self.must("nft", &["-f", &file]);
    }

    /// Ends all that `lose` began.
    #[track_caller]
    pub fn heal(&self) {
        self.must("nft", &["delete", "table", "inet", "fault"]);
    }

    /// On a LAN: nothing passes between this port and the others any more, and nobody's carrier tells. Nor does the LAN learn
    /// of addresses behind it.
    #[track_caller]
    pub fn cut(&self, port: &str) {
        self.must("bridge", &["link", "set", "dev", port, "state", "disabled"]);
    }

    /// Ends all that `cut` began.
    #[track_caller]
    pub fn mend(&self) {
        let script = "for port in $(ls /sys/class/net/bridge/brif); do bridge link set dev $port state forwarding; done";
        self.must("sh", &["-c", script]);
    }
}
