//! What X.509 certificates say (RFC 5280), and what is wrong with them. The library for TLS does not tell it, and it is behind
//! a few fields that can be skipped.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, RootCertStore};

use super::exit::plain;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The version, which is not always there.
const CONTEXT_0: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// Of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;

/// id-at-commonName: 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// id-ce-basicConstraints: 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// id-ce-subjectAltName: 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Names of a certificate that are shown.
const MOST_NAMES: usize = 5;

/// Whom a certificate is for. Only of one that was verified does it mean anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub common_name: Option<String>,
    /// Of subjectAltName.
    pub dns: Vec<String>,
    pub uris: Vec<String>,
    /// It may issue others (basicConstraints).
    pub is_authority: bool,
}

/// Those in a file in PEM, at least one. The error goes on after the file's name and a colon.
pub fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(path).map_err(|error| plain(&error))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match certificates.map_err(|error| error.to_string())? {
        none if none.is_empty() => Err("there is no certificate in it".to_owned()),
        certificates => Ok(certificates),
    }
}

/// Whom to trust.
pub fn authorities(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

/// When a certificate ends: `notAfter` (RFC 5280 §4.1.2.5). `None` if it is none.
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (validity, _) = content(validity_and_on(certificate)?, SEQUENCE)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, str::from_utf8(text).ok()?)
}

/// `None` if it is no certificate.
pub fn names(certificate: &[u8]) -> Option<Names> {
    let (_validity, rest) = content(validity_and_on(certificate)?, SEQUENCE)?;
    let (subject, rest) = content(rest, SEQUENCE)?;
    let (_key, mut rest) = content(rest, SEQUENCE)?;
    let mut names = Names { common_name: common_name(subject), ..Names::default() };
    while let Some((tag, inner, behind)) = element(rest) {
        if tag == EXTENSIONS {
            read_extensions(inner, &mut names)?;
        }
        rest = behind;
    }
    Some(names)
}

/// The content of `subjectPublicKeyInfo` (RFC 5280 §4.1).
pub fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (_validity, rest) = content(validity_and_on(certificate)?, SEQUENCE)?;
    let (_subject, rest) = content(rest, SEQUENCE)?;
    let (key, _) = content(rest, SEQUENCE)?;
    Some(key)
}

fn validity_and_on(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = content(certificate, SEQUENCE)?;
    let (signed, _) = content(certificate, SEQUENCE)?;
    let signed = content(signed, CONTEXT_0).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = content(signed, INTEGER)?;
    let (_algorithm, rest) = content(rest, SEQUENCE)?;
    let (_issuer, rest) = content(rest, SEQUENCE)?;
    Some(rest)
}

/// The last one of a name is the most special.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while let Some((mut parts, behind)) = content(subject, SET) {
        while let Some((part, others)) = content(parts, SEQUENCE) {
            let (kind, value) = content(part, OBJECT_IDENTIFIER)?;
            let (tag, text, _) = element(value)?;
            if kind == COMMON_NAME && matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING) {
                found = str::from_utf8(text).ok().map(str::to_owned);
            }
            parts = others;
        }
        subject = behind;
    }
    found
}

fn read_extensions(extensions: &[u8], names: &mut Names) -> Option<()> {
    let (mut all, _) = content(extensions, SEQUENCE)?;
    while let Some((extension, behind)) = content(all, SEQUENCE) {
        let (kind, rest) = content(extension, OBJECT_IDENTIFIER)?;
        // Whether it is critical.
        let rest = content(rest, BOOLEAN).map_or(rest, |(_, rest)| rest);
        let (value, _) = content(rest, OCTET_STRING)?;
        if kind == BASIC_CONSTRAINTS {
            let (constraints, _) = content(value, SEQUENCE)?;
            let is_authority = content(constraints, BOOLEAN);
            names.is_authority = is_authority.is_some_and(|(value, _)| value != [0]);
        }
        if kind == SUBJECT_ALT_NAME {
            let (mut alternatives, _) = content(value, SEQUENCE)?;
            while let Some((tag, text, others)) = element(alternatives) {
                let kept = match tag {
                    DNS_NAME => Some(&mut names.dns),
                    URI => Some(&mut names.uris),
                    // Of octets, such as an address.
                    _ => None,
                };
                if let Some(kept) = kept {
                    kept.push(str::from_utf8(text).ok()?.to_owned());
                }
                alternatives = others;
            }
        }
        all = behind;
    }
    Some(())
}

/// Goes on with "the certificate".
pub fn what_is_wrong(problem: &CertificateError) -> String {
    let at = |time: &UnixTime| {
        let second = i64::try_from(time.as_secs()).ok();
        second.and_then(|second| Timestamp::from_second(second).ok()).map(day).unwrap_or_default()
    };
    match problem {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired on {}", at(not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is valid only from {}", at(not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            // As `DnsName("web.example")`.
            let name = |text: &String| {
                let inner = text.split_once('(').map_or(text.as_str(), |(_, inner)| inner);
                inner.trim_matches(['(', ')', '"']).to_owned()
            };
            let presented: Vec<String> = presented.iter().take(MOST_NAMES).map(name).collect();
            format!("is not for {expected}, but for {}", presented.join(", "))
        }
        problem if is_from_a_stranger(problem) => {
            "is from an authority that is not trusted".to_owned()
        }
        other => format!("is not valid: {other}"),
    }
}

/// Whether nobody that we trust has signed it; perhaps one who has a new key.
pub fn is_from_a_stranger(problem: &CertificateError) -> bool {
    matches!(problem, CertificateError::UnknownIssuer | CertificateError::BadSignature)
}

pub fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
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
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, KeyUsagePurpose, SanType};

    use super::*;
    use crate::driver::checks::testing;

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

    #[test]
    fn names_are_read() {
        let names_of = |uris: &[&str], dns: &[&str], common: &[&str]| {
            let mut params =
                CertificateParams::new(dns.iter().map(ToString::to_string).collect::<Vec<_>>())
                    .unwrap();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, "Example");
            for name in common {
                params.distinguished_name.push(DnType::CommonName, *name);
            }
            params.subject_alt_names.push(SanType::IpAddress("192.0.2.200".parse().unwrap()));
            for uri in uris {
                params.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
            }
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let Names { common_name, dns, uris, .. } = names(certificate.der()).unwrap();
            (uris, dns, common_name)
        };
        let text = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names_of(&[], &[], &[]), (vec![], vec![], None));
        assert_eq!(
            names_of(&["shunt:node:a", "urn:x"], &["a.example", "b.example"], &["Älice"]),
            (
                text(&["shunt:node:a", "urn:x"]),
                text(&["a.example", "b.example"]),
                Some("Älice".into())
            )
        );
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            not_after(&octets);
            names(&octets);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..200_usize, octet: u8) {
            let end = "2031-02-03T00:00:00Z".parse().unwrap();
            let (certificate, _) = testing::Authority::new("one").certificate("a.example", end);
            let mut octets = certificate.der().to_vec();
            octets[at] = octet;
            not_after(&octets);
            not_after(&octets[..at]);
            names(&octets);
            names(&octets[..at]);
        }
    }
}
