use std::time::Duration;

use super::OnAllDown;
use crate::types::Time;

/// Whether an announcement that nobody wants here may go.
///
/// It goes in two steps. First it is only lowered, for as long as it takes every other site to see that. Then it goes, but
/// only while enough other sites announce something *better*: of sites that all want to go, each sees the others lowered,
/// and as better is a strict order, at least one of them finds nobody better than itself, and stays. When the others go,
/// it comes back at once, and the two steps begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Since when it has been lowered and announced.
    since: Time,
    /// Since when no other site has announced anything better.
    alone: Option<Time>,
    decision: Decision,
    /// When time alone may decide otherwise.
    due: Option<Time>,
}

/// Why it is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// A level of 0: if the other sites do not need it.
    pub unwanted: bool,
    /// Its checks are down here: what is to be done if no other site has anything better.
    pub all_down: Option<OnAllDown>,
    /// So many other sites must announce something better.
    pub min_sites: usize,
}

/// What other sites announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Sites that announce something better than we do when lowered.
    pub better: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has been lowered; others have to see that first.
    Wait,
    /// The guard: too few other sites have something better.
    Keep,
    /// Other sites have it.
    Go,
    /// Nobody has it, and that is said to be better than having it from here.
    GoAlone,
    /// Nobody has it any better, so it stays as it is here.
    KeepAlone,
}

/// From a change of an announcement until every other site has seen it, with much to spare.
const SEEN: Duration = Duration::from_secs(2);

impl Withdrawal {
    /// It is lowered from now on.
    pub fn new(now: Time) -> Withdrawal {
        Withdrawal { since: now, alone: None, decision: Decision::Wait, due: None }
    }

    pub fn decide(&mut self, wish: Wish, elsewhere: Elsewhere, now: Time) -> Decision {
        let better = elsewhere.better;
        self.alone = (better == 0).then(|| self.alone.unwrap_or(now));
        let seen = now >= self.since + SEEN;
        let alone = self.alone.is_some_and(|alone| seen && now >= alone + SEEN);
        let served = wish.min_sites == 0 || (seen && better >= wish.min_sites);
        let goes_alone = wish.all_down == Some(OnAllDown::Withdraw);
        let decision = if wish.unwanted && served {
            Decision::Go
        } else if goes_alone && alone {
            Decision::GoAlone
        } else if wish.unwanted && seen && (!goes_alone || better > 0) {
            Decision::Keep
        } else if wish.all_down == Some(OnAllDown::Keep) && alone {
            Decision::KeepAlone
        } else {
            Decision::Wait
        };
        let was_gone = matches!(self.decision, Decision::Go | Decision::GoAlone);
        let goes = matches!(decision, Decision::Go | Decision::GoAlone);
        if was_gone && !goes {
            // Others have to see it again.
            self.since = now;
        }
        self.decision = decision;
        let alone = self.alone.map(|alone| alone + SEEN);
        self.due =
            [Some(self.since + SEEN), alone].into_iter().flatten().filter(|at| *at > now).min();
        decision
    }

    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// When to decide again, if nothing else changes.
    pub fn deadline(&self) -> Option<Time> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNWANTED: Wish = Wish { unwanted: true, all_down: None, min_sites: 1 };

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// What is decided at each time, with so many better sites.
    fn decisions(wish: Wish, course: &[(u64, usize)]) -> Vec<Decision> {
        let mut withdrawal = Withdrawal::new(at(0));
        let mut decide =
            |&(now, better): &(u64, usize)| withdrawal.decide(wish, Elsewhere { better }, at(now));
        course.iter().map(&mut decide).collect()
    }

    #[test]
    fn it_goes_when_it_was_seen_lowered_and_another_site_has_it() {
        use Decision::{Go, Keep, Wait};
        let course = [(0, 1), (1999, 1), (2000, 1), (60_000, 1), (60_001, 0), (60_002, 1)];
        assert_eq!(decisions(UNWANTED, &course), [Wait, Wait, Go, Go, Keep, Wait]);
        assert_eq!(decisions(UNWANTED, &[(0, 0), (2000, 0), (9000, 1)]), [Wait, Keep, Go]);
        let two = Wish { min_sites: 2, ..UNWANTED };
        assert_eq!(decisions(two, &[(3000, 1), (4000, 2)]), [Keep, Go]);
    }

    #[test]
    fn without_a_guard_it_goes_at_once() {
        let wish = Wish { min_sites: 0, ..UNWANTED };
        assert_eq!(decisions(wish, &[(0, 0)]), [Decision::Go]);
    }

    #[test]
    fn what_is_down_everywhere_goes_only_if_that_is_said() {
        use Decision::{Go, GoAlone, Keep, KeepAlone, Wait};
        let all_down = Some(OnAllDown::Withdraw);
        let wish = Wish { unwanted: false, all_down, min_sites: 1 };
        let course = [(0, 0), (1999, 0), (2000, 0), (5000, 1), (6000, 0), (7999, 0), (8000, 0)];
        let expected = [Wait, Wait, GoAlone, Wait, Wait, Wait, GoAlone];
        assert_eq!(decisions(wish, &course), expected);
        let kept = expected.map(|decision| if decision == GoAlone { KeepAlone } else { decision });
        let wish = Wish { all_down: Some(OnAllDown::Keep), ..wish };
        assert_eq!(decisions(wish, &course), kept);
        // Where it is unwanted as well, it is that guard that keeps it.
        let wish = Wish { unwanted: true, ..wish };
        assert_eq!(decisions(wish, &[(0, 0), (2000, 0), (5000, 1)]), [Wait, Keep, Go]);
    }

    #[test]
    fn a_deadline_is_there_while_time_alone_decides() {
        let mut withdrawal = Withdrawal::new(at(0));
        withdrawal.decide(UNWANTED, Elsewhere { better: 1 }, at(0));
        assert_eq!(withdrawal.deadline(), Some(at(2000)));
        withdrawal.decide(UNWANTED, Elsewhere { better: 1 }, at(2000));
        assert_eq!(withdrawal.deadline(), None);
    }

    /// Sites that all go down see each other late. Whatever they do when, one of them stays, and in the end exactly the
    /// best does.
    #[test]
    fn of_sites_that_all_want_to_go_one_stays() {
        let mut rng = crate::types::Rng::new(7);
        for _ in 0..300 {
            let sites = 2 + rng.below(3) as usize;
            let failed: Vec<u64> = (0..sites).map(|_| rng.below(4000)).collect();
            let delay = 1 + rng.below(900);
            let mut withdrawals: Vec<Option<Withdrawal>> = vec![None; sites];
            // What each has announced in each step of 10 ms: the smaller the better, lowered ones from 100 on.
            let mut shown: Vec<Vec<Option<usize>>> = Vec::new();
            for step in 0..1500_u64 {
                let now = step * 10;
                let seen = shown.get((now.saturating_sub(delay) / 10) as usize).cloned();
                let mut announced = Vec::new();
                for site in 0..sites {
                    if now < failed[site] {
                        announced.push(Some(site));
                        continue;
                    }
                    let withdrawal =
                        withdrawals[site].get_or_insert_with(|| Withdrawal::new(at(now)));
                    let seen = seen.iter().flatten().enumerate();
                    let better = |(other, level): (usize, &Option<usize>)| {
                        other != site && level.is_some_and(|level| level < 100 + site)
                    };
                    let better = seen.filter(|seen| better(*seen)).count();
                    let decision = withdrawal.decide(UNWANTED, Elsewhere { better }, at(now));
                    announced.push((decision != Decision::Go).then_some(100 + site));
                }
                assert!(announced.iter().any(Option::is_some), "at {now} ms, {failed:?} {delay}");
                shown.push(announced);
            }
            let last: Vec<bool> = shown.last().unwrap().iter().map(Option::is_some).collect();
            let only_the_best = (0..sites).map(|site| site == 0).collect::<Vec<_>>();
            assert_eq!(last, only_the_best, "{failed:?} {delay}");
        }
    }
}
