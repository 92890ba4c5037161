//! The checks between the driver that makes them and the groups that follow their verdicts.

use std::time::Duration;

use super::{Action, Agent};
use crate::group::Counted;
use crate::health::{Event, Health, Memory, Outcome, Run, State, Verdict};
use crate::types::{Rng, Time};

/// The checks, and what is to be remembered of them.
#[derive(Clone)]
pub(super) struct Checks {
    pub health: Health,
    /// Verdicts have changed that nothing has followed yet.
    changed: bool,
    /// Since the last time it was stored, something has changed.
    unstored: bool,
    stored: Option<Time>,
}

/// What is remembered of the checks goes to the disk no more often.
const STORED_EVERY: Duration = Duration::from_secs(1);

impl Checks {
    pub fn new(rng: Rng, memory: Memory) -> Checks {
        Checks { health: Health::new(rng, memory), changed: false, unstored: false, stored: None }
    }

    /// When the next check is to be made, or something stored.
    pub fn deadline(&self) -> Option<Time> {
        if self.changed {
            return Some(Time::ZERO);
        }
        self.health.deadline().into_iter().chain(self.store_at()).min()
    }

    fn store_at(&self) -> Option<Time> {
        self.unstored.then(|| self.stored.map_or(Time::ZERO, |stored| stored + STORED_EVERY))
    }
}

impl Agent {
    /// Makes the checks of the configuration, and no others.
    pub(super) fn configure_checks(&mut self, now: Time) {
        self.checks.health.handle(Event::Configured(self.config.checks.clone()), now);
        self.lowering.stale = true;
        self.others.stale = true;
        self.configure_followers();
        self.configure_guards(now);
        self.run_health(now);
    }

    /// A run is over. While verdicts stay, nothing follows from that; and what follows from many that change at once is
    /// settled once, in the next tick.
    pub(super) fn check_ended(&mut self, run: Run, outcome: Outcome, now: Time) {
        self.checks.health.handle(Event::Ended { run, outcome }, now);
        self.run_health(now);
    }

    /// Asks what is due, and stores what is to be remembered. Says whether verdicts have changed since the last time.
    pub(super) fn health_tick(&mut self, now: Time) -> bool {
        if self.checks.health.deadline().is_some_and(|at| at <= now) {
            self.checks.health.tick(now);
        }
        self.run_health(now);
        if self.checks.store_at().is_some_and(|at| at <= now) {
            self.store_memory(now);
        }
        std::mem::take(&mut self.checks.changed)
    }

    /// Stores what is to be remembered, if that has changed.
    pub(super) fn store_memory(&mut self, now: Time) {
        if std::mem::take(&mut self.checks.unstored) {
            self.checks.stored = Some(now);
            let text = self.checks.health.memory(now).to_text(self.wall(now));
            self.actions.push_back(Action::StoreHealth { text });
        }
    }

    fn run_health(&mut self, now: Time) {
        use crate::health::Action as Wanted;
        self.checks.unstored |= self.checks.health.take_news();
        while let Some(wanted) = self.checks.health.poll() {
            match wanted {
                Wanted::Ask { run, settings } => {
                    self.actions.push_back(Action::Ask { run, settings });
                }
                Wanted::Forget { check } => self.actions.push_back(Action::ForgetCheck { check }),
                Wanted::Changed { name, was, lasted } => {
                    self.checks.changed = true;
                    self.report_verdict(&name, was, lasted, now);
                    self.verdict_changed(&name, now);
                }
            }
        }
    }

    fn report_verdict(&mut self, name: &str, was: State, lasted: Duration, now: Time) {
        let Some(verdict) = self.checks.health.verdict(name) else { return };
        let is = verdict.state;
        let held = if verdict.held.is_some() { ", held as it changes too often" } else { "" };
        let reason = &verdict.reason;
        let text = if was != is {
            format!("{was} -> {is} after {:.1} s: {reason}{held}", lasted.as_secs_f64())
        } else if is != State::Unknown {
            format!("{is}, score {}: {reason}{held}", verdict.score)
        } else {
            return;
        };
        let severity = if is == State::Up { "info" } else { "warning" };
        self.report(now, "check", name, severity, text);
    }

    /// What a check's verdict would count for.
    pub(super) fn verdict_of(&self, check: &str) -> Counted {
        self.checks.health.verdict(check).map_or(Counted::WELL, counted)
    }
}

/// Unknown is not down: what was known last counts.
pub(super) fn counted(verdict: &Verdict) -> Counted {
    Counted { state: verdict.known.unwrap_or(State::Up), grade: verdict.grade }
}
