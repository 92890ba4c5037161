//! The RIB: what neighbours and the interior protocol told us, which of it wins each prefix and why, and what each
//! neighbour is to be told.
//!
//! ```text
//!  UPDATE ── import() ── intern() ── learn() ──> Rib ── take_changes(), hops() ──> kernel
//!            once per attribute set             ^ │
//!  OSPF ───────────────────────── set_igp() ────┘ └──> best(), export() ──> AdjRibOut::set() ── drain() ──> UPDATE
//!                             own announcements ── originate() ──────────┘
//! ```
//!
//! **Data.** [`Rib`] is Adj-RIB-In and Loc-RIB in one: a [`PrefixTable`](crate::types::PrefixTable) whose entry
//! holds all paths of a prefix. A path is 16 octets: the shared attribute set, the [`SourceId`] it came
//! from and the refresh epoch it was last heard in. A full table of a million IPv4 prefixes over
//! 125 000 sets takes 63 octets per route, sets and trie included, and the same from a second
//! neighbour 36 more (`cargo bench --bench rib`). Attribute sets are interned: equal sets are one
//! allocation, so what can be done once per set (import, export, next hop resolution) is done once.
//!
//! **Decision.** There is no stored winner. Each path has a `Rank`, one total order with a unique
//! last field (RFC 4271 §9.1.2.2, RFC 4456 §9); the least usable rank is best, and the first field
//! that differs from it is the [`Reason`] why another lost. The order of arrival never matters.
//! MED is always compared, also between different neighbouring ASes: only so is the order total.
//!
//! **Changes.** Each call that changes a path puts its prefix into an ordered set, and
//! [`Rib::take_changes`] hands it out in portions. Nothing is called back.
//!
//! **Interior routes** lie in a small table of their own ([`Rib::set_igp`], at most one per prefix), so that a path of
//! BGP takes no more memory for them. The protocol's [`Distances`] are compared with BGP's *winner*, after BGP's own
//! decision: [`Rib::hops`] is what the kernel gets, [`Rib::best`] what neighbours hear of.
//!
//! **Next hops** are resolved over connected networks ([`Connected`]), else over the longest interior route; never over
//! the default route, and never over a route of BGP (RFC 4271 §9.1.2.1), so there is one level of recursion and no way in
//! circles. The metric of that route is a step of the decision (§9.1.2.2 e). Resolution does not ask which protocol won
//! the prefix it resolves over: the gateways are on our links in any case. A path whose next hop does not resolve stays
//! in the table as unusable and comes back when the network or the interior route does.
//!
//! **Stale** paths (graceful restart, RFC 4724; route refresh, RFC 7313) are those of an older epoch of their
//! source. Marking is O(1); they take part in the decision like others until swept.
//!
//! **Out.** One [`AdjRibOut`] per neighbour knows what the neighbour has and what it should have, and
//! hands out only the difference, packed per attribute set.
//!
//! Imports accept any prefix that the policy names: martians are not filtered here.

mod changes;
mod connected;
mod decision;
pub mod export;
mod igp;
pub mod import;
mod intern;
mod legs;
mod next_hops;
mod out;
mod pending;
mod rank;
mod review;
mod routes;
mod source;

pub use connected::{Connected, Resolved, Unusable};
pub use decision::{Candidate, Path, Route, Standing};
pub use igp::{Distances, IgpMetric, IgpRoute};
pub use legs::{Leg, Tier};
pub use next_hops::Reached;
pub use out::{AdjRibOut, Batch, Told, Urgency};
pub use rank::Reason;
pub use routes::Rib;
pub use source::{Source, SourceId, SourceKind};
