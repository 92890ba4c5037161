//! What health and rules leave of the groups' bases.
//!
//! It is computed again when a verdict, a doubt, a followed object or what other sites announce has changed, and at the
//! deadlines of withdrawals; at no other time.

use std::collections::{BTreeMap, BTreeSet};

use super::Agent;
use crate::config::TrackedObject;
use crate::group::{
    Cause, Counted, Decision, Group, Intents, Lowered, OnAllDown, Policy, Wish, Withdrawal, bases,
    lower,
};
use crate::health::State;
use crate::types::{Prefix, Time};

/// Why the last one stays.
const KEEP_ALONE: &str = "on-all-down: stays announced, as no other site announces it any better";
/// So many checks are named in a reason.
const NAMED: usize = 3;

#[derive(Clone, Debug, Default)]
pub(super) struct Lowering {
    pub stale: bool,
    /// The groups that have a check among theirs.
    followers: BTreeMap<String, Vec<String>>,
    /// Prefixes that are not as their base says.
    pub lowered: BTreeMap<Prefix, Lowered>,
    pub withdrawals: BTreeMap<Prefix, Withdrawal>,
    /// Objects of rules that are not as they should be.
    broken: BTreeSet<TrackedObject>,
    /// Those that have been so once.
    seen: BTreeSet<TrackedObject>,
    /// The start is over: what others have a part in has had its time to come up.
    pub started: bool,
}

/// What is to be lowered and withdrawn, and what was decided before and is now of each withdrawal.
#[derive(Default)]
struct Decided {
    lowered: BTreeMap<Prefix, Lowered>,
    withdrawals: BTreeMap<Prefix, Withdrawal>,
    news: Vec<(Prefix, Option<Decision>, Option<Decision>)>,
}

impl Agent {
    /// Takes over which groups follow which checks.
    pub(super) fn configure_followers(&mut self) {
        let mut followers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, group) in &self.config.groups {
            for check in group.health.iter().flat_map(|policy| &policy.checks) {
                followers.entry(check.clone()).or_default().push(name.clone());
            }
        }
        self.lowering.followers = followers;
    }

    /// Looks what lowers the groups. Says whether a preference may have changed.
    pub(super) fn settle_lowering(&mut self, now: Time) -> bool {
        self.lowering.started |= now >= self.start_ends();
        self.settle_elsewhere(now);
        self.settle_gate(now);
        self.settle_rules(now);
        let mut withdrawals = self.lowering.withdrawals.values();
        let due = withdrawals.any(|withdrawal| withdrawal.deadline().is_some_and(|at| at <= now));
        if !std::mem::take(&mut self.lowering.stale) && !due {
            return false;
        }
        let Decided { lowered, withdrawals, news } =
            self.decide_lowering(self.orders.in_force(), now);
        for (prefix, was, is) in news {
            self.report_withdrawal(prefix, was, is, now);
        }
        for (prefix, was) in std::mem::replace(&mut self.lowering.withdrawals, withdrawals) {
            if !self.lowering.withdrawals.contains_key(&prefix) {
                self.report_withdrawal(prefix, Some(was.decision()), None, now);
            }
        }
        let changed = self.lowering.lowered != lowered;
        self.lowering.lowered = lowered;
        changed
    }

    /// What lowers the groups when this is where they are.
    pub(super) fn lowered_with(&self, intents: &Intents, now: Time) -> BTreeMap<Prefix, Lowered> {
        self.decide_lowering(intents, now).lowered
    }

    fn decide_lowering(&self, intents: &Intents, now: Time) -> Decided {
        let mut decided = Decided::default();
        for name in self.config.groups.keys() {
            self.lower_group(name, intents, &mut decided, now);
        }
        decided
    }

    fn lower_group(&self, name: &str, intents: &Intents, into: &mut Decided, now: Time) {
        let Some(group) = self.config.groups.get(name) else { return };
        let levels = &self.config.levels;
        let bases = bases(group, intents.placement(name));
        let (mut common, mut guard, mut all_down) = (Vec::new(), None, None);
        if let Some(policy) = &group.health {
            let gate = &self.guards.gate;
            let judged = policy.judge(|check| gate.counted(check));
            common = self.causes(policy, judged);
            all_down = (judged.state == State::Down).then_some(policy.on_all_down);
            guard = self.held_back(policy, judged);
        }
        let rules = self.config.rules.get(name).map(Vec::as_slice).unwrap_or_default();
        let broken: Vec<_> =
            rules.iter().filter(|rule| self.lowering.broken.contains(&rule.object)).collect();
        if common.is_empty() && broken.is_empty() && guard.is_none() {
            return;
        }
        for prefix in &group.prefixes {
            let concerns = |rule: &&&crate::config::Rule| {
                rule.prefixes.is_empty() || rule.prefixes.contains(prefix)
            };
            let rules = broken
                .iter()
                .filter(concerns)
                .map(|rule| Cause { what: fault_text(&rule.object), effect: rule.effect });
            let causes: Vec<Cause> = common.iter().cloned().chain(rules).collect();
            let mut lowered = lower(&bases, &self.config.node.site, levels, &causes);
            if !lowered.preference.is_announced() {
                continue;
            }
            if let Some(guard) = &guard {
                lowered.hold(guard.clone(), levels);
            }
            if lowered.unwanted || all_down.is_some() {
                let wish = wish(group, lowered.unwanted, all_down);
                let known = self.lowering.withdrawals.get(prefix);
                let was = known.map(Withdrawal::decision);
                let mut withdrawal = known.cloned().unwrap_or_else(|| Withdrawal::new(now));
                let elsewhere = self.elsewhere(*prefix, lowered.preference);
                let better = elsewhere.better;
                let decision = withdrawal.decide(wish, elsewhere, now);
                match decision {
                    Decision::Wait => {}
                    Decision::Keep => lowered.hold(keep_text(better, wish.min_sites), levels),
                    Decision::KeepAlone => lowered.hold(KEEP_ALONE.to_owned(), levels),
                    Decision::Go => lowered.withdraw(sites(better), levels),
                    Decision::GoAlone => {
                        let text = "down here, and no other site announces it any better \
                                    (on-all-down = \"withdraw\")";
                        lowered.withdraw(text.to_owned(), levels);
                    }
                }
                into.withdrawals.insert(*prefix, withdrawal);
                into.news.push((*prefix, was, Some(decision)));
            }
            if !lowered.because.is_empty() {
                into.lowered.insert(*prefix, lowered);
            }
        }
    }

    /// What a verdict of a group does to it.
    fn causes(&self, policy: &Policy, judged: Counted) -> Vec<Cause> {
        let effects = policy.effects(judged);
        if effects.is_empty() {
            return Vec::new();
        }
        let what = self.blame_text(policy, judged, |check| self.guards.gate.counted(check));
        effects.into_iter().map(|effect| Cause { what: what.clone(), effect }).collect()
    }

    /// `check web is down: connection refused; check db is down: no answer within 1 s`.
    fn blame_text(
        &self,
        policy: &Policy,
        judged: Counted,
        counted: impl Fn(&str) -> Counted,
    ) -> String {
        let blamed = policy.to_blame(judged, &counted);
        let text = |name: &&str| {
            let Counted { state, grade } = counted(name);
            let verdict = self.checks.health.verdict(name);
            let reason = verdict.map(|verdict| verdict.reason.as_str()).unwrap_or_default();
            match (state, grade) {
                (State::Up | State::Unknown, grade) if grade > 0 => {
                    format!("check {name} misses its objective, grade {grade}: {reason}")
                }
                _ if verdict.is_some_and(|verdict| verdict.state == state) => {
                    let is_held = verdict.is_some_and(|verdict| verdict.held.is_some());
                    let held = if is_held { ", held as it changes too often" } else { "" };
                    format!("check {name} is {state}{held}: {reason}")
                }
                _ => format!("check {name} was {state} when it was known: {reason}"),
            }
        };
        let mut texts: Vec<String> = blamed.iter().take(NAMED).map(text).collect();
        if blamed.len() > NAMED {
            texts.push(format!("and {} more", blamed.len() - NAMED));
        }
        texts.join("; ")
    }

    /// What the checks say and the gate holds back.
    fn held_back(&self, policy: &Policy, judged: Counted) -> Option<String> {
        let closed = self.guards.gate.closed()?;
        let said = policy.judge(|check| self.verdict_of(check));
        if policy.effects(said) == policy.effects(judged) {
            return None;
        }
        let doubt = self.doubt_text(closed);
        let blame = match said.state {
            State::Up if said.grade == 0 => "all checks are up".to_owned(),
            _ => self.blame_text(policy, said, |check| self.verdict_of(check)),
        };
        Some(format!("{doubt}: {blame}"))
    }

    /// The groups that would change if this counted of a check.
    pub(super) fn groups_moved_by(&self, check: &str, is: Counted) -> Vec<String> {
        let gate = &self.guards.gate;
        let moved = |group: &&String| {
            let policy = self.config.groups.get(*group).and_then(|group| group.health.as_ref());
            policy.is_some_and(|policy| {
                let then = |name: &str| if name == check { is } else { gate.counted(name) };
                let before = policy.judge(|name| gate.counted(name));
                policy.effects(before) != policy.effects(policy.judge(then))
            })
        };
        let followers = self.lowering.followers.get(check);
        followers.into_iter().flatten().filter(moved).cloned().collect()
    }

    /// Looks which objects of rules are not as they should be.
    fn settle_rules(&mut self, now: Time) {
        if self.config.rules.is_empty() && self.lowering.broken.is_empty() {
            return;
        }
        let objects = self.config.rules.values().flatten().map(|rule| &rule.object);
        let up: BTreeMap<&TrackedObject, bool> =
            objects.map(|object| (object, self.is_up(object))).collect();
        let broken = |(object, up): (&&TrackedObject, &bool)| {
            (!up && self.may_be_broken(object)).then(|| (*object).clone())
        };
        let broken: BTreeSet<TrackedObject> = up.iter().filter_map(broken).collect();
        let seen = up.iter().filter(|(object, up)| **up && !self.lowering.seen.contains(**object));
        let seen: Vec<TrackedObject> = seen.map(|(object, _)| (*object).clone()).collect();
        self.lowering.seen.extend(seen);
        if broken == self.lowering.broken {
            return;
        }
        self.lowering.stale = true;
        let was = std::mem::replace(&mut self.lowering.broken, broken.clone());
        for object in broken.symmetric_difference(&was) {
            let (text, severity) = match broken.contains(object) {
                true => (fault_text(object), "warning"),
                false => (format!("{object} is as it should be again"), "info"),
            };
            self.report(now, "rule", &object.to_string(), severity, text);
        }
    }

    /// Unknown is not down: at the start, what others have a part in takes its time to come up.
    fn may_be_broken(&self, object: &TrackedObject) -> bool {
        let alone = matches!(
            object,
            TrackedObject::Check(_) | TrackedObject::Vrrp(_) | TrackedObject::Interface(_)
        );
        self.fib.is_ready()
            && (alone || self.lowering.started || self.lowering.seen.contains(object))
    }

    /// When something may have to be lowered or withdrawn without an event.
    pub(super) fn lowering_due(&self) -> Option<Time> {
        let withdrawals = self.lowering.withdrawals.values();
        let withdrawals = withdrawals.filter_map(Withdrawal::deadline);
        let start =
            (!self.lowering.started && !self.config.rules.is_empty()).then(|| self.start_ends());
        withdrawals.chain(start).chain(self.guards.gate.deadline()).min()
    }
}

fn wish(group: &Group, unwanted: bool, all_down: Option<OnAllDown>) -> Wish {
    Wish { unwanted, all_down, min_sites: group.min_sites.unwrap_or(1).into() }
}

fn fault_text(object: &TrackedObject) -> String {
    match object {
        TrackedObject::Route(_) => format!("{object} is absent"),
        TrackedObject::Vrrp(_) => format!("{object} is not active here"),
        TrackedObject::Isolated => "this node is isolated: no upstream is up".to_owned(),
        _ => format!("{object} is down"),
    }
}

fn keep_text(better: usize, min_sites: usize) -> String {
    format!("min-sites: not withdrawn, as {} and {min_sites} must", sites(better))
}

fn sites(better: usize) -> String {
    match better {
        0 => "no other site announces it any better".to_owned(),
        1 => "1 other site announces it better".to_owned(),
        more => format!("{more} other sites announce it better"),
    }
}
