//! Waiting for a state by polling.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for every protocol timer in these tests on a busy machine; a passing test never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `probe` gives a value. `Err` says what is there instead; the last one is in the failure message.
/// (The logs of all daemons are printed by the `Net` when the test fails.)
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        let last = match probe() {
            Ok(value) => return value,
            Err(last) => last,
        };
        if start.elapsed() > limit {
            panic!("no {what} within {limit:?}; last seen: {last}");
        }
        sleep(Duration::from_millis(50));
    }
}
