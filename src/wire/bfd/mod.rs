//! BFD control packets (RFC 5880 §4).

mod packet;

pub use packet::{Diagnostic, State};
