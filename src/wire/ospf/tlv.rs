//! Type, length and value, filled up to four octets, as the opaque LSAs have them (RFC 3623 A, RFC 7770 §2.3).

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::length_data;
use nom::number::complete::be_u16;

/// Type and value, and the octets behind them.
type Read<'a> = ((u16, &'a [u8]), &'a [u8]);

/// The next one, and what is behind it. The last may come without its filling.
pub(super) fn read(input: &[u8]) -> Option<Read<'_>> {
    let mut tlv = (be_u16::<_, nom::error::Error<_>>, length_data(be_u16));
    let (rest, (kind, value)) = tlv.parse(input).ok()?;
    let filling = value.len().next_multiple_of(4) - value.len();
    let (rest, _) = take::<_, _, nom::error::Error<_>>(filling.min(rest.len())).parse(rest).ok()?;
    Some(((kind, value), rest))
}

/// Appends one. The value has at most 65,535 octets.
pub(super) fn write(out: &mut BytesMut, kind: u16, value: &[u8]) {
    out.put_u16(kind);
    out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
    out.put_slice(value);
    out.put_bytes(0, value.len().next_multiple_of(4) - value.len());
}
