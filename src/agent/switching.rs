//! Switches: those that this node coordinates, and what other coordinators want of it.

use super::{Action, Agent, AskId, CallId, OrderId, Owner};
use crate::api::v1;
use crate::types::Time;

impl Agent {
    pub(super) fn switch_ordered(
        &mut self,
        order: OrderId,
        _request: v1::SwitchRequest,
        _owner: Owner,
        _now: Time,
    ) {
        let result = Err(tonic::Status::unimplemented("switches"));
        self.actions.push_back(Action::ProgressEnded { order, result });
    }

    pub(super) fn plan_wanted(&mut self, order: OrderId, _request: v1::SwitchRequest, _now: Time) {
        let result = Err(tonic::Status::unimplemented("plans"));
        self.actions.push_back(Action::Planned { order, result });
    }

    pub(super) fn node_asked(
        &mut self,
        ask: AskId,
        _node: String,
        _message: v1::FleetRequest,
        _now: Time,
    ) {
        let result = Err(tonic::Status::unimplemented("fleet"));
        self.actions.push_back(Action::AnswerNode { ask, result });
    }

    /// Those in progress, as far as this node knows.
    pub fn switches(&self, _now: Time) -> v1::SwitchesReply {
        v1::SwitchesReply::default()
    }

    pub(super) fn ask_abandoned(&mut self, _ask: AskId) {}

    pub(super) fn node_answered(
        &mut self,
        _call: CallId,
        _result: Result<Box<v1::FleetReply>, tonic::Status>,
        _now: Time,
    ) {
    }
}
