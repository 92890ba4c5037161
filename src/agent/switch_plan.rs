//! What a switch would do over all nodes: their parts, and what the area and the sessions make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv4Net;

use super::plan::way_text;
use super::{Agent, check_text, ospf_reads, text};
use crate::api::v1;
use crate::group::Epoch;
use crate::ospf::{Announced, Announcing, How};
use crate::types::{RouterId, Time};

impl Agent {
    /// Joins what the nodes would do.
    #[expect(clippy::too_many_arguments)]
    pub(super) fn switch_plan(
        &self,
        group: &str,
        from: &str,
        to: &str,
        epoch: Epoch,
        mut nodes: Vec<v1::SwitchPlanNode>,
        obstacle: Option<String>,
        now: Time,
    ) -> v1::SwitchPlan {
        let mut exits = self.exits_of_switch(&nodes, now);
        let sessions = self.sessions_of_switch(group, [from, to], &nodes, &exits);
        let mut obstacles: Vec<String> = obstacle.into_iter().collect();
        for node in nodes.iter().filter(|node| !node.obstacle.is_empty()) {
            let obstacle = format!("{}: {}", node.node, node.obstacle);
            if !obstacles.contains(&obstacle) {
                obstacles.push(obstacle);
            }
        }
        let configured = self.config.groups.get(group);
        let prefixes: Vec<String> =
            configured.iter().flat_map(|group| &group.prefixes).map(ToString::to_string).collect();
        let listed = nodes.iter_mut().flat_map(|node| &mut node.announcements);
        let listed = listed.map(|one| &mut one.prefixes);
        // Of a large group it would be most of the plan, once for each node.
        for listed in listed.chain(exits.iter_mut().map(|one| &mut one.prefixes)) {
            if is_all(listed, &prefixes) {
                listed.clear();
            }
        }
        let mut plan = v1::SwitchPlan {
            group: group.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            epoch: epoch.0,
            digest: String::new(),
            checks: self.checks_of_switch(group, to),
            nodes,
            obstacles,
            exits,
            sessions,
            prefixes,
        };
        plan.digest = plan.computed_digest();
        plan
    }

    pub(super) fn plans_reply(
        &self,
        plans: Vec<v1::SwitchPlan>,
        request: &v1::SwitchRequest,
    ) -> v1::PlanSwitchReply {
        let request = Some(v1::SwitchRequest { digest: String::new(), ..request.clone() });
        let reply = v1::PlanSwitchReply { plans, digest: String::new(), request };
        v1::PlanSwitchReply { digest: reply.computed_digest(), ..reply }
    }

    /// Where the routers of the area send the traffic: now, while the target is raised, and then.
    fn exits_of_switch(&self, nodes: &[v1::SwitchPlanNode], now: Time) -> Vec<v1::SwitchPlanExits> {
        let Some(ospf) = &self.ospf else { return Vec::new() };
        let mut changes: BTreeMap<Ipv4Net, Vec<Announcing>> = BTreeMap::new();
        for node in nodes {
            let Ok(router) = node.router_id.parse().map(RouterId) else { continue };
            for announcement in &node.announcements {
                let moments = [&announcement.raised, &announcement.then];
                let networks = announcement.prefixes.iter().filter_map(|text| text.parse().ok());
                for network in networks {
                    let moved =
                        changes.entry(network).or_insert_with(|| vec![Announcing::new(); 2]);
                    for (announcing, moment) in moved.iter_mut().zip(moments) {
                        announcing.insert(router, moment.as_ref().and_then(announced));
                    }
                }
            }
        }
        let changes: Vec<(Ipv4Net, Vec<Announcing>)> = changes.into_iter().collect();
        let hostnames = ospf.router.hostnames(now);
        let own = ospf.router.settings().router_id;
        let all = ospf.router.moves(&changes, now).into_iter().map(|moves| {
            let first = moves.prefixes.first().copied().unwrap_or_default();
            let routers = moves.routers.iter().map(|moved| {
                let mut ways = moved.ways.iter().map(|way| {
                    let way = way.as_ref()?;
                    let matched = (way.matched != first).then(|| way.matched.to_string());
                    let matched = matched.unwrap_or_default();
                    Some(v1::PlanWay { matched, ..way_text(way, &hostnames) })
                });
                let mut next = || ways.next().flatten();
                let (now, raised, then) = (next(), next(), next());
                let exits = |way: &Option<v1::PlanWay>| way.as_ref().map(|way| way.exits.clone());
                v1::SwitchPlanRouter {
                    router: Some(ospf_reads::router(moved.router_id, &hostnames)),
                    own: moved.router_id == own,
                    moves: exits(&now) != exits(&then),
                    now,
                    raised,
                    then,
                }
            });
            let routers = routers.collect();
            let prefixes = moves.prefixes.iter().map(ToString::to_string).collect();
            v1::SwitchPlanExits { prefixes, routers }
        });
        all.collect()
    }

    /// In the order of the steps.
    fn checks_of_switch(&self, group: &str, to: &str) -> Vec<v1::SwitchPlanCheck> {
        let Some(switching) = self.config.switching.get(group) else { return Vec::new() };
        let mut checks = Vec::new();
        let mut check = |kind: &str, text: String, limit: Duration| {
            let (kind, limit_us) = (kind.to_owned(), text::micros(limit));
            checks.push(v1::SwitchPlanCheck { kind, text, limit_us });
        };
        let whole = Duration::ZERO;
        for freeze in &switching.freezes {
            check("rule", format!("no switch {}", freeze.text), whole);
        }
        if !switching.hold_after_change.is_zero() {
            let span = switching.hold_after_change;
            check("rule", format!("no switch within {span:?} of a change before"), whole);
        }
        for name in &switching.gated_by {
            check("rule", format!("check {name} has to be up or slow"), whole);
        }
        for words in &switching.gates {
            check("gate", words.join(" "), switching.command_timeout);
        }
        if switching.approval {
            check("approval", format!("`shunt switch approve {group}`"), whole);
        }
        for words in &switching.before {
            check("before", words.join(" "), switching.command_timeout);
        }
        if let Some(hold) = switching.hold {
            check("hold", "new connections to the group are delayed".to_owned(), hold);
        }
        check("see", format!("each node's best route leads to {to}"), whole);
        if let Some(probe) = &switching.probe {
            let asks = check_text::asks(&probe.anywhere.method);
            let from = match probe.by_site.contains_key(to) {
                true => format!(", answered by {to}"),
                false => ", answered by whichever site: the answer does not tell".to_owned(),
            };
            check("probe", asks + &from, whole);
        }
        for words in &switching.after {
            check("after", words.join(" "), switching.command_timeout);
        }
        checks
    }

    /// What the configuration knows of sessions, and what it does not.
    fn sessions_of_switch(
        &self,
        group: &str,
        [from, to]: [&str; 2],
        nodes: &[v1::SwitchPlanNode],
        exits: &[v1::SwitchPlanExits],
    ) -> Vec<String> {
        let of = |site| nodes.iter().filter(move |node: &&v1::SwitchPlanNode| node.site == site);
        let names = |nodes: Vec<&v1::SwitchPlanNode>| {
            nodes.iter().map(|node| node.node.as_str()).collect::<Vec<&str>>().join(", ")
        };
        let borders = |site| of(site).filter(|node| told_by_bgp(node)).collect::<Vec<_>>();
        let mut said = Vec::new();
        let (left, entered) = (borders(from), borders(to));
        if !left.is_empty() && !entered.is_empty() {
            said.push(format!(
                "Traffic from BGP neighbors comes in by {} ({to}) instead of {} ({from}).",
                names(entered),
                names(left)
            ));
        }
        let routers = exits.iter().map(|exits| exits.routers.as_slice()).max_by_key(|r| r.len());
        if let Some(routers) = routers {
            let moving = routers.iter().filter(|router| router.moves).count();
            let all = routers.len();
            said.push(format!("{moving} of {all} routers of the area send it to another exit."));
        }
        let sharing: Vec<&v1::SwitchPlanNode> =
            of(from).chain(of(to)).filter(|node| !node.connections.is_empty()).collect();
        said.push(match sharing.first() {
            None => format!(
                "A firewall at {to} that keeps state does not know the sessions that began through {from}: the \
                 configuration of no node shares connections. It may reset or drop them."
            ),
            Some(first) => format!(
                "Connections are shared by {} ({}). Whether {from} and {to} share them with each other the configuration \
                 does not say: a firewall at {to} that does not know a session may reset or drop it.",
                names(sharing.clone()),
                first.connections
            ),
        });
        said.push(format!(
            "Where no such firewall is on the way, sessions live on if their server stays the same and is reached from \
             {to}. Where the servers are the configuration does not say."
        ));
        let hold = self.config.switching.get(group).and_then(|switching| switching.hold);
        said.extend(hold.map(|hold| {
            format!("New sessions are delayed meanwhile, for {hold:?} at most, and not refused.")
        }));
        said
    }
}

fn is_all(some: &[String], all: &[String]) -> bool {
    some.len() == all.len() && some.iter().collect::<BTreeSet<_>>() == all.iter().collect()
}

fn told_by_bgp(node: &v1::SwitchPlanNode) -> bool {
    let moments = node.announcements.iter().flat_map(|a| [&a.now, &a.raised, &a.then]);
    let mut exports = moments.flatten().flat_map(|moment| &moment.exports);
    exports.any(|export| !export.neighbors.is_empty())
}

/// What the area is told at a moment.
fn announced(moment: &v1::SwitchPlanMoment) -> Option<Announced> {
    let v1::OspfAnnouncement { how, metric, tag, .. } =
        moment.exports.iter().find_map(|export| export.ospf.as_ref())?;
    let how = match how.as_str() {
        "external-1" => How::External1,
        "stub" => How::Stub,
        _ => How::External2,
    };
    Some(Announced { metric: *metric, how, tag: *tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_of_the_area_is_read_back() {
        for how in [How::External1, How::External2, How::Stub] {
            let announced = Announced { metric: 15_500, how, tag: 0x0200_0001 };
            let ospf = Some(text::ospf_announcement(&announced, String::new()));
            let exports = vec![
                v1::SwitchPlanExport::default(),
                v1::SwitchPlanExport { ospf, ..Default::default() },
            ];
            let moment = v1::SwitchPlanMoment { exports, ..Default::default() };
            assert_eq!(super::announced(&moment), Some(announced));
        }
        assert_eq!(announced(&v1::SwitchPlanMoment::default()), None);
    }
}
