use std::collections::VecDeque;
use std::time::Duration;

/// How fast answers have to be: the 95th percentile of the last `window` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    pub p95: Duration,
    /// In answers, from 20: with fewer one answer alone is the 95th percentile.
    pub window: usize,
}

/// The last answers' times, and how they compare with the objective.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    objective: Objective,
    /// The oldest first.
    answers: VecDeque<Duration>,
    /// The same, the shortest first.
    sorted: Vec<Duration>,
    grade: u8,
}

/// Fewer answers are no reason to think ill of a service.
const LEAST: usize = 20;

impl Latency {
    pub fn new(objective: Objective) -> Latency {
        let room = objective.window;
        Latency {
            objective,
            answers: VecDeque::with_capacity(room),
            sorted: Vec::with_capacity(room),
            grade: 0,
        }
    }

    pub fn take(&mut self, took: Duration) {
        if self.answers.len() >= self.objective.window
            && let Some(oldest) = self.answers.pop_front()
            && let Ok(place) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(place);
        }
        self.answers.push_back(took);
        let place = self.sorted.partition_point(|known| *known <= took);
        self.sorted.insert(place, took);
        self.settle();
    }

    /// `None` until there are enough answers.
    pub fn p95(&self) -> Option<Duration> {
        // The nearest rank: of 20 answers the 19th.
        let rank = (self.sorted.len() * 95).div_ceil(100);
        (self.sorted.len() >= LEAST).then(|| self.sorted.get(rank - 1).copied()).flatten()
    }

    pub fn grade(&self) -> u8 {
        self.grade
    }

    /// 1 above the objective, 2 above twice, 3 above four times. A grade is left only well below its bound, so that
    /// it does not change with each answer.
    fn settle(&mut self) {
        let Some(p95) = self.p95() else { return };
        let above = |percent: u32| {
            let bounds = [1, 2, 4].map(|times| self.objective.p95 * times * percent / 100);
            bounds.iter().filter(|bound| p95 > **bound).count() as u8
        };
        self.grade = self.grade.clamp(above(100), above(80));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn grades(latency: &mut Latency, took: u64, answers: usize) -> Vec<u8> {
        let mut take = || {
            latency.take(ms(took));
            latency.grade()
        };
        let mut grades: Vec<u8> = (0..answers).map(|_| take()).collect();
        grades.dedup();
        grades
    }

    #[test]
    fn a_percentile_needs_answers_and_is_the_nearest_rank() {
        let mut latency = Latency::new(Objective { p95: ms(100), window: 40 });
        assert_eq!(grades(&mut latency, 900, 19), [0]);
        assert_eq!(latency.p95(), None);
        let mut latency = Latency::new(Objective { p95: ms(100), window: 40 });
        for took in (1..=100).rev() {
            latency.take(ms(took));
        }
        // The last forty are 40 to 1 ms.
        assert_eq!(latency.p95(), Some(ms(38)));
    }

    #[test]
    fn grades_are_steps_and_are_left_well_below_their_bounds() {
        let mut latency = Latency::new(Objective { p95: ms(100), window: 20 });
        assert_eq!(grades(&mut latency, 100, 40), [0]);
        assert_eq!(grades(&mut latency, 101, 20), [0, 1]);
        assert_eq!(grades(&mut latency, 90, 20), [1], "above four fifths");
        assert_eq!(grades(&mut latency, 80, 20), [1, 0]);
        assert_eq!(grades(&mut latency, 900, 20), [0, 3], "two of twenty are enough");
        assert_eq!(grades(&mut latency, 250, 20), [3, 2]);
        assert_eq!(grades(&mut latency, 10, 20), [2, 0]);
    }
}
