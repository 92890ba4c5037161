use std::fmt;

/// Why octets are no OSPF packet or no advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    fault: Fault,
    /// What was being read: "Hello", "router-LSA".
    part: &'static str,
    /// Octets from the beginning of the packet, or of the LSA if that came alone.
    offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Version(u8),
    Type(u8),
    AuthenticationType(u16),
    Truncated,
    Length(usize),
    Checksum,
    LsaType(u32),
    LsaLength(usize),
    LsaChecksum,
    SignallingLength(usize),
    SignallingChecksum,
}

impl Malformed {
    pub(super) fn new(fault: Fault, part: &'static str, offset: usize) -> Malformed {
        Malformed { fault, part, offset }
    }

    /// The same as seen from `base` octets further to the front.
    pub(super) fn behind(self, base: usize) -> Malformed {
        Malformed { offset: self.offset + base, ..self }
    }

    /// A short word for counters; the words never change.
    pub fn name(&self) -> &'static str {
        match self.fault {
            Fault::Version(_) => "bad-version",
            Fault::Type(_) => "bad-packet-type",
            Fault::AuthenticationType(_) => "bad-authentication-type",
            Fault::Truncated => "truncated",
            Fault::Length(_) => "bad-packet-length",
            Fault::Checksum => "bad-checksum",
            Fault::LsaType(_) => "bad-lsa-type",
            Fault::LsaLength(_) => "bad-lsa-length",
            Fault::LsaChecksum => "bad-lsa-checksum",
            Fault::SignallingLength(_) => "bad-lls-length",
            Fault::SignallingChecksum => "bad-lls-checksum",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Version(version) => write!(f, "version {version} instead of 2")?,
            Fault::Type(kind) => write!(f, "packet type {kind} does not exist")?,
            Fault::AuthenticationType(kind) => {
                write!(f, "authentication type {kind} is not known")?;
            }
            Fault::Truncated => f.write_str("ends too early")?,
            Fault::Length(length) => write!(f, "length {length} does not fit")?,
            Fault::Checksum => f.write_str("wrong checksum")?,
            Fault::LsaType(kind) => write!(f, "LSA type {kind} is not known")?,
            Fault::LsaLength(length) => write!(f, "LSA length {length} does not fit")?,
            Fault::LsaChecksum => f.write_str("wrong LSA checksum")?,
            Fault::SignallingLength(length) => write!(f, "length {length} does not fit")?,
            Fault::SignallingChecksum => f.write_str("wrong checksum")?,
        }
        write!(f, " (in {} at octet {})", self.part, self.offset)
    }
}

impl std::error::Error for Malformed {}
