use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use nom::multi::length_data;
use nom::number::complete::{be_u16, be_u32, be_u128, u8};
use nom::{IResult, Parser};

use super::{ErrorCode, ErrorReport};
use crate::types::{Asn, Prefix};

/// Octets in front of every PDU: version, type, session id or else, length of all.
pub(super) const HEADER_LENGTH: usize = 8;
/// Longer ones are not taken: only an Error Report and a Router Key may have more than 32 octets.
pub(super) const MAX_LENGTH: usize = 1 << 16;
/// Of a PDU, octets that our Error Reports quote. The longest that has a fixed size fits.
const QUOTED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 6810: without router keys and timing.
    V0,
    /// RFC 8210.
    V1,
}

/// Names one life of a cache's data: serial numbers of different ones say nothing to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId(pub u16);

/// Counts the changes of a cache's data. Wraps (RFC 1982), so it is only compared for being equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial(pub u32);

/// A Validated ROA Payload: `asn` may originate `prefix` and what is in it, up to this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vrp {
    pub prefix: Prefix,
    pub max_length: u8,
    pub asn: Asn,
}

/// How the cache wants to be asked (RFC 8210 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the end of an answer to the next question.
    pub refresh: Duration,
    /// From a question that failed to the next.
    pub retry: Duration,
    /// How long data is good for from the end of an answer.
    pub expire: Duration,
}

/// RFC 8210 §5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    SerialNotify {
        session: SessionId,
        serial: Serial,
    },
    SerialQuery {
        session: SessionId,
        serial: Serial,
    },
    ResetQuery,
    CacheResponse {
        session: SessionId,
    },
    Prefix {
        announced: bool,
        vrp: Vrp,
    },
    /// For BGPsec, which we do not speak; what it says is not kept.
    RouterKey,
    EndOfData {
        session: SessionId,
        serial: Serial,
        /// Not in version 0.
        timing: Option<Timing>,
    },
    CacheReset,
    ErrorReport(ErrorReport),
}

mod kind {
    pub const SERIAL_NOTIFY: u8 = 0;
    pub const SERIAL_QUERY: u8 = 1;
    pub const RESET_QUERY: u8 = 2;
    pub const CACHE_RESPONSE: u8 = 3;
    pub const IPV4_PREFIX: u8 = 4;
    pub const IPV6_PREFIX: u8 = 6;
    pub const END_OF_DATA: u8 = 7;
    pub const CACHE_RESET: u8 = 8;
    pub const ROUTER_KEY: u8 = 9;
    pub const ERROR_REPORT: u8 = 10;
}

/// Bits of a prefix PDU's flags: announced, else withdrawn.
const ANNOUNCED: u8 = 0x01;

impl Version {
    pub(super) fn number(self) -> u8 {
        match self {
            Version::V0 => 0,
            Version::V1 => 1,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `192.0.2.0/24-28 AS 64496`.
impl fmt::Display for Vrp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        if self.max_length != self.prefix.length() {
            write!(f, "-{}", self.max_length)?;
        }
        write!(f, " AS {}", self.asn)
    }
}

impl Timing {
    /// What RFC 8210 §6 gives where the cache says nothing.
    pub const USUAL: Timing = Timing {
        refresh: Duration::from_secs(3600),
        retry: Duration::from_secs(600),
        expire: Duration::from_secs(7200),
    };

    /// Within the bounds of RFC 8210 §6.
    fn within_bounds(refresh: u32, retry: u32, expire: u32) -> Timing {
        let seconds =
            |given: u32, least, most| Duration::from_secs(given.clamp(least, most).into());
        Timing {
            refresh: seconds(refresh, 1, 86_400),
            retry: seconds(retry, 1, 7_200),
            expire: seconds(expire, 600, 172_800),
        }
    }
}

/// What is in front of every PDU.
pub(super) struct Header {
    pub version: u8,
    pub kind: u8,
    /// Session id, flags or error code, depending on the type.
    field: u16,
    /// Octets of the whole PDU.
    pub length: u32,
}

impl Header {
    /// `None`: not all octets of it are there yet.
    pub fn read(octets: &[u8]) -> Option<Header> {
        let mut header = (u8::<&[u8], nom::error::Error<&[u8]>>, u8, be_u16, be_u32)
            .map(|(version, kind, field, length)| Header { version, kind, field, length });
        header.parse(octets).ok().map(|(_, header)| header)
    }

    pub fn is_error_report(&self) -> bool {
        self.kind == kind::ERROR_REPORT
    }
}

fn serial(body: &[u8]) -> IResult<&[u8], Serial> {
    be_u32.map(Serial).parse(body)
}

fn timing(body: &[u8]) -> IResult<&[u8], Timing> {
    (be_u32, be_u32, be_u32)
        .map(|(refresh, retry, expire)| Timing::within_bounds(refresh, retry, expire))
        .parse(body)
}

/// Flags, length, maximum length, zero, and what the rest is read as.
fn prefix<'a, A: Into<IpAddr>>(
    body: &'a [u8],
    address: impl Parser<&'a [u8], Output = A, Error = nom::error::Error<&'a [u8]>>,
) -> IResult<&'a [u8], (u8, u8, u8, IpAddr, Asn)> {
    (u8, u8, u8, u8, address, be_u32)
        .map(|(flags, length, max_length, _, address, asn)| {
            (flags, length, max_length, address.into(), Asn(asn))
        })
        .parse(body)
}

fn error_report(body: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    (length_data(be_u32), length_data(be_u32)).parse(body)
}

impl Pdu {
    /// Reads one whole PDU, `octets`, with its header; the error answers it.
    pub(super) fn parse(
        octets: &[u8],
        header: &Header,
        version: Version,
    ) -> Result<Pdu, ErrorReport> {
        let body = octets.get(HEADER_LENGTH..).unwrap_or_default();
        let wrong = |code, text: String| ErrorReport {
            code,
            pdu: Bytes::copy_from_slice(octets.get(..QUOTED).unwrap_or(octets)),
            text,
        };
        let length = || {
            wrong(
                ErrorCode::CorruptData,
                format!("{} octets of type {}", octets.len(), header.kind),
            )
        };
        let session = SessionId(header.field);
        let pdu = match (header.kind, body.len()) {
            (kind::SERIAL_NOTIFY | kind::SERIAL_QUERY | kind::END_OF_DATA, 4) => {
                let (_, serial) = serial(body).map_err(|_| length())?;
                match header.kind {
                    kind::SERIAL_NOTIFY => Pdu::SerialNotify { session, serial },
                    kind::SERIAL_QUERY => Pdu::SerialQuery { session, serial },
                    _ if version == Version::V0 => Pdu::EndOfData { session, serial, timing: None },
                    _ => return Err(length()),
                }
            }
            (kind::END_OF_DATA, 16) if version == Version::V1 => {
                let (_, (serial, timing)) = (serial, timing).parse(body).map_err(|_| length())?;
                Pdu::EndOfData { session, serial, timing: Some(timing) }
            }
            (kind::RESET_QUERY, 0) => Pdu::ResetQuery,
            (kind::CACHE_RESPONSE, 0) => Pdu::CacheResponse { session },
            (kind::CACHE_RESET, 0) => Pdu::CacheReset,
            (kind::IPV4_PREFIX, 12) | (kind::IPV6_PREFIX, 24) => {
                let read = match header.kind {
                    kind::IPV4_PREFIX => prefix(body, be_u32.map(Ipv4Addr::from_bits)),
                    _ => prefix(body, be_u128.map(Ipv6Addr::from_bits)),
                };
                let (_, (flags, length_in_bits, max_length, address, asn)) =
                    read.map_err(|_| length())?;
                let bits = if address.is_ipv4() { 32 } else { 128 };
                let prefix = Prefix::new(address, length_in_bits)
                    .filter(|prefix| prefix.address() == address)
                    .filter(|_| (length_in_bits..=bits).contains(&max_length))
                    .ok_or_else(|| {
                        let what = format!("{address}/{length_in_bits}-{max_length} is no prefix");
                        wrong(ErrorCode::CorruptData, what)
                    })?;
                Pdu::Prefix {
                    announced: flags & ANNOUNCED != 0,
                    vrp: Vrp { prefix, max_length, asn },
                }
            }
            // Key identifier, AS number, and a key of any length.
            (kind::ROUTER_KEY, 24..) if version == Version::V1 => Pdu::RouterKey,
            (kind::ERROR_REPORT, _) => {
                let (_, (pdu, text)) = error_report(body).map_err(|_| length())?;
                Pdu::ErrorReport(ErrorReport {
                    code: ErrorCode::from_number(header.field),
                    pdu: Bytes::copy_from_slice(pdu),
                    text: String::from_utf8_lossy(text).into_owned(),
                })
            }
            (
                kind::SERIAL_NOTIFY
                | kind::SERIAL_QUERY
                | kind::RESET_QUERY
                | kind::CACHE_RESPONSE
                | kind::IPV4_PREFIX
                | kind::IPV6_PREFIX
                | kind::END_OF_DATA
                | kind::CACHE_RESET,
                _,
            ) => return Err(length()),
            (kind::ROUTER_KEY, _) if version == Version::V1 => return Err(length()),
            (other, _) => {
                return Err(wrong(ErrorCode::UnsupportedType, format!("type {other}")));
            }
        };
        Ok(pdu)
    }

    /// Appends the PDU as it is in a version. What a version does not have is left out of it.
    pub fn emit(&self, version: Version, out: &mut BytesMut) {
        let start = out.len();
        let mut header = |kind: u8, field: u16| {
            out.put_u8(version.number());
            out.put_u8(kind);
            out.put_u16(field);
            out.put_u32(0);
        };
        match self {
            Pdu::SerialNotify { session, serial } => {
                header(kind::SERIAL_NOTIFY, session.0);
                out.put_u32(serial.0);
            }
            Pdu::SerialQuery { session, serial } => {
                header(kind::SERIAL_QUERY, session.0);
                out.put_u32(serial.0);
            }
            Pdu::ResetQuery => header(kind::RESET_QUERY, 0),
            Pdu::CacheResponse { session } => header(kind::CACHE_RESPONSE, session.0),
            Pdu::Prefix { announced, vrp } => {
                let address = vrp.prefix.address();
                header(if address.is_ipv4() { kind::IPV4_PREFIX } else { kind::IPV6_PREFIX }, 0);
                out.put_u8(if *announced { ANNOUNCED } else { 0 });
                out.put_u8(vrp.prefix.length());
                out.put_u8(vrp.max_length);
                out.put_u8(0);
                match address {
                    IpAddr::V4(address) => out.put_u32(address.to_bits()),
                    IpAddr::V6(address) => out.put_u128(address.to_bits()),
                }
                out.put_u32(vrp.asn.0);
            }
            Pdu::RouterKey => {
                header(kind::ROUTER_KEY, 0);
                out.put_bytes(0, 24);
            }
            Pdu::EndOfData { session, serial, timing } => {
                header(kind::END_OF_DATA, session.0);
                out.put_u32(serial.0);
                if version == Version::V1 {
                    let timing = timing.unwrap_or(Timing::USUAL);
                    for span in [timing.refresh, timing.retry, timing.expire] {
                        out.put_u32(u32::try_from(span.as_secs()).unwrap_or(u32::MAX));
                    }
                }
            }
            Pdu::CacheReset => header(kind::CACHE_RESET, 0),
            Pdu::ErrorReport(report) => {
                header(kind::ERROR_REPORT, report.code.number());
                for part in [report.pdu.as_ref(), report.text.as_bytes()] {
                    let part = part.get(..MAX_LENGTH / 4).unwrap_or(part);
                    out.put_u32(u32::try_from(part.len()).unwrap_or(0));
                    out.put_slice(part);
                }
            }
        }
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(start + 4..start + 8) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}
