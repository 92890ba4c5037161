//! The BFD core: one side on a bench with packets made by hand, and pairs of sides on a simulated wire with clocks of
//! their own.

mod bench;
mod counting;
mod demand;
mod demultiplexing;
mod intervals;
mod links;
mod loss;
mod security;
mod states;
mod timing;
mod world;
