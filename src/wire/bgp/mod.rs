//! BGP-4 messages (RFC 4271 §4).
//!
//! `parse` turns one whole message into an owned value; what it needs to know of the session is
//! in [`SessionFacts`]. An error is the NOTIFICATION that answers it. UPDATE is the exception: most of
//! its errors do not end the session (RFC 7606), so a parsed [`Update`] carries the routes
//! that are left and a list of what was wrong.

mod attributes;
mod capability;
mod community;
mod message;
mod notification;
mod open;
mod update;

pub use attributes::{Aggregator, AsPath, Attributes, NextHop, Origin, Segment, UnknownAttribute};
pub use capability::{Capability, GracefulRestart, Role};
pub use community::{Community, ExtendedCommunity, LargeCommunity};
pub use message::{
    HEADER_LENGTH, MAX_EXTENDED_LENGTH, MAX_LENGTH, Message, RefreshSubtype, RouteRefresh,
    SessionFacts, frame_length,
};
pub use notification::Notification;
pub use open::Open;
pub use update::{Announced, Nlri, Problem, Reaction, Update};
