//! The OSPF core: routers wired by links and LANs in memory, with a virtual clock ([`world`]).

mod adjacency;
mod bfd;
mod bounds;
mod broadcast;
mod exchange;
mod flooding;
mod forge;
mod hostile;
mod lsas;
mod mismatch;
mod origination;
mod pacing;
mod restart;
mod routes;
mod security;
mod world;
