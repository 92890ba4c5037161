use crate::types::Time;

use super::SpfDelays;

/// When to run SPF after a change of the topology: at once after a single one, later and later while changes go on
/// (RFC 8405 §5).
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    state: State,
    /// SPF_TIMER.
    due: Option<Time>,
}

/// RFC 8405 §5.1. What the learn and hold-down timers bring about shows only at the next change, so they are looked
/// at then and need no deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Quiet,
    /// `learnt`: LEARN_TIMER, `quiet`: HOLDDOWN_TIMER expires.
    ShortWait {
        learnt: Time,
        quiet: Time,
    },
    LongWait {
        quiet: Time,
    },
}

impl Backoff {
    /// The topology changed (RFC 8405 §5.4, transitions 1, 2 and 4).
    pub fn changed(&mut self, delays: &SpfDelays, now: Time) {
        let quiet = now + delays.hold_down;
        let (state, delay) = match self.state(now) {
            State::Quiet => {
                let learnt = now + delays.time_to_learn;
                (State::ShortWait { learnt, quiet }, delays.initial)
            }
            State::ShortWait { learnt, .. } => (State::ShortWait { learnt, quiet }, delays.short),
            State::LongWait { .. } => (State::LongWait { quiet }, delays.long),
        };
        self.state = state;
        self.due.get_or_insert(now + delay);
    }

    pub fn due(&self) -> Option<Time> {
        self.due
    }

    /// Whether SPF is to run now; it is told once.
    pub fn take_due(&mut self, now: Time) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// Transitions 3, 5 and 6: the timers that have expired by now.
    fn state(&self, now: Time) -> State {
        match self.state {
            State::ShortWait { quiet, .. } | State::LongWait { quiet } if quiet <= now => {
                State::Quiet
            }
            State::ShortWait { learnt, quiet } if learnt <= now => State::LongWait { quiet },
            state => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// When SPF runs after changes at these times, all in milliseconds.
    fn runs(changes: &[u64]) -> Vec<u64> {
        let (mut backoff, mut runs) = (Backoff::default(), Vec::new());
        let mut run = |backoff: &mut Backoff, until: Time| {
            while let Some(due) = backoff.due().filter(|due| *due <= until) {
                assert!(backoff.take_due(due));
                assert!(!backoff.take_due(due));
                runs.push(due.as_micros() / 1000);
            }
        };
        for &change in changes {
            run(&mut backoff, at(change));
            backoff.changed(&SpfDelays::default(), at(change));
        }
        run(&mut backoff, at(1_000_000));
        runs
    }

    #[test]
    fn a_single_change_waits_for_the_initial_delay_only() {
        assert_eq!(runs(&[1000]), [1010]);
        // What comes meanwhile is computed along.
        assert_eq!(runs(&[1000, 1003, 1009]), [1010]);
    }

    #[test]
    fn more_changes_wait_for_the_short_delay_while_learning() {
        assert_eq!(runs(&[1000, 1020, 1130]), [1010, 1120, 1230]);
    }

    #[test]
    fn changes_that_go_on_wait_for_the_long_delay() {
        // 500 ms after the first change the learning is over.
        assert_eq!(runs(&[1000, 1499, 1500, 1600]), [1010, 1599, 2600]);
        // Each change puts the end of the hold-down off.
        assert_eq!(runs(&[1000, 1600, 4500, 7400]), [1010, 2600, 5500, 8400]);
    }

    #[test]
    fn three_quiet_seconds_make_the_next_change_a_first_one() {
        assert_eq!(runs(&[1000, 4000]), [1010, 4010]);
        assert_eq!(runs(&[1000, 3999]), [1010, 4999]);
        // From the long wait as well.
        assert_eq!(runs(&[1000, 1600, 4600, 4650]), [1010, 2600, 4610, 4750]);
    }
}
