use bytes::{Bytes, BytesMut};

use super::pdu::{HEADER_LENGTH, Header, MAX_LENGTH};
use super::{ErrorCode, ErrorReport, Pdu, Version};

/// Cuts the octets of one connection into PDUs, however they arrive.
///
/// Call [`Decoder::next`] until `None` after each [`Decoder::feed`]; then never more than one unfinished PDU is held.
/// After an error nothing more is decoded.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    failed: bool,
}

impl Decoder {
    /// Takes octets as read from the connection.
    pub fn feed(&mut self, octets: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The next whole PDU and its version, or the Error Report that answers what is there instead. `None` in the place of the
    /// version: it is an Error Report in a version that we do not know.
    #[allow(clippy::should_implement_trait)] // an iterator's `None` would mean the end
    pub fn next(&mut self) -> Option<Result<(Option<Version>, Pdu), ErrorReport>> {
        if self.failed {
            return None;
        }
        let header = Header::read(&self.buffer)?;
        let result = match usize::try_from(header.length) {
            Ok(length @ HEADER_LENGTH..=MAX_LENGTH) => {
                if self.buffer.len() < length {
                    return None;
                }
                let octets = self.buffer.split_to(length);
                parse(&octets, &header)
            }
            _ => Err(ErrorReport {
                code: ErrorCode::CorruptData,
                pdu: Bytes::copy_from_slice(self.buffer.get(..HEADER_LENGTH).unwrap_or_default()),
                text: format!("a PDU of {} octets", header.length),
            }),
        };
        if result.is_err() {
            self.failed = true;
            self.buffer = BytesMut::new();
        }
        Some(result)
    }
}

fn parse(octets: &[u8], header: &Header) -> Result<(Option<Version>, Pdu), ErrorReport> {
    let version = match header.version {
        0 => Version::V0,
        1 => Version::V1,
        // What it says is the same in all versions (RFC 8210 §5.11).
        _ if header.is_error_report() => {
            return Pdu::parse(octets, header, Version::V1).map(|pdu| (None, pdu));
        }
        other => {
            return Err(ErrorReport::new(
                ErrorCode::UnsupportedVersion,
                format!("version {other}; we speak 1 and 0"),
            ));
        }
    };
    Pdu::parse(octets, header, version).map(|pdu| (Some(version), pdu))
}
