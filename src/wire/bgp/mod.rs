//! BGP-4 messages (RFC 4271 §4).
//!
//! `parse` turns one whole message into an owned value; what it needs to know of the session is
//! in [`SessionFacts`]. An error is the NOTIFICATION that answers it. UPDATE is the exception: most
//! of its errors do not end the session (RFC 7606), so a parsed [`Update`] carries the routes that
//! are left and a list of what was wrong.
//!
//! ```text
//! bytes ─ Decoder ─ frame_length ─ Message::parse ─┬ Open ── Capability
//!                                                  ├ Update ─┬ AttributeList ─ AsPath, …
//!                                                  │         ├ multiprotocol ─ Nlri
//!                                                  │         └ Nlri
//!                                                  ├ Notification
//!                                                  └ RouteRefresh
//! ```
//!
//! Fixed headers and nested type-length-value lists are read with nom. The attributes and prefixes
//! of an UPDATE are read with loops of our own, because there each error has a reaction of its own
//! and decides which octets the NOTIFICATION quotes.

mod as_path;
mod attribute;
mod attribute_list;
mod attributes;
mod capability;
mod community;
mod decoder;
mod emit;
mod facts;
mod message;
mod multiprotocol;
mod nlri;
mod notification;
mod open;
mod update;

pub use as_path::{AsPath, AsPathError, Segment};
pub use attributes::{Aggregator, Attributes, NextHop, Origin, UnknownAttribute};
pub use capability::{Capability, GracefulRestart, Role};
pub use community::{Community, CommunityError, ExtendedCommunity, LargeCommunity};
pub use decoder::Decoder;
pub use emit::{Unsendable, emit_end_of_rib, emit_routes, emit_table_attributes};
pub use facts::SessionFacts;
pub use message::{
    HEADER_LENGTH, MAX_EXTENDED_LENGTH, MAX_LENGTH, Message, RefreshSubtype, RouteRefresh,
    frame_length,
};
pub use nlri::Nlri;
pub use notification::{FsmState, Notification};
pub use open::Open;
pub use update::{Announced, Problem, Reaction, Update};
