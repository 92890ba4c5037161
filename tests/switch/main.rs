//! Switches over nodes that crash, are cut off, refuse, or are late: the coordinator and the placements alone, with the
//! routes between the nodes as far as they matter.

mod random;
mod steps;
mod world;
