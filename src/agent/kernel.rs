//! Between the RIB and the model of the kernel's routes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::restart::Restarting;
use super::{Action, Agent};
use crate::config::{Config, Import};
use crate::fib::{self, Exit, Fate, Fib, Hop, Hops, KernelError, Key, Leg, Observed, Urgency};
use crate::rib::{self, Reached, Resolved, SourceId};
use crate::types::{Prefix, Time};

/// Between two scans of the kernel's table when nothing else asks for one.
const RESCAN: Duration = Duration::from_secs(300);

/// Kernel changes handed out in one portion.
const BATCH: usize = 500;

/// An empty model for this configuration.
pub(super) fn model(config: &Config) -> Fib {
    let settings = fib::Settings {
        metric: config.kernel.metric,
        grace: config.kernel.grace,
        rescan: RESCAN,
        objects: config.kernel.nexthop_objects,
    };
    Fib::new(settings, Time::ZERO)
}

fn hop(resolved: &Resolved) -> Hop {
    Hop { gateway: resolved.gateway, interface: resolved.interface }
}

impl Agent {
    pub(super) fn kernel_observed(&mut self, observed: Observed, now: Time) {
        self.fib.observe(observed, now);
    }

    pub(super) fn kernel_applied(
        &mut self,
        results: Vec<(Key, Result<(), KernelError>)>,
        now: Time,
    ) {
        for (key, result) in results {
            if result.is_ok() {
                self.fib.applied(key, result, now);
                continue;
            }
            let known = self.failure(key).is_some();
            self.fib.applied(key, result, now);
            // That a route to be deleted is gone already is no failure.
            let Some((subject, error)) = self.failure(key) else { continue };
            self.kernel_error = format!("{subject}: {error}");
            // What fails again is not news.
            if !known {
                self.report(now, "kernel", &subject, "error", error);
            }
        }
    }

    fn failure(&self, key: Key) -> Option<(String, String)> {
        let (subject, failure) = match key {
            Key::Route(prefix) => (prefix.to_string(), self.fib.route(prefix)?.failure?),
            Key::Object(id) => self.fib.object_failure(id)?,
        };
        Some((subject, failure.error.to_string()))
    }

    /// The kernel is to have the best learned paths or the OSPF route, and nothing for what we announce ourselves: packets
    /// for our own services go where this node's own routes say.
    pub(super) fn want_in_kernel(&mut self, prefix: Prefix) {
        if !self.config.kernel.install || self.stopping.is_some() {
            return;
        }
        let max_paths = usize::from(self.config.kernel.max_paths);
        let tiers = self.rib.tiers(prefix, max_paths, Exit::TIERS);
        let first = tiers.first().and_then(|tier| tier.first());
        let urgency = if prefix.is_default() || self.own.contains_key(&prefix) {
            Urgency::Own
        } else if first.is_some_and(|leg| leg.source == SourceId::IGP) {
            Urgency::Interior
        } else {
            Urgency::Bulk
        };
        let leg = |leg: rib::Leg| Leg {
            source: leg.source.0,
            next_hop: leg.next_hop,
            hops: leg.hops.iter().map(hop).collect(),
        };
        let tiers = tiers.into_iter().map(|tier| tier.into_iter().map(leg).collect());
        self.fib.want(prefix, Exit::new(prefix.family(), tiers), urgency);
    }

    /// Nothing goes over what this neighbour told us any more: routes that have a backup use it from now on, by one
    /// change for all of them.
    pub(super) fn kernel_source_lost(&mut self, source: SourceId) {
        self.fib.rewrite(|leg| if leg.source == source.0 { Fate::Gone } else { Fate::Kept });
        self.change_kernel(0);
    }

    /// Routes over next hops that resolve differently follow, by one change for all routes of an exit. What that means for the
    /// decision comes prefix by prefix.
    pub(super) fn settle_next_hops(&mut self) {
        let max_paths = usize::from(self.config.kernel.max_paths);
        let hops = |reached: &Reached| reached.hops.iter().take(max_paths).map(hop).collect();
        let moved = self.rib.moved_next_hops();
        let moved: BTreeMap<IpAddr, Option<Hops>> =
            moved.map(|(next_hop, reached)| (next_hop, reached.map(hops))).collect();
        if moved.is_empty() {
            return;
        }
        self.fib.rewrite(|leg| match leg.next_hop.and_then(|next_hop| moved.get(&next_hop)) {
            Some(Some(hops)) => Fate::Moved(hops.clone()),
            Some(None) => Fate::Gone,
            None => Fate::Kept,
        });
        self.change_kernel(0);
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
        if !self.told_of_compat_mode && self.fib.totals().compat_mode {
            self.told_of_compat_mode = true;
            let text = "net.ipv4.nexthop_compat_mode is 1: when an exit is lost, the kernel takes time \
                        for each of its routes; with 0 it takes none, and `ip route` shows ids of next hops";
            self.report(now, "kernel", "", "info", text.to_owned());
        }
        if self.fib.take_scan() {
            self.actions.push_back(Action::RescanKernel);
        }
        self.change_kernel(BATCH);
    }

    /// Hands out what is to be changed: objects, and up to `limit` routes.
    fn change_kernel(&mut self, limit: usize) {
        let changes = self.fib.poll(limit);
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
        complete
            && self.restarting != Restarting::Deferring
            && self.ospf_has_converged()
            && self.fib.is_ready()
            && !self.rib.has_changes()
    }
}
