use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::types::{Time, Wall};

/// The agent's clock: starts at zero and never runs backwards.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: Wall,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { start: Instant::now(), wall: wall() }
    }

    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The calendar time at [`Time::ZERO`].
    pub fn wall_at_start(&self) -> Wall {
        self.wall
    }

    /// When `time` will be, for a sleep.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.since(Time::ZERO)
    }
}

/// What the calendar says now.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The calendar time for a file name: `20261121T215816.000250Z`.
pub fn stamp() -> String {
    wall().to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect()
}
