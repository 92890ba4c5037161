//! The OSPF core (RFC 2328): one [`Router`] in one area, without I/O.

mod action;
mod announcement;
mod database;
mod event;
mod interface;
mod neighbor;
mod router;
mod settings;

pub use action::{Action, Note, Route, RouteKind};
pub use announcement::{Announced, How};
pub use event::{Address, Event, Link};
pub use interface::InterfaceState;
pub use neighbor::NeighborState;
pub use router::Router;
pub use settings::{
    Area, AreaKind, Authentication, InterfaceSettings, Key, NetworkKind, Settings, SpfDelays,
};
