use std::time::Duration;

/// How late timers fired: what scheduling, and our own work, cost. Powers of two of microseconds, so that it never grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// The entry at `n` counts what was below 2ⁿ µs and not below half of that.
    buckets: [u64; 32],
    worst: Duration,
}

impl Lag {
    pub fn record(&mut self, late: Duration) {
        let micros = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        let bucket = usize::try_from(u32::BITS - micros.leading_zeros()).unwrap_or(0);
        if let Some(count) = self.buckets.get_mut(bucket.min(31)) {
            *count += 1;
        }
        self.worst = self.worst.max(late);
    }

    pub fn worst(&self) -> Duration {
        self.worst
    }

    pub fn samples(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// No more than this many per cent of the timers were later; exact to a factor of two.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = self.samples().saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        for (power, count) in (0_u32..).zip(self.buckets) {
            seen += count;
            // The last one has no upper end.
            if seen >= wanted && power < 31 {
                return Duration::from_micros((1 << power) - 1).min(self.worst);
            }
        }
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_factor_of_two() {
        let mut lag = Lag::default();
        assert_eq!(lag.percentile(99), Duration::ZERO);
        for micros in 1..=1000 {
            lag.record(Duration::from_micros(micros));
        }
        lag.record(Duration::from_secs(5000));
        assert_eq!((lag.samples(), lag.worst()), (1001, Duration::from_secs(5000)));
        assert_eq!(lag.percentile(50), Duration::from_micros(511));
        assert_eq!(lag.percentile(99), Duration::from_micros(1023));
        assert_eq!(lag.percentile(100), Duration::from_secs(5000));
    }
}
