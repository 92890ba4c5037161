//! The BGP session core (RFC 4271 §8): one [`Peer`] per neighbour, without I/O.
//!
//! # States
//!
//! Idle, Connect and Active are about getting a connection and belong to the peer; OpenSent and
//! what follows belong to a connection, of which there may be two: the one we dialled and the one
//! we accepted ([`Slot`]).
//!
//! | what the peer does (`Dialler`) | shown as | goes on when |
//! |---|---|---|
//! | Off: administratively down, connections are refused | Idle | started |
//! | Idle: left alone after an error, connections are refused | Idle | IdleHold fires |
//! | Dialling | Connect | the dial succeeds, fails or takes too long |
//! | Waiting: connections are accepted | Active | ConnectRetry fires; never if we are passive |
//! | Resting: there is nothing to dial for | the connection's state | the connection ends |
//!
//! | phase of a connection | has | sends on entry | goes on with |
//! |---|---|---|---|
//! | OpenSent | | OPEN | the neighbour's OPEN |
//! | Colliding (shown as OpenSent) | session | | the end of the other connection |
//! | OpenConfirm | session | KEEPALIVE | the neighbour's KEEPALIVE |
//! | Established | session, since when | | |
//!
//! From OpenConfirm on a connection is alone: entering it stops a dial under way, and connections
//! that come later are refused (Cease / Connection Collision Resolution). So when both sides dial
//! at once, the choice falls between two connections in OpenSent, by router id
//! (`collision::survivor`); the one that would lose waits in Colliding, without a KEEPALIVE,
//! until the other one has its OPEN or is gone. An accepted connection replaces an older accepted
//! one in OpenSent; an established one only after ten seconds and if the neighbour announced that
//! it restarts gracefully (RFC 4724 §5).
//!
//! # Waits
//!
//! The first dial is at once. Failed attempts wait connect-retry, twice that, and so on up to two
//! minutes, less up to a quarter of jitter. A session that was up for ten seconds resets this, and
//! the first dial after it waits a quarter of connect-retry, at most a second. After an error of
//! the neighbour in an established session, too many prefixes included, the peer is Idle for the
//! wait (DampPeerOscillations); otherwise it is Active, so a neighbour that comes back and
//! dials us is up at once. DelayOpen (RFC 4271 §8.1.1, optional) is not implemented.
//!
//! What sees the path itself says more than these waits. When BFD comes up, or the link is back, the next dial is at
//! once. When either is lost, all connections end and nothing of the neighbour's is kept. With `bfd_strict` there is no
//! connection before BFD is up: nothing is dialled, and what the neighbour dials is closed without a word.
//!
//! # Timers
//!
//! Hold: four minutes until the neighbour's OPEN is there, then the negotiated time from each
//! message. Keepalive: a third of it from what we sent last, less jitter. With a hold time of zero
//! there are neither, but OpenConfirm is still left after four minutes. Send hold (RFC 9687): while
//! bytes wait that TCP has not taken, from the moment that it last took some.
//!
//! # Stale routes
//!
//! The core keeps no routes, but it knows which families are stale and tells when to sweep them:
//! after a graceful restart (RFC 4724 §4.2, RFC 8538) at End-of-RIB, or when the neighbour does not
//! come back in time, or comes back without its forwarding state; within a refresh
//! (RFC 7313) at EoRR. Either ends at the latest by a timer.

mod action;
mod backoff;
mod collision;
mod connection;
mod counters;
mod dialler;
mod event;
mod exchange;
mod handshake;
mod peer;
mod restart;
mod session;
mod settings;
mod timer;

pub use action::{Action, DownReason, Note};
pub use counters::{Counters, Messages};
pub use event::{ConnectionId, Event, Slot};
pub use peer::{Peer, State};
pub use restart::Restart;
pub use session::Session;
pub use settings::{OwnRestart, Settings};
