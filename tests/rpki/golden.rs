//! What StayRTR 0.5.1 (Debian 12) sent to a client that asked in versions 1 and 0, with three VRPs, of which one was then
//! replaced. Captured for this project.

use bytes::{Bytes, BytesMut};
use shunt::types::Rng;
use shunt::wire::rtr::{Decoder, ErrorCode, ErrorReport, Pdu, Serial, SessionId, Timing, Version};

use super::vrp;

const SESSION: SessionId = SessionId(0x29d1);

/// The answer to a Reset Query.
pub const EVERYTHING: &str = "010329d100000008\
    01060000000000200120300020010db8000000000000000000000000fa56ea01\
    010400000000001401181a00c00002000000fbf0\
    010400000000001401181800c63364000000fbf1\
    010729d1000000180000000000000e100000025800001c20";
/// The same in version 0.
const EVERYTHING_V0: &str = "000329d100000008\
    00060000000000200120300020010db8000000000000000000000000fa56ea01\
    000400000000001401181a00c00002000000fbf0\
    000400000000001401181800c63364000000fbf1\
    000729d10000000c00000000";
pub const NOTIFY: &str = "010029d10000000c00000001";
/// The answer to a Serial Query with serial number 0 then.
pub const CHANGES: &str = "010329d100000008\
    010400000000001401181800cb00710000000000\
    010400000000001400181800c63364000000fbf1\
    010729d1000000180000000100000e100000025800001c20";
/// The answer to a serial number that it does not know.
const RESET: &str = "0108000000000008";
/// The answer to another session id. The text ends with a zero octet.
const MISMATCH: &str = "010a00000000003e000000000000002e\
    53657373696f6e204944206d69736d617463683a20636c69656e7420697320646573796e6368726f6e697a656400";

pub fn octets(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

pub fn decode(octets: &[u8]) -> Vec<(Option<Version>, Pdu)> {
    let mut decoder = Decoder::default();
    decoder.feed(octets);
    std::iter::from_fn(|| decoder.next()).map(Result::unwrap).collect()
}

fn prefix(announced: bool, text: &str) -> Pdu {
    Pdu::Prefix { announced, vrp: vrp(text) }
}

fn captured() -> Vec<(&'static str, Version, Vec<Pdu>)> {
    let everything = |timing| {
        vec![
            Pdu::CacheResponse { session: SESSION },
            prefix(true, "2001:db8::/32-48 4200000001"),
            prefix(true, "192.0.2.0/24-26 64496"),
            prefix(true, "198.51.100.0/24 64497"),
            Pdu::EndOfData { session: SESSION, serial: Serial(0), timing },
        ]
    };
    vec![
        (EVERYTHING, Version::V1, everything(Some(Timing::USUAL))),
        (EVERYTHING_V0, Version::V0, everything(None)),
        (NOTIFY, Version::V1, vec![Pdu::SerialNotify { session: SESSION, serial: Serial(1) }]),
        (
            CHANGES,
            Version::V1,
            vec![
                Pdu::CacheResponse { session: SESSION },
                prefix(true, "203.0.113.0/24 0"),
                prefix(false, "198.51.100.0/24 64497"),
                Pdu::EndOfData { session: SESSION, serial: Serial(1), timing: Some(Timing::USUAL) },
            ],
        ),
        (RESET, Version::V1, vec![Pdu::CacheReset]),
        (
            MISMATCH,
            Version::V1,
            vec![Pdu::ErrorReport(ErrorReport {
                code: ErrorCode::CorruptData,
                pdu: Bytes::new(),
                text: "Session ID mismatch: client is desynchronized\0".to_owned(),
            })],
        ),
    ]
}

#[test]
fn what_stayrtr_sends_is_read_and_written_octet_by_octet() {
    for (hex, version, pdus) in captured() {
        let read = decode(&octets(hex));
        assert!(read.iter().all(|(read, _)| *read == Some(version)));
        assert_eq!(read.into_iter().map(|(_, pdu)| pdu).collect::<Vec<_>>(), pdus);
        let mut written = BytesMut::new();
        pdus.iter().for_each(|pdu| pdu.emit(version, &mut written));
        assert_eq!(written, octets(hex));
    }
}

#[test]
fn pdus_do_not_depend_on_how_the_octets_arrive() {
    let all: Vec<u8> = captured().iter().flat_map(|(hex, ..)| octets(hex)).collect();
    let expected = decode(&all);
    for step in [1, 7, 64] {
        let mut decoder = Decoder::default();
        let mut read = Vec::new();
        for chunk in all.chunks(step) {
            decoder.feed(chunk);
            read.extend(std::iter::from_fn(|| decoder.next()).map(Result::unwrap));
        }
        assert_eq!(read, expected, "in steps of {step}");
    }
}

#[test]
fn what_is_no_pdu_is_answered_and_nothing_behind_it_is_read() {
    for (hex, code) in [
        // A length that is no prefix's, one that is none at all, one without end.
        ("0104000000000013", ErrorCode::CorruptData),
        ("0104000000000007", ErrorCode::CorruptData),
        ("01040000ffffffff", ErrorCode::CorruptData),
        // Host bits; a length over 32; a maximum below the length.
        ("010400000000001401181800c00002010000fbf0", ErrorCode::CorruptData),
        ("010400000000001401212100c00002000000fbf0", ErrorCode::CorruptData),
        ("010400000000001401181700c00002000000fbf0", ErrorCode::CorruptData),
        // The End of Data of the other version.
        ("010729d10000000c00000000", ErrorCode::CorruptData),
        ("000729d1000000180000000000000e100000025800001c20", ErrorCode::CorruptData),
        // ASPA, of version 2; and router keys are not in version 0.
        ("010b00000000000c00000000", ErrorCode::UnsupportedType),
        ("0202000000000008", ErrorCode::UnsupportedVersion),
    ] {
        let mut decoder = Decoder::default();
        let mut bad = octets(hex);
        bad.resize(bad.len().max(usize::from(bad[7]).min(64)), 0);
        decoder.feed(&bad);
        assert_eq!(decoder.next().unwrap().unwrap_err().code, code, "{hex}");
        decoder.feed(&octets(EVERYTHING));
        assert_eq!(decoder.next(), None);
    }
}

/// Whatever comes, it is read or refused, and what is read can be written and read again.
#[test]
fn damaged_octets_are_read_or_refused() {
    let mut rng = Rng::new(8210);
    let all: Vec<u8> = captured().iter().flat_map(|(hex, ..)| octets(hex)).collect();
    for _ in 0..20_000 {
        let mut damaged = all.clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(damaged.len() as u64) as usize;
            damaged[at] = rng.next_u64() as u8;
        }
        let mut decoder = Decoder::default();
        decoder.feed(&damaged);
        while let Some(Ok((version, pdu))) = decoder.next() {
            let version = version.unwrap_or(Version::V1);
            let mut written = BytesMut::new();
            pdu.emit(version, &mut written);
            if !matches!(pdu, Pdu::ErrorReport(_)) {
                assert_eq!(decode(&written), [(Some(version), pdu)]);
            }
        }
    }
}
