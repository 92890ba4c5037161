use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which is not always there.
const CONTEXT_0: u8 = 0xa0;

/// When an X.509 certificate ends: `notAfter` (RFC 5280 §4.1.2.5). `None` if it is none. The library for TLS does not tell it,
/// and it is behind a few fields that can be skipped.
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = content(certificate, SEQUENCE)?;
    let (signed, _) = content(certificate, SEQUENCE)?;
    let signed = content(signed, CONTEXT_0).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = content(signed, INTEGER)?;
    let (_algorithm, rest) = content(rest, SEQUENCE)?;
    let (_issuer, rest) = content(rest, SEQUENCE)?;
    let (validity, _) = content(rest, SEQUENCE)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, str::from_utf8(text).ok()?)
}

fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let full = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // Two digits of the year, which mean 1950 to 2049.
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The content of the first element, which must have the tag, and what is behind it.
fn content(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(octets)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and what is behind it, of the first element (DER, X.690 §8.1).
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    #[test]
    fn the_end_is_read_in_both_forms() {
        for end in ["2031-02-03T00:00:00Z", "2049-12-31T00:00:00Z", "2050-01-01T00:00:00Z"] {
            let end: Timestamp = end.parse().unwrap();
            let certificate = testing::Authority::new("one").certificate("a.example", end);
            assert_eq!(not_after(certificate.0.der()), Some(end));
        }
        let at = |tag, text| time(tag, text).map(|time| time.to_string());
        assert_eq!(at(UTC_TIME, "990102030405Z").as_deref(), Some("1999-01-02T03:04:05Z"));
        assert_eq!(at(UTC_TIME, "991302030405Z"), None);
        assert_eq!(at(INTEGER, "990102030405Z"), None);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            not_after(&octets);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..200_usize, octet: u8) {
            let end = "2031-02-03T00:00:00Z".parse().unwrap();
            let (certificate, _) = testing::Authority::new("one").certificate("a.example", end);
            let mut octets = certificate.der().to_vec();
            octets[at] = octet;
            not_after(&octets);
            not_after(&octets[..at]);
        }
    }
}
