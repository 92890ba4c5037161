//! A new configuration: only what differs is touched.

use super::imports::import_policy;

use super::neighbor::{self, Neighbor};
use super::policies::PassedOn;
use super::{Action, Agent, PeerId};
use crate::bgp;
use crate::config::{self, Config, Export, Import};
use crate::rib::import::Policy;
use crate::types::{Family, Time};

impl Agent {
    /// Takes a new configuration over.
    pub(super) fn reconfigure(&mut self, mut new: Config, now: Time) {
        let changes = self.preview_reload(&new);
        // The kernel's table is taken once, at the start. (Listening is up to the driver.)
        new.kernel = self.config.kernel.clone();
        let old = std::mem::replace(&mut self.config, new);
        for change in &changes {
            self.report(now, "configuration", "", "info", change.clone());
        }
        let known: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in known {
            self.reconfigure_neighbor(peer, &old, now);
        }
        let running: Vec<&String> = self.neighbors.values().map(|n| &n.name).collect();
        let added: Vec<String> =
            self.config.neighbors.keys().filter(|name| !running.contains(name)).cloned().collect();
        for name in added {
            self.add_neighbor(&name, now);
        }
        self.rib.set_distances(self.config.distances);
        self.reconfigure_ospf(&old, now);
        self.sessions.stale = true;
        self.probes_changed();
        self.configure_checks(now);
        self.configure_collectors();
        self.routers_changed(now);
        self.follow_by_ospf(now);
        self.fleet_changed();
        self.groups_stale = true;
        // A mapping or a policy may have changed: what each neighbour has is compared anew.
        for neighbor in self.neighbors.values_mut() {
            neighbor.originated.clear();
        }
        self.own_changed.extend(self.own.keys().copied());
    }

    fn reconfigure_neighbor(&mut self, peer: PeerId, old: &Config, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let Some(changed) = self.config.neighbors.get(&neighbor.name).cloned() else {
            return self.remove_neighbor(peer, now);
        };
        let before = std::mem::replace(&mut neighbor.config, changed);
        if needs_new_peer(&before, &neighbor.config) {
            let name = neighbor.name.clone();
            self.remove_neighbor(peer, now);
            return self.add_neighbor(&name, now);
        }
        let settings = neighbor::settings(&self.config, &neighbor.config);
        if settings != neighbor::settings(old, &before) {
            let queued = self.actions.len();
            self.session_event(peer, bgp::Event::Reconfigured(settings), now);
            if let Some(neighbor) = self.neighbors.get(&peer) {
                // In front of a dial that the session may want now: it needs the new OPEN.
                let endpoint = Box::new(neighbor.endpoint());
                self.actions.insert(queued, Action::AddPeer { peer, endpoint });
            }
        }
        self.policy_changed(peer, &before, now);
    }

    /// Import and export policies change without a reset: by route refresh, and by looking at all routes again.
    fn policy_changed(&mut self, peer: PeerId, before: &config::Neighbor, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let (import, source) = (neighbor.config.import, neighbor.source());
        if before.import != import {
            let policy = import_policy(import);
            // What the new policy takes as well stays where it is, so traffic has its route throughout.
            self.rib.retain(source, |prefix| policy.accepts(prefix));
        }
        let takes_more = before.import != import && import_policy(before.import) != Policy::All;
        let judges_anew = before.import_policy != neighbor.config.import_policy;
        if judges_anew {
            // Its rules are others now.
            neighbor.rejected_by.clear();
        }
        // Each route is judged when it comes again; until then it stays as it is.
        if (takes_more || judges_anew) && import_policy(import) != Policy::None {
            self.refresh_wanted(Some(peer), now);
        }
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        if before.rejects_invalid != neighbor.config.rejects_invalid {
            self.validation.begin_again();
        }
        let passed_on = |n: &config::Neighbor| {
            (n.export == Some(Export::Transit)).then_some((n.next_hop_ipv4, n.next_hop_ipv6))
        };
        let judges_anew = before.export_policy != neighbor.config.export_policy;
        if judges_anew {
            neighbor.passed_on = PassedOn::default();
            neighbor.walk = neighbor.is_established().then_some(None);
        }
        if neighbor.is_established() && passed_on(before) != passed_on(&neighbor.config) {
            neighbor.passed_on = PassedOn::default();
            neighbor.walk = Some(None);
            // The same sets, with other next hops.
            for family in Family::ALL {
                neighbor.out.resend(family);
            }
        }
        self.enforce_limit(peer, now);
    }

    fn remove_neighbor(&mut self, peer: PeerId, now: Time) {
        self.session_event(peer, bgp::Event::Removed, now);
        if let Some(neighbor) = self.neighbors.remove(&peer) {
            self.validation.drop_all_kept(neighbor.source());
            self.rib.remove_source(neighbor.source());
            self.source_names.remove(&neighbor.source());
            self.delivery_lost(peer);
            self.actions.push_back(Action::RemovePeer { peer });
        }
    }
}

/// Whether TCP has to be set up in another way, or the neighbour is another one.
pub(super) fn needs_new_peer(old: &config::Neighbor, new: &config::Neighbor) -> bool {
    let reach = |n: &config::Neighbor| {
        (n.address, n.port, n.local_address, n.ttl, n.password.clone(), n.internal)
    };
    reach(old) != reach(new)
}

impl Neighbor {
    /// For the reads: the policies as they are configured.
    pub fn import_name(&self) -> &'static str {
        match self.config.import {
            None => "",
            Some(Import::None) => "none",
            Some(Import::DefaultOnly) => "default-only",
            Some(Import::All) => "all",
        }
    }

    pub fn export_name(&self) -> &'static str {
        match self.config.export {
            None => "",
            Some(Export::None) => "none",
            Some(Export::Groups) => "groups",
            Some(Export::Transit) => "transit",
        }
    }
}
