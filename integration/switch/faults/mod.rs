//! What goes wrong in the middle of a switch: in the end the group is at one site, the one that the nodes say.

mod commands;
mod daemons;
mod networks;
mod operators;
mod services;
mod states;
