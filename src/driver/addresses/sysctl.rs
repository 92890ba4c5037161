//! Settings of interfaces under /proc/sys/net. Writing them takes CAP_NET_ADMIN.

use std::fs;
use std::io;

/// IPv4 or IPv6, as the directories are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    Ipv4,
    Ipv6,
}

pub fn read(net: Net, interface: &str, key: &str) -> io::Result<u32> {
    let text = fs::read_to_string(path(net, interface, key))?;
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Changes it unless it has that value.
///
/// # Errors
/// A sentence.
pub fn set(net: Net, interface: &str, key: &str, value: u32) -> Result<(), String> {
    if read(net, interface, key).ok() == Some(value) {
        return Ok(());
    }
    let path = path(net, interface, key);
    fs::write(&path, value.to_string()).map_err(|error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            format!("cannot set {path} to {value}: {error}; shuntd needs CAP_NET_ADMIN and a /proc/sys that can be written")
        }
        _ => format!("cannot set {path} to {value}: {error}"),
    })
}

fn path(net: Net, interface: &str, key: &str) -> String {
    let net = match net {
        Net::Ipv4 => "ipv4",
        Net::Ipv6 => "ipv6",
    };
    format!("/proc/sys/net/{net}/conf/{interface}/{key}")
}

/// How an interface treated IPv4 before a virtual router came to it.
///
/// ARP must change, or neighbours would learn the interface's own MAC address for a virtual address: from its answers, and from
/// its questions on behalf of one. And the advertisements of an owner must be heard that comes back and sends them from an
/// address that is ours as long as we are Active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    pub arp_ignore: u32,
    pub arp_announce: u32,
    pub accept_local: u32,
}

/// Answer only for the addresses of the interface itself.
const IGNORE: u32 = 1;
/// Ask with an address of the interface itself.
const ANNOUNCE: u32 = 2;
/// Take packets whose source is an address of ours.
const ACCEPT: u32 = 1;

impl Before {
    pub fn of(interface: &str) -> io::Result<Before> {
        let read = |key| read(Net::Ipv4, interface, key);
        Ok(Before {
            arp_ignore: read("arp_ignore")?,
            arp_announce: read("arp_announce")?,
            accept_local: read("accept_local")?,
        })
    }

    /// Sets what virtual routers need, with a virtual MAC or the interface's own. What is stricter already stays.
    pub fn prepare(self, interface: &str, virtual_mac: bool) -> Result<(), String> {
        set(Net::Ipv4, interface, "accept_local", ACCEPT)?;
        if !virtual_mac {
            return Ok(());
        }
        if self.must_ignore() {
            set(Net::Ipv4, interface, "arp_ignore", IGNORE)?;
        }
        set(Net::Ipv4, interface, "arp_announce", ANNOUNCE)
    }

    /// Sets what was before, except for what somebody else has changed since.
    pub fn restore(self, interface: &str) -> Result<(), String> {
        let Ok(now) = Before::of(interface) else { return Ok(()) };
        if self.must_ignore() && now.arp_ignore == IGNORE {
            set(Net::Ipv4, interface, "arp_ignore", self.arp_ignore)?;
        }
        if now.arp_announce == ANNOUNCE {
            set(Net::Ipv4, interface, "arp_announce", self.arp_announce)?;
        }
        if now.accept_local == ACCEPT {
            set(Net::Ipv4, interface, "accept_local", self.accept_local)?;
        }
        Ok(())
    }

    /// 1, 2 and 8 leave alone what is asked for addresses of other interfaces.
    fn must_ignore(self) -> bool {
        !matches!(self.arp_ignore, 1 | 2 | 8)
    }
}
