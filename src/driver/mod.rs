//! The only room with tokio, sockets, files and clocks: it hands events to the agent and carries
//! out its actions.

// Until the loop that uses them all is here.
#![allow(dead_code, unused_imports)]

mod clock;
mod exit;
mod journal;
mod log;
mod socket;
mod sockopt;
mod store;

pub use exit::Exit;
