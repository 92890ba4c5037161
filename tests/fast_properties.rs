//! Whatever octets come, reading BFD, VRRP and link-local signalling does not panic; and what is written is read as the
//! same again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use shunt::types::RouterId;
use shunt::wire::bfd::{self, AuthenticationSection, Diagnostic, Packet, State};
use shunt::wire::ospf::{
    self, AreaId, Body, DatabaseDescription, ExtendedOptions, Frame, Options, Signature,
};
use shunt::wire::vrrp::{Advertisement, Checksum, Version};
use smallvec::SmallVec;

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn algorithm() -> impl Strategy<Value = bfd::Algorithm> {
    prop_oneof![
        Just(bfd::Algorithm::Simple),
        Just(bfd::Algorithm::KeyedMd5),
        Just(bfd::Algorithm::MeticulousMd5),
        Just(bfd::Algorithm::KeyedSha1),
        Just(bfd::Algorithm::MeticulousSha1),
    ]
}

fn section() -> impl Strategy<Value = AuthenticationSection> {
    (algorithm(), any::<u8>(), any::<u32>()).prop_map(|(algorithm, key_id, sequence)| {
        let sequence = if algorithm == bfd::Algorithm::Simple { 0 } else { sequence };
        AuthenticationSection { algorithm, key_id, sequence }
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let state =
        prop_oneof![Just(State::AdminDown), Just(State::Down), Just(State::Init), Just(State::Up)];
    let interval = || any::<u32>().prop_map(|micros| Duration::from_micros(micros.into()));
    let discriminators = (1..u32::MAX, any::<u32>());
    let intervals = (interval(), interval(), interval());
    let flags = any::<[bool; 4]>();
    (state, 0..32_u8, flags, 1..=u8::MAX, discriminators, intervals, option::of(section()))
        .prop_map(
            |(state, diagnostic, flags, multiplier, (my, your), intervals, authentication)| {
                Packet {
                    diagnostic: Diagnostic(diagnostic),
                    state,
                    poll: flags[0],
                    final_bit: flags[1],
                    control_plane_independent: flags[2],
                    demand: flags[3],
                    multiplier,
                    my_discriminator: my,
                    // Only Down and AdminDown may have none.
                    your_discriminator: if state > State::Down { your.max(1) } else { your },
                    desired_min_tx: intervals.0,
                    required_min_rx: intervals.1,
                    required_min_echo_rx: intervals.2,
                    authentication,
                }
            },
        )
}

fn addresses() -> impl Strategy<Value = (IpAddr, IpAddr, Vec<IpAddr>)> {
    let v4 = || any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    let v6 = || any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)));
    prop_oneof![(v4(), v4(), vec(v4(), 1..=255)), (v6(), v6(), vec(v6(), 1..=255))]
}

/// The ends of an advertisement, and how it is summed.
type Sent = (Advertisement, IpAddr, IpAddr, Checksum);

fn advertisement() -> impl Strategy<Value = Sent> {
    (addresses(), any::<[u8; 2]>(), 1..=4095_u16, any::<[bool; 2]>()).prop_map(
        |((source, destination, addresses), [vrid, priority], interval, [old, plain])| {
            let (version, interval) = match old && source.is_ipv4() {
                true => (Version::V2, 100 * (interval % 255 + 1)),
                false => (Version::V3, interval),
            };
            let plain = version == Version::V2 || (plain && source.is_ipv4());
            let checksum = if plain { Checksum::Plain } else { Checksum::PseudoHeader };
            let addresses = addresses.into();
            (
                Advertisement { version, vrid, priority, interval, addresses },
                source,
                destination,
                checksum,
            )
        },
    )
}

/// Octets that begin as a packet does, so that more than the first check is reached.
fn octets(start: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    (0..=start.len(), vec(any::<u8>(), 0..100))
        .prop_map(|(length, rest)| [&start[..length], &rest].concat())
}

fn description(options: u8) -> Body {
    Body::DatabaseDescription(DatabaseDescription {
        mtu: 1500,
        options: Options(options).with(Options::LINK_LOCAL_SIGNALLING),
        init: true,
        more: true,
        master: true,
        sequence: 1,
        headers: Vec::new(),
    })
}

proptest! {
    #[test]
    fn any_octets_are_a_bfd_packet_or_none(octets in octets(&[0x20, 0xc4, 3, 52, 0, 0, 0, 1, 0, 0, 0, 1])) {
        if let Ok(packet) = Packet::parse(&octets) {
            packet.verify(&octets, b"key");
            packet.verify(&[], b"key");
        }
    }

    #[test]
    fn a_bfd_packet_is_read_as_written(packet in packet(), secret in "[a-z]{1,24}") {
        let mut out = SmallVec::new();
        packet.emit(secret.as_bytes(), &mut out);
        prop_assert!(!out.spilled());
        prop_assert_eq!(Packet::parse(&out), Ok(packet));
        prop_assert_eq!(packet.verify(&out, secret.as_bytes()), packet.authentication.is_some());
    }

    #[test]
    fn any_octets_are_an_advertisement_or_none(octets in octets(&[0x31, 51, 100, 1, 0, 20]), old: bool) {
        let destination = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
        let mut octets = octets;
        if let (Some(first), true) = (octets.first_mut(), old) {
            *first = 0x21;
        }
        let _ = Advertisement::parse(&octets, IpAddr::V4(SOURCE), destination);
        let _ = Advertisement::parse(&octets, "fe80::1".parse().unwrap(), "ff02::12".parse().unwrap());
        let _ = Advertisement::parse(&octets, "fe80::1".parse().unwrap(), destination);
    }

    #[test]
    fn an_advertisement_is_read_as_written((advertisement, source, destination, checksum) in advertisement()) {
        let mut out = SmallVec::new();
        advertisement.emit(checksum, source, destination, &mut out);
        let read = Advertisement::parse(&out, source, destination);
        match read {
            // One address pair in 65,536 makes no difference to the sum.
            Ok((read, other)) if other != checksum => prop_assert_eq!(read, advertisement),
            read => prop_assert_eq!(read, Ok((advertisement, checksum))),
        }
    }

    #[test]
    fn any_octets_behind_a_packet_are_a_block_or_none(
        octets in octets(&[0, 0, 0, 13, 0, 1, 0, 4, 0, 0, 0, 16, 0, 2, 0, 36]),
        signed: bool,
    ) {
        let algorithm = ospf::Algorithm::HmacSha256;
        let signature = match signed {
            true => Signature::Cryptographic { key_id: 1, algorithm, key: b"key", sequence: 7 },
            false => Signature::Null,
        };
        let body = description(0);
        let router_id = RouterId::from_bits(1);
        let packet = ospf::emit(ospf::Version::V2, router_id, AreaId(0), &body, &signature, SOURCE);
        let packet = [&packet[..], &octets].concat();
        let frame = Frame::parse(&packet).unwrap();
        if let Ok(Some(block)) = frame.signalling(&body) {
            prop_assert!(!block.verify(algorithm, b"key", SOURCE));
        }
    }

    #[test]
    fn a_block_is_read_as_written(bits: u32, options: u8, kind in 0..4_u8, sequence: u64) {
        let algorithm = ospf::Algorithm::HmacSha1;
        let signature = match kind {
            0 => Signature::Null,
            1 => Signature::Simple(*b"password"),
            2 => Signature::Cryptographic { key_id: 1, algorithm, key: b"key", sequence: 7 },
            _ => Signature::Extended { key_id: 1, algorithm, key: b"key", sequence },
        };
        let body = description(options);
        let router_id = RouterId::from_bits(1);
        let mut packet =
            ospf::emit(ospf::Version::V2, router_id, AreaId(0), &body, &signature, SOURCE);
        ExtendedOptions(bits).emit(&signature, SOURCE, &mut packet);
        let frame = Frame::parse(&packet).unwrap();
        let block = frame.signalling(&body).unwrap().unwrap();
        prop_assert_eq!(block.extended_options, ExtendedOptions(bits));
        prop_assert_eq!(block.verify(algorithm, b"key", SOURCE), kind >= 2);
    }
}
