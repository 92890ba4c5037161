//! VRRP advertisements: version 3 (RFC 9568 §5.2) over IPv4 and IPv6, version 2 (RFC 3768 §5.3) over IPv4. There is
//! no other type of message.

mod advertisement;
mod malformed;

pub use advertisement::{Advertisement, Checksum, Version};
pub use malformed::Malformed;
