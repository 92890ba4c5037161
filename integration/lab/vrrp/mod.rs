//! What every VRRP router of the tests can be asked to do and to witness.

mod frr;
mod keepalived;
mod shunt;

pub use frr::VrrpFrr;
pub use keepalived::Keepalived;
pub use shunt::VrrpShunt;

/// Everything one node does with VRRP. Each peer writes it in its own language.
#[derive(Clone, Default)]
pub struct VrrpRouter {
    /// Of several with OSPF or BGP: each has another one, from 0 on.
    pub number: u8,
    pub instances: Vec<Instance>,
    /// They change their state together (a sync group named `group`).
    pub together: bool,
    /// conntrackd runs on the node: who becomes Active commits what it has been told.
    pub conntrackd: bool,
}

/// One virtual router.
#[derive(Clone)]
pub struct Instance {
    pub name: String,
    pub interface: String,
    pub vrid: u8,
    pub version: u8,
    /// With their prefix lengths, all of one family. For IPv6 the first one is link-local.
    pub addresses: Vec<String>,
    /// 255: the owner, whose own the addresses are.
    pub priority: u8,
    /// Centiseconds.
    pub interval: u16,
    pub preempt: bool,
    /// Seconds. Only for shuntd.
    pub preempt_delay: u8,
    pub virtual_mac: bool,
    /// Own address, and the other router's: no multicast.
    pub unicast: Option<(String, String)>,
}

impl Instance {
    pub fn new(
        name: &str,
        interface: &str,
        vrid: u8,
        addresses: &[&str],
        priority: u8,
    ) -> Instance {
        Instance {
            name: name.to_owned(),
            interface: interface.to_owned(),
            vrid,
            version: 3,
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            priority,
            interval: 20,
            preempt: true,
            preempt_delay: 0,
            virtual_mac: false,
            unicast: None,
        }
    }

    pub fn is_ipv6(&self) -> bool {
        self.addresses[0].contains(':')
    }
}

/// What the loss of the tracked object takes from the priority.
pub const LOWERED_BY: u8 = 50;

/// A running VRRP router, asked by its own commands.
pub trait VrrpPeer {
    /// `active`, `backup`, or another word while it is neither.
    fn role(&self, name: &str) -> Result<String, String>;
    /// Its tracked object is lost, or is there again: it takes [`LOWERED_BY`] from the priority of all instances.
    fn track(&mut self, there: bool);
    /// Ends it as an operator would.
    fn stop(&mut self);
    /// SIGKILL.
    fn kill(&mut self);
    /// SIGSTOP.
    fn freeze(&mut self);
    /// SIGCONT.
    fn thaw(&mut self);
    /// Starts again after `stop` or `kill`, with the same configuration.
    fn start(&mut self);
}
