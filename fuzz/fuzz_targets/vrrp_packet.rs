//! One VRRP advertisement, over IPv4 or IPv6.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use shunt::wire::vrrp::Advertisement;

fuzz_target!(|input: &[u8]| {
    let Some((choice, octets)) = input.split_first() else { return };
    let (source, destination): (IpAddr, IpAddr) = match choice & 1 {
        0 => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(224, 0, 0, 18).into()),
        _ => (
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into(),
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
        ),
    };
    // The checksum is no puzzle worth the fuzzer's time: that of a version 2 message over all of the input, or of what a version
    // 3 one counts of it.
    let mut octets = octets.to_vec();
    if let [first, _, _, count, ..] = octets[..] {
        let address = if source.is_ipv4() { 4 } else { 16 };
        let trailer = if first >> 4 == 2 { 8 } else { 0 };
        let length = 8 + address * usize::from(count) + trailer;
        if let Some(message) = octets.get_mut(..length) {
            message[6..8].fill(0);
            let mut sum: u32 =
                message.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
            if source.is_ipv6() {
                let (IpAddr::V6(source), IpAddr::V6(destination)) = (source, destination) else {
                    return;
                };
                let words = source.segments().into_iter().chain(destination.segments());
                sum += words.map(u32::from).sum::<u32>() + length as u32 + 112;
            }
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            message[6..8].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
    }
    let Ok((advertisement, checksum)) = Advertisement::parse(&octets, source, destination) else {
        return;
    };
    let mut again = Default::default();
    advertisement.emit(checksum, source, destination, &mut again);
    let (read, _) =
        Advertisement::parse(&again, source, destination).expect("our own advertisement");
    assert_eq!(read, advertisement);
});
