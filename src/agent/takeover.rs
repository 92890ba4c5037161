//! What has to happen, in order, when a virtual router becomes Active here, and when it is given up.
//!
//! | step | takeover | release, in reverse |
//! |---|---|---|
//! | Commit | connections that the other firewall has told of become known | |
//! | Forwarding | the routes are in the kernel | |
//! | Addresses | the virtual addresses are on the interface | they are taken away |
//! | Link | gratuitous ARP, Neighbor Advertisements | priority 0; the other one is Active |
//! | Area | OSPF tells what goes with the role | OSPF tells less |
//! | Neighbors | BGP tells what goes with the role | BGP tells less |
//!
//! A step is done when that is seen, not when it is ordered. None is waited for longer than its patience: the first hop
//! has moved already, and to stop half way would leave it apart from the routes.
//!
//! An Active that has met another one, after a split, goes through the steps of a takeover again when the other gives way:
//! what it knows of connections is old. Meanwhile it stays what it is, and is announced.
//!
//! Only a release that we begin ourselves goes through the steps. If another one is Active already, or our link is
//! down, the role is gone: everything is undone at once.

use std::fmt::Write as _;
use std::time::Duration;

use crate::types::Time;

/// In the order of a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Commit,
    Forwarding,
    Addresses,
    Link,
    Area,
    Neighbors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Backup,
    Taking(Step),
    Active,
    Releasing(Step),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Its patience was over.
    Late,
    /// It cannot be done, and there is no use in waiting.
    Failed,
}

/// The virtual routers of one sync group, or one alone, on their way between the roles.
#[derive(Clone, Debug)]
pub(super) struct Takeover {
    phase: Phase,
    since: Time,
    /// The step's work has been ordered.
    ordered: bool,
    step_since: Time,
    log: Vec<(Step, Duration, Outcome)>,
    /// We had the role before, and what goes with it stays announced.
    again: bool,
}

impl Takeover {
    pub fn new(now: Time) -> Takeover {
        Takeover {
            phase: Phase::Backup,
            since: now,
            ordered: false,
            step_since: now,
            log: Vec::new(),
            again: false,
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// We are Active.
    pub fn taken(&mut self, now: Time) {
        self.begin(Phase::Taking(Step::Commit), now);
    }

    /// The addresses have vanished while we are Active: from there on again.
    pub fn addresses_lost(&mut self, now: Time) {
        self.begin(Phase::Taking(Step::Addresses), now);
    }

    /// Another one was Active beside us and has given way. The connections that went through it are known to it only, and
    /// the link may have learned from it.
    pub fn confirm(&mut self, now: Time) {
        self.begin(Phase::Taking(Step::Commit), now);
        self.again = true;
    }

    /// We are not Active any more.
    pub fn lost(&mut self, now: Time) {
        self.begin(Phase::Backup, now);
    }

    /// We are to give up the role.
    pub fn release(&mut self, now: Time) {
        self.begin(Phase::Releasing(Step::Neighbors), now);
    }

    fn begin(&mut self, phase: Phase, now: Time) {
        *self = Takeover { phase, ..Takeover::new(now) };
    }

    /// The step whose work is to be ordered now, once.
    pub fn take_order(&mut self) -> Option<Phase> {
        let in_step = matches!(self.phase, Phase::Taking(_) | Phase::Releasing(_));
        (in_step && !std::mem::replace(&mut self.ordered, true)).then_some(self.phase)
    }

    /// How long the present step has taken.
    pub fn step_age(&self, now: Time) -> Duration {
        now - self.step_since
    }

    pub fn step_since(&self) -> Time {
        self.step_since
    }

    /// The present step has ended. Gives what there is to tell once all have.
    pub fn ended(&mut self, outcome: Outcome, now: Time) -> Option<String> {
        let (step, next) = match self.phase {
            Phase::Backup | Phase::Active => return None,
            Phase::Taking(step) => (step, next_of(step).map_or(Phase::Active, Phase::Taking)),
            Phase::Releasing(step) => {
                (step, previous_of(step).map_or(Phase::Backup, Phase::Releasing))
            }
        };
        self.log.push((step, now - self.step_since, outcome));
        self.phase = next;
        self.ordered = false;
        self.step_since = now;
        match next {
            Phase::Active => {
                let what = if self.again { "taken over again" } else { "taken over" };
                self.again = false;
                Some(self.story(what, now))
            }
            Phase::Backup => Some(self.story("released", now)),
            Phase::Taking(_) | Phase::Releasing(_) => None,
        }
    }

    /// Whether the addresses are to be on the interface; `None`: as they are.
    pub fn wants_addresses(&self) -> Option<bool> {
        match self.phase {
            Phase::Backup | Phase::Releasing(Step::Addresses | Step::Forwarding | Step::Commit) => {
                Some(false)
            }
            Phase::Taking(Step::Commit | Step::Forwarding) => None,
            Phase::Taking(_) | Phase::Active | Phase::Releasing(_) => Some(true),
        }
    }

    /// Whether what goes with the role is announced: by the rules of the groups.
    pub fn is_announced(&self) -> bool {
        self.again
            || matches!(self.phase, Phase::Active | Phase::Taking(Step::Area | Step::Neighbors))
    }

    /// Whether OSPF is not to be told yet what is announced now.
    pub fn holds_area(&self) -> bool {
        self.phase == Phase::Releasing(Step::Neighbors)
    }

    /// Whether BGP neighbours are not to be told yet.
    pub fn holds_neighbors(&self) -> bool {
        self.phase == Phase::Taking(Step::Area) && !self.again
    }

    /// `taken over in 12.3 ms: commit 8.1 ms, forwarding 0.0 ms, …`.
    fn story(&self, what: &str, now: Time) -> String {
        let mut text = format!("{what} in {}", millis(now - self.since));
        for (index, (step, span, outcome)) in self.log.iter().enumerate() {
            let separator = if index == 0 { ":" } else { "," };
            let outcome = match (outcome, step) {
                (Outcome::Done, _) => "",
                (Outcome::Late, Step::Area | Step::Neighbors) => " (not acknowledged by all yet)",
                (Outcome::Late, _) => " (not done by then)",
                (Outcome::Failed, _) => " (failed)",
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator} {} {}{outcome}", step.name(), millis(*span));
        }
        text
    }
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Commit => "commit",
            Step::Forwarding => "forwarding",
            Step::Addresses => "addresses",
            Step::Link => "link",
            Step::Area => "OSPF",
            Step::Neighbors => "BGP",
        }
    }
}

fn next_of(step: Step) -> Option<Step> {
    Some(match step {
        Step::Commit => Step::Forwarding,
        Step::Forwarding => Step::Addresses,
        Step::Addresses => Step::Link,
        Step::Link => Step::Area,
        Step::Area => Step::Neighbors,
        Step::Neighbors => return None,
    })
}

/// In a release. What only a takeover has to do is not among them.
fn previous_of(step: Step) -> Option<Step> {
    Some(match step {
        Step::Neighbors => Step::Area,
        Step::Area => Step::Link,
        Step::Link => Step::Addresses,
        Step::Addresses | Step::Forwarding | Step::Commit => return None,
    })
}

fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_takeover_goes_through_all_steps_and_tells_how_long_each_took() {
        let mut takeover = Takeover::new(at(0));
        takeover.taken(at(100));
        let mut steps = Vec::new();
        let mut story = None;
        let mut now = 100;
        while let Some(Phase::Taking(step)) = takeover.take_order() {
            assert_eq!(takeover.take_order(), None, "ordered once");
            assert_eq!(takeover.is_announced(), step >= Step::Area);
            assert_eq!(takeover.holds_neighbors(), step == Step::Area);
            assert!(!takeover.holds_area());
            steps.push(step);
            now += 2;
            let outcome = if step == Step::Commit { Outcome::Failed } else { Outcome::Done };
            story = takeover.ended(outcome, at(now));
        }
        assert!(steps.is_sorted() && steps.len() == 6);
        assert_eq!(takeover.phase(), Phase::Active);
        let told = "taken over in 12.0 ms: commit 2.0 ms (failed), forwarding 2.0 ms, addresses 2.0 ms, \
                    link 2.0 ms, OSPF 2.0 ms, BGP 2.0 ms";
        assert_eq!(story.as_deref(), Some(told));
    }

    /// Neighbours that take their time are no failure: they have been told.
    #[test]
    fn what_is_told_and_not_acknowledged_sounds_like_it() {
        let mut takeover = Takeover::new(at(0));
        takeover.taken(at(0));
        let mut story = None;
        while let Some(Phase::Taking(_)) = takeover.take_order() {
            story = takeover.ended(Outcome::Late, at(0));
        }
        let told = "taken over in 0.0 ms: commit 0.0 ms (not done by then), \
                    forwarding 0.0 ms (not done by then), addresses 0.0 ms (not done by then), \
                    link 0.0 ms (not done by then), OSPF 0.0 ms (not acknowledged by all yet), \
                    BGP 0.0 ms (not acknowledged by all yet)";
        assert_eq!(story.as_deref(), Some(told));
    }

    #[test]
    fn a_release_undoes_in_reverse() {
        let mut takeover = Takeover::new(at(0));
        takeover.release(at(0));
        let mut steps = Vec::new();
        while let Some(Phase::Releasing(step)) = takeover.take_order() {
            assert!(!takeover.is_announced());
            assert_eq!(takeover.holds_area(), step == Step::Neighbors);
            steps.push(step);
            takeover.ended(Outcome::Done, at(0));
        }
        assert_eq!(steps, [Step::Neighbors, Step::Area, Step::Link, Step::Addresses]);
        assert_eq!(takeover.phase(), Phase::Backup);
    }

    #[test]
    fn a_role_that_is_gone_is_gone_at_any_step() {
        let mut takeover = Takeover::new(at(0));
        takeover.taken(at(0));
        takeover.ended(Outcome::Done, at(1));
        takeover.lost(at(2));
        assert_eq!((takeover.phase(), takeover.take_order()), (Phase::Backup, None));
        assert!(!takeover.is_announced() && !takeover.holds_area() && !takeover.holds_neighbors());
        assert_eq!(takeover.ended(Outcome::Done, at(3)), None);
    }
}
