use bytes::BytesMut;

use super::{Notification, Open, Update};
use crate::types::Family;

/// Marker, length, type (RFC 4271 §4.1).
pub const HEADER_LENGTH: usize = 19;
/// Longest message without the Extended Message capability.
pub const MAX_LENGTH: usize = 4096;
/// Longest message with it; OPEN and KEEPALIVE stay at 4096 (RFC 8654 §4).
pub const MAX_EXTENDED_LENGTH: usize = 65535;

/// What two OPENs settled, as far as reading and writing messages depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The neighbour is in another AS: LOCAL_PREF from it is ignored, and so on.
    pub ebgp: bool,
    /// Both sides write AS numbers in four octets (RFC 6793).
    pub four_octet_as: bool,
    /// Both sides take messages up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// Families negotiated (RFC 4760 §8); IPv4 unicast alone if the neighbour sent no
    /// multiprotocol capability.
    pub families: Vec<Family>,
    /// IPv4 prefixes may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// Families whose prefixes come with a path identifier (RFC 7911). Never negotiated by our
    /// sessions; captures and tables have it.
    pub add_path: Vec<Family>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Open(Open),
    Update(Update),
    Notification(Notification),
    Keepalive,
    RouteRefresh(RouteRefresh),
}

/// RFC 2918 §3 with the subtypes of RFC 7313 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// AFI and SAFI as sent; they may name a family that was never negotiated.
    pub afi: u16,
    pub safi: u8,
    pub subtype: RefreshSubtype,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshSubtype {
    Request,
    /// BoRR: what follows is the whole table again.
    Begin,
    /// EoRR: what was not sent again is gone.
    End,
    /// To be ignored (RFC 7313 §4.1), kept as a value.
    Unknown(u8),
}

impl RouteRefresh {
    pub fn new(family: Family, subtype: RefreshSubtype) -> RouteRefresh {
        RouteRefresh { afi: family.afi(), safi: 1, subtype }
    }
}

/// The length of the message that `bytes` begins with, once its header is there; the error is a
/// Message Header Error (RFC 4271 §6.1). `extended` as negotiated; limits by type are those of RFC 8654 §4.
pub fn frame_length(_bytes: &[u8], _extended: bool) -> Result<Option<usize>, Notification> {
    todo!()
}

impl Message {
    /// Reads exactly one message, header included (as long as [`frame_length`] says).
    pub fn parse(_frame: &[u8], _facts: &SessionFacts) -> Result<Message, Notification> {
        todo!()
    }

    /// Appends the message, header included. An UPDATE must fit the session's message length: see
    /// [`Update::split`] hint in update.rs.
    pub fn emit(&self, _facts: &SessionFacts, _out: &mut BytesMut) {
        todo!()
    }
}
