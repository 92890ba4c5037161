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
//!   the [`Circumstances`] (what health leaves of the bases, where the virtual routers are Active, whose announcer has
//!   vanished) and the calendar time. It gives one [`Announcement`] for each prefix: a preference and the list of
//!   [`Because`] that led to it. Nothing is stored of the outcome; it is computed again after every change.
//! - [`lower`] says what the verdicts of a group's checks ([`Policy`]) and its rules leave of its base. Before it the
//!   [`Gate`] decides which verdicts count, and behind it a [`Withdrawal`] whether an announcement may really go.
//! - A [`Mapping`] says what a class of BGP neighbours, or an OSPF area, sees of a preference: the higher-is-better
//!   number becomes MED, prepending, communities and LOCAL_PREF in [`Mapping::map`], a metric in
//!   [`Mapping::metric`], and that nowhere else.
//!   A mapping by which a higher preference looks worse to a neighbour cannot be built.
//!
//! # Precedence
//!
//! Operator > switch > guard > health > base. What is further up wins:
//!
//! | | what | does |
//! |---|---|---|
//! | 1 | operator | an intent for the prefix, before one for its group, replaces what comes below; a drain of the node caps it |
//! | 2 | switch | while it is in progress, raises its target above all others; before it begins, orders, rules and health may refuse it |
//! | 3 | guard | keeps what health and rules would change: `min-sites`, blindness, too many changes at once |
//! | 4 | health and rules | lower the base, and withdraw only what other sites announce |
//! | 5 | base | of the group at this site; the site that the group was switched to has the best of them |
//!
//! An [`Announcement`] has its [`Because`]s from the bottom of this table to its top: the last one is what holds.
//!
//! What comes of that is lowered where the virtual router that the group follows is not Active, and raised where a
//! preferred announcer has vanished, unless a role or its own health holds the prefix down.
//!
//! # Time
//!
//! An intent ends because [`effective`] is asked at a later time; [`next_expiry`] says when that is due. The two guards have
//! deadlines of their own.

mod announcement;
mod definitions;
mod gate;
mod intent;
mod intents;
mod levels;
mod lowering;
mod mapping;
mod mark;
mod nearest;
mod placement;
mod withdrawal;

pub use announcement::{Announcement, Because, Circumstances, Raised, effective, next_expiry};
pub use definitions::{
    Definitions, Effect, Follow, Group, Need, OnAllDown, OnLoss, Policy, UnknownTarget,
};
pub use gate::{Closed, Gate, Limit, Patience, Sight};
pub use intent::{Intent, Order, Target};
pub use intents::{Damaged, Intents};
pub use levels::{Levels, UnknownLevel};
pub use lowering::{Cause, Counted, Lowered, lower};
pub use mapping::{Mapped, Mapping, NotMonotonic};
pub use mark::{Mark, SiteId};
pub use nearest::nearest;
pub use placement::{Epoch, Lock, Move, Mover, Outbid, Placed, Placement, Refused, bases};
pub use withdrawal::{Decision, Elsewhere, Wish, Withdrawal};
