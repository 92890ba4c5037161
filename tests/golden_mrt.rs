//! MRT files that Quagga, OpenBGPD and BIRD wrote: what stands in them, written by us, is the same octets. Sources:
//! tests/data/mrt/README.md.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::BytesMut;
use shunt::types::{Asn, Prefix, RouterId, Wall};
use shunt::wire::bgp::{Attributes, Message, SessionFacts};
use shunt::wire::mrt::{
    Ends, Entry, Peer, emit_message, emit_peer_index, emit_routes, emit_state_change,
};

fn load(file: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/data/mrt/routers/{file}.mrt", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Reads fields off the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn address(&mut self, is_ipv6: bool) -> IpAddr {
        match is_ipv6 {
            true => Ipv6Addr::from(<[u8; 16]>::try_from(self.take(16)).unwrap()).into(),
            false => Ipv4Addr::from(<[u8; 4]>::try_from(self.take(4)).unwrap()).into(),
        }
    }

    fn prefix(&mut self, is_ipv6: bool) -> Prefix {
        let length = self.take(1)[0];
        let mut octets = [0; 16];
        let significant = self.take(usize::from(length.div_ceil(8)));
        octets[..significant.len()].copy_from_slice(significant);
        Prefix::new(Cursor(&octets).address(is_ipv6), length).unwrap()
    }
}

struct Record<'a> {
    seconds: u32,
    kind: (u16, u16),
    body: &'a [u8],
    whole: &'a [u8],
}

fn records(file: &[u8]) -> Vec<Record<'_>> {
    let mut rest = Cursor(file);
    let mut records = Vec::new();
    while !rest.0.is_empty() {
        let start = rest.0;
        let seconds = rest.u32();
        let kind = (rest.u16(), rest.u16());
        let length = rest.u32() as usize;
        let body = rest.take(length);
        records.push(Record { seconds, kind, body, whole: &start[..12 + length] });
    }
    records
}

fn facts() -> SessionFacts {
    SessionFacts {
        four_octet_as: true,
        families: shunt::types::Family::ALL.to_vec(),
        ..SessionFacts::default()
    }
}

/// An attribute list as code, flags and value, the lengths in one form and the Partial bit out of the way, by code. Quagga
/// writes MP_REACH_NLRI whole, which RFC 6396 §4.3.4 does not: it is cut down to the next hop.
fn split(list: &[u8]) -> Vec<(u8, u8, &[u8])> {
    let mut rest = Cursor(list);
    let mut attributes = Vec::new();
    while !rest.0.is_empty() {
        let (flags, code) = (rest.take(1)[0], rest.take(1)[0]);
        let length = if flags & 0x10 == 0 { rest.take(1)[0].into() } else { rest.u16().into() };
        let mut value = rest.take(length);
        if code == 14 && value[0] == 0 {
            value = &value[3..4 + usize::from(value[3])];
        }
        attributes.push((code, flags & 0xc0, value));
    }
    attributes.sort_by_key(|(code, ..)| *code);
    attributes
}

/// The set of an entry, read by way of an UPDATE with the prefix in it.
fn read(list: &[u8], prefix: Prefix) -> Attributes {
    let mut nlri = vec![prefix.length()];
    match prefix.address() {
        IpAddr::V4(address) => nlri.extend(address.octets()),
        IpAddr::V6(address) => nlri.extend(address.octets()),
    }
    nlri.truncate(1 + usize::from(prefix.length().div_ceil(8)));
    let mut attributes = Vec::new();
    for (code, flags, value) in split(list) {
        let value = match code {
            14 => [&[0, 2, 1], value, &[0], &nlri].concat(),
            _ => value.to_vec(),
        };
        attributes.extend([flags | 0x10, code]);
        attributes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        attributes.extend(value);
    }
    let mut body = vec![0, 0];
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(attributes);
    if prefix.address().is_ipv4() {
        body.extend(nlri);
    }
    let mut frame = vec![0xff; 16];
    frame.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    frame.push(2);
    frame.extend(body);
    match Message::parse(&frame, &facts()).unwrap() {
        Message::Update(mut update) => update.announced.remove(0).attributes,
        other => panic!("{other:?}"),
    }
}

/// Peer, time and attributes of an entry.
type Parts<'a> = (u16, u32, &'a [u8]);

/// The sequence number, the prefix and the entries of a record.
fn entries(body: &[u8], is_ipv6: bool) -> (u32, Prefix, Vec<Parts<'_>>) {
    let mut body = Cursor(body);
    let (sequence, prefix) = (body.u32(), body.prefix(is_ipv6));
    let entries = (0..body.u16()).map(|_| {
        let (peer, originated, length) = (body.u16(), body.u32(), body.u16());
        (peer, originated, body.take(length.into()))
    });
    let entries = entries.collect();
    assert!(body.0.is_empty());
    (sequence, prefix, entries)
}

/// Reads and writes all records of a table, and tells how many could be compared.
fn rewrite_table(file: &str) -> usize {
    let file = load(file);
    let mut compared = 0;
    for record in records(&file) {
        let mut again = BytesMut::new();
        match record.kind {
            (13, 1) => {
                let mut body = Cursor(record.body);
                let collector = RouterId::from_bits(body.u32());
                let name = body.u16();
                body.take(name.into());
                let mut in_four_octets = true;
                let peers: Vec<Peer> = (0..body.u16())
                    .map(|_| {
                        let kind = body.take(1)[0];
                        let router_id = RouterId::from_bits(body.u32());
                        let address = body.address(kind & 1 == 1);
                        // OpenBGPD has itself in the index, with two octets.
                        in_four_octets &= kind & 2 == 2;
                        let asn = if kind & 2 == 0 { u32::from(body.u16()) } else { body.u32() };
                        Peer { router_id, address, asn: Asn(asn) }
                    })
                    .collect();
                emit_peer_index(record.seconds, collector, &peers, &mut again);
                if in_four_octets {
                    assert_eq!(name, 0);
                    assert_eq!(again, record.whole);
                    compared += 1;
                }
            }
            (13, subtype @ (2 | 4)) => {
                let is_ipv6 = subtype == 4;
                let (sequence, prefix, theirs) = entries(record.body, is_ipv6);
                let sets: Vec<Attributes> =
                    theirs.iter().map(|(.., list)| read(list, prefix)).collect();
                let ours: Vec<Entry<'_>> = theirs
                    .iter()
                    .zip(&sets)
                    .map(|((peer, originated, _), attributes)| Entry {
                        peer: *peer,
                        originated: *originated,
                        attributes,
                    })
                    .collect();
                emit_routes(record.seconds, sequence, prefix, &ours, &mut again);
                assert_eq!(again[..8], record.whole[..8]);
                let written = entries(&again[12..], is_ipv6);
                assert_eq!((written.0, written.1), (sequence, prefix));
                let split_all = |all: &[Parts<'_>]| -> Vec<_> {
                    all.iter()
                        .map(|(peer, since, list)| {
                            let owned = |(code, flags, value): &(u8, u8, &[u8])| {
                                (*code, *flags, value.to_vec())
                            };
                            (*peer, *since, split(list).iter().map(owned).collect::<Vec<_>>())
                        })
                        .collect()
                };
                assert_eq!(split_all(&written.2), split_all(&theirs), "{prefix}");
                compared += 1;
            }
            _ => {}
        }
    }
    compared
}

#[test]
fn tables_of_quagga_and_openbgpd() {
    assert_eq!(rewrite_table("quagga_rib"), 7);
    assert_eq!(rewrite_table("openbgpd_rib_table-v2"), 21);
}

/// The messages and states of a log. These routers count in seconds: ours have the microseconds behind the header as well.
fn rewrite_log(file: &str, count: usize) {
    let file = load(file);
    let mut compared = 0;
    for record in records(&file) {
        let (kind, subtype) = record.kind;
        assert_eq!(kind, 16);
        let mut body = Cursor(record.body);
        let four_octet_as = subtype != 1;
        let mut asn = || Asn(if four_octet_as { body.u32() } else { body.u16().into() });
        let (peer_asn, local_asn) = (asn(), asn());
        let interface = body.u16();
        let is_ipv6 = body.u16() == 2;
        let ends =
            Ends { peer_asn, local_asn, peer: body.address(is_ipv6), local: body.address(is_ipv6) };
        let at = Wall::from_micros(i64::from(record.seconds) * 1_000_000 + 123_456);
        let mut again = BytesMut::new();
        match subtype {
            1 | 4 => emit_message(at, &ends, four_octet_as, body.0, &mut again),
            5 => emit_state_change(at, &ends, body.u16(), body.u16(), &mut again),
            _ => continue,
        }
        let mut ours = again.to_vec();
        assert_eq!(ours[4..8], [0, 17, 0, u8::try_from(subtype).unwrap()]);
        let length = u32::try_from(record.body.len() + 4).unwrap();
        assert_eq!(ours[8..12], length.to_be_bytes());
        assert_eq!(ours[12..16], 123_456u32.to_be_bytes());
        ours.drain(12..16);
        let numbers = if four_octet_as { 8 } else { 4 };
        ours[12 + numbers..][..2].copy_from_slice(&interface.to_be_bytes());
        assert_eq!(ours[..4], record.whole[..4]);
        assert_eq!(ours[12..], record.whole[12..]);
        compared += 1;
    }
    assert_eq!(compared, count);
}

#[test]
fn logs_of_bird_and_quagga() {
    rewrite_log("bird_bgp", 29);
    rewrite_log("bird6_bgp", 29);
    rewrite_log("quagga_bgp", 67);
}
