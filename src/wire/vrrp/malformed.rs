use std::fmt;

/// Why octets are no advertisement (RFC 9568 §7.1, RFC 3768 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Neither 3, nor 2 over IPv4.
    Version(u8),
    Type(u8),
    /// Fields, addresses, or version 2's authentication data are missing.
    Truncated,
    /// Of version 2: RFC 3768 §5.3.6 has done away with all but 0.
    AuthenticationType(u8),
    Checksum,
    NoAddresses,
    ZeroInterval,
}

impl Malformed {
    /// A short word for counters; the words never change.
    pub fn name(&self) -> &'static str {
        match self {
            Malformed::Version(_) => "bad-version",
            Malformed::Type(_) => "bad-packet-type",
            Malformed::Truncated => "truncated",
            Malformed::AuthenticationType(_) => "bad-authentication-type",
            Malformed::Checksum => "bad-checksum",
            Malformed::NoAddresses => "no-addresses",
            Malformed::ZeroInterval => "zero-interval",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Version(version) => write!(f, "version {version} is not known here"),
            Malformed::Type(kind) => write!(f, "packet type {kind} does not exist"),
            Malformed::Truncated => f.write_str("ends too early"),
            Malformed::AuthenticationType(kind) => {
                write!(f, "authentication type {kind} instead of 0")
            }
            Malformed::Checksum => f.write_str("wrong checksum"),
            Malformed::NoAddresses => f.write_str("names no address"),
            Malformed::ZeroInterval => f.write_str("the advertisement interval is 0"),
        }
    }
}

impl std::error::Error for Malformed {}
