//! The RPKI client: which AS may originate which prefix, as caches tell it (RFC 8210), and what follows for a route (RFC 6811).
//! Without I/O.
//!
//! # Data
//!
//! ```text
//! Client ─┬ Cache ── Session: what is asked of one cache, and when     session.rs
//!         └ Table: the VRPs of all caches together                     table.rs
//! ```
//!
//! A VRP counts if any cache has it; each is stored once, with the caches that have it. The table is shared with who asks it:
//! what changes it makes a copy if somebody holds it. So a reader sees all of an answer of a cache or nothing of it, and is
//! never made to wait by a cache with half a million of them.
//!
//! # States of a session
//!
//! | state | has | goes on when |
//! |---|---|---|
//! | Waiting | when to dial | that time is there |
//! | Dialling | | the driver says how it went |
//! | Asking | what was asked: for changes, or for everything | the cache answers |
//! | Receiving | what came so far | End of Data |
//! | Idle | when to ask again | that time is there, or the cache notifies us |
//!
//! What is received counts from End of Data on, all at once. Until then, and after the connection is lost, what was there
//! before stays, until it expires: as the cache says, 2 hours after the last End of Data if it says nothing. An answer to
//! the question for everything replaces what was there. Without any data every route is *not found*: never invalid.
//!
//! A cache that fails is asked again after 1 s, doubling up to its retry interval, 10 min if it says nothing. It is asked in
//! version 1 first; if that is not understood, or the connection is closed without an answer, once in version 0 (RFC 8210 §7).

mod client;
mod session;
mod table;

pub use client::{Action, Client, Report, Summary};
pub use session::{Event, Settings, State};
pub use table::{CacheId, Change, Table};
