use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Counted;
use crate::types::{RouterId, Time};

/// Which verdicts count.
///
/// A verdict counts as soon as it is there, unless there is a reason to doubt ourselves:
///
/// - **Blind**: no witness answers, so it is us who cannot see. What changed while the witnesses were still being asked is
///   taken back, and nothing counts until they have been seen again for as long as other checks need to recover.
/// - **Frozen**: more groups, or other nodes, have changed within a short time than is likely. Everything stays as it is
///   until the time is over; then every verdict counts as it is by then.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    checks: BTreeMap<String, Kept>,
    limit: Option<Limit>,
    /// What it takes at most to see a witness fail, or recover.
    doubt: Duration,
    blind: Option<Time>,
    /// We see again, and wait until the others do.
    recovers: Option<Time>,
    frozen: Option<Frozen>,
    recent: VecDeque<(Time, Subject)>,
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
    /// These checks are there now, and this limit. `doubt` is what it takes at most to see a witness fail, or recover.
    pub fn configure<'a>(
        &mut self,
        checks: impl Iterator<Item = &'a String>,
        limit: Option<Limit>,
        doubt: Duration,
    ) {
        self.doubt = doubt;
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
        // What is known for the first time has not changed.
        if !self.checks.contains_key(check) && self.blind.or(self.recovers).is_none() {
            return self.take(check, counted, now);
        }
        if self.closed().is_some() {
            return false;
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
        let before = if kept.since + self.doubt >= now { kept.before } else { before };
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
            self.recent.clear();
        }
    }

    /// Whether any witness answers. Says whether something else counts now.
    pub fn see(&mut self, blind: bool, now: Time) -> bool {
        match (blind, self.blind) {
            (true, None) => {
                self.blind = Some(now);
                self.recovers = None;
                let mut changed = false;
                for kept in self.checks.values_mut() {
                    if kept.since + self.doubt >= now && kept.counted != kept.before {
                        kept.counted = kept.before;
                        changed = true;
                    }
                }
                changed
            }
            (false, Some(_)) => {
                self.blind = None;
                self.recovers = Some(now + self.doubt);
                false
            }
            (true, Some(_)) | (false, None) => false,
        }
    }

    /// Ends what is over. Says whether the verdicts count again, and are to be given with [`Gate::take`].
    pub fn tick(&mut self, now: Time) -> bool {
        let was_closed = self.closed().is_some();
        self.frozen = self.frozen.filter(|frozen| frozen.until > now);
        self.recovers = self.recovers.filter(|until| *until > now);
        was_closed && self.closed().is_none()
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
        let checks = ["a", "b", "c"].map(str::to_owned);
        gate.configure(checks.iter(), limit, DOUBT);
        for check in &checks {
            assert!(!gate.take(check, Counted::WELL, Time::ZERO));
        }
        gate
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
        assert!(gate.see(true, at(22)));
        assert_eq!((gate.counted("a"), gate.counted("b")), (DOWN, Counted::WELL));
        assert!(!offer(&mut gate, "c", &[], at(23)));
        assert!(!gate.see(false, at(60)));
        assert!(!offer(&mut gate, "c", &[], at(61)), "it recovers");
        assert_eq!(gate.deadline(), Some(at(63)));
        assert!(gate.tick(at(63)), "from now on all count");
        assert!(gate.take("b", DOWN, at(63)));
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
        assert!(gate.see(true, at(13)));
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
        gate.configure(["a", "b", "c"].map(str::to_owned).iter(), limit(), DOUBT);
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
}
