use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;

use super::departure::departure;
use super::negotiation::{Intervals, Negotiation};
use super::security::Security;
use super::{Action, Change, Diagnostic, Path, SessionId, Settings, State, Summary};
use crate::types::{Rng, Tally, Time};
use crate::wire::bfd::Packet;

/// One session (RFC 5880 §6.8.1 names its variables).
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: SessionId,
    settings: Settings,
    /// bfd.LocalDiscr.
    discriminator: u32,
    state: State,
    since: Time,
    diagnostic: Diagnostic,
    remote: Remote,
    negotiation: Negotiation,
    security: Security,
    /// When the last packet came that counts.
    heard: Time,
    transmission: Transmission,
    /// Nothing is sent, and no state but Down taken, without it.
    link_up: bool,
    /// The agent no longer wants the session. Until then AdminDown is said.
    ends: Option<Time>,
    counts: Counts,
}

/// What the other side says.
#[derive(Clone, Copy, Debug)]
struct Remote {
    /// bfd.RemoteDiscr: 0 while nothing is heard.
    discriminator: u32,
    state: State,
    diagnostic: Diagnostic,
    /// Desired Min TX Interval.
    transmit: Duration,
    /// bfd.RemoteMinRxInterval.
    receive: Duration,
    multiplier: u8,
    /// bfd.RemoteDemandMode.
    demand: bool,
}

/// Of packets that go out.
#[derive(Clone, Debug)]
struct Transmission {
    /// The one before, as it was without authentication.
    last: Option<Packet>,
    /// When a packet went out that was no answer to a Poll.
    at: Time,
    /// Between two packets, before jitter; `None` while none goes out by itself.
    interval: Option<Duration>,
    /// At this time at the latest.
    next: Option<Time>,
    /// Packets since a moment that did not wait for their time.
    hasty: (Time, u8),
}

#[derive(Clone, Debug, Default)]
struct Counts {
    sent: u64,
    received: u64,
    ups: u64,
    downs: u64,
    dropped: Tally,
}

/// What a session does something with.
pub(super) struct Context<'a> {
    pub now: Time,
    pub rng: &'a mut Rng,
    pub actions: &'a mut VecDeque<Action>,
}

/// Between the packets of a session that is not up: at least this (RFC 5880 §6.8.3).
const SLOW: Duration = Duration::from_secs(1);
/// The least interval that can be wanted.
const MIN_INTERVAL: Duration = Duration::from_millis(5);
/// So many packets a second need not wait for their time: enough to come up, fail and come up again. More could only be
/// an exchange of packets that the network multiplies.
const MAX_HASTY: u8 = 8;

impl Transmission {
    /// Whether a packet need not wait for its time.
    fn may_hurry(&mut self, now: Time) -> bool {
        let (since, count) = &mut self.hasty;
        if now.since(*since) >= SLOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MAX_HASTY
    }
}

impl Session {
    /// A new session says Down at once.
    pub fn new(
        id: SessionId,
        settings: Settings,
        discriminator: u32,
        link_up: bool,
        context: &mut Context<'_>,
    ) -> Session {
        let sequence = (context.rng.next_u64() >> 32) as u32;
        let mut session = Session {
            negotiation: Negotiation::new(intervals(&settings, false)),
            id,
            settings,
            discriminator,
            state: State::Down,
            since: context.now,
            diagnostic: Diagnostic::NONE,
            remote: Remote {
                discriminator: 0,
                state: State::Down,
                diagnostic: Diagnostic::NONE,
                transmit: Duration::ZERO,
                receive: Duration::from_micros(1),
                multiplier: 1,
                demand: false,
            },
            security: Security::new(sequence),
            heard: context.now,
            transmission: Transmission {
                last: None,
                at: context.now,
                interval: None,
                next: None,
                hasty: (context.now, 0),
            },
            link_up,
            ends: None,
            counts: Counts::default(),
        };
        context.actions.push_back(Action::Open { session: id, path: session.settings.path });
        session.tell(context);
        session
    }

    pub fn id(&self) -> SessionId {
        self.id
    }

    pub fn discriminator(&self) -> u32 {
        self.discriminator
    }

    pub fn path(&self) -> &Path {
        &self.settings.path
    }

    /// Other settings. What they change goes out at once, with Poll if it is an interval. A session that was about to
    /// end begins anew (RFC 5880 §6.8.16).
    pub fn configure(&mut self, settings: Settings, context: &mut Context<'_>) {
        self.settings = settings;
        if self.ends.take().is_some() {
            self.set_state(State::Down, Diagnostic::NONE, context);
        }
        self.negotiate();
        self.tell(context);
    }

    /// AdminDown, for as long as the other side would wait for a packet (RFC 5880 §6.8.16). It is over at once if there
    /// is nobody to tell.
    pub fn end(&mut self, context: &mut Context<'_>) {
        if self.ends.is_some() {
            return;
        }
        self.state = State::AdminDown;
        self.diagnostic = Diagnostic::ADMINISTRATIVELY_DOWN;
        self.negotiate();
        self.tell(context);
        let patience = if self.link_up && self.remote.discriminator != 0 {
            let interval = self.negotiation.advertised().transmit.max(self.remote.receive);
            interval * u32::from(self.settings.multiplier)
        } else {
            Duration::ZERO
        };
        self.ends = Some(context.now + patience);
    }

    /// Whether the session is to be removed.
    pub fn is_over(&self, now: Time) -> bool {
        self.ends.is_some_and(|end| end <= now)
    }

    /// The interface lost its carrier, or has it again.
    pub fn set_link(&mut self, up: bool, context: &mut Context<'_>) {
        if up == self.link_up {
            return;
        }
        if !up && matches!(self.state, State::Init | State::Up) {
            self.set_state(State::Down, Diagnostic::PATH_DOWN, context);
            self.tell(context);
        }
        self.link_up = up;
        if up {
            self.transmission.last = None;
        }
        self.tell(context);
    }

    /// A packet was dropped that was for this session.
    pub fn drop_packet(&mut self, why: &'static str) {
        self.counts.dropped.count(why);
    }

    /// A packet that has come on the session's path: RFC 5880 §6.8.6 from the authentication on, in its order.
    pub fn receive(&mut self, packet: &Packet, payload: &[u8], context: &mut Context<'_>) {
        let now = context.now;
        // bfd.AuthSeqKnown (§6.8.1).
        if now.since(self.heard) >= 2 * self.patience() {
            self.security.forget();
        }
        let genuine = self.security.verify(self.settings.authentication.as_ref(), packet, payload);
        if let Err(why) = genuine {
            return self.drop_packet(why);
        }
        self.counts.received += 1;
        self.heard = now;
        let before = std::mem::replace(
            &mut self.remote,
            Remote {
                discriminator: packet.my_discriminator,
                state: packet.state,
                diagnostic: packet.diagnostic,
                transmit: packet.desired_min_tx,
                receive: packet.required_min_rx,
                multiplier: packet.multiplier,
                demand: packet.demand,
            },
        );
        if packet.final_bit {
            self.negotiation.finish(now);
        }
        if self.state == State::AdminDown || !self.link_up {
            return;
        }
        self.follow(before.state, context);
        if packet.poll {
            self.transmit(true, context);
        }
        self.tell(context);
    }

    /// The state machine (RFC 5880 §6.2, §6.8.6). `before`: what the other side was.
    fn follow(&mut self, before: State, context: &mut Context<'_>) {
        let signaled = Diagnostic::NEIGHBOR_SIGNALED_DOWN;
        match (self.state, self.remote.state) {
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.set_state(State::Down, signaled, context);
            }
            (State::Down, State::Down) => self.set_state(State::Init, self.diagnostic, context),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.set_state(State::Up, Diagnostic::NONE, context);
            }
            // A client may have to know that the other side does not want the session, or again does.
            (_, state) if (state == State::AdminDown) != (before == State::AdminDown) => {
                self.report(context);
            }
            _ => {}
        }
    }

    /// Does what is due.
    pub fn fire(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        if self.silence().is_some_and(|at| at <= now) {
            self.forget(context);
            self.tell(context);
        }
        if self.transmission.next.is_some_and(|at| at <= now) {
            self.transmit(false, context);
        }
    }

    /// When something is due.
    pub fn deadline(&self) -> Option<Time> {
        [self.silence(), self.transmission.next, self.ends].into_iter().flatten().min()
    }

    /// A Detection Time has passed without a packet (RFC 5880 §6.8.4; §6.8.1 of bfd.RemoteDiscr).
    fn forget(&mut self, context: &mut Context<'_>) {
        self.remote.discriminator = 0;
        self.remote.receive = Duration::from_micros(1);
        // Who said AdminDown has left, and is not missed.
        if self.remote.state != State::AdminDown {
            self.remote.state = State::Down;
        }
        self.negotiation.forget();
        if matches!(self.state, State::Init | State::Up) {
            self.set_state(State::Down, Diagnostic::DETECTION_TIME_EXPIRED, context);
        }
    }

    fn set_state(&mut self, state: State, diagnostic: Diagnostic, context: &mut Context<'_>) {
        self.counts.ups += u64::from(state == State::Up);
        self.counts.downs += u64::from(self.state == State::Up);
        self.state = state;
        self.diagnostic = diagnostic;
        self.since = context.now;
        self.negotiate();
        self.report(context);
    }

    fn report(&self, context: &mut Context<'_>) {
        context.actions.push_back(Action::Changed(Change {
            session: self.id,
            state: self.state,
            diagnostic: self.diagnostic,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diagnostic,
            at: context.now,
        }));
    }

    /// Our intervals follow from the settings and the state.
    fn negotiate(&mut self) {
        let up = self.state == State::Up;
        let known = self.remote.discriminator != 0;
        self.negotiation.set(intervals(&self.settings, up), up, known);
    }

    /// Sends at once what the last packet did not say yet (RFC 5880 §6.8.7). Otherwise the next packet may have to
    /// leave earlier than was thought.
    fn tell(&mut self, context: &mut Context<'_>) {
        let said = |last: &Packet| Packet { poll: false, final_bit: false, ..*last };
        let changed = self.transmission.last.as_ref().map(said) != Some(self.packet());
        if changed && self.link_up && self.transmission.may_hurry(context.now) {
            self.transmit(false, context);
        } else if self.interval() != self.transmission.interval {
            self.schedule(context.rng);
        }
    }

    fn packet(&self) -> Packet {
        let Intervals { transmit, receive } = self.negotiation.advertised();
        Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: false,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            multiplier: self.settings.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: transmit,
            required_min_rx: receive,
            required_min_echo_rx: Duration::ZERO,
            authentication: None,
        }
    }

    /// RFC 5880 §6.8.7. The answer to a Poll leaves the timer alone; otherwise who polls us all the time would keep us
    /// from polling.
    fn transmit(&mut self, final_bit: bool, context: &mut Context<'_>) {
        let poll = !final_bit && self.negotiation.poll_bit(context.now);
        let mut packet = Packet { poll, final_bit, ..self.packet() };
        let changed = self.transmission.last.replace(packet) != Some(packet);
        let authentication = self.settings.authentication.as_ref();
        let secret = self.security.sign(authentication, changed, &mut packet);
        let mut octets = SmallVec::new();
        packet.emit(secret, &mut octets);
        context.actions.push_back(Action::Send { session: self.id, packet: octets });
        self.counts.sent += 1;
        if !final_bit {
            self.transmission.at = context.now;
            self.transmission.next = None;
            self.schedule(context.rng);
        }
    }

    /// The interval may be another one: a packet that would go out too late then leaves earlier (RFC 5880 §6.8.3).
    fn schedule(&mut self, rng: &mut Rng) {
        self.transmission.interval = self.interval();
        let (last, multiplier) = (self.transmission.at, self.settings.multiplier);
        let next =
            self.transmission.interval.map(|interval| departure(last, interval, multiplier, rng));
        let before = self.transmission.next;
        self.transmission.next = next.map(|next| before.map_or(next, |before| before.min(next)));
    }

    /// Between two packets that go out by themselves; `None`: none does (RFC 5880 §6.8.7).
    fn interval(&self) -> Option<Duration> {
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        let demand = self.remote.demand && both_up && !self.negotiation.is_polling();
        let wanted = self.link_up && !self.remote.receive.is_zero() && !demand;
        wanted.then(|| self.negotiation.in_force().transmit.max(self.remote.receive))
    }

    /// The Detection Time by what was heard last (RFC 5880 §6.8.4).
    fn patience(&self) -> Duration {
        let interval = self.negotiation.in_force().receive.max(self.remote.transmit);
        interval * u32::from(self.remote.multiplier)
    }

    /// When the other side's silence has lasted too long.
    fn silence(&self) -> Option<Time> {
        (self.remote.discriminator != 0).then(|| self.heard + self.patience())
    }

    /// As it is shown; `None` for one that nobody wants any more.
    pub fn summary(&self) -> Option<Summary> {
        let heard = self.remote.discriminator != 0;
        self.ends.is_none().then(|| Summary {
            session: self.id,
            settings: self.settings.clone(),
            state: self.state,
            since: self.since,
            diagnostic: self.diagnostic,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diagnostic,
            local_discriminator: self.discriminator,
            remote_discriminator: self.remote.discriminator,
            transmit_interval: self.interval().unwrap_or_default(),
            detection_time: if heard { self.patience() } else { Duration::ZERO },
            remote_multiplier: if heard { self.remote.multiplier } else { 0 },
            sent: self.counts.sent,
            received: self.counts.received,
            ups: self.counts.ups,
            downs: self.counts.downs,
            dropped: self.counts.dropped.to_map(),
        })
    }
}

/// What we advertise: what is configured while the session is up, and seldom otherwise (RFC 5880 §6.8.3).
fn intervals(settings: &Settings, up: bool) -> Intervals {
    let least = if up { MIN_INTERVAL } else { SLOW };
    Intervals {
        transmit: settings.transmit_interval.max(least),
        receive: settings.receive_interval.max(MIN_INTERVAL),
    }
}
