//! The survivor acts: when the preferred announcer of a group vanishes, this node announces more than that one did, at
//! once, instead of waiting until every router of the area has noticed.
//!
//! Routers recompute external routes a while after the shortest paths have changed (a second for some), and until then
//! follow the dead router's LSA; but a changed LSA of somebody else they act on within milliseconds. So the heir makes
//! its own LSA the better one.
//!
//! **Who is dead.** A *witness* of a router is an adjacency with it, a BFD session that is configured with its router
//! id, or a virtual router whose twin it is. It has vanished when one of them lost it and none still sees it. What we lose
//! through a fault of our own link is no witness, and neither is what says goodbye: who leaves in good order takes its
//! LSAs along, so there is nothing to beat.
//!
//! **How much more.** Enough for every router, also for one that is nearer to the dead one: whom the others still see in
//! the database draws their traffic by the sum of the way and its metric, unless it is an external of type 2. What we lost
//! and what we raise goes out together, so that the first computation is right; a second one would wait (FRR: 50 ms).
//!
//! **Who inherits.** Whoever would have been next: a living router that announces more than we do makes us keep quiet.
//!
//! **The way back** is make before break: the other one has to be seen, reachable, for as long as the configuration
//! says, and only then we announce what we did before.
//!
//! BGP needs none of this: a route is withdrawn with the session of who dies, and the next best is chosen at once.

use std::collections::{BTreeMap, BTreeSet};

use super::Agent;
use crate::bfd;
use crate::group::Raised;
use crate::ospf::{How, Neighbor, NeighborState};
use crate::types::{Preference, Prefix, RouterId, Time, Wall};
use crate::vrrp::{Reason, State};

#[derive(Clone, Debug, Default)]
pub(super) struct Survivor {
    seen: BTreeMap<RouterId, BTreeSet<Witness>>,
    vanished: BTreeMap<RouterId, Vanished>,
}

/// By what we see that a router lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Witness {
    /// On the interface of that index.
    Adjacency(u32),
    /// `[bfd.session.NAME]`.
    Session(String),
    /// `[vrrp.NAME]`.
    Twin(String),
}

#[derive(Clone, Debug)]
struct Vanished {
    since: Wall,
    /// The preference by which each prefix beats it.
    beaten_by: BTreeMap<Prefix, Preference>,
    /// It is seen again since then.
    back: Option<Time>,
}

impl Agent {
    /// Looks who has vanished or come back. Says whether a preference may have changed.
    pub(super) fn settle_survivor(&mut self, now: Time) -> bool {
        if self.config.groups.values().all(|group| group.on_loss.is_none()) {
            return !std::mem::take(&mut self.survivor.vanished).is_empty();
        }
        let witnesses = self.witnesses();
        let before = std::mem::replace(&mut self.survivor.seen, witnesses);
        let mut changed = false;
        for (router, lost) in before {
            let seen = self.survivor.seen.get(&router);
            let by_death = |witness: &Witness| {
                seen.is_none_or(|seen| !seen.contains(witness))
                    && self.tells_of_death(router, witness)
            };
            let is_dead = seen.is_none() && lost.iter().any(by_death);
            if is_dead && !self.survivor.vanished.contains_key(&router) {
                changed |= self.vanish(router, now);
            }
        }
        self.settle_returns(now) || changed
    }

    fn witnesses(&self) -> BTreeMap<RouterId, BTreeSet<Witness>> {
        let mut all: BTreeMap<RouterId, BTreeSet<Witness>> = BTreeMap::new();
        for interface in self.ospf.iter().flat_map(|ospf| ospf.router.interfaces()) {
            // Two that only see each other on a LAN are no adjacency, and have no BFD.
            let adjacent = |neighbor: &&Neighbor| neighbor.state > NeighborState::TwoWay;
            for neighbor in interface.neighbors.values().filter(adjacent) {
                let witness = Witness::Adjacency(interface.link.index);
                all.entry(neighbor.router_id).or_default().insert(witness);
            }
        }
        for (name, session) in &self.config.bfd_sessions {
            let up = self.bfd_session_state(name) == Some(bfd::State::Up);
            if let Some(router) = session.router_id.filter(|_| up) {
                all.entry(router).or_default().insert(Witness::Session(name.clone()));
            }
        }
        for (name, vrrp) in &self.config.vrrp {
            let heard = |name: &str| {
                let router = self.routers.by_name.get(name)?;
                (router.state == State::Backup).then_some(router.active).flatten()
            };
            if let Some(twin) = vrrp.twin.filter(|_| heard(name).is_some()) {
                all.entry(twin).or_default().insert(Witness::Twin(name.clone()));
            }
        }
        all
    }

    /// Whether a witness that sees its router no more says that the router is dead, and not that something of ours is.
    fn tells_of_death(&self, router: RouterId, witness: &Witness) -> bool {
        let interfaces = self.fib.interfaces();
        match witness {
            Witness::Adjacency(index) => {
                // Who has become a mere neighbour still lives; and the interface must be ours still.
                let silent = self.ospf.as_ref().is_some_and(|ospf| {
                    let mut ours = ospf.router.interfaces();
                    let interface = ours.find(|interface| interface.link.index == *index);
                    interface.is_some_and(|there| !there.neighbors.contains_key(&router))
                });
                silent && interfaces.link(*index).is_some_and(|link| link.up)
            }
            Witness::Session(name) => self.bfd_session_failed(name),
            Witness::Twin(name) => {
                let router = self.routers.by_name.get(name);
                router.is_some_and(|router| router.reason == Reason::ActiveDown)
            }
        }
    }

    /// Beats what a router announces that is dead.
    fn vanish(&mut self, dead: RouterId, now: Time) -> bool {
        let Some(ospf) = &self.ospf else { return false };
        let Some(class) = self.config.ospf.as_ref().map(|ospf| &ospf.class) else { return false };
        let mapping = self.config.mapping(class);
        // Where the way there counts as well, nobody is farther from us than from the dead router by more than this.
        let detour = ospf.router.way_from(dead).unwrap_or(0);
        let mut beaten_by = BTreeMap::new();
        for group in self.config.groups.values().filter(|group| group.on_loss.is_some()) {
            for prefix in &group.prefixes {
                let Prefix::V4(network) = *prefix else { continue };
                let Some(ours) = self.announced_by_ospf(*prefix).map(|announced| announced.metric)
                else {
                    continue;
                };
                let others = ospf.router.other_announcers(network);
                let theirs = others.iter().filter(|other| other.router == dead);
                let Some(theirs) = theirs.min_by_key(|other| other.metric) else { continue };
                let lives = |router: RouterId| {
                    router != dead
                        && !self.survivor.vanished.contains_key(&router)
                        && ospf.router.reaches(router)
                };
                let has_heir = others.iter().any(|o| lives(o.router) && o.metric < ours);
                if theirs.metric <= ours && !has_heir {
                    let most = match theirs.how {
                        How::External2 => theirs.metric,
                        How::External1 | How::Stub => theirs.metric.saturating_sub(detour),
                    };
                    beaten_by.insert(*prefix, mapping.least_beating_metric(most));
                }
            }
        }
        if beaten_by.is_empty() {
            return false;
        }
        let text = match beaten_by.len() {
            1 => "has vanished: its prefix is announced with more preference here".to_owned(),
            count => format!(
                "has vanished: its {count} prefixes are announced with more preference here"
            ),
        };
        let lost = |prefix: &Prefix| beaten_by.contains_key(prefix);
        let groups = self.config.groups.iter().filter(|(_, group)| group.prefixes.iter().any(lost));
        let groups = groups.map(|(name, _)| name.clone()).collect();
        let vanished = Vanished { since: self.wall(now), beaten_by, back: None };
        self.survivor.vanished.insert(dead, vanished);
        self.record_failover(groups, &format!("router {dead} {text}"), now);
        self.report(now, "survivor", &format!("router {dead}"), "warning", text);
        true
    }

    /// Gives back what has been back for long enough.
    fn settle_returns(&mut self, now: Time) -> bool {
        let dead: Vec<RouterId> = self.survivor.vanished.keys().copied().collect();
        let mut changed = false;
        for router in dead {
            let is_seen = self.survivor.seen.contains_key(&router) && self.is_reachable(router);
            let Some(vanished) = self.survivor.vanished.get_mut(&router) else { continue };
            if !is_seen {
                vanished.back = None;
                continue;
            }
            let back = *vanished.back.get_or_insert(now);
            let (config, before) = (&self.config, vanished.beaten_by.len());
            vanished.beaten_by.retain(|prefix, _| {
                return_after(config, *prefix).is_some_and(|span| back + span > now)
            });
            changed |= vanished.beaten_by.len() != before;
            if vanished.beaten_by.is_empty() {
                self.survivor.vanished.remove(&router);
                let text = "is back and stable: the usual preference again".to_owned();
                self.report(now, "survivor", &format!("router {router}"), "info", text);
            }
        }
        changed
    }

    fn is_reachable(&self, router: RouterId) -> bool {
        self.ospf.as_ref().is_some_and(|ospf| ospf.router.reaches(router))
    }

    /// When somebody has been back for long enough.
    pub(super) fn return_due(&self) -> Option<Time> {
        let vanished = self.survivor.vanished.values();
        let back = vanished.filter_map(|vanished| Some((vanished.back?, &vanished.beaten_by)));
        let due = back.flat_map(|(back, beaten_by)| {
            let spans = beaten_by.keys().filter_map(|prefix| return_after(&self.config, *prefix));
            spans.map(move |span| back + span)
        });
        due.min()
    }

    /// For the groups.
    pub(super) fn raised(&self) -> BTreeMap<Prefix, Raised> {
        let mut raised: BTreeMap<Prefix, Raised> = BTreeMap::new();
        for (router, vanished) in &self.survivor.vanished {
            for (prefix, preference) in &vanished.beaten_by {
                if raised.get(prefix).is_none_or(|known| known.preference < *preference) {
                    let over = format!("router {router}");
                    let since = vanished.since;
                    raised.insert(*prefix, Raised { preference: *preference, over, since });
                }
            }
        }
        raised
    }
}

/// How long the announcer of a prefix has to be back.
fn return_after(config: &crate::config::Config, prefix: Prefix) -> Option<std::time::Duration> {
    let mut groups = config.groups.values();
    let group = groups.find(|group| group.prefixes.contains(&prefix))?;
    Some(group.on_loss?.return_after)
}
