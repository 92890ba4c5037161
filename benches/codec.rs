//! Throughput of the BGP codec: `cargo bench --bench codec`.
//!
//! A deterministic set of realistic UPDATEs: eight prefixes for each attribute set, an AS path of four
//! or five numbers, communities on most. Each line is the best of several rounds, so that other work
//! on the machine shows least. The floors are what any codec has to do at least: copying the octets,
//! and walking over the attributes and prefixes without making anything of them.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use shunt::types::{Asn, Family, Prefix, Rng};
use shunt::wire::bgp::{
    AsPath, Attributes, Community, Decoder, LargeCommunity, Message, NextHop, Nlri, Open,
    SessionFacts, emit_routes, frame_length,
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

fn main() {
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
        let router_id = shunt::types::RouterId::from_bits(asn);
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
