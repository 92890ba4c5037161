//! What the tests are built from: networks, daemons, peers as witnesses, and captures.
//!
//! Everything a test makes has a name of its own (namespaces, scratch directory), so that tests run side by side,
//! and goes away when its `Net` is dropped, also when the test panics. Nothing waits a fixed time: `wait_for` polls.

pub mod bfd;
mod bgpdump;
mod bird;
mod bird_daemon;
mod capture;
mod conntrackd;
mod cores;
mod daemon;
mod exabgp;
mod fault;
mod fib;
mod frr;
pub mod frr_daemons;
mod gobgp;
mod namespace;
mod net;
mod node;
mod openbgpd;
pub mod ospf;
mod peer;
mod pmbmpd;
mod probe;
mod run;
mod sessions;
mod shuntd;
mod stayrtr;
pub mod vrrp;
mod wait;

pub use bgpdump::bgpdump;
pub use bird::Bird;
pub use capture::{Capture, Instance, Update};
pub use conntrackd::Conntrackd;
pub use cores::Cores;
pub use exabgp::Exabgp;
pub use fib::{Monitor, hops_in_use};
pub use frr::Frr;
pub use gobgp::Gobgp;
pub use namespace::{Forger, within};
pub use net::Net;
pub use node::Node;
pub use openbgpd::Openbgpd;
pub use peer::{Peer, Seen, Session, Speaker};
pub use pmbmpd::Pmbmpd;
pub use probe::{Prober, Responder};
pub use run::run;
pub use sessions::Sessions;
pub use shuntd::Shuntd;
pub use stayrtr::Stayrtr;
pub use wait::{PATIENCE, wait_for};
