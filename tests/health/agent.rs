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
    /// All that was wanted beside runs.
    others: Vec<Action>,
}

impl Node {
    fn new(count: usize) -> Node {
        let mut text =
            "[node]\nname = \"n\"\nsite = \"dc1\"\nasn = 64500\nrouter-id = \"192.0.2.1\"\n\
                        own-prefixes = [\"198.51.100.0/24\"]\n[kernel]\ngrace = \"0s\"\n"
                .to_owned();
        for number in 0..count {
            let _ = write!(
                text,
                "[check.c{number}]\ntcp = \"10.0.0.1:80\"\n\
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
        let (running, others) = Default::default();
        Node { agent, now: Time::ZERO, well: true, runs: 0, running, others }
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
                    other => self.others.push(other),
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
    let mut node = Node::new(200);
    node.run_for(Duration::from_secs(3));
    (node.runs, node.others) = Default::default();
    node.run_for(Duration::from_secs(10));
    assert!((2000..2300).contains(&node.runs), "{}", node.runs);
    assert!(node.others.is_empty(), "{:?}", node.others.first());
    assert_eq!(node.drained(), 0);
}

#[test]
fn when_all_fail_each_group_follows_its_check() {
    let mut node = Node::new(200);
    node.run_for(Duration::from_secs(3));
    node.well = false;
    node.run_for(Duration::from_secs(2));
    assert_eq!(node.drained(), 200);
    node.well = true;
    node.run_for(Duration::from_secs(2));
    assert_eq!(node.drained(), 0);
}
