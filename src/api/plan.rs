use super::v1::{PlanSwitchReply, SwitchPlan, SwitchRequest};
use crate::switch::{digest, joint_digest};

impl SwitchPlan {
    /// What `digest` is to be: of all but that and the obstacles, which are looked at again anyway, and whose texts may be
    /// others with each answer of a check.
    pub fn computed_digest(&self) -> String {
        let mut rest = self.clone();
        rest.digest.clear();
        rest.obstacles.clear();
        rest.nodes.iter_mut().for_each(|node| node.obstacle.clear());
        // The fields in the order of the message: the same plan is the same text.
        digest(&[&serde_json::to_vec(&rest).unwrap_or_default()])
    }
}

impl PlanSwitchReply {
    /// What `digest` is to be.
    pub fn computed_digest(&self) -> String {
        let mut digests: Vec<String> = self.plans.iter().map(SwitchPlan::computed_digest).collect();
        // Who is not waited for, and how long it may take, is as much of what was agreed on.
        let request = self.request.clone().unwrap_or_default();
        let how = SwitchRequest {
            without: request.without,
            deadline_us: request.deadline_us,
            break_glass: request.break_glass,
            parallel: request.parallel,
            ..SwitchRequest::default()
        };
        if how != SwitchRequest::default() {
            digests.push(digest(&[&serde_json::to_vec(&how).unwrap_or_default()]));
        }
        joint_digest(digests.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1::SwitchPlanNode;

    #[test]
    fn a_digest_covers_every_field_but_itself() {
        let plan = SwitchPlan { group: "payments".to_owned(), ..SwitchPlan::default() };
        let digest = plan.computed_digest();
        let same = SwitchPlan { digest: digest.clone(), ..plan.clone() };
        assert_eq!(same.computed_digest(), digest);
        let nodes = vec![SwitchPlanNode::default()];
        assert_ne!(SwitchPlan { nodes, ..plan.clone() }.computed_digest(), digest);
        let obstacles = vec!["a check is slow: 151 ms".to_owned()];
        assert_eq!(SwitchPlan { obstacles, ..plan.clone() }.computed_digest(), digest);
        let sessions = vec![String::new()];
        assert_ne!(SwitchPlan { sessions, ..plan.clone() }.computed_digest(), digest);

        let one = PlanSwitchReply { plans: vec![same.clone()], ..PlanSwitchReply::default() };
        assert_eq!(one.computed_digest(), digest);
        let request = SwitchRequest { reason: "test".to_owned(), ..SwitchRequest::default() };
        let as_one = PlanSwitchReply { request: Some(request.clone()), ..one.clone() };
        assert_eq!(as_one.computed_digest(), digest);
        let request = Some(SwitchRequest { without: vec!["edge1".to_owned()], ..request });
        assert_ne!(PlanSwitchReply { request, ..one }.computed_digest(), digest);
        let two = PlanSwitchReply { plans: vec![same, plan], ..PlanSwitchReply::default() };
        assert_ne!(two.computed_digest(), digest);
    }
}
