use std::time::Duration;

/// A seeded source of jitter and of test schedules (SplitMix64). The same seed gives the same
/// numbers on every machine. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0. The bias is below 2⁻³² for bounds under 2³².
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// `span` times a factor between `low` and `high` percent, both included.
    pub fn jitter(&mut self, span: Duration, low: u64, high: u64) -> Duration {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let spread = micros.saturating_mul(high.saturating_sub(low)) / 100;
        Duration::from_micros(micros.saturating_mul(low) / 100 + self.below(spread + 1))
    }

    /// A second source that does not follow from the first one's later numbers.
    pub fn fork(&mut self) -> Rng {
        Rng(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_bounds_and_spreads() {
        let mut rng = Rng::new(7);
        let span = Duration::from_secs(30);
        let drawn: Vec<_> = (0..1000).map(|_| rng.jitter(span, 75, 100)).collect();
        assert!(drawn.iter().all(|d| *d >= span * 3 / 4 && *d <= span));
        assert!(
            drawn.iter().any(|d| *d < span * 77 / 100)
                && drawn.iter().any(|d| *d > span * 98 / 100)
        );
    }

    #[test]
    fn a_seed_fixes_the_sequence() {
        assert_eq!(Rng::new(1).next_u64(), 0x910a_2dec_8902_5cc1);
    }
}
