use std::fmt;
use std::time::Duration;

use nom::number::complete::{be_u32, u8};
use nom::{IResult, Parser};
use smallvec::SmallVec;

use super::{AuthenticationSection, Malformed};

/// RFC 5880 §4.1. Intervals have whole microseconds, and at most 2³² − 1 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub diagnostic: Diagnostic,
    pub state: State,
    /// P: answer with Final at once.
    pub poll: bool,
    /// F: the answer to a Poll.
    pub final_bit: bool,
    /// C: BFD lives on when the control plane dies.
    pub control_plane_independent: bool,
    /// D: we know otherwise that the path is there; send only when something changes.
    pub demand: bool,
    pub multiplier: u8,
    pub my_discriminator: u32,
    pub your_discriminator: u32,
    pub desired_min_tx: Duration,
    pub required_min_rx: Duration,
    /// Zero: no echo is wanted.
    pub required_min_echo_rx: Duration,
    pub authentication: Option<AuthenticationSection>,
}

/// RFC 5880 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    AdminDown,
    Down,
    Init,
    Up,
}

/// Why the last session went down (RFC 5880 §4.1). Numbers without a meaning yet are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    pub const NONE: Diagnostic = Diagnostic(0);
    pub const DETECTION_TIME_EXPIRED: Diagnostic = Diagnostic(1);
    pub const ECHO_FAILED: Diagnostic = Diagnostic(2);
    pub const NEIGHBOR_SIGNALED_DOWN: Diagnostic = Diagnostic(3);
    pub const FORWARDING_PLANE_RESET: Diagnostic = Diagnostic(4);
    pub const PATH_DOWN: Diagnostic = Diagnostic(5);
    pub const CONCATENATED_PATH_DOWN: Diagnostic = Diagnostic(6);
    pub const ADMINISTRATIVELY_DOWN: Diagnostic = Diagnostic(7);
    pub const REVERSE_CONCATENATED_PATH_DOWN: Diagnostic = Diagnostic(8);
}

/// Octets before the authentication section.
pub(super) const HEADER_LENGTH: usize = 24;
/// Octets with the smallest beginning of an authentication section.
const MIN_AUTHENTICATED: usize = 26;

/// Bits of the second octet, below the state.
mod flag {
    pub const POLL: u8 = 0x20;
    pub const FINAL: u8 = 0x10;
    pub const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
    pub const AUTHENTICATION: u8 = 0x04;
    pub const DEMAND: u8 = 0x02;
    pub const MULTIPOINT: u8 = 0x01;
}

struct Header {
    diagnostic: u8,
    flags: u8,
    multiplier: u8,
    length: u8,
    numbers: [u32; 5],
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (u8, u8, u8, u8, be_u32, be_u32, be_u32, be_u32, be_u32)
        .map(|(first, flags, multiplier, length, my, your, tx, rx, echo)| Header {
            diagnostic: first & 0x1f,
            flags,
            multiplier,
            length,
            numbers: [my, your, tx, rx, echo],
        })
        .parse(input)
}

impl Packet {
    /// Reads a UDP payload, in the order of checks of RFC 5880 §6.8.6. What follows the octets that the length field
    /// counts is ignored.
    pub fn parse(payload: &[u8]) -> Result<Packet, Malformed> {
        if let Some(version) = payload.first().map(|first| first >> 5).filter(|v| *v != 1) {
            return Err(Malformed::Version(version));
        }
        let short = || Malformed::Length(payload.get(3).copied().unwrap_or(0));
        let (_, header) = header(payload).map_err(|_| short())?;
        let Header { flags, numbers: [my_discriminator, your_discriminator, tx, rx, echo], .. } =
            header;
        let set = |bit| flags & bit != 0;
        let authenticated = set(flag::AUTHENTICATION);
        let length = usize::from(header.length);
        let least = if authenticated { MIN_AUTHENTICATED } else { HEADER_LENGTH };
        let packet = payload.get(..length).filter(|_| length >= least).ok_or_else(short)?;
        if header.multiplier == 0 {
            return Err(Malformed::ZeroMultiplier);
        }
        if set(flag::MULTIPOINT) {
            return Err(Malformed::Multipoint);
        }
        if my_discriminator == 0 {
            return Err(Malformed::ZeroMyDiscriminator);
        }
        let state = State::from_code(flags >> 6);
        if your_discriminator == 0 && state > State::Down {
            return Err(Malformed::ZeroYourDiscriminator);
        }
        let authentication = match authenticated {
            true => Some(AuthenticationSection::parse(&packet[HEADER_LENGTH..])?),
            false => None,
        };
        let interval = |micros: u32| Duration::from_micros(micros.into());
        Ok(Packet {
            diagnostic: Diagnostic(header.diagnostic),
            state,
            poll: set(flag::POLL),
            final_bit: set(flag::FINAL),
            control_plane_independent: set(flag::CONTROL_PLANE_INDEPENDENT),
            demand: set(flag::DEMAND),
            multiplier: header.multiplier,
            my_discriminator,
            your_discriminator,
            desired_min_tx: interval(tx),
            required_min_rx: interval(rx),
            required_min_echo_rx: interval(echo),
            authentication,
        })
    }

    /// Appends the packet to `out`, which is empty. `secret` is the password or key of the authentication section; a
    /// packet without one needs none.
    pub fn emit(&self, secret: &[u8], out: &mut SmallVec<[u8; 64]>) {
        let section = self.authentication.map_or(0, |section| section.length(secret));
        let flags = [
            (self.poll, flag::POLL),
            (self.final_bit, flag::FINAL),
            (self.control_plane_independent, flag::CONTROL_PLANE_INDEPENDENT),
            (self.authentication.is_some(), flag::AUTHENTICATION),
            (self.demand, flag::DEMAND),
        ];
        let flags: u8 = flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum();
        out.extend_from_slice(&[
            1 << 5 | self.diagnostic.0 & 0x1f,
            self.state.code() << 6 | flags,
            self.multiplier,
            u8::try_from(HEADER_LENGTH + section).unwrap_or(u8::MAX),
        ]);
        let micros = |interval: Duration| u32::try_from(interval.as_micros()).unwrap_or(u32::MAX);
        let numbers = [
            self.my_discriminator,
            self.your_discriminator,
            micros(self.desired_min_tx),
            micros(self.required_min_rx),
            micros(self.required_min_echo_rx),
        ];
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
        if let Some(section) = &self.authentication {
            section.write(secret, out);
        }
    }

    /// Whether the octets that this packet was read from carry the password or digest that the secret makes (RFC 5880
    /// §6.7). The key id, the algorithm and the sequence number are the caller's to check. False without an
    /// authentication section.
    pub fn verify(&self, payload: &[u8], secret: &[u8]) -> bool {
        let length = payload.get(3).copied().unwrap_or(0);
        let packet = payload.get(..usize::from(length)).unwrap_or_default();
        self.authentication.is_some_and(|section| section.verify(packet, secret))
    }
}

impl State {
    fn code(self) -> u8 {
        match self {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        }
    }

    /// Of the lowest two bits.
    fn from_code(code: u8) -> State {
        match code & 3 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::AdminDown => "admin-down",
            State::Down => "down",
            State::Init => "init",
            State::Up => "up",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "no diagnostic",
            1 => "detection time expired",
            2 => "echo failed",
            3 => "neighbor signaled session down",
            4 => "forwarding plane reset",
            5 => "path down",
            6 => "concatenated path down",
            7 => "administratively down",
            8 => "reverse concatenated path down",
            number => return write!(f, "diagnostic {number}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Algorithm;
    use super::*;

    const UP: [u8; 24] =
        [0x20, 0xc0, 3, 24, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0xc3, 0x50, 0, 1, 0x86, 0xa0, 0, 0, 0, 0];

    fn packet() -> Packet {
        Packet {
            diagnostic: Diagnostic::NONE,
            state: State::Up,
            poll: false,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            multiplier: 3,
            my_discriminator: 7,
            your_discriminator: 9,
            desired_min_tx: Duration::from_millis(50),
            required_min_rx: Duration::from_millis(100),
            required_min_echo_rx: Duration::ZERO,
            authentication: None,
        }
    }

    fn emitted(packet: &Packet, secret: &[u8]) -> SmallVec<[u8; 64]> {
        let mut out = SmallVec::new();
        packet.emit(secret, &mut out);
        out
    }

    #[test]
    fn a_packet_is_as_the_rfc_draws_it() {
        assert_eq!(Packet::parse(&UP), Ok(packet()));
        assert_eq!(emitted(&packet(), b"")[..], UP);
        let longer = [&UP[..], &[1, 2, 3]].concat();
        assert_eq!(Packet::parse(&longer), Ok(packet()));
    }

    #[test]
    fn each_bit_has_its_place() {
        let flags = |second: u8| {
            let mut octets = UP;
            octets[1] = second;
            let packet = Packet::parse(&octets).unwrap();
            assert_eq!(emitted(&packet, b"")[..], octets);
            packet
        };
        assert!(flags(0xe0).poll && flags(0xd0).final_bit && flags(0xc2).demand);
        assert!(flags(0xc8).control_plane_independent);
        let states = [0x00, 0x40, 0x80, 0xc0].map(|second| flags(second).state);
        assert_eq!(states, [State::AdminDown, State::Down, State::Init, State::Up]);
        let mut down = UP;
        (down[0], down[1], down[11]) = (0x23, 0x40, 0);
        let packet = Packet::parse(&down).unwrap();
        assert_eq!(packet.diagnostic, Diagnostic::NEIGHBOR_SIGNALED_DOWN);
    }

    #[test]
    fn each_check_has_its_word() {
        let word = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut octets = UP.to_vec();
            change(&mut octets);
            Packet::parse(&octets).map_err(|malformed| malformed.name())
        };
        assert_eq!(word(&|o| o[0] = 0), Err("bad-version"));
        assert_eq!(word(&|o| o.clear()), Err("bad-length"));
        assert_eq!(word(&|o| o.truncate(23)), Err("bad-length"));
        assert_eq!(word(&|o| o[3] = 23), Err("bad-length"));
        assert_eq!(word(&|o| o[3] = 25), Err("bad-length"));
        assert_eq!(word(&|o| o[1] |= 4), Err("bad-length"));
        assert_eq!(word(&|o| o[2] = 0), Err("zero-multiplier"));
        assert_eq!(word(&|o| o[1] |= 1), Err("multipoint"));
        assert_eq!(word(&|o| o[7] = 0), Err("zero-my-discriminator"));
        assert_eq!(word(&|o| o[11] = 0), Err("zero-your-discriminator"));
        assert_eq!(word(&|o| (o[1], o[11]) = (0x80, 0)), Err("zero-your-discriminator"));
        assert!(word(&|o| (o[1], o[11]) = (0x40, 0)).is_ok());
        assert!(word(&|o| (o[1], o[11]) = (0x00, 0)).is_ok());
    }

    #[test]
    fn an_authentication_section_has_the_length_of_its_type() {
        let word = |section: &[u8], count: usize| {
            let mut octets = [&UP[..], section].concat();
            octets[1] |= 4;
            octets[3] = (24 + count) as u8;
            Packet::parse(&octets)
                .map(|packet| packet.authentication.map(|section| section.algorithm))
                .map_err(|malformed| malformed.name())
        };
        assert_eq!(word(&[1, 4, 9, b'k'], 4), Ok(Some(Algorithm::Simple)));
        assert_eq!(word(&[1, 3, 9], 3), Err("bad-authentication-length"));
        assert_eq!(word(&[1, 4], 2), Err("bad-authentication-length"));
        assert_eq!(word(&[1, 4, 9, b'k'], 3), Err("bad-authentication-length"));
        assert_eq!(word(&[1; 40], 40), Err("bad-authentication-length"));
        assert_eq!(word(&[6, 4, 9, b'k'], 4), Err("bad-authentication-type"));
        assert_eq!(word(&[0, 4, 9, b'k'], 4), Err("bad-authentication-type"));
        let signed = |kind, length: u8| word(&[&[kind, length][..], &[0; 40]].concat(), 42);
        assert_eq!(signed(2, 24), Ok(Some(Algorithm::KeyedMd5)));
        assert_eq!(signed(3, 24), Ok(Some(Algorithm::MeticulousMd5)));
        assert_eq!(signed(4, 28), Ok(Some(Algorithm::KeyedSha1)));
        assert_eq!(signed(5, 28), Ok(Some(Algorithm::MeticulousSha1)));
        assert_eq!(signed(2, 28), Err("bad-authentication-length"));
        assert_eq!(signed(5, 24), Err("bad-authentication-length"));
    }

    #[test]
    fn a_digest_is_made_by_one_secret_only() {
        for (algorithm, length) in [
            (Algorithm::Simple, 33),
            (Algorithm::KeyedMd5, 48),
            (Algorithm::MeticulousMd5, 48),
            (Algorithm::KeyedSha1, 52),
            (Algorithm::MeticulousSha1, 52),
        ] {
            let sequence = if algorithm == Algorithm::Simple { 0 } else { 0x0102_0304 };
            let section = AuthenticationSection { algorithm, key_id: 5, sequence };
            let packet = Packet { authentication: Some(section), ..packet() };
            let mut octets = emitted(&packet, b"secret");
            assert_eq!(octets.len(), length);
            assert_eq!(Packet::parse(&octets), Ok(packet));
            assert!(packet.verify(&octets, b"secret"));
            assert!(!packet.verify(&octets, b"secreT") && !packet.verify(&octets, b"secret1"));
            octets[26 + 1] ^= u8::from(algorithm == Algorithm::Simple);
            octets[9] ^= 1;
            assert!(!packet.verify(&octets, b"secret"), "{algorithm:?}");
        }
        assert!(!packet().verify(&UP, b""));
    }
}
