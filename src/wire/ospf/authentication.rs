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

/// AuType and the 64 bits of authentication in a packet's header (RFC 2328 §D, RFC 7474 §3).
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

/// How a packet that goes out is authenticated. Nothing prints it, as it holds the key.
#[derive(Clone, Copy)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// A short key, a key one octet longer than the digest, and AuType 3 from 192.0.2.1 with the short key, of the octets 0 to
    /// 47. Computed with Python's hmac after RFC 5709 §3.3 and RFC 7474 §5 and §6.
    const VECTORS: [(Algorithm, &str, &str, &str); 4] = [
        (
            Algorithm::HmacSha1,
            "d36ab8ad8d70e5b6f039fee8978fdf2be9c1c322",
            "48fb9bc60166242f16815c6d8b79c9970759f944",
            "7e509ff863255a81b00a63275d6468ff71312b25",
        ),
        (
            Algorithm::HmacSha256,
            "d51a6463b4691a96662945329dea572ebd17c7245daa87321a8299cfcb28db66",
            "520170daf40f5e919ccf4af6a3715ec85f15c01cfe31bf9a86010ee305d3c500",
            "d15e0ed7fefaa6bed5767b6cc9ed6b8fecd23595fde8bb0b4d9861ba3962f419",
        ),
        (
            Algorithm::HmacSha384,
            "3868201e580a618743add82418584a7948b1342d07201bbe1e2ad809dc3bfbfa\
             a60e2a94f6ef259a07138a842a4487d6",
            "46a78f0db9d1c638508afe242bbefc4b2dc9a0b77131f911cb543eb09a7a061c\
             6b470e7a18e4860f1f83c6912b6cc6f5",
            "c5fc8432618b09a5c0f399ffdc002345fc63a4cea0859428caf1abeb6270368e\
             03228e7318ff4260bfb1e59224cb0b8b",
        ),
        (
            Algorithm::HmacSha512,
            "e7aa2a490aa9f24f0110e5caab054fdd735ffbb1bea456608cb354422a9cd287\
             0cda3000e9ecc578db254466e24763d5e7fbeb35b869d8125c0fe078be9136c9",
            "09eda004da24f63959f3ca0efca564620efe45f73737d5afdab8008c4ba32be7\
             78d45e6c4a12169f907af7f93058db3a856c1a58520ea363f753fe6658da174d",
            "1303af62a3c2dc2932d2152029dbb208a227f7f7c3f1493a94b2c796c0c6f0d8\
             82bbc709987360aae3224082a03205c08e33b14609e734f3fa138be90d372c58",
        ),
    ];

    #[test]
    fn digests_are_those_of_another_implementation() {
        let packet: Vec<u8> = (0..48).collect();
        let long: Vec<u8> = (0x30..0x30 + 70).collect();
        let source = Ipv4Addr::new(192, 0, 2, 1);
        for (algorithm, short_key, long_key, extended) in VECTORS {
            assert_eq!(hex(&algorithm.digest(&packet, b"shared key")), short_key);
            let long = &long[..=usize::from(algorithm.digest_length())];
            assert_eq!(hex(&algorithm.digest(&packet, long)), long_key);
            let digest = algorithm.extended_digest(&packet, b"shared key", source);
            assert_eq!(hex(&digest), extended);
            assert_eq!(digest.len(), usize::from(algorithm.digest_length()));
        }
        let md5 = |key| hex(&Algorithm::KeyedMd5.digest(&packet, key));
        assert_eq!(md5(b"shared key"), "30c9dc4f03f92750dfc249b0a01db844");
        assert_eq!(md5(&long), "b2d3f56bc197fd985d5965079b5e7148");
    }
}
