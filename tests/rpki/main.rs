//! The RPKI client against what a cache says: octets that StayRTR sent, a cache that the tests play, and the table against a
//! plain list.

mod golden;
mod sessions;
mod validity;

use shunt::types::Asn;
use shunt::wire::rtr::Vrp;

/// `10.0.0.0/8-24 64496`.
fn vrp(text: &str) -> Vrp {
    let (range, asn) = text.split_once(' ').unwrap();
    let (prefix, max_length) = match range.rsplit_once('-') {
        Some((prefix, max_length)) => (prefix.parse().unwrap(), max_length.parse().ok()),
        None => (range.parse().unwrap(), None),
    };
    let prefix: shunt::types::Prefix = prefix;
    let max_length = max_length.unwrap_or(prefix.length());
    Vrp { prefix, max_length, asn: Asn(asn.parse().unwrap()) }
}
