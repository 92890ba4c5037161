use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::Offset;

use crate::types::Wall;

/// A time in which a group is not switched: `Fri 16:00 - Mon 08:00` of each week, `07:30 - 18:00` of each day, or
/// `2026-12-20 00:00 - 2027-01-04 08:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// As it is configured.
    pub text: String,
    when: When,
    /// The clock that it is told by is so much ahead of UTC, in seconds.
    ahead: i64,
}

/// In minutes by that clock, since the beginning of a day or a week, or since 1970. The end is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Again { period: i64, from: i64, to: i64 },
    Once { from: i64, to: i64 },
}

/// Why a text is no window, as a label beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFreeze {
    #[error("expected two times with ` - ` between them")]
    Syntax,
    #[error("one end is told by the day of the week or the date, the other is not")]
    Mixed,
    #[error("ends when it begins")]
    Empty,
    #[error("ends before it begins")]
    Reversed,
}

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// A week begins on Monday, and 1970 began on a Thursday.
const FIRST_DAY: i64 = 3;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One end of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Minute of a day.
    Daily(i64),
    /// Minute of a week.
    Weekly(i64),
    /// Minute since 1970.
    Date(i64),
}

impl Freeze {
    /// By a clock that is `offset` ahead of UTC.
    pub fn parse(text: &str, offset: Offset) -> Result<Freeze, NotFreeze> {
        let (from, to) = text.split_once(" - ").ok_or(NotFreeze::Syntax)?;
        let point = |text: &str| text.trim().parse::<Point>();
        let (when, from, to) = match (point(from)?, point(to)?) {
            (Point::Daily(from), Point::Daily(to)) => {
                (When::Again { period: DAY, from, to }, from, to)
            }
            (Point::Weekly(from), Point::Weekly(to)) => {
                (When::Again { period: WEEK, from, to }, from, to)
            }
            (Point::Date(from), Point::Date(to)) if to < from => return Err(NotFreeze::Reversed),
            (Point::Date(from), Point::Date(to)) => (When::Once { from, to }, from, to),
            _ => return Err(NotFreeze::Mixed),
        };
        if from == to {
            return Err(NotFreeze::Empty);
        }
        Ok(Freeze { text: text.to_owned(), when, ahead: offset.seconds().into() })
    }

    /// When it ends, if it is in force.
    pub fn ends(&self, now: Wall) -> Option<Wall> {
        const MINUTE: i64 = 60_000_000;
        let ahead = self.ahead * 1_000_000;
        let here = (now.as_micros() + ahead).div_euclid(MINUTE);
        let to = match self.when {
            When::Once { from, to } => (from..to).contains(&here).then_some(to)?,
            When::Again { period, from, to } => {
                let lasts = (to - from).rem_euclid(period);
                let passed = (here + FIRST_DAY * DAY - from).rem_euclid(period);
                (passed < lasts).then_some(here - passed + lasts)?
            }
        };
        Some(Wall::from_micros(to * MINUTE - ahead))
    }
}

/// The window that is in force, and when the group can be switched again: another may begin before the first has ended.
pub fn frozen(windows: &[Freeze], now: Wall) -> Option<(&Freeze, Wall)> {
    let in_force = |at: Wall| windows.iter().find_map(|window| Some((window, window.ends(at)?)));
    let (first, mut end) = in_force(now)?;
    // Windows that never leave a gap would go on for ever.
    let far = now + Duration::from_secs(366 * 24 * 3600);
    while let Some((_, later)) = in_force(end).filter(|_| end < far) {
        end = later;
    }
    Some((first, end))
}

impl FromStr for Point {
    type Err = NotFreeze;

    fn from_str(text: &str) -> Result<Point, NotFreeze> {
        let Some((day, time)) = text.split_once(' ') else {
            return Ok(Point::Daily(minute(text)?));
        };
        let minute = minute(time.trim_start())?;
        let weekday = DAYS.iter().position(|name| name.eq_ignore_ascii_case(day));
        if let Some(day) = weekday.and_then(|day| i64::try_from(day).ok()) {
            return Ok(Point::Weekly(day * DAY + minute));
        }
        let date: jiff::civil::Date = day.parse().map_err(|_| NotFreeze::Syntax)?;
        let begin = DateTime::from_parts(date, Time::midnight());
        let begin: Timestamp = Offset::UTC.to_timestamp(begin).map_err(|_| NotFreeze::Syntax)?;
        Ok(Point::Date(begin.as_second() / 60 + minute))
    }
}

/// `16:00`, as a minute of the day.
fn minute(text: &str) -> Result<i64, NotFreeze> {
    let number = |text: &str, below: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|number| is_number && *number < below);
        number.ok_or(NotFreeze::Syntax)
    };
    let (hour, minute) = text.split_once(':').ok_or(NotFreeze::Syntax)?;
    Ok(number(hour, 24)? * 60 + number(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        let at: Timestamp = text.parse().unwrap();
        Wall::from_micros(at.as_microsecond())
    }

    fn window(text: &str, hours: i8) -> Freeze {
        Freeze::parse(text, Offset::constant(hours)).unwrap()
    }

    /// When the window ends at these times, if it is in force.
    #[track_caller]
    fn check(window: &Freeze, times: &[(&str, Option<&str>)]) {
        for (now, end) in times {
            assert_eq!(window.ends(wall(now)), end.map(wall), "{} at {now}", window.text);
        }
    }

    #[test]
    fn a_weekend_is_frozen_every_week() {
        // 2026-11-20 is a Friday.
        let monday = Some("2026-11-23T08:00:00Z");
        let times = [
            ("2026-11-20T15:59:59.999999Z", None),
            ("2026-11-20T16:00:00Z", monday),
            ("2026-11-22T23:59:00Z", monday),
            ("2026-11-23T00:00:00Z", monday),
            ("2026-11-23T07:59:59.999999Z", monday),
            ("2026-11-23T08:00:00Z", None),
            ("2026-12-04T16:00:00Z", Some("2026-12-07T08:00:00Z")),
            ("1969-12-26T16:00:00Z", Some("1969-12-29T08:00:00Z")),
        ];
        check(&window("Fri 16:00 - Mon 08:00", 0), &times);
        let within = [
            ("2026-11-24T09:00:00Z", Some("2026-11-26T12:30:00Z")),
            ("2026-11-26T12:30:00Z", None),
        ];
        check(&window("tue 09:00 - THU 12:30", 0), &within);
    }

    #[test]
    fn a_day_may_end_behind_midnight() {
        let nightly = [
            ("2026-11-20T21:59:00Z", None),
            ("2026-11-20T22:00:00Z", Some("2026-11-21T06:00:00Z")),
            ("2026-11-21T05:59:00Z", Some("2026-11-21T06:00:00Z")),
            ("2026-11-21T06:00:00Z", None),
        ];
        check(&window("22:00 - 06:00", 0), &nightly);
    }

    #[test]
    fn a_date_comes_once() {
        let times = [
            ("2026-12-19T23:59:00Z", None),
            ("2026-12-20T00:00:00Z", Some("2027-01-04T08:00:00Z")),
            ("2027-01-04T07:59:00Z", Some("2027-01-04T08:00:00Z")),
            ("2027-01-04T08:00:00Z", None),
            ("2027-12-21T00:00:00Z", None),
        ];
        check(&window("2026-12-20 00:00 - 2027-01-04 08:00", 0), &times);
    }

    #[test]
    fn the_clock_may_be_ahead_of_utc_or_behind() {
        let ahead = [
            ("2026-11-20T14:59:00Z", None),
            ("2026-11-20T15:00:00Z", Some("2026-11-23T07:00:00Z")),
        ];
        check(&window("Fri 16:00 - Mon 08:00", 1), &ahead);
        let behind = [
            ("2026-11-21T00:00:00Z", Some("2026-11-23T16:00:00Z")),
            ("2026-11-23T16:00:00Z", None),
        ];
        check(&window("Fri 16:00 - Mon 08:00", -8), &behind);
        let date = [("2026-12-19T23:00:00Z", Some("2026-12-20T11:00:00Z"))];
        check(&window("2026-12-20 00:00 - 2026-12-20 12:00", 1), &date);
    }

    #[test]
    fn what_is_no_window_says_why() {
        let wrong = |text: &str| Freeze::parse(text, Offset::UTC).unwrap_err();
        for text in [
            "",
            "Fri 16:00",
            "Fri 16:00-Mon 08:00",
            "Fri - Mon",
            "Fry 16:00 - Mon 08:00",
            "24:00 - 06:00",
            "22:60 - 06:00",
            "9:00 - 10:00",
            "+9:00 - 10:00",
            "2026-02-30 00:00 - 2026-03-01 00:00",
        ] {
            assert_eq!(wrong(text), NotFreeze::Syntax, "{text}");
        }
        assert_eq!(wrong("Fri 16:00 - 08:00"), NotFreeze::Mixed);
        assert_eq!(wrong("2026-12-20 00:00 - Mon 08:00"), NotFreeze::Mixed);
        assert_eq!(wrong("Fri 16:00 - Fri 16:00"), NotFreeze::Empty);
        assert_eq!(wrong("2026-12-20 00:00 - 2026-12-19 00:00"), NotFreeze::Reversed);
    }

    #[test]
    fn windows_that_follow_each_other_end_together() {
        let all = ["07:00 - 18:00", "17:00 - 22:00", "Sun 00:00 - Mon 00:00"];
        let all = all.map(|text| window(text, 0));
        let (first, end) = frozen(&all, wall("2026-11-20T08:00:00Z")).unwrap();
        assert_eq!((first.text.as_str(), end), ("07:00 - 18:00", wall("2026-11-20T22:00:00Z")));
        assert_eq!(frozen(&all, wall("2026-11-20T22:00:00Z")), None);
        let ever = ["00:00 - 12:00", "12:00 - 00:00"].map(|text| window(text, 0));
        assert!(frozen(&ever, wall("2026-11-20T22:00:00Z")).is_some());
    }
}
