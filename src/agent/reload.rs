//! A new configuration: only what differs is touched.

use super::imports::import_policy;
use std::collections::{BTreeMap, BTreeSet};

use super::neighbor::{self, Neighbor};
use super::transit::Transit;
use super::{Action, Agent, PeerId};
use crate::bgp;
use crate::config::{self, Config, Export, Import};
use crate::ospf::Settings;
use crate::rib::import::Policy;
use crate::types::Time;

impl Agent {
    /// What a new configuration would change, a sentence each. Changes nothing.
    pub fn preview_reload(&self, new: &Config) -> Vec<String> {
        let mut changes = Vec::new();
        let old = &self.config;
        if old.node != new.node {
            changes.push(
                if old.node.asn != new.node.asn || old.node.router_id != new.node.router_id {
                    "node: AS number or router id changes, every session is reset".to_owned()
                } else {
                    "node: changes".to_owned()
                },
            );
        }
        if old.levels != new.levels {
            changes.push("levels: change".to_owned());
        }
        let mappings = old.mappings.keys().chain(new.mappings.keys()).collect::<BTreeSet<_>>();
        for class in mappings {
            if old.mapping(class) != new.mapping(class) {
                changes.push(format!("mapping {class}: changes"));
            }
        }
        for change in difference("group", &old.groups, &new.groups) {
            changes.push(change);
        }
        for (name, neighbor) in &old.neighbors {
            match new.neighbors.get(name) {
                None => changes.push(format!("neighbor {name}: removed, its session ends")),
                Some(changed) if changed == neighbor => {}
                Some(changed) if needs_new_peer(neighbor, changed) => {
                    changes.push(format!(
                        "neighbor {name}: connects differently, its session is made anew"
                    ));
                }
                Some(changed) => {
                    let before = neighbor::settings(old, neighbor);
                    let after = neighbor::settings(new, changed);
                    changes.push(format!(
                        "neighbor {name}: changes, its session {}",
                        if before.keeps_session(&after) { "stays as it is" } else { "is reset" }
                    ));
                }
            }
        }
        for name in new.neighbors.keys().filter(|name| !old.neighbors.contains_key(*name)) {
            changes.push(format!("neighbor {name}: added"));
        }
        changes.extend(ospf_changes(old, new));
        if old.distances != new.distances {
            changes.push("distance: changes".to_owned());
        }
        if old.listen != new.listen {
            changes.push("listen: changes".to_owned());
        }
        if old.kernel != new.kernel {
            changes.push(
                "kernel: changes need a restart of the daemon; the old settings stay".to_owned(),
            );
        }
        changes
    }

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
        self.routers_changed(now);
        self.follow_by_ospf(now);
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
        let was_strict = before.bfd.as_ref().is_some_and(|wish| wish.strict);
        self.strictness_changed(peer, was_strict, now);
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
            if import_policy(before.import) != Policy::All && policy != Policy::None {
                self.refresh_wanted(Some(peer), now);
            }
        }
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let passed_on = |n: &config::Neighbor| {
            (n.export == Some(Export::Transit)).then_some((n.next_hop_ipv4, n.next_hop_ipv6))
        };
        if neighbor.is_established() && passed_on(before) != passed_on(&neighbor.config) {
            neighbor.transit = Transit::default();
            neighbor.walk = Some(None);
        }
        self.enforce_limit(peer, now);
    }

    fn remove_neighbor(&mut self, peer: PeerId, now: Time) {
        self.session_event(peer, bgp::Event::Removed, now);
        if let Some(neighbor) = self.neighbors.remove(&peer) {
            self.rib.remove_source(neighbor.source());
            self.delivery_lost(peer);
            self.actions.push_back(Action::RemovePeer { peer });
        }
    }
}

/// Whether TCP has to be set up in another way, or the neighbour is another one.
fn needs_new_peer(old: &config::Neighbor, new: &config::Neighbor) -> bool {
    let reach = |n: &config::Neighbor| {
        (n.address, n.port, n.local_address, n.ttl, n.password.clone(), n.internal)
    };
    reach(old) != reach(new)
}

/// What becomes of the OSPF router.
fn ospf_changes(old: &Config, new: &Config) -> Vec<String> {
    let (was, is) = match (old.ospf_settings(), new.ospf_settings()) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => return vec!["ospf: added".to_owned()],
        (Some(_), None) => return vec!["ospf: removed, its adjacencies end".to_owned()],
        (Some(was), Some(is)) => (was, is),
    };
    if (was.router_id, was.area) != (is.router_id, is.area) {
        let text = "ospf: router id or area changes, its adjacencies are made anew";
        return vec![text.to_owned()];
    }
    let mut changes = difference("ospf interface", &was.interfaces, &is.interfaces);
    let rest = |settings: Settings| Settings { interfaces: BTreeMap::new(), ..settings };
    let said = |config: &Config| config.ospf.as_ref().map(|o| (o.export, o.class.clone()));
    if rest(was) != rest(is) || said(old) != said(new) {
        changes.push("ospf: changes".to_owned());
    }
    changes
}

fn difference<T: PartialEq>(
    kind: &str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (old.get(name), new.get(name)) {
            (Some(_), None) => Some(format!("{kind} {name}: removed")),
            (None, Some(_)) => Some(format!("{kind} {name}: added")),
            (was, is) if was != is => Some(format!("{kind} {name}: changes")),
            _ => None,
        })
        .collect()
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
