//! The checksum of IP, OSPF, VRRP and ICMPv6.

/// The 16-bit ones' complement of the ones' complement sum over the parts (RFC 1071). Every part but the last has an
/// even length.
pub(super) fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let (words, rest) = part.as_chunks::<2>();
        sum += words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        if let [last] = rest {
            sum += u64::from(*last) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 §3, and the same with an odd end.
    #[test]
    fn words_are_summed_with_their_carries() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&[&octets]), !0xddf2);
        assert_eq!(sum(&[&octets[..2], &octets[2..]]), !0xddf2);
        assert_eq!(sum(&[&octets, &[0x10]]), !0xedf2);
        assert_eq!(sum(&[&octets, &(!0xddf2_u16).to_be_bytes()]), 0);
    }
}
