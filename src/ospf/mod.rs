//! The OSPF core (RFC 2328): one [`Router`] in one area, without I/O.

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
mod neighbor;
mod origination;
mod outbox;
mod pacing;
mod plan;
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

pub use action::{Action, Note, Route, RouteKind};
pub use announcement::{Announced, How};
pub use counters::{Counters, Packets};
pub use database::{Database, Entry};
pub use event::{Address, Event, Link};
pub use flooding::RefusedLsas;
pub use interface::{Interface, InterfaceState};
pub use mismatch::{Difference, Mismatch};
pub use neighbor::{Neighbor, NeighborState};
pub use origination::StubRouter;
pub use plan::{Plan, PlannedRouter, Way};
pub use retransmission::Retransmissions;
pub use router::Router;
pub use settings::{
    Area, AreaKind, Authentication, InterfaceSettings, Key, NetworkKind, Settings, SpfDelays,
};
