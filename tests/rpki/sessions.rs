//! What is asked of a cache, and when; the cache is played by the tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use shunt::rpki::{Action, CacheId, Client, Event, Report, Settings, State, Summary, Table};
use shunt::types::{Asn, Rng, Time, Validity};
use shunt::wire::rtr::{ErrorCode, ErrorReport, Pdu, Serial, SessionId, Timing, Version};

use super::golden::{self, CHANGES, EVERYTHING, NOTIFY};
use super::vrp;

const SESSION: SessionId = SessionId(7);

/// The client, the time, and what it did last.
struct World {
    client: Client,
    now: Time,
    table: Arc<Table>,
    tables: usize,
    summaries: Vec<Summary>,
    notes: Vec<String>,
    dials: Vec<CacheId>,
    closes: usize,
    /// What the cache has received and not looked at.
    sent: Vec<(Version, Pdu)>,
}

impl World {
    /// One cache is configured and its connection is up.
    fn connected() -> World {
        let mut world = World::new(&["one"]);
        assert_eq!(world.dials, [cache()]);
        world.event(Event::Dialled);
        world
    }

    fn new(names: &[&str]) -> World {
        let mut world = World {
            client: Client::new(Rng::new(1)),
            now: Time::ZERO,
            table: Arc::default(),
            tables: 0,
            summaries: Vec::new(),
            notes: Vec::new(),
            dials: Vec::new(),
            closes: 0,
            sent: Vec::new(),
        };
        world.configure(names);
        world
    }

    fn configure(&mut self, names: &[&str]) {
        let settings = Settings { address: [192, 0, 2, 1].into(), port: 323, local_address: None };
        let wanted: BTreeMap<String, Settings> =
            names.iter().map(|name| (name.to_string(), settings.clone())).collect();
        self.client.configure(&wanted, self.now);
        self.run();
    }

    fn run(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Dial { cache, .. } => self.dials.push(cache),
                Action::Send { octets, .. } => {
                    for (version, pdu) in golden::decode(&octets) {
                        self.sent.push((version.unwrap(), pdu));
                    }
                }
                Action::Close { .. } => self.closes += 1,
                Action::Report(Report::Table { table, .. }) => {
                    self.table = table;
                    self.tables += 1;
                }
                Action::Report(Report::Caches(summaries)) => self.summaries = summaries,
                Action::Report(Report::Note { text, .. }) => self.notes.push(text),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.client.handle(cache(), event, self.now);
        self.run();
    }

    /// The cache says this.
    fn say(&mut self, version: Version, pdus: &[Pdu]) {
        let mut octets = BytesMut::new();
        pdus.iter().for_each(|pdu| pdu.emit(version, &mut octets));
        self.event(Event::Received(golden::decode(&octets)));
    }

    /// It answers so.
    fn answer(&mut self, serial: u32, records: &[(bool, &str)]) {
        let mut pdus = vec![Pdu::CacheResponse { session: SESSION }];
        for (announced, text) in records {
            pdus.push(Pdu::Prefix { announced: *announced, vrp: vrp(text) });
        }
        let timing = Some(Timing::USUAL);
        pdus.push(Pdu::EndOfData { session: SESSION, serial: Serial(serial), timing });
        self.say(Version::V1, &pdus);
    }

    /// Time passes; what is due is done at its time.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.client.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.client.tick(self.now);
            self.run();
        }
        self.now = end;
    }

    /// Until the cache is asked for something.
    fn pass_until_asked(&mut self) {
        while self.sent.is_empty() {
            let next = self.client.deadline().unwrap();
            self.pass(next.since(self.now));
        }
    }

    fn asked(&mut self) -> Vec<(Version, Pdu)> {
        std::mem::take(&mut self.sent)
    }

    fn state(&self) -> State {
        self.summaries[0].state
    }

    fn validity(&self, prefix: &str, asn: u32) -> Validity {
        self.table.state(prefix.parse().unwrap(), Some(Asn(asn)))
    }
}

fn cache() -> CacheId {
    CacheId::new(0).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn changes_since(serial: u32) -> (Version, Pdu) {
    (Version::V1, Pdu::SerialQuery { session: SESSION, serial: Serial(serial) })
}

const EVERYTHING_ASKED: (Version, Pdu) = (Version::V1, Pdu::ResetQuery);

#[test]
fn the_conversation_with_stayrtr() {
    let mut world = World::connected();
    assert_eq!(world.asked(), [EVERYTHING_ASKED]);
    world.event(Event::Received(golden::decode(&golden::octets(EVERYTHING))));
    assert_eq!(world.state(), State::Idle);
    assert_eq!(world.summaries[0].vrps, [2, 1]);
    assert_eq!(world.validity("198.51.100.0/24", 64497), Validity::Valid);
    assert_eq!(world.validity("203.0.113.0/24", 64497), Validity::NotFound);
    world.event(Event::Received(golden::decode(&golden::octets(NOTIFY))));
    let session = SessionId(0x29d1);
    assert_eq!(world.asked(), [(Version::V1, Pdu::SerialQuery { session, serial: Serial(0) })]);
    world.event(Event::Received(golden::decode(&golden::octets(CHANGES))));
    assert_eq!(world.validity("198.51.100.0/24", 64497), Validity::NotFound);
    assert_eq!(world.validity("203.0.113.0/24", 64497), Validity::Invalid);
    assert_eq!(world.summaries[0].known, Some((session, Serial(1))));
    // The same again is no news.
    world.event(Event::Received(golden::decode(&golden::octets(NOTIFY))));
    assert_eq!(world.asked(), []);
}

#[test]
fn nothing_counts_before_the_end_of_data() {
    let mut world = World::connected();
    let half = [
        Pdu::CacheResponse { session: SESSION },
        Pdu::Prefix { announced: true, vrp: vrp("10.0.0.0/8 1") },
    ];
    world.say(Version::V1, &half);
    assert_eq!(world.state(), State::Receiving);
    assert_eq!(world.validity("10.0.0.0/8", 2), Validity::NotFound);
    // The connection is lost there: what was received is worth nothing.
    world.event(Event::Closed { reason: "reset".to_owned() });
    assert_eq!((world.tables, world.state()), (0, State::Waiting));
    world.pass(seconds(2));
    world.event(Event::Dialled);
    world.asked();
    world.answer(1, &[(true, "10.0.0.0/8 1")]);
    assert_eq!(world.validity("10.0.0.0/8", 2), Validity::Invalid);
}

#[test]
fn an_answer_to_everything_replaces_and_one_to_changes_changes() {
    let mut world = World::connected();
    world.answer(1, &[(true, "10.0.0.0/8 1"), (true, "11.0.0.0/8 1")]);
    world.asked();
    let answered = world.now;
    world.pass_until_asked();
    // After the refresh interval, less jitter.
    assert!((3240..=3600).contains(&world.now.since(answered).as_secs()));
    assert_eq!(world.asked(), [changes_since(1)]);
    world.answer(2, &[(false, "10.0.0.0/8 1"), (true, "12.0.0.0/8 1")]);
    assert_eq!(world.summaries[0].vrps, [2, 0]);
    world.pass_until_asked();
    assert_eq!(world.asked(), [changes_since(2)]);
    // It has forgotten. What we have stays until everything is there.
    world.say(Version::V1, &[Pdu::CacheReset]);
    assert_eq!(world.asked(), [EVERYTHING_ASKED]);
    assert_eq!(world.validity("12.0.0.0/8", 1), Validity::Valid);
    world.answer(9, &[(true, "11.0.0.0/8 1")]);
    assert_eq!(world.validity("12.0.0.0/8", 1), Validity::NotFound);
    assert_eq!(world.validity("11.0.0.0/8", 1), Validity::Valid);
}

#[test]
fn data_outlives_the_cache_until_it_expires() {
    let mut world = World::connected();
    world.answer(1, &[(true, "10.0.0.0/8 1")]);
    world.event(Event::Closed { reason: "gone".to_owned() });
    world.dials.clear();
    let end = world.now + Timing::USUAL.expire;
    while world.now + seconds(60) < end {
        world.pass(seconds(60));
        if world.dials.pop().is_some() {
            world.event(Event::DialFailed { reason: "refused".to_owned() });
        }
        assert_eq!(world.validity("10.0.0.0/8", 2), Validity::Invalid);
    }
    world.pass(seconds(60));
    assert_eq!(world.validity("10.0.0.0/8", 2), Validity::NotFound);
    assert!(world.notes.iter().any(|note| note.contains("too old")));
    // The reason that is always the same is said once.
    assert_eq!(world.notes.iter().filter(|note| *note == "refused").count(), 1);
    // When it is back it is asked for everything.
    world.pass(seconds(600));
    world.asked();
    world.event(Event::Dialled);
    assert_eq!(world.asked(), [EVERYTHING_ASKED]);
}

#[test]
fn a_cache_that_is_back_is_asked_for_changes_only() {
    let mut world = World::connected();
    world.answer(5, &[(true, "10.0.0.0/8 1")]);
    world.asked();
    world.event(Event::Closed { reason: "gone".to_owned() });
    // The first time after a second at most.
    world.dials.clear();
    world.pass(seconds(1));
    assert_eq!(world.dials, [cache()]);
    world.event(Event::Dialled);
    assert_eq!(world.asked(), [changes_since(5)]);
    // Another life of the cache answers: its data is not what ours is a part of.
    world.say(Version::V1, &[Pdu::CacheResponse { session: SessionId(99) }]);
    assert!(matches!(
        world.asked().as_slice(),
        [(Version::V1, Pdu::ErrorReport(ErrorReport { code: ErrorCode::CorruptData, .. }))]
    ));
    world.pass(seconds(2));
    world.event(Event::Dialled);
    assert_eq!(world.asked(), [EVERYTHING_ASKED]);
}

#[test]
fn what_changes_while_it_is_sent_is_asked_for_at_once() {
    let mut world = World::connected();
    // Before the first answer a notification says nothing.
    world.say(Version::V0, &[Pdu::SerialNotify { session: SESSION, serial: Serial(1) }]);
    world.say(Version::V1, &[Pdu::CacheResponse { session: SESSION }]);
    world.say(Version::V1, &[Pdu::SerialNotify { session: SESSION, serial: Serial(2) }]);
    world.asked();
    let timing = Some(Timing::USUAL);
    world.say(Version::V1, &[Pdu::EndOfData { session: SESSION, serial: Serial(1), timing }]);
    world.pass(Duration::ZERO);
    assert_eq!(world.asked(), [changes_since(1)]);
    world.answer(2, &[]);
    world.pass(seconds(60));
    assert_eq!(world.asked(), []);
}

#[test]
fn a_cache_of_version_0_is_spoken_to_in_version_0() {
    // It says so, it answers so, or it closes without a word (RFC 8210 §7).
    let unsupported = Pdu::ErrorReport(ErrorReport::new(ErrorCode::UnsupportedVersion, "0 only"));
    let ways: [fn(&mut World, Pdu); 3] = [
        |world, unsupported| world.say(Version::V0, &[unsupported]),
        |world, _| world.say(Version::V0, &[Pdu::CacheResponse { session: SESSION }]),
        |world, _| world.event(Event::Closed { reason: "closed".to_owned() }),
    ];
    for way in ways {
        let mut world = World::connected();
        world.asked();
        way(&mut world, unsupported.clone());
        world.pass(seconds(1));
        assert_eq!(world.dials.len(), 2);
        world.event(Event::Dialled);
        assert_eq!(world.asked(), [(Version::V0, Pdu::ResetQuery)]);
        let end = Pdu::EndOfData { session: SESSION, serial: Serial(1), timing: None };
        let prefix = Pdu::Prefix { announced: true, vrp: vrp("10.0.0.0/8 1") };
        world.say(Version::V0, &[Pdu::CacheResponse { session: SESSION }, prefix, end]);
        assert_eq!(world.validity("10.0.0.0/8", 1), Validity::Valid);
        // From here on it stays with it.
        world.say(Version::V1, &[Pdu::CacheReset]);
        assert!(matches!(
            world.asked().as_slice(),
            [(_, Pdu::ErrorReport(ErrorReport { code: ErrorCode::UnexpectedVersion, .. }))]
        ));
        assert_eq!(world.validity("10.0.0.0/8", 1), Validity::Valid);
    }
}

#[test]
fn what_contradicts_itself_is_refused_and_asked_for_again() {
    for (records, code) in [
        (vec![(true, "10.0.0.0/8 1")], ErrorCode::DuplicateAnnouncement),
        (vec![(false, "10.0.0.0/8 2")], ErrorCode::UnknownWithdrawal),
    ] {
        let mut world = World::connected();
        world.answer(1, &[(true, "10.0.0.0/8 1")]);
        world.asked();
        world.pass_until_asked();
        world.asked();
        world.answer(2, &records);
        let sent = world.asked();
        let [(_, Pdu::ErrorReport(report))] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(report.code, code);
        assert_eq!(world.validity("10.0.0.0/8", 1), Validity::Valid);
        world.pass(seconds(1));
        world.event(Event::Dialled);
        assert_eq!(world.asked(), [EVERYTHING_ASKED]);
    }
}

#[test]
fn a_cache_without_data_is_asked_again_over_the_same_connection() {
    let mut world = World::connected();
    world.asked();
    let nothing = Pdu::ErrorReport(ErrorReport::new(ErrorCode::NoDataAvailable, ""));
    world.say(Version::V1, &[nothing]);
    assert_eq!((world.closes, world.state()), (0, State::Idle));
    world.pass(seconds(1));
    assert_eq!(world.asked(), [EVERYTHING_ASKED]);
    assert_eq!(world.dials.len(), 1);
}

#[test]
fn a_cache_that_stays_silent_is_given_up() {
    let mut world = World::connected();
    world.pass(seconds(59));
    assert_eq!(world.closes, 0);
    world.pass(seconds(1));
    assert_eq!((world.closes, world.state()), (1, State::Waiting));
    world.pass(seconds(1));
    assert_eq!(world.dials.len(), 2);
}

#[test]
fn retries_double_up_to_the_interval_of_the_cache() {
    let mut world = World::new(&["one"]);
    let mut waits = Vec::new();
    for _ in 0..14 {
        world.dials.clear();
        world.event(Event::DialFailed { reason: "refused".to_owned() });
        let failed = world.now;
        while world.dials.is_empty() {
            world.pass(seconds(1));
        }
        waits.push(world.now.since(failed).as_secs());
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] * 4 / 3 + 1), "{waits:?}");
    assert!(waits[0] <= 1 && (450..=601).contains(&waits[13]), "{waits:?}");
}

#[test]
fn a_cache_that_is_not_configured_any_more_takes_its_data_along() {
    let mut world = World::new(&["one", "two"]);
    world.event(Event::Dialled);
    world.answer(1, &[(true, "10.0.0.0/8 1")]);
    world.configure(&["one", "two"]);
    assert_eq!((world.closes, world.tables), (0, 1));
    world.configure(&["two"]);
    assert_eq!((world.closes, world.tables), (1, 2));
    assert_eq!(world.validity("10.0.0.0/8", 1), Validity::NotFound);
    // What it still says is not heard.
    world.event(Event::Received(golden::decode(&golden::octets(EVERYTHING))));
    assert!(world.table.is_empty());
}
