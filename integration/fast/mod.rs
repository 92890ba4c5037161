//! BFD and VRRP among others, and what becomes of the traffic.

mod bgp;
mod harness;
mod ospf;
mod pair;
mod segment;
mod watch;
