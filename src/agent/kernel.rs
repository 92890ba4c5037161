//! Between the RIB and the model of the kernel's routes.

use std::time::Duration;

use super::{Action, Agent};
use crate::config::{Config, Import};
use crate::fib::{self, Fib, Hop, Hops, KernelError, Observed};
use crate::types::{Prefix, Time};

/// Between two scans of the kernel's table when nothing else asks for one.
const RESCAN: Duration = Duration::from_secs(300);

/// Kernel changes handed out in one portion.
const BATCH: usize = 500;

/// An empty model for this configuration.
pub(super) fn model(config: &Config) -> Fib {
    let settings =
        fib::Settings { metric: config.kernel.metric, grace: config.kernel.grace, rescan: RESCAN };
    Fib::new(settings, Time::ZERO)
}

impl Agent {
    pub(super) fn kernel_observed(&mut self, observed: Observed, now: Time) {
        self.fib.observe(observed, now);
    }

    pub(super) fn kernel_applied(
        &mut self,
        results: Vec<(Prefix, Result<(), KernelError>)>,
        now: Time,
    ) {
        for (prefix, result) in results {
            let known = self.failure(prefix).is_some();
            self.fib.applied(prefix, result, now);
            // That a route to be deleted is gone already is no failure.
            let Some(error) = self.failure(prefix) else { continue };
            self.kernel_error = format!("{prefix}: {error}");
            // A route that fails again is not news.
            if !known {
                self.report(now, "kernel", &prefix.to_string(), "error", error);
            }
        }
    }

    fn failure(&self, prefix: Prefix) -> Option<String> {
        self.fib.route(prefix)?.failure.map(|failure| failure.error.to_string())
    }

    /// The kernel is to have the best learned paths or the OSPF route, and nothing for what we announce ourselves: packets
    /// for our own services go where this node's own routes say.
    pub(super) fn want_in_kernel(&mut self, prefix: Prefix) {
        if !self.config.kernel.install || self.stopping.is_some() {
            return;
        }
        let hops = self.rib.hops(prefix, usize::from(self.config.kernel.max_paths));
        let hops: Hops = hops
            .into_iter()
            .map(|hop| Hop { gateway: hop.gateway, interface: hop.interface })
            .collect();
        self.fib.want(prefix, Some(hops).filter(|hops| !hops.is_empty()));
    }

    pub(super) fn settle_kernel(&mut self, now: Time) {
        if !self.converged && self.has_converged() {
            self.converged = true;
            self.report(
                now,
                "kernel",
                "",
                "info",
                "all neighbours have sent their routes".to_owned(),
            );
            self.fib.sweep();
        }
        if self.fib.take_scan() {
            self.actions.push_back(Action::RescanKernel);
        }
        let changes = self.fib.poll(BATCH);
        if !changes.is_empty() {
            self.actions.push_back(Action::Kernel(changes));
        }
    }

    /// Every neighbour that we import from has sent all it has, and all of it went through the RIB.
    fn has_converged(&self) -> bool {
        let mut importing = self
            .neighbors
            .values()
            .filter(|n| !matches!(n.config.import, None | Some(Import::None)))
            .filter(|n| n.config.shutdown.is_none());
        let complete = importing.all(|neighbor| {
            let families = neighbor.peer.session().map(|session| &session.facts.families);
            families.is_some_and(|all| all.iter().all(|f| neighbor.received_all.contains(f)))
        });
        complete && self.ospf_has_converged() && self.fib.is_ready() && !self.rib.has_changes()
    }
}
