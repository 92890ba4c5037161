//! The octets of a connection: whole, and in pieces of a size that the first octet gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shunt::types::{Asn, Family, RouterId};
use shunt::wire::bgp::{Capability, Decoder, Message, Notification, Open};

fn decode(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<Result<Message, Notification>> {
    let mut decoder = Decoder::new(Open {
        asn: Asn(64500),
        hold_time: 90,
        router_id: RouterId::from_bits(1),
        capabilities: vec![
            Capability::multiprotocol(Family::Ipv4),
            Capability::multiprotocol(Family::Ipv6),
            Capability::FourOctetAs(Asn(64500)),
            Capability::ExtendedMessage,
        ],
    });
    let mut all = Vec::new();
    for piece in pieces {
        decoder.feed(piece.as_ref());
        while let Some(result) = decoder.next() {
            all.push(result);
        }
    }
    all
}

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    let whole = decode(std::iter::once(bytes));
    let pieces = decode(bytes.chunks(usize::from(*step).max(1)));
    assert_eq!(whole, pieces);
});
