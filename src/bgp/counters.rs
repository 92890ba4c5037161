use crate::wire::bgp::{HEADER_LENGTH, Message};

/// What passed between us and the neighbour since the peer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received: Messages,
    pub sent: Messages,
    /// How often the session came up.
    pub established: u64,
    /// How often an established session ended.
    pub dropped: u64,
}

/// Messages by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    pub open: u64,
    pub update: u64,
    pub notification: u64,
    pub keepalive: u64,
    pub route_refresh: u64,
}

impl Messages {
    pub fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }

    pub(super) fn count(&mut self, message: &Message) {
        match message {
            Message::Open(_) => self.open += 1,
            Message::Update(_) => self.update += 1,
            Message::Notification(_) => self.notification += 1,
            Message::Keepalive => self.keepalive += 1,
            Message::RouteRefresh(_) => self.route_refresh += 1,
        }
    }

    /// Counts whole encoded UPDATEs.
    pub(super) fn count_updates(&mut self, mut bytes: &[u8]) {
        // The two octets behind the marker are the length (RFC 4271 §4.1).
        while let Some([high, low]) = bytes.get(16..18) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            self.update += 1;
            bytes = bytes.get(length.max(HEADER_LENGTH)..).unwrap_or_default();
        }
    }
}
