//! Fletcher's sum of advertisements.

/// Where the checksum stands in an LSA behind its age.
const POSITION: usize = 14;
/// As many octets can be summed before 32 bits overflow: the second sum grows by 255 n (n + 1) / 2, and both begin
/// below 255.
const STRIDE: usize = 5000;

/// The checksum of an LSA (RFC 2328 §12.1.7, ISO 8473 by way of RFC 905 Annex B). `octets` is the LSA without its
/// age; what stands in the checksum field counts as zero.
pub(super) fn fletcher(octets: &[u8]) -> u16 {
    let (mut first, mut second) = sums(octets);
    if let Some([x, y]) = octets.get(POSITION..POSITION + 2) {
        let behind = (octets.len() - POSITION) as u32;
        let (x, y) = (u32::from(*x), u32::from(*y));
        first = (first + 510 - x % 255 - y % 255) % 255;
        let share = (x * (behind % 255) + y * ((behind - 1) % 255)) % 255;
        second = (second + 255 - share) % 255;
    }
    // X and Y make both sums zero: X + Y = -first and X * behind + Y * (behind - 1) = -second, modulo 255.
    let behind = ((octets.len().saturating_sub(POSITION + 1)) % 255) as u32;
    let x = (behind * first + 255 - second) % 255;
    let y = (510 - x - first) % 255;
    // Zero means "no checksum"; 255 is the same number modulo 255.
    let [x, y] = [x, y].map(|sum| if sum == 0 { 255 } else { sum as u8 });
    u16::from_be_bytes([x, y])
}

/// Whether the octets of an LSA without its age, checksum included, sum up to zero.
pub(super) fn fletcher_holds(octets: &[u8]) -> bool {
    sums(octets) == (0, 0)
}

fn sums(octets: &[u8]) -> (u32, u32) {
    let (mut first, mut second) = (0u32, 0u32);
    for part in octets.chunks(STRIDE) {
        for octet in part {
            first += u32::from(*octet);
            second += first;
        }
        first %= 255;
        second %= 255;
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_made_is_a_sum_that_holds() {
        for length in [18, 34, 100, 5000, 5001, 20_000] {
            let mut octets: Vec<u8> = (0..length).map(|n| (n * 7 % 256) as u8).collect();
            let sum = fletcher(&octets);
            octets[POSITION..POSITION + 2].copy_from_slice(&sum.to_be_bytes());
            assert!(fletcher_holds(&octets), "{length} octets");
            assert_eq!(fletcher(&octets), sum, "whatever stood in its place");
            octets[length - 1] ^= 1;
            assert!(!fletcher_holds(&octets), "{length} octets");
        }
    }
}
