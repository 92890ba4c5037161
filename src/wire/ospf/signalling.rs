//! The data block for link-local signalling behind a Hello or a Database Description (RFC 5613).

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::authentication::{AuthenticationField, Octets};
use super::malformed::{Fault, Malformed};
use super::{Algorithm, Signature, tlv};
use crate::wire::checksum;
use crate::wire::comparison::same;

/// The bits of the Extended Options and Flags TLV (RFC 5613 §2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedOptions(pub u32);

/// A block that came behind a packet. What of it we do not know is read over.
#[derive(Clone, Copy, Debug)]
pub struct LinkLocalSignalling<'a> {
    /// Those of the packet's sender; none if the block has none.
    pub extended_options: ExtendedOptions,
    /// That of the packet, if that has a digest.
    authentication: AuthenticationField,
    /// The Cryptographic Authentication TLV.
    signed: Option<Signed<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Signed<'a> {
    sequence: u32,
    /// The block as far as the digest covers it.
    octets: &'a [u8],
    digest: &'a [u8],
}

/// LLS TLV types (IANA "OSPF Link Local Signaling (LLS) Type/Length/Value Identifiers").
mod kind {
    pub const EXTENDED_OPTIONS: u16 = 1;
    pub const AUTHENTICATION: u16 = 2;
}

/// Octets of the block's header: checksum and length.
const HEADER_LENGTH: usize = 4;
/// Octets of a Cryptographic Authentication TLV before its digest: type, length, sequence number.
const SIGNED_LENGTH: usize = 8;

impl ExtendedOptions {
    /// B: BFD must be up before an adjacency forms, if both say so (RFC 9355 §3).
    pub const STRICT_BFD: ExtendedOptions = ExtendedOptions(0x0000_0010);

    pub fn contains(self, other: ExtendedOptions) -> bool {
        self.0 & other.0 == other.0
    }

    /// Appends a block with these bits to a packet, which [`emit`](super::emit) has made with the same signature. The
    /// packet's options must have [`LINK_LOCAL_SIGNALLING`](super::Options::LINK_LOCAL_SIGNALLING).
    pub fn emit(self, signature: &Signature<'_>, source: Ipv4Addr, packet: &mut BytesMut) {
        let sign: Option<(Algorithm, &[u8], u32, bool)> = match *signature {
            Signature::Null | Signature::Simple(_) => None,
            Signature::Cryptographic { algorithm, key, sequence, .. } => {
                Some((algorithm, key, sequence, false))
            }
            Signature::Extended { algorithm, key, sequence, .. } => {
                Some((algorithm, key, low(sequence), true))
            }
        };
        let digest_length = sign.map(|(algorithm, ..)| usize::from(algorithm.digest_length()));
        let signed_length = digest_length.map_or(0, |digest| SIGNED_LENGTH + digest);
        let words = (HEADER_LENGTH + 8 + signed_length) / 4;

        let mut block = BytesMut::with_capacity(4 * words);
        block.put_u16(0);
        block.put_u16(u16::try_from(words).unwrap_or(u16::MAX));
        tlv::write(&mut block, kind::EXTENDED_OPTIONS, &self.0.to_be_bytes());
        match sign {
            // The digest stands in for the checksum.
            Some((algorithm, key, sequence, extended)) => {
                block.put_u16(kind::AUTHENTICATION);
                block.put_u16(4 + u16::from(algorithm.digest_length()));
                block.put_u32(sequence);
                let digest = digest(algorithm, &block, key, extended.then_some(source));
                block.put_slice(&digest);
            }
            None => {
                let sum = checksum::sum(&[&block]);
                block[..2].copy_from_slice(&sum.to_be_bytes());
            }
        }
        packet.put_slice(&block);
    }
}

impl<'a> LinkLocalSignalling<'a> {
    /// Reads the octets behind a packet and its digest. The checksum is verified where the packet has no digest.
    pub(super) fn read(
        octets: &'a [u8],
        authentication: AuthenticationField,
    ) -> Result<LinkLocalSignalling<'a>, Malformed> {
        const PART: &str = "link-local signalling";
        let bad_length = |length| Malformed::new(Fault::SignallingLength(length), PART, 0);
        let Some(&[_, _, high, low]) = octets.first_chunk() else {
            return Err(bad_length(octets.len()));
        };
        let length = 4 * usize::from(u16::from_be_bytes([high, low]));
        let block = octets.get(..length).filter(|block| block.len() >= HEADER_LENGTH);
        let block = block.ok_or_else(|| bad_length(length))?;
        let summed =
            matches!(authentication, AuthenticationField::Null | AuthenticationField::Simple(_));
        if summed && checksum::sum(&[block]) != 0 {
            return Err(Malformed::new(Fault::SignallingChecksum, PART, 0));
        }

        let (mut extended_options, mut signed) = (None, None);
        let mut rest = &block[HEADER_LENGTH..];
        while !rest.is_empty() {
            let before = block.len() - rest.len();
            let ((kind, value), behind) = tlv::read(rest).ok_or_else(|| bad_length(length))?;
            match (kind, value.split_first_chunk()) {
                (kind::EXTENDED_OPTIONS, Some((bits, []))) if extended_options.is_none() => {
                    extended_options = Some(ExtendedOptions(u32::from_be_bytes(*bits)));
                }
                // The first one counts (RFC 5613 §2.5), and nothing behind it, as no digest covers that.
                (kind::AUTHENTICATION, Some((sequence, digest))) if !summed => {
                    let sequence = u32::from_be_bytes(*sequence);
                    let octets = block.get(..before + SIGNED_LENGTH).unwrap_or_default();
                    signed = Some(Signed { sequence, octets, digest });
                    break;
                }
                _ => {}
            }
            rest = behind;
        }
        let extended_options = extended_options.unwrap_or_default();
        Ok(LinkLocalSignalling { extended_options, authentication, signed })
    }

    /// Whether the block carries the digest that the key makes, under the packet's own sequence number (RFC 5613 §2.5).
    /// False for a block without a digest, which behind a packet with one must not be believed.
    ///
    /// How a block goes with AuType 3 is written nowhere: we take the lower 32 bits of the sequence number, and make the
    /// digest as for the packet.
    pub fn verify(&self, algorithm: Algorithm, key: &[u8], source: Ipv4Addr) -> bool {
        let Some(Signed { sequence, octets, digest: carried }) = self.signed else { return false };
        let (expected, source) = match self.authentication {
            AuthenticationField::Null | AuthenticationField::Simple(_) => return false,
            AuthenticationField::Cryptographic { sequence, .. } => (sequence, None),
            AuthenticationField::Extended { sequence, .. } => (low(sequence), Some(source)),
        };
        sequence == expected && same(&digest(algorithm, octets, key, source), carried)
    }
}

/// With AuType 3 the source goes into it.
fn digest(algorithm: Algorithm, octets: &[u8], key: &[u8], source: Option<Ipv4Addr>) -> Octets {
    match source {
        Some(source) => algorithm.extended_digest(octets, key, source),
        None => algorithm.digest(octets, key),
    }
}

/// The lower half of AuType 3's sequence number.
fn low(sequence: u64) -> u32 {
    (sequence & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::super::{AreaId, Body, Frame, Hello, Options, Version, emit};
    use super::*;
    use crate::types::RouterId;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const KEY: &[u8] = b"shared key";

    fn hello(signature: &Signature<'_>) -> BytesMut {
        let none = Ipv4Addr::UNSPECIFIED;
        let body = Body::Hello(Hello {
            network_mask: Ipv4Addr::new(255, 255, 255, 0),
            hello_interval: 10,
            options: Options::EXTERNAL.with(Options::LINK_LOCAL_SIGNALLING),
            priority: 1,
            dead_interval: 40,
            designated: none,
            backup: none,
            neighbors: Vec::new(),
        });
        let router_id = RouterId::from_bits(1);
        emit(Version::V2, router_id, AreaId::BACKBONE, &body, signature, SOURCE)
    }

    /// What is read of the block, and whether its digest is good.
    fn read(packet: &[u8]) -> Result<Option<(ExtendedOptions, bool)>, &'static str> {
        let frame = Frame::parse(packet).unwrap();
        let body = frame.body().unwrap();
        frame
            .signalling(&body)
            .map(|block| {
                let block = block?;
                let good = block.verify(Algorithm::HmacSha256, KEY, SOURCE);
                assert!(!block.verify(Algorithm::HmacSha256, b"another key", SOURCE));
                assert!(!block.verify(Algorithm::HmacSha1, KEY, SOURCE));
                Some((block.extended_options, good))
            })
            .map_err(|malformed| malformed.name())
    }

    /// As Cisco's routers send it, with the bit of RFC 9355 instead of that of RFC 4811, and the sum to fit.
    const BLOCK: [u8; 12] = [0xff, 0xe7, 0, 3, 0, 1, 0, 4, 0, 0, 0, 0x10];

    #[test]
    fn a_block_is_as_the_rfc_draws_it() {
        let mut packet = hello(&Signature::Null);
        let length = packet.len();
        assert_eq!(read(&packet), Err("bad-lls-length"), "the L bit promises one");
        ExtendedOptions::STRICT_BFD.emit(&Signature::Null, SOURCE, &mut packet);
        assert_eq!(packet[length..], BLOCK);
        assert_eq!(read(&packet), Ok(Some((ExtendedOptions::STRICT_BFD, false))));
        assert_eq!(read(&[&packet[..], &[7, 7]].concat()), read(&packet), "its length counts");
        packet[length + 11] ^= 1;
        assert_eq!(read(&packet), Err("bad-lls-checksum"));
        packet[length + 3] = 4;
        assert_eq!(read(&packet), Err("bad-lls-length"));
        packet[length + 3] = 0;
        assert_eq!(read(&packet), Err("bad-lls-length"));
    }

    #[test]
    fn behind_a_digest_it_has_one_of_its_own() {
        let algorithm = Algorithm::HmacSha256;
        let sequence = 0x0102_0304;
        let signatures = [
            Signature::Cryptographic { key_id: 1, algorithm, key: KEY, sequence },
            Signature::Extended { key_id: 1, algorithm, key: KEY, sequence: 0x55_0102_0304 },
        ];
        for signature in signatures {
            let mut packet = hello(&signature);
            let length = packet.len();
            ExtendedOptions::STRICT_BFD.emit(&signature, SOURCE, &mut packet);
            assert_eq!(packet[length..length + 4], [0, 0, 0, 13], "no checksum, 13 words");
            assert_eq!(read(&packet), Ok(Some((ExtendedOptions::STRICT_BFD, true))));
            for octet in [3, 11, 19, 51] {
                let mut changed = packet.clone();
                changed[length + octet] ^= 0x01;
                assert!(!matches!(read(&changed), Ok(Some((_, true)))), "octet {octet}");
            }
            // A block that is not signed may have any content.
            packet.truncate(length);
            ExtendedOptions::STRICT_BFD.emit(&Signature::Null, SOURCE, &mut packet);
            assert_eq!(read(&packet), Ok(Some((ExtendedOptions::STRICT_BFD, false))));
        }
    }

    #[test]
    fn a_block_of_another_packet_is_not_believed() {
        let algorithm = Algorithm::HmacSha256;
        let signature =
            |sequence| Signature::Cryptographic { key_id: 1, algorithm, key: KEY, sequence };
        let mut packet = hello(&signature(8));
        ExtendedOptions::STRICT_BFD.emit(&signature(7), SOURCE, &mut packet);
        assert_eq!(read(&packet), Ok(Some((ExtendedOptions::STRICT_BFD, false))));
    }

    #[test]
    fn what_follows_the_digest_counts_for_nothing() {
        let algorithm = Algorithm::HmacSha256;
        let signature = Signature::Cryptographic { key_id: 1, algorithm, key: KEY, sequence: 9 };
        let mut block = BytesMut::from(&[0, 0, 0, 13][..]);
        block.put_slice(&[0, 2, 0, 36, 0, 0, 0, 9]);
        let digest = algorithm.digest(&block, KEY);
        block.put_slice(&digest);
        tlv::write(&mut block, kind::EXTENDED_OPTIONS, &[0, 0, 0, 0x10]);
        let packet = [&hello(&signature)[..], &block].concat();
        assert_eq!(read(&packet), Ok(Some((ExtendedOptions::default(), true))));
    }

    #[test]
    fn without_the_bit_nothing_is_read() {
        let mut packet = hello(&Signature::Null);
        let frame = Frame::parse(&packet).unwrap();
        let Ok(Body::Hello(mut hello)) = frame.body() else { panic!("a Hello") };
        hello.options = Options::EXTERNAL;
        assert!(matches!(frame.signalling(&Body::Hello(hello)), Ok(None)));
        let update = Body::LinkStateRequest(Vec::new());
        assert!(matches!(frame.signalling(&update), Ok(None)));
        packet.put_slice(&BLOCK);
    }
}
