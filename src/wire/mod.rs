//! Bytes ↔ messages. Pure: no state, no I/O, no clock. `nom` is used here and nowhere else.

pub mod arp;
pub mod bfd;
pub mod bgp;
pub mod bmp;
mod checksum;
mod comparison;
pub mod ethernet;
pub mod mrt;
pub mod neighbor_discovery;
pub mod ospf;
pub mod rtr;
pub mod vrrp;
