//! What other sites announce of our groups' prefixes, as far as the routes tell that we learn.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Agent;
use crate::group::{Elsewhere, Mark};
use crate::rib::Route;
use crate::types::{Preference, Prefix, RouterId, Time};

/// What was seen last, for the guard that counts changes of other nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Others {
    /// Something has changed that other routers announce of our prefixes.
    pub stale: bool,
    known: BTreeMap<Prefix, BTreeMap<RouterId, BTreeSet<Shown>>>,
}

/// Another router that announces a prefix of ours.
struct Announcer<'a> {
    router: RouterId,
    /// Of the neighbours by which we hear of it.
    class: &'a str,
    shown: Shown,
    mark: Option<Mark>,
}

/// What a router shows of a prefix. Within one kind, the least is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Area { metric: u32 },
    Internal { local_pref: Reverse<u32>, med: u32 },
    External { path_length: usize, med: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Area,
    Internal,
    External,
}

impl Shown {
    fn kind(&self) -> Kind {
        match self {
            Shown::Area { .. } => Kind::Area,
            Shown::Internal { .. } => Kind::Internal,
            Shown::External { .. } => Kind::External,
        }
    }
}

impl Agent {
    /// How many other sites announce a prefix better than we would with this preference. Routers that no site has are one
    /// site together; those of our own site are none.
    pub(super) fn elsewhere(&self, prefix: Prefix, ours: Preference) -> Elsewhere {
        let mut sites: BTreeSet<Option<&str>> = BTreeSet::new();
        for Announcer { router, class, shown, .. } in self.announcers(prefix) {
            let better = self
                .shown(class, ours, &shown)
                .is_some_and(|own| (shown, router) < (own, self.config.node.router_id));
            let site = self.site_of(router);
            if better && site != Some(self.config.node.site.as_str()) {
                sites.insert(site);
            }
        }
        Elsewhere { better: sites.len() }
    }

    /// How many sites beside our own and `except` announce a prefix as more than drained.
    pub(super) fn further_sites(&self, prefix: Prefix, except: &str) -> usize {
        let drained = self.config.levels.drained();
        let mut sites: BTreeSet<Option<&str>> = BTreeSet::new();
        for Announcer { router, class, shown, .. } in self.announcers(prefix) {
            let serves = self.shown(class, drained, &shown).is_some_and(|drained| shown < drained);
            let site = self.site_of(router);
            if serves && site != Some(self.config.node.site.as_str()) && site != Some(except) {
                sites.insert(site);
            }
        }
        sites.len()
    }

    /// What we would show of a preference to who shows us something of that kind.
    fn shown(&self, class: &str, preference: Preference, like: &Shown) -> Option<Shown> {
        let mapping = self.config.mapping(class);
        let mapped = mapping.map(preference);
        let med = mapped.med.unwrap_or(0);
        Some(match like {
            Shown::Area { .. } => Shown::Area { metric: mapping.metric(preference) },
            Shown::Internal { .. } => {
                Shown::Internal { local_pref: Reverse(mapped.local_pref.unwrap_or(100)), med }
            }
            Shown::External { .. } => {
                Shown::External { path_length: 1 + usize::from(mapped.prepend), med }
            }
        })
    }

    /// Who else announces a prefix and can be reached, and the class of neighbours by which we hear of it.
    fn announcers(&self, prefix: Prefix) -> Vec<Announcer<'_>> {
        let mut all = Vec::new();
        if let (Prefix::V4(network), Some(ospf), Some(config)) =
            (prefix, &self.ospf, &self.config.ospf)
        {
            let others = ospf.router.other_announcers(network);
            let others = others.iter().filter(|other| ospf.router.reaches(other.router));
            all.extend(others.map(|other| Announcer {
                router: other.router,
                class: config.class.as_str(),
                shown: Shown::Area { metric: other.metric },
                mark: Mark::from_tag(other.tag),
            }));
        }
        for candidate in self.rib.candidates(prefix, 1) {
            let Route::Bgp(path) = candidate.route else { continue };
            let Some(source) = self.rib.source(path.source) else { continue };
            let named = self.neighbors.values().find(|known| known.source() == path.source);
            let attributes = path.attributes;
            // The session is a way to the neighbour itself, by whatever routes the kernel has.
            let itself = attributes.next_hop.address() == source.address;
            let (Some(neighbor), true, false) = (named, itself || path.hop.is_ok(), path.stale)
            else {
                continue;
            };
            let med = attributes.med.unwrap_or(0);
            let shown = match neighbor.config.internal {
                true => {
                    let local_pref = Reverse(attributes.local_pref.unwrap_or(100));
                    Shown::Internal { local_pref, med }
                }
                false => Shown::External { path_length: attributes.as_path.length(), med },
            };
            let router = attributes.originator_id.unwrap_or(source.router_id);
            let asn = self.config.node.asn;
            let marks = attributes.large_communities.iter();
            let mark = marks.filter_map(|community| Mark::from_community(*community, asn)).max();
            all.push(Announcer { router, class: neighbor.config.class.as_str(), shown, mark });
        }
        all
    }

    /// What nodes of our sites say of where a prefix is. Of anybody else it would be a way to take the traffic.
    pub(super) fn marks(&self, prefix: Prefix) -> Vec<(RouterId, Mark)> {
        let all = self.announcers(prefix).into_iter();
        let ours =
            |router: &RouterId| self.config.sites.values().any(|routers| routers.contains(router));
        all.filter_map(|one| Some((one.router, one.mark?)))
            .filter(|(router, _)| ours(router))
            .collect()
    }

    /// Whether the nodes of `site` announce the whole group better than those of any other site, as far as the routes tell that
    /// this node learns and sends; an error says what is not so. A node that hears of no other site has nothing against it.
    pub(super) fn exits_at(&self, group: &str, site: &str) -> Result<(), String> {
        let Some(group) = self.config.groups.get(group) else {
            return Err("the group is not configured".to_owned());
        };
        group.prefixes.iter().try_for_each(|prefix| self.exit_at(*prefix, site))
    }

    fn exit_at(&self, prefix: Prefix, site: &str) -> Result<(), String> {
        let ours = self.own.get(&prefix).map(|own| own.preference).unwrap_or_default();
        let here = self.config.node.site.as_str();
        let kinds = [Kind::Area, Kind::Internal, Kind::External];
        let announcers = self.announcers(prefix);
        for kind in kinds {
            let all = || announcers.iter().filter(|one| one.shown.kind() == kind);
            let sites = all().filter_map(|one| Some((one.shown, self.site_of(one.router)?)));
            let own = all().next().and_then(|one| self.shown(one.class, ours, &one.shown));
            let own = own.filter(|_| ours.is_announced()).map(|shown| (shown, here));
            let (there, elsewhere): (Vec<_>, Vec<_>) =
                sites.chain(own).partition(|(_, at)| *at == site);
            let Some((best, at)) = elsewhere.into_iter().min() else { continue };
            let Some((wanted, _)) = there.into_iter().min() else {
                // Who is outside may leave our own routes out, and a route reflector need not know the other site.
                let hears =
                    kind == Kind::Area || (kind == Kind::Internal && self.has_session_with(site));
                if !hears {
                    continue;
                }
                return Err(format!("{prefix} is not announced by {site}, but by {at}"));
            };
            if wanted >= best {
                return Err(format!("{at} announces {prefix} no worse than {site} does"));
            }
        }
        // Nobody else is seen in the area: it cannot be that this is right.
        let is_alone = announcers.is_empty() && here != site;
        if is_alone && self.is_in_area(prefix) {
            return Err(format!("{prefix} is not announced by {site}"));
        }
        Ok(())
    }

    /// Whether a node of the site tells us by itself what it announces.
    fn has_session_with(&self, site: &str) -> bool {
        let all = self.neighbors.values().filter(|known| known.config.internal);
        let mut routers = all.filter_map(|known| self.rib.source(known.source()));
        routers.any(|source| self.site_of(source.router_id) == Some(site))
    }

    /// Whether we announce a prefix into an area, so that other sites do as well.
    fn is_in_area(&self, prefix: Prefix) -> bool {
        self.own.get(&prefix).and_then(|own| self.announced_as(own)).is_some()
    }

    fn site_of(&self, router: RouterId) -> Option<&str> {
        let has = |(_, routers): &(&String, &BTreeSet<RouterId>)| routers.contains(&router);
        self.config.sites.iter().find(has).map(|(name, _)| name.as_str())
    }

    /// What others announce may have changed, and somebody wants to know.
    pub(super) fn is_elsewhere_stale(&self) -> bool {
        let wanted = !self.lowering.withdrawals.is_empty()
            || self.config.guard.correlated.is_some()
            || !self.config.site_ids.is_empty();
        self.others.stale && wanted
    }

    /// Looks what has changed elsewhere, if something has.
    pub(super) fn settle_elsewhere(&mut self, now: Time) {
        let ospf = self.ospf.as_mut().map(|ospf| &mut ospf.router);
        self.others.stale |= ospf.is_some_and(crate::ospf::Router::take_announcers_stale);
        if !std::mem::take(&mut self.others.stale) {
            return;
        }
        self.lowering.stale |= !self.lowering.withdrawals.is_empty();
        self.hear_marks(now);
        if self.config.guard.correlated.is_none() {
            return;
        }
        let mut known: BTreeMap<Prefix, BTreeMap<RouterId, BTreeSet<Shown>>> = BTreeMap::new();
        for prefix in self.config.groups.values().flat_map(|group| &group.prefixes) {
            for Announcer { router, shown, .. } in self.announcers(*prefix) {
                known.entry(*prefix).or_default().entry(router).or_default().insert(shown);
            }
        }
        let before = std::mem::replace(&mut self.others.known, known);
        if !self.lowering.started {
            // We get to know the area, and others may start with us.
            return;
        }
        let mut changed = BTreeSet::new();
        for (prefix, routers) in &before {
            let after = self.others.known.get(prefix);
            // Who begins to announce has not changed.
            let other = routers
                .iter()
                .filter(|(router, shown)| after.and_then(|after| after.get(router)) != Some(shown));
            changed.extend(other.map(|(router, _)| *router));
        }
        for router in changed {
            self.guards.gate.node_changed(router, now);
        }
    }
}
