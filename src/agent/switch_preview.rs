//! What this node would do in a switch: computed as it would be done, with the group's placement moved, and not given to
//! anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Agent, text};
use crate::api::v1;
use crate::group::{
    Announcement, Because, Epoch, Group, Intents, Mark, Move, Mover, Placed, Placement,
};
use crate::health::State;
use crate::ospf::{Announced, How};
use crate::types::{Family, Preference, Prefix, Time};

/// All that others, and the kernel, have of a prefix. Prefixes with the same are told of together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    preference: Preference,
    mark: Option<Mark>,
    family: Family,
    /// The metric, the kind of the LSA and its tag.
    area: Option<(u32, How, u32)>,
    kernel: String,
}

type Announcements = BTreeMap<Prefix, Announcement>;

impl Agent {
    /// What this node would do. `over` is what the target has to outbid.
    pub(super) fn switch_preview(
        &self,
        group: &str,
        to: &str,
        epoch: Epoch,
        over: Preference,
        now: Time,
    ) -> v1::SwitchPlanNode {
        let (node, site) = (self.config.node.name.clone(), self.config.node.site.clone());
        let Some(configured) = self.config.groups.get(group) else {
            return v1::SwitchPlanNode { node, site, ..Default::default() };
        };
        let before = self.orders.in_force().placement(group).cloned().unwrap_or_default();
        let moved = self.placements_of_switch(&before, to, epoch, over, now);
        let (obstacle, [raised, then]) = match moved {
            Ok(placements) => (String::new(), placements),
            Err(obstacle) => (obstacle, [before.clone(), before]),
        };
        let at = |placement| self.announced_when(group, placement, now);
        let moments = [&self.own, &at(raised), &at(then)];
        let mut alike: BTreeMap<[Shown; 3], Vec<Prefix>> = BTreeMap::new();
        for prefix in &configured.prefixes {
            let shown = moments.map(|own| self.shown_of(*prefix, own.get(prefix)));
            alike.entry(shown).or_default().push(*prefix);
        }
        let announcements = alike.into_iter().filter_map(|(shown, prefixes)| {
            let first = *prefixes.first()?;
            let [now, raised, then] = [0, 1, 2].map(|at: usize| {
                let own = moments.get(at).and_then(|own| own.get(&first));
                shown.get(at).map(|shown| self.moment(shown, own))
            });
            let prefixes = prefixes.iter().map(ToString::to_string).collect();
            Some(v1::SwitchPlanAnnouncement { prefixes, now, raised, then })
        });
        let takeover = &self.config.takeover;
        v1::SwitchPlanNode {
            router_id: self.router_id_in_area(),
            announcements: announcements.collect(),
            untold: self.untold(configured),
            guards: self.guards_of(configured, moments[2]),
            connections: takeover.commit.as_ref().map(|words| words.join(" ")).unwrap_or_default(),
            obstacle,
            node,
            site,
        }
    }

    /// The placement while the target is raised, and when all is over.
    fn placements_of_switch(
        &self,
        before: &Placement,
        to: &str,
        epoch: Epoch,
        over: Preference,
        now: Time,
    ) -> Result<[Placement; 2], String> {
        let wall = self.wall(now);
        let (switch, to) = ("planned".to_owned(), to.to_owned());
        let is_target = self.config.node.site == to;
        let by = Mover { switch, term: 1, epoch, to };
        let move_on = |placement: &Placement, wanted| {
            placement.moved(&by, wanted, wall).map_err(|refused| refused.to_string())
        };
        // Somebody else's is an obstacle, but none to what would come of it.
        let free = Placement { lock: None, ..before.clone() };
        let prepare = Move::Prepare(wall + Duration::from_secs(3600));
        let mut placement = move_on(&free, prepare)?;
        if is_target {
            let more = self.more_than(over).map_err(|status| status.message().to_owned())?;
            placement = move_on(&placement, Move::Raise(more))?;
        }
        let then = move_on(&placement, Move::Lower).and_then(|all| move_on(&all, Move::Commit))?;
        Ok([placement, then])
    }

    fn announced_when(&self, group: &str, placement: Placement, now: Time) -> Announcements {
        let wall = self.wall(now);
        let mut intents: Intents = self.orders.in_force().clone();
        let placed = Placed { placement, owner: String::new(), reason: None, since: wall };
        intents.place(group, placed);
        let lowered = self.lowered_with(&intents, now);
        self.effective_when(&intents, lowered, wall)
    }

    fn shown_of(&self, prefix: Prefix, own: Option<&Announcement>) -> Shown {
        let announced = own.filter(|own| own.preference.is_announced());
        let area = announced.and_then(|own| self.announced_as(own));
        let kernel = &self.config.kernel;
        let hops = match kernel.install {
            true => {
                let most = usize::from(kernel.max_paths);
                self.rib.hops_if(prefix, announced.is_some(), area.is_some(), most)
            }
            false => Default::default(),
        };
        let hops: Vec<String> = hops
            .iter()
            .map(|hop| format!("via {} dev {}", hop.gateway, self.link_name(hop.interface)))
            .collect();
        Shown {
            preference: announced.map(|own| own.preference).unwrap_or_default(),
            mark: announced.and_then(|own| own.mark),
            family: prefix.family(),
            area: area.map(|Announced { metric, how, tag }| {
                // A stub link has none.
                (metric, how, if how == How::Stub { 0 } else { tag })
            }),
            kernel: hops.join(", "),
        }
    }

    /// `own` is one of those that show this.
    fn moment(&self, shown: &Shown, own: Option<&Announcement>) -> v1::SwitchPlanMoment {
        let mut exports: Vec<v1::SwitchPlanExport> = Vec::new();
        for neighbor in self.neighbors.values() {
            let (Some(own), Some(session)) = (own, neighbor.peer.session()) else { continue };
            let kept = !own.preference.is_announced()
                || self.export_obstacle(neighbor, own.prefix).is_some();
            let attributes = self.attributes_for(neighbor, session, own);
            let Ok((attributes, _)) = attributes else { continue };
            if kept {
                continue;
            }
            let attributes = Some(text::attributes(&attributes));
            match exports.iter_mut().find(|export| export.attributes == attributes) {
                Some(export) => export.neighbors.push(neighbor.name.clone()),
                None => exports.push(v1::SwitchPlanExport {
                    neighbors: vec![neighbor.name.clone()],
                    attributes,
                    ospf: None,
                }),
            }
        }
        exports.iter_mut().for_each(|export| export.neighbors.sort());
        exports.sort_by(|one, other| one.neighbors.cmp(&other.neighbors));
        exports.extend(shown.area.map(|(metric, how, tag)| v1::SwitchPlanExport {
            ospf: Some(text::ospf_announcement(&Announced { metric, how, tag }, String::new())),
            ..Default::default()
        }));
        v1::SwitchPlanMoment {
            preference: shown.preference.0.into(),
            level: self.config.levels.name(shown.preference).unwrap_or_default().to_owned(),
            exports,
            kernel: shown.kernel.clone(),
        }
    }

    /// "" if it announces no groups.
    fn router_id_in_area(&self) -> String {
        let exports = self
            .config
            .ospf
            .as_ref()
            .is_some_and(|ospf| ospf.export == Some(crate::config::OspfExport::Groups));
        let ospf = self.ospf.as_ref().filter(|_| exports);
        ospf.map(|ospf| ospf.router.settings().router_id.to_string()).unwrap_or_default()
    }

    fn untold(&self, group: &Group) -> Vec<String> {
        let mut families: BTreeMap<Family, Prefix> = BTreeMap::new();
        for prefix in &group.prefixes {
            families.entry(prefix.family()).or_insert(*prefix);
        }
        let mut untold: BTreeSet<String> = BTreeSet::new();
        for neighbor in self.neighbors.values() {
            let obstacles = families.values().filter_map(|prefix| {
                let obstacle = self.export_obstacle(neighbor, *prefix)?;
                Some(format!("neighbor {}: {obstacle}", neighbor.name))
            });
            untold.extend(obstacles);
        }
        untold.into_iter().collect()
    }

    /// What decides beside the bases, then, and what may.
    fn guards_of(&self, group: &Group, then: &Announcements) -> Vec<String> {
        let mut guards = Vec::new();
        for check in group.health.iter().flat_map(|policy| &policy.checks) {
            let verdict = self.checks.health.verdict(check);
            let state = verdict.map_or(State::Unknown, |verdict| verdict.state);
            guards.push(format!("check {check} is {state}"));
        }
        if let Some(least) = group.min_sites {
            guards.push(format!(
                "min-sites: nothing but an operator withdraws it unless {least} other sites announce it"
            ));
        }
        let mut reasons: BTreeSet<String> = BTreeSet::new();
        for prefix in &group.prefixes {
            let because = then.get(prefix).into_iter().flat_map(|own| &own.because);
            reasons.extend(because.filter_map(decides_beside_the_base));
        }
        guards.extend(reasons);
        guards
    }
}

/// Without what may be another text with each answer of a check: the plan is to be the same as long as the world is.
fn decides_beside_the_base(because: &Because) -> Option<String> {
    match because {
        Because::Base { .. } | Because::Outbid { .. } => None,
        Because::Lowered { level, .. } => Some(format!("health or a rule lowers it: {level}")),
        Because::Guarded { level, .. } => Some(format!("a guard holds it: {level}")),
        other => Some(other.to_string()),
    }
}
