use bytes::BytesMut;

use super::tlv;

/// What we read of an opaque router information LSA (RFC 7770).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterInformation {
    /// The first 32 informational capabilities, bit 0 the highest (RFC 7770 §2.4).
    pub capabilities: Option<u32>,
    /// Dynamic hostname (RFC 5642).
    pub hostname: Option<String>,
}

/// RI TLV types (IANA "OSPF Router Information (RI) TLVs").
mod kind {
    pub const CAPABILITIES: u16 = 1;
    pub const HOSTNAME: u16 = 7;
}

/// Octets of a hostname (RFC 5642 §3.1).
const MAX_HOSTNAME: usize = 255;

impl RouterInformation {
    /// Informational capability: helps others to restart gracefully (RFC 7770 §2.4).
    pub const GRACEFUL_RESTART_HELPER: u32 = 0x4000_0000;
    /// Informational capability: can be a stub router (RFC 6987).
    pub const STUB_ROUTER: u32 = 0x2000_0000;

    /// `None` if the TLVs do not fill the body. Of repeated ones the first counts.
    pub(super) fn read(mut body: &[u8]) -> Option<RouterInformation> {
        let mut information = RouterInformation::default();
        while !body.is_empty() {
            let ((kind, value), rest) = tlv::read(body)?;
            match kind {
                kind::CAPABILITIES if information.capabilities.is_none() => {
                    information.capabilities =
                        value.first_chunk().map(|bits| u32::from_be_bytes(*bits));
                }
                kind::HOSTNAME if information.hostname.is_none() => {
                    information.hostname = hostname(value);
                }
                _ => {}
            }
            body = rest;
        }
        Some(information)
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        if let Some(capabilities) = self.capabilities {
            tlv::write(out, kind::CAPABILITIES, &capabilities.to_be_bytes());
        }
        if let Some(hostname) = &self.hostname {
            let octets = hostname.as_bytes();
            tlv::write(out, kind::HOSTNAME, &octets[..octets.len().min(MAX_HOSTNAME)]);
        }
    }
}

/// It is shown to people: what a terminal would not print as it stands is replaced.
fn hostname(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&value[..value.len().min(MAX_HOSTNAME)]);
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Some(text.chars().map(shown).collect()).filter(|text: &String| !text.is_empty())
}
