use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Action, Answer, Ending, Event, Facts, Failure, Order, Request, RequestId, Step};
use crate::group::{Epoch, Lock};
use crate::types::{Preference, Time};

/// A switch in progress.
#[derive(Clone, Debug)]
pub struct Transaction {
    order: Order,
    way: Way,
    takes_over: bool,
    step: Step,
    begun: Time,
    /// Of the step.
    ends: Time,
    /// Of all.
    deadline: Time,
    epoch: Epoch,
    /// Where the group was.
    from: String,
    facts: BTreeMap<String, Facts>,
    /// Of this step: who has not answered, and when to ask again.
    waiting: BTreeMap<String, Waiting>,
    /// Why a node could not be reached, or was not done, the last time in this step.
    said: BTreeMap<String, String>,
    /// Who has not done what went on without them.
    unheard: BTreeSet<String>,
    /// Asked for at least once.
    raised: bool,
    lowered: bool,
    highest: Preference,
    next: u64,
    actions: VecDeque<Action>,
    ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Forth,
    /// Undone, for this reason.
    Back(String),
}

#[derive(Clone, Debug)]
enum Waiting {
    Asked(RequestId),
    /// It could not be reached.
    Again(Time),
}

/// How long a step may take that only waits for nodes.
const STEP: Duration = Duration::from_secs(5);
/// How long a step may take in which nodes look for new routes: an LSA that a router between them drops comes again after
/// RxmtInterval, 5 s.
const LOOK: Duration = Duration::from_secs(12);
/// From a try that failed to the next.
const RETRY: Duration = Duration::from_millis(100);
/// How long who takes over waits for all to answer.
const AT_FIRST: Duration = Duration::from_secs(2);
/// How long a step may take of which only nodes are asked that need not answer.
const CHANCE: Duration = Duration::from_millis(500);
/// A lock outlives the deadline by this much, so that there is time to go back.
pub const TO_GO_BACK: Duration = Duration::from_secs(30);

impl Transaction {
    /// Begins with the survey.
    pub fn new(order: Order, now: Time) -> Transaction {
        Transaction::begun(order, Way::Forth, now)
    }

    /// Goes on with a switch that this coordinator has begun in an earlier life: forth, or back for this reason. `order.term`
    /// is greater than before.
    pub fn resume(order: Order, back: Option<String>, now: Time) -> Transaction {
        let way = back.map_or(Way::Forth, Way::Back);
        Transaction::begun(order, way, now)
    }

    /// As [`Transaction::resume`], with a switch that another coordinator has begun, which may be dead: nodes that do not
    /// answer at first are excused.
    pub fn take_over(order: Order, back: Option<String>, now: Time) -> Transaction {
        Transaction {
            takes_over: true,
            ends: now + AT_FIRST,
            ..Transaction::resume(order, back, now)
        }
    }

    /// The same once more, as nobody could be reached.
    pub fn again(&self, now: Time) -> Transaction {
        let order = Order { term: self.order.term + 1, ..self.order.clone() };
        let back = self.back().map(str::to_owned);
        match self.takes_over {
            true => Transaction::take_over(order, back, now),
            false => Transaction::resume(order, back, now),
        }
    }

    fn begun(order: Order, way: Way, now: Time) -> Transaction {
        let mut transaction = Transaction {
            way,
            takes_over: false,
            step: Step::Survey,
            begun: now,
            ends: now,
            deadline: now + order.deadline,
            epoch: Epoch::default(),
            from: String::new(),
            facts: BTreeMap::new(),
            waiting: BTreeMap::new(),
            said: BTreeMap::new(),
            unheard: BTreeSet::new(),
            raised: false,
            lowered: false,
            highest: Preference::NONE,
            next: 0,
            actions: VecDeque::new(),
            ended: false,
            order,
        };
        transaction.enter(Step::Survey, now);
        transaction
    }

    pub fn handle(&mut self, event: Event, now: Time) {
        if self.ended {
            return;
        }
        match event {
            Event::Answered { node, request, result } => self.answered(node, request, result, now),
            Event::CommandsEnded { step, result } if step == self.step => match result {
                Ok(()) => self.leave(None, now),
                Err(problem) => self.fail(problem, now),
            },
            Event::CommandsEnded { .. } => {}
            Event::Cancelled(why) => self.cancel(why, now),
            // There is no safer way than back, and nodes that hear of it keep it themselves.
            Event::NotJournalled(_) if self.is_back() => {}
            Event::NotJournalled(problem) => self.fail(problem, now),
        }
    }

    /// Asks again what could not be reached, and ends what takes too long. A spurious call does no harm.
    pub fn tick(&mut self, now: Time) {
        if self.ended {
            return;
        }
        if self.way == Way::Forth && now >= self.deadline && self.step < Step::Release {
            return self.fail(self.late("the deadline of the switch has passed"), now);
        }
        if now >= self.ends && !self.waiting.is_empty() {
            return self.step_is_over(now);
        }
        let due = |(node, waiting): (&String, &Waiting)| match waiting {
            Waiting::Again(at) if *at <= now => Some(node.clone()),
            _ => None,
        };
        let due: Vec<String> = self.waiting.iter().filter_map(due).collect();
        for node in due {
            if let Some(wanted) = self.wanted(&node) {
                self.ask(node, wanted);
            }
        }
    }

    /// When to tick next.
    pub fn deadline(&self) -> Option<Time> {
        if self.ended {
            return None;
        }
        let again = self.waiting.values().filter_map(|waiting| match waiting {
            Waiting::Again(at) => Some(*at),
            Waiting::Asked(_) => None,
        });
        let whole = (self.way == Way::Forth && self.step < Step::Release).then_some(self.deadline);
        let step = (!self.waiting.is_empty()).then_some(self.ends);
        again.chain(whole).chain(step).min()
    }

    /// What to do next, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn order(&self) -> &Order {
        &self.order
    }

    pub fn step(&self) -> Step {
        self.step
    }

    /// Of the switch; 0 before the survey is over.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What the nodes said of themselves.
    pub fn facts(&self) -> &BTreeMap<String, Facts> {
        &self.facts
    }

    /// What the target has to outbid.
    pub fn highest(&self) -> Preference {
        self.highest
    }

    /// Where the group was; empty before the survey is over.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Why it goes back; `None`: it does not.
    pub fn back(&self) -> Option<&str> {
        match &self.way {
            Way::Forth => None,
            Way::Back(why) => Some(why),
        }
    }
}

impl Transaction {
    /// The site that its way leads to.
    pub fn to(&self) -> &str {
        match self.way {
            Way::Forth => &self.order.to,
            Way::Back(_) => &self.from,
        }
    }

    fn enter(&mut self, step: Step, now: Time) {
        self.step = step;
        self.begun = now;
        let looks = matches!(step, Step::See | Step::SeeAlone);
        self.ends = now + if looks { LOOK } else { STEP };
        self.said.clear();
        if step > Step::Survey {
            let back = self.back().map(str::to_owned);
            self.actions.push_back(Action::Journal { step, back, epoch: self.epoch });
        }
        match step {
            Step::Gates | Step::Before | Step::After => {
                self.actions.push_back(Action::Run { step });
                return;
            }
            Step::Raise => self.raised = true,
            Step::Lower => self.lowered = true,
            _ => {}
        }
        let nodes: Vec<String> = self.order.nodes.keys().cloned().collect();
        for node in nodes {
            if let Some(wanted) = self.wanted(&node) {
                self.ask(node, wanted);
            }
        }
        if self.waiting.is_empty() {
            self.leave(None, now);
        } else if !self.waiting.keys().any(|node| self.is_waited_for(node)) {
            self.ends = now + CHANCE;
        }
    }

    /// What a node has to do in this step.
    fn wanted(&self, node: &str) -> Option<Request> {
        let is_target = self.order.nodes.get(node)?.site == self.to();
        let to = || self.to().to_owned();
        let lasts = self.order.deadline + TO_GO_BACK;
        Some(match self.step {
            Step::Gates | Step::Before | Step::After => return None,
            Step::Survey => Request::Survey,
            Step::Prepare => Request::Prepare { lasts },
            Step::Hold if self.order.hold => Request::Hold { lasts },
            Step::Raise if is_target => Request::Raise { over: self.highest },
            Step::See | Step::SeeAlone => Request::See { site: to() },
            Step::Probe | Step::ProbeAlone if self.order.probe => Request::Probe { site: to() },
            Step::Lower if !is_target => Request::Lower,
            Step::Release if self.order.hold => Request::Release,
            Step::Commit => Request::Commit,
            Step::Abort => Request::Abort,
            _ => return None,
        })
    }

    fn ask(&mut self, node: String, wanted: Request) {
        self.next += 1;
        let request = RequestId(self.next);
        self.waiting.insert(node.clone(), Waiting::Asked(request));
        let (epoch, to) = (self.epoch, self.to().to_owned());
        self.actions.push_back(Action::Ask { node, request, wanted, epoch, to });
    }

    fn answered(
        &mut self,
        node: String,
        request: RequestId,
        result: Result<Answer, Failure>,
        now: Time,
    ) {
        let asked = self.waiting.get(&node);
        if !asked.is_some_and(|asked| matches!(asked, Waiting::Asked(id) if *id == request)) {
            return;
        }
        match result {
            Ok(answer) => {
                self.waiting.remove(&node);
                if matches!(self.step, Step::Commit | Step::Abort) {
                    self.unheard.remove(&node);
                }
                match answer {
                    Answer::Surveyed(facts) => {
                        self.facts.insert(node, facts);
                    }
                    Answer::Raised(preference) => self.highest = self.highest.max(preference),
                    Answer::Done => {}
                }
            }
            Err(Failure::Unreachable(why)) => {
                self.said.insert(node.clone(), why);
                self.waiting.insert(node, Waiting::Again(now + RETRY));
            }
            Err(Failure::Superseded) => return self.finish(Ending::TakenOver),
            Err(Failure::Refused(_)) if self.goes_on_without(&node) => {
                self.waiting.remove(&node);
                self.unheard.insert(node);
            }
            Err(Failure::Refused(why)) => return self.fail(format!("{node}: {why}"), now),
        }
        if !self.waiting.keys().any(|node| self.is_waited_for(node)) {
            self.step_is_over(now);
        }
    }

    /// Whether it is asked for longer than the others take. On the way back, who was not reached once is not waited for again.
    fn is_waited_for(&self, node: &str) -> bool {
        let is_excused = self.order.nodes.get(node).is_none_or(|node| node.excused);
        !(is_excused || self.is_back() && self.unheard.contains(node))
    }

    /// Whether the step does not need this node.
    fn goes_on_without(&self, node: &str) -> bool {
        let is_excused = self.order.nodes.get(node).is_some_and(|node| node.excused);
        is_excused
            || self.step >= Step::Release
            || (self.step == Step::Survey && self.takes_over && !self.facts.is_empty())
            || (self.is_back() && self.step > Step::Survey)
    }

    fn is_back(&self) -> bool {
        self.way != Way::Forth
    }

    /// All have answered, or the time is over.
    fn step_is_over(&mut self, now: Time) {
        let late: Vec<(String, String)> = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(node, waiting)| {
                if let Waiting::Asked(request) = waiting {
                    self.actions.push_back(Action::Forget { node: node.clone(), request });
                }
                let why = self.said.remove(&node).unwrap_or_else(|| "no answer".to_owned());
                (node, why)
            })
            .collect();
        let problem = late.iter().find(|(node, _)| !self.goes_on_without(node));
        if let Some((node, why)) = problem {
            let problem =
                format!("{node}: {why}, for {:.1} s", now.since(self.begun).as_secs_f64());
            return self.fail(problem, now);
        }
        for (node, _) in late {
            if self.step != Step::Survey {
                self.unheard.insert(node);
            } else if let Some(member) = self.order.nodes.get_mut(&node) {
                member.excused = true;
            }
        }
        self.leave(None, now);
    }

    fn late(&self, what: &str) -> String {
        let nodes: Vec<&str> = self.waiting.keys().map(String::as_str).collect();
        match nodes.is_empty() {
            true => what.to_owned(),
            false => format!("{what}, while waiting for {}", nodes.join(", ")),
        }
    }

    fn leave(&mut self, problem: Option<String>, now: Time) {
        let (step, took) = (self.step, now.since(self.begun));
        self.actions.push_back(Action::Told { step, took, problem });
        let next = match step {
            Step::Survey => return self.surveyed(now),
            Step::Gates => Step::Before,
            Step::Before => Step::Prepare,
            Step::Prepare if self.is_back() && !self.lowered => Step::Lower,
            Step::Prepare if self.is_back() => Step::Raise,
            Step::Prepare => Step::Hold,
            Step::Hold => Step::Raise,
            Step::Raise => Step::See,
            Step::See => Step::Probe,
            Step::Probe => Step::Lower,
            Step::Lower => Step::SeeAlone,
            Step::SeeAlone => Step::ProbeAlone,
            Step::ProbeAlone => Step::Release,
            Step::Release if self.is_back() => Step::Commit,
            Step::Release => Step::After,
            Step::After => Step::Commit,
            Step::Commit | Step::Abort => return self.end(),
        };
        self.enter(next, now);
    }

    fn end(&mut self) {
        let unheard = std::mem::take(&mut self.unheard);
        let ending = match std::mem::replace(&mut self.way, Way::Forth) {
            Way::Forth => Ending::Committed { unheard },
            Way::Back(why) if self.step == Step::Abort => {
                Ending::Refused { why, locked: false, unheard }
            }
            Way::Back(why) => Ending::RolledBack { why, unheard },
        };
        self.finish(ending);
    }

    fn refuse(&mut self, why: String) {
        let locked = self.facts.values().any(|facts| facts.lock.is_some());
        self.finish(Ending::Refused { why, locked, unheard: BTreeSet::new() });
    }

    fn finish(&mut self, ending: Ending) {
        self.ended = true;
        self.actions.push_back(Action::Ended(ending));
    }

    /// The step did not work.
    fn fail(&mut self, problem: String, now: Time) {
        let (step, took) = (self.step, now.since(self.begun));
        let told = Some(problem.clone());
        if matches!(step, Step::Release | Step::After | Step::Commit) || self.is_back() {
            // Nothing would be better for going back.
            return self.leave(told, now);
        }
        self.actions.push_back(Action::Told { step, took, problem: told });
        self.turn_back(problem, now);
    }

    fn cancel(&mut self, why: String, now: Time) {
        if self.way == Way::Forth && self.step < Step::Release {
            self.turn_back(why, now);
        }
    }

    fn turn_back(&mut self, why: String, now: Time) {
        for (node, waiting) in std::mem::take(&mut self.waiting) {
            if let Waiting::Asked(request) = waiting {
                self.actions.push_back(Action::Forget { node, request });
            }
        }
        if self.step < Step::Prepare {
            return self.refuse(why);
        }
        self.way = Way::Back(why);
        self.undo(now);
    }

    fn undo(&mut self, now: Time) {
        if !self.raised {
            return self.enter(Step::Abort, now);
        }
        self.epoch = Epoch(self.epoch.0 + 1);
        self.enter(Step::Prepare, now);
    }

    /// All that can be reached have said what they know.
    fn surveyed(&mut self, now: Time) {
        let lock = |facts: &Facts| {
            let lock = facts.lock.as_ref().filter(|lock| lock.switch == self.order.switch);
            lock.map(|lock| lock.epoch)
        };
        let known = self.facts.values().map(|facts| facts.epoch).max().unwrap_or_default();
        let locked = self.facts.values().filter_map(lock).max();
        self.highest = self.facts.values().map(|facts| facts.announced).max().unwrap_or_default();
        // Who has let go of the lock, by the epoch of the lock or a later one, has heard how it ended.
        let is_over = |facts: &&Facts| {
            facts.lock.is_none() && locked.is_none_or(|epoch| facts.epoch >= epoch)
        };
        let over = self.facts.values().filter(is_over).max_by_key(|facts| facts.epoch).cloned();
        if let (None, Some(epoch)) = (&over, locked) {
            return self.resumed(epoch, now);
        }
        let settled = self.facts.values().filter(|facts| !facts.raised);
        let Some(newest) = over.or_else(|| settled.max_by_key(|facts| facts.epoch).cloned()) else {
            return self.refuse("no node of the group answers".to_owned());
        };
        if self.order.term > 1 {
            return self.found(newest);
        }
        self.from = newest.at;
        self.epoch = Epoch(known.0 + 1);
        match self.obstacle() {
            obstacle if self.order.only_survey => self.finish(Ending::Surveyed { obstacle }),
            Some(why) => self.refuse(why),
            None => self.enter(Step::Gates, now),
        }
    }

    /// It is over already, for some nodes at least.
    fn found(&mut self, settled: Facts) {
        let ours = |lock: &Lock| lock.switch == self.order.switch;
        let locked = self.facts.iter().filter(|(_, facts)| facts.lock.as_ref().is_some_and(ours));
        let unheard = locked.map(|(node, _)| node.clone()).collect();
        self.epoch = settled.epoch;
        if settled.at == self.order.to {
            self.way = Way::Forth;
            return self.finish(Ending::Committed { unheard });
        }
        let why = match &self.way {
            Way::Back(why) => why.clone(),
            Way::Forth => "it was over when it was resumed".to_owned(),
        };
        self.from = settled.at;
        self.way = Way::Back(why.clone());
        self.finish(Ending::RolledBack { why, unheard });
    }

    /// Why it is better not begun.
    fn obstacle(&self) -> Option<String> {
        let Order { group, to, .. } = &self.order;
        // Where it is depends on how that ends.
        let mut locks =
            self.facts.iter().filter_map(|(node, facts)| Some((node, facts.lock.as_ref()?)));
        if let Some((node, Lock { switch, to, until, .. })) = locks.next() {
            return Some(format!(
                "{node}: switch {switch} to {to} is in progress; it ends at {until} at the latest"
            ));
        }
        if self.from == *to {
            return Some(format!("{group} is at {to} already"));
        }
        if !self.facts.keys().any(|node| self.order.nodes.get(node).is_some_and(|n| n.site == *to))
        {
            return Some(format!("no node of {to} answers"));
        }
        for (node, facts) in &self.facts {
            if let Some(obstacle) = facts.obstacle.as_ref().filter(|_| !self.order.break_glass) {
                return Some(format!("{node}: {obstacle}"));
            }
        }
        None
    }

    /// Some have a lock of this switch, with `epoch` at most.
    fn resumed(&mut self, epoch: Epoch, now: Time) {
        let of = |facts: &Facts| facts.epoch >= epoch;
        self.raised = self.facts.values().any(|facts| of(facts) || facts.raised);
        self.lowered = self.facts.values().any(|facts| of(facts) && !facts.raised);
        self.epoch = epoch;
        // Where the group was: what those say that have not gone by the lock yet, else whoever is not the target.
        let old = self.facts.values().filter(|facts| !of(facts) || facts.raised).map(|f| &f.at);
        let others = self.order.nodes.values().map(|node| &node.site);
        let from = old.chain(others).find(|site| **site != self.order.to);
        self.from = from.cloned().unwrap_or_default();
        match self.way {
            Way::Forth => self.enter(Step::Prepare, now),
            Way::Back(_) => self.undo(now),
        }
    }
}
