//! What goes wrong on the way: packets that a node does not get, by rules of nft in its namespace.

use super::node::Node;

impl Node {
    /// From now on drops what comes in and matches, e.g. `iifname "lan" meta l4proto 89`. Captures still see it.
    /// Several calls add up.
    #[track_caller]
    pub fn lose(&self, matching: &str) {
        let file = self.write(
            "fault.nft",
            &format!(
                "table ip fault {{\n  chain in {{\n    type filter hook input priority 0; policy accept;\n    \
                 {matching} counter drop\n  }}\n}}\n"
            ),
        );
        self.must("nft", &["-f", &file]);
    }

    /// Ends all that `lose` began.
    #[track_caller]
    pub fn heal(&self) {
        self.must("nft", &["delete", "table", "ip", "fault"]);
    }
}
