//! What a switch would do.

use super::Agent;
use crate::api::v1;
use crate::group::Epoch;
use crate::types::{Preference, Time};

impl Agent {
    /// What this node would do.
    pub(super) fn switch_preview(
        &self,
        _group: &str,
        _to: &str,
        _epoch: Epoch,
        _over: Preference,
        _now: Time,
    ) -> v1::SwitchPlanNode {
        let node = &self.config.node;
        v1::SwitchPlanNode { node: node.name.clone(), site: node.site.clone() }
    }

    #[expect(clippy::too_many_arguments)]
    pub(super) fn switch_plan(
        &self,
        group: &str,
        from: &str,
        to: &str,
        epoch: Epoch,
        nodes: Vec<v1::SwitchPlanNode>,
        obstacle: Option<String>,
        _now: Time,
    ) -> v1::SwitchPlan {
        v1::SwitchPlan {
            group: group.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            epoch: epoch.0,
            digest: String::new(),
            nodes,
            obstacles: obstacle.into_iter().collect(),
        }
    }

    pub(super) fn plans_reply(
        &self,
        plans: Vec<v1::SwitchPlan>,
        request: &v1::SwitchRequest,
    ) -> v1::PlanSwitchReply {
        v1::PlanSwitchReply { plans, digest: String::new(), request: Some(request.clone()) }
    }
}
