//! One message, its first octet choosing the session.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use shunt::types::Family;
use shunt::wire::bgp::{Message, SessionFacts, emit_routes, frame_length};

fuzz_target!(|input: &[u8]| {
    let Some((bits, frame)) = input.split_first() else { return };
    let facts = SessionFacts {
        ebgp: bits & 1 != 0,
        four_octet_as: bits & 2 != 0,
        extended_message: bits & 4 != 0,
        extended_next_hop: bits & 8 != 0,
        families: Family::ALL.to_vec(),
        add_path: if bits & 16 != 0 { Family::ALL.to_vec() } else { Vec::new() },
    };
    // The marker and the length are no puzzle worth the fuzzer's time.
    let mut frame = frame.to_vec();
    if let (Ok(length), true) = (u16::try_from(frame.len()), frame.len() >= 19) {
        frame[..16].fill(0xff);
        frame[16..18].copy_from_slice(&length.to_be_bytes());
    }
    let Ok(message) = Message::parse(&frame, &facts) else { return };
    let mut again = BytesMut::new();
    let Message::Update(update) = &message else {
        message.emit(&facts, &mut again);
        assert_eq!(Message::parse(&again, &facts).as_ref(), Ok(&message));
        return;
    };
    for routes in &update.announced {
        let announced = Some((&routes.attributes, routes.nlri.as_slice()));
        // Too long is an answer: AS4_PATH can make a path longer than its message.
        let _ = emit_routes(&update.withdrawn, announced, &facts, &mut again);
    }
    let mut rest = &again[..];
    while let Ok(Some(length)) = frame_length(rest, facts.extended_message) {
        let (frame, behind) = rest.split_at(length);
        match Message::parse(frame, &facts) {
            Ok(Message::Update(update)) => assert!(update.problems.is_empty(), "{update:?}"),
            other => panic!("{other:?}"),
        }
        rest = behind;
    }
    assert!(rest.is_empty());
});
