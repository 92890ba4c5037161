use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Outcome, Settings};
use crate::types::Time;

/// Asks the service of a group all the time, and keeps what a switch looked like from here.
#[derive(Clone, Debug)]
pub struct Watcher {
    settings: Arc<Settings>,
    /// Begun, by number.
    running: BTreeMap<u64, Time>,
    number: u64,
    asked_at: Time,
    began: Time,
    answered_at: Option<Time>,
    longest: Duration,
    ended: u32,
    lost: u32,
    samples: Samples,
    session: Session,
    actions: VecDeque<(u64, Arc<Settings>)>,
}

/// A connection that is held from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Session {
    /// None could be made, or the other side has ended it in good order.
    #[default]
    None,
    Since(Time),
    Lost,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Questions that have ended, but for those that could not be asked.
    pub asked: u32,
    /// Those that were not answered.
    pub lost: u32,
    /// Longest time without an answer.
    pub longest: Duration,
    /// How long each answer took, in microseconds, in the order of the questions; 0: there was none. Of several in a row the
    /// worst, if there were too many.
    pub answers: Vec<u32>,
    /// Whether a connection was kept; `None`: there was none, or not for long enough to tell.
    pub session_kept: Option<bool>,
}

/// Questions at a time: a service that is away is still asked, so that its return is seen.
const MOST: u32 = 20;
/// Whether a held connection still stands is asked each second.
const TO_TELL: Duration = Duration::from_secs(2);
const LEAST_INTERVAL: Duration = Duration::from_millis(20);
const MOST_INTERVAL: Duration = Duration::from_millis(50);
/// Half as long as it takes to ask [`MOST`]: to connect, and to answer. What takes longer is lost, not slow.
const PATIENCE: Duration = Duration::from_millis(500);

impl Watcher {
    pub fn new(settings: &Settings, now: Time) -> Watcher {
        let settings = Settings {
            connect_timeout: settings.connect_timeout.min(PATIENCE),
            timeout: settings.timeout.min(PATIENCE),
            ..settings.clone()
        };
        let mut watcher = Watcher {
            settings: Arc::new(settings),
            running: BTreeMap::new(),
            number: 0,
            asked_at: now,
            began: now,
            answered_at: None,
            longest: Duration::ZERO,
            ended: 0,
            lost: 0,
            samples: Samples::default(),
            session: Session::None,
            actions: VecDeque::new(),
        };
        watcher.ask(now);
        watcher
    }

    /// From one question to the next: one that is never answered has ended when there are [`MOST`].
    fn interval(&self) -> Duration {
        (self.settings.limit() / MOST).clamp(LEAST_INTERVAL, MOST_INTERVAL)
    }

    /// The connection that is held has been set up, or has ended.
    pub fn connection(&mut self, outcome: &Outcome, now: Time) {
        self.session = match (self.session, outcome) {
            (_, Outcome::Answered { .. }) => Session::Since(now),
            (Session::Since(_), Outcome::Failed(_)) => Session::Lost,
            _ => Session::None,
        };
    }

    /// A question was answered, or not.
    pub fn ended(&mut self, number: u64, outcome: &Outcome, now: Time) {
        let Some(begun) = self.running.remove(&number) else { return };
        match outcome {
            Outcome::Answered { .. } => {
                self.ended += 1;
                self.longest = self.longest.max(now.since(self.answered_at.unwrap_or(self.began)));
                self.answered_at = Some(now);
                let took = u32::try_from(now.since(begun).as_micros()).unwrap_or(u32::MAX);
                self.samples.put(number, took.max(1));
            }
            Outcome::Failed(_) => {
                self.ended += 1;
                self.lost += 1;
                self.samples.put(number, 0);
            }
            Outcome::NotAsked(_) => {}
        }
    }

    /// Asks again. A spurious call does no harm.
    pub fn tick(&mut self, now: Time) {
        if self.deadline() > now {
            return;
        }
        self.asked_at = now;
        if self.running.len() < MOST as usize {
            self.ask(now);
        }
    }

    pub fn deadline(&self) -> Time {
        self.asked_at + self.interval()
    }

    /// What to ask next, until `None`.
    pub fn poll(&mut self) -> Option<(u64, Arc<Settings>)> {
        self.actions.pop_front()
    }

    /// What was seen until now.
    pub fn seen(&self, now: Time) -> Seen {
        // What has been asked and not answered for long is as good as lost.
        let open = now.since(self.answered_at.unwrap_or(self.began));
        Seen {
            asked: self.ended,
            lost: self.lost,
            longest: self.longest.max(open),
            answers: self.samples.values(),
            session_kept: match self.session {
                Session::None => None,
                Session::Since(since) => (now.since(since) >= TO_TELL).then_some(true),
                Session::Lost => Some(false),
            },
        }
    }

    fn ask(&mut self, now: Time) {
        self.number += 1;
        self.running.insert(self.number, now);
        self.actions.push_back((self.number, self.settings.clone()));
    }
}

/// One value for each question, or for some in a row when there are too many.
#[derive(Clone, Debug, Default)]
struct Samples {
    /// Questions in a row that share a value, as a power of two.
    shift: u32,
    values: BTreeMap<u64, u32>,
}

impl Samples {
    /// Enough for a chart as wide as a terminal, several times over.
    const MOST: u64 = 600;

    fn put(&mut self, number: u64, value: u32) {
        while number >> self.shift >= Samples::MOST {
            self.shift += 1;
            for (at, value) in std::mem::take(&mut self.values) {
                self.add(at >> 1, value);
            }
        }
        self.add(number >> self.shift, value);
    }

    /// The worst of several counts: none at all, else the slowest.
    fn add(&mut self, at: u64, value: u32) {
        let worst = |one: u32, other: u32| if one.min(other) == 0 { 0 } else { one.max(other) };
        self.values.entry(at).and_modify(|known| *known = worst(*known, value)).or_insert(value);
    }

    fn values(&self) -> Vec<u32> {
        self.values.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Method;

    fn watcher(limit: u64) -> Watcher {
        let to = "203.0.113.7:80".parse().unwrap();
        let settings = Settings {
            method: Method::Tcp { to, send: Vec::new(), expect: None },
            connect_timeout: Duration::from_millis(limit / 2),
            timeout: Duration::from_millis(limit / 2),
            ..Settings::default()
        };
        Watcher::new(&settings, at(0))
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// For so long, with a service that answers after 2 ms but for a time in which questions are lost, after the limit.
    fn watch(limit: u64, lasts: u64, away: std::ops::Range<u64>) -> Seen {
        let mut watcher = watcher(limit);
        let limit = limit.min(1000);
        let mut ends: BTreeMap<u64, Vec<(u64, Outcome)>> = BTreeMap::new();
        let mut most = 0;
        for millis in 0..lasts {
            for (number, outcome) in ends.remove(&millis).unwrap_or_default() {
                watcher.ended(number, &outcome, at(millis));
            }
            watcher.tick(at(millis));
            while let Some((number, _)) = watcher.poll() {
                let (after, outcome) = match away.contains(&millis) {
                    true => (limit, Outcome::Failed("no answer".to_owned())),
                    false => {
                        let took = Duration::from_millis(2);
                        (2, Outcome::Answered { took, text: String::new(), warning: None })
                    }
                };
                ends.entry(millis + after).or_default().push((number, outcome));
            }
            most = most.max(watcher.running.len());
            assert!(watcher.deadline() > at(millis));
        }
        assert!(most <= MOST as usize, "{most}");
        watcher.seen(at(lasts))
    }

    #[test]
    fn a_service_that_answers_has_no_gap() {
        let seen = watch(400, 1000, 0..0);
        assert_eq!((seen.asked, seen.lost, seen.longest), (50, 0, Duration::from_millis(20)));
        assert_eq!(seen.answers, vec![2000; 50]);
    }

    #[test]
    fn a_time_without_answers_is_as_long_as_it_was() {
        let seen = watch(400, 3000, 1000..1300);
        assert_eq!((seen.asked, seen.lost), (150, 15));
        assert_eq!(seen.longest, Duration::from_millis(320), "from the last answer to the next");
        assert_eq!(seen.answers.iter().filter(|took| **took == 0).count(), 15);
        assert_eq!(seen.answers[50..65], [0; 15], "in the order of the questions");
        // It is seen again at once, however long an answer may take.
        let seen = watch(10_000, 9000, 1000..4800);
        assert_eq!((seen.lost, seen.longest), (76, Duration::from_millis(3850)));
    }

    #[test]
    fn what_is_still_away_at_the_end_counts() {
        assert_eq!(watch(400, 2000, 1500..9999).longest, Duration::from_millis(2000 - 1482));
        assert_eq!(watch(400, 700, 0..9999).longest, Duration::from_millis(700));
    }

    #[test]
    fn what_could_not_be_asked_says_nothing() {
        let mut watcher = watcher(400);
        let (number, _) = watcher.poll().unwrap();
        watcher.ended(number, &Outcome::NotAsked("no descriptor".to_owned()), at(5));
        watcher.ended(number, &Outcome::Failed("twice".to_owned()), at(5));
        let seen = watcher.seen(at(10));
        assert_eq!((seen.asked, seen.lost, seen.answers.len()), (0, 0, 0));
    }

    #[test]
    fn a_connection_is_kept_or_lost() {
        let outcomes = |all: &[(u64, Outcome)], end: u64| {
            let mut watcher = watcher(400);
            all.iter().for_each(|(millis, outcome)| watcher.connection(outcome, at(*millis)));
            watcher.seen(at(end)).session_kept
        };
        let up = || Outcome::Answered { took: Duration::ZERO, text: String::new(), warning: None };
        let broken = || Outcome::Failed("reset".to_owned());
        assert_eq!(outcomes(&[], 5000), None);
        assert_eq!(outcomes(&[(1, broken())], 5000), None, "there was none");
        assert_eq!(outcomes(&[(1, up())], 2001), Some(true));
        assert_eq!(outcomes(&[(1, up())], 1999), None, "too short to tell");
        assert_eq!(outcomes(&[(1, up()), (900, broken())], 1000), Some(false));
        let closed = Outcome::NotAsked("closed".to_owned());
        assert_eq!(outcomes(&[(1, up()), (900, closed)], 5000), None, "idle for too long");
    }

    #[test]
    fn a_long_switch_needs_no_more_room() {
        let seen = watch(400, 600_000, 300_000..300_100);
        assert!(seen.answers.len() <= 600, "{}", seen.answers.len());
        assert_eq!((seen.asked, seen.lost), (30_000, 5));
        assert!(seen.answers.contains(&0));
        let first = seen.answers.iter().position(|took| *took == 0).unwrap();
        assert!(first.abs_diff(seen.answers.len() / 2) <= 1, "{first}");
    }
}
