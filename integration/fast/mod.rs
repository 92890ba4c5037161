//! BFD and VRRP among others, and what becomes of the traffic.

mod harness;
mod pair;
