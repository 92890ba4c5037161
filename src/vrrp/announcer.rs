use std::time::Duration;

use crate::types::Time;

/// When the addresses of an Active are announced: after the takeover as often as the settings say, and again when
/// somebody else has claimed them.
#[derive(Clone, Debug, Default)]
pub(super) struct Announcer {
    /// Of the repetitions after the takeover.
    left: u8,
    next: Option<Time>,
    /// After a disturbance.
    again: Option<Time>,
    /// `None`: the addresses are not on the interface yet.
    last: Option<Time>,
}

/// Another Active makes us announce no more often than that.
const MIN_DISTANCE: Duration = Duration::from_secs(1);

impl Announcer {
    /// The addresses are here: announce now, and `times` in all. Nobody finds us without, so at least once.
    pub fn start(&mut self, times: u8, interval: Duration, now: Time) {
        let left = times.saturating_sub(1);
        *self = Announcer {
            left,
            next: (left > 0).then_some(now + interval),
            again: None,
            last: Some(now),
        };
    }

    pub fn stop(&mut self) {
        *self = Announcer::default();
    }

    /// Another Active was heard, and may have told the link that the addresses are its own. Says whether to announce
    /// now. As it may tell once more before it yields, the same happens a little later.
    pub fn disturbed(&mut self, now: Time) -> bool {
        let Some(last) = self.last else { return false };
        let due = now >= last + MIN_DISTANCE;
        if due {
            self.last = Some(now);
            self.again = Some(now + MIN_DISTANCE);
        } else if self.again.is_none() {
            self.again = Some(last + MIN_DISTANCE);
        }
        due
    }

    pub fn deadline(&self) -> Option<Time> {
        self.next.into_iter().chain(self.again).min()
    }

    /// Says whether to announce now.
    pub fn fire(&mut self, interval: Duration, now: Time) -> bool {
        let repeated = self.next.is_some_and(|at| at <= now);
        let again = self.again.is_some_and(|at| at <= now);
        if repeated {
            self.left = self.left.saturating_sub(1);
            self.next = (self.left > 0).then_some(now + interval);
        }
        if again {
            self.again = None;
        }
        if repeated || again {
            self.last = Some(now);
        }
        repeated || again
    }
}
