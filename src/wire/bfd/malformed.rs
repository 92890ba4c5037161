use std::fmt;

/// Why octets are no BFD control packet: the checks of RFC 5880 §6.8.6 that a packet alone is enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Version(u8),
    /// The length field, which counts less than must be there, or more than has come.
    Length(u8),
    ZeroMultiplier,
    Multipoint,
    ZeroMyDiscriminator,
    /// Only a session that is Down may not know ours yet.
    ZeroYourDiscriminator,
    AuthenticationType(u8),
    /// The authentication section's length field, which does not fit its type or the packet.
    AuthenticationLength(u8),
}

impl Malformed {
    /// A short word for counters; the words never change.
    pub fn name(&self) -> &'static str {
        match self {
            Malformed::Version(_) => "bad-version",
            Malformed::Length(_) => "bad-length",
            Malformed::ZeroMultiplier => "zero-multiplier",
            Malformed::Multipoint => "multipoint",
            Malformed::ZeroMyDiscriminator => "zero-my-discriminator",
            Malformed::ZeroYourDiscriminator => "zero-your-discriminator",
            Malformed::AuthenticationType(_) => "bad-authentication-type",
            Malformed::AuthenticationLength(_) => "bad-authentication-length",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Version(version) => write!(f, "version {version} instead of 1"),
            Malformed::Length(length) => write!(f, "length {length} does not fit"),
            Malformed::ZeroMultiplier => f.write_str("the detection multiplier is 0"),
            Malformed::Multipoint => f.write_str("the multipoint bit is set"),
            Malformed::ZeroMyDiscriminator => f.write_str("My Discriminator is 0"),
            Malformed::ZeroYourDiscriminator => {
                f.write_str("Your Discriminator is 0 in a session that is not down")
            }
            Malformed::AuthenticationType(kind) => {
                write!(f, "authentication type {kind} is not known")
            }
            Malformed::AuthenticationLength(length) => {
                write!(f, "authentication length {length} does not fit")
            }
        }
    }
}

impl std::error::Error for Malformed {}
