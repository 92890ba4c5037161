//! How long a daemon takes from its start until a listening neighbour has read its first route.

use std::net::Ipv4Addr;
use std::time::Instant;

use crate::lab::{Net, Node, PATIENCE, wait_for, within};
use crate::process::{Process, command};
use crate::product::{self, Product, Scene};
use crate::speaker::Speaker;
use crate::statistics::{Spans, head, ms, row};

/// Those that wait a second or more by design are started in one round of so many.
const SLOW_EVERY: usize = 3;

struct Contender {
    product: Product,
    spans: Spans,
    starts: usize,
    _helpers: Vec<Process>,
    speaker: Speaker,
    state: tempfile::TempDir,
    node: Node,
    _net: Net,
}

impl Contender {
    fn new(product: Product) -> Contender {
        let (net, node, peer) = Net::pair("router", "peer");
        let speaker = Speaker::start(&peer, Ipv4Addr::new(10, 99, 0, 2), 65001);
        let state = product::state(false);
        let mut contender = Contender {
            product,
            spans: Spans::default(),
            starts: 0,
            _helpers: Vec::new(),
            speaker,
            state,
            node,
            _net: net,
        };
        contender._helpers = product.prepare(&contender.scene());
        contender
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            node: &self.node,
            neighbors: 1,
            announced: true,
            feeds: 0,
            kernel: false,
            flapping: false,
            state: self.state.path(),
        }
    }

    fn measure(&mut self, counts: bool) {
        let line = self.product.daemon(&self.scene());
        let log = self.node.path("daemon.log");
        let (start, _daemon) = within(&self.node, || (Instant::now(), Process::start(&line, &log)));
        if self.product.after_start() {
            let line = self.product.command(&self.node, true);
            wait_for("daemon that takes a route", PATIENCE, || {
                let output = within(&self.node, || command(&line).output().unwrap());
                if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
            });
        }
        let span = self.speaker.announced() - start;
        if counts {
            self.spans.push(span);
            self.starts += 1;
        }
    }
}

pub fn measure(products: &[Product], count: usize) {
    let mut all: Vec<Contender> = products.iter().map(|product| Contender::new(*product)).collect();
    // The first round puts the programs into the page cache.
    for round in 0..=count {
        for contender in &mut all {
            let fast = matches!(contender.product, Product::Shunt | Product::Openbgpd);
            if fast || round % SLOW_EVERY == 0 {
                contender.measure(round > 0);
            }
        }
    }
    println!("\nStart of the daemon to its first route at a listening neighbour, ms:\n");
    head(["daemon", "p50", "p99", "starts"]);
    for contender in &all {
        let [middle, worst] = [50, 99].map(|percent| ms(contender.spans.percentile(percent)));
        row([contender.product.name(), &middle, &worst, &contender.starts.to_string()]);
    }
}
