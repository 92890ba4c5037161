//! `shunt policy test`: what a policy makes of a route, rule by rule.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use tonic::Status;

use super::policies::import_prepends;
use super::reads::not_found;
use super::{Agent, text};
use crate::api::v1;
use crate::config::Config;
use crate::group::nearest;
use crate::policy::{Chain, Policy, Route, Step, Then, Verdict};
use crate::types::{Asn, Prefix, Validity};
use crate::wire::bgp::{Attributes, NextHop, Origin};

/// What a route is taken to be that nothing else is said of.
const NO_NEXT_HOP: &str = "0.0.0.0";

impl Agent {
    /// By the configuration in force.
    pub fn test_policy(
        &self,
        request: &v1::PolicyTestRequest,
    ) -> Result<v1::PolicyTestReply, Status> {
        let vrps = &self.validation.table;
        test_policy(&self.config, request, |prefix, origin| vrps.state(prefix, origin))
    }
}

/// What a policy of a configuration makes of the route that is described. `validity` is asked for its RPKI state, unless that is
/// given.
pub fn test_policy(
    config: &Config,
    request: &v1::PolicyTestRequest,
    validity: impl FnOnce(Prefix, Option<Asn>) -> Validity,
) -> Result<v1::PolicyTestReply, Status> {
    let policy = config.policies.get(&request.policy).ok_or_else(|| {
        let names = config.policies.keys().map(String::as_str);
        not_found("policy", &request.policy, nearest(&request.policy, names))
    })?;
    let prefix: Prefix = read("prefix", &request.prefix)?;
    let neighbor = match request.neighbor.as_str() {
        "" => None,
        name => Some(config.neighbors.get(name).ok_or_else(|| {
            let names = config.neighbors.keys().map(String::as_str);
            not_found("neighbor", name, nearest(name, names))
        })?),
    };
    let given = request.attributes.clone().unwrap_or_default();
    let attributes = attributes(&given)?;
    let validity = match request.rpki.as_str() {
        "" => validity(prefix, attributes.as_path.origin_for(config.node.asn)),
        "valid" => Validity::Valid,
        "invalid" => Validity::Invalid,
        "not-found" => Validity::NotFound,
        other => {
            let text = format!("`{other}` is no RPKI state: valid, invalid or not-found");
            return Err(Status::invalid_argument(text));
        }
    };
    let learned_from = neighbor.map(|_| request.neighbor.as_str());
    let prepended = neighbor.map_or(Some(config.node.asn), import_prepends);
    let route = Route { prefix, learned_from, validity };
    Ok(explain(policy, &attributes, &route, prepended))
}

fn explain(
    policy: &Arc<Policy>,
    attributes: &Attributes,
    route: &Route<'_>,
    prepended: Option<Asn>,
) -> v1::PolicyTestReply {
    let chain = Chain::new(vec![Arc::clone(policy)]);
    let (verdict, steps) = chain.explain(attributes, route, prepended);
    let steps: Vec<v1::PolicyStep> = steps.iter().map(step).collect();
    let (accepted, changes) = match &verdict {
        Verdict::Accepted(changes) => (true, Some(changes)),
        Verdict::Rejected(_) => (false, None),
    };
    let mut changed = attributes.clone();
    if let Some(changes) = changes {
        changes.apply(&mut changed, prepended);
    }
    v1::PolicyTestReply {
        policy: policy.name.clone(),
        prefix: route.prefix.to_string(),
        rpki: route.validity.to_string(),
        accepted,
        changes: changes.map(ToString::to_string).unwrap_or_default(),
        before: Some(text::attributes(attributes)),
        after: changes.map(|_| text::attributes(&changed)),
        steps,
    }
}

fn step(step: &Step<'_>) -> v1::PolicyStep {
    let Some(rule) = step.rule else {
        let then = if step.policy.accepts_by_default { "accept" } else { "reject" };
        return v1::PolicyStep { fits: true, then: then.to_owned(), ..Default::default() };
    };
    let conditions = step.conditions.iter().map(|(condition, holds)| v1::PolicyCondition {
        condition: condition.to_string(),
        holds: *holds,
    });
    v1::PolicyStep {
        rule: rule.name.clone(),
        conditions: conditions.collect(),
        fits: step.conditions.iter().all(|(_, holds)| *holds),
        changes: rule.changes.to_string(),
        then: match rule.then {
            Then::Accept => "accept",
            Then::Reject => "reject",
            Then::Next => "next",
        }
        .to_owned(),
    }
}

/// The attributes that the words describe.
fn attributes(given: &v1::Attributes) -> Result<Attributes, Status> {
    let next_hop = match given.next_hop.as_str() {
        "" => NO_NEXT_HOP,
        address => address,
    };
    let next_hop: std::net::IpAddr = next_hop.parse().map_err(|_| {
        Status::invalid_argument(format!("the next hop `{next_hop}` is not an address"))
    })?;
    let mut attributes = Attributes::originated(NextHop::from(next_hop));
    attributes.origin = match given.origin.as_str() {
        "" | "igp" => Origin::Igp,
        "egp" => Origin::Egp,
        "incomplete" => Origin::Incomplete,
        other => {
            let text = format!("`{other}` is no origin: igp, egp or incomplete");
            return Err(Status::invalid_argument(text));
        }
    };
    attributes.as_path = read("AS path", &given.as_path)?;
    attributes.med = given.med;
    attributes.local_pref = given.local_pref;
    attributes.communities = list(&given.communities)?;
    attributes.extended_communities = list(&given.extended_communities)?;
    attributes.large_communities = list(&given.large_communities)?;
    Ok(attributes)
}

fn list<T: FromStr<Err: Display>>(texts: &[String]) -> Result<Box<[T]>, Status> {
    texts.iter().map(|text| read("community", text)).collect()
}

fn read<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, Status> {
    text.parse().map_err(|error: T::Err| Status::invalid_argument(format!("{what}: {error}")))
}
