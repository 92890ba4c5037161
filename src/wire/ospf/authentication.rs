use std::hint::black_box;
use std::net::Ipv4Addr;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use smallvec::SmallVec;

/// What makes the digest of a packet (RFC 2328 §D.4.3, RFC 5709 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    KeyedMd5,
    HmacSha1,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// AuType and the 64 bits of authentication in a packet's header (RFC 2328 §D, RFC 7474 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationField {
    Null,
    /// The password in clear, filled up with zeros.
    Simple([u8; 8]),
    Cryptographic {
        key_id: u8,
        /// Octets behind the packet.
        digest_length: u8,
        sequence: u32,
    },
    /// AuType 3. The sequence number stands behind the packet, before the digest.
    Extended {
        key_id: u32,
        digest_length: u8,
        sequence: u64,
    },
}

/// How a packet that goes out is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature<'a> {
    Null,
    /// Filled up with zeros.
    Simple([u8; 8]),
    Cryptographic {
        key_id: u8,
        algorithm: Algorithm,
        key: &'a [u8],
        sequence: u32,
    },
    Extended {
        key_id: u32,
        algorithm: Algorithm,
        key: &'a [u8],
        sequence: u64,
    },
}

/// A digest has at most 64 octets.
pub(super) type Octets = SmallVec<[u8; 64]>;

const APAD: [u8; 4] = 0x878f_e1f3_u32.to_be_bytes();
/// OSPFv2 in IANA's "Cryptographic Protocol ID" registry (RFC 7474 §6).
const PROTOCOL_ID: [u8; 2] = [0, 3];

impl Algorithm {
    /// Octets.
    pub fn digest_length(self) -> u8 {
        match self {
            Algorithm::KeyedMd5 => 16,
            Algorithm::HmacSha1 => 20,
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha384 => 48,
            Algorithm::HmacSha512 => 64,
        }
    }

    /// The digest that follows `packet` with AuType 2.
    pub(super) fn digest(self, packet: &[u8], key: &[u8]) -> Octets {
        self.sum(packet, key, APAD)
    }

    /// The digest that follows `packet` and its sequence number with AuType 3: it covers the source address, and
    /// the key is only good for this protocol (RFC 7474 §5, §6).
    pub(super) fn extended_digest(self, packet: &[u8], key: &[u8], source: Ipv4Addr) -> Octets {
        let key: SmallVec<[u8; 82]> = key.iter().copied().chain(PROTOCOL_ID).collect();
        self.sum(packet, &key, source.octets())
    }

    /// `pad` begins the padding that stands for the digest while it is made; keyed MD5 has none.
    fn sum(self, packet: &[u8], key: &[u8], pad: [u8; 4]) -> Octets {
        match self {
            Algorithm::KeyedMd5 => keyed_md5(packet, key),
            Algorithm::HmacSha1 => self.hmac::<Hmac<Sha1>, Sha1>(packet, key, pad),
            Algorithm::HmacSha256 => self.hmac::<Hmac<Sha256>, Sha256>(packet, key, pad),
            Algorithm::HmacSha384 => self.hmac::<Hmac<Sha384>, Sha384>(packet, key, pad),
            Algorithm::HmacSha512 => self.hmac::<Hmac<Sha512>, Sha512>(packet, key, pad),
        }
    }

    /// RFC 5709 §3.3. A key longer than the digest is hashed first; BIRD 2 does that only with keys longer than the
    /// hash's block, so keys shared with it should not be longer than the digest.
    fn hmac<M: Mac + KeyInit, H: Digest>(self, packet: &[u8], key: &[u8], pad: [u8; 4]) -> Octets {
        let length = usize::from(self.digest_length());
        let key: Octets =
            if key.len() > length { H::digest(key).as_slice().into() } else { key.into() };
        // HMAC takes keys of any length.
        let Ok(mut mac) = M::new_from_slice(&key) else { return Octets::new() };
        mac.update(packet);
        mac.update(&pad);
        for _ in 1..length / 4 {
            mac.update(&APAD);
        }
        mac.finalize().into_bytes().as_slice().into()
    }
}

/// RFC 2328 §D.4.3: the key, cut or filled up with zeros to 16 octets, is hashed behind the packet.
fn keyed_md5(packet: &[u8], key: &[u8]) -> Octets {
    let mut padded = [0; 16];
    padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut md5 = Md5::new();
    md5.update(packet);
    md5.update(padded);
    md5.finalize().as_slice().into()
}

/// Compares in a time that does not depend on where the octets differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
    a.len() == b.len() && differences == 0
}
