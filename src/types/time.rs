use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A point on the agent's own clock: microseconds since its start. Never runs backwards.
///
/// There is no way to ask for the current time: the driver and the simulator own the clock and
/// hand it in with every event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    pub const ZERO: Time = Time(0);

    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

/// Seconds with six decimals: `12.000250`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A calendar time, for what outlives the process: intents, events. Microseconds since 1970 UTC,
/// written as RFC 3339. The agent derives it from [`Time`] and the calendar time of its start, so
/// a step of the system clock moves no timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Wall {
    pub const fn from_micros(micros: i64) -> Wall {
        Wall(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970 in the 32 bits that formats of that time have: until 2106.
    pub fn unix_seconds(self) -> u32 {
        u32::try_from(self.0.div_euclid(1_000_000)).unwrap_or(0)
    }

    /// Without the fraction, which only a machine reads.
    pub fn to_seconds(self) -> String {
        match Timestamp::from_second(self.0.div_euclid(1_000_000)) {
            Ok(timestamp) => timestamp.to_string(),
            Err(_) => self.to_string(),
        }
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;

    fn add(self, span: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.6}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl Serialize for Wall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        let text = String::deserialize(deserializer)?;
        let timestamp: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Wall(timestamp.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_is_written_as_rfc_3339_and_read_back() {
        let wall = Wall::from_micros(1_795_298_296_000_250);
        let text = serde_json::to_string(&wall).unwrap();
        assert_eq!(text, "\"2026-11-21T21:58:16.000250Z\"");
        assert_eq!(serde_json::from_str::<Wall>(&text).unwrap(), wall);
    }

    #[test]
    fn time_never_underflows() {
        let later = Time::ZERO + Duration::from_secs(2);
        assert_eq!(Time::ZERO - later, Duration::ZERO);
        assert_eq!(later.to_string(), "2.000000");
    }
}
