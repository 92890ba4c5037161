use std::time::Duration;

use crate::types::Time;

/// When a verdict that changes too often is held (RFC 2439 §4.2 has the same parameters for routes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damping {
    /// The penalty halves in this time.
    pub half_life: Duration,
    /// Held from here on. Each change for the worse counts [`Damping::CHANGE`].
    pub hold_above: u32,
    /// Let go from here on.
    pub release_below: u32,
}

impl Damping {
    pub const CHANGE: u32 = 1000;

    /// A verdict is held for no more than so many half-lives after the last change.
    pub const MOST_HALF_LIVES: u32 = 4;

    fn most(self) -> u32 {
        self.release_below.saturating_mul(1 << Damping::MOST_HALF_LIVES)
    }

    /// What is left of `points`.
    pub fn left(self, points: u32, after: Duration) -> u32 {
        let half_life = self.half_life.as_micros().max(1);
        let halves = after.as_micros() / half_life;
        let points = u128::from(points).checked_shr(u32::try_from(halves).unwrap_or(u32::MAX));
        // Within one half-life by a line: the error is below 6 %, and it is the same on every machine.
        let rest = after.as_micros() % half_life;
        let points = points.unwrap_or(0);
        u32::try_from(points - points * rest / half_life / 2).unwrap_or(u32::MAX)
    }
}

/// How much a check has flapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    pub points: u32,
    /// How long ago it was so much.
    pub age: Duration,
    /// It is held.
    pub held: bool,
}

/// The penalty of one check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flapping {
    damping: Damping,
    points: u32,
    at: Time,
    held_until: Option<Time>,
}

impl Flapping {
    pub fn new(damping: Damping, remembered: Option<Penalty>, now: Time) -> Flapping {
        let points = remembered.map_or(0, |before| damping.left(before.points, before.age));
        let mut flapping = Flapping { damping, points, at: now, held_until: None };
        if remembered.is_some_and(|before| before.held) || points >= damping.hold_above {
            flapping.hold();
        }
        flapping
    }

    /// The state has changed for the worse.
    pub fn count(&mut self, now: Time) {
        let points = self.left(now).saturating_add(Damping::CHANGE);
        self.points = points.min(self.damping.most().max(self.damping.hold_above));
        self.at = now;
        if self.held_until.is_some() || self.points >= self.damping.hold_above {
            self.hold();
        }
    }

    /// Until so little is left that it is let go, if nothing more happens.
    fn hold(&mut self) {
        let step = (self.damping.half_life / 64).max(Duration::from_millis(1));
        let mut after = Duration::ZERO;
        while self.damping.left(self.points, after) >= self.damping.release_below.max(1) {
            after += step;
        }
        self.held_until = Some(self.at + after);
    }

    /// Whether the verdict is held.
    pub fn is_held(&mut self, now: Time) -> bool {
        self.held_until = self.held_until.filter(|until| now < *until);
        self.held_until.is_some()
    }

    /// `None`: nothing is left of it.
    pub fn penalty(&self, now: Time) -> Option<Penalty> {
        let points = self.left(now);
        let held = self.held_until.is_some();
        (points > 0).then_some(Penalty { points, age: Duration::ZERO, held })
    }

    fn left(&self, now: Time) -> u32 {
        self.damping.left(self.points, now.since(self.at))
    }

    /// When it is let go.
    pub fn release(&self) -> Option<Time> {
        self.held_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAMPING: Damping =
        Damping { half_life: Duration::from_secs(60), hold_above: 2500, release_below: 750 };

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_penalty_halves_in_each_half_life() {
        let left = |seconds| DAMPING.left(4000, Duration::from_secs(seconds));
        assert_eq!([0, 30, 60, 120, 600, 1_000_000].map(left), [4000, 3000, 2000, 1000, 3, 0]);
    }

    #[test]
    fn the_third_change_within_a_short_time_holds_and_quiet_lets_go() {
        let mut flapping = Flapping::new(DAMPING, None, at(0));
        flapping.count(at(0));
        flapping.count(at(1));
        assert!(!flapping.is_held(at(1)));
        flapping.count(at(2));
        assert!(flapping.is_held(at(2)));
        let release = flapping.release().unwrap();
        // Two half-lives and a little, from 2980 points to 750.
        assert!(at(2 + 115) < release && release < at(2 + 130), "{release}");
        assert!(flapping.is_held(at(100)));
        assert!(!flapping.is_held(release));
        assert_eq!(flapping.release(), None);
    }

    #[test]
    fn however_often_it_flaps_it_is_let_go_four_half_lives_later() {
        let mut flapping = Flapping::new(DAMPING, None, at(0));
        (0..1000).for_each(|second| flapping.count(at(second)));
        assert!(flapping.release().unwrap() <= at(1000 + 4 * 60 + 1));
    }

    #[test]
    fn a_penalty_outlives_a_restart() {
        let restored = |points, age, held| {
            let penalty = Penalty { points, age: Duration::from_secs(age), held };
            Flapping::new(DAMPING, Some(penalty), at(0)).is_held(at(0))
        };
        assert!(restored(4000, 10, false));
        assert!(!restored(4000, 120, false));
        // What was held stays so until it would have been let go.
        assert!(restored(4000, 120, true));
        assert!(!restored(4000, 180, true));
    }
}
