//! The block for link-local signalling behind an OSPF packet.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use shunt::types::RouterId;
use shunt::wire::ospf::{
    Algorithm, AreaId, Body, DatabaseDescription, Frame, Options, Signature, Version, emit,
};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fuzz_target!(|input: &[u8]| {
    let Some((choice, octets)) = input.split_first() else { return };
    let key = &b"a key"[..];
    let algorithm = Algorithm::HmacSha1;
    let signature = match choice & 3 {
        0 => Signature::Null,
        1 => Signature::Cryptographic { key_id: 1, algorithm, key, sequence: 1 },
        _ => Signature::Extended { key_id: 1, algorithm, key, sequence: 1 },
    };
    let body = Body::DatabaseDescription(DatabaseDescription {
        mtu: 1500,
        options: Options::LINK_LOCAL_SIGNALLING,
        init: true,
        more: true,
        master: true,
        sequence: 1,
        headers: Vec::new(),
    });
    let router_id = RouterId::from_bits(1);
    let mut packet = emit(Version::V2, router_id, AreaId(0), &body, &signature, SOURCE);
    let length = packet.len();
    packet.extend_from_slice(octets);
    // The checksum is no puzzle worth the fuzzer's time.
    if let Some(&[_, _, high, low]) = octets.first_chunk() {
        let words = usize::from(u16::from_be_bytes([high, low]));
        if let Some(block) = packet.get_mut(length..length + 4 * words)
            && words > 0
        {
            block[..2].fill(0);
            let mut sum: u64 =
                block.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(word[1])).sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            block[..2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
    }
    let frame = Frame::parse(&packet).expect("our own packet");
    let Ok(Some(block)) = frame.signalling(&body) else { return };
    block.verify(algorithm, key, SOURCE);
    let options = block.extended_options;

    let mut again = emit(Version::V2, router_id, AreaId(0), &body, &signature, SOURCE);
    options.emit(&signature, SOURCE, &mut again);
    let frame = Frame::parse(&again).expect("our own packet");
    let block = frame.signalling(&body).expect("our own block").expect("the L bit is set");
    assert_eq!(block.extended_options, options);
    assert_eq!(block.verify(algorithm, key, SOURCE), choice & 3 != 0);
});
