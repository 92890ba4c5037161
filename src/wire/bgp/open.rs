use bytes::{BufMut, BytesMut};
use nom::multi::length_data;
use nom::number::complete::{be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::{Capability, HEADER_LENGTH, MAX_LENGTH, Notification};
use crate::types::{Asn, RouterId};

/// RFC 4271 §4.2, with capabilities (RFC 5492) and extended optional parameters (RFC 9072).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS number in four octets if it sent that capability, else the two-octet field.
    /// Emitted as AS_TRANS in the fixed field where it does not fit.
    pub asn: Asn,
    /// Seconds; 0 or at least 3. (1 and 2 parse as an OPEN error, RFC 4271 §6.2.)
    pub hold_time: u16,
    pub router_id: RouterId,
    /// In the order of the wire, duplicates and unknown ones included.
    pub capabilities: Vec<Capability>,
}

const VERSION: u8 = 4;
/// The optional parameter that holds capabilities.
const CAPABILITIES: u8 = 2;
/// Type and length value that announce the extended form (RFC 9072 §2).
const EXTENDED: u8 = 255;
/// Octets of a body without optional parameters.
const FIXED_LENGTH: usize = 10;

/// The fixed part of the body.
struct Fixed {
    version: u8,
    asn: u16,
    hold_time: u16,
    router_id: u32,
    parameters_length: u8,
}

fn fixed(input: &[u8]) -> IResult<&[u8], Fixed> {
    (u8, be_u16, be_u16, be_u32, u8)
        .map(|(version, asn, hold_time, router_id, parameters_length)| Fixed {
            version,
            asn,
            hold_time,
            router_id,
            parameters_length,
        })
        .parse(input)
}

/// Type, one octet of length, value: an optional parameter or a capability.
fn short_tlv(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    (u8, length_data(u8)).parse(input)
}

/// The same with two octets of length (RFC 9072 §2).
fn long_tlv(input: &[u8]) -> IResult<&[u8], (u8, &[u8])> {
    (u8, length_data(be_u16)).parse(input)
}

impl Open {
    /// Reads the body; the error answers it (RFC 4271 §6.2).
    pub(super) fn parse(body: &[u8]) -> Result<Open, Notification> {
        let (rest, fixed) = fixed(body).map_err(|_| Notification::malformed_open())?;
        if fixed.version != VERSION {
            return Err(Notification::unsupported_version());
        }
        let capabilities = read_parameters(fixed.parameters_length, rest)?;
        let asn = capabilities
            .iter()
            .find_map(|capability| match capability {
                Capability::FourOctetAs(asn) => Some(*asn),
                _ => None,
            })
            .unwrap_or(Asn(u32::from(fixed.asn)));
        // RFC 7607 §2.
        if !asn.is_valid() || fixed.asn == 0 {
            return Err(Notification::bad_peer_as());
        }
        if matches!(fixed.hold_time, 1 | 2) {
            return Err(Notification::unacceptable_hold_time());
        }
        let router_id = RouterId::from_bits(fixed.router_id);
        // RFC 6286 §2.1.
        if !router_id.is_valid() {
            return Err(Notification::bad_bgp_identifier());
        }
        Ok(Open { asn, hold_time: fixed.hold_time, router_id, capabilities })
    }

    /// Appends the body. Capabilities that would make the message longer than 4096 octets
    /// (RFC 8654 §4) are left out.
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        out.put_u16(self.asn.two_octets());
        out.put_u16(self.hold_time);
        out.put_u32(self.router_id.to_bits());
        // The extended form needs six octets before its first capability.
        let room = MAX_LENGTH - HEADER_LENGTH - FIXED_LENGTH - 6;
        let mut capabilities = BytesMut::new();
        for capability in &self.capabilities {
            let fitting = capabilities.len();
            capability.write(&mut capabilities);
            if capabilities.len() > room {
                capabilities.truncate(fitting);
                break;
            }
        }
        let length = capabilities.len();
        match u8::try_from(length + 2) {
            Ok(2) => out.put_u8(0),
            // One parameter with all capabilities (RFC 5492 §4).
            Ok(parameters) if parameters < EXTENDED => {
                out.put_u8(parameters);
                out.put_u8(CAPABILITIES);
                out.put_u8(parameters - 2);
            }
            _ => {
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                out.put_u8(EXTENDED);
                out.put_u8(EXTENDED);
                out.put_u16(length.saturating_add(3));
                out.put_u8(CAPABILITIES);
                out.put_u16(length);
            }
        }
        out.put_slice(&capabilities);
    }
}

/// The capabilities of all optional parameters. Their lengths must fill the message exactly.
fn read_parameters(length: u8, bytes: &[u8]) -> Result<Vec<Capability>, Notification> {
    let malformed = Notification::malformed_open;
    let mut capabilities = Vec::new();
    // With a type of 255 the extended form applies, whatever the short length says (RFC 9072 §2).
    let extended = length != 0 && bytes.first() == Some(&EXTENDED);
    let mut parameters = if extended {
        let (_, bytes) = bytes.split_first().ok_or_else(malformed)?;
        let (rest, parameters) =
            length_data(be_u16::<_, nom::error::Error<_>>).parse(bytes).map_err(|_| malformed())?;
        if !rest.is_empty() {
            return Err(malformed());
        }
        parameters
    } else {
        if bytes.len() != usize::from(length) {
            return Err(malformed());
        }
        bytes
    };
    while !parameters.is_empty() {
        let tlv = if extended { long_tlv } else { short_tlv };
        let (rest, (kind, mut value)) = tlv(parameters).map_err(|_| malformed())?;
        if kind != CAPABILITIES {
            return Err(Notification::unsupported_optional_parameter());
        }
        while !value.is_empty() {
            let (rest, (code, content)) = short_tlv(value).map_err(|_| malformed())?;
            capabilities.push(Capability::read(code, content));
            value = rest;
        }
        parameters = rest;
    }
    Ok(capabilities)
}
