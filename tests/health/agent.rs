//! What checks cost the agent that owns them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use shunt::agent::{Action, Agent, Event, Start};
use shunt::config;
use shunt::group::Intents;
use shunt::health::{Outcome, Run};
use shunt::types::{Time, Wall};

use crate::world::millis;

/// Many checks, each with a group of its own, behind one switch: whether all of them answer.
struct Node {
    agent: Agent,
    now: Time,
    well: bool,
    runs: usize,
    running: VecDeque<(Time, Run)>,
    /// What is to be remembered, and when that was stored.
    stored: Vec<(Time, String)>,
    /// All that was wanted beside these, and when.
    others: Vec<(Time, Action)>,
}

impl Node {
    /// `more` is of each check.
    fn new(count: usize, more: &str) -> Node {
        let mut text =
            "[node]\nname = \"n\"\nsite = \"dc1\"\nasn = 64500\nrouter-id = \"192.0.2.1\"\n\
                        own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"0s\"\n"
                .to_owned();
        for number in 0..count {
            let _ = write!(
                text,
                "[check.c{number}]\ntcp = \"10.0.0.1:80\"\n{more}\n\
                 [group.g{number}]\nprefixes = [\"198.51.100.{number}/32\"]\n\
                 base = {{ dc1 = \"primary\" }}\nchecks = [\"c{number}\"]\n"
            );
        }
        let config = config::parse(&text, "n.toml", &mut |_| Err(String::new()));
        let agent = Agent::new(Start {
            config: config.unwrap(),
            intents: Intents::default(),
            health: String::new(),
            wall: Wall::from_micros(0),
            seed: 1,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        });
        let (running, stored, others) = Default::default();
        Node { agent, now: Time::ZERO, well: true, runs: 0, running, stored, others }
    }

    /// Each run ends 1 ms later; those that end together are all told before the next tick, as the driver does it.
    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let ended = self.running.front().map(|(at, _)| *at);
            let Some(next) = ended.into_iter().chain(self.agent.deadline()).min() else { return };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            while let Some((at, run)) = self.running.front().copied()
                && at <= self.now
            {
                self.running.pop_front();
                let outcome = match self.well {
                    true => {
                        let (took, text) = (millis(1), "well".to_owned());
                        Outcome::Answered { took, text, warning: None }
                    }
                    false => Outcome::Failed("refused".to_owned()),
                };
                self.agent.handle(Event::CheckEnded { run, outcome }, self.now);
            }
            self.agent.tick(self.now);
            while let Some(action) = self.agent.poll() {
                match action {
                    Action::Ask { run, .. } => {
                        self.runs += 1;
                        self.running.push_back((self.now + millis(1), run));
                    }
                    Action::StoreHealth { text } => self.stored.push((self.now, text)),
                    other => self.others.push((self.now, other)),
                }
            }
        }
        self.now = end;
    }

    fn drained(&self) -> usize {
        let groups = self.agent.groups("", self.now).unwrap().groups;
        groups.iter().filter(|group| group.announcements[0].preference == 10).count()
    }
}

#[test]
fn while_verdicts_stay_the_agent_does_nothing_but_ask() {
    let mut node = Node::new(200, "");
    node.run_for(Duration::from_secs(3));
    (node.runs, node.others) = Default::default();
    node.run_for(Duration::from_secs(10));
    assert!((2000..2300).contains(&node.runs), "{}", node.runs);
    assert!(node.others.is_empty(), "{:?}", node.others.first());
    assert!(node.stored.is_empty(), "{:?}", node.stored.first());
    assert_eq!(node.drained(), 0);
}

#[test]
fn when_all_fail_each_group_follows_its_check() {
    let mut node = Node::new(200, "");
    node.run_for(Duration::from_secs(3));
    node.well = false;
    node.run_for(Duration::from_secs(2));
    assert_eq!(node.drained(), 200);
    node.well = true;
    node.run_for(Duration::from_secs(2));
    assert_eq!(node.drained(), 0);
}

/// When a verdict became another one.
fn changes(node: &Node) -> Vec<Time> {
    let is_one = |action: &Action| matches!(action, Action::Report(event) if event.kind == "check");
    node.others.iter().filter(|(_, action)| is_one(action)).map(|(at, _)| *at).collect()
}

/// Whenever the process is killed, no more than a second is forgotten; and what only decays is not written again.
#[test]
fn what_is_remembered_is_stored_when_it_grows_and_at_no_other_time() {
    let damped = "half-life = \"60s\"\ninterval = \"200ms\"\nfast-interval = \"50ms\"";
    let mut node = Node::new(20, damped);
    node.run_for(Duration::from_secs(15));
    assert!(node.stored.is_empty(), "{:?}", node.stored.first());
    node.others.clear();
    for round in 0..20 {
        node.well = round % 2 == 1;
        node.run_for(millis(700));
    }
    node.well = true;
    node.run_for(Duration::from_secs(5));
    let changes = changes(&node);
    // Down and up twice, and held at the third time.
    assert_eq!(changes.len(), 20 * 5);
    let stored = std::mem::take(&mut node.stored);
    for at in &changes {
        let soon =
            |(stored, _): &&(Time, String)| (*at..=*at + Duration::from_secs(1)).contains(stored);
        assert!(stored.iter().any(|one| soon(&one)), "{at} is not stored");
    }
    for pair in stored.windows(2) {
        let between = pair[1].0 - pair[0].0;
        assert!(between >= Duration::from_secs(1), "{between:?}");
    }
    let last = &stored.last().unwrap().1;
    assert_eq!(last.matches("\"held\":true").count(), 20, "{last}");
    node.run_for(Duration::from_secs(60));
    assert!(node.stored.is_empty(), "while it decays: {:?}", node.stored.first());
    // It is let go, and up again, within four half-lives; nothing is left to be remembered but what still decays.
    node.run_for(Duration::from_secs(4 * 60));
    assert!((1..=20).contains(&node.stored.len()), "{:?}", node.stored.len());
    let last = &node.stored.last().unwrap().1;
    assert!(!last.contains("down") && !last.contains("held"), "{last}");
    node.stored.clear();
    node.run_for(Duration::from_secs(600));
    assert!(node.stored.is_empty(), "{:?}", node.stored.first());
}
