//! BFD and VRRP among others, and what becomes of the traffic.

mod addresses;
mod bgp;
mod harness;
mod ospf;
mod pair;
mod segment;
mod watch;
