use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::flapping::Flapping;
use super::latency::Latency;
use super::verdict::score;
use super::{Health, Method, Outcome, Penalty, Remembered, Settings, State, Verdict};
use crate::types::{Rng, Time};

/// What is later than its timeout by more than this was delayed by ourselves: a timer of the driver is late by
/// milliseconds.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// A run of which nothing is heard for so long after its timeout is given up: it must not keep the check from being
/// asked for ever.
const LOST: Duration = Duration::from_secs(5);

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    name: String,
    settings: Arc<Settings>,
    verdict: Verdict,
    /// The state that results alone would give; the verdict's, unless that is held.
    state: State,
    /// The last results, as far as they are alike.
    streak: Streak,
    latency: Option<Latency>,
    flapping: Option<Flapping>,
    /// How many of its backends may be up, in percent; `None`: it asks for itself.
    share: Option<u8>,
    /// Runs that are not over, the oldest first.
    running: SmallVec<[Running; 1]>,
    runs: u64,
    next: Next,
    wanted: VecDeque<u64>,
    counters: Counters,
    /// There is something else to be remembered.
    news: bool,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    number: u64,
    begun: Time,
}

/// What a verdict was before it became another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub state: State,
    /// How long it was so.
    pub lasted: Duration,
}

/// When the next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    At(Time),
    /// When one that is not over has ended: it was due before.
    AfterRun,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fast,
    Slow,
    Failed,
    NotAsked,
}

#[derive(Clone, Debug, Default)]
struct Streak {
    failed: u8,
    not_asked: u8,
    answered: u8,
    slow: u8,
    fast: u8,
}

impl Streak {
    fn count(&mut self, kind: Kind) {
        let add = |counter: &mut u8, also: bool| {
            *counter = if also { counter.saturating_add(1) } else { 0 };
        };
        if kind == Kind::NotAsked {
            return add(&mut self.not_asked, true);
        }
        add(&mut self.not_asked, false);
        add(&mut self.failed, kind == Kind::Failed);
        add(&mut self.answered, kind != Kind::Failed);
        add(&mut self.fast, kind == Kind::Fast);
        // Between slow answers some may fail.
        add(&mut self.slow, kind != Kind::Fast);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub answered: u64,
    pub failed: u64,
    pub not_asked: u64,
    /// Changes of the state.
    pub changes: u64,
}

impl Check {
    pub(super) fn new(
        name: String,
        settings: Settings,
        remembered: Remembered,
        rng: &mut Rng,
        now: Time,
    ) -> Check {
        let asks = !matches!(settings.method, Method::Backends { .. });
        let first = now + rng.jitter(settings.interval.min(Check::FIRST_WITHIN), 0, 100);
        Check {
            name,
            verdict: Verdict { known: remembered.known, ..Verdict::unknown(now) },
            state: State::Unknown,
            streak: Streak::default(),
            latency: settings.objective.map(Latency::new),
            flapping: settings
                .damping
                .map(|damping| Flapping::new(damping, remembered.penalty, now)),
            share: None,
            running: SmallVec::new(),
            runs: 0,
            next: if asks { Next::At(first) } else { Next::Never },
            wanted: VecDeque::new(),
            counters: Counters::default(),
            news: false,
            settings: Arc::new(settings),
        }
    }

    /// The first run begins no later, however long the interval is.
    const FIRST_WITHIN: Duration = Duration::from_secs(10);

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The 95th percentile of the last answers' times; `None` without an objective or enough answers.
    pub fn p95(&self) -> Option<Duration> {
        self.latency.as_ref().and_then(Latency::p95)
    }

    /// For changes of late; `None` without damping, or if nothing is left of it.
    pub fn penalty(&self, now: Time) -> Option<Penalty> {
        self.flapping.as_ref().and_then(|flapping| flapping.penalty(now))
    }

    /// When the verdict is let go, if nothing more happens; `None` if it is not held.
    pub fn held_until(&self) -> Option<Time> {
        self.flapping.as_ref().and_then(Flapping::release)
    }

    /// `None`: nothing to remember.
    pub(super) fn remembered(&self, now: Time) -> Option<Remembered> {
        let penalty = self.penalty(now);
        let known = lasting(self.verdict.known);
        (penalty.is_some() || known.is_some()).then_some(Remembered { known, penalty })
    }

    /// Whether [`Check::remembered`] is to be stored again.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let next = match self.next {
            Next::At(at) => Some(at),
            Next::AfterRun => self.running.first().map(|running| self.lost(running)),
            Next::Never => None,
        };
        next.into_iter().chain(self.held_until()).min()
    }

    fn lost(&self, running: &Running) -> Time {
        running.begun + self.settings.limit() + LOST
    }

    /// Begins a run that is due. Gives what the verdict was, if it is another one.
    pub(super) fn tick(&mut self, rng: &mut Rng, now: Time) -> Option<Before> {
        let mut text = None;
        while let Some(oldest) = self.running.first()
            && self.lost(oldest) <= now
        {
            self.running.remove(0);
            self.count(Kind::NotAsked);
            text = Some("nothing was heard of a run".to_owned());
            if self.next == Next::AfterRun {
                self.next = Next::At(now);
            }
        }
        if let Next::At(at) = self.next
            && at <= now
        {
            self.begin(rng, now);
        }
        self.settle(text, now)
    }

    /// The number of a run that is to begin.
    pub(super) fn take_run(&mut self) -> Option<u64> {
        self.wanted.pop_front()
    }

    fn begin(&mut self, rng: &mut Rng, now: Time) {
        let most = match self.is_in_doubt() {
            true => usize::from(self.settings.rise.max(self.settings.fall)),
            // One that is about to be given up must not delay the next one.
            false if self.settings.fits() => 2,
            false => 1,
        };
        if self.running.len() >= most {
            self.next = Next::AfterRun;
            return;
        }
        self.runs += 1;
        self.running.push(Running { number: self.runs, begun: now });
        self.wanted.push_back(self.runs);
        self.next = match self.is_in_doubt() {
            true => Next::At(now + self.settings.fast_interval),
            false => {
                let least = 100 - u64::from(self.settings.jitter.min(50));
                Next::At(now + rng.jitter(self.settings.interval, least, 100))
            }
        };
    }

    pub(super) fn hurry(&mut self, rng: &mut Rng, now: Time) {
        if let Next::At(at) = self.next
            && self.state != State::Up
        {
            // Not all of them at once.
            let soon = now + rng.jitter(self.settings.interval.min(Health::HURRY), 0, 100);
            self.next = Next::At(at.min(soon));
        }
    }

    /// Whether the last result contradicts the verdict, so that the next ones are wanted soon.
    fn is_in_doubt(&self) -> bool {
        let streak = &self.streak;
        match self.state {
            State::Unknown => streak.failed > 0 || streak.answered > 0,
            State::Up => streak.slow > 0 || streak.not_asked > 0,
            State::Slow => streak.failed > 0 || streak.fast > 0 || streak.not_asked > 0,
            State::Down => streak.answered > 0 || streak.not_asked > 0,
        }
    }

    /// A run is over. Gives what the verdict was, if it is another one.
    pub(super) fn ended(&mut self, number: u64, outcome: Outcome, now: Time) -> Option<Before> {
        let place = self.running.iter().position(|running| running.number == number)?;
        let begun = self.running.remove(place).begun;
        let age = now.since(begun);
        let stood_still = age > self.settings.limit() + STOOD_STILL;
        let is_slow = |took: Duration| self.settings.slow.is_some_and(|slow| took > slow);
        let (kind, text) = match outcome {
            Outcome::NotAsked(text) => (Kind::NotAsked, text),
            Outcome::Failed(_) if stood_still => (Kind::NotAsked, late(age)),
            // The time in which we stood still is in it.
            Outcome::Answered { took, .. } if stood_still && is_slow(took) => {
                (Kind::NotAsked, late(age))
            }
            Outcome::Failed(text) => (Kind::Failed, text),
            Outcome::Answered { took, text, warning } => {
                self.verdict.warning = warning;
                if let Some(latency) = self.latency.as_mut().filter(|_| !stood_still) {
                    latency.take(took);
                }
                let kind = if is_slow(took) { Kind::Slow } else { Kind::Fast };
                (kind, format!("{text}, {took:.1?}"))
            }
        };
        self.count(kind);
        let before = self.settle(Some(text), now);
        let soon = begun + self.settings.fast_interval;
        match self.next {
            Next::AfterRun => self.next = Next::At(now),
            Next::At(at) if self.is_in_doubt() && soon < at => self.next = Next::At(soon.max(now)),
            Next::At(_) | Next::Never => {}
        }
        before
    }

    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::NotAsked => self.counters.not_asked += 1,
            Kind::Failed => self.counters.failed += 1,
            Kind::Slow | Kind::Fast => self.counters.answered += 1,
        }
        self.streak.count(kind);
    }

    /// What others make of it: [`Method::Backends`].
    pub(super) fn judge(
        &mut self,
        state: State,
        share: u8,
        text: String,
        now: Time,
    ) -> Option<Before> {
        self.share = Some(share);
        self.enter(state, Some(text), now)
    }

    /// `text` is that of the last result.
    fn settle(&mut self, text: Option<String>, now: Time) -> Option<Before> {
        let Settings { rise, fall, .. } = *self.settings;
        let streak = &self.streak;
        let answering = if streak.fast > 0 { State::Up } else { State::Slow };
        // What was down when it was last known has to show as much as if it had been down all the time.
        let first = if self.verdict.known == Some(State::Down) { rise } else { 1 };
        let state = match self.state {
            _ if streak.not_asked >= fall => State::Unknown,
            State::Unknown | State::Up | State::Slow if streak.failed >= fall => State::Down,
            State::Unknown if streak.answered >= first => answering,
            State::Up if streak.slow >= fall && streak.answered > 0 => State::Slow,
            State::Slow if streak.fast >= rise => State::Up,
            State::Down if streak.answered >= rise => answering,
            same => same,
        };
        if state == State::Unknown && self.state != State::Unknown {
            // Results from before say nothing of when it can be asked again.
            self.streak = Streak { not_asked: self.streak.not_asked, ..Streak::default() };
        }
        self.enter(state, text, now)
    }

    fn enter(&mut self, state: State, text: Option<String>, now: Time) -> Option<Before> {
        let since = self.verdict.since;
        let before = self.verdict.essence();
        let was = std::mem::replace(&mut self.state, state);
        if was != state {
            self.counters.changes += 1;
        }
        let mut shown = state;
        self.verdict.held = None;
        if let Some(flapping) = &mut self.flapping {
            if state > was && was != State::Unknown {
                flapping.count(now);
                self.news = true;
            }
            if flapping.is_held(now) {
                // The worst of late, also of a life before.
                shown = state.max(self.verdict.known.unwrap_or(State::Unknown));
                self.verdict.held = flapping.penalty(now);
            }
        }
        if shown != self.verdict.state {
            self.verdict.state = shown;
            self.verdict.since = now;
        }
        if shown != State::Unknown {
            self.news |= lasting(self.verdict.known.replace(shown)) != lasting(Some(shown));
        }
        if let Some(text) = text {
            self.verdict.reason = text;
        }
        self.verdict.grade = self.latency.as_ref().map_or(0, Latency::grade);
        self.verdict.score = match self.share.filter(|_| shown != State::Down) {
            Some(share) => share,
            None => score(shown, self.verdict.grade),
        };
        let changed = self.verdict.essence() != before;
        changed.then(|| Before { state: before.0, lasted: now.since(since) })
    }
}

/// That it is well is not remembered.
fn lasting(known: Option<State>) -> Option<State> {
    known.filter(|state| *state > State::Up)
}

fn late(age: Duration) -> String {
    format!("this process stood still: a run took {age:.1?}")
}
