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

    /// On a LAN: nothing passes between this port and the others any more, and nobody's carrier tells.
    #[track_caller]
    pub fn cut(&self, port: &str) {
        self.must(
            "nft",
            &["-f", &self.write("cut.nft", &format!(
                "table bridge cut {{\n  chain {port} {{\n    type filter hook forward priority 0; policy accept;\n    \
                 iifname {port} counter drop\n    oifname {port} counter drop\n  }}\n}}\n"
            ))],
        );
    }

    /// Ends all that `cut` began.
    #[track_caller]
    pub fn mend(&self) {
        self.must("nft", &["delete", "table", "bridge", "cut"]);
    }
}
