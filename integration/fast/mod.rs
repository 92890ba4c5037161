//! BFD and VRRP among others, and what becomes of the traffic.

mod addresses;
mod bgp;
mod firewalls;
mod groups;
mod harness;
mod load;
mod malformed;
mod ospf;
mod pair;
mod roles;
mod segment;
mod sessions;
mod signatures;
mod survival;
mod tracks;
mod watch;
