use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::table::Change;
use crate::types::{Rng, Time};
use crate::wire::rtr::{ErrorCode, ErrorReport, Pdu, Serial, SessionId, Timing, Version, Vrp};

/// How to reach a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub address: IpAddr,
    pub port: u16,
    /// Source address.
    pub local_address: Option<IpAddr>,
}

/// Something happened on the way to a cache.
#[derive(Clone, Debug)]
pub enum Event {
    /// The connection that was dialled for is there.
    Dialled,
    DialFailed {
        reason: String,
    },
    /// Several at once, as they were read.
    Received(Vec<(Option<Version>, Pdu)>),
    /// The Error Report that answers it.
    Malformed(ErrorReport),
    Closed {
        reason: String,
    },
}

/// What is done about one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Dialling,
    Asking,
    Receiving,
    Idle,
}

/// What a session wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Dial,
    Send(Bytes),
    Close,
    /// An answer is complete: the data of the cache is this, or this has changed of it.
    Replace(Vec<Vrp>),
    Change(Vec<Change>),
    /// The data of the cache is too old.
    Expire,
    Note(Note),
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Everything has come, with this serial number.
    Loaded(Serial),
    Failed(String),
    Expired,
}

/// What is asked of one cache, and when.
#[derive(Clone, Debug)]
pub(super) struct Session {
    rng: Rng,
    phase: Phase,
    /// When the phase ends by itself.
    until: Option<Time>,
    /// In which we ask.
    version: Version,
    /// Whether the cache has answered in it on this connection.
    answered: bool,
    /// Where the data that we have stands.
    known: Option<(SessionId, Serial)>,
    /// Where the cache says that its data stands.
    notified: Option<(SessionId, Serial)>,
    timing: Timing,
    /// When the data that we have came, and when it is too old.
    fresh: Option<(Time, Time)>,
    /// Questions without a good answer, in a row.
    failures: u32,
    last_error: Option<String>,
    wishes: VecDeque<Wish>,
}

#[derive(Clone, Debug)]
enum Phase {
    Waiting,
    Dialling,
    Asking(Question),
    Receiving { session: SessionId, answer: Answer },
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Changes,
    Everything,
}

#[derive(Clone, Debug)]
enum Answer {
    Changes(Vec<Change>),
    Everything(Vec<Vrp>),
}

/// A cache that says nothing for so long while we wait for its answer is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Records of one answer. There are half a million VRPs today; without a bound a cache could use up our memory.
const MOST_RECORDS: usize = 4_000_000;

impl Session {
    /// A session that dials with its first tick.
    pub fn new(rng: Rng, now: Time) -> Session {
        Session {
            rng,
            phase: Phase::Waiting,
            until: Some(now),
            version: Version::V1,
            answered: false,
            known: None,
            notified: None,
            timing: Timing::USUAL,
            fresh: None,
            failures: 0,
            last_error: None,
            wishes: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, event: Event, now: Time) {
        match event {
            Event::Dialled => {
                if let Phase::Dialling = self.phase {
                    self.answered = false;
                    self.notified = None;
                    self.ask(now);
                }
            }
            Event::DialFailed { reason } => self.wait(reason, now),
            Event::Received(pdus) => {
                for (version, pdu) in pdus {
                    if !self.is_connected() {
                        return;
                    }
                    self.received(version, pdu, now);
                }
            }
            Event::Malformed(report) => self.fail(report, now),
            Event::Closed { reason } => {
                // A cache that does not know the version may just close (RFC 8210 §7).
                let next = match (self.version, self.answered) {
                    (Version::V1, false) => Version::V0,
                    _ => Version::V1,
                };
                self.change_version(next);
                self.wait(reason, now);
            }
        }
    }

    pub fn tick(&mut self, now: Time) {
        if self.fresh.is_some_and(|(_, expires)| now >= expires) {
            self.fresh = None;
            self.known = None;
            self.wishes.push_back(Wish::Expire);
            self.note(Note::Expired);
        }
        if self.until.is_none_or(|until| now < until) {
            return;
        }
        self.until = None;
        match self.phase {
            Phase::Waiting => {
                self.phase = Phase::Dialling;
                self.wishes.push_back(Wish::Dial);
            }
            Phase::Idle => self.ask(now),
            Phase::Asking(_) | Phase::Receiving { .. } => {
                self.wishes.push_back(Wish::Close);
                self.wait(format!("no answer within {} s", ANSWER_WITHIN.as_secs()), now);
            }
            // Up to the driver.
            Phase::Dialling => {}
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        let expires = self.fresh.map(|(_, expires)| expires);
        self.until.into_iter().chain(expires).min()
    }

    pub fn poll(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    pub fn state(&self) -> State {
        match self.phase {
            Phase::Waiting => State::Waiting,
            Phase::Dialling => State::Dialling,
            Phase::Asking(_) => State::Asking,
            Phase::Receiving { .. } => State::Receiving,
            Phase::Idle => State::Idle,
        }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn known(&self) -> Option<(SessionId, Serial)> {
        self.known
    }

    /// When the data that we have came, and when it is too old.
    pub fn fresh(&self) -> Option<(Time, Time)> {
        self.fresh
    }

    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// What the cache sent contradicts what it sent before: all of it is asked for again.
    pub fn contradicted(&mut self, code: ErrorCode, vrp: Vrp, now: Time) {
        self.fail(ErrorReport::new(code, vrp.to_string()), now);
    }

    fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Asking(_) | Phase::Receiving { .. } | Phase::Idle)
    }

    fn ask(&mut self, now: Time) {
        let (question, pdu) = match self.known {
            Some((session, serial)) => (Question::Changes, Pdu::SerialQuery { session, serial }),
            None => (Question::Everything, Pdu::ResetQuery),
        };
        self.phase = Phase::Asking(question);
        self.until = Some(now + ANSWER_WITHIN);
        self.send(&pdu);
    }

    fn received(&mut self, version: Option<Version>, pdu: Pdu, now: Time) {
        if let Pdu::ErrorReport(report) = pdu {
            return self.reported(&report, now);
        }
        let Some(version) = version else { return };
        // Its version may be any before the first answer (RFC 8210 §7).
        if let (Pdu::SerialNotify { .. }, false) = (&pdu, self.answered) {
            return;
        }
        if version != self.version {
            return match self.answered {
                true => {
                    let text = format!("version {version} after {}", self.version);
                    self.fail(ErrorReport::new(ErrorCode::UnexpectedVersion, text), now);
                }
                false => self.speak(version, now),
            };
        }
        self.answered = true;
        match (&mut self.phase, pdu) {
            (Phase::Idle, Pdu::SerialNotify { session, serial }) => {
                if self.known != Some((session, serial)) {
                    if self.known.is_some_and(|(known, _)| known != session) {
                        self.known = None;
                    }
                    self.ask(now);
                }
            }
            (_, Pdu::SerialNotify { session, serial }) => self.notified = Some((session, serial)),
            (Phase::Asking(question), Pdu::CacheResponse { session }) => {
                let answer = match question {
                    Question::Changes => Answer::Changes(Vec::new()),
                    Question::Everything => Answer::Everything(Vec::new()),
                };
                let known = self.known.filter(|_| *question == Question::Changes);
                if known.is_some_and(|(known, _)| known != session) {
                    // Not the data that we have a part of (RFC 8210 §5.5).
                    return self.corrupt("another session id than that asked for", now);
                }
                self.phase = Phase::Receiving { session, answer };
                self.until = Some(now + ANSWER_WITHIN);
            }
            (Phase::Receiving { answer, .. }, Pdu::Prefix { announced, vrp }) => {
                self.until = Some(now + ANSWER_WITHIN);
                let records = match answer {
                    Answer::Changes(changes) => {
                        changes.push(Change { announced, vrp });
                        changes.len()
                    }
                    Answer::Everything(vrps) if announced => {
                        vrps.push(vrp);
                        vrps.len()
                    }
                    Answer::Everything(_) => {
                        return self.contradicted(ErrorCode::UnknownWithdrawal, vrp, now);
                    }
                };
                if records > MOST_RECORDS {
                    self.corrupt("more records than there can be", now);
                }
            }
            (Phase::Receiving { .. }, Pdu::RouterKey) => {}
            (
                Phase::Receiving { session: begun, .. },
                Pdu::EndOfData { session, serial, timing },
            ) => {
                if *begun != session {
                    return self.corrupt("another session id at the end than at the begin", now);
                }
                self.complete(session, serial, timing, now);
            }
            // It has forgotten what changed since our serial number.
            (Phase::Asking(Question::Changes), Pdu::CacheReset) => {
                self.known = None;
                self.ask(now);
            }
            _ => self.corrupt("a PDU that does not fit here", now),
        }
    }

    fn complete(&mut self, session: SessionId, serial: Serial, timing: Option<Timing>, now: Time) {
        self.timing = timing.unwrap_or(Timing::USUAL);
        let before = std::mem::replace(&mut self.phase, Phase::Idle);
        self.known = Some((session, serial));
        self.fresh = Some((now, now + self.timing.expire));
        self.failures = 0;
        self.last_error = None;
        // Not all routers of a network at once.
        self.until = Some(now + self.rng.jitter(self.timing.refresh, 90, 100));
        match before {
            Phase::Receiving { answer: Answer::Everything(vrps), .. } => {
                self.wishes.push_back(Wish::Replace(vrps));
                self.note(Note::Loaded(serial));
            }
            Phase::Receiving { answer: Answer::Changes(changes), .. } => {
                self.wishes.push_back(Wish::Change(changes));
            }
            _ => {}
        }
        // It changed while it answered.
        if let Some(notified) = self.notified.take()
            && notified != (session, serial)
        {
            self.until = Some(now);
        }
    }

    /// The cache says that it cannot go on.
    fn reported(&mut self, report: &ErrorReport, now: Time) {
        match report.code {
            // It will have some later; the connection stays.
            ErrorCode::NoDataAvailable if matches!(self.phase, Phase::Asking(_)) => {
                self.answered = true;
                self.phase = Phase::Idle;
                self.failed(format!("the cache says: {report}"), now);
            }
            ErrorCode::UnsupportedVersion if self.version == Version::V1 => {
                self.speak(Version::V0, now);
            }
            _ => {
                self.known = None;
                self.wishes.push_back(Wish::Close);
                self.wait(format!("the cache says: {report}"), now);
            }
        }
    }

    /// Asks again in another version, over a new connection.
    fn speak(&mut self, version: Version, now: Time) {
        self.change_version(version);
        self.wishes.push_back(Wish::Close);
        self.phase = Phase::Waiting;
        self.until = Some(now);
    }

    fn change_version(&mut self, version: Version) {
        // Serial numbers of different versions say nothing to each other (RFC 8210 §7).
        if std::mem::replace(&mut self.version, version) != version {
            self.known = None;
        }
    }

    fn corrupt(&mut self, what: &str, now: Time) {
        self.fail(ErrorReport::new(ErrorCode::CorruptData, what), now);
    }

    /// The cache is told what it did wrong, and asked for everything later. What it said before stays until it expires.
    fn fail(&mut self, report: ErrorReport, now: Time) {
        let reason = format!("the cache was told: {report}");
        self.known = None;
        self.send(&Pdu::ErrorReport(report));
        self.wishes.push_back(Wish::Close);
        self.wait(reason, now);
    }

    /// The connection is gone.
    fn wait(&mut self, reason: String, now: Time) {
        self.phase = Phase::Waiting;
        self.failed(reason, now);
    }

    fn failed(&mut self, reason: String, now: Time) {
        let longest = FIRST_RETRY.saturating_mul(1 << self.failures.min(16));
        let wait = longest.min(self.timing.retry);
        self.failures += 1;
        self.until = Some(now + self.rng.jitter(wait, 75, 100));
        // A cache that stays away fails the same way again and again: said once.
        if self.last_error.as_ref() != Some(&reason) {
            self.note(Note::Failed(reason.clone()));
            self.last_error = Some(reason);
        }
    }

    fn send(&mut self, pdu: &Pdu) {
        let mut octets = BytesMut::new();
        pdu.emit(self.version, &mut octets);
        self.wishes.push_back(Wish::Send(octets.freeze()));
    }

    fn note(&mut self, note: Note) {
        self.wishes.push_back(Wish::Note(note));
    }
}
