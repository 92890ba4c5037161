//! The real `shuntd` as processes on loopback, without privileges: what an operator, a script and a
//! hostile neighbour can do to it from outside.
//!
//! Each daemon has addresses of its own in 127.0.0.0/8, so tests run side by side on one port.

mod crash;
mod fast;
mod fleet;
mod fleet_document;
mod health;
mod hostile;
mod hostile_checks;
mod logging;
mod neighbours;
mod process;
mod reading;
mod speaker;
mod starting;
