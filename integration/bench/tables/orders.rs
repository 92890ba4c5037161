//! Orders to announce, given to a daemon that has other things to do.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::contender::Running;
use crate::lab::within;
use crate::process::{Line, command};
use crate::product::Product;
use crate::statistics::Spans;

pub struct Orders<'a> {
    running: &'a Running,
    announce: Line,
    withdraw: Line,
    /// From before the command was started until the neighbour had read the UPDATE.
    pub spans: Spans,
    /// Commands that ended with an error: the neighbour was not there, or did not acknowledge in time.
    pub failed: usize,
}

impl<'a> Orders<'a> {
    pub fn new(product: Product, running: &'a Running) -> Orders<'a> {
        let [announce, withdraw] =
            [true, false].map(|announce| product.command(&running.node, announce));
        Orders { running, announce, withdraw, spans: Spans::default(), failed: 0 }
    }

    /// Announces the service to the taker, and takes it back.
    #[track_caller]
    pub fn give(&mut self) {
        let (start, announced) = self.run(&self.announce);
        let taker = &self.running.takers[0];
        self.spans.push(taker.announced() - start);
        let (_, withdrawn) = self.run(&self.withdraw);
        taker.withdrawn();
        self.failed += usize::from(!announced) + usize::from(!withdrawn);
    }

    fn run(&self, line: &Line) -> (Instant, bool) {
        let mut command = command(line);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        within(&self.running.node, || {
            let start = Instant::now();
            (start, command.status().unwrap().success())
        })
    }

    /// Milliseconds at so many percent.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.spans.percentile(percent).as_secs_f64() * 1000.0
    }
}

/// So long at the most for the orders to one daemon.
pub const LONGEST: Duration = Duration::from_secs(90);
