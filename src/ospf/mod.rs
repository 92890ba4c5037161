//! The OSPF core (RFC 2328): one [`Router`] in one area, without I/O.
//!
//! # Data
//!
//! ```text
//! Router ─┬ Settings, links of the kernel
//!         ├ Interface ─ Neighbor ─┬ exchange: Database Descriptions, requests      exchange.rs
//!         │   │                   ├ retransmissions                                retransmission.rs
//!         │   └ counters          └ replay: sequence numbers                       security.rs
//!         ├ Database, link-local databases: the LSAs                               database.rs
//!         ├ Flooding ─ Outbox: what waits to be sent                               flooding.rs, outbox.rs
//!         ├ Origination ─ Pacing, Externals: what is ours, and when it may go      origination.rs, pacing.rs
//!         ├ Calculation ─ Graph, Tree, routes                                      calculation.rs, spf.rs, table.rs
//!         └ Mismatches: what keeps neighbours away                                 mismatch.rs
//! ```
//!
//! An interface is here while both the settings name it and the kernel has it. A neighbour is here from its first
//! Hello until it counts as dead; it is known by its router id, on broadcast networks too, so that a router is one
//! entry. Nothing is remembered of who is gone.
//!
//! # The way of a packet
//!
//! `receive` checks what every packet must have, in this order: the interface speaks, it is not our own packet, the
//! header can be read, the area, the source's network, the destination, password or digest, the router id, the sequence
//! number. What fails is counted under a word ([`Counters::discarded`]); what an operator has to correct is
//! kept as a [`Mismatch`] with both values, and told once. Each check has its place in an order, and a packet that gets
//! over it takes back what was noted of its source up to there. After that a Hello goes to `hello`, and everything else
//! needs a neighbour that is known: Database Descriptions go to `exchange`, updates to `flooding`, and so on. Nothing
//! is answered within a packet's handling but by `Router::send`, which signs, counts and hands out.
//!
//! # Interfaces (§9)
//!
//! | state | what it means | goes on when |
//! |---|---|---|
//! | Down | no carrier or no address | both are there |
//! | Passive | announced, silent; loopbacks too | |
//! | Point-to-point | every neighbour becomes adjacent | |
//! | Waiting | Hellos name no DR | a BDR is seen, or the dead interval is over: election |
//! | DROther, Backup, DR | as elected | NeighborChange: election |
//!
//! The election (`election`, §9.4) is a function of what the routers say of themselves. Whoever has become something
//! else says so in a Hello at once.
//!
//! # Neighbours (§10)
//!
//! | state | has | goes on with |
//! |---|---|---|
//! | Init | was heard | a Hello that names us |
//! | 2-Way | hears us; stays so if neither of us is DR or BDR | AdjOK?: the DR or BDR is another one |
//! | ExStart | both claim to be master of the exchange | the other one's answer; the higher router id is master |
//! | Exchange | a summary to describe, a list of what to ask for | the last Database Description |
//! | Loading | the rest of that list | its end |
//! | Full | the same database | |
//!
//! Flooding includes a neighbour from Exchange on. What goes wrong from there (a sequence number, an LSA that does not
//! belong into the area, a request for what we do not have) leads back to ExStart; a Hello without us leads to Init.
//!
//! Where RFC 2328 waits for the next Hello, we do not: whoever appears, or has forgotten us, gets one at once, so that
//! a link is Full after a few round trips, and a neighbour that restarts finds us before its first second is over.
//!
//! # Authentication (§D, RFC 5709, RFC 7474)
//!
//! Of the keys whose time it is to send, the one that began last signs; every key whose time it is to be accepted
//! verifies. So a change of keys needs no moment at which both sides act. If no key is left, the last one is used on
//! and that is reported, as the alternatives are worse. Sequence numbers are calendar time: they grow over
//! restarts without a file. What comes with an older number than a neighbour has used already is a replay, and counted.
//!
//! # Restarts
//!
//! A neighbour that announces its restart (RFC 3623) counts as adjacent until it is back, its time is over, or an LSA
//! changes ([`Neighbor::is_adjacent`]). Our own restart is not a graceful one in that sense: we come back as a stub
//! router (RFC 6987), with what is ours at the worst metrics, until our routes are in the kernel
//! ([`Event::ForwardingReady`]); neighbours route around us and nothing is lost. When we leave for good
//! ([`Event::Stopped`]), we flush what is ours, and our last Hello names nobody.
//!
//! # Timers
//!
//! All are deadlines inside the data that they belong to: Hello and Wait in the interface; inactivity, repetition of
//! Database Descriptions and requests, and the end of a graceful restart in the neighbour; retransmissions, aging and
//! refresh, pacing, delayed acknowledgements and SPF back-off in their own structs. [`Router::deadline`] is the least.

mod acknowledgement;
mod action;
mod aging;
mod announcement;
mod attachment;
mod backoff;
mod calculation;
mod counters;
mod database;
mod election;
mod event;
mod exchange;
mod external;
mod flooding;
mod graph;
mod hello;
mod interface;
#[cfg(test)]
mod known;
mod links;
mod mismatch;
mod moves;
mod neighbor;
mod origination;
mod others;
mod outbox;
mod pacing;
mod plan;
mod prefixes;
mod receive;
mod restart;
mod retransmission;
mod router;
mod security;
mod settings;
mod spf;
mod table;
#[cfg(test)]
mod topology;
mod transmit;
mod watch;

pub use action::{Action, Note, Route, RouteKind};
pub use announcement::{Announced, How};
pub use counters::{Counters, Packets};
pub use database::{Database, Entry};
pub use event::{Address, Bfd, Event, Link};
pub use flooding::RefusedLsas;
pub use interface::{Interface, InterfaceState};
pub use mismatch::{Difference, Mismatch};
pub use moves::{MovedRouter, Moves};
pub use neighbor::{Neighbor, NeighborState};
pub use origination::StubRouter;
pub use others::OtherAnnouncer;
pub use plan::{Announcing, Plan, PlannedRouter, Way};
pub use retransmission::Retransmissions;
pub use router::Router;
pub use settings::{
    Area, AreaKind, Authentication, InterfaceSettings, Key, NetworkKind, Settings, SpfDelays, Watch,
};
