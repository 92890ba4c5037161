//! The OSPF core: routers wired by links and LANs in memory, with a virtual clock ([`world`]).

mod adjacency;
mod broadcast;
mod forge;
mod hostile;
mod mismatch;
mod restart;
mod routes;
mod security;
mod world;
