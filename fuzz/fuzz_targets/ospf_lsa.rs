//! One advertisement.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shunt::wire::ospf::{Lsa, LsaBody};

fuzz_target!(|input: &[u8]| {
    // Length and checksum are no puzzle worth the fuzzer's time.
    let mut octets = input.to_vec();
    if let (Ok(length), true) = (u16::try_from(octets.len()), octets.len() >= 20) {
        octets[16..18].fill(0);
        octets[18..20].copy_from_slice(&length.to_be_bytes());
        let checksum = fletcher(&octets[2..]);
        octets[16..18].copy_from_slice(&checksum);
    }
    let Ok(lsa) = Lsa::parse(&octets) else {
        return;
    };
    assert_eq!(lsa.content(), &octets[20..]);
    let header = lsa.header;
    let again = Lsa::new(header.age, header.options, header.key, header.sequence, lsa.body.clone());
    match (&lsa.body, &again.body) {
        (LsaBody::Opaque, _) => {}
        (body, same) => assert_eq!(body, same),
    }
});

/// ISO 8473: the two octets that make both sums zero.
fn fletcher(octets: &[u8]) -> [u8; 2] {
    let (mut first, mut second) = (0i64, 0i64);
    for octet in octets {
        first = (first + i64::from(*octet)) % 255;
        second = (second + first) % 255;
    }
    let behind = octets.len() as i64 - 15;
    let x = (behind * first - second).rem_euclid(255);
    let y = (-x - first).rem_euclid(255);
    [x, y].map(|sum| if sum == 0 { 255 } else { sum as u8 })
}
