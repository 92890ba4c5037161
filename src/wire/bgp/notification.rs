use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::Capability;
use crate::types::Family;

/// RFC 4271 §4.5. Codes are kept as numbers: unknown ones survive and can be shown.
///
/// `Display` gives the readable name and what the data says:
/// `Cease / Administrative Shutdown: "maintenance until 04:00"`.
///
/// There is a constructor for every error that this side can send. The attribute errors 3/3 to 3/8
/// and 3/11 are only received: RFC 7606 answers them without ending the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Bytes,
}

/// Error codes (IANA "BGP Error (Notification) Codes").
mod code {
    pub const HEADER: u8 = 1;
    pub const OPEN: u8 = 2;
    pub const UPDATE: u8 = 3;
    pub const HOLD_TIMER: u8 = 4;
    pub const FSM: u8 = 5;
    pub const CEASE: u8 = 6;
    pub const ROUTE_REFRESH: u8 = 7;
    pub const SEND_HOLD_TIMER: u8 = 8;
}

/// Subcodes of Cease whose data is read, or on which more depends than a name.
mod cease {
    pub const MAX_PREFIXES: u8 = 1;
    pub const SHUTDOWN: u8 = 2;
    pub const RESET: u8 = 4;
    pub const HARD_RESET: u8 = 9;
    pub const BFD_DOWN: u8 = 10;
}

/// The state named in a Finite State Machine Error (RFC 6608).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsmState {
    OpenSent,
    OpenConfirm,
    Established,
}

impl Notification {
    fn new(code: u8, subcode: u8, data: impl Into<Bytes>) -> Notification {
        Notification { code, subcode, data: data.into() }
    }

    fn bare(code: u8, subcode: u8) -> Notification {
        Notification::new(code, subcode, Bytes::new())
    }

    /// 1/1: the marker is not all ones.
    pub fn connection_not_synchronized() -> Notification {
        Notification::bare(code::HEADER, 1)
    }

    /// 1/2, with the length field at fault.
    pub fn bad_message_length(length: u16) -> Notification {
        Notification::new(code::HEADER, 2, length.to_be_bytes().to_vec())
    }

    /// 1/3, with the type at fault.
    pub fn bad_message_type(kind: u8) -> Notification {
        Notification::new(code::HEADER, 3, vec![kind])
    }

    /// 2/0: an OPEN whose parameters cannot be read.
    pub fn malformed_open() -> Notification {
        Notification::bare(code::OPEN, 0)
    }

    /// 2/1, with the version that we speak.
    pub fn unsupported_version() -> Notification {
        Notification::new(code::OPEN, 1, 4_u16.to_be_bytes().to_vec())
    }

    /// 2/2.
    pub fn bad_peer_as() -> Notification {
        Notification::bare(code::OPEN, 2)
    }

    /// 2/3.
    pub fn bad_bgp_identifier() -> Notification {
        Notification::bare(code::OPEN, 3)
    }

    /// 2/4.
    pub fn unsupported_optional_parameter() -> Notification {
        Notification::bare(code::OPEN, 4)
    }

    /// 2/6.
    pub fn unacceptable_hold_time() -> Notification {
        Notification::bare(code::OPEN, 6)
    }

    /// 2/7 (RFC 5492 §5), with the capabilities that we miss.
    pub fn unsupported_capability(missing: &[Capability]) -> Notification {
        let mut data = BytesMut::new();
        missing.iter().for_each(|capability| capability.write(&mut data));
        Notification::new(code::OPEN, 7, data)
    }

    /// 2/11 (RFC 9234 §4.2).
    pub fn role_mismatch() -> Notification {
        Notification::bare(code::OPEN, 11)
    }

    /// 3/1.
    pub fn malformed_attribute_list() -> Notification {
        Notification::bare(code::UPDATE, 1)
    }

    /// 3/2, with the whole attribute.
    pub fn unrecognized_well_known_attribute(attribute: &[u8]) -> Notification {
        Notification::new(code::UPDATE, 2, attribute.to_vec())
    }

    /// 3/9, with the whole attribute.
    pub fn optional_attribute_error(attribute: &[u8]) -> Notification {
        Notification::new(code::UPDATE, 9, attribute.to_vec())
    }

    /// 3/10: a prefix that cannot be read.
    pub fn invalid_network_field() -> Notification {
        Notification::bare(code::UPDATE, 10)
    }

    /// 4/0.
    pub fn hold_timer_expired() -> Notification {
        Notification::bare(code::HOLD_TIMER, 0)
    }

    /// 5/1 to 5/3 (RFC 6608): a message that the state does not expect; the data is its type.
    pub fn fsm_error(state: FsmState, message_type: u8) -> Notification {
        let subcode = match state {
            FsmState::OpenSent => 1,
            FsmState::OpenConfirm => 2,
            FsmState::Established => 3,
        };
        Notification::new(code::FSM, subcode, vec![message_type])
    }

    /// 6/1 (RFC 4486 §4), with the family and the limit.
    pub fn maximum_prefixes(family: Family, limit: u32) -> Notification {
        let mut data = BytesMut::with_capacity(7);
        data.put_u16(family.afi());
        data.put_u8(1);
        data.put_u32(limit);
        Notification::new(code::CEASE, cease::MAX_PREFIXES, data)
    }

    /// 6/2, with a text for the neighbour's operator (RFC 9003); cut at 255 octets, may be empty.
    pub fn administrative_shutdown(text: &str) -> Notification {
        Notification::new(code::CEASE, cease::SHUTDOWN, communication(text))
    }

    /// 6/3.
    pub fn peer_deconfigured() -> Notification {
        Notification::bare(code::CEASE, 3)
    }

    /// 6/4, with a text as for [`Notification::administrative_shutdown`].
    pub fn administrative_reset(text: &str) -> Notification {
        Notification::new(code::CEASE, cease::RESET, communication(text))
    }

    /// 6/5.
    pub fn connection_rejected() -> Notification {
        Notification::bare(code::CEASE, 5)
    }

    /// 6/10 (RFC 9384).
    pub fn bfd_down() -> Notification {
        Notification::bare(code::CEASE, cease::BFD_DOWN)
    }

    /// 6/6.
    pub fn other_configuration_change() -> Notification {
        Notification::bare(code::CEASE, 6)
    }

    /// 6/7.
    pub fn connection_collision() -> Notification {
        Notification::bare(code::CEASE, 7)
    }

    /// 6/8.
    pub fn out_of_resources() -> Notification {
        Notification::bare(code::CEASE, 8)
    }

    /// 6/9 (RFC 8538 §3): the neighbour must not keep our routes; `reason` travels inside.
    pub fn hard_reset(reason: &Notification) -> Notification {
        let mut data = BytesMut::with_capacity(2 + reason.data.len());
        data.put_u8(reason.code);
        data.put_u8(reason.subcode);
        data.put_slice(&reason.data);
        Notification::new(code::CEASE, cease::HARD_RESET, data)
    }

    /// 7/1 (RFC 7313 §5), with the whole message.
    pub fn route_refresh_length(message: &[u8]) -> Notification {
        Notification::new(code::ROUTE_REFRESH, 1, message.to_vec())
    }

    /// 8/0 (RFC 9687). The neighbour does not read, so this is rarely seen by it.
    pub fn send_hold_timer_expired() -> Notification {
        Notification::bare(code::SEND_HOLD_TIMER, 0)
    }

    /// Reads the body of a message of `length` octets.
    pub(super) fn parse(body: &[u8], length: u16) -> Result<Notification, Notification> {
        match body {
            [code, subcode, data @ ..] => {
                Ok(Notification::new(*code, *subcode, Bytes::copy_from_slice(data)))
            }
            _ => Err(Notification::bad_message_length(length)),
        }
    }

    /// What a Hard Reset carries (RFC 8538 §3).
    pub fn hard_reset_reason(&self) -> Option<Notification> {
        match (self.code, self.subcode, &*self.data) {
            (code::CEASE, cease::HARD_RESET, [code, subcode, ..]) => {
                Some(Notification { code: *code, subcode: *subcode, data: self.data.slice(2..) })
            }
            _ => None,
        }
    }

    /// Whether BFD lost the path (RFC 9384), within a Hard Reset or not.
    pub fn is_bfd_down(&self) -> bool {
        let inner = self.hard_reset_reason();
        let reason = inner.as_ref().unwrap_or(self);
        (reason.code, reason.subcode) == (code::CEASE, cease::BFD_DOWN)
    }

    /// The shutdown communication (RFC 9003 §2): text that the neighbour's operator sent with an
    /// administrative shutdown or reset. Untrusted: print it escaped.
    pub fn communication(&self) -> Option<&str> {
        if self.code != code::CEASE || !matches!(self.subcode, cease::SHUTDOWN | cease::RESET) {
            return None;
        }
        let (length, text) = self.data.split_first()?;
        let text = text.get(..usize::from(*length))?;
        std::str::from_utf8(text).ok().filter(|text| !text.is_empty())
    }

    /// The name of code and subcode, without the data.
    fn name(&self) -> (&'static str, Option<&'static str>) {
        let subcode = self.subcode;
        match self.code {
            code::HEADER => (
                "Message Header Error",
                match subcode {
                    1 => Some("Connection Not Synchronized"),
                    2 => Some("Bad Message Length"),
                    3 => Some("Bad Message Type"),
                    _ => None,
                },
            ),
            code::OPEN => (
                "OPEN Message Error",
                match subcode {
                    1 => Some("Unsupported Version Number"),
                    2 => Some("Bad Peer AS"),
                    3 => Some("Bad BGP Identifier"),
                    4 => Some("Unsupported Optional Parameter"),
                    5 => Some("Authentication Failure"),
                    6 => Some("Unacceptable Hold Time"),
                    7 => Some("Unsupported Capability"),
                    11 => Some("Role Mismatch"),
                    _ => None,
                },
            ),
            code::UPDATE => (
                "UPDATE Message Error",
                match subcode {
                    1 => Some("Malformed Attribute List"),
                    2 => Some("Unrecognized Well-known Attribute"),
                    3 => Some("Missing Well-known Attribute"),
                    4 => Some("Attribute Flags Error"),
                    5 => Some("Attribute Length Error"),
                    6 => Some("Invalid ORIGIN Attribute"),
                    7 => Some("AS Routing Loop"),
                    8 => Some("Invalid NEXT_HOP Attribute"),
                    9 => Some("Optional Attribute Error"),
                    10 => Some("Invalid Network Field"),
                    11 => Some("Malformed AS_PATH"),
                    _ => None,
                },
            ),
            code::HOLD_TIMER => ("Hold Timer Expired", None),
            code::FSM => (
                "Finite State Machine Error",
                match subcode {
                    1 => Some("Unexpected Message in OpenSent"),
                    2 => Some("Unexpected Message in OpenConfirm"),
                    3 => Some("Unexpected Message in Established"),
                    _ => None,
                },
            ),
            code::CEASE => (
                "Cease",
                match subcode {
                    cease::MAX_PREFIXES => Some("Maximum Number of Prefixes Reached"),
                    cease::SHUTDOWN => Some("Administrative Shutdown"),
                    3 => Some("Peer De-configured"),
                    cease::RESET => Some("Administrative Reset"),
                    5 => Some("Connection Rejected"),
                    6 => Some("Other Configuration Change"),
                    7 => Some("Connection Collision Resolution"),
                    8 => Some("Out of Resources"),
                    cease::HARD_RESET => Some("Hard Reset"),
                    cease::BFD_DOWN => Some("BFD Down"),
                    _ => None,
                },
            ),
            code::ROUTE_REFRESH => (
                "ROUTE-REFRESH Message Error",
                match subcode {
                    1 => Some("Invalid Message Length"),
                    _ => None,
                },
            ),
            code::SEND_HOLD_TIMER => ("Send Hold Timer Expired", None),
            _ => ("Unknown Error", None),
        }
    }

    fn show_data(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.communication() {
            return write!(f, ": \"{}\"", text.escape_debug());
        }
        if let Some(reason) = self.hard_reset_reason() {
            // One level only: a Hard Reset within a Hard Reset must not recurse.
            return match reason.hard_reset_reason() {
                Some(_) => f.write_str(" (of a Hard Reset)"),
                None => write!(f, " ({reason})"),
            };
        }
        match (self.code, self.subcode, &*self.data) {
            (_, _, []) => Ok(()),
            (code::CEASE, cease::SHUTDOWN | cease::RESET, [0]) => Ok(()),
            (code::HEADER, 2, [a, b]) => write!(f, ": length {}", u16::from_be_bytes([*a, *b])),
            (code::HEADER, 3, [kind]) => write!(f, ": type {kind}"),
            (code::OPEN, 1, [a, b]) => {
                write!(f, ": version {} is supported", u16::from_be_bytes([*a, *b]))
            }
            (code::FSM, 1..=3, [kind]) => write!(f, ": message type {kind}"),
            (code::CEASE, cease::MAX_PREFIXES, [a, b, safi, c, d, e, g]) => {
                let afi = u16::from_be_bytes([*a, *b]);
                let limit = u32::from_be_bytes([*c, *d, *e, *g]);
                match Family::from_afi_safi(afi, *safi) {
                    Some(family) => write!(f, ": {family} limit {limit}"),
                    None => write!(f, ": {afi}/{safi} limit {limit}"),
                }
            }
            (_, _, data) => {
                const SHOWN: usize = 32;
                f.write_str(": 0x")?;
                data.iter().take(SHOWN).try_for_each(|octet| write!(f, "{octet:02x}"))?;
                if data.len() > SHOWN {
                    write!(f, "… ({} octets)", data.len())?;
                }
                Ok(())
            }
        }
    }
}

/// Length and text of a shutdown communication, cut between characters.
fn communication(text: &str) -> Vec<u8> {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let mut data = Vec::with_capacity(1 + text.len());
    data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    data.extend_from_slice(text.as_bytes());
    data
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            ("Unknown Error", _) => write!(f, "Unknown Error {}/{}", self.code, self.subcode)?,
            (code, Some(subcode)) => write!(f, "{code} / {subcode}")?,
            (code, None) if self.subcode == 0 => f.write_str(code)?,
            (code, None) => write!(f, "{code} / subcode {}", self.subcode)?,
        }
        self.show_data(f)
    }
}

impl std::error::Error for Notification {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_error_and_reads_its_data() {
        let shutdown = Notification::administrative_shutdown("maintenance until 04:00");
        let cases = [
            (shutdown.clone(), r#"Cease / Administrative Shutdown: "maintenance until 04:00""#),
            (
                Notification::hard_reset(&shutdown),
                r#"Cease / Hard Reset (Cease / Administrative Shutdown: "maintenance until 04:00")"#,
            ),
            (
                Notification::hard_reset(&Notification::hard_reset(&shutdown)),
                "Cease / Hard Reset (of a Hard Reset)",
            ),
            (Notification::administrative_reset(""), "Cease / Administrative Reset"),
            (
                Notification::administrative_reset("a\nb\u{1b}[0m"),
                r#"Cease / Administrative Reset: "a\nb\u{1b}[0m""#,
            ),
            (
                Notification::maximum_prefixes(Family::Ipv6, 1000),
                "Cease / Maximum Number of Prefixes Reached: ipv6 limit 1000",
            ),
            (
                Notification::bad_message_length(18),
                "Message Header Error / Bad Message Length: length 18",
            ),
            (Notification::hold_timer_expired(), "Hold Timer Expired"),
            (
                Notification::fsm_error(FsmState::OpenConfirm, 2),
                "Finite State Machine Error / Unexpected Message in OpenConfirm: message type 2",
            ),
            (Notification::bare(2, 99), "OPEN Message Error / subcode 99"),
            (Notification::new(77, 1, vec![0xab]), "Unknown Error 77/1: 0xab"),
        ];
        for (notification, text) in cases {
            assert_eq!(notification.to_string(), text);
        }
    }

    #[test]
    fn a_communication_is_cut_between_characters() {
        let sent = Notification::administrative_shutdown(&"ü".repeat(200));
        assert_eq!(sent.communication(), Some("ü".repeat(127).as_str()));
        assert_eq!(Notification::administrative_shutdown("").communication(), None);
    }

    #[test]
    fn a_communication_that_lies_about_its_length_is_not_text() {
        let notification = Notification::new(code::CEASE, cease::SHUTDOWN, vec![9, b'a']);
        assert_eq!(notification.communication(), None);
        assert_eq!(notification.to_string(), "Cease / Administrative Shutdown: 0x0961");
        let invalid = Notification::new(code::CEASE, cease::SHUTDOWN, vec![1, 0xff]);
        assert_eq!(invalid.communication(), None);
    }
}
