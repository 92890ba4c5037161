//! Throughput of the codecs: `cargo bench --bench codec`.
//!
//! OSPF: the externals of a large area, in Link State Updates of the size of an Ethernet frame. BGP:
//! a deterministic set of realistic UPDATEs: eight prefixes for each attribute set, an AS path of four
//! or five numbers, communities on most. Each line is the best of several rounds, so that other work
//! on the machine shows least. The floors are what any codec has to do at least: copying the octets,
//! and walking over the attributes and prefixes without making anything of them.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use shunt::types::{Asn, Family, Prefix, Rng, RouterId};
use shunt::wire::bgp::{
    AsPath, Attributes, Community, Decoder, LargeCommunity, Message, NextHop, Nlri, Open,
    SessionFacts, emit_routes, frame_length,
};
use shunt::wire::ospf::{
    Algorithm, AreaId, Body, ExternalLsa, Frame, Lsa, LsaBody, LsaKey, LsaType, Options,
    SequenceNumber, Signature, Version, emit as ospf_emit,
};

const SETS: usize = 10_000;
const PREFIXES: usize = 8;
const ROUNDS: usize = 9;

fn attributes(rng: &mut Rng) -> Attributes {
    let mut set = Attributes::originated(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let numbers = 4 + rng.below(2);
    set.as_path = AsPath::sequence((0..numbers).map(|_| {
        let bound = if rng.chance(30) { 400_000 } else { 64_000 };
        Asn(1 + u32::try_from(rng.below(bound)).unwrap_or(0))
    }));
    if rng.chance(40) {
        set.med = u32::try_from(rng.below(1000)).ok();
    }
    if rng.chance(70) {
        let count = 1 + rng.below(6);
        set.communities = (0..count)
            .map(|_| Community(u32::try_from(rng.below(u64::from(u32::MAX))).unwrap_or(0)))
            .collect();
    }
    if rng.chance(15) {
        set.large_communities = [LargeCommunity { global: 64500, local1: 1, local2: 2 }].into();
    }
    set
}

fn prefixes(rng: &mut Rng) -> Vec<Nlri> {
    (0..PREFIXES)
        .filter_map(|_| {
            let address = Ipv4Addr::from_bits(u32::try_from(rng.below(0xe000_0000)).ok()?);
            let length = if rng.chance(60) { 24 } else { 16 + u8::try_from(rng.below(8)).ok()? };
            Prefix::new(address.into(), length).map(Nlri::from)
        })
        .collect()
}

/// The fastest of the rounds.
fn best(mut round: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        round();
        start.elapsed()
    };
    (0..ROUNDS).map(timed).min().unwrap_or_default()
}

struct Work {
    messages: usize,
    prefixes: usize,
    octets: usize,
}

fn report(what: &str, work: &Work, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<34} {:>7.0} ns/message {:>7.0} MB/s {:>7.2} M prefixes/s",
        seconds * 1e9 / work.messages as f64,
        work.octets as f64 / seconds / 1e6,
        work.prefixes as f64 / seconds / 1e6,
    );
}

/// Where attributes and prefixes begin and end, and nothing else.
fn walk(frame: &[u8]) -> Option<usize> {
    let field =
        |at: usize| Some(usize::from(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?])));
    let attributes = 21 + field(19)?;
    let nlri = attributes + 2 + field(attributes)?;
    let mut at = attributes + 2;
    let mut count = 0;
    while at < nlri {
        let (head, length) = match frame.get(at)? & 0x10 {
            0 => (3, usize::from(*frame.get(at + 2)?)),
            _ => (4, field(at + 2)?),
        };
        at += head + length;
        count += 1;
    }
    while at < frame.len() {
        at += 1 + usize::from(frame.get(at)?.div_ceil(8));
        count += 1;
    }
    Some(count)
}

/// Link-state advertisements, as prefixes.
const EXTERNALS: usize = 10_000;
/// As many fill a packet on Ethernet.
const PER_PACKET: usize = 40;

fn ospf() {
    let external = |n: usize| {
        let key = LsaKey {
            kind: LsaType::EXTERNAL,
            link_state_id: Ipv4Addr::from_bits(0x0a00_0000 + 256 * n as u32),
            advertising_router: RouterId::from_bits(1),
        };
        let body = LsaBody::External(ExternalLsa {
            mask: Ipv4Addr::new(255, 255, 255, 0),
            type_2: true,
            metric: 20,
            forwarding_address: Ipv4Addr::UNSPECIFIED,
            tag: 0,
        });
        Lsa::new(1, Options::EXTERNAL, key, SequenceNumber::INITIAL, body)
    };
    let lsas: Vec<Lsa> = (0..EXTERNALS).map(external).collect();
    let bodies: Vec<Body> =
        lsas.chunks(PER_PACKET).map(|lsas| Body::LinkStateUpdate(lsas.to_vec().into())).collect();
    let source = Ipv4Addr::new(192, 0, 2, 1);
    let write = |body: &Body, signature: &Signature<'_>| {
        ospf_emit(Version::V2, RouterId::from_bits(1), AreaId::BACKBONE, body, signature, source)
    };
    let key = &b"a key of some length"[..];
    let algorithm = Algorithm::HmacSha256;
    let signed = Signature::Cryptographic { key_id: 1, algorithm, key, sequence: 1 };
    let packets: Vec<BytesMut> = bodies.iter().map(|body| write(body, &signed)).collect();
    let octets = packets.iter().map(|packet| packet.len()).sum();
    let work = Work { messages: packets.len(), prefixes: EXTERNALS, octets };
    println!(
        "{} Link State Updates, {EXTERNALS} externals, {octets} octets; {} octets for each in memory",
        work.messages,
        size_of::<Lsa>(),
    );

    let made = best(|| {
        (0..EXTERNALS).for_each(|n| {
            black_box(external(n));
        });
    });
    report("Lsa::new", &work, made);
    let parsed = best(|| {
        for packet in &packets {
            let _ = black_box(Frame::parse(packet).and_then(|frame| frame.body()));
        }
    });
    report("Frame::parse and body", &work, parsed);
    let verified = best(|| {
        for packet in &packets {
            let _ =
                Frame::parse(packet).map(|frame| black_box(frame.verify(algorithm, key, source)));
        }
    });
    report("Frame::verify, HMAC-SHA-256", &work, verified);
    for (what, signature) in [("emit", Signature::Null), ("emit, HMAC-SHA-256", signed)] {
        let emitted = best(|| {
            for body in &bodies {
                black_box(write(body, &signature));
            }
        });
        report(what, &work, emitted);
    }
}

fn main() {
    ospf();
    let facts = SessionFacts {
        ebgp: true,
        four_octet_as: true,
        families: vec![Family::Ipv4],
        ..SessionFacts::default()
    };
    let mut rng = Rng::new(1);
    let sets: Vec<(Attributes, Vec<Nlri>)> =
        (0..SETS).map(|_| (attributes(&mut rng), prefixes(&mut rng))).collect();
    let mut stream = BytesMut::new();
    let mut messages = 0;
    for (attributes, nlri) in &sets {
        messages += emit_routes(&[], Some((attributes, nlri)), &facts, &mut stream).unwrap_or(0);
    }
    let mut frames = Vec::with_capacity(messages);
    let mut rest = &stream[..];
    while let Ok(Some(length)) = frame_length(rest, false) {
        let (frame, behind) = rest.split_at(length);
        frames.push(frame);
        rest = behind;
    }
    let work = Work { messages, prefixes: SETS * PREFIXES, octets: stream.len() };
    println!(
        "{} UPDATEs, {} prefixes, {} octets; best of {ROUNDS} rounds",
        work.messages, work.prefixes, work.octets
    );

    let mut copy = vec![0; stream.len()];
    let copied = best(|| copy.copy_from_slice(black_box(&stream)));
    report("floor: copy the octets", &work, copied);
    let walked = best(|| {
        frames.iter().for_each(|frame| {
            black_box(walk(frame));
        });
    });
    report("floor: walk the fields", &work, walked);

    let parsed = best(|| {
        frames.iter().for_each(|frame| {
            let _ = black_box(Message::parse(frame, &facts));
        });
    });
    report("Message::parse", &work, parsed);

    let open = |asn| {
        let capabilities = vec![shunt::wire::bgp::Capability::FourOctetAs(Asn(asn))];
        let router_id = RouterId::from_bits(asn);
        Open { asn: Asn(asn), hold_time: 90, router_id, capabilities }
    };
    let mut hello = BytesMut::new();
    Message::Open(open(64501)).emit(&facts, &mut hello);
    let decoded = best(|| {
        let mut decoder = Decoder::new(open(64500));
        decoder.feed(&hello);
        for chunk in stream.chunks(65536) {
            decoder.feed(chunk);
            while let Some(message) = decoder.next() {
                let _ = black_box(message);
            }
        }
    });
    report("Decoder, reads of 64 KiB", &work, decoded);

    let mut out = BytesMut::with_capacity(stream.len());
    let emitted = best(|| {
        out.clear();
        for (attributes, nlri) in &sets {
            let _ = emit_routes(&[], Some((attributes, nlri)), &facts, &mut out);
        }
    });
    report("emit_routes", &work, emitted);

    let all: Vec<Nlri> = sets.iter().flat_map(|(_, nlri)| nlri.iter().copied()).collect();
    let mut packed = 0;
    let emitted = best(|| {
        out.clear();
        packed = emit_routes(&[], Some((&sets[0].0, &all)), &facts, &mut out).unwrap_or(0);
    });
    let work = Work { messages: packed, prefixes: all.len(), octets: out.len() };
    report("emit_routes, full messages", &work, emitted);
    let mut frames = Vec::new();
    let mut rest = &out[..];
    while let Ok(Some(length)) = frame_length(rest, false) {
        let (frame, behind) = rest.split_at(length);
        frames.push(frame);
        rest = behind;
    }
    let parsed = best(|| {
        frames.iter().for_each(|frame| {
            let _ = black_box(Message::parse(frame, &facts));
        });
    });
    report("Message::parse, full messages", &work, parsed);
}
