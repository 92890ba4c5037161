//! What sessions say: state, routes, and what an operator should see of both.

use std::sync::Arc;

use super::neighbor::{Neighbor, problem_text};
use super::policies::Admission;
use super::{Action, Agent, PeerAction, PeerId, StateChange};
use crate::bgp::{self, Note};
use crate::config::Import;
use crate::rib::import::{Policy, Session, import};
use crate::rib::{Source, SourceKind};
use crate::types::{Family, Time};
use crate::wire::bgp::Update;

impl Agent {
    /// Makes a neighbour of the configuration and starts its session.
    pub(super) fn add_neighbor(&mut self, name: &str, now: Time) {
        let Some(config) = self.config.neighbors.get(name) else { return };
        let id = PeerId(self.next_peer);
        self.next_peer += 1;
        let neighbor = Neighbor::new(id, name, &self.config, config, self.rng.fork());
        let endpoint = Box::new(neighbor.endpoint());
        self.source_names.insert(neighbor.source(), name.to_owned());
        self.neighbors.insert(id, neighbor);
        self.actions.push_back(Action::AddPeer { peer: id, endpoint });
        self.start_session(id, now);
        self.sessions.stale = true;
    }

    /// Hands an event to a session and does what it wants.
    pub(super) fn session_event(&mut self, peer: PeerId, event: bgp::Event, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        if let bgp::Event::Written { octets, .. } = event {
            neighbor.queued = neighbor.queued.saturating_sub(octets);
        }
        neighbor.peer.handle(event, now);
        self.run_session(peer, now);
    }

    /// Does what a session wants, until it wants nothing more.
    pub(super) fn run_session(&mut self, peer: PeerId, now: Time) {
        while let Some(action) = self.neighbors.get_mut(&peer).and_then(|n| n.peer.poll()) {
            self.session_action(peer, action, now);
        }
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let state = neighbor.peer.state();
        if state != neighbor.state {
            let old = std::mem::replace(&mut neighbor.state, state);
            neighbor.state_since = now;
            if self.config.update_log.is_some() {
                let ends = neighbor.ends(self.config.node.asn);
                self.actions.push_back(Action::StateChanged(StateChange { ends, old, new: state }));
            }
        }
    }

    fn session_action(&mut self, peer: PeerId, action: bgp::Action, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        match action {
            bgp::Action::Dial => self.on_connection(peer, PeerAction::Dial),
            bgp::Action::StopDialling => self.on_connection(peer, PeerAction::StopDialling),
            bgp::Action::Send { connection, bytes } => {
                neighbor.queued += bytes.len();
                self.on_connection(peer, PeerAction::Send { connection, bytes });
            }
            bgp::Action::Close { connection } => {
                self.on_connection(peer, PeerAction::Close { connection });
            }
            bgp::Action::Established(session) => {
                self.session_up(peer, &session, now);
                self.monitor_session(peer, None, now);
            }
            bgp::Action::Down { reason, retained } => {
                self.session_down(peer, &reason.to_string(), &retained, now);
                self.monitor_session(peer, Some(&reason), now);
            }
            bgp::Action::Learned(update) => self.learned(peer, update, now),
            bgp::Action::RefreshRequested { family } => self.refresh_requested(peer, family, now),
            bgp::Action::MarkStale { family } => self.rib.mark_stale(neighbor.source(), family),
            bgp::Action::SweepStale { family } => {
                self.rib.sweep_stale(neighbor.source(), family);
            }
            bgp::Action::EndOfRib { family } => {
                if !neighbor.received_all.contains(&family) {
                    neighbor.received_all.push(family);
                }
            }
            bgp::Action::Note(note) => self.note(peer, note, now),
        }
    }

    fn on_connection(&mut self, peer: PeerId, action: PeerAction) {
        self.actions.push_back(Action::Peer { peer, action });
    }

    fn session_up(&mut self, peer: PeerId, session: &bgp::Session, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.forget_session();
        neighbor.last_error.clear();
        neighbor.initial = session.facts.families.clone();
        let families: Vec<String> = session.facts.families.iter().map(Family::to_string).collect();
        let text = format!(
            "established with {} (AS {}, router id {}), {}",
            session.remote,
            neighbor.config.remote_as,
            session.open.router_id,
            if families.is_empty() { "no family".to_owned() } else { families.join(" and ") },
        );
        let external = session.facts.ebgp;
        let source = Source::neighbor(external, session.open.router_id, neighbor.config.address);
        let (id, name) = (neighbor.source(), neighbor.name.clone());
        let has_bfd = neighbor.config.bfd.is_some();
        self.rib.add_source(id, source);
        self.report(now, "neighbor", &name, "info", text);
        self.begin_exports(peer);
        self.sessions.stale |= has_bfd;
    }

    fn session_down(&mut self, peer: PeerId, reason: &str, retained: &[Family], now: Time) {
        let at = self.wall(now).to_string();
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.forget_session();
        neighbor.last_down = Some((reason.to_owned(), at));
        let (source, name) = (neighbor.source(), neighbor.name.clone());
        if retained.is_empty() {
            self.kernel_source_lost(source);
            self.validation.drop_all_kept(source);
            self.rib.clear(source);
        } else {
            for family in Family::ALL {
                // Kept over an earlier restart and not heard again since: gone now (RFC 4724 §4.2).
                self.rib.sweep_stale(source, family);
                self.rib.mark_stale(source, family);
                if !retained.contains(&family) {
                    self.rib.sweep_stale(source, family);
                }
            }
        }
        self.report(now, "neighbor", &name, "warning", format!("down: {reason}"));
        self.delivery_lost(peer);
    }

    fn learned(&mut self, peer: PeerId, update: Update, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let source = neighbor.source();
        let mut seen = Vec::new();
        for problem in &update.problems {
            neighbor.note_problem(problem);
            // The first, second, fourth, eighth … fault is an event; all are counted.
            if neighbor.problem_count.is_power_of_two() {
                let text = problem_text(problem);
                seen.push(format!(
                    "UPDATE with a fault ({} so far): {text}",
                    neighbor.problem_count
                ));
            }
        }
        let policy = import_policy(neighbor.config.import);
        for nlri in &update.withdrawn {
            self.validation.drop_kept(source, nlri.prefix);
            self.rib.forget(source, nlri.prefix);
        }
        let session = import_session(&self.config, neighbor);
        let own = self.config.node.asn;
        for mut announced in update.announced {
            announced.nlri.retain(|nlri| policy.accepts(nlri.prefix));
            if announced.nlri.is_empty() {
                continue;
            }
            let received = match import(announced.attributes, &session) {
                Ok(received) => received,
                Err(rejected) => {
                    if neighbor.rejected == 0 {
                        seen.push(format!(
                            "route rejected: {rejected} (later ones are only counted)"
                        ));
                    }
                    neighbor.rejected += announced.nlri.len() as u64;
                    for nlri in &announced.nlri {
                        self.rib.forget(source, nlri.prefix);
                    }
                    continue;
                }
            };
            let origin = self.validation.origin(&neighbor.config, own, &received);
            if neighbor.config.import_policy.is_empty() {
                let attributes = self.rib.intern(received);
                for nlri in &announced.nlri {
                    let eligible = self.validation.admits(nlri.prefix, origin);
                    self.rib.learn_if(eligible, source, nlri.prefix, Arc::clone(&attributes));
                }
                continue;
            }
            let mut admission = Admission::new(&neighbor.config, &neighbor.name, own, received);
            for nlri in &announced.nlri {
                match admission.of(nlri.prefix, &self.validation.table, &mut self.rib) {
                    Ok(attributes) => {
                        let eligible = self.validation.admits(nlri.prefix, origin);
                        let rib = &mut self.rib;
                        self.validation.keep(&admission, source, nlri.prefix, &attributes, rib);
                        self.rib.learn_if(eligible, source, nlri.prefix, attributes);
                    }
                    Err(by) => {
                        *neighbor.rejected_by.entry(by).or_default() += 1;
                        self.validation.drop_kept(source, nlri.prefix);
                        match admission.depends_on_validity(nlri.prefix, &mut self.rib) {
                            true => {
                                let received = self.rib.intern(admission.received().clone());
                                self.rib.learn_if(false, source, nlri.prefix, received);
                            }
                            false => self.rib.forget(source, nlri.prefix),
                        }
                    }
                }
            }
        }
        let name = neighbor.name.clone();
        for text in seen {
            self.report(now, "neighbor", &name, "warning", text);
        }
        self.enforce_limit(peer, now);
    }

    /// Ends the session of a neighbour that has sent more prefixes of a family than it may.
    pub(super) fn enforce_limit(&mut self, peer: PeerId, now: Time) {
        let Some(neighbor) = self.neighbors.get(&peer) else { return };
        let (source, limit) = (neighbor.source(), neighbor.config.maximum_prefixes);
        let over = |family: &Family| self.rib.count(source, *family) > limit as usize;
        if let Some(family) = Family::ALL.into_iter().find(over) {
            self.session_event(peer, bgp::Event::MaximumPrefixesReached { family, limit }, now);
        }
    }

    fn note(&mut self, peer: PeerId, note: Note, now: Time) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let mut text = note.to_string();
        if note == Note::NoAnswer {
            text.push_str(neighbor.silent_drop_hint());
        }
        // A neighbour that stays away fails the same way again and again: said once.
        let repeated = neighbor.last_error == text;
        match note {
            Note::NoAnswer
            | Note::DialFailed { .. }
            | Note::Ended { .. }
            | Note::AwaitsBfd
            | Note::Refused { .. } => {
                neighbor.last_error.clone_from(&text);
            }
            Note::CannotRefresh { .. } | Note::StaleExpired { .. } => {}
        }
        let name = neighbor.name.clone();
        if !repeated {
            self.report(now, "neighbor", &name, "warning", text);
        }
    }

    /// A client wants the routes of one neighbour, or of all that are up, again.
    pub(super) fn refresh_wanted(&mut self, peer: Option<PeerId>, now: Time) {
        let wanted = |n: &&Neighbor| n.is_established() && peer.is_none_or(|peer| peer == n.id);
        let asked: Vec<(PeerId, Vec<Family>)> = self
            .neighbors
            .values()
            .filter(wanted)
            .filter_map(|n| Some((n.id, n.peer.session()?.facts.families.clone())))
            .collect();
        for (peer, families) in asked {
            for family in families {
                self.session_event(peer, bgp::Event::RefreshWanted { family }, now);
            }
        }
    }
}

pub(super) fn import_policy(import: Option<Import>) -> Policy {
    match import {
        // Not configured: nothing is taken (RFC 8212 §2).
        None | Some(Import::None) => Policy::None,
        Some(Import::DefaultOnly) => Policy::DefaultOnly,
        Some(Import::All) => Policy::All,
    }
}

fn import_session(config: &crate::config::Config, neighbor: &Neighbor) -> Session {
    Session {
        kind: if neighbor.config.internal { SourceKind::Ibgp } else { SourceKind::Ebgp },
        own_asn: config.node.asn,
        remote_asn: neighbor.config.remote_as,
        own_router_id: config.node.router_id,
        role: neighbor.config.role,
    }
}
