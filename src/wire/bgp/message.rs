use bytes::{BufMut, BytesMut};
use nom::bytes::complete::take;
use nom::number::complete::{be_u16, u8};
use nom::{IResult, Parser};

use super::{Notification, Open, SessionFacts, Update};
use crate::types::Family;

/// Marker, length, type (RFC 4271 §4.1).
pub const HEADER_LENGTH: usize = 19;
/// Longest message without the Extended Message capability.
pub const MAX_LENGTH: usize = 4096;
/// Longest message with it; OPEN and KEEPALIVE stay at 4096 (RFC 8654 §4).
pub const MAX_EXTENDED_LENGTH: usize = 65535;

const MARKER: [u8; 16] = [0xff; 16];

/// Message types (RFC 4271 §4.1, RFC 2918 §3).
pub(super) mod kind {
    pub const OPEN: u8 = 1;
    pub const UPDATE: u8 = 2;
    pub const NOTIFICATION: u8 = 3;
    pub const KEEPALIVE: u8 = 4;
    pub const ROUTE_REFRESH: u8 = 5;
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
    /// To be ignored (RFC 7313 §5), kept as a value.
    Unknown(u8),
}

impl RouteRefresh {
    pub fn new(family: Family, subtype: RefreshSubtype) -> RouteRefresh {
        RouteRefresh { afi: family.afi(), safi: 1, subtype }
    }

    /// `frame` is the whole message, which the answer to a wrong length contains (RFC 7313 §5).
    fn parse(frame: &[u8], body: &[u8]) -> Result<RouteRefresh, Notification> {
        let (rest, (afi, subtype, safi)) =
            refresh(body).map_err(|_| Notification::route_refresh_length(frame))?;
        let subtype = match subtype {
            0 => RefreshSubtype::Request,
            1 => RefreshSubtype::Begin,
            2 => RefreshSubtype::End,
            other => RefreshSubtype::Unknown(other),
        };
        // A plain request may be followed by filters (RFC 5291), which we never negotiate: the
        // whole table answers it.
        let marks = matches!(subtype, RefreshSubtype::Begin | RefreshSubtype::End);
        if marks && !rest.is_empty() {
            return Err(Notification::route_refresh_length(frame));
        }
        Ok(RouteRefresh { afi, safi, subtype })
    }
}

/// Marker, length, type.
fn header(input: &[u8]) -> IResult<&[u8], (&[u8], u16, u8)> {
    (take(MARKER.len()), be_u16, u8).parse(input)
}

/// AFI, subtype, SAFI.
fn refresh(input: &[u8]) -> IResult<&[u8], (u16, u8, u8)> {
    (be_u16, u8, u8).parse(input)
}

/// The length of the message that `bytes` begins with, once its header is there; the error is a
/// Message Header Error (RFC 4271 §6.1). `extended` as negotiated; limits by type are those of
/// RFC 8654 §4.
pub fn frame_length(bytes: &[u8], extended: bool) -> Result<Option<usize>, Notification> {
    let Ok((_, (marker, length, kind))) = header(bytes) else {
        return Ok(None);
    };
    if marker != MARKER {
        return Err(Notification::connection_not_synchronized());
    }
    let max = if extended { MAX_EXTENDED_LENGTH } else { MAX_LENGTH };
    let allowed = match kind {
        kind::OPEN => 29..=MAX_LENGTH,
        kind::UPDATE => 23..=max,
        kind::NOTIFICATION => 21..=max,
        kind::KEEPALIVE => HEADER_LENGTH..=HEADER_LENGTH,
        // Shorter than 23 has an answer of its own (RFC 7313 §5).
        kind::ROUTE_REFRESH => HEADER_LENGTH..=max,
        // A wrong length is reported before a wrong type.
        _ if (HEADER_LENGTH..=max).contains(&usize::from(length)) => {
            return Err(Notification::bad_message_type(kind));
        }
        _ => HEADER_LENGTH..=max,
    };
    if allowed.contains(&usize::from(length)) {
        Ok(Some(usize::from(length)))
    } else {
        Err(Notification::bad_message_length(length))
    }
}

impl Message {
    /// Reads exactly one message, header included (as long as [`frame_length`] says).
    pub fn parse(frame: &[u8], facts: &SessionFacts) -> Result<Message, Notification> {
        let length = frame_length(frame, facts.extended_message)?;
        let Ok((body, (_, announced, kind))) = header(frame) else {
            // Less than a header: there is no length field to quote.
            return Err(Notification::bad_message_length(0));
        };
        if length != Some(frame.len()) {
            return Err(Notification::bad_message_length(announced));
        }
        match kind {
            kind::OPEN => Open::parse(body).map(Message::Open),
            kind::UPDATE => Update::parse(body, facts).map(Message::Update),
            kind::NOTIFICATION => Notification::parse(body, announced).map(Message::Notification),
            kind::KEEPALIVE => Ok(Message::Keepalive),
            kind::ROUTE_REFRESH => RouteRefresh::parse(frame, body).map(Message::RouteRefresh),
            _ => Err(Notification::bad_message_type(kind)),
        }
    }

    /// Appends the message, header included.
    ///
    /// An [`Update`] becomes as many messages as its routes need: one message never holds both
    /// kinds of withdrawals or announcements (RFC 7606 §5.1). Routes whose attributes cannot be
    /// sent (see [`Unsendable`](super::Unsendable)) are withdrawn instead; a caller who wants to
    /// know uses [`emit_routes`](super::emit_routes).
    pub fn emit(&self, facts: &SessionFacts, out: &mut BytesMut) {
        match self {
            Message::Open(open) => frame(out, kind::OPEN, |out| open.write(out)),
            Message::Update(update) => update.emit(facts, out),
            Message::Notification(notification) => frame(out, kind::NOTIFICATION, |out| {
                let room = facts.max_length() - HEADER_LENGTH - 2;
                out.put_u8(notification.code);
                out.put_u8(notification.subcode);
                // Data quotes what was received and may be longer than we may send.
                out.extend(notification.data.iter().take(room));
            }),
            Message::Keepalive => frame(out, kind::KEEPALIVE, |_| {}),
            Message::RouteRefresh(refresh) => frame(out, kind::ROUTE_REFRESH, |out| {
                out.put_u16(refresh.afi);
                out.put_u8(match refresh.subtype {
                    RefreshSubtype::Request => 0,
                    RefreshSubtype::Begin => 1,
                    RefreshSubtype::End => 2,
                    RefreshSubtype::Unknown(subtype) => subtype,
                });
                out.put_u8(refresh.safi);
            }),
        }
    }
}

/// Appends a header and what `body` writes. `body` keeps within the session's message length.
pub(super) fn frame(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&MARKER);
    out.put_u16(0);
    out.put_u8(kind);
    body(out);
    let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    out[start + MARKER.len()..start + MARKER.len() + 2].copy_from_slice(&length.to_be_bytes());
}
