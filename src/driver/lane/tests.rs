use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use socket2::SockRef;
use tokio::sync::{Mutex, MutexGuard};

use super::message::Message;
use super::*;
use crate::bfd::{Change, Diagnostic, Path, SessionId, Settings, State};
use crate::driver::guardian::Guardian;
use crate::fast::Report;
use crate::types::Time;

/// For a test that hangs.
const LONG: Duration = Duration::from_secs(20);
const LOOPBACK: u32 = 1;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The system's, which counts what one thread asks of it.
struct Counting;

static WATCHED: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does it all, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count();
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn count() {
    let watched = WATCHED.load(Ordering::Relaxed);
    if watched != 0 && nix::unistd::gettid().as_raw() == watched {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Each of these tests has the port and the thread's name for itself.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Bench {
    lane: Lane,
    told: Told,
    journal: Journal,
    _guardian: Guardian,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    async fn start() -> Bench {
        let alone = ALONE.lock().await;
        let (guardian, beat) = Guardian::new("/nowhere".into(), || {}).unwrap();
        let journal = Journal::new();
        let (lane, told) = start(Clock::start(), 7, beat, journal.clone()).unwrap();
        let mut bench = Bench { lane, told, journal, _guardian: guardian, _alone: alone };
        let first = bench.next().await;
        assert!(matches!(first, Some(agent::Event::LaneStarted { .. })));
        bench
    }

    async fn next(&mut self) -> Option<agent::Event> {
        timeout(LONG, self.told.next()).await.expect("nothing was told")
    }

    async fn snapshot(&mut self) -> Snapshot {
        tokio::select! {
            snapshot = self.lane.snapshot() => snapshot.unwrap(),
            event = self.told.next() => panic!("{event:?}"),
        }
    }

    /// A session of this host with itself: it hears what it says.
    fn want_session(&self) {
        let interval = Duration::from_millis(5);
        let settings = Box::new(Settings {
            path: Path::SingleHop { interface: LOOPBACK, local: HERE, remote: HERE },
            transmit_interval: interval,
            receive_interval: interval,
            multiplier: 200,
            authentication: None,
        });
        self.lane.order(Order::Bfd(crate::bfd::Order::Want { session: SessionId(1), settings }));
    }

    /// Until the session is up, or the other side of it has left.
    async fn state(&mut self, wanted: State) {
        loop {
            let event = self.next().await;
            if matches!(event, Some(agent::Event::Fast(Report::Bfd(change))) if change.state == wanted)
            {
                return;
            }
        }
    }

    async fn end(mut self) {
        self.lane.order(Order::Stop);
        assert!(self.told.ended(LONG).await);
        while self.next().await.is_some() {}
    }
}

/// The one called `fast`.
fn thread() -> i32 {
    let mut tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_fast = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "fast\n")
    };
    let task = tasks.find(is_fast).unwrap();
    task.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_lane_says_how_it_started_answers_and_ends() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.snapshot().await.sessions.len(), 0);
    bench.end().await;
}

#[tokio::test]
async fn packets_go_out_and_in_and_nothing_is_allocated_for_them() {
    let mut bench = Bench::start().await;
    bench.want_session();
    bench.state(State::Up).await;
    WATCHED.store(thread(), Ordering::Relaxed);
    let (mut sent, mut received) = (0, 0);
    while sent < 100 || received < 100 {
        let before = bench.snapshot().await;
        let allocations = ALLOCATIONS.load(Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), allocations);
        let after = bench.snapshot().await;
        sent += after.sessions[0].sent - before.sessions[0].sent;
        received += after.sessions[0].received - before.sessions[0].received;
        assert!(ALLOCATIONS.load(Ordering::Relaxed) > allocations, "the snapshot was not counted");
    }
    WATCHED.store(0, Ordering::Relaxed);
    bench.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_once_and_tried_again() {
    let mut bench = Bench::start().await;
    let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, endpoint::SINGLE_HOP_PORT)).unwrap();
    SockRef::from(&taken).bind_device_by_index_v4(NonZeroU32::new(LOOPBACK)).unwrap();
    bench.want_session();
    // It tries again every second, and says nothing new.
    let deadline = tokio::time::Instant::now() + Duration::from_millis(1500);
    let silence = tokio::time::timeout_at(deadline, bench.told.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    drop(taken);
    bench.state(State::Up).await;
    let told = bench.journal.follow(0).0;
    let texts: Vec<&str> = told.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].starts_with(
        "BFD over IPv4 (UDP port 3784) cannot be received: another program has the port"
    ));
    assert_eq!((told[0].severity.as_str(), told[0].subject.as_str()), ("warning", "lo"));
    assert_eq!(texts[1], "BFD over IPv4 (UDP port 3784) is received now");
    bench.end().await;
}

#[test]
fn an_agent_that_does_not_listen_gets_the_latest_of_each() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut outbox = Outbox::new(File::from(std::os::fd::OwnedFd::from(writer)));
    let mailbox = Mailbox::new();
    let change = |session, state, at| {
        Message::Report(Report::Bfd(Change {
            session: SessionId(session),
            state,
            diagnostic: Diagnostic::NONE,
            remote_state: State::Up,
            remote_diagnostic: Diagnostic::NONE,
            at: Time::from_micros(at),
        }))
    };
    for at in 0..10_000 {
        for session in 0..3 {
            let state = if at % 2 == 0 { State::Up } else { State::Down };
            outbox.push(change(session, state, at));
        }
        outbox.flush(&mailbox, Time::ZERO);
    }
    assert!(outbox.deadline().is_some());

    let mut last = [None; 3];
    let mut count = 0;
    loop {
        let mut taken = queue();
        mailbox.take(&mut taken);
        if taken.is_empty() {
            break;
        }
        for message in taken {
            let Message::Report(Report::Bfd(change)) = message else { panic!() };
            let place = &mut last[change.session.0 as usize];
            assert!(place.is_none_or(|(at, _)| at < change.at), "out of order");
            *place = Some((change.at, change.state));
            count += 1;
        }
        outbox.flush(&mailbox, Time::ZERO);
    }
    assert_eq!(last, [Some((Time::from_micros(9_999), State::Down)); 3]);
    assert!(count < 3000, "{count} were kept");
}
