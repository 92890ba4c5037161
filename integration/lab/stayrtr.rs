//! StayRTR, an RPKI cache: it reads VRPs from a file, and looks each second whether it has changed.

use super::daemon::Daemon;
use super::node::Node;

pub struct Stayrtr {
    node: Node,
    bind: String,
    version: u8,
    daemon: Daemon,
}

impl Stayrtr {
    /// Listens on `bind` (`10.99.0.2:8282`), for routers of this version and older ones. `vrps` are `10.0.0.0/8-16 64496`.
    #[track_caller]
    pub fn start(node: &Node, bind: &str, version: u8, vrps: &[&str]) -> Stayrtr {
        write(node, bind, vrps);
        let daemon = launch(node, bind, version);
        Stayrtr { node: node.clone(), bind: bind.to_owned(), version, daemon }
    }

    /// It says this from now on.
    #[track_caller]
    pub fn say(&self, vrps: &[&str]) {
        write(&self.node, &self.bind, vrps);
    }

    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// After `kill`, with the same file. Its session id is another one.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.daemon = launch(&self.node, &self.bind, self.version);
    }
}

fn file(node: &Node, bind: &str) -> String {
    node.path(&format!("{}.json", name(bind)))
}

fn name(bind: &str) -> String {
    bind.replace([':', '[', ']'], "-")
}

#[track_caller]
fn write(node: &Node, bind: &str, vrps: &[&str]) {
    let roas = vrps.iter().map(|vrp| {
        let (range, asn) = vrp.split_once(' ').expect("as written above");
        let (prefix, max_length) = range.split_once('-').expect("as written above");
        format!(r#"{{"prefix":"{prefix}","maxLength":{max_length},"asn":{asn},"ta":"test"}}"#)
    });
    let roas: Vec<String> = roas.collect();
    let text = format!(r#"{{"metadata":{{}},"roas":[{}]}}"#, roas.join(",\n"));
    // Never half of it.
    let new = node.write(&format!("{}.new", name(bind)), &text);
    std::fs::rename(new, file(node, bind)).unwrap();
}

#[track_caller]
fn launch(node: &Node, bind: &str, version: u8) -> Daemon {
    let (file, version) = (file(node, bind), version.to_string());
    let arguments = [
        "-bind",
        bind,
        "-cache",
        &file,
        "-checktime=false",
        "-refresh",
        "1",
        "-metrics.addr",
        "",
        "-protocol",
        &version,
    ];
    node.spawn(&format!("stayrtr{}", name(bind)), "stayrtr", &arguments)
}
