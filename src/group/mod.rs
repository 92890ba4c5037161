//! Groups, what operators ordered for them, and what a node therefore announces.
//!
//! The data, from the file to the neighbour:
//!
//! - A [`Group`] is one or more service prefixes that always move together, with a *base*
//!   preference per site. [`Levels`] gives preferences names.
//! - An [`Intent`] is an operator's order for one [`Target`]: a group or a single prefix is announced, withdrawn, or
//!   preferred so much; the node is drained. It has an owner, a reason, a time and perhaps an end. [`Intents`] holds
//!   at most one for each target and is the only thing here that outlives the process: as a small text
//!   with a checksum ([`Intents::to_text`]).
//! - [`effective`] is a pure function of [`Definitions`] (what the configuration says), the intents,
//!   the [`Circumstances`] (where the virtual routers are Active, whose announcer has vanished) and the calendar time.
//!   It gives one [`Announcement`] for each prefix: a preference and the list of
//!   [`Because`] that led to it. Precedence: an intent for the prefix, then one for its group, then the
//!   group's base at this site. What comes of that is lowered where the virtual router that the group follows is not
//!   Active, raised where a preferred announcer has vanished, and capped by a drain of the node. Nothing is stored of
//!   the outcome; it is computed again after every change.
//! - A [`Mapping`] says what a class of BGP neighbours, or an OSPF area, sees of a preference: the higher-is-better
//!   number becomes MED, prepending, communities and LOCAL_PREF in [`Mapping::map`], a metric in
//!   [`Mapping::metric`], and that nowhere else.
//!   A mapping by which a higher preference looks worse to a neighbour cannot be built.
//!
//! There are no states and no timers of its own here: an intent ends because [`effective`] is asked at
//! a later time. [`next_expiry`] says when that is due.

mod announcement;
mod definitions;
mod intent;
mod intents;
mod levels;
mod mapping;
mod nearest;

pub use announcement::{Announcement, Because, Circumstances, Raised, effective, next_expiry};
pub use definitions::{
    Definitions, Effect, Follow, Group, Need, OnAllDown, OnLoss, Policy, UnknownTarget,
};
pub use intent::{Intent, Order, Target};
pub use intents::{Damaged, Intents};
pub use levels::{Levels, UnknownLevel};
pub use mapping::{Mapped, Mapping, NotMonotonic};
pub use nearest::nearest;
