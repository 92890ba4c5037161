//! shuntd as an OSPF router among others.
//!
//! Router ids are 10.255.0.N; a node that has no other role is called after its daemon.

mod adjacency;
mod announcing;
mod areas;
mod authentication;
mod faults;
mod harness;
mod kernel;
mod malformed;
mod many;
mod mismatches;
mod plan;
mod restart;
pub mod scene;
mod switching;
