//! Whether each core of the machine does at once what has real-time priority.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use nix::unistd::gettid;

use super::run::must;

/// A thread on each core that wants to run each millisecond, before all else, and notes when it could not.
pub struct Cores {
    stop: Arc<AtomicBool>,
    stalls: Arc<Mutex<Vec<(f64, f64)>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Cores {
    #[track_caller]
    pub fn watch() -> Cores {
        let (stop, stalls) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let cores = thread::available_parallelism().unwrap().get();
        let start = |core: usize| {
            let (stop, stalls) = (stop.clone(), stalls.clone());
            thread::spawn(move || watch(core, &stop, &stalls))
        };
        let threads = (0..cores).map(start).collect();
        Cores { stop, stalls, threads }
    }

    /// From when to when one core did nothing for a thread of real time, in seconds of the calendar: what was longer than
    /// `least`.
    pub fn stalls(&self, least: Duration) -> Vec<(f64, f64)> {
        let all = self.stalls.lock().unwrap();
        all.iter().copied().filter(|(begin, end)| end - begin > least.as_secs_f64()).collect()
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn watch(core: usize, stop: &AtomicBool, stalls: &Mutex<Vec<(f64, f64)>>) {
    const WANTED: Duration = Duration::from_millis(1);
    const NOTED: Duration = Duration::from_millis(5);
    let thread = gettid().to_string();
    must("taskset", &["--cpu-list", "--pid", &core.to_string(), &thread]);
    must("chrt", &["--fifo", "--pid", "60", &thread]);
    let mut before = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(WANTED);
        let now = Instant::now();
        if now - before > NOTED {
            let end =
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            stalls.lock().unwrap().push((end - (now - before).as_secs_f64(), end));
        }
        before = now;
    }
}
