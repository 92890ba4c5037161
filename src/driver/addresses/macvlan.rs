use std::net::IpAddr;

use super::sysctl::{self, Before, Net};
use crate::agent::VirtualAddresses;

/// Longest name of an interface, in octets (IFNAMSIZ without its zero).
const NAME: usize = 15;

/// Every macvlan of ours has an alias that begins with this, by which a later life knows it.
const MARK: &str = "shunt vrrp ";

/// What a macvlan is called: by the first of these names that is free. VRIDs are only unique on a link, so that of another
/// virtual router may have the first.
pub fn names(wanted: &VirtualAddresses) -> [String; 2] {
    let family = if is_ipv6(wanted) { 6 } else { 4 };
    let VirtualAddresses { vrid, interface, .. } = wanted;
    let mut second = format!("vrrp{family}.{vrid}.{interface}");
    if second.len() > NAME {
        second = format!("v{family}.{vrid}.{interface:x}");
    }
    [format!("vrrp{family}.{vrid}"), second]
}

pub fn is_ipv6(wanted: &VirtualAddresses) -> bool {
    wanted.addresses.first().is_some_and(IpAddr::is_ipv6)
}

/// The alias also keeps what the interface below was like before: after a crash nothing else knows it.
pub fn alias(router: &str, before: Option<Before>) -> String {
    match before {
        Some(Before { arp_ignore, arp_announce, accept_local }) => format!(
            "{MARK}{router} (before: arp_ignore={arp_ignore} arp_announce={arp_announce} accept_local={accept_local})"
        ),
        None => format!("{MARK}{router}"),
    }
}

/// Whether an alias is one of ours, and what it keeps.
pub fn read_alias(alias: &str) -> Option<Option<Before>> {
    let rest = alias.strip_prefix(MARK)?;
    let value = |key: &str| {
        let (_, value) = rest.rsplit_once(key)?;
        value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let before = || {
        Some(Before {
            arp_ignore: value("arp_ignore=")?,
            arp_announce: value("arp_announce=")?,
            accept_local: value("accept_local=")?,
        })
    };
    Some(before())
}

/// Sets what a new macvlan on the interface `below` needs.
pub fn prepare(name: &str, below: &str, ipv6: bool) -> Result<(), String> {
    forward_like(name, below, ipv6)?;
    // The way back to a host leads over the interface below, so that a strict check would drop all that comes in here. 2 is
    // loose, and wins over 1 for all interfaces.
    sysctl::set(Net::Ipv4, name, "rp_filter", 2)?;
    // Answers only for the virtual addresses.
    sysctl::set(Net::Ipv4, name, "arp_ignore", 1)?;
    sysctl::set(Net::Ipv4, name, "arp_filter", 0)?;
    if ipv6 {
        sysctl::set(Net::Ipv6, name, "disable_ipv6", 0)?;
        sysctl::set(Net::Ipv6, name, "accept_dad", 0)?;
        sysctl::set(Net::Ipv6, name, "accept_ra", 0)
    } else if sysctl::read(Net::Ipv6, name, "disable_ipv6").is_ok() {
        // It need not join groups of IPv6 when it goes up.
        sysctl::set(Net::Ipv6, name, "disable_ipv6", 1)
    } else {
        Ok(())
    }
}

/// What arrives on the macvlan is routed if what arrives on the interface below is.
pub fn forward_like(name: &str, below: &str, ipv6: bool) -> Result<(), String> {
    let net = if ipv6 { Net::Ipv6 } else { Net::Ipv4 };
    match sysctl::read(net, below, "forwarding") {
        Ok(value) => sysctl::set(net, name, "forwarding", value),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wanted(address: &str, vrid: u8, interface: u32) -> VirtualAddresses {
        VirtualAddresses {
            name: "gate".to_owned(),
            interface,
            interface_name: "eth0".to_owned(),
            mac: None,
            vrid,
            addresses: vec![address.parse().unwrap()],
            assigned: false,
            accept: true,
            deadman: Duration::from_secs(3),
        }
    }

    #[test]
    fn names_fit_whatever_the_numbers_are() {
        assert_eq!(names(&wanted("10.0.0.1", 10, 3)), ["vrrp4.10", "vrrp4.10.3"]);
        assert_eq!(names(&wanted("fe80::1", 255, 99999)), ["vrrp6.255", "vrrp6.255.99999"]);
        assert_eq!(names(&wanted("fe80::1", 255, 100_000)), ["vrrp6.255", "v6.255.186a0"]);
        let longest = names(&wanted("10.0.0.1", 255, i32::MAX as u32));
        assert!(longest.iter().all(|name| name.len() <= NAME), "{longest:?}");
    }

    #[test]
    fn an_alias_is_known_again_with_what_it_keeps() {
        let before = Before { arp_ignore: 0, arp_announce: 1, accept_local: 0 };
        // A name can look like anything.
        for name in
            ["gate", "arp_ignore=7", "a (before: arp_ignore=5 arp_announce=6 accept_local=1)", ""]
        {
            assert_eq!(read_alias(&alias(name, Some(before))), Some(Some(before)), "{name}");
        }
        assert_eq!(read_alias(&alias("gate", None)), Some(None));
        assert_eq!(read_alias("uplink"), None);
        assert_eq!(read_alias("shunt vrrp gate (before: arp_ignore= arp_announce=)"), Some(None));
    }
}
