//! The agent's side of a change of roles, with the lane, the kernel and the commands played by hand.

mod reading;
mod rig;
mod roles;
