//! The BGP session core: single peers on a bench, and pairs of peers wired by a network in memory
//! with a virtual clock.

mod bench;
mod bfd;
mod life;
mod open;
mod random;
mod restart;
mod strict;
mod world;
