//! The health core: results of checks in, verdicts out, without I/O.
//!
//! # Data
//!
//! ```text
//! Health ─┬ checks ─ Check ─┬ Settings: what is asked, how often               settings.rs, method.rs
//!         │                 ├ runs that are not over, results in a row         check.rs
//!         │                 ├ Latency: the last answers' times, the grade      latency.rs
//!         │                 ├ Flapping: penalty                                flapping.rs
//!         │                 └ Verdict: what is thought of it                   verdict.rs
//!         └ Deadlines: which check is to be looked at next
//! ```
//!
//! # What is thought of a check
//!
//! | state | what it means | becomes another |
//! |---|---|---|
//! | unknown | not asked yet, or it cannot be asked | at the first good answer (after `rise` of them if it was down when it was last known); when `fall` runs in a row have failed |
//! | up | it answers | slow when `fall` answers in a row were slow, down when `fall` runs in a row have failed |
//! | slow | it answers, but later than `slow` | up after `rise` fast answers in a row, down as before |
//! | down | it does not answer, or not as it should | up or slow after `rise` answers in a row |
//!
//! A run that could not be made (no descriptor, no permission, no source address) says nothing of the service. Such a run counts
//! for neither side, and `fall` of them in a row make the verdict unknown, never down. The same goes for a run that ended so late
//! that this process, and not the service, must have stood still.
//!
//! Beside the state there is the *grade*: how often the objective was missed by the 95th percentile of the last answers,
//! in steps of twice the time; and the *score*, 0 to 100, which is one number for both.
//!
//! # When it is asked
//!
//! Once in each interval, the first time after a part of it that is drawn, so that a thousand checks do not start at once. While a
//! result contradicts the verdict, after the fast interval, whether the run before is over or not: else a service that
//! never answers would take `fall` timeouts to be seen. At other times a check has one run at most; but where the timeouts are not
//! longer than the interval, a run that is about to be given up does not delay the next one.
//!
//! # Flapping
//!
//! Each change for the worse adds to a penalty, which halves in each half-life. Above a limit, the verdict is held at the worst
//! state of late until the penalty is below a second limit (after RFC 2439 §4.4, which does so for routes).
//!
//! # What is remembered
//!
//! A check whose settings change, and all of them when the process ends, leave behind what was known of them and their
//! penalties ([`Remembered`]). It counts until there is more to know, so that neither a reload nor a restart makes a service
//! look well that is down.

mod check;
mod flapping;
mod latency;
mod method;
mod remembered;
mod settings;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use check::Before;
pub use check::{Check, Counters};
pub use flapping::{Damping, Penalty};
pub use latency::Objective;
pub use method::{Http, Method, Query, RecordType, Tls};
pub use remembered::{Memory, Remembered};
pub use settings::{Origin, Settings};
pub use verdict::{State, Verdict};

use crate::types::{Deadlines, Rng, Time};

/// A check, for the life of its settings: one that is changed gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u32);

/// One try of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    pub check: CheckId,
    /// Counted from 1 for each check.
    pub number: u64,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// These checks are to be made from now on, by name. What has the same settings as before keeps its verdict.
    Configured(BTreeMap<String, Settings>),
    /// A run is over.
    Ended { run: Run, outcome: Outcome },
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered {
        /// From the begin of the run to the end of the answer.
        took: Duration,
        /// What people may want to know of it: `status 200`.
        text: String,
        /// What is well now, but not for long: a certificate that expires.
        warning: Option<String>,
    },
    /// It did not answer, or not as it should.
    Failed(String),
    /// It could not be asked, for a reason of our own.
    NotAsked(String),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask, as the settings say, and give up after their timeouts; then [`Event::Ended`].
    Ask { run: Run, settings: Arc<Settings> },
    /// No result of this check is wanted any more.
    Forget { check: CheckId },
    /// The verdict is another one: its state, grade, score, or whether it is held.
    Changed {
        name: String,
        was: State,
        /// How long it was in that state.
        lasted: Duration,
    },
}

/// All checks.
#[derive(Clone, Debug)]
pub struct Health {
    rng: Rng,
    checks: BTreeMap<CheckId, Check>,
    names: BTreeMap<String, CheckId>,
    next: u32,
    deadlines: Deadlines<CheckId>,
    actions: VecDeque<Action>,
    /// The checks that count a backend, by its name.
    counting: BTreeMap<String, BTreeSet<CheckId>>,
    /// Of checks that are not configured, with the time it is of.
    remembered: BTreeMap<String, (Remembered, Time)>,
    news: bool,
}

impl Health {
    /// `memory` is of an earlier life.
    pub fn new(rng: Rng, memory: Memory) -> Health {
        let remembered = memory.0.into_iter();
        Health {
            rng,
            checks: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 0,
            deadlines: Deadlines::new(),
            actions: VecDeque::new(),
            counting: BTreeMap::new(),
            remembered: remembered.map(|(name, of)| (name, (of, Time::ZERO))).collect(),
            news: false,
        }
    }

    pub fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::Configured(settings) => self.configure(settings, now),
            Event::Ended { run, outcome } => {
                let Some(check) = self.checks.get_mut(&run.check) else { return };
                let before = check.ended(run.number, outcome, now);
                self.settle(run.check, before, now);
            }
        }
    }

    /// Asks what is due. A spurious call does no harm.
    pub fn tick(&mut self, now: Time) {
        while let Some(id) = self.deadlines.pop_due(now) {
            let Some(check) = self.checks.get_mut(&id) else { continue };
            let before = check.tick(&mut self.rng, now);
            while let Some(number) = check.take_run() {
                let settings = Arc::clone(check.settings());
                self.actions.push_back(Action::Ask { run: Run { check: id, number }, settings });
            }
            self.settle(id, before, now);
        }
    }

    /// What hurries begins within this.
    pub const HURRY: Duration = Duration::from_secs(1);

    /// What is not up is asked soon, however long its interval is: there is reason to think that it does better.
    pub fn hurry(&mut self, now: Time) {
        let ids: Vec<CheckId> = self.checks.keys().copied().collect();
        for id in ids {
            if let Some(check) = self.checks.get_mut(&id) {
                check.hurry(&mut self.rng, now);
            }
            self.schedule(id);
        }
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn check(&self, name: &str) -> Option<&Check> {
        self.names.get(name).and_then(|id| self.checks.get(id))
    }

    /// What is thought of a check; `None` if there is none of that name.
    pub fn verdict(&self, name: &str) -> Option<&Verdict> {
        self.check(name).map(Check::verdict)
    }

    /// Everything, by name.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.names.values().filter_map(|id| self.checks.get(id))
    }

    /// Whether there is more to remember than at the last call.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// For the next life.
    pub fn memory(&self, now: Time) -> Memory {
        let of = |check: &Check| Some((check.name().to_owned(), check.remembered(now)?));
        Memory(self.checks().filter_map(of).collect())
    }
}

impl Health {
    fn configure(&mut self, settings: BTreeMap<String, Settings>, now: Time) {
        let kept = |name: &String, id: &CheckId| {
            let check = self.checks.get(id);
            check.is_some_and(|check| settings.get(name) == Some(check.settings().as_ref()))
        };
        let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.names).into_iter().partition(|(name, id)| kept(name, id));
        self.names = stay;
        for (name, id) in go {
            let gone = self.checks.remove(&id);
            self.deadlines.clear(id);
            self.actions.push_back(Action::Forget { check: id });
            // A check that is configured otherwise is the same service still.
            if let Some(remembered) = gone.and_then(|check| check.remembered(now)) {
                self.remembered.insert(name, (remembered, now));
            }
        }
        for (name, settings) in settings {
            if self.names.contains_key(&name) {
                continue;
            }
            self.next += 1;
            let id = CheckId(self.next);
            let remembered = self.remembered.remove(&name).unwrap_or_default();
            let remembered = remembered.0.aged(now.since(remembered.1));
            let check = Check::new(name.clone(), settings, remembered, &mut self.rng, now);
            self.checks.insert(id, check);
            self.names.insert(name.clone(), id);
            self.schedule(id);
            let was = State::Unknown;
            self.actions.push_back(Action::Changed { name, was, lasted: Duration::ZERO });
        }
        self.counting.clear();
        for (id, check) in &self.checks {
            if let Method::Backends { of, .. } = &check.settings().method {
                for name in of {
                    self.counting.entry(name.clone()).or_default().insert(*id);
                }
            }
        }
        let counting: BTreeSet<CheckId> = self.counting.values().flatten().copied().collect();
        for id in counting {
            self.judge(id, now);
        }
    }

    fn schedule(&mut self, id: CheckId) {
        match self.checks.get(&id).and_then(Check::deadline) {
            Some(at) => self.deadlines.set(id, at),
            None => self.deadlines.clear(id),
        }
    }

    fn settle(&mut self, id: CheckId, before: Option<Before>, now: Time) {
        self.schedule(id);
        self.news |= self.checks.get_mut(&id).is_some_and(Check::take_news);
        let Some(Before { state: was, lasted }) = before else { return };
        let Some(name) = self.checks.get(&id).map(|check| check.name().to_owned()) else { return };
        let counting = self.counting.get(&name).cloned().unwrap_or_default();
        self.actions.push_back(Action::Changed { name, was, lasted });
        for id in counting {
            self.judge(id, now);
        }
    }

    /// Counts backends again.
    fn judge(&mut self, id: CheckId, now: Time) {
        let Some(check) = self.checks.get(&id) else { return };
        let Method::Backends { of, at_least } = &check.settings().method else { return };
        let (state, share, text) = self.count(of, *at_least);
        let before =
            self.checks.get_mut(&id).and_then(|check| check.judge(state, share, text, now));
        self.settle(id, before, now);
    }

    /// What is not known may be up: down is only what could not be enough if all of that were up.
    fn count(&self, backends: &[String], at_least: usize) -> (State, u8, String) {
        let verdicts: Vec<_> = backends.iter().map(|name| (name, self.verdict(name))).collect();
        let serving = verdicts.iter().filter(|(_, v)| v.is_some_and(Verdict::serves)).count();
        let down = verdicts.iter().filter(|(_, v)| v.is_some_and(|v| v.state == State::Down));
        let down: Vec<&str> = down.map(|(name, _)| name.as_str()).collect();
        let state = if serving >= at_least {
            State::Up
        } else if backends.len() - down.len() < at_least {
            State::Down
        } else {
            State::Unknown
        };
        let share = (100 * (backends.len() - down.len())).checked_div(backends.len());
        let mut text = format!("{serving} of {} are up", backends.len());
        if !down.is_empty() {
            text += &format!(", down: {}", down.join(", "));
        }
        (state, share.and_then(|share| u8::try_from(share).ok()).unwrap_or(100), text)
    }
}
