//! Groups move between two sites, by one command, over a fleet of real daemons.

mod authority;
mod drill;
mod faults;
mod order;
mod planned;
mod plans;
mod sessions;
mod settling;
mod sites;
mod traffic;
