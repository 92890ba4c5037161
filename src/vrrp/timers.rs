use std::time::Duration;

use super::Version;

/// How much longer somebody with this priority waits than the owner would, so that the best Backup is the first
/// (RFC 9568 §6.1). In version 2 it does not depend on the interval (RFC 3768 §6.1).
pub(super) fn skew_time(version: Version, priority: u8, interval: Duration) -> Duration {
    let unit = match version {
        Version::V3 => interval,
        Version::V2 => Duration::from_secs(1),
    };
    unit * (256 - u32::from(priority)) / 256
}

/// For so long a Backup hears nothing before it takes over.
pub(super) fn active_down_interval(version: Version, priority: u8, interval: Duration) -> Duration {
    3 * interval + skew_time(version, priority, interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_and_down_interval_are_those_of_the_rfcs() {
        let (second, tenth) = (Duration::from_secs(1), Duration::from_millis(100));
        assert_eq!(skew_time(Version::V3, 100, second), Duration::from_micros(609_375));
        assert_eq!(skew_time(Version::V3, 100, tenth), Duration::from_nanos(60_937_500));
        assert_eq!(skew_time(Version::V3, 255, second), Duration::from_nanos(3_906_250));
        assert_eq!(skew_time(Version::V2, 100, 10 * second), Duration::from_micros(609_375));
        let down = active_down_interval(Version::V3, 100, tenth);
        assert_eq!(down, Duration::from_nanos(360_937_500));
        let down = active_down_interval(Version::V2, 100, 10 * second);
        assert_eq!(down, Duration::from_micros(30_609_375));
    }
}
