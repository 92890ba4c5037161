//! The OSPF codec over all its values, over octets that mean nothing, and over damaged real packets.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use shunt::types::RouterId;
use shunt::wire::ospf::{
    Algorithm, AreaId, AuthenticationField, Body, DatabaseDescription, ExternalLsa, Frame, Grace,
    GraceReason, Hello, Link, LinkKind, Lsa, LsaBody, LsaHeader, LsaKey, LsaType, NetworkLsa,
    Options, RouterInformation, RouterLsa, SequenceNumber, Signature, SummaryLsa, Version, emit,
};

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn router_id() -> impl Strategy<Value = RouterId> {
    any::<u32>().prop_map(RouterId::from_bits)
}

fn options() -> impl Strategy<Value = Options> {
    any::<u8>().prop_map(Options)
}

fn key(kind: LsaType) -> impl Strategy<Value = LsaKey> {
    (address(), router_id()).prop_map(move |(link_state_id, advertising_router)| LsaKey {
        kind,
        link_state_id,
        advertising_router,
    })
}

fn any_key() -> impl Strategy<Value = LsaKey> {
    any::<u8>().prop_flat_map(|kind| key(LsaType(kind)))
}

/// The key of an opaque LSA with this opaque type.
fn opaque_key(kind: LsaType, opaque_type: u8) -> impl Strategy<Value = LsaKey> {
    (0u32..0x100_0000, router_id()).prop_map(move |(id, advertising_router)| LsaKey {
        kind,
        link_state_id: Ipv4Addr::from_bits(u32::from(opaque_type) << 24 | id),
        advertising_router,
    })
}

fn header() -> impl Strategy<Value = LsaHeader> {
    (any::<u16>(), options(), any_key(), any::<i32>(), any::<u16>(), any::<u16>()).prop_map(
        |(age, options, key, sequence, checksum, length)| LsaHeader {
            age,
            options,
            key,
            sequence: SequenceNumber(sequence),
            checksum,
            length,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    let kind = prop_oneof![
        Just(LinkKind::PointToPoint),
        Just(LinkKind::Transit),
        Just(LinkKind::Stub),
        Just(LinkKind::Virtual),
    ];
    (kind, address(), address(), any::<u16>()).prop_map(|(kind, id, data, metric)| Link {
        kind,
        id,
        data,
        metric,
    })
}

fn router() -> impl Strategy<Value = LsaBody> {
    (any::<[bool; 4]>(), vec(link(), 0..40)).prop_map(|(bits, links)| {
        let [virtual_link, boundary, border, translator] = bits;
        LsaBody::Router(RouterLsa { virtual_link, boundary, border, translator, links })
    })
}

fn network() -> impl Strategy<Value = LsaBody> {
    (address(), vec(router_id(), 0..40))
        .prop_map(|(mask, routers)| LsaBody::Network(NetworkLsa { mask, routers }))
}

fn summary() -> impl Strategy<Value = LsaBody> {
    (address(), 0..=0xff_ffffu32)
        .prop_map(|(mask, metric)| LsaBody::Summary(SummaryLsa { mask, metric }))
}

fn external() -> impl Strategy<Value = LsaBody> {
    (address(), any::<bool>(), 0..=0xff_ffffu32, address(), any::<u32>()).prop_map(
        |(mask, type_2, metric, forwarding_address, tag)| {
            LsaBody::External(ExternalLsa { mask, type_2, metric, forwarding_address, tag })
        },
    )
}

fn information() -> impl Strategy<Value = LsaBody> {
    (any::<Option<u32>>(), proptest::option::of("[a-zß-ü.-]{1,100}")).prop_map(
        |(capabilities, hostname)| {
            LsaBody::RouterInformation(Box::new(RouterInformation { capabilities, hostname }))
        },
    )
}

fn grace() -> impl Strategy<Value = LsaBody> {
    let reason = prop_oneof![
        Just(GraceReason::Unknown),
        Just(GraceReason::SoftwareRestart),
        Just(GraceReason::SoftwareUpgrade),
        Just(GraceReason::SwitchToRedundantProcessor),
        (4u8..).prop_map(GraceReason::Other),
    ];
    (any::<u32>(), reason, proptest::option::of(address()))
        .prop_map(|(period, reason, address)| LsaBody::Grace(Grace { period, reason, address }))
}

fn lsa() -> impl Strategy<Value = Lsa> {
    let content = prop_oneof![
        (key(LsaType::ROUTER), router()),
        (key(LsaType::NETWORK), network()),
        (key(LsaType::SUMMARY_NETWORK), summary()),
        (key(LsaType::SUMMARY_BOUNDARY), summary()),
        (key(LsaType::EXTERNAL), external()),
        (key(LsaType::NSSA), external()),
        (opaque_key(LsaType::OPAQUE_LINK, 3), grace()),
        (opaque_key(LsaType::OPAQUE_AREA, 4), information()),
        (opaque_key(LsaType::OPAQUE_AS, 4), information()),
        (opaque_key(LsaType::OPAQUE_AREA, 1), Just(LsaBody::Opaque)),
    ];
    (any::<u16>(), options(), any::<i32>(), content).prop_map(
        |(age, options, sequence, (key, body))| {
            Lsa::new(age, options, key, SequenceNumber(sequence), body)
        },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let intervals = (any::<u16>(), any::<u8>(), any::<u32>());
    (address(), options(), intervals, address(), address(), vec(router_id(), 0..20)).prop_map(
        |(network_mask, options, intervals, designated, backup, neighbors)| {
            let (hello_interval, priority, dead_interval) = intervals;
            Hello {
                network_mask,
                hello_interval,
                options,
                priority,
                dead_interval,
                designated,
                backup,
                neighbors,
            }
        },
    )
}

fn description() -> impl Strategy<Value = DatabaseDescription> {
    (any::<u16>(), options(), any::<[bool; 3]>(), any::<u32>(), vec(header(), 0..20)).prop_map(
        |(mtu, options, [init, more, master], sequence, headers)| DatabaseDescription {
            mtu,
            options,
            init,
            more,
            master,
            sequence,
            headers,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        hello().prop_map(Body::Hello),
        description().prop_map(Body::DatabaseDescription),
        vec(any_key(), 0..20).prop_map(Body::LinkStateRequest),
        vec(lsa(), 0..10).prop_map(|lsas| Body::LinkStateUpdate(lsas.into())),
        vec(header(), 0..20).prop_map(Body::LinkStateAcknowledgment),
    ]
}

#[derive(Clone, Debug)]
enum Signed {
    Null,
    Simple([u8; 8]),
    Cryptographic(u8, Algorithm, Vec<u8>, u32),
    Extended(u32, Algorithm, Vec<u8>, u64),
}

impl Signed {
    fn signature(&self) -> Signature<'_> {
        match self {
            Signed::Null => Signature::Null,
            Signed::Simple(password) => Signature::Simple(*password),
            Signed::Cryptographic(key_id, algorithm, key, sequence) => Signature::Cryptographic {
                key_id: *key_id,
                algorithm: *algorithm,
                key,
                sequence: *sequence,
            },
            Signed::Extended(key_id, algorithm, key, sequence) => Signature::Extended {
                key_id: *key_id,
                algorithm: *algorithm,
                key,
                sequence: *sequence,
            },
        }
    }
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::KeyedMd5),
        Just(Algorithm::HmacSha1),
        Just(Algorithm::HmacSha256),
        Just(Algorithm::HmacSha384),
        Just(Algorithm::HmacSha512),
    ]
}

fn signed() -> impl Strategy<Value = Signed> {
    let key = || vec(any::<u8>(), 1..=80);
    prop_oneof![
        Just(Signed::Null),
        any::<[u8; 8]>().prop_map(Signed::Simple),
        (any::<u8>(), algorithm(), key(), any::<u32>())
            .prop_map(|(id, algorithm, key, n)| Signed::Cryptographic(id, algorithm, key, n)),
        (any::<u32>(), algorithm(), key(), any::<u64>())
            .prop_map(|(id, algorithm, key, n)| Signed::Extended(id, algorithm, key, n)),
    ]
}

/// The packets of the golden files.
fn real_packets() -> &'static [Vec<u8>] {
    static PACKETS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    PACKETS.get_or_init(|| {
        let read = |file| {
            let path = format!("{}/tests/data/ospf/{file}.json", env!("CARGO_MANIFEST_DIR"));
            let text = fs::read_to_string(path).unwrap();
            serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap()
        };
        let rows = ["sessions", "authentication", "tcpdump"].into_iter().flat_map(read);
        rows.map(|row| {
            let digits = row["hex"].as_str().unwrap().to_owned();
            (0..digits.len() / 2)
                .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
                .collect()
        })
        .collect()
    })
}

/// Sets the checksum of a packet without a digest right, so that damage gets further than the header.
fn mend(packet: &mut [u8]) {
    if packet.len() < 24 {
        return;
    }
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]])).min(packet.len());
    packet[12..14].copy_from_slice(&[0, 0]);
    let covered = [&packet[..16], &packet[24.min(length)..length]].concat();
    let words = covered.chunks(2).map(|word| {
        u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or_default()]))
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[12..14].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// What could be read of a packet is written and read again, and is the same.
fn check_whatever_is_read(packet: &[u8]) {
    let Ok(frame) = Frame::parse(packet) else { return };
    let Ok(mut body) = frame.body() else { return };
    if let Body::LinkStateUpdate(update) = &mut body {
        update.refused.iter().for_each(|refused| assert!(!refused.to_string().is_empty()));
        update.refused.clear();
    }
    let source = Ipv4Addr::LOCALHOST;
    let written = emit(frame.version, frame.router_id, frame.area, &body, &Signature::Null, source);
    assert_eq!(Frame::parse(&written).unwrap().body().unwrap(), body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_again(
        body in body(),
        router_id in router_id(),
        area: u32,
        signed in signed(),
        source in address(),
    ) {
        let area = AreaId(area);
        let packet = emit(Version::V2, router_id, area, &body, &signed.signature(), source);
        let frame = Frame::parse(&packet).unwrap();
        prop_assert_eq!((frame.version, frame.router_id, frame.area, frame.kind),
            (Version::V2, router_id, area, body.kind()));
        prop_assert_eq!(frame.body().unwrap(), body);
        match (&signed, frame.authentication) {
            (Signed::Null, AuthenticationField::Null) => {}
            (Signed::Simple(password), AuthenticationField::Simple(_)) => {
                prop_assert!(frame.has_password(password));
            }
            (
                Signed::Cryptographic(id, algorithm, key, number),
                AuthenticationField::Cryptographic { key_id, digest_length, sequence },
            ) => {
                prop_assert_eq!((*id, *number), (key_id, sequence));
                prop_assert_eq!(digest_length, algorithm.digest_length());
                prop_assert!(frame.verify(*algorithm, key, source));
            }
            (
                Signed::Extended(id, algorithm, key, number),
                AuthenticationField::Extended { key_id, digest_length, sequence },
            ) => {
                prop_assert_eq!((*id, *number), (key_id, sequence));
                prop_assert_eq!(digest_length, algorithm.digest_length());
                prop_assert!(frame.verify(*algorithm, key, source));
                let elsewhere = Ipv4Addr::from_bits(source.to_bits() ^ 1);
                // Keyed MD5 has no padding that could hold the source.
                let covered = *algorithm != Algorithm::KeyedMd5;
                prop_assert_eq!(!frame.verify(*algorithm, key, elsewhere), covered);
            }
            (signed, field) => prop_assert!(false, "{:?} became {:?}", signed, field),
        }
    }

    /// Every cut is noticed: nothing is read from octets that are not there.
    #[test]
    fn a_cut_packet_is_refused(body in body(), signed in signed(), cut: prop::sample::Index) {
        let source = Ipv4Addr::LOCALHOST;
        let router_id = RouterId::from_bits(1);
        let packet =
            emit(Version::V2, router_id, AreaId(0), &body, &signed.signature(), source);
        prop_assert!(Frame::parse(&packet[..cut.index(packet.len())]).is_err());
    }

    #[test]
    fn random_octets_never_panic(
        mut packet in vec(any::<u8>(), 0..300),
        kind in 0u8..7,
        autype in 0u8..5,
        fitting: bool,
    ) {
        if packet.len() >= 24 {
            packet[0] = 2;
            packet[1] = kind;
            packet[14..16].copy_from_slice(&[0, autype]);
            if fitting {
                let length = packet.len() as u16;
                packet[2..4].copy_from_slice(&length.to_be_bytes());
            }
            mend(&mut packet);
        }
        check_whatever_is_read(&packet);
        let _ = Lsa::parse(&packet);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_real_packets_never_panic(
        which: prop::sample::Index,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut packet = which.get(real_packets()).clone();
        for (at, octet) in damage {
            let at = at.index(packet.len());
            packet[at] = octet;
        }
        mend(&mut packet);
        check_whatever_is_read(&packet);
    }
}

#[test]
fn a_bad_lsa_does_not_spoil_the_others() {
    let external = |tag| {
        let key = LsaKey {
            kind: LsaType::EXTERNAL,
            link_state_id: Ipv4Addr::new(10, 0, 0, 0),
            advertising_router: RouterId::from_bits(tag),
        };
        let body = LsaBody::External(ExternalLsa {
            mask: Ipv4Addr::BROADCAST,
            type_2: true,
            metric: 20,
            forwarding_address: Ipv4Addr::UNSPECIFIED,
            tag,
        });
        Lsa::new(1, Options::EXTERNAL, key, SequenceNumber::INITIAL, body)
    };
    let lsas: Vec<Lsa> = (1..=3).map(external).collect();
    let write = |lsas: &[Lsa]| {
        let body = Body::LinkStateUpdate(lsas.to_vec().into());
        let id = RouterId::from_bits(1);
        emit(Version::V2, id, AreaId(0), &body, &Signature::Null, Ipv4Addr::LOCALHOST)
    };
    let mut packet = write(&lsas);
    // The tag of the second one: header 24, count 4, 36 octets each.
    packet[24 + 4 + 36 + 35] ^= 1;
    mend(&mut packet);
    let Ok(Body::LinkStateUpdate(update)) = Frame::parse(&packet).unwrap().body() else { panic!() };
    assert_eq!(update.lsas, [lsas[0].clone(), lsas[2].clone()]);
    let refused: Vec<String> = update.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused, ["wrong LSA checksum (in LSA header at octet 80)"]);

    // With a length that leads nowhere, what follows cannot be found.
    for length in [0, 19, 500] {
        let mut packet = write(&lsas);
        packet[24 + 4 + 18..][..2].copy_from_slice(&u16::to_be_bytes(length));
        mend(&mut packet);
        let refused = Frame::parse(&packet).unwrap().body().unwrap_err();
        assert_eq!(refused.name(), "bad-lsa-length");
        let text = format!("LSA length {length} does not fit (in Link State Update at octet 46)");
        assert_eq!(refused.to_string(), text);
    }
    let mut packet = write(&lsas);
    packet[24 + 3] = 4;
    mend(&mut packet);
    assert_eq!(Frame::parse(&packet).unwrap().body().unwrap_err().name(), "truncated");
}

#[test]
fn a_packet_that_is_none_is_refused_by_name() {
    let hello = real_packets().iter().find(|packet| packet[1] == 1).unwrap();
    let changed = |at: usize, octet: u8| {
        let mut packet = hello.clone();
        packet[at] = octet;
        Frame::parse(&packet).unwrap_err()
    };
    assert_eq!(changed(0, 3).name(), "bad-version");
    assert_eq!(changed(0, 3).to_string(), "version 3 instead of 2 (in packet header at octet 0)");
    assert_eq!(changed(1, 0).name(), "bad-packet-type");
    assert_eq!(changed(1, 6).name(), "bad-packet-type");
    assert_eq!(changed(2, 9).name(), "bad-packet-length");
    assert_eq!(changed(3, 23).name(), "bad-packet-length");
    assert_eq!(changed(5, 99).name(), "bad-checksum");
    assert_eq!(changed(15, 4).name(), "bad-authentication-type");
    assert_eq!(changed(15, 3).name(), "truncated");
    assert_eq!(Frame::parse(&hello[..23]).unwrap_err().name(), "truncated");
}

/// Types have 32 bits in a request, and 8 in the LSA.
#[test]
fn a_request_for_an_impossible_type_is_refused() {
    let key = LsaKey {
        kind: LsaType::ROUTER,
        link_state_id: Ipv4Addr::LOCALHOST,
        advertising_router: RouterId::from_bits(1),
    };
    let body = Body::LinkStateRequest(vec![key, key]);
    let id = RouterId::from_bits(1);
    let mut packet = emit(Version::V2, id, AreaId(0), &body, &Signature::Null, Ipv4Addr::LOCALHOST);
    packet[24 + 12] = 1;
    mend(&mut packet);
    let refused = Frame::parse(&packet).unwrap().body().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "LSA type 16777217 is not known (in Link State Request at octet 36)"
    );
}
