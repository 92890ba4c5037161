//! The BGP session core (RFC 4271 §8): one [`Peer`] per neighbour.

mod action;
mod counters;
mod event;
mod peer;
mod session;
mod settings;

pub use action::{Action, DownReason, Note};
pub use counters::{Counters, Messages};
pub use event::{ConnectionId, Event, Slot};
pub use peer::{Peer, State};
pub use session::Session;
pub use settings::Settings;
