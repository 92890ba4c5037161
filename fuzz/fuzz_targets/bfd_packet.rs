//! One BFD control packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shunt::wire::bfd::Packet;

fuzz_target!(|input: &[u8]| {
    let Ok(packet) = Packet::parse(input) else { return };
    packet.verify(input, b"key");
    let mut again = Default::default();
    packet.emit(b"key", &mut again);
    assert_eq!(Packet::parse(&again), Ok(packet));
    assert_eq!(packet.verify(&again, b"key"), packet.authentication.is_some());
});
