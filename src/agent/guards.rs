//! When this node doubts what its checks say, or does not do what follows from it.

use std::time::Duration;

use super::Agent;
use super::health::counted;
use crate::config;
use crate::group::{Closed, Decision, Gate, Limit, Patience, Sight};
use crate::health::{Health, Settings, State, Verdict};
use crate::types::{Prefix, Time};

/// So many prefixes that are kept are named.
const NAMED: usize = 10;

#[derive(Clone, Debug, Default)]
pub(super) struct Guards {
    pub gate: Gate,
    /// As was reported last.
    told: Option<Closed>,
}

impl Agent {
    /// Takes over what the configuration says of guards.
    pub(super) fn configure_guards(&mut self, now: Time) {
        let config::Guard { witnesses, correlated } = &self.config.guard;
        let limit = correlated.map(|correlated| Limit {
            more_than: correlated.more_than,
            within: correlated.within,
            freeze: correlated.freeze,
        });
        let checks = &self.config.checks;
        let doubt = witnesses.iter().filter_map(|name| checks.get(name)).map(doubt).max();
        let patience = Patience {
            doubt: doubt.unwrap_or_default(),
            recovery: checks.values().map(recovery).max().unwrap_or_default(),
        };
        self.guards.gate.configure(checks.keys(), limit, patience);
        self.look_around(now);
    }

    /// A check has another verdict: whether that counts is up to the gate.
    pub(super) fn verdict_changed(&mut self, check: &str, now: Time) {
        self.lowering.stale = true;
        if self.config.guard.witnesses.iter().any(|witness| witness == check) {
            self.look_around(now);
        }
        let Some(verdict) = self.checks.health.verdict(check) else { return };
        let is = counted(verdict);
        if verdict.state == State::Unknown {
            // Nothing has changed by that, except that nothing was known before of what we remember.
            if verdict.known.is_some() {
                self.guards.gate.remember(check, is, now);
            }
            return;
        }
        let groups = self.groups_moved_by(check, is);
        self.guards.gate.offer(check, is, groups.into_iter(), now);
    }

    /// Whether any witness answers.
    fn look_around(&mut self, now: Time) {
        let witnesses = &self.config.guard.witnesses;
        let verdicts = || witnesses.iter().filter_map(|name| self.checks.health.verdict(name));
        let sight = if witnesses.is_empty() || verdicts().any(Verdict::serves) {
            Sight::Clear
        } else if verdicts().all(|verdict| verdict.state == State::Down) {
            Sight::Blind
        } else {
            Sight::Unsure
        };
        let gate = &mut self.guards.gate;
        let was_blind = gate.is_blind();
        self.lowering.stale |= gate.see(sight, now);
        if was_blind && !gate.is_blind() {
            self.checks.health.hurry(now);
        }
    }

    /// Lets verdicts count again when a doubt is over, and tells of doubts.
    pub(super) fn settle_gate(&mut self, now: Time) {
        if self.guards.gate.tick(now) {
            for check in self.checks.health.checks() {
                if check.verdict().known.is_some() {
                    self.guards.gate.take(check.name(), counted(check.verdict()), now);
                }
            }
        }
        let closed = self.guards.gate.closed();
        if closed == self.guards.told {
            return;
        }
        self.lowering.stale = true;
        let told = std::mem::replace(&mut self.guards.told, closed);
        let text = match (closed, told) {
            (Some(closed), _) => self.doubt_text(closed),
            (None, _) => "what the checks say counts again".to_owned(),
        };
        let severity = if closed.is_some() { "warning" } else { "info" };
        self.report(now, "guard", "health", severity, text);
    }

    /// Why verdicts do not count.
    pub(super) fn doubt_text(&self, closed: Closed) -> String {
        let until = |until: Time| self.wall(until).to_string();
        match closed {
            Closed::Blind { .. } => format!(
                "blind: no witness answers ({}), so what the checks say does not count",
                self.config.guard.witnesses.join(", ")
            ),
            Closed::Recovering { until: at } => {
                format!("a witness answers again: what the checks say counts from {}", until(at))
            }
            Closed::Frozen { until: at, what, more_than, within } => format!(
                "frozen: more than {more_than} {what} changed within {} s, so what the checks say does not count until {}",
                within.as_secs_f64(),
                until(at)
            ),
        }
    }

    /// A guard begins or ends to hold a withdrawal back.
    pub(super) fn report_withdrawal(
        &mut self,
        prefix: Prefix,
        was: Option<Decision>,
        is: Option<Decision>,
        now: Time,
    ) {
        let text = match (was, is) {
            (was, is) if was == is => return,
            (_, Some(Decision::Keep)) => {
                "min-sites: not withdrawn, as too few other sites announce it any better"
            }
            (_, Some(Decision::KeepAlone)) => {
                "on-all-down: down here, and stays announced, as no other site announces it any better"
            }
            (Some(Decision::Keep), _) => "min-sites: holds nothing back any more",
            (Some(Decision::KeepAlone), _) => "on-all-down: holds nothing back any more",
            _ => return,
        };
        let keeps = matches!(is, Some(Decision::Keep | Decision::KeepAlone));
        let severity = if keeps { "warning" } else { "info" };
        self.report(now, "guard", &prefix.to_string(), severity, text.to_owned());
    }

    /// What is held back now.
    pub(super) fn guards_in_force(&self) -> Vec<String> {
        let doubt = self.guards.gate.closed().map(|closed| self.doubt_text(closed));
        let kept = self.lowering.withdrawals.iter();
        let kept = kept.filter_map(|(prefix, withdrawal)| match withdrawal.decision() {
            Decision::Keep => Some(format!(
                "{prefix} would be withdrawn, but min-sites keeps it: too few other sites announce it any better"
            )),
            Decision::KeepAlone => Some(format!(
                "{prefix} is down here, and on-all-down keeps it announced: no other site announces it any better"
            )),
            Decision::Wait | Decision::Go | Decision::GoAlone => None,
        });
        let mut kept: Vec<String> = kept.collect();
        if kept.len() > NAMED {
            let more = kept.len() - NAMED;
            kept.truncate(NAMED);
            kept.push(format!("{more} more prefixes are kept like these: see `shunt groups`"));
        }
        doubt.into_iter().chain(kept).collect()
    }
}

/// What it takes at most to see a check fail.
fn doubt(settings: &Settings) -> Duration {
    settings.interval + settings.fast_interval * settings.fall.into() + settings.limit() * 2
}

/// What it takes at most to see a check recover that is asked in a hurry: a run that hangs is waited for first.
fn recovery(settings: &Settings) -> Duration {
    let asked = Health::HURRY.min(settings.interval);
    asked + settings.fast_interval * settings.rise.into() + settings.limit() * 2
}
