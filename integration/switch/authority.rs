//! Who trusts whom: `shunt pki` in a node's directory.

use crate::lab::{Node, run};

/// The directory with `ca.crt`, and `NAME.crt` and `NAME.key` for each name.
#[track_caller]
pub fn authority(home: &Node, names: &[&str]) -> String {
    let directory = home.path("pki");
    let pki = |arguments: &[&str]| {
        let all = [&["pki"], arguments].concat();
        run(env!("CARGO_BIN_EXE_shunt"), &all).unwrap_or_else(|error| panic!("{error}"));
    };
    pki(&["init", &directory]);
    for name in names {
        pki(&["issue", "node", name, "--directory", &directory]);
    }
    directory
}
