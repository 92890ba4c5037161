use std::collections::{BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Failure;
use super::daemon::LOOK;
use super::network;
use super::topology::{SERVICE, SERVICE_PORT};

const INTERVAL: Duration = Duration::from_millis(1);

/// How long an answer may take before its probe counts as lost. Under a millisecond is usual.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a site must have answered everything, so that the traffic counts as moved.
pub const LOOK_BACK: Duration = Duration::from_millis(330);

/// Columns of a chart, at most.
const WIDTH: usize = 60;

/// How many probes are remembered: far more than a step of the demo takes.
const KEPT: usize = 100_000;

/// A client's stream of numbered datagrams to the service, one every millisecond, until it is dropped.
pub struct Prober {
    pub client: &'static str,
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The latest probes.
#[derive(Default)]
struct Log {
    /// The number of the first.
    first: usize,
    probes: VecDeque<Probe>,
}

/// One datagram.
struct Probe {
    sent: Instant,
    /// The site that answered.
    answer: Option<String>,
}

/// What a client saw in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub sent: usize,
    pub lost: usize,
    /// The time in which probes went unanswered.
    pub lost_for: Duration,
    /// Every site that answered.
    pub sites: BTreeSet<String>,
    /// From the beginning of the span to the first probe from which on only `expected` answered.
    pub moved_after: Option<Duration>,
    /// A character for some probes in a row, of the worst of them: `.` answered by who is expected, `o` by another, `x` not.
    pub chart: String,
}

impl Prober {
    pub fn start(client: &'static str, address: Ipv4Addr) -> Result<Prober, Failure> {
        let failed = |error| Failure::of(format!("probes of {client}"), error);
        let socket = network::within(client, || UdpSocket::bind((address, 0)))?.map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let receiver = socket.try_clone().map_err(failed)?;
        let log = Arc::new(Mutex::new(Log::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let sending = {
            let (log, stop) = (log.clone(), stop.clone());
            thread::spawn(move || send(&socket, &log, &stop))
        };
        let receiving = {
            let (log, stop) = (log.clone(), stop.clone());
            thread::spawn(move || receive(&receiver, &log, &stop))
        };
        Ok(Prober { client, log, stop, threads: vec![sending, receiving] })
    }

    /// Whether `site`, and nobody else, answered everything sent within [`LOOK_BACK`], but for what is still under way.
    pub fn is_answered_by(&self, site: &str) -> bool {
        let now = Instant::now();
        let log = lock(&self.log);
        let recent = log
            .probes
            .iter()
            .rev()
            .skip_while(|probe| now.duration_since(probe.sent) < Duration::from_millis(30))
            .take_while(|probe| now.duration_since(probe.sent) < LOOK_BACK);
        let mut count = 0;
        for probe in recent {
            if probe.answer.as_deref() != Some(site) {
                return false;
            }
            count += 1;
        }
        count > 20
    }

    fn waits_for_answers(&self, from: Instant, to: Instant) -> bool {
        let log = lock(&self.log);
        let mut unanswered = log.probes.iter().filter(|probe| probe.answer.is_none());
        unanswered.any(|probe| probe.sent >= from && probe.sent < to)
    }

    /// What was seen of the probes sent since `from` and before `to`; waits for their last answers.
    pub fn seen(&self, from: Instant, to: Instant, expected: &str) -> Seen {
        while self.waits_for_answers(from, to) && Instant::now() < to + PATIENCE {
            thread::sleep(LOOK);
        }
        summary(&lock(&self.log).probes, from, to, expected)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Log {
    /// The new probe's number.
    fn add(&mut self, probe: Probe) -> usize {
        if self.probes.len() == KEPT {
            self.probes.pop_front();
            self.first += 1;
        }
        self.probes.push_back(probe);
        self.first + self.probes.len() - 1
    }

    fn get_mut(&mut self, number: usize) -> Option<&mut Probe> {
        self.probes.get_mut(number.checked_sub(self.first)?)
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(socket: &UdpSocket, log: &Mutex<Log>, stop: &AtomicBool) {
    let service = SocketAddr::from((SERVICE, SERVICE_PORT));
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let number = lock(log).add(Probe { sent: Instant::now(), answer: None });
        // Without a route the probe is lost, as it is to be counted.
        let _ = socket.send_to(&(number as u64).to_be_bytes(), service);
        // After a pause of this machine the missed ones are not made up for in a burst.
        next = (next + INTERVAL).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn receive(socket: &UdpSocket, log: &Mutex<Log>, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let Some((number, site)) = buffer[..length].split_first_chunk::<8>() else { continue };
        let number = usize::try_from(u64::from_be_bytes(*number)).unwrap_or(usize::MAX);
        if let Some(probe) = lock(log).get_mut(number)
            && probe.sent.elapsed() < PATIENCE
        {
            probe.answer = Some(String::from_utf8_lossy(site).into_owned());
        }
    }
}

fn summary(log: &VecDeque<Probe>, from: Instant, to: Instant, expected: &str) -> Seen {
    let mut seen = Seen {
        sent: 0,
        lost: 0,
        lost_for: Duration::ZERO,
        sites: BTreeSet::new(),
        moved_after: None,
        chart: String::new(),
    };
    let mut answers = Vec::new();
    for (at, probe) in log.iter().enumerate() {
        if probe.sent < from || probe.sent >= to {
            continue;
        }
        seen.sent += 1;
        answers.push(match probe.answer.as_deref() {
            None => 'x',
            Some(site) if site == expected => '.',
            Some(_) => 'o',
        });
        match &probe.answer {
            Some(site) => {
                if site != expected {
                    seen.moved_after = None;
                } else if seen.moved_after.is_none() {
                    seen.moved_after = Some(probe.sent - from);
                }
                seen.sites.insert(site.clone());
            }
            None => {
                seen.lost += 1;
                // Until the next one was sent nobody knows better.
                let next = log.get(at + 1).map_or(to, |next| next.sent.min(to));
                seen.lost_for += next.saturating_duration_since(probe.sent);
            }
        }
    }
    let columns = answers.chunks(answers.len().div_ceil(WIDTH).max(1));
    // As characters they are in the order of how bad they are.
    seen.chart = columns.filter_map(|some| some.iter().max()).collect();
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_time_is_what_lies_between_unanswered_probes_and_the_next() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let probe = |ms, answer: &str| Probe {
            sent: at(ms),
            answer: Some(answer.to_owned()).filter(|answer| !answer.is_empty()),
        };
        let log = VecDeque::from([
            probe(0, ""),
            probe(10, "dc1"),
            probe(11, "dc2"),
            probe(12, "dc1"),
            probe(13, ""),
            probe(17, ""),
            probe(18, "dc2"),
            probe(19, "dc2"),
            probe(20, ""),
        ]);
        let expected = Seen {
            sent: 7,
            lost: 2,
            lost_for: Duration::from_millis(5),
            sites: ["dc1".to_owned(), "dc2".to_owned()].into(),
            moved_after: Some(Duration::from_millis(8)),
            chart: "o.oxx..".to_owned(),
        };
        assert_eq!(summary(&log, at(10), at(20), "dc2"), expected);
        // What never answered has not moved.
        assert_eq!(summary(&log, at(10), at(20), "dc3").moved_after, None);
        // The probe after the span still ends the last gap.
        let seen = summary(&log, at(0), at(5), "dc1");
        assert_eq!((seen.sent, seen.lost, seen.lost_for), (1, 1, Duration::from_millis(5)));
    }
}
