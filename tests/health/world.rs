//! Services with a schedule, and a driver that asks them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shunt::health::{
    Action, CheckId, Event, Health, Memory, Method, Outcome, Run, Settings, State, Verdict,
};
use shunt::types::{Rng, Time};

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// What a service does with a run.
#[derive(Clone, Debug)]
pub enum Does {
    /// Answers after so long.
    Answers(u64),
    /// Refuses after so long.
    Refuses(u64),
    /// Accepts, and says nothing more.
    Hangs,
    /// Cannot be asked, for a reason of ours.
    NotAsked,
    /// The driver never says what became of it.
    Vanishes,
}

pub struct World {
    pub health: Health,
    pub now: Time,
    services: BTreeMap<String, Does>,
    names: BTreeMap<CheckId, String>,
    numbered: u32,
    running: BTreeMap<(Time, Run), Outcome>,
    pub begun: BTreeMap<String, Vec<Time>>,
    /// The most runs of each check at one time.
    pub most: BTreeMap<String, usize>,
    /// Every verdict that was another one.
    pub changes: Vec<(Time, String, State)>,
    pub forgotten: BTreeSet<CheckId>,
    /// Nothing is heard and nothing ticks until then.
    stopped: Option<Time>,
}

/// A TCP check each 100 ms, 20 ms in doubt; 50 ms for the connection and 50 ms for the answer.
pub fn settings() -> Settings {
    Settings {
        method: Method::Tcp { to: "10.0.0.5:80".parse().unwrap(), send: Vec::new(), expect: None },
        interval: millis(100),
        fast_interval: millis(20),
        connect_timeout: millis(50),
        timeout: millis(50),
        jitter: 0,
        ..Settings::default()
    }
}

impl World {
    pub fn new(seed: u64, checks: &[(&str, Settings)]) -> World {
        World::with_memory(seed, checks, Memory::default())
    }

    pub fn with_memory(seed: u64, checks: &[(&str, Settings)], memory: Memory) -> World {
        let mut world = World {
            health: Health::new(Rng::new(seed), memory),
            now: Time::ZERO,
            services: BTreeMap::new(),
            names: BTreeMap::new(),
            numbered: 0,
            running: BTreeMap::new(),
            begun: BTreeMap::new(),
            most: BTreeMap::new(),
            changes: Vec::new(),
            forgotten: BTreeSet::new(),
            stopped: None,
        };
        world.configure(checks);
        world
    }

    pub fn configure(&mut self, checks: &[(&str, Settings)]) {
        let checks: BTreeMap<String, Settings> =
            checks.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect();
        // New ones are numbered in the order of their names.
        for (name, settings) in &checks {
            let kept = self.health.check(name).is_some_and(|check| **check.settings() == *settings);
            if !kept {
                self.numbered += 1;
                self.names.insert(CheckId(self.numbered), name.clone());
            }
        }
        self.health.handle(Event::Configured(checks), self.now);
        self.pump();
    }

    /// What a check's service does from now on. Without a word it answers within 1 ms.
    pub fn set(&mut self, check: &str, does: Does) {
        self.services.insert(check.to_owned(), does);
    }

    pub fn verdict(&self, check: &str) -> &Verdict {
        self.health.verdict(check).unwrap()
    }

    pub fn state(&self, check: &str) -> State {
        self.verdict(check).state
    }

    /// SIGSTOP for so long; what is on its way arrives then.
    pub fn stop_for(&mut self, span: Duration) {
        self.stopped = Some(self.now + span);
    }

    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// Until a check is in a state. Gives how long it took.
    pub fn until(&mut self, check: &str, state: State) -> Duration {
        let from = self.now;
        let end = from + Duration::from_secs(3600);
        while self.state(check) != state {
            assert!(self.step(end), "{check} does not become {state}: {:?}", self.verdict(check));
        }
        self.now - from
    }

    fn step(&mut self, end: Time) -> bool {
        let ended = self.running.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = ended.into_iter().chain(self.health.deadline()).min() else {
            return false;
        };
        let next = next.max(self.stopped.unwrap_or(Time::ZERO));
        if next > end {
            return false;
        }
        self.stopped = self.stopped.filter(|until| *until > next);
        self.now = self.now.max(next);
        if let Some(((at, run), outcome)) = self.running.pop_first() {
            if at <= self.now {
                self.health.handle(Event::Ended { run, outcome }, self.now);
            } else {
                self.running.insert((at, run), outcome);
            }
        }
        self.health.tick(self.now);
        self.pump();
        true
    }

    fn pump(&mut self) {
        while let Some(action) = self.health.poll() {
            match action {
                Action::Ask { run, settings } => self.ask(run, &settings),
                Action::Forget { check } => {
                    self.forgotten.insert(check);
                    self.running.retain(|(_, run), _| run.check != check);
                }
                Action::Changed { name, .. } => {
                    let state = self.state(&name);
                    self.changes.push((self.now, name, state));
                }
            }
        }
    }

    fn ask(&mut self, run: Run, settings: &Settings) {
        let name = self.names[&run.check].clone();
        self.begun.entry(name.clone()).or_default().push(self.now);
        let (took, outcome) = match self.services.get(&name).cloned().unwrap_or(Does::Answers(1)) {
            Does::Answers(after) if millis(after) <= settings.limit() => {
                let took = millis(after);
                (took, Outcome::Answered { took, text: "well".to_owned(), warning: None })
            }
            Does::Answers(_) | Does::Hangs => {
                let after = if settings.limit() > settings.timeout {
                    // It was connected at once.
                    settings.timeout + millis(1)
                } else {
                    settings.timeout
                };
                (after, Outcome::Failed("no answer".to_owned()))
            }
            Does::Refuses(after) => (millis(after), Outcome::Failed("refused".to_owned())),
            Does::NotAsked => (millis(0), Outcome::NotAsked("no descriptor".to_owned())),
            Does::Vanishes => return self.count(&name, run),
        };
        self.running.insert((self.now + took, run), outcome);
        self.count(&name, run);
    }

    fn count(&mut self, name: &str, run: Run) {
        let running = self.running.keys().filter(|(_, other)| other.check == run.check).count();
        let most = self.most.entry(name.to_owned()).or_default();
        *most = running.max(*most);
    }
}
