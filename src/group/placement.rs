//! At which site a group is at home, and what a switch in progress changes of that.
//!
//! A node keeps one [`Placement`] for each group that has ever been switched. It is durable before it has an effect, like
//! everything that operators order. The moves of a switch ([`Move`]) change it, each by a pure function:
//!
//! ```text
//!              Prepare             Raise (at the target)           Commit
//!   settled ───────────▶ locked ─────────────────────▶ raised ──────────────▶ settled at the target
//!      ▲                  │  │   Lower (elsewhere)       Lower
//!      │       Abort      │  └─────────────────────▶ lowered, locked ────────▶ settled at the target
//!      └──────────────────┘                                         Commit
//! ```
//!
//! A switch has an *epoch*, one more than the group had before; what is raised or settled carries it in its routes. Who
//! hears from another site of a greater epoch than its own goes by that one ([`Placement::hear`]): so a node that could not
//! be reached, or was down, learns the outcome from the routes alone, and never takes traffic back.
//!
//! A lock has an end. When that passes without a word of the coordinator, the epoch decides: who was raised stays so and
//! is settled, who was not is as before, until it hears of the others. Rolling back is a switch to where the group was, with
//! the next epoch.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Group;
use crate::types::{Preference, Wall};

/// Counts the switches of a group, over all nodes. 0: never switched.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

/// What a node knows of where a group is at home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Of the last switch that it knows the outcome of.
    pub epoch: Epoch,
    /// The site that has the best of the group's bases; `None`: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Outbid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// A placement, and who brought it about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    #[serde(flatten)]
    pub placement: Placement,
    /// `alice (uid 1000)`, or `heard from router 192.0.2.21`.
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub since: Wall,
}

/// More than the base is announced here, so that this site is preferred before the others are lowered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbid {
    pub preference: Preference,
    pub epoch: Epoch,
    /// This one.
    pub site: String,
}

/// A switch that is in progress: nothing else moves the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Which switch: unique over all nodes.
    pub switch: String,
    /// Which of its coordinators: each that takes over has a greater one.
    pub term: u32,
    pub epoch: Epoch,
    pub to: String,
    pub until: Wall,
}

/// Whose move it is: of this switch, by its coordinator of that term, on the way to that site with that epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mover {
    pub switch: String,
    pub term: u32,
    pub epoch: Epoch,
    pub to: String,
}

/// What the coordinator of a switch wants of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Take the lock until then. The same switch may take it again, with a later end, term or epoch.
    Prepare(Wall),
    /// Announce so much, with the epoch of the lock.
    Raise(Preference),
    /// Go by the target of the lock, and keep it.
    Lower,
    /// Go by the target of the lock, and let go.
    Commit,
    /// Let go, if nothing has been raised here.
    Abort,
}

/// Why a node does not do what a coordinator wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("switch {switch} to {to} is in progress, until {until} at most")]
    Locked { switch: String, to: String, until: Wall },
    #[error("epoch {} is known already, so {} is too old", known.0, wanted.0)]
    Stale { known: Epoch, wanted: Epoch },
    #[error("another coordinator has taken over")]
    Superseded,
    #[error("the group is raised here already, and only a later epoch takes that back")]
    Raised,
    #[error(
        "it holds no lock for this switch: its time was over, or the node has heard of a later switch"
    )]
    NotLocked,
}

impl Placement {
    /// What its routes carry: the epoch, and where the group is by that.
    pub fn shown(&self) -> (Epoch, Option<&str>) {
        match &self.raised {
            Some(raised) => (raised.epoch, Some(&raised.site)),
            None => (self.epoch, self.site.as_deref()),
        }
    }

    /// The greatest epoch that it has to do with.
    pub fn known(&self) -> Epoch {
        self.raised.as_ref().map_or(self.epoch, |raised| raised.epoch.max(self.epoch))
    }

    /// The site that has the best base; `None`: no site announces the group by itself.
    pub fn at(&self, group: &Group) -> Option<String> {
        let rank = |site: &String, base: Preference| (base, Reverse(site.clone()));
        let bases = self.bases(group);
        let best = bases.iter().max_by_key(|(site, base)| rank(site, **base))?;
        best.1.is_announced().then(|| best.0.clone())
    }

    /// As [`bases`].
    pub fn bases(&self, group: &Group) -> BTreeMap<String, Preference> {
        bases(group, Some(self))
    }

    /// What it is after a move.
    pub fn moved(&self, by: &Mover, wanted: Move, now: Wall) -> Result<Placement, Refused> {
        let mut moved = self.clone();
        let lock = |until| {
            let Mover { switch, term, epoch, to } = by.clone();
            Lock { switch, term, epoch, to, until }
        };
        if let Move::Prepare(until) = wanted {
            moved = self.over(now).unwrap_or(moved);
            moved.lock = Some(moved.admit(lock(until))?);
            return Ok(moved);
        }
        let Some(known) = self.lock.as_ref().filter(|lock| lock.switch == by.switch) else {
            // The end of its lock, or what it heard, has done that already.
            let is_done = match wanted {
                Move::Abort => self.raised.is_none(),
                Move::Commit => self.raised.is_none() && self.epoch >= by.epoch,
                _ => false,
            };
            return if is_done { Ok(moved) } else { Err(Refused::NotLocked) };
        };
        // Who has missed that the switch goes back does so now.
        let lock = self.admit(lock(known.until))?;
        moved.lock = Some(lock.clone());
        match wanted {
            // Done with above.
            Move::Prepare(_) => {}
            Move::Raise(preference) => {
                let (epoch, site) = (lock.epoch, lock.to);
                moved.raised = Some(Outbid { preference, epoch, site });
            }
            Move::Lower => moved.go_by(lock.epoch, lock.to),
            Move::Commit => {
                moved.go_by(lock.epoch, lock.to);
                moved.lock = None;
            }
            // Who cannot be reached may have heard of it already.
            Move::Abort if moved.raised.is_some() => return Err(Refused::Raised),
            Move::Abort => moved.lock = None,
        }
        Ok(moved)
    }

    fn admit(&self, wanted: Lock) -> Result<Lock, Refused> {
        if let Some(lock) = &self.lock {
            if lock.switch != wanted.switch {
                let Lock { switch, to, until, .. } = lock.clone();
                return Err(Refused::Locked { switch, to, until });
            }
            if (wanted.term, wanted.epoch) < (lock.term, lock.epoch) {
                return Err(Refused::Superseded);
            }
            if wanted.epoch == lock.epoch {
                return Ok(wanted);
            }
        }
        let known = self.known();
        if wanted.epoch <= known {
            return Err(Refused::Stale { known, wanted: wanted.epoch });
        }
        Ok(wanted)
    }

    fn go_by(&mut self, epoch: Epoch, site: String) {
        (self.epoch, self.site, self.raised) = (epoch, Some(site), None);
    }

    /// What it is when the end of its lock has passed; `None`: it has no lock, or that has not ended.
    pub fn over(&self, now: Wall) -> Option<Placement> {
        self.lock.as_ref().filter(|lock| lock.until <= now)?;
        let mut over = Placement { lock: None, ..self.clone() };
        if let Some(Outbid { epoch, site, .. }) = over.raised.take() {
            over.go_by(epoch, site);
        }
        Some(over)
    }

    /// As it would be without having taken part in the switch of this epoch, which is over for another node: its coordinator
    /// had come to the commit, whether it could tell us or not.
    pub fn without_lock(mut self, epoch: Epoch) -> Placement {
        if self.lock.as_ref().is_some_and(|lock| lock.epoch <= epoch) {
            self.lock = None;
            self.raised.take_if(|raised| raised.epoch <= epoch);
        }
        self
    }

    /// What it is after another node was heard to show that the group is at `site` by `epoch`; `None`: as before.
    ///
    /// A switch that this node takes part in is no news to it. Two switches to different sites may have the same epoch, if
    /// neither could see the other: then the site with the higher configured base wins, or the first by name.
    pub fn hear(&self, group: &Group, epoch: Epoch, site: &str) -> Option<Placement> {
        if self.lock.as_ref().is_some_and(|lock| lock.epoch >= epoch) {
            return None;
        }
        let (ours, at) = self.shown();
        let rank = |site: &str| (Reverse(group.base(site)), site.to_owned());
        let goes_before = at.is_some_and(|at| rank(site) < rank(at));
        if epoch < ours || epoch == Epoch::default() || (epoch == ours && !goes_before) {
            return None;
        }
        Some(Placement { epoch, site: Some(site.to_owned()), raised: None, lock: None })
    }
}

/// A group's bases by site: the site that it is at has the best, the others keep their order among the rest.
pub fn bases(group: &Group, placement: Option<&Placement>) -> BTreeMap<String, Preference> {
    let at = placement.and_then(|placement| placement.site.as_ref());
    let Some(at) = at.filter(|site| group.base.contains_key(*site)) else {
        return group.base.clone();
    };
    let mut sites: Vec<&String> = group.base.keys().collect();
    sites.sort_by_key(|site| (*site != at, Reverse(group.base(site)), *site));
    let mut bases: Vec<Preference> = group.base.values().copied().collect();
    bases.sort_unstable_by_key(|base| Reverse(*base));
    sites.into_iter().cloned().zip(bases).collect()
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall::from_micros(1_000_000);
    const LATER: Wall = Wall::from_micros(60_000_000);

    fn group() -> Group {
        let base = [("dc1", 200), ("dc2", 100), ("dc3", 50)];
        let base = base.map(|(site, base)| (site.to_owned(), Preference(base)));
        Group { base: base.into(), ..Group::default() }
    }

    fn settled(epoch: u32, site: &str) -> Placement {
        Placement { epoch: Epoch(epoch), site: Some(site.to_owned()), ..Placement::default() }
    }

    /// Of switch `a`, and its first coordinator.
    fn by(epoch: u32, to: &str) -> Mover {
        Mover { switch: "a".to_owned(), term: 1, epoch: Epoch(epoch), to: to.to_owned() }
    }

    /// What becomes of `placement` by one move after the other.
    fn after(
        placement: &Placement,
        by: &Mover,
        moves: impl IntoIterator<Item = Move>,
    ) -> Placement {
        let step = |placement: Placement, wanted| placement.moved(by, wanted, NOW).unwrap();
        moves.into_iter().fold(placement.clone(), step)
    }

    const PREPARE: Move = Move::Prepare(LATER);

    #[test]
    fn the_site_of_a_group_has_the_best_base_and_the_others_keep_their_order() {
        let bases = |placement: Placement| {
            placement.bases(&group()).into_values().map(|base| base.0).collect::<Vec<_>>()
        };
        assert_eq!(bases(Placement::default()), [200, 100, 50]);
        assert_eq!(bases(settled(1, "dc1")), [200, 100, 50]);
        assert_eq!(bases(settled(1, "dc2")), [100, 200, 50]);
        assert_eq!(bases(settled(1, "dc3")), [100, 50, 200]);
        assert_eq!(bases(settled(1, "nowhere")), [200, 100, 50]);
    }

    #[test]
    fn a_switch_goes_from_lock_to_commit() {
        let forth = by(1, "dc2");
        let source = after(&Placement::default(), &forth, [PREPARE]);
        assert_eq!((source.shown().0, source.bases(&group())), (Epoch(0), group().base));
        let source = after(&source, &forth, [Move::Lower]);
        assert_eq!((source.shown().0, source.bases(&group())["dc1"]), (Epoch(1), Preference(100)));
        assert_eq!(after(&source, &forth, [Move::Commit]), settled(1, "dc2"));

        let raise = [PREPARE, Move::Raise(Preference(201))];
        let target = after(&Placement::default(), &forth, raise);
        assert_eq!((target.epoch, target.shown().0), (Epoch(0), Epoch(1)));
        assert_eq!(after(&target, &forth, [Move::Commit]), settled(1, "dc2"));
        assert_eq!(target.moved(&forth, Move::Abort, NOW), Err(Refused::Raised));
        let locked = after(&Placement::default(), &forth, [PREPARE]);
        assert_eq!(after(&locked, &forth, [Move::Abort]), Placement::default());
    }

    #[test]
    fn rolling_back_raises_the_source_before_the_target_is_lowered() {
        let (forth, back) = (by(1, "dc2"), by(2, "dc1"));
        let raised = after(&Placement::default(), &forth, [PREPARE, Move::Raise(Preference(201))]);
        let raised = after(&raised, &back, [PREPARE]);
        assert_eq!(raised.raised.as_ref().map(|raised| raised.preference), Some(Preference(201)));
        assert_eq!(raised.shown().0, Epoch(1), "until it is lowered");
        assert_eq!(after(&raised, &back, [Move::Lower, Move::Commit]), settled(2, "dc1"));
        let lowered = after(&Placement::default(), &forth, [PREPARE, Move::Lower]);
        let source = after(&lowered, &back, [PREPARE, Move::Raise(Preference(202))]);
        assert_eq!(source.shown().0, Epoch(2));
        assert_eq!(after(&source, &back, [Move::Commit]), settled(2, "dc1"));
    }

    /// Its disk was full when the others were told.
    #[test]
    fn who_missed_the_way_back_does_not_go_on_forth() {
        let (forth, back) = (by(1, "dc2"), by(2, "dc1"));
        let raised = after(&Placement::default(), &forth, [PREPARE, Move::Raise(Preference(201))]);
        let lowered = after(&raised, &back, [Move::Lower]);
        assert_eq!((lowered.epoch, lowered.site.as_deref()), (Epoch(2), Some("dc1")));
        // And what was on its way meanwhile is of yesterday.
        assert_eq!(lowered.moved(&forth, Move::Commit, NOW), Err(Refused::Superseded));
    }

    #[test]
    fn a_lock_keeps_others_off_until_its_end() {
        let locked = after(&settled(3, "dc2"), &by(4, "dc1"), [PREPARE]);
        let other = Mover { switch: "b".to_owned(), ..by(4, "dc3") };
        let text = locked.moved(&other, PREPARE, NOW).unwrap_err().to_string();
        assert_eq!(
            text,
            "switch a to dc1 is in progress, until 1970-01-01T00:01:00.000000Z at most"
        );
        assert_eq!(locked.moved(&other, Move::Lower, NOW), Err(Refused::NotLocked));
        let taken = locked.moved(&other, PREPARE, LATER).unwrap();
        assert_eq!(
            taken.lock.map(|lock| (lock.switch, lock.to)),
            Some(("b".to_owned(), "dc3".to_owned()))
        );
    }

    #[test]
    fn who_takes_over_a_switch_supersedes_its_coordinator() {
        let first = by(1, "dc2");
        let locked = after(&Placement::default(), &first, [PREPARE]);
        let second = Mover { term: 2, ..first.clone() };
        let taken = locked.moved(&second, PREPARE, NOW).unwrap();
        assert_eq!(taken.moved(&first, Move::Lower, NOW), Err(Refused::Superseded));
        assert_eq!(taken.moved(&first, PREPARE, NOW), Err(Refused::Superseded));
        assert_eq!(taken.moved(&second, Move::Commit, NOW), Ok(settled(1, "dc2")));
    }

    #[test]
    fn who_has_let_go_already_has_nothing_more_to_do() {
        let forth = by(4, "dc2");
        for done in [settled(4, "dc2"), settled(5, "dc1")] {
            assert_eq!(done.moved(&forth, Move::Commit, NOW), Ok(done.clone()));
        }
        let before = settled(3, "dc1");
        assert_eq!(before.moved(&forth, Move::Commit, NOW), Err(Refused::NotLocked));
        assert_eq!(before.moved(&forth, Move::Abort, NOW), Ok(before.clone()));
    }

    #[test]
    fn an_epoch_is_used_once() {
        let refused = settled(3, "dc2").moved(&by(3, "dc1"), PREPARE, NOW);
        assert_eq!(refused, Err(Refused::Stale { known: Epoch(3), wanted: Epoch(3) }));
    }

    #[test]
    fn a_lock_that_ends_alone_leaves_what_was_raised() {
        let forth = by(4, "dc2");
        let locked = after(&settled(3, "dc1"), &forth, [PREPARE]);
        assert_eq!(locked.over(NOW), None);
        assert_eq!(locked.over(LATER), Some(settled(3, "dc1")));
        let raised = after(&locked, &forth, [Move::Raise(Preference(201))]);
        assert_eq!(raised.over(LATER), Some(settled(4, "dc2")));
        let lowered = after(&locked, &forth, [Move::Lower]);
        assert_eq!(lowered.over(LATER), Some(settled(4, "dc2")));
        // The way back was prepared, and this node heard no more of it.
        let back = after(&raised, &by(5, "dc1"), [PREPARE]);
        assert_eq!(back.over(LATER), Some(settled(4, "dc2")), "and it will hear of 5");
    }

    #[test]
    fn a_greater_epoch_of_another_site_counts_and_a_smaller_never() {
        let hear =
            |placement: &Placement, epoch, site| placement.hear(&group(), Epoch(epoch), site);
        assert_eq!(hear(&Placement::default(), 1, "dc2"), Some(settled(1, "dc2")));
        assert_eq!(hear(&Placement::default(), 0, "dc2"), None);
        let at_dc2 = settled(5, "dc2");
        assert_eq!(hear(&at_dc2, 4, "dc1"), None);
        assert_eq!(hear(&at_dc2, 6, "dc3"), Some(settled(6, "dc3")));
        // The same one, of who could not see each other.
        assert_eq!(hear(&at_dc2, 5, "dc1"), Some(settled(5, "dc1")));
        assert_eq!(hear(&at_dc2, 5, "dc3"), None);
        assert_eq!(hear(&at_dc2, 5, "dc2"), None);
    }

    #[test]
    fn a_switch_that_is_over_elsewhere_is_over_here() {
        let forth = by(4, "dc2");
        let locked = after(&settled(3, "dc1"), &forth, [PREPARE]);
        for missed in [locked.clone(), after(&locked, &forth, [Move::Raise(Preference(201))])] {
            let heard = missed.clone().without_lock(Epoch(4)).hear(&group(), Epoch(4), "dc2");
            assert_eq!(heard, Some(settled(4, "dc2")));
            assert_eq!(missed.clone().without_lock(Epoch(3)), missed, "that was the one before");
        }
    }

    #[test]
    fn the_switch_that_a_node_takes_part_in_is_no_news() {
        let locked = after(&settled(3, "dc1"), &by(4, "dc2"), [PREPARE]);
        assert_eq!(locked.hear(&group(), Epoch(4), "dc2"), None);
        assert_eq!(locked.hear(&group(), Epoch(5), "dc3"), Some(settled(5, "dc3")));
        let over = locked.over(LATER).unwrap();
        assert_eq!(over.hear(&group(), Epoch(4), "dc2"), Some(settled(4, "dc2")));
    }
}
