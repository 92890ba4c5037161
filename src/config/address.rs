//! Addresses of single machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use toml::de::DeValue;

use super::value::{self, Wrong};

const EXAMPLE: &str = "\"192.0.2.254\" or \"2001:db8::1\"";

/// Also a link-local one.
pub(super) fn unicast(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    let text = value::text(value)?;
    let address = value::parsed(value, "an address", EXAMPLE).map_err(|wrong| {
        match text.split_once('/').map(|(address, _)| address.parse::<IpAddr>()) {
            Some(Ok(address)) => wrong.help(format!("without a length: \"{address}\"")),
            _ => wrong,
        }
    })?;
    check_unicast(address)?;
    Ok(address)
}

/// One that means the same on every link.
pub(super) fn wide_unicast(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    let address = value::parsed(value, "an address", EXAMPLE)?;
    check_wide(address)?;
    Ok(address)
}

pub(super) fn unicast_ipv4(value: &DeValue<'_>) -> Result<Ipv4Addr, Wrong> {
    let address = value::parsed(value, "an IPv4 address", "\"192.0.2.1\"")?;
    check_wide(IpAddr::V4(address))?;
    Ok(address)
}

/// One that means the same on every link.
pub(super) fn wide_ipv6(value: &DeValue<'_>) -> Result<Ipv6Addr, Wrong> {
    let address = value::parsed(value, "an IPv6 address", "\"2001:db8::1\"")?;
    check_wide(IpAddr::V6(address))?;
    Ok(address)
}

/// Whether an address says nothing without its link. IPv4's 169.254.0.0/16 can be reached by a route of its own.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// As people write it.
pub(super) fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

fn check_wide(address: IpAddr) -> Result<(), Wrong> {
    if is_link_local(address) {
        return Err(Wrong::new(format!("{address} is a link-local address"))
            .label("does not say on which link")
            .help("use a global or unique local address"));
    }
    check_unicast(address)
}

/// What one machine has.
pub(super) fn check_unicast(address: IpAddr) -> Result<(), Wrong> {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err(Wrong::new(format!("{address} is not the address of one machine"))
            .label("expected a unicast address"));
    }
    Ok(())
}
