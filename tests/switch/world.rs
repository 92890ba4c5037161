//! Nodes that announce one group, and coordinators that switch it. Time goes in steps of 5 ms.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shunt::group::{Epoch, Group, Move, Mover, Placement};
use shunt::switch::{
    Action, Answer, Ending, Event, Facts, Failure, Member, Order, Request, RequestId, Step,
    Transaction,
};
use shunt::types::{Preference, Rng, Time, Wall};

pub const STEP: Duration = Duration::from_millis(5);
/// How long a request is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct Node {
    pub site: &'static str,
    /// On disk.
    pub placement: Placement,
    pub up: bool,
    /// Which side of the network it is on.
    pub side: u8,
    /// It says so of itself.
    pub obstacle: Option<String>,
    /// It does not do what it is asked.
    pub refuses: Option<Step>,
    /// What it waits to see.
    looks: Vec<(Call, String)>,
    /// What others announce, as it sees them.
    sees: BTreeMap<&'static str, (Preference, Epoch, Option<String>)>,
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    switch: String,
    node: &'static str,
    request: RequestId,
}

enum Message {
    Request(Call, Mover, Request),
    Answer(Call, Result<Answer, Failure>),
    /// What a node announces.
    Route(&'static str, &'static str, (Preference, Epoch, Option<String>)),
}

/// Who switches, and what he has on disk.
pub struct Coordinator {
    pub on: &'static str,
    pub transaction: Option<Transaction>,
    pub order: Order,
    /// The last step that was journalled, and whether it was on the way back.
    pub journal: Option<(Step, Option<String>)>,
    pub ending: Option<Ending>,
    pub steps: Vec<Step>,
    pub requests: usize,
    given_up: Vec<(Time, Call)>,
}

pub struct World {
    pub now: Time,
    pub rng: Rng,
    pub group: Group,
    pub nodes: BTreeMap<&'static str, Node>,
    pub coordinators: BTreeMap<String, Coordinator>,
    messages: Vec<(Time, Message)>,
    /// Steps in a row in which nothing was on its way.
    quiet: u32,
    shown: BTreeMap<&'static str, (Preference, Epoch, Option<String>)>,
    /// Commands of these steps fail.
    pub failing: BTreeSet<Step>,
    /// Who answers probes, if not who should.
    pub answers: Option<&'static str>,
}

impl World {
    /// Two nodes at each site of two.
    pub fn new(seed: u64) -> World {
        let base = [("dc1", 200), ("dc2", 100)];
        let base = base.map(|(site, base)| (site.to_owned(), Preference(base)));
        let node = |site| Node {
            site,
            placement: Placement::default(),
            up: true,
            side: 0,
            obstacle: None,
            refuses: None,
            looks: Vec::new(),
            sees: BTreeMap::new(),
        };
        let nodes = [("a1", "dc1"), ("a2", "dc1"), ("b1", "dc2"), ("b2", "dc2")];
        let mut world = World {
            now: Time::ZERO,
            rng: Rng::new(seed),
            group: Group { base: base.into(), ..Group::default() },
            nodes: nodes.map(|(name, site)| (name, node(site))).into(),
            coordinators: BTreeMap::new(),
            messages: Vec::new(),
            quiet: 0,
            shown: BTreeMap::new(),
            failing: BTreeSet::new(),
            answers: None,
        };
        world.run(Duration::from_secs(1));
        world
    }

    pub fn order(&self, switch: &str, to: &str) -> Order {
        let member = |node: &Node| Member { site: node.site.to_owned(), excused: false };
        Order {
            switch: switch.to_owned(),
            term: 1,
            group: "payments".to_owned(),
            to: to.to_owned(),
            nodes: self
                .nodes
                .iter()
                .map(|(name, node)| ((*name).to_owned(), member(node)))
                .collect(),
            hold: true,
            probe: true,
            break_glass: false,
            only_survey: false,
            drill: false,
            deadline: DEADLINE,
        }
    }

    pub fn switch(&mut self, on: &'static str, order: Order) {
        let coordinator = Coordinator {
            on,
            transaction: Some(Transaction::new(order.clone(), self.now)),
            order: order.clone(),
            journal: None,
            ending: None,
            steps: Vec::new(),
            requests: 0,
            given_up: Vec::new(),
        };
        self.coordinators.insert(order.switch, coordinator);
    }

    /// The agent of a node dies, with all that is not on disk.
    pub fn kill(&mut self, name: &'static str) {
        let node = self.nodes.get_mut(name).unwrap();
        node.up = false;
        node.looks.clear();
        node.sees.clear();
        for coordinator in self.coordinators.values_mut().filter(|c| c.on == name) {
            coordinator.transaction = None;
        }
    }

    /// It starts again, and resumes what it coordinated.
    pub fn start(&mut self, name: &'static str) {
        self.nodes.get_mut(name).unwrap().up = true;
        let switches: Vec<String> = self.coordinators.keys().cloned().collect();
        for switch in switches {
            let coordinator = &self.coordinators[&switch];
            if coordinator.on == name && coordinator.ending.is_none() {
                self.resume(&switch, name);
            }
        }
    }

    /// A node takes a switch over, by the journal if it has it.
    pub fn resume(&mut self, switch: &str, on: &'static str) {
        let now = self.now;
        let coordinator = self.coordinators.get_mut(switch).unwrap();
        coordinator.order.term += 1;
        let why = || "the coordinator was lost".to_owned();
        let back = match &coordinator.journal {
            Some((_, Some(back))) => Some(back.clone()),
            Some((step, None)) if *step >= Step::Release => None,
            _ => Some(why()),
        };
        coordinator.on = on;
        coordinator.transaction = Some(Transaction::resume(coordinator.order.clone(), back, now));
    }

    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        self.quiet = 0;
        while self.now < until {
            // Locks end, and nothing else happens.
            let is_quiet = self.messages.is_empty() && self.has_ended();
            self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
            let leap = if self.quiet > 10 { STEP * 100 } else { STEP };
            self.now += leap.min(until.since(self.now));
            self.step();
        }
    }

    pub fn wall(&self) -> Wall {
        Wall::from_micros(1_000_000_000) + self.now.since(Time::ZERO)
    }

    fn reach(&self, one: &str, other: &str) -> bool {
        let (one, other) = (&self.nodes[one], &self.nodes[other]);
        one.up && other.up && one.side == other.side
    }

    fn later(&mut self, message: Message) {
        let at = self.now + Duration::from_micros(500 + self.rng.below(20_000));
        self.messages.push((at, message));
    }

    fn step(&mut self) {
        let due = self.messages.extract_if(.., |(at, _)| *at <= self.now).collect::<Vec<_>>();
        for (_, message) in due {
            self.arrive(message);
        }
        let wall = self.wall();
        let names: Vec<&'static str> = self.nodes.keys().copied().collect();
        for name in &names {
            let node = self.nodes.get_mut(name).unwrap();
            if node.up
                && let Some(over) = node.placement.over(wall)
            {
                node.placement = over;
            }
        }
        self.announce(&names);
        self.hear(&names);
        self.look(&names);
        self.coordinate();
    }

    /// What a node announces now.
    pub fn announced(&self, name: &str) -> (Preference, Epoch, Option<String>) {
        let node = &self.nodes[name];
        if !node.up {
            return (Preference::NONE, Epoch::default(), None);
        }
        let base = node.placement.bases(&self.group)[node.site];
        let raised = node.placement.raised.as_ref().map(|raised| raised.preference);
        let (epoch, site) = node.placement.shown();
        (raised.unwrap_or(base), epoch, site.map(str::to_owned))
    }

    fn announce(&mut self, names: &[&'static str]) {
        for name in names {
            let is = self.announced(name);
            if self.shown.insert(name, is.clone()) != Some(is.clone()) {
                for other in names {
                    self.later(Message::Route(name, other, is.clone()));
                }
            }
            // Who is cut off is seen to be gone, and who is back is seen again.
            for other in names.iter().filter(|other| *other != name) {
                let sees = self.reach(name, other);
                let node = self.nodes.get_mut(name).unwrap();
                if !sees {
                    node.sees.remove(other);
                } else if node.up && !node.sees.contains_key(other) {
                    node.sees.insert(other, (Preference::NONE, Epoch::default(), None));
                    let shown = self.announced(other);
                    self.later(Message::Route(other, name, shown));
                }
            }
        }
    }

    /// Greater epochs of other sites.
    fn hear(&mut self, names: &[&'static str]) {
        for name in names {
            let node = self.nodes.get_mut(name).unwrap();
            for (_, epoch, site) in node.sees.values() {
                if let Some(site) = site
                    && let Some(placement) = node.placement.hear(&self.group, *epoch, site)
                {
                    node.placement = placement;
                }
            }
        }
    }

    /// Where the traffic of a node goes.
    pub fn exit(&self, name: &'static str) -> Option<&'static str> {
        let own = (self.announced(name).0, name);
        let seen =
            self.nodes[name].sees.iter().map(|(other, (preference, ..))| (*preference, *other));
        let best = seen.chain([own]).filter(|(preference, _)| preference.is_announced()).max()?;
        Some(self.nodes[best.1].site)
    }

    fn look(&mut self, names: &[&'static str]) {
        for name in names {
            let exit = self.exit(name);
            let looks = std::mem::take(&mut self.nodes.get_mut(name).unwrap().looks);
            let (seen, not): (Vec<_>, Vec<_>) =
                looks.into_iter().partition(|(_, site)| exit == Some(site.as_str()));
            self.nodes.get_mut(name).unwrap().looks = not;
            for (call, _) in seen {
                self.later(Message::Answer(call, Ok(Answer::Done)));
            }
        }
    }

    fn arrive(&mut self, message: Message) {
        match message {
            Message::Route(from, to, route) => {
                if self.reach(from, to) && from != to {
                    self.nodes.get_mut(to).unwrap().sees.insert(from, route);
                }
            }
            Message::Request(call, by, request) => {
                let on = self.coordinators[&call.switch].on;
                if self.reach(on, call.node) {
                    self.serve(call, &by, request);
                }
            }
            Message::Answer(call, result) => {
                let now = self.now;
                let on = self.coordinators[&call.switch].on;
                if !self.reach(on, call.node) {
                    return;
                }
                let coordinator = self.coordinators.get_mut(&call.switch).unwrap();
                coordinator.given_up.retain(|(_, waiting)| *waiting != call);
                if let Some(transaction) = &mut coordinator.transaction {
                    let (node, request) = (call.node.to_owned(), call.request);
                    transaction.handle(Event::Answered { node, request, result }, now);
                }
            }
        }
    }

    fn serve(&mut self, call: Call, by: &Mover, request: Request) {
        let wall = self.wall();
        let announced = self.announced(call.node).0;
        let answers = self.answers;
        let node = self.nodes.get_mut(call.node).unwrap();
        let refused = |text: &str| Err(Failure::Refused(text.to_owned()));
        let mut go = |wanted: Move| match node.placement.moved(by, wanted, wall) {
            Ok(placement) => {
                node.placement = placement;
                Ok(Answer::Done)
            }
            Err(error) => Err(Failure::Refused(error.to_string())),
        };
        let result = match request {
            Request::Survey => {
                let bases = node.placement.bases(&self.group);
                let at = bases.iter().max_by_key(|(_, base)| **base).unwrap().0.clone();
                Ok(Answer::Surveyed(Facts {
                    epoch: node.placement.known(),
                    at,
                    lock: node.placement.lock.clone(),
                    raised: node.placement.raised.is_some(),
                    announced,
                    obstacle: node.obstacle.clone(),
                }))
            }
            Request::Prepare { .. } if node.refuses == Some(Step::Prepare) => refused("no"),
            Request::Prepare { lasts } => go(Move::Prepare(wall + lasts)),
            Request::Raise { .. } if node.refuses == Some(Step::Raise) => refused("no"),
            Request::Raise { over } => {
                let preference = Preference(over.0 + 1);
                go(Move::Raise(preference)).map(|_| Answer::Raised(preference))
            }
            Request::Lower if node.refuses == Some(Step::Lower) => refused("no"),
            Request::Lower => go(Move::Lower),
            Request::Commit => go(Move::Commit),
            Request::Abort => go(Move::Abort),
            Request::Hold { .. } | Request::Release => Ok(Answer::Done),
            Request::Probe { site } => match answers {
                Some(other) if other != site => refused(&format!("answered by {other}")),
                _ => Ok(Answer::Done),
            },
            Request::See { site } => {
                node.looks.push((call, site));
                return;
            }
        };
        self.later(Message::Answer(call, result));
    }

    fn coordinate(&mut self) {
        let now = self.now;
        let switches: Vec<String> = self.coordinators.keys().cloned().collect();
        for switch in switches {
            let coordinator = self.coordinators.get_mut(&switch).unwrap();
            let Some(transaction) = &mut coordinator.transaction else { continue };
            for (_, call) in coordinator.given_up.extract_if(.., |(at, _)| *at <= now) {
                let result = Err(Failure::Unreachable("no answer".to_owned()));
                let (node, request) = (call.node.to_owned(), call.request);
                transaction.handle(Event::Answered { node, request, result }, now);
            }
            if transaction.deadline().is_some_and(|at| at <= now) {
                transaction.tick(now);
                assert!(transaction.deadline().is_none_or(|at| at > now), "it ticks in vain");
            }
            let term = transaction.order().term;
            let mut asked = Vec::new();
            while let Some(action) = transaction.poll() {
                match action {
                    Action::Journal { step, back, .. } => {
                        coordinator.steps.push(step);
                        coordinator.journal = Some((step, back));
                    }
                    Action::Ask { node, request, wanted, epoch, to } => {
                        let (node, _) = self.nodes.get_key_value(node.as_str()).unwrap();
                        let call = Call { switch: switch.clone(), node, request };
                        coordinator.requests += 1;
                        coordinator.given_up.push((now + PATIENCE, call.clone()));
                        let by = Mover { switch: switch.clone(), term, epoch, to };
                        asked.push((call, by, wanted));
                    }
                    Action::Forget { node, request } => {
                        let is = |call: &Call| call.node == node && call.request == request;
                        coordinator.given_up.retain(|(_, call)| !is(call));
                        let node = self.nodes.get_mut(node.as_str()).unwrap();
                        node.looks
                            .retain(|(call, _)| call.request != request || call.switch != switch);
                    }
                    Action::Run { step } => {
                        let result = match self.failing.contains(&step) {
                            true => Err(format!("{step} says no")),
                            false => Ok(()),
                        };
                        transaction.handle(Event::CommandsEnded { step, result }, now);
                    }
                    Action::Told { .. } => {}
                    Action::Ended(ending) => {
                        assert_eq!(transaction.deadline(), None);
                        coordinator.ending = Some(ending);
                    }
                }
            }
            if coordinator.ending.is_some() {
                coordinator.transaction = None;
            }
            for (call, by, wanted) in asked {
                self.later(Message::Request(call, by, wanted));
            }
        }
    }

    /// The sites whose nodes announce as much as the one that is preferred.
    pub fn preferred(&self) -> BTreeSet<&'static str> {
        let most = |node: &(&&'static str, &Node)| self.announced(node.0).0 >= Preference(200);
        self.nodes.iter().filter(most).map(|(_, node)| node.site).collect()
    }

    /// Whether all coordinators have come to an end.
    pub fn has_ended(&self) -> bool {
        self.coordinators.values().all(|coordinator| coordinator.ending.is_some())
    }

    /// All nodes that are up go by the same, and nobody is in the middle of something.
    pub fn is_settled(&self) -> bool {
        let up = || self.nodes.values().filter(|node| node.up);
        let first = up().next().unwrap();
        up().all(|node| {
            let Placement { raised, lock, .. } = &node.placement;
            (raised, lock) == (&None, &None)
                && node.placement.bases(&self.group) == first.placement.bases(&self.group)
        })
    }
}
