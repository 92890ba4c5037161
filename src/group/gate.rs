use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Counted;
use crate::types::{RouterId, Time};

/// Which verdicts count.
///
/// A verdict counts as soon as it is there, unless there is a reason to doubt ourselves:
///
/// - **Blind**: no witness answers, so it is us who cannot see. What changed while the witnesses were still being asked is
///   taken back, and nothing counts until one has been seen again for as long as other checks need to recover.
/// - **Frozen**: more groups, or other nodes, have changed within a short time than is likely. Everything stays as it is
///   until the time is over; then every verdict counts as it is by then.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    checks: BTreeMap<String, Kept>,
    limit: Option<Limit>,
    patience: Patience,
    blind: Option<Time>,
    /// We see again, and wait until the others do.
    recovers: Option<Time>,
    frozen: Option<Frozen>,
    recent: VecDeque<(Time, Subject)>,
    /// Something may have been held back that nobody has looked at since.
    was_closed: bool,
}

/// How long to doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// What it takes at most to see that no witness answers.
    pub doubt: Duration,
    /// What it takes at most, after that is over, until every check is seen to do well again.
    pub recovery: Duration,
}

/// Whether we see anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A witness answers, or there is none to ask.
    Clear,
    /// A witness that is not known yet, or not any more, proves nothing.
    Unsure,
    Blind,
}

/// More changes than this say more of us than of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub more_than: usize,
    pub within: Duration,
    pub freeze: Duration,
}

/// Why no verdict counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    Blind {
        since: Time,
    },
    /// No longer blind, but not sure yet.
    Recovering {
        until: Time,
    },
    Frozen {
        until: Time,
        what: &'static str,
        more_than: usize,
        within: Duration,
    },
}

#[derive(Clone, Debug)]
struct Kept {
    counted: Counted,
    /// When that changed, and what it was so long before that no doubt concerns it.
    since: Time,
    before: Counted,
}

#[derive(Clone, Copy, Debug)]
struct Frozen {
    until: Time,
    what: &'static str,
    limit: Limit,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Group(String),
    Node(RouterId),
}

impl Gate {
    /// These checks are there now, and this limit.
    pub fn configure<'a>(
        &mut self,
        checks: impl Iterator<Item = &'a String>,
        limit: Option<Limit>,
        patience: Patience,
    ) {
        self.patience = patience;
        let there: BTreeSet<&String> = checks.collect();
        self.checks.retain(|name, _| there.contains(name));
        self.limit = limit;
        if limit.is_none() {
            (self.frozen, self.recent) = Default::default();
        }
    }

    /// What counts of a check.
    pub fn counted(&self, check: &str) -> Counted {
        self.checks.get(check).map_or(Counted::WELL, |kept| kept.counted)
    }

    /// A check has another verdict, by which these groups would change. Says whether it counts.
    pub fn offer(
        &mut self,
        check: &str,
        counted: Counted,
        groups: impl Iterator<Item = String>,
        now: Time,
    ) -> bool {
        if self.closed().is_some() {
            return false;
        }
        // What is known for the first time has not changed.
        if !self.checks.contains_key(check) {
            return self.take(check, counted, now);
        }
        self.note(groups.map(Subject::Group), "groups", now);
        if self.closed().is_some() {
            return false;
        }
        self.take(check, counted, now)
    }

    /// Another node announces something else than before. Says whether that was one too many.
    pub fn node_changed(&mut self, router: RouterId, now: Time) -> bool {
        let was_frozen = self.frozen.is_some();
        self.note(std::iter::once(Subject::Node(router)), "nodes", now);
        !was_frozen && self.frozen.is_some()
    }

    /// A check was known to be so in an earlier life, which no doubt of this one concerns.
    pub fn remember(&mut self, check: &str, counted: Counted, now: Time) {
        let kept = Kept { counted, since: now, before: counted };
        self.checks.entry(check.to_owned()).or_insert(kept);
    }

    /// Whatever is doubted, this is so. Says whether it is something else than before.
    pub fn take(&mut self, check: &str, counted: Counted, now: Time) -> bool {
        let before = self.counted(check);
        let kept = self.checks.entry(check.to_owned()).or_insert(Kept {
            counted: before,
            since: now,
            before,
        });
        if kept.counted == counted {
            return false;
        }
        let before = if kept.since + self.patience.doubt >= now { kept.before } else { before };
        *kept = Kept { counted, since: now, before };
        true
    }

    fn note(&mut self, subjects: impl Iterator<Item = Subject>, what: &'static str, now: Time) {
        let Some(limit) = self.limit.filter(|_| self.frozen.is_none()) else { return };
        self.recent.extend(subjects.map(|subject| (now, subject)));
        while self.recent.front().is_some_and(|(at, _)| *at + limit.within < now) {
            self.recent.pop_front();
        }
        let of = |nodes: bool| {
            let is = |subject: &&Subject| matches!(subject, Subject::Node(_)) == nodes;
            let all: BTreeSet<&Subject> = self.recent.iter().map(|(_, s)| s).filter(is).collect();
            all.len()
        };
        if of(true).max(of(false)) > limit.more_than {
            self.frozen = Some(Frozen { until: now + limit.freeze, what, limit });
            self.was_closed = true;
            self.recent.clear();
        }
    }

    /// Whether any witness answers. Says whether something else counts now.
    pub fn see(&mut self, sight: Sight, now: Time) -> bool {
        match (sight, self.blind) {
            (Sight::Blind, None) => {
                self.blind = Some(now);
                self.recovers = None;
                self.was_closed = true;
                let mut changed = false;
                for kept in self.checks.values_mut() {
                    if kept.since + self.patience.doubt >= now && kept.counted != kept.before {
                        kept.counted = kept.before;
                        changed = true;
                    }
                }
                changed
            }
            (Sight::Clear, Some(_)) => {
                self.blind = None;
                self.recovers = Some(now + self.patience.recovery);
                false
            }
            (Sight::Blind | Sight::Unsure, Some(_)) | (Sight::Clear | Sight::Unsure, None) => false,
        }
    }

    /// Ends what is over. Says whether the verdicts count again, and are to be given with [`Gate::take`].
    pub fn tick(&mut self, now: Time) -> bool {
        self.frozen = self.frozen.filter(|frozen| frozen.until > now);
        self.recovers = self.recovers.filter(|until| *until > now);
        let is_closed = self.closed().is_some();
        std::mem::replace(&mut self.was_closed, is_closed) && !is_closed
    }

    pub fn is_blind(&self) -> bool {
        self.blind.is_some()
    }

    pub fn deadline(&self) -> Option<Time> {
        self.frozen.map(|frozen| frozen.until).into_iter().chain(self.recovers).min()
    }

    /// Why no verdict counts; `None`: each does.
    pub fn closed(&self) -> Option<Closed> {
        if let Some(since) = self.blind {
            return Some(Closed::Blind { since });
        }
        if let Some(until) = self.recovers {
            return Some(Closed::Recovering { until });
        }
        let Frozen { until, what, limit } = self.frozen?;
        Some(Closed::Frozen { until, what, more_than: limit.more_than, within: limit.within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State;

    const DOWN: Counted = Counted { state: State::Down, grade: 0 };
    const DOUBT: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// Three checks that are known to be well.
    fn gate(limit: Option<Limit>) -> Gate {
        let mut gate = Gate::default();
        configure(&mut gate, &["a", "b", "c"], limit);
        for check in ["a", "b", "c"] {
            assert!(!gate.take(check, Counted::WELL, Time::ZERO));
        }
        gate
    }

    fn configure(gate: &mut Gate, checks: &[&str], limit: Option<Limit>) {
        let checks: Vec<String> = checks.iter().map(|check| (*check).to_owned()).collect();
        let patience = Patience { doubt: DOUBT, recovery: Duration::from_secs(4) };
        gate.configure(checks.iter(), limit, patience);
    }

    fn limit() -> Option<Limit> {
        let (within, freeze) = (Duration::from_secs(10), Duration::from_secs(300));
        Some(Limit { more_than: 2, within, freeze })
    }

    fn offer(gate: &mut Gate, check: &str, groups: &[&str], now: Time) -> bool {
        gate.offer(check, DOWN, groups.iter().map(|group| (*group).to_owned()), now)
    }

    #[test]
    fn who_goes_blind_takes_back_what_was_seen_last() {
        let mut gate = gate(None);
        assert!(offer(&mut gate, "a", &[], at(10)));
        assert!(offer(&mut gate, "b", &[], at(20)));
        assert!(gate.see(Sight::Blind, at(22)));
        assert_eq!((gate.counted("a"), gate.counted("b")), (DOWN, Counted::WELL));
        assert!(!offer(&mut gate, "c", &[], at(23)));
        assert!(!gate.see(Sight::Clear, at(60)));
        assert!(!offer(&mut gate, "c", &[], at(61)), "it recovers");
        assert_eq!(gate.deadline(), Some(at(64)));
        assert!(!gate.tick(at(63)));
        assert!(gate.tick(at(64)), "from now on all count");
        assert!(gate.take("b", DOWN, at(64)));
        assert_eq!((gate.counted("b"), gate.closed()), (DOWN, None));
    }

    #[test]
    fn what_changed_twice_in_the_doubt_is_taken_back_altogether() {
        let slow = Counted { state: State::Slow, grade: 0 };
        let mut gate = gate(None);
        assert!(gate.take("a", slow, at(10)));
        assert!(gate.take("a", DOWN, at(12)));
        assert!(gate.take("b", slow, at(5)));
        assert!(gate.take("b", DOWN, at(12)));
        assert!(gate.see(Sight::Blind, at(13)));
        assert_eq!((gate.counted("a"), gate.counted("b")), (Counted::WELL, slow));
    }

    #[test]
    fn too_many_groups_at_once_freeze() {
        let mut gate = gate(limit());
        assert!(offer(&mut gate, "a", &["g1", "g2"], at(0)));
        // Twice the same group is one; and what is long ago does not count.
        assert!(offer(&mut gate, "b", &["g2"], at(5)));
        assert!(!offer(&mut gate, "c", &["g3"], at(10)), "the third");
        assert_eq!(gate.counted("c"), Counted::WELL);
        assert_eq!(
            gate.closed(),
            Some(Closed::Frozen {
                until: at(310),
                what: "groups",
                more_than: 2,
                within: Duration::from_secs(10)
            })
        );
        // Nothing is raised either, and the time is not made longer.
        assert!(!gate.offer("a", Counted::WELL, std::iter::once("g1".to_owned()), at(20)));
        assert_eq!((gate.counted("a"), gate.deadline()), (DOWN, Some(at(310))));
        assert!(gate.tick(at(310)));
        assert!(offer(&mut gate, "c", &["g3"], at(310)));
    }

    #[test]
    fn changes_that_are_far_apart_are_none_too_many() {
        let mut gate = gate(limit());
        for (index, check) in ["a", "b", "c"].into_iter().enumerate() {
            let group = format!("g{index}");
            assert!(offer(&mut gate, check, &[&group], at(11 * index as u64)));
        }
    }

    #[test]
    fn what_is_known_for_the_first_time_has_not_changed() {
        let mut gate = Gate::default();
        configure(&mut gate, &["a", "b", "c"], limit());
        for check in ["a", "b", "c"] {
            assert!(offer(&mut gate, check, &["g1", "g2", "g3"], at(0)));
        }
    }

    #[test]
    fn other_nodes_are_counted_apart_from_groups() {
        let mut gate = gate(limit());
        assert!(offer(&mut gate, "a", &["g1", "g2"], at(0)));
        assert!(!gate.node_changed(RouterId::from_bits(1), at(1)));
        assert!(!gate.node_changed(RouterId::from_bits(2), at(2)));
        assert!(gate.node_changed(RouterId::from_bits(3), at(3)));
        assert!(!offer(&mut gate, "b", &[], at(4)));
    }

    #[test]
    fn only_a_witness_that_answers_ends_blindness() {
        let mut gate = gate(None);
        gate.see(Sight::Unsure, at(5));
        assert_eq!(gate.closed(), None);
        gate.see(Sight::Blind, at(10));
        gate.see(Sight::Unsure, at(20));
        assert_eq!(gate.closed(), Some(Closed::Blind { since: at(10) }));
        gate.see(Sight::Clear, at(30));
        assert_eq!(gate.closed(), Some(Closed::Recovering { until: at(34) }));
        // Blind again, before it was over: what counted before still does.
        gate.see(Sight::Blind, at(32));
        assert!(!gate.tick(at(40)));
        assert_eq!(gate.closed(), Some(Closed::Blind { since: at(32) }));
    }

    #[test]
    fn what_is_new_while_nothing_counts_does_not_count_either() {
        for close in [Sight::Blind, Sight::Clear] {
            let mut gate = gate(limit());
            match close {
                Sight::Blind => assert!(!gate.see(Sight::Blind, at(1))),
                _ => assert!(!offer(&mut gate, "a", &["g1", "g2", "g3"], at(1))),
            }
            configure(&mut gate, &["a", "b", "c", "new"], limit());
            assert!(!offer(&mut gate, "new", &["g4"], at(2)));
            assert_eq!(gate.counted("new"), Counted::WELL);
        }
    }

    #[test]
    fn what_was_down_in_an_earlier_life_is_not_taken_back() {
        let mut gate = gate(None);
        configure(&mut gate, &["a", "b", "c", "old", "new"], None);
        gate.remember("old", DOWN, at(0));
        assert!(offer(&mut gate, "new", &[], at(1)));
        assert!(gate.see(Sight::Blind, at(2)));
        assert_eq!((gate.counted("old"), gate.counted("new")), (DOWN, Counted::WELL));
        gate.remember("a", DOWN, at(3));
        assert_eq!(gate.counted("a"), Counted::WELL, "this life knows better");
    }

    #[test]
    fn a_freeze_that_is_configured_away_is_over_for_all_that_it_held_back() {
        let mut gate = gate(limit());
        assert!(!offer(&mut gate, "a", &["g1", "g2", "g3"], at(1)));
        configure(&mut gate, &["a", "b", "c"], None);
        assert_eq!(gate.closed(), None);
        assert!(gate.tick(at(2)), "all is to be looked at again");
        assert!(!gate.tick(at(3)));
    }

    #[test]
    fn while_frozen_and_blind_the_later_end_counts() {
        let mut gate = gate(limit());
        gate.see(Sight::Blind, at(1));
        for node in 1..=3 {
            gate.node_changed(RouterId::from_bits(node), at(2));
        }
        gate.see(Sight::Clear, at(10));
        assert!(!gate.tick(at(14)), "it is frozen still");
        assert!(matches!(gate.closed(), Some(Closed::Frozen { what: "nodes", .. })));
        assert!(gate.tick(at(302)));
    }

    /// What goes on to change after a freeze freezes it again.
    #[test]
    fn a_freeze_that_ends_too_soon_begins_anew() {
        let mut gate = gate(limit());
        assert!(!offer(&mut gate, "a", &["g1", "g2", "g3"], at(0)));
        assert!(gate.tick(at(300)));
        assert!(gate.take("a", DOWN, at(300)), "as it is by then");
        for (check, group) in [("a", "g1"), ("b", "g2")] {
            let is = if check == "a" { Counted::WELL } else { DOWN };
            assert!(gate.offer(check, is, std::iter::once(group.to_owned()), at(301)));
        }
        assert!(!offer(&mut gate, "c", &["g3"], at(302)));
        assert_eq!(gate.deadline(), Some(at(602)));
    }
}
