//! The words every other room uses: numbers with a meaning, time, timers, seeded randomness.
//!
//! Nothing here does I/O or reads a clock. Everything is `Copy` or small, ordered and printable,
//! so that it can be a map key in a transcript.

mod deadlines;
mod family;
mod legible;
mod mac;
mod numbers;
mod preference;
mod prefix;
mod rng;
mod secret;
mod table;
mod tally;
mod time;
mod validity;

pub use deadlines::Deadlines;
pub use family::Family;
pub use legible::legible;
pub use mac::Mac;
pub use numbers::{Asn, RouterId};
pub use preference::Preference;
pub use prefix::{Prefix, PrefixError};
pub use rng::Rng;
pub use secret::Secret;
pub use table::PrefixTable;
pub use tally::Tally;
pub use time::{Time, Wall};
pub use validity::Validity;
