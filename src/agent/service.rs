//! Questions to the services of groups: until an answer comes from one site, and all the time while a group moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::Status;

use super::fleet::Asker;
use super::text::micros;
use super::{Action, Agent};
use crate::api::v1;
use crate::config::ServiceProbe;
use crate::health::{CheckId, Outcome, Run, Settings};
use crate::switch::{Prober, Seen, Watcher};
use crate::types::Time;

#[derive(Clone, Default)]
pub(super) struct Services {
    /// As checks without a verdict: their ids count from the other end.
    used: u32,
    probers: BTreeMap<CheckId, (Asker, Prober)>,
    watchers: BTreeMap<CheckId, Watched>,
    /// What was seen of the last switch of a group, for a coordinator that asks twice.
    seen: BTreeMap<String, (String, v1::Vantage)>,
}

#[derive(Clone)]
struct Watched {
    group: String,
    switch: String,
    watcher: Watcher,
}

impl Services {
    fn next_check(&mut self) -> CheckId {
        self.used = self.used.wrapping_add(1);
        CheckId(u32::MAX - self.used % (u32::MAX / 2))
    }

    /// When a question is due.
    pub fn deadline(&self) -> Option<Time> {
        let probers = self.probers.values().filter_map(|(_, prober)| prober.deadline());
        probers.chain(self.watchers.values().map(|watched| watched.watcher.deadline())).min()
    }

    pub fn asks(&self, check: CheckId) -> bool {
        self.probers.contains_key(&check) || self.watchers.contains_key(&check)
    }
}

impl Agent {
    fn probe_of(&self, group: &str) -> Option<&ServiceProbe> {
        self.config.switching.get(group)?.probe.as_ref()
    }

    /// Whether what this node sends to a service goes where the switch wants it: to a site that it has learned a route to, or to
    /// its own.
    fn follows_switch(&self, group: &str, probe: &ServiceProbe, site: &str) -> bool {
        if self.config.node.site == site {
            return true;
        }
        let prefixes = self.config.groups.get(group).into_iter().flat_map(|group| &group.prefixes);
        let address = probe.anywhere.method.address();
        let asked = prefixes.filter(|prefix| address.is_some_and(|ip| prefix.contains(ip)));
        asked.max_by_key(|prefix| prefix.length()).is_some_and(|prefix| {
            !self.rib.hops(*prefix, usize::from(self.config.kernel.max_paths)).is_empty()
        })
    }

    /// Answers when the service has answered from `site`, or with who answers instead.
    pub(super) fn begin_probe(&mut self, asker: Asker, group: &str, site: &str, now: Time) {
        let probe = self.probe_of(group).filter(|probe| self.follows_switch(group, probe, site));
        let Some(ServiceProbe { anywhere, by_site, .. }) = probe else {
            return self.done(asker);
        };
        let prober = Prober::new(site, anywhere, by_site, now);
        let check = self.switching.services.next_check();
        self.switching.services.probers.insert(check, (asker, prober));
        self.ask_services();
    }

    /// Nobody waits any more.
    pub(super) fn leave_probe(&mut self, asker: Asker) {
        let probers = &mut self.switching.services.probers;
        let left = probers.iter().find(|(_, (of, _))| *of == asker).map(|(check, _)| *check);
        if let Some(check) = left {
            probers.remove(&check);
            self.actions.push_back(Action::ForgetCheck { check });
        }
    }

    /// A switch begins, or its way back.
    pub(super) fn watch_service(&mut self, group: &str, switch: &str, now: Time) {
        let mut all = self.switching.services.watchers.values();
        if all.any(|watched| watched.group == group && watched.switch == switch) {
            return;
        }
        self.end_watch(group, now);
        let Some(probe) = self.probe_of(group) else { return };
        let watcher = Watcher::new(&probe.anywhere, now);
        let connection = probe.socket().map(|to| (to, probe.anywhere.origin.clone()));
        let (group, switch) = (group.to_owned(), switch.to_owned());
        let check = self.switching.services.next_check();
        self.switching.services.watchers.insert(check, Watched { group, switch, watcher });
        if let Some((to, origin)) = connection {
            self.actions.push_back(Action::Connect { check, to, origin });
        }
        self.ask_services();
    }

    /// The switch is over: what it looked like from here.
    pub(super) fn vantage(&mut self, group: &str, switch: &str, now: Time) -> Option<v1::Vantage> {
        self.end_watch(group, now);
        let (of, vantage) = self.switching.services.seen.get(group)?;
        (of == switch).then(|| vantage.clone())
    }

    /// What is not done any more when the lock of a switch has gone, however it went.
    pub(super) fn settle_services(&mut self, now: Time) {
        let is_locked = |group: &str, switch: Option<&str>| {
            let lock = self.orders.requested_placement(group).lock;
            lock.is_some_and(|lock| switch.is_none_or(|switch| lock.switch == switch))
        };
        let watched = self.switching.services.watchers.values();
        let watched = watched.filter(|of| !is_locked(&of.group, Some(&of.switch)));
        let watched: Vec<String> = watched.map(|of| of.group.clone()).collect();
        let held = self.switching.holding.held.iter().filter(|group| !is_locked(group, None));
        let held: Vec<String> = held.cloned().collect();
        for group in watched {
            self.end_watch(&group, now);
        }
        for group in held {
            self.end_hold(&group);
        }
    }

    fn end_watch(&mut self, group: &str, now: Time) {
        let services = &mut self.switching.services;
        let watched = services.watchers.iter().find(|(_, watched)| watched.group == group);
        let Some(check) = watched.map(|(check, _)| *check) else { return };
        let Some(Watched { switch, watcher, .. }) = services.watchers.remove(&check) else {
            return;
        };
        let Seen { asked, lost, longest, answers, session_kept } = watcher.seen(now);
        let vantage = v1::Vantage {
            node: self.config.node.name.clone(),
            probes: asked,
            lost,
            longest_us: micros(longest),
            session: session_kept.map_or("", |kept| if kept { "kept" } else { "lost" }).to_owned(),
            answers_us: answers,
        };
        services.seen.insert(group.to_owned(), (switch, vantage));
        self.actions.push_back(Action::ForgetCheck { check });
    }

    /// A question was answered, or not. Says whether something follows from that.
    pub(super) fn service_answered(&mut self, run: Run, outcome: Outcome, now: Time) -> bool {
        let services = &mut self.switching.services;
        if let Some(watched) = services.watchers.get_mut(&run.check) {
            match run.number {
                0 => watched.watcher.connection(&outcome, now),
                number => watched.watcher.ended(number, &outcome, now),
            }
        } else if let Some((_, prober)) = services.probers.get_mut(&run.check) {
            prober.ended(run.number, outcome, now);
        }
        self.ask_services()
    }

    /// Asks what is due.
    pub(super) fn services_tick(&mut self, now: Time) -> bool {
        if self.switching.services.deadline().is_none_or(|at| at > now) {
            return false;
        }
        for (_, prober) in self.switching.services.probers.values_mut() {
            prober.tick(now);
        }
        for watched in self.switching.services.watchers.values_mut() {
            watched.watcher.tick(now);
        }
        self.ask_services()
    }

    /// Asks what is to be asked, and answers who waited for it. Says whether somebody was answered.
    fn ask_services(&mut self) -> bool {
        let services = &mut self.switching.services;
        let mut questions: Vec<(Run, Arc<Settings>)> = Vec::new();
        for (check, watched) in &mut services.watchers {
            while let Some((number, settings)) = watched.watcher.poll() {
                questions.push((Run { check: *check, number }, settings));
            }
        }
        let mut over = Vec::new();
        for (check, (asker, prober)) in &mut services.probers {
            while let Some((number, settings)) = prober.poll() {
                questions.push((Run { check: *check, number }, settings));
            }
            if let Some(outcome) = prober.outcome() {
                over.push((*check, *asker, outcome.clone()));
            }
        }
        for (run, settings) in questions {
            self.actions.push_back(Action::Ask { run, settings });
        }
        let answered = !over.is_empty();
        for (check, asker, outcome) in over {
            self.switching.services.probers.remove(&check);
            self.actions.push_back(Action::ForgetCheck { check });
            match outcome {
                Ok(()) => self.done(asker),
                // To be asked again: the routes may still be on their way.
                Err(text) => self.answer_node(asker, Err(Status::unavailable(text))),
            }
        }
        answered
    }
}
