use std::net::SocketAddr;

use bytes::{BufMut, BytesMut};

use super::peer::put_address;
use super::{PeerHeader, kind, message};
use crate::types::{Family, Wall};
use crate::wire::bgp::{
    self, Attributes, Message, Nlri, Notification, Open, SessionFacts, Unsendable, frame_length,
};

/// Information TLVs (RFC 7854 §4.4, RFC 9069 §4.2).
mod information {
    pub const SYS_DESCR: u16 = 1;
    pub const SYS_NAME: u16 = 2;
    pub const TABLE_NAME: u16 = 3;
    /// In a Termination message (§4.5).
    pub const REASON: u16 = 1;
}

/// Session administratively closed (§4.5).
const ADMINISTRATIVELY_CLOSED: u16 = 0;

/// Why a session went down (§4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// We sent this NOTIFICATION.
    Sent(Notification),
    /// We ended it and sent none.
    Local,
    /// The neighbour sent this NOTIFICATION.
    Received(Notification),
    /// The neighbour, or TCP, ended it without.
    Remote,
    /// It is up, but the collector hears no more of it.
    Unmonitored,
}

/// The session of a neighbour (§4.10). For Loc-RIB it is one of our own with ourselves (RFC 9069 §4.4).
#[derive(Clone, Debug)]
pub struct PeerUp<'a> {
    /// `None` for Loc-RIB.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    pub sent: &'a Open,
    pub received: &'a Open,
    /// Of Loc-RIB.
    pub table_name: Option<&'a str>,
}

/// Appends the first message to a collector (§4.3).
pub fn emit_initiation(description: &str, name: &str, out: &mut BytesMut) {
    message(kind::INITIATION, out, |out| {
        put_information(information::SYS_DESCR, description.as_bytes(), out);
        put_information(information::SYS_NAME, name.as_bytes(), out);
    });
}

/// Appends the last one: we stop, or the collector is not configured any more (§4.5).
pub fn emit_termination(out: &mut BytesMut) {
    message(kind::TERMINATION, out, |out| {
        put_information(information::REASON, &ADMINISTRATIVELY_CLOSED.to_be_bytes(), out);
    });
}

pub fn emit_peer_up(peer: &PeerHeader, at: Wall, up: &PeerUp<'_>, out: &mut BytesMut) {
    message(kind::PEER_UP, out, |out| {
        peer.write_of_session(at, out);
        put_address(up.ends.map(|(local, _)| local.ip().to_canonical()), out);
        out.put_u16(up.ends.map_or(0, |(local, _)| local.port()));
        out.put_u16(up.ends.map_or(0, |(_, remote)| remote.port()));
        for open in [up.sent, up.received] {
            Message::Open(open.clone()).emit(&SessionFacts::default(), out);
        }
        if let Some(name) = up.table_name {
            put_information(information::TABLE_NAME, name.as_bytes(), out);
        }
    });
}

pub fn emit_peer_down(peer: &PeerHeader, at: Wall, down: &Down, out: &mut BytesMut) {
    message(kind::PEER_DOWN, out, |out| {
        peer.write_of_session(at, out);
        match down {
            Down::Sent(notification) => {
                out.put_u8(1);
                put_notification(notification, out);
            }
            Down::Local => {
                out.put_u8(2);
                // The event of the state machine: which one it was is not kept.
                out.put_u16(0);
            }
            Down::Received(notification) => {
                out.put_u8(3);
                put_notification(notification, out);
            }
            Down::Remote => out.put_u8(4),
            Down::Unmonitored => out.put_u8(5),
        }
    });
}

/// Appends routes of a table as UPDATEs, each in a message of its own (§4.6). An error says that there is no UPDATE that has
/// them.
pub fn emit_routes(
    peer: &PeerHeader,
    at: Wall,
    withdrawn: &[Nlri],
    announced: Option<(&Attributes, &[Nlri])>,
    out: &mut BytesMut,
) -> Result<(), Unsendable> {
    let mut updates = BytesMut::new();
    match bgp::emit_routes(withdrawn, announced, &facts(false), &mut updates) {
        // They came in a message of more than 4096 octets (RFC 8654).
        Err(Unsendable::AttributesTooLong { .. }) => {
            bgp::emit_routes(withdrawn, announced, &facts(true), &mut updates)?;
        }
        result => {
            result?;
        }
    }
    put_updates(peer, at, updates, out);
    Ok(())
}

/// Appends the end of the first transmission of a table (§3.3, RFC 4724 §2).
pub fn emit_end_of_rib(peer: &PeerHeader, at: Wall, family: Family, out: &mut BytesMut) {
    let mut update = BytesMut::new();
    bgp::emit_end_of_rib(family, &mut update);
    put_updates(peer, at, update, out);
}

/// Each message goes into one of its own.
fn put_updates(peer: &PeerHeader, at: Wall, mut updates: BytesMut, out: &mut BytesMut) {
    while let Ok(Some(length)) = frame_length(&updates, true) {
        let update = updates.split_to(length.min(updates.len()));
        message(kind::ROUTE_MONITORING, out, |out| {
            peer.write(at, out);
            out.put_slice(&update);
        });
    }
}

fn facts(extended_message: bool) -> SessionFacts {
    SessionFacts {
        ebgp: false,
        four_octet_as: true,
        extended_message,
        families: Family::ALL.to_vec(),
        extended_next_hop: true,
        add_path: Vec::new(),
    }
}

fn put_notification(notification: &Notification, out: &mut BytesMut) {
    Message::Notification(notification.clone()).emit(&SessionFacts::default(), out);
}

fn put_information(kind: u16, value: &[u8], out: &mut BytesMut) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    out.put_u16(kind);
    out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
    out.put_slice(value);
}
