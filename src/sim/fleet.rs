//! What nodes of a fleet ask each other, and what clients hear of switches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tonic::Status;

use super::node::NodeId;
use super::world::World;
use crate::agent::{AskId, CallId, Event, OrderId, Owner};
use crate::api::v1;

/// Who is not reached is given up after this, as by TCP keepalives.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// What the nodes of a fleet have asked each other.
#[derive(Default)]
pub(super) struct Questions {
    asks: u64,
    /// Who asked, in which of its lives, and who is to answer in which of its.
    open: BTreeMap<AskId, Open>,
    /// How many there were.
    pub count: u64,
    /// Answers to who is no node here.
    strangers: BTreeMap<AskId, Result<v1::FleetReply, Status>>,
}

#[derive(Clone, Copy)]
struct Open {
    from: NodeId,
    call: CallId,
    life: u64,
    to: NodeId,
    to_life: u64,
}

/// What a client has heard of a switch.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub progress: Vec<v1::SwitchProgress>,
    /// When all was told.
    pub ended: Option<Result<(), Status>>,
}

impl Heard {
    /// How the switch of a group has ended.
    pub fn ending(&self, group: &str) -> Option<&v1::SwitchEnding> {
        let of = self.progress.iter().filter(|progress| progress.group == group);
        of.filter_map(|progress| progress.ending.as_ref()).next_back()
    }
}

impl World {
    /// A client of this node wants a switch, as `alice`.
    pub fn switch(&mut self, id: NodeId, request: v1::SwitchRequest) -> OrderId {
        let order = self.next_order();
        let owner = Owner("alice".to_owned());
        self.deliver(id, Event::SwitchOrdered { order, request, owner });
        order
    }

    /// A client of this node wants to know what a switch would do.
    pub fn plan_switch(&mut self, id: NodeId, request: v1::SwitchRequest) -> OrderId {
        let order = self.next_order();
        self.deliver(id, Event::SwitchPlanWanted { order, request });
        order
    }

    /// What the client of that order has heard from the node in its present life.
    pub fn heard(&self, id: NodeId, order: OrderId) -> Heard {
        let process = self.nodes[id.0].process.as_ref();
        process.and_then(|process| process.heard.get(&order)).cloned().unwrap_or_default()
    }

    pub fn planned(
        &self,
        id: NodeId,
        order: OrderId,
    ) -> Option<&Result<v1::PlanSwitchReply, Status>> {
        self.nodes[id.0].process.as_ref()?.planned.get(&order)
    }

    /// Asks a node as a coordinator would that is no node here.
    pub fn call(&mut self, id: NodeId, call: v1::FleetCall) -> AskId {
        self.questions.asks += 1;
        let ask = AskId(self.questions.asks);
        let message = Box::new(v1::FleetRequest { call: Some(call), placements: None });
        self.deliver(id, Event::NodeAsked { ask, node: "elsewhere".to_owned(), message });
        ask
    }

    /// What the node has answered to that.
    pub fn called(&self, ask: AskId) -> Option<&Result<v1::FleetReply, Status>> {
        self.questions.strangers.get(&ask)
    }

    /// How many questions the nodes of fleets have asked each other.
    pub fn questions(&self) -> u64 {
        self.questions.count
    }

    pub(super) fn ask_node(
        &mut self,
        id: NodeId,
        call: CallId,
        node: &str,
        message: v1::FleetRequest,
    ) {
        self.questions.count += 1;
        let target = self.nodes.iter().position(|other| other.name == node).map(NodeId);
        let way = target.and_then(|target| self.latency(id, target));
        let (Some(target), Some(latency)) = (target, way) else {
            let result = Err(Status::unavailable(format!("{node} cannot be reached")));
            return self.event_at(self.now + GIVEN_UP, id, Event::NodeAnswered { call, result });
        };
        let from = self.nodes[id.0].name.clone();
        self.questions.asks += 1;
        let ask = AskId(self.questions.asks);
        let (life, to_life) = (self.nodes[id.0].lives, self.nodes[target.0].lives);
        let open = Open { from: id, call, life, to: target, to_life };
        self.questions.open.insert(ask, open);
        let message = Box::new(message);
        self.event_at(self.now + latency, target, Event::NodeAsked { ask, node: from, message });
    }

    pub(super) fn answer_node(&mut self, ask: AskId, result: Result<Box<v1::FleetReply>, Status>) {
        let Some(Open { from, call, to, .. }) = self.questions.open.remove(&ask) else {
            self.questions.strangers.insert(ask, result.map(|reply| *reply));
            return;
        };
        if let Some(latency) = self.latency(to, from) {
            self.event_at(self.now + latency, from, Event::NodeAnswered { call, result });
        } else {
            let result = Err(Status::unavailable("the connection was lost"));
            self.event_at(self.now + GIVEN_UP, from, Event::NodeAnswered { call, result });
        }
    }

    /// Questions to a process that is no more have no answer; those of one that is no more want none.
    pub(super) fn lose_questions(&mut self, id: NodeId) {
        let of = |open: &Open| open.to == id || open.from == id;
        let lost: Vec<Open> = self.questions.open.values().copied().filter(of).collect();
        self.questions.open.retain(|_, open| !of(open));
        for Open { from, call, life, to, to_life } in lost {
            if to == id && self.nodes[from.0].lives == life && self.nodes[to.0].lives == to_life {
                let result = Err(Status::unavailable("the connection was lost"));
                self.event_at(self.now + GIVEN_UP, from, Event::NodeAnswered { call, result });
            }
        }
    }

    pub(super) fn forget_call(&mut self, id: NodeId, call: CallId) {
        let is_it = |open: &Open| (open.from, open.call) == (id, call);
        let open = self.questions.open.iter();
        let forgotten: Vec<(AskId, Open)> =
            open.filter(|(_, open)| is_it(open)).map(|(ask, open)| (*ask, *open)).collect();
        self.questions.open.retain(|_, open| !is_it(open));
        for (ask, open) in forgotten {
            if let Some(latency) = self.latency(id, open.to) {
                self.event_at(self.now + latency, open.to, Event::AskAbandoned(ask));
            }
        }
    }

    /// How long a packet takes from node to node over links that are whole; `None`: there is no way, or nobody there.
    fn latency(&self, from: NodeId, to: NodeId) -> Option<Duration> {
        self.nodes[to.0].process.as_ref()?;
        let mut seen = BTreeSet::from([from.0]);
        let mut queue = VecDeque::from([(from, Duration::ZERO)]);
        while let Some((at, latency)) = queue.pop_front() {
            if at == to {
                return Some(latency);
            }
            for wire in self.wires.iter().filter(|wire| !wire.cut) {
                let here = |port: &super::link::Port| port.node == at;
                if !wire.ends.iter().any(here) || wire.mute.contains(&at) {
                    continue;
                }
                for port in &wire.ends {
                    if !self.nodes[port.node.0].off && seen.insert(port.node.0) {
                        queue.push_back((port.node, latency + wire.link.latency));
                    }
                }
            }
        }
        None
    }
}
