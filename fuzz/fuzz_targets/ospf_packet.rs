//! One OSPFv2 packet.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use shunt::wire::ospf::{Algorithm, Body, Frame, Signature, emit};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fuzz_target!(|input: &[u8]| {
    // The checksum is no puzzle worth the fuzzer's time.
    let mut packet = input.to_vec();
    if let Some(header) = packet.get_mut(..24) {
        header[0] = 2;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        header[12..14].fill(0);
        if let (Some(covered), true) = (packet.get(24..length), length >= 24) {
            let words = packet[..16].chunks(2).chain(covered.chunks(2));
            let mut sum: u64 = words
                .map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0)))
                .sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            packet[12..14].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
    }
    let Ok(frame) = Frame::parse(&packet) else { return };
    frame.verify(Algorithm::HmacSha256, b"key", SOURCE);
    frame.has_password(b"password");
    let Ok(mut body) = frame.body() else { return };
    if let Body::LinkStateUpdate(update) = &mut body {
        update.refused.clear();
    }
    let key = &b"a key"[..];
    let signature =
        Signature::Extended { key_id: 1, algorithm: Algorithm::HmacSha1, key, sequence: 1 };
    let again = emit(frame.version, frame.router_id, frame.area, &body, &signature, SOURCE);
    let frame = Frame::parse(&again).expect("our own packet");
    assert!(frame.verify(Algorithm::HmacSha1, key, SOURCE));
    assert_eq!(frame.body(), Ok(body));
});
