//! Many agents in one process, on one virtual clock: simulated links, TCP, kernels and disks, all
//! driven by one seed. The same seed and the same calls give the same transcript, byte for byte.
//!
//! [`World`] holds the nodes and a queue of things that will happen, ordered by time and then by the order in which they
//! were put in. One step takes the earliest of them, or the earliest deadline of an agent, hands it to
//! the agent, and carries out what the agent wants: exactly what the driver does with real sockets.
//!
//! What is simulated, and how far:
//!
//! - **Links** join two nodes, or the nodes of a LAN. They have latency and loss, and can be cut: silently (packets vanish) or with loss of
//!   carrier (the kernels report the link down as well). One node's packets can be made to vanish alone.
//! - **Packets** of OSPF ([`datagram`]) arrive in order, late by the latency, or not at all. Multicast reaches who is a member.
//! - **TCP** ([`stream`]): bytes arrive in order, in pieces of any size, late by retransmissions when the link loses packets
//!   or is cut. A reader may stop reading; then the window fills and the writer's bytes stay where they are. A killed process
//!   resets its connections; a node without power says nothing.
//! - **Kernel** ([`kernel`]): a table of routes that survives the agent, links and addresses; requests are answered in order.
//! - **The lane** ([`lane`]): BFD and VRRP beside each agent, with their packets over the same links; BFD of several hops along the
//!   routes that the kernels have. Every node's clock may run at a rate of its own.
//! - **Virtual addresses** ([`addresses`]): kernels that take them, the guardian that takes them away, switches and hosts that learn
//!   where they are, and the way that a packet then takes.
//! - **Commands and what is watched** ([`outside`]), and the services that checks ask ([`checks`]).
//! - **The fleet** ([`fleet`]): what nodes ask each other, over whatever links are whole, and what clients hear of switches.
//! - **Disk**: the intents, written after a while; a node that dies in between has the old or the new ones.
//!
//! Not simulated: IP fragments, path MTU, and the time that computing takes.

mod addresses;
mod checks;
mod datagram;
mod fleet;
mod kernel;
mod lane;
mod link;
mod node;
mod outside;
mod stream;
mod transport;
mod world;

pub use checks::{Answer, Service};
pub use fleet::Heard;
pub use kernel::Forwarding;
pub use link::{Link, LinkId};
pub use node::NodeId;
pub use outside::Program;
pub use world::World;
