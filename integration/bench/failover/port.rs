//! A port of a LAN's bridge that stops forwarding while its carrier stays: one message to the kernel, so that it is
//! known when it happened.

use std::time::Instant;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::lab::{Node, within};

/// Of `linux/if_bridge.h`.
const BR_STATE_DISABLED: u8 = 0;
const BR_STATE_FORWARDING: u8 = 3;

pub struct Port {
    socket: Socket,
    index: u32,
}

impl Port {
    /// The port of this name in the node that is the LAN.
    #[track_caller]
    pub fn new(lan: &Node, name: &str) -> Port {
        within(lan, || {
            let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
            socket.bind(&SocketAddr::new(0, 0)).unwrap();
            Port { socket, index: nix::net::if_::if_nametoindex(name).unwrap() }
        })
    }

    /// From the time that it gives on, nothing passes.
    pub fn cut(&self) -> Instant {
        let at = Instant::now();
        self.set(BR_STATE_DISABLED);
        at
    }

    pub fn mend(&self) {
        self.set(BR_STATE_FORWARDING);
    }

    #[track_caller]
    fn set(&self, state: u8) {
        const RTM_SETLINK: u16 = 19;
        const NLM_F_REQUEST_ACK: u16 = 5;
        const AF_BRIDGE: u8 = 7;
        const IFLA_PROTINFO_NESTED: u16 = 0x8000 | 12;
        const IFLA_BRPORT_STATE: u16 = 1;
        let mut message = Vec::with_capacity(44);
        message.extend(44_u32.to_ne_bytes());
        message.extend(RTM_SETLINK.to_ne_bytes());
        message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
        // Sequence number and sender.
        message.extend([0; 8]);
        message.extend([AF_BRIDGE, 0, 0, 0]);
        message.extend(self.index.to_ne_bytes());
        // Flags and their mask.
        message.extend([0; 8]);
        message.extend(12_u16.to_ne_bytes());
        message.extend(IFLA_PROTINFO_NESTED.to_ne_bytes());
        message.extend(5_u16.to_ne_bytes());
        message.extend(IFLA_BRPORT_STATE.to_ne_bytes());
        message.extend([state, 0, 0, 0]);
        self.socket.send(&message, 0).unwrap();
        let (answer, _) = self.socket.recv_from_full().unwrap();
        // NLMSG_ERROR with the error 0 is the acknowledgement.
        let error = answer.get(16..20).map(|bytes| i32::from_ne_bytes(bytes.try_into().unwrap()));
        assert_eq!(error, Some(0), "the state of a bridge's port");
    }
}
