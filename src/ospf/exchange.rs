use super::Router;
use super::flooding::MAX_LSAS;
use super::mismatch::{Difference, Stage};
use super::neighbor::{Neighbor, NeighborEvent, NeighborState};
use super::settings::AreaKind;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{Body, DatabaseDescription, LsaHeader, LsaKey, LsaType, Options};

/// The database exchange with one neighbour (RFC 2328 §10.6 to §10.9).
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Whether we are: it sets the sequence number, and repeats what is not answered.
    master: bool,
    /// DD sequence number.
    sequence: u32,
    /// Database summary list, the next ones last.
    summary: Vec<LsaHeader>,
    /// The last Database Description that went out, for repeating it.
    sent: Option<DatabaseDescription>,
    /// What tells the last one that came from others.
    received: Option<Seen>,
    /// When `sent` is to be repeated.
    repeat_at: Option<Time>,
    /// The outstanding Link State Request, and when to repeat it.
    asked: Vec<LsaKey>,
    ask_again_at: Option<Time>,
    /// First packets that came to nothing: with a smaller MTU, it cannot take ours.
    fruitless: u8,
}

/// Two Database Descriptions that agree in this are the same (RFC 2328 §10.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    init: bool,
    more: bool,
    master: bool,
    options: Options,
    sequence: u32,
}

impl Exchange {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.repeat_at.into_iter().chain(self.ask_again_at).min()
    }

    /// Forgets all but the sequence number.
    pub(super) fn reset(&mut self) {
        *self =
            Exchange { sequence: self.sequence, fruitless: self.fruitless, ..Exchange::default() };
    }

    pub(super) fn describe(&mut self, mut summary: Vec<LsaHeader>) {
        summary.reverse();
        self.summary = summary;
    }
}

impl Seen {
    fn of(description: &DatabaseDescription) -> Seen {
        Seen {
            init: description.init,
            more: description.more,
            master: description.master,
            options: description.options,
            sequence: description.sequence,
        }
    }
}

impl Router {
    /// ExStart: claims to be the master (RFC 2328 §10.8).
    pub(super) fn negotiate(&mut self, from: (u32, RouterId), now: Time) {
        let calendar = self.wall(now).as_micros();
        let (mtu, options) = (self.mtu(from.0), self.description_options());
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let exchange = &mut neighbor.exchange;
        exchange.sequence = match exchange.sequence {
            // Milliseconds, so that no number of an earlier life comes back.
            0 => (calendar / 1000) as u32,
            last => last.wrapping_add(1),
        };
        exchange.sent = Some(DatabaseDescription {
            mtu,
            options,
            init: true,
            more: true,
            master: true,
            sequence: exchange.sequence,
            headers: Vec::new(),
        });
        self.repeat_description(from, true, now);
    }

    /// RFC 2328 §10.6.
    pub(super) fn description_received(
        &mut self,
        from: (u32, RouterId),
        description: DatabaseDescription,
        now: Time,
    ) {
        let (ours, mtu) = (self.mtu(from.0), description.mtu);
        let Some(interface) = self.interfaces.get(&from.0) else { return };
        let mtu_ignore = interface.settings.mtu_ignore;
        let Some(neighbor) = interface.neighbors.get(&from.1) else { return };
        let source = neighbor.address;
        if mtu > ours && !mtu_ignore {
            return self.refuse(from.0, source, Difference::Mtu { ours, theirs: mtu }, now);
        }
        if neighbor.state == NeighborState::Init {
            // It lists us, or it would not begin.
            self.neighbor_event(from, NeighborEvent::TwoWayReceived, now);
        }
        let Some(neighbor) = self.neighbor(from) else { return };
        let seen = Seen::of(&description);
        let repeated = neighbor.exchange.received == Some(seen);
        match neighbor.state {
            NeighborState::Init | NeighborState::TwoWay => {
                self.discard(from.0, "neighbor-state");
            }
            NeighborState::ExStart => self.negotiation_received(from, description, now),
            NeighborState::Exchange | NeighborState::Loading | NeighborState::Full if repeated => {
                // The slave repeats its answer, which seems to have been lost; the master ignores it.
                if !neighbor.exchange.master {
                    self.repeat_description(from, false, now);
                }
                if description.init {
                    self.came_to_nothing(from, mtu, now);
                }
            }
            NeighborState::Exchange if self.fits(from, &description) => {
                self.accept(from, description, now);
            }
            _ => {
                self.neighbor_event(from, NeighborEvent::SequenceMismatch, now);
                if description.init {
                    // It has begun anew already, and would say so again only after its RxmtInterval.
                    self.negotiation_received(from, description, now);
                }
            }
        }
    }

    /// In ExStart: who is master?
    fn negotiation_received(
        &mut self,
        from: (u32, RouterId),
        description: DatabaseDescription,
        now: Time,
    ) {
        let ours = self.settings.router_id;
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let exchange = &mut neighbor.exchange;
        let DatabaseDescription { init, more, master, sequence, .. } = description;
        if init && more && master && description.headers.is_empty() && from.1 > ours {
            exchange.master = false;
        } else if !init && !master && sequence == exchange.sequence && from.1 < ours {
            exchange.master = true;
        } else {
            return self.came_to_nothing(from, description.mtu, now);
        }
        exchange.repeat_at = None;
        neighbor.options = description.options;
        self.neighbor_event(from, NeighborEvent::NegotiationDone, now);
        self.accept(from, description, now);
    }

    /// Whether it is the next of the exchange.
    fn fits(&self, from: (u32, RouterId), description: &DatabaseDescription) -> bool {
        let Some(Neighbor { exchange, .. }) = self.neighbor(from) else { return false };
        let next = exchange.sequence.wrapping_add(u32::from(!exchange.master));
        description.master != exchange.master
            && !description.init
            && exchange.received.is_none_or(|last| last.options == description.options)
            && description.sequence == next
    }

    /// Takes what it describes, and goes on.
    fn accept(&mut self, from: (u32, RouterId), description: DatabaseDescription, now: Time) {
        let kind = self.settings.area.kind;
        if !description.headers.iter().all(|header| belongs(header.key.kind, kind)) {
            self.neighbor_event(from, NeighborEvent::SequenceMismatch, now);
            return;
        }
        for header in &description.headers {
            self.own_seen(header, now);
            if self.is_newer_than_ours(from.0, header, now)
                && let Some(neighbor) = self.neighbor_mut(from)
                // More than a database holds nobody has.
                && neighbor.requests.len() < MAX_LSAS
            {
                neighbor.requests.insert(header.key, *header);
            }
        }
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let source = neighbor.address;
        let exchange = &mut neighbor.exchange;
        exchange.received = Some(Seen::of(&description));
        let said_all = exchange.sent.as_ref().is_some_and(|sent| !sent.more);
        let done = if exchange.master {
            exchange.sequence = exchange.sequence.wrapping_add(1);
            exchange.repeat_at = None;
            let done = said_all && !description.more;
            if !done {
                self.send_description(from, now);
            }
            done
        } else {
            exchange.sequence = description.sequence;
            let more = self.send_description(from, now);
            !more && !description.more
        };
        if !description.init {
            self.agrees(from.0, source, Stage::Description);
            if let Some(neighbor) = self.neighbor_mut(from) {
                neighbor.exchange.fruitless = 0;
            }
        }
        if done {
            self.neighbor_event(from, NeighborEvent::ExchangeDone, now);
        }
        self.request_more(from, now);
    }

    /// Sends the next part of the summary. Whether more follows comes back.
    fn send_description(&mut self, from: (u32, RouterId), now: Time) -> bool {
        let (mtu, options) = (self.mtu(from.0), self.description_options());
        let Some(interface) = self.interfaces.get_mut(&from.0) else { return false };
        let count = interface.room().saturating_sub(DESCRIPTION_LENGTH) / LsaHeader::LENGTH;
        let Some(neighbor) = interface.neighbors.get_mut(&from.1) else { return false };
        let exchange = &mut neighbor.exchange;
        let rest = exchange.summary.len().saturating_sub(count.max(1));
        let mut headers = exchange.summary.split_off(rest);
        headers.reverse();
        let more = !exchange.summary.is_empty();
        let (master, sequence) = (exchange.master, exchange.sequence);
        let init = false;
        exchange.sent =
            Some(DatabaseDescription { mtu, options, init, more, master, sequence, headers });
        self.repeat_description(from, master, now);
        more
    }

    /// Sends the last Database Description, once more if it is not the first time.
    fn repeat_description(&mut self, from: (u32, RouterId), again: bool, now: Time) {
        let mtu = self.mtu(from.0);
        let Some(interface) = self.interfaces.get_mut(&from.0) else { return };
        let interval = interface.settings.retransmit_interval;
        let Some(neighbor) = interface.neighbors.get_mut(&from.1) else { return };
        neighbor.exchange.repeat_at = again.then_some(now + interval);
        // The MTU may have been corrected meanwhile.
        let Some(description) = &mut neighbor.exchange.sent else { return };
        description.mtu = mtu;
        let description = description.clone();
        let destination = neighbor.address;
        let destination = interface.destination(destination);
        self.send(from.0, destination, Body::DatabaseDescription(description), now);
    }

    /// Asks for what is on the request list, unless an answer is still awaited (RFC 2328 §10.9).
    pub(super) fn request_more(&mut self, from: (u32, RouterId), now: Time) {
        let Some(interface) = self.interfaces.get_mut(&from.0) else { return };
        let count = (interface.room() / REQUEST_LENGTH).max(1);
        let Some(neighbor) = interface.neighbors.get_mut(&from.1) else { return };
        let Neighbor { exchange, requests, .. } = neighbor;
        exchange.asked.retain(|key| requests.contains_key(key));
        if !exchange.asked.is_empty() {
            return;
        }
        exchange.asked.extend(requests.keys().take(count));
        exchange.ask_again_at = None;
        self.ask(from, now);
    }

    fn ask(&mut self, from: (u32, RouterId), now: Time) {
        let Some(interface) = self.interfaces.get_mut(&from.0) else { return };
        let interval = interface.settings.retransmit_interval;
        let Some(neighbor) = interface.neighbors.get_mut(&from.1) else { return };
        if neighbor.exchange.asked.is_empty() {
            return;
        }
        neighbor.exchange.ask_again_at = Some(now + interval);
        let (keys, address) = (neighbor.exchange.asked.clone(), neighbor.address);
        let destination = interface.destination(address);
        self.send(from.0, destination, Body::LinkStateRequest(keys), now);
    }

    /// Repeats what was not answered.
    pub(super) fn exchange_tick(&mut self, from: (u32, RouterId), now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let Some(Neighbor { exchange, .. }) = self.neighbor(from) else { return };
        let (repeat, ask) = (due(exchange.repeat_at), due(exchange.ask_again_at));
        if repeat {
            self.repeat_description(from, true, now);
        }
        if ask {
            if let Some(neighbor) = self.neighbor_mut(from) {
                let Neighbor { exchange, requests, .. } = neighbor;
                exchange.ask_again_at = None;
                exchange.asked.retain(|key| requests.contains_key(key));
            }
            self.ask(from, now);
            self.request_more(from, now);
        }
    }

    /// A first packet that does not get us on. One is normal, as both sides begin. When they go on coming and its MTU
    /// is smaller than ours, the neighbour refuses our packets.
    fn came_to_nothing(&mut self, from: (u32, RouterId), theirs: u16, now: Time) {
        let ours = self.mtu(from.0);
        let Some(neighbor) = self.neighbor_mut(from) else { return };
        let source = neighbor.address;
        neighbor.exchange.fruitless = neighbor.exchange.fruitless.saturating_add(1);
        if neighbor.exchange.fruitless > 2 && theirs < ours && theirs != 0 {
            self.remember(from.0, source, Difference::Mtu { ours, theirs }, now);
        }
    }

    /// The interface MTU as Database Descriptions carry it.
    fn mtu(&self, index: u32) -> u16 {
        let mtu = self.interfaces.get(&index).map_or(0, |interface| interface.link.mtu);
        u16::try_from(mtu).unwrap_or(u16::MAX)
    }

    fn description_options(&self) -> Options {
        self.settings.area.kind.options().with(Options::OPAQUE)
    }
}

/// Whether advertisements of this type may be in our area (RFC 2328 §10.6, RFC 3101 §2.2, RFC 5250 §3).
fn belongs(lsa: LsaType, area: AreaKind) -> bool {
    match lsa {
        LsaType::EXTERNAL | LsaType::OPAQUE_AS => area == AreaKind::Normal,
        LsaType::NSSA => area == AreaKind::Nssa,
        other => other.is_known(),
    }
}

/// Octets of a Database Description's body without its headers.
const DESCRIPTION_LENGTH: usize = 8;
/// Octets that a key takes in a Link State Request.
const REQUEST_LENGTH: usize = 12;
