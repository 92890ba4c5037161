use std::io;
use std::time::Duration;

use crate::types::Time;

/// Between two complaints about the same.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What was not sent: counted, and told once in a while.
#[derive(Default)]
pub struct Complaint {
    /// The error and when it was told.
    told: Option<(i32, Time)>,
    /// What was not sent since then.
    count: u64,
}

impl Complaint {
    /// The error's number, and how many it is about, if it is to be told now.
    pub fn about(&mut self, error: &io::Error, now: Time) -> Option<(i32, u64)> {
        let error = error.raw_os_error().unwrap_or(0);
        self.count += 1;
        if self.told.is_some_and(|(told, at)| told == error && now < at + AGAIN_AFTER) {
            return None;
        }
        self.told = Some((error, now));
        Some((error, std::mem::take(&mut self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_error_is_told_once_a_minute_with_how_often_it_came() {
        let mut complaint = Complaint::default();
        let error = io::Error::from_raw_os_error;
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        assert_eq!(complaint.about(&error(libc::ENETUNREACH), at(1)), Some((libc::ENETUNREACH, 1)));
        for second in 2..61 {
            assert_eq!(complaint.about(&error(libc::ENETUNREACH), at(second)), None);
        }
        assert_eq!(
            complaint.about(&error(libc::ENETUNREACH), at(61)),
            Some((libc::ENETUNREACH, 60))
        );
        assert_eq!(complaint.about(&error(libc::EPERM), at(62)), Some((libc::EPERM, 1)));
    }
}
