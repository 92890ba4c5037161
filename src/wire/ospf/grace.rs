use std::fmt;
use std::net::Ipv4Addr;

use bytes::BytesMut;

use super::tlv;

/// A Grace-LSA: the neighbour restarts and asks to be counted as there (RFC 3623 Appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// Seconds from when the LSA's age was zero.
    pub period: u32,
    pub reason: GraceReason,
    /// The interface's, which tells the neighbour on broadcast networks.
    pub address: Option<Ipv4Addr>,
}

/// Why a router restarts (RFC 3623 A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraceReason {
    Unknown,
    SoftwareRestart,
    SoftwareUpgrade,
    SwitchToRedundantProcessor,
    Other(u8),
}

/// Grace-LSA TLV types.
mod kind {
    pub const PERIOD: u16 = 1;
    pub const REASON: u16 = 2;
    pub const ADDRESS: u16 = 3;
}

impl Grace {
    /// `None` if the TLVs do not fill the body, or if period or reason, which must be there, are not.
    pub(super) fn read(mut body: &[u8]) -> Option<Grace> {
        let (mut period, mut reason, mut address) = (None, None, None);
        while !body.is_empty() {
            let ((kind, value), rest) = tlv::read(body)?;
            match (kind, value) {
                (kind::PERIOD, [a, b, c, d]) => period = Some(u32::from_be_bytes([*a, *b, *c, *d])),
                (kind::REASON, [code]) => reason = Some(GraceReason::from_code(*code)),
                (kind::ADDRESS, [a, b, c, d]) => address = Some(Ipv4Addr::new(*a, *b, *c, *d)),
                _ => {}
            }
            body = rest;
        }
        Some(Grace { period: period?, reason: reason?, address })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        tlv::write(out, kind::PERIOD, &self.period.to_be_bytes());
        tlv::write(out, kind::REASON, &[self.reason.code()]);
        if let Some(address) = self.address {
            tlv::write(out, kind::ADDRESS, &address.octets());
        }
    }
}

impl GraceReason {
    fn from_code(code: u8) -> GraceReason {
        match code {
            0 => GraceReason::Unknown,
            1 => GraceReason::SoftwareRestart,
            2 => GraceReason::SoftwareUpgrade,
            3 => GraceReason::SwitchToRedundantProcessor,
            other => GraceReason::Other(other),
        }
    }

    fn code(self) -> u8 {
        match self {
            GraceReason::Unknown => 0,
            GraceReason::SoftwareRestart => 1,
            GraceReason::SoftwareUpgrade => 2,
            GraceReason::SwitchToRedundantProcessor => 3,
            GraceReason::Other(code) => code,
        }
    }
}

impl fmt::Display for GraceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GraceReason::Unknown => "unknown reason",
            GraceReason::SoftwareRestart => "software restart",
            GraceReason::SoftwareUpgrade => "software upgrade",
            GraceReason::SwitchToRedundantProcessor => "switch to redundant processor",
            GraceReason::Other(code) => return write!(f, "reason {code}"),
        })
    }
}
