//! The VRRP core: routers on segments in memory, with a virtual clock ([`world`]).

mod announcing;
mod conflicts;
mod counting;
mod groups;
mod handover;
mod hostile;
mod links;
mod orders;
mod preemption;
mod random;
mod receiving;
mod stalls;
mod states;
mod versions;
mod world;
