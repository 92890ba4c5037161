//! The answers to reads about checks. They change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Agent;
use super::check_text::{asks, conditions, kind};
use super::health::counted;
use super::reads::not_found;
use super::text::micros;
use crate::api::v1;
use crate::config::TrackedObject;
use crate::group::nearest;
use crate::health::{Check, Method, Settings, State};
use crate::types::Time;

/// So many sentences about checks are warnings; all is in `shunt health`.
const MOST_WARNINGS: usize = 10;

/// So many of those that use a check are named in a warning.
const NAMED: usize = 3;

/// What a run of a check takes.
#[derive(Clone, Debug)]
pub struct ToTry {
    pub settings: Arc<Settings>,
    /// The checks that it counts.
    pub backends: Vec<(String, Arc<Settings>)>,
}

impl Agent {
    /// `None` if there are no checks.
    pub(super) fn health_status(&self) -> Option<v1::HealthStatus> {
        if self.config.checks.is_empty() {
            return None;
        }
        let mut status = v1::HealthStatus::default();
        for check in self.checks.health.checks() {
            let verdict = check.verdict();
            status.checks += 1;
            status.held += u32::from(verdict.held.is_some());
            *match verdict.state {
                State::Unknown => &mut status.unknown,
                State::Up => &mut status.up,
                State::Slow => &mut status.slow,
                State::Down => &mut status.down,
            } += 1;
        }
        Some(status)
    }

    /// Checks that an operator should look at.
    pub(super) fn check_warnings(&self) -> Vec<String> {
        let users = self.check_users();
        let mut warnings = Vec::new();
        let mut more = 0;
        for check in self.checks.health.checks() {
            let Some(text) = warning(check) else { continue };
            if warnings.len() == MOST_WARNINGS {
                more += 1;
                continue;
            }
            let name = check.name();
            let users = users.get(name).map(Vec::as_slice).unwrap_or_default();
            warnings.push(format!("check {name}{}{text}", for_whom(users)));
        }
        if more > 0 {
            warnings
                .push(format!("{more} more checks are not as they should be: see `shunt health`"));
        }
        warnings
    }

    /// All checks for the empty name.
    pub fn health(
        &self,
        request: &v1::HealthRequest,
        now: Time,
    ) -> Result<v1::HealthReply, tonic::Status> {
        let name = request.name.as_str();
        let mut users = self.check_users();
        let mut reply = |check: &Check| {
            let used_by = users.remove(check.name()).unwrap_or_default();
            self.check(check, used_by, now)
        };
        let checks = match name {
            "" => self.checks.health.checks().map(reply).collect(),
            name => vec![reply(self.check_named(name)?)],
        };
        Ok(v1::HealthReply { checks, guards: self.guards_in_force() })
    }

    /// What one run of a check takes, and of those that it counts.
    pub fn check_to_try(&self, name: &str) -> Result<ToTry, tonic::Status> {
        let settings = self.check_named(name)?.settings().clone();
        let backends = backends(&settings.method).filter_map(|name| {
            let check = self.checks.health.check(name)?;
            Some((name.clone(), check.settings().clone()))
        });
        Ok(ToTry { backends: backends.collect(), settings })
    }

    fn check_named(&self, name: &str) -> Result<&Check, tonic::Status> {
        self.checks.health.check(name).ok_or_else(|| {
            let names = self.config.checks.keys().map(String::as_str);
            not_found("check", name, nearest(name, names))
        })
    }

    /// What follows each check: `group payments`, `check pool`.
    fn check_users(&self) -> BTreeMap<&str, Vec<String>> {
        let config = &self.config;
        let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut note = |check, user: String| {
            let users: &mut Vec<String> = users.entry(check).or_default();
            // A group has it among its checks, and in a rule.
            if users.last() != Some(&user) {
                users.push(user);
            }
        };
        for (name, group) in &config.groups {
            let checks = group.health.iter().flat_map(|policy| &policy.checks).map(String::as_str);
            let rules = config.rules.get(name).into_iter().flatten();
            for check in checks.chain(rules.filter_map(|rule| tracked(&rule.object))) {
                note(check, format!("group {name}"));
            }
        }
        for (name, router) in &config.vrrp {
            for check in router.tracks.iter().filter_map(|track| tracked(&track.object)) {
                note(check, format!("virtual router {name}"));
            }
        }
        for (name, settings) in &config.checks {
            for check in backends(&settings.method) {
                note(check, format!("check {name}"));
            }
        }
        for check in &config.guard.witnesses {
            note(check, "witness".to_owned());
        }
        users
    }

    fn check(&self, check: &Check, used_by: Vec<String>, now: Time) -> v1::Check {
        let (verdict, settings, counters) = (check.verdict(), check.settings(), check.counters());
        let known = verdict.known.filter(|_| verdict.state == State::Unknown);
        let penalty = check.penalty(now);
        let held_until = check.held_until().filter(|_| verdict.held.is_some());
        v1::Check {
            name: check.name().to_owned(),
            method: kind(&settings.method).to_owned(),
            asks: asks(&settings.method),
            conditions: conditions(&settings.method),
            state: verdict.state.to_string(),
            state_us: micros(now.since(verdict.since)),
            known: known.map(|state| state.to_string()).unwrap_or_default(),
            score: verdict.score.into(),
            grade: verdict.grade.into(),
            reason: verdict.reason.clone(),
            warning: verdict.warning.clone().unwrap_or_default(),
            p95_us: check.p95().map(micros).unwrap_or_default(),
            penalty: penalty.map_or(0, |penalty| penalty.points),
            held: verdict.held.is_some(),
            held_us: held_until.map_or(0, |until| micros(until.since(now))),
            used_by,
            settings: Some(check_settings(settings)),
            limit_us: micros(self.limit(settings)),
            answered: counters.answered,
            failed: counters.failed,
            not_asked: counters.not_asked,
            changes: counters.changes,
        }
    }

    fn limit(&self, settings: &Settings) -> Duration {
        match &settings.method {
            Method::Backends { of, .. } => {
                let backends = of.iter().filter_map(|name| self.config.checks.get(name));
                backends.map(Settings::limit).max().unwrap_or_default()
            }
            _ => settings.limit(),
        }
    }
}

/// The checks that one counts.
fn backends(method: &Method) -> impl Iterator<Item = &String> {
    let of = match method {
        Method::Backends { of, .. } => of.as_slice(),
        _ => &[],
    };
    of.iter()
}

fn tracked(object: &TrackedObject) -> Option<&str> {
    match object {
        TrackedObject::Check(name) => Some(name),
        _ => None,
    }
}

/// What is not as it should be, as the end of a sentence.
fn warning(check: &Check) -> Option<String> {
    let (verdict, counters) = (check.verdict(), check.counters());
    let reason = &verdict.reason;
    let held = if verdict.held.is_some() { ", and held as it changes too often" } else { "" };
    match verdict.state {
        State::Slow | State::Down => Some(format!(" is {}{held}: {reason}", verdict.state)),
        State::Unknown => {
            let ended = counters.answered + counters.failed + counters.not_asked;
            let counts = counted(verdict).state;
            // Just begun.
            let is_new = ended == 0 && verdict.known.is_none();
            (!is_new).then(|| format!(" is unknown, so it counts as {counts}: {reason}"))
        }
        State::Up => verdict.warning.as_ref().map(|warning| format!(": {warning}")),
    }
}

/// ` (group payments, check pool)`
fn for_whom(users: &[String]) -> String {
    let named = users.iter().take(NAMED).map(String::as_str).collect::<Vec<&str>>().join(", ");
    match users.len() {
        0 => String::new(),
        all if all > NAMED => format!(" ({named}, and {} more)", all - NAMED),
        _ => format!(" ({named})"),
    }
}

fn check_settings(settings: &Settings) -> v1::CheckSettings {
    let damping = settings.damping;
    let damped = v1::CheckSettings {
        half_life_us: damping.map_or(0, |damping| micros(damping.half_life)),
        hold_above: damping.map_or(0, |damping| damping.hold_above),
        release_below: damping.map_or(0, |damping| damping.release_below),
        ..v1::CheckSettings::default()
    };
    if matches!(settings.method, Method::Backends { .. }) {
        return damped;
    }
    let origin = &settings.origin;
    let connects = settings.limit() > settings.timeout;
    v1::CheckSettings {
        interval_us: micros(settings.interval),
        fast_interval_us: micros(settings.fast_interval),
        jitter: settings.jitter.into(),
        connect_timeout_us: if connects { micros(settings.connect_timeout) } else { 0 },
        timeout_us: micros(settings.timeout),
        slow_us: settings.slow.map_or(0, micros),
        rise: settings.rise.into(),
        fall: settings.fall.into(),
        objective_us: settings.objective.map_or(0, |objective| micros(objective.p95)),
        window: settings.objective.map_or(0, |objective| objective.window as u32),
        source_address: origin.address.map(|address| address.to_string()).unwrap_or_default(),
        interface: origin.interface.clone().unwrap_or_default(),
        mark: origin.mark,
        ..damped
    }
}
