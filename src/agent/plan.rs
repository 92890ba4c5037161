//! What an order would do to the area, without giving it.

use super::ospf_reads::{Hostnames, router};
use super::{Agent, text};
use crate::api::v1;
use crate::group::{Announcement, Intent, Order, Target};
use crate::ospf::{PlannedRouter, Way};
use crate::types::{Preference, Prefix, RouterId, Time};

impl Agent {
    /// Where the area's traffic for a prefix goes now, and where it would go if this node preferred it at a level.
    pub fn plan(
        &self,
        request: &v1::PlanRequest,
        now: Time,
    ) -> Result<v1::PlanReply, tonic::Status> {
        let ospf = self.configured_ospf()?;
        let invalid = |text: String| tonic::Status::invalid_argument(text);
        let definitions = self.config.definitions();
        let prefix = match definitions.target(&request.prefix) {
            Ok(Target::Prefix(prefix)) => prefix,
            Ok(target) => {
                let prefixes: Vec<String> =
                    self.prefixes_of(&target).iter().map(Prefix::to_string).collect();
                let prefixes = prefixes.join(", ");
                return Err(invalid(format!(
                    "`{target}` is a group: plan one of its prefixes: {prefixes}"
                )));
            }
            Err(unknown) => return Err(tonic::Status::not_found(unknown.to_string())),
        };
        let level = self
            .config
            .levels
            .preference(&request.level)
            .map_err(|error| invalid(error.to_string()))?;
        let Prefix::V4(network) = prefix else {
            return Err(invalid(format!("{prefix} is not announced by OSPFv2, which is for IPv4")));
        };
        let before = self.own.get(&prefix);
        let after = self.if_preferred(prefix, level, now);
        let announced = after.as_ref().and_then(|own| self.announced_as(own));
        if announced.is_none() && level.is_announced() {
            return Err(invalid(
                "this node announces nothing by OSPF: its [ospf] section wants export = \"groups\""
                    .to_owned(),
            ));
        }
        let preference =
            |own: Option<&Announcement>| own.map_or(Preference::NONE, |own| own.preference);
        let name = |preference| self.config.levels.name(preference).unwrap_or_default().to_owned();
        let (now_at, then_at) = (preference(before), preference(after.as_ref()));
        let said = self.ospf_announcement(network);
        let lsa = said.as_ref().map(|said| said.lsa.clone()).unwrap_or_default();
        let hostnames = ospf.router.hostnames(now);
        let way = |way: &Way| way_text(way, &hostnames);
        let planned = ospf.router.plan(&[(network, announced)], now);
        let routers = planned.iter().flat_map(|plan| &plan.routers).map(|planned| v1::PlanRouter {
            router: Some(router(planned.router_id, &hostnames)),
            own: planned.router_id == ospf.router.settings().router_id,
            before: planned.before.as_ref().map(way),
            after: planned.after.as_ref().map(way),
            moves: moves(planned),
        });
        Ok(v1::PlanReply {
            prefix: prefix.to_string(),
            preference: then_at.0.into(),
            level: name(then_at),
            preference_before: now_at.0.into(),
            level_before: name(now_at),
            routers: routers.collect(),
            before: said,
            after: announced.map(|announced| text::ospf_announcement(&announced, lsa)),
        })
    }

    /// What would be in force if an operator gave the order now.
    fn if_preferred(&self, prefix: Prefix, level: Preference, now: Time) -> Option<Announcement> {
        let wall = self.wall(now);
        let mut intents = self.orders.in_force().clone();
        intents.insert(Intent {
            target: Target::Prefix(prefix),
            order: if level.is_announced() { Order::Prefer(level) } else { Order::Withdraw },
            owner: String::new(),
            reason: None,
            since: wall,
            expires: None,
        });
        self.effective(&intents, wall).remove(&prefix)
    }
}

/// As the API has it.
pub(super) fn way_text(way: &Way, hostnames: &Hostnames<'_>) -> v1::PlanWay {
    let exit = |id: &RouterId| router(*id, hostnames);
    v1::PlanWay {
        matched: way.matched.to_string(),
        kind: way.kind.to_string(),
        cost: way.cost,
        type_2_cost: way.type_2_cost,
        exits: way.exits.iter().map(exit).collect(),
        first_hops: way.first_hops.iter().map(exit).collect(),
    }
}

/// Whether the traffic leaves the area elsewhere.
fn moves(router: &PlannedRouter) -> bool {
    let exits = |way: &Option<Way>| way.as_ref().map(|way| way.exits.clone());
    exits(&router.before) != exits(&router.after)
}
