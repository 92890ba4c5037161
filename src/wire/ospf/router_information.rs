use bytes::BytesMut;

use super::tlv;

/// What we read of an opaque router information LSA (RFC 7770).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterInformation {
    /// The first 32 informational capabilities, bit 0 the highest (RFC 7770 §2.4).
    pub capabilities: Option<u32>,
    /// Dynamic hostname (RFC 5642); at most 255 octets are sent.
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
            let ends = hostname.char_indices().map(|(start, c)| start + c.len_utf8());
            let length = ends.take_while(|end| *end <= MAX_HOSTNAME).last().unwrap_or(0);
            tlv::write(out, kind::HOSTNAME, &hostname.as_bytes()[..length]);
        }
    }
}

/// It is shown to people: what a terminal would not print as it stands is replaced.
fn hostname(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&value[..value.len().min(MAX_HOSTNAME)]);
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Some(text.chars().map(shown).collect()).filter(|text: &String| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(hostname: &str) -> Option<RouterInformation> {
        let mut out = BytesMut::new();
        RouterInformation { capabilities: None, hostname: Some(hostname.to_owned()) }
            .write(&mut out);
        assert!(out.len().is_multiple_of(4) && out.len() <= 260);
        RouterInformation::read(&out)
    }

    #[test]
    fn a_long_hostname_is_cut_between_characters() {
        let hostname = written(&"ü".repeat(200)).unwrap().hostname.unwrap();
        assert_eq!(hostname, "ü".repeat(127));
    }

    #[test]
    fn a_hostname_cannot_drive_a_terminal() {
        assert_eq!(written("fw\x1b[2J").unwrap().hostname.unwrap(), "fw\u{fffd}[2J");
        assert_eq!(written("").unwrap().hostname, None);
    }

    #[test]
    fn unknown_and_repeated_tlvs_are_read_over() {
        let body = [
            &[0, 9, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0][..],
            &[0, 7, 0, 1, b'a', 0, 0, 0],
            &[0, 7, 0, 1, b'b', 0, 0, 0],
            &[0, 1, 0, 8, 0x60, 0, 0, 0, 0, 0, 0, 1],
        ]
        .concat();
        let information = RouterInformation::read(&body).unwrap();
        assert_eq!(information.hostname.as_deref(), Some("a"));
        let both = RouterInformation::GRACEFUL_RESTART_HELPER | RouterInformation::STUB_ROUTER;
        assert_eq!(information.capabilities, Some(both));
        assert_eq!(RouterInformation::read(&body[..body.len() - 1]), None);
        // The last one without its filling.
        let information = RouterInformation::read(&[0, 7, 0, 1, b'a']).unwrap();
        assert_eq!(information.hostname.as_deref(), Some("a"));
    }
}
