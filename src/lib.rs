//! The library behind `shuntd`, `shunt` and `shunt-lab`.
//!
//! Rooms and their layers are described in `docs/architecture.md`; `tests/layering.rs` holds them.

pub mod agent;
pub mod api;
pub mod bfd;
pub mod bgp;
pub mod cli;
pub mod config;
pub mod driver;
pub mod fast;
pub mod fib;
pub mod group;
pub mod health;
pub mod lab;
pub mod ospf;
pub mod policy;
pub mod rib;
pub mod rpki;
pub mod sim;
pub mod switch;
pub mod types;
pub mod vrrp;
pub mod wire;
