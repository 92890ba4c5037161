use md5::{Digest, Md5};
use nom::number::complete::{be_u32, u8};
use nom::{IResult, Parser};
use sha1::Sha1;
use smallvec::SmallVec;

use super::Malformed;
use super::packet::HEADER_LENGTH;
use crate::wire::comparison::same;

/// RFC 5880 §6.7. The meticulous ones differ from the others only in when the sequence number grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Simple,
    KeyedMd5,
    MeticulousMd5,
    KeyedSha1,
    MeticulousSha1,
}

/// What can be shown of an authentication section (RFC 5880 §4.2 to §4.4): all but the password or digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticationSection {
    pub algorithm: Algorithm,
    pub key_id: u8,
    /// Zero with a password, which has none.
    pub sequence: u32,
}

/// Octets before password or digest: type, length, key id; then a reserved octet and the sequence number.
const SIMPLE_LENGTH: usize = 3;
const SIGNED_LENGTH: usize = 8;
/// Octets of a password at most.
const MAX_PASSWORD: usize = 16;
/// Where the digest begins in a packet.
const DIGEST: usize = HEADER_LENGTH + SIGNED_LENGTH;

impl Algorithm {
    /// Whether the sequence number grows with every packet (RFC 5880 §6.7.3, §6.7.4).
    pub fn is_meticulous(self) -> bool {
        matches!(self, Algorithm::MeticulousMd5 | Algorithm::MeticulousSha1)
    }

    /// IANA "BFD Authentication Types".
    fn code(self) -> u8 {
        match self {
            Algorithm::Simple => 1,
            Algorithm::KeyedMd5 => 2,
            Algorithm::MeticulousMd5 => 3,
            Algorithm::KeyedSha1 => 4,
            Algorithm::MeticulousSha1 => 5,
        }
    }

    fn from_code(code: u8) -> Option<Algorithm> {
        Some(match code {
            1 => Algorithm::Simple,
            2 => Algorithm::KeyedMd5,
            3 => Algorithm::MeticulousMd5,
            4 => Algorithm::KeyedSha1,
            5 => Algorithm::MeticulousSha1,
            _ => return None,
        })
    }

    /// Octets of the digest; none for a password.
    fn digest_length(self) -> usize {
        match self {
            Algorithm::Simple => 0,
            Algorithm::KeyedMd5 | Algorithm::MeticulousMd5 => 16,
            Algorithm::KeyedSha1 | Algorithm::MeticulousSha1 => 20,
        }
    }

    /// The key stands in the digest's place while the digest is made, filled up with zeros (RFC 5880 §6.7.3,
    /// §6.7.4).
    fn digest(self, before: &[u8], secret: &[u8], behind: &[u8]) -> SmallVec<[u8; 20]> {
        let mut key = [0; 20];
        key.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        let key = &key[..self.digest_length()];
        match self {
            Algorithm::Simple => SmallVec::new(),
            Algorithm::KeyedMd5 | Algorithm::MeticulousMd5 => Md5::new()
                .chain_update(before)
                .chain_update(key)
                .chain_update(behind)
                .finalize()[..]
                .into(),
            Algorithm::KeyedSha1 | Algorithm::MeticulousSha1 => Sha1::new()
                .chain_update(before)
                .chain_update(key)
                .chain_update(behind)
                .finalize()[..]
                .into(),
        }
    }
}

fn sequence(input: &[u8]) -> IResult<&[u8], u32> {
    (u8, be_u32).map(|(_reserved, sequence)| sequence).parse(input)
}

impl AuthenticationSection {
    /// Reads what is behind the header of a packet, as far as the packet's length field counts it.
    pub(super) fn parse(input: &[u8]) -> Result<AuthenticationSection, Malformed> {
        let mut head = (u8::<_, nom::error::Error<&[u8]>>, u8, u8);
        // The caller has seen to it that there are two octets.
        let too_short = || Malformed::AuthenticationLength(input.get(1).copied().unwrap_or(0));
        let (rest, (kind, length, key_id)) = head.parse(input).map_err(|_| too_short())?;
        let algorithm = Algorithm::from_code(kind).ok_or(Malformed::AuthenticationType(kind))?;
        let octets = usize::from(length);
        let fits = match algorithm {
            Algorithm::Simple => (1..=MAX_PASSWORD).contains(&octets.saturating_sub(SIMPLE_LENGTH)),
            _ => octets == SIGNED_LENGTH + algorithm.digest_length(),
        };
        if !fits || octets > input.len() {
            return Err(Malformed::AuthenticationLength(length));
        }
        let sequence = match algorithm {
            Algorithm::Simple => 0,
            _ => sequence(rest).map_err(|_| too_short())?.1,
        };
        Ok(AuthenticationSection { algorithm, key_id, sequence })
    }

    /// Octets of the section.
    pub(super) fn length(&self, secret: &[u8]) -> usize {
        match self.algorithm {
            Algorithm::Simple => SIMPLE_LENGTH + secret.len().min(MAX_PASSWORD),
            _ => SIGNED_LENGTH + self.algorithm.digest_length(),
        }
    }

    /// Appends the section to a whole header.
    pub(super) fn write(&self, secret: &[u8], out: &mut SmallVec<[u8; 64]>) {
        let length = u8::try_from(self.length(secret)).unwrap_or(u8::MAX);
        out.extend_from_slice(&[self.algorithm.code(), length, self.key_id]);
        if self.algorithm == Algorithm::Simple {
            out.extend_from_slice(&secret[..secret.len().min(MAX_PASSWORD)]);
            return;
        }
        out.push(0);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        let digest = self.algorithm.digest(out, secret, &[]);
        out.extend_from_slice(&digest);
    }

    /// Whether the packet, from its first octet to the last that its length field counts, carries the password or the
    /// digest that the secret makes.
    pub(super) fn verify(&self, packet: &[u8], secret: &[u8]) -> bool {
        if self.algorithm == Algorithm::Simple {
            let length = packet.get(HEADER_LENGTH + 1).copied().unwrap_or(0);
            let password = packet
                .get(HEADER_LENGTH + SIMPLE_LENGTH..HEADER_LENGTH + usize::from(length))
                .unwrap_or_default();
            return same(password, &secret[..secret.len().min(MAX_PASSWORD)]);
        }
        let Some((before, rest)) = packet.split_at_checked(DIGEST) else { return false };
        let Some((digest, behind)) = rest.split_at_checked(self.algorithm.digest_length()) else {
            return false;
        };
        same(digest, &self.algorithm.digest(before, secret, behind))
    }
}
