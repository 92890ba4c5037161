use std::time::Duration;

use crate::types::Rng;

/// No wait grows beyond this, unless connect-retry itself is longer.
const CEILING: Duration = Duration::from_secs(120);
/// No wait is shorter, whatever is configured.
const FLOOR: Duration = Duration::from_millis(100);
/// The longest first wait after a session that had been up.
const QUICK: Duration = Duration::from_secs(1);

/// The waits between attempts: connect-retry, twice that, four times, … up to two minutes, each
/// cut by up to a quarter at random so that two routers do not stay in step (RFC 4271 §10).
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    /// Waits since the last reset.
    taken: u32,
}

impl Backoff {
    pub fn reset(&mut self) {
        self.taken = 0;
    }

    /// The next wait.
    pub fn next(&mut self, connect_retry: Duration, rng: &mut Rng) -> Duration {
        let wait = self.current(connect_retry);
        self.taken = self.taken.saturating_add(1);
        rng.jitter(wait, 75, 100)
    }

    /// The length of the next wait, before it is cut.
    pub fn current(&self, connect_retry: Duration) -> Duration {
        let factor = 1_u32.checked_shl(self.taken).unwrap_or(u32::MAX);
        connect_retry.max(FLOOR).saturating_mul(factor).min(CEILING.max(connect_retry))
    }

    /// The wait after a session that had been up for a while: a quarter of connect-retry. The
    /// neighbour was well a moment ago; most often it is back at once.
    pub fn quick(connect_retry: Duration, rng: &mut Rng) -> Duration {
        rng.jitter((connect_retry / 4).clamp(FLOOR, QUICK), 75, 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(1));
        let retry = Duration::from_secs(5);
        for full in [5, 10, 20, 40, 80, 120, 120].map(Duration::from_secs) {
            assert_eq!(backoff.current(retry), full);
            let wait = backoff.next(retry, &mut rng);
            assert!(wait >= full * 3 / 4 && wait <= full, "{wait:?} of {full:?}");
        }
        for _ in 0..100 {
            backoff.next(retry, &mut rng);
        }
        assert_eq!(backoff.current(retry), CEILING);
        backoff.reset();
        assert_eq!(backoff.current(retry), retry);
    }

    #[test]
    fn a_seed_fixes_the_waits() {
        let waits = |seed| {
            let (mut backoff, mut rng) = (Backoff::default(), Rng::new(seed));
            [(); 6].map(|()| backoff.next(Duration::from_secs(1), &mut rng))
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn zero_and_very_long_connect_retry_keep_their_bounds() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.current(Duration::ZERO), FLOOR);
        let long = Duration::from_secs(600);
        backoff.next(long, &mut Rng::new(1));
        assert_eq!(backoff.current(long), long);
    }
}
