use std::time::Duration;

use crate::types::{Rng, Time};

/// Between two times at which packets of the fastest sessions may leave; for slower ones it is two, four, eight ... times
/// as much.
const FINEST: u64 = 500;

/// When the packet after that of `last` leaves by itself: after 75 to 95 % of the interval, 90 % with a multiplier of 1
/// (RFC 5880 §6.8.7).
///
/// Nearly the whole interval as the RFC would allow leaves no time for clocks that differ, and for packets that take
/// longer than others: two lost packets of three would then bring the session down.
///
/// All sessions leave at the same times, which are a twentieth to a tenth of the interval apart: what is drawn is put off to
/// the next such time, or leaves at the one before if that is too late. So they share their wakeups, and those
/// of who receives them, and each packet still has two times or more to be drawn from.
pub(super) fn departure(last: Time, interval: Duration, multiplier: u8, rng: &mut Rng) -> Time {
    let most = if multiplier == 1 { 90 } else { 95 };
    let latest = last + interval * most / 100;
    let drawn = last + rng.jitter(interval, 75, most.into());
    let apart = apart(interval);
    let next = Time::from_micros(drawn.as_micros().next_multiple_of(apart));
    if next <= latest { next } else { Time::from_micros(next.as_micros() - apart) }
}

/// Microseconds between two times at which packets may leave. As they are powers of two of the finest, all fall on times
/// of that.
fn apart(interval: Duration) -> u64 {
    let tenth = u64::try_from(interval.as_micros() / 10).unwrap_or(u64::MAX);
    FINEST << (tenth / FINEST).checked_ilog2().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn packets_leave_together_and_each_at_one_of_two_times_or_more_in_its_bounds() {
        let mut rng = Rng::new(1);
        for micros in (5000..100_000).step_by(700).chain([300_000, 1_000_000, 2_000_001]) {
            let interval = Duration::from_micros(micros);
            for (multiplier, most) in [(1, 90), (3, 95)] {
                let mut last = Time::from_micros(1_000_037);
                let mut gaps = BTreeSet::new();
                for _ in 0..100 {
                    let next = departure(last, interval, multiplier, &mut rng);
                    let gap = next - last;
                    assert!(gap >= interval * 3 / 4 && gap <= interval * most / 100, "{gap:?}");
                    assert_eq!(next.as_micros() % apart(interval), 0, "{interval:?}");
                    gaps.insert(gap);
                    last = next;
                }
                assert!(gaps.len() >= 2, "{interval:?}: {gaps:?}");
                assert!((10..20).contains(&(micros / apart(interval))), "{interval:?}");
            }
        }
    }
}
