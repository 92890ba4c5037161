//! Every error that RFC 7606 names in an UPDATE, with the reaction that it orders.

use shunt::types::{Family, Prefix};
use shunt::wire::bgp::{Message, Nlri, Notification, Reaction, SessionFacts, Update};

const ORIGIN: &str = "40010100";
const AS_PATH: &str = "4002060201 0000fde9";
const AS_PATH_TWO: &str = "4002040201 fde9";
const NEXT_HOP: &str = "400304c0000201";
const BASE: &str = "40010100 4002060201 0000fde9 400304c0000201";
/// 198.51.100.0/24
const NLRI: &str = "18c63364";
/// 2001:db8::/32 by 2001:db8::1
const REACH: &str = "800e1a 000201 10 20010db8000000000000000000000001 00 2020010db8";
/// 2001:db8::/32
const UNREACH: &str = "800f08 000201 2020010db8";

#[derive(Debug, PartialEq)]
enum Reaction7606 {
    /// Nothing is wrong: the routes are announced.
    Accept,
    /// The routes are announced without this attribute.
    Discard(u8),
    /// The routes are withdrawn because of this attribute.
    Withdraw(u8),
    /// The session ends with this code and subcode.
    Reset(u8, u8),
}
use Reaction7606::{Accept, Discard, Reset, Withdraw};

fn external() -> SessionFacts {
    SessionFacts {
        ebgp: true,
        four_octet_as: true,
        families: Family::ALL.to_vec(),
        ..SessionFacts::default()
    }
}

fn internal() -> SessionFacts {
    SessionFacts { ebgp: false, ..external() }
}

fn two_octets() -> SessionFacts {
    SessionFacts { four_octet_as: false, ..external() }
}

fn only(family: Family) -> SessionFacts {
    SessionFacts { families: vec![family], ..external() }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend(u16::try_from(body.len() + 19).unwrap().to_be_bytes());
    message.push(2);
    message.extend(body);
    message
}

fn update(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
    let mut body = u16::try_from(withdrawn.len()).unwrap().to_be_bytes().to_vec();
    body.extend(&withdrawn);
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(&attributes);
    body.extend(hex(nlri));
    frame(&body)
}

fn parse(message: &[u8], facts: &SessionFacts) -> Result<Update, Notification> {
    match Message::parse(message, facts)? {
        Message::Update(update) => Ok(update),
        other => panic!("{other:?}"),
    }
}

/// What was done about it; the prefixes must be on the right side.
fn reaction(result: &Result<Update, Notification>, prefixes: usize) -> Reaction7606 {
    let update = match result {
        Ok(update) => update,
        Err(notification) => return Reset(notification.code, notification.subcode),
    };
    let announced: usize = update.announced.iter().map(|routes| routes.nlri.len()).sum();
    let worst = update.problems.iter().max_by_key(|problem| problem.reaction);
    match worst {
        None => {
            assert_eq!(announced, prefixes);
            Accept
        }
        Some(problem) if problem.reaction == Reaction::AttributeDiscard => {
            assert_eq!(announced, prefixes);
            Discard(problem.attribute.unwrap_or(0))
        }
        Some(problem) => {
            assert_eq!((announced, update.withdrawn.len()), (0, prefixes));
            Withdraw(problem.attribute.unwrap_or(0))
        }
    }
}

#[test]
fn every_attribute_error_has_its_reaction() {
    let with = |attribute: &str| format!("{BASE} {attribute}");
    let origin = |value: &str| format!("{value} {AS_PATH} {NEXT_HOP}");
    let path = |value: &str| format!("{ORIGIN} {value} {NEXT_HOP}");
    let next_hop = |value: &str| format!("{ORIGIN} {AS_PATH} {value}");
    let reach = |value: &str| format!("{value} {ORIGIN} {AS_PATH}");
    let two = |more: &str| format!("{ORIGIN} {AS_PATH_TWO} {NEXT_HOP} {more}");
    let (ebgp, ibgp) = (external(), internal());

    // (what, session, attributes, prefixes in the body, reaction)
    let rows: Vec<(&str, &SessionFacts, String, &str, Reaction7606)> = vec![
        ("nothing wrong", &ebgp, BASE.into(), NLRI, Accept),
        ("nothing wrong, IPv6", &ebgp, reach(REACH), "", Accept),
        // §3 c: the Optional and Transitive bits.
        ("ORIGIN optional", &ebgp, origin("c0010100"), NLRI, Withdraw(1)),
        ("AS_PATH not transitive", &ebgp, path("0002060201 0000fde9"), NLRI, Withdraw(2)),
        ("NEXT_HOP optional", &ebgp, next_hop("800304c0000201"), NLRI, Withdraw(3)),
        ("MED transitive", &ebgp, with("c00404 00000001"), NLRI, Withdraw(4)),
        ("LOCAL_PREF optional", &ibgp, with("c00504 00000001"), NLRI, Withdraw(5)),
        ("ATOMIC_AGGREGATE optional", &ebgp, with("c00600"), NLRI, Withdraw(6)),
        ("AGGREGATOR well-known", &ebgp, with("400708 0000fde9 c0000201"), NLRI, Withdraw(7)),
        ("COMMUNITIES not transitive", &ebgp, with("800804 fde90001"), NLRI, Withdraw(8)),
        ("ORIGINATOR_ID transitive", &ibgp, with("c00904 c0000201"), NLRI, Withdraw(9)),
        ("CLUSTER_LIST transitive", &ibgp, with("c00a04 c0000201"), NLRI, Withdraw(10)),
        (
            "large communities not transitive",
            &ebgp,
            with("80200c 000000010000000200000003"),
            NLRI,
            Withdraw(32),
        ),
        // The Partial bit is not among those that count, nor are the unused ones.
        ("ORIGIN partial", &ebgp, origin("60010100"), NLRI, Accept),
        ("ORIGIN with unused bits", &ebgp, origin("4f010100"), NLRI, Accept),
        ("ORIGIN with extended length", &ebgp, origin("5001000100"), NLRI, Accept),
        // §3 d: missing.
        ("no ORIGIN", &ebgp, format!("{AS_PATH} {NEXT_HOP}"), NLRI, Withdraw(1)),
        ("no AS_PATH", &ebgp, format!("{ORIGIN} {NEXT_HOP}"), NLRI, Withdraw(2)),
        ("no NEXT_HOP", &ebgp, format!("{ORIGIN} {AS_PATH}"), NLRI, Withdraw(3)),
        ("no attributes at all", &ebgp, String::new(), NLRI, Withdraw(3)),
        ("IPv6 without ORIGIN", &ebgp, format!("{REACH} {AS_PATH}"), "", Withdraw(1)),
        ("IPv6 without AS_PATH", &ebgp, format!("{REACH} {ORIGIN}"), "", Withdraw(2)),
        // §3 g: twice.
        ("MED twice", &ebgp, with("800404 00000001 800404 00000002"), NLRI, Discard(4)),
        ("ORIGIN twice, the second malformed", &ebgp, with("400101 09"), NLRI, Discard(1)),
        ("ORIGIN twice, the first malformed", &ebgp, format!("40010109 {BASE}"), NLRI, Withdraw(1)),
        ("an unknown one twice", &ebgp, with("c0630100 c0630101"), NLRI, Discard(99)),
        (
            "MP_REACH_NLRI twice",
            &ebgp,
            format!("{REACH} {REACH} {ORIGIN} {AS_PATH}"),
            "",
            Reset(3, 1),
        ),
        ("MP_UNREACH_NLRI twice", &ebgp, format!("{UNREACH} {UNREACH}"), "", Reset(3, 1)),
        // §3 h: the strongest reaction wins.
        ("discard and withdraw", &ebgp, with("400601 00 800403 000001"), NLRI, Withdraw(4)),
        ("withdraw and reset", &ebgp, with("800403 000001 406300"), NLRI, Reset(3, 2)),
        // RFC 4271 §6.3, unchanged: a well-known attribute that nobody knows.
        ("unknown and well-known", &ebgp, with("406300"), NLRI, Reset(3, 2)),
        ("unknown and optional", &ebgp, with("806300"), NLRI, Accept),
        ("unknown and transitive", &ebgp, with("c06300"), NLRI, Accept),
        // §4: the list and its length.
        ("last attribute too long", &ebgp, with("800405 00000001"), NLRI, Withdraw(4)),
        ("one octet left", &ebgp, with("80"), NLRI, Withdraw(0)),
        ("two octets left", &ebgp, with("8004"), NLRI, Withdraw(4)),
        ("half an extended length left", &ebgp, with("900400"), NLRI, Withdraw(4)),
        ("first attribute swallows the rest", &ebgp, "4001ff00".into(), NLRI, Withdraw(3)),
        // §5.2: the error may have hidden the prefixes.
        ("too long, and no prefix", &ebgp, with("800405 00000001"), "", Reset(3, 1)),
        ("cut off alone, and no prefix", &ebgp, "400102".into(), "", Reset(3, 1)),
        ("one octet alone, and no prefix", &ebgp, "80".into(), "", Reset(3, 1)),
        ("MP_UNREACH_NLRI cut off", &ebgp, with("800f09 000201 2020010db8"), NLRI, Reset(3, 1)),
        ("MP_REACH_NLRI cut off", &ebgp, with(&REACH.replacen("1a", "1b", 1)), NLRI, Reset(3, 1)),
        ("bad MED, and no prefix", &ebgp, with("800403 000001"), "", Reset(3, 1)),
        ("bad AGGREGATOR, and no prefix", &ebgp, with("c00701 00"), "", Discard(7)),
        // §5.3: prefixes that cannot be read.
        ("IPv4 prefix of 33 bits", &ebgp, BASE.into(), "21c633640000", Reset(3, 10)),
        ("IPv4 prefix cut off", &ebgp, BASE.into(), "18c633", Reset(3, 10)),
        (
            "IPv6 prefix of 129 bits",
            &ebgp,
            reach(
                "800e27 000201 10 20010db8000000000000000000000001 00 8120010db8000000000000000000000001 00",
            ),
            "",
            Reset(3, 9),
        ),
        (
            "IPv6 prefix cut off",
            &ebgp,
            reach("800e19 000201 10 20010db8000000000000000000000001 00 2020010d"),
            "",
            Reset(3, 9),
        ),
        (
            "IPv6 withdrawal of 129 bits",
            &ebgp,
            "800f15 000201 8120010db8000000000000000000000001 00".into(),
            "",
            Reset(3, 9),
        ),
        ("IPv6 withdrawal cut off", &ebgp, "800f07 000201 2020010d".into(), "", Reset(3, 9)),
        ("MP_REACH_NLRI well-known", &ebgp, reach(&REACH.replacen("80", "40", 1)), "", Reset(3, 9)),
        ("MP_REACH_NLRI transitive", &ebgp, reach(&REACH.replacen("80", "c0", 1)), "", Reset(3, 9)),
        ("MP_UNREACH_NLRI transitive", &ebgp, UNREACH.replacen("80", "c0", 1), "", Reset(3, 9)),
        ("MP_REACH_NLRI of four octets", &ebgp, reach("800e04 00020100"), "", Reset(3, 9)),
        ("MP_UNREACH_NLRI of two octets", &ebgp, "800f02 0002".into(), "", Reset(3, 9)),
        // §7.1 ORIGIN
        ("ORIGIN empty", &ebgp, origin("400100"), NLRI, Withdraw(1)),
        ("ORIGIN of two octets", &ebgp, origin("4001020000"), NLRI, Withdraw(1)),
        ("ORIGIN 3", &ebgp, origin("40010103"), NLRI, Withdraw(1)),
        // §7.2 AS_PATH
        ("AS_PATH empty", &ebgp, path("400200"), NLRI, Accept),
        ("AS_PATH segment too long", &ebgp, path("4002060202 0000fde9"), NLRI, Withdraw(2)),
        ("AS_PATH with a stray octet", &ebgp, path("4002070201 0000fde9 02"), NLRI, Withdraw(2)),
        (
            "AS_PATH segment of no numbers",
            &ebgp,
            path("4002080201 0000fde9 0200"),
            NLRI,
            Withdraw(2),
        ),
        ("AS_PATH segment of type 5", &ebgp, path("4002060501 0000fde9"), NLRI, Withdraw(2)),
        ("AS_PATH segment of type 0", &ebgp, path("4002060001 0000fde9"), NLRI, Withdraw(2)),
        ("AS_PATH of two-octet numbers", &ebgp, path("4002040201 fde9"), NLRI, Withdraw(2)),
        // RFC 7607 §2 and RFC 5065 §5
        ("AS_PATH with AS 0", &ebgp, path("4002060201 00000000"), NLRI, Withdraw(2)),
        ("confederation from outside", &ebgp, path("4002060301 0000fde9"), NLRI, Withdraw(2)),
        ("confederation set from outside", &ebgp, path("4002060401 0000fde9"), NLRI, Withdraw(2)),
        ("confederation from inside", &ibgp, path("4002060301 0000fde9"), NLRI, Accept),
        // §7.3 NEXT_HOP
        ("NEXT_HOP of three octets", &ebgp, next_hop("400303c00002"), NLRI, Withdraw(3)),
        ("NEXT_HOP empty", &ebgp, next_hop("400300"), NLRI, Withdraw(3)),
        ("NEXT_HOP 0.0.0.0", &ebgp, next_hop("40030400000000"), NLRI, Withdraw(3)),
        ("NEXT_HOP of class D", &ebgp, next_hop("400304e0000001"), NLRI, Withdraw(3)),
        ("NEXT_HOP of class E", &ebgp, next_hop("400304f0000001"), NLRI, Withdraw(3)),
        ("NEXT_HOP broadcast", &ebgp, next_hop("400304ffffffff"), NLRI, Withdraw(3)),
        (
            "NEXT_HOP 0.0.0.0 beside IPv6 only",
            &ebgp,
            format!("{REACH} {ORIGIN} {AS_PATH} 40030400000000"),
            "",
            Accept,
        ),
        // §7.4 MULTI_EXIT_DISC
        ("MED of three octets", &ebgp, with("800403 000001"), NLRI, Withdraw(4)),
        ("MED empty", &ebgp, with("800400"), NLRI, Withdraw(4)),
        // §7.5 LOCAL_PREF
        ("LOCAL_PREF from outside", &ebgp, with("400504 00000001"), NLRI, Discard(5)),
        ("bad LOCAL_PREF from outside", &ebgp, with("400503 000001"), NLRI, Discard(5)),
        ("LOCAL_PREF from inside", &ibgp, with("400504 00000001"), NLRI, Accept),
        ("LOCAL_PREF of three octets", &ibgp, with("400503 000001"), NLRI, Withdraw(5)),
        // §7.6 ATOMIC_AGGREGATE
        ("ATOMIC_AGGREGATE of one octet", &ebgp, with("400601 00"), NLRI, Discard(6)),
        // §7.7 AGGREGATOR
        ("AGGREGATOR of six octets", &ebgp, with("c00706 fde9 c0000201"), NLRI, Discard(7)),
        ("AGGREGATOR empty", &ebgp, with("c00700"), NLRI, Discard(7)),
        ("AGGREGATOR with AS 0", &ebgp, with("c00708 00000000 c0000201"), NLRI, Discard(7)),
        // §7.8 COMMUNITIES
        ("COMMUNITIES of three octets", &ebgp, with("c00803 fde900"), NLRI, Withdraw(8)),
        ("COMMUNITIES empty", &ebgp, with("c00800"), NLRI, Withdraw(8)),
        // §7.9 ORIGINATOR_ID
        ("ORIGINATOR_ID from outside", &ebgp, with("800904 c0000201"), NLRI, Discard(9)),
        ("ORIGINATOR_ID of three octets", &ibgp, with("800903 c00002"), NLRI, Withdraw(9)),
        // §7.10 CLUSTER_LIST
        ("CLUSTER_LIST from outside", &ebgp, with("800a04 c0000201"), NLRI, Discard(10)),
        ("CLUSTER_LIST of five octets", &ibgp, with("800a05 c000020101"), NLRI, Withdraw(10)),
        ("CLUSTER_LIST empty", &ibgp, with("800a00"), NLRI, Withdraw(10)),
        // §7.11 MP_REACH_NLRI
        (
            "IPv6 next hop of four octets",
            &ebgp,
            reach("800e0e 000201 04 c0000201 00 2020010db8"),
            "",
            Reset(3, 9),
        ),
        (
            "IPv6 next hop longer than the attribute",
            &ebgp,
            reach("800e0a 000201 10 20010db80000"),
            "",
            Reset(3, 9),
        ),
        (
            "IPv6 next hop of 24 octets",
            &ebgp,
            reach(
                "800e22 000201 18 20010db8000000000000000000000001 0000000000000000 00 2020010db8",
            ),
            "",
            Reset(3, 9),
        ),
        (
            "IPv4 over IPv6 without RFC 8950",
            &ebgp,
            reach("800e19 000101 10 20010db8000000000000000000000001 00 18c63364"),
            "",
            Reset(3, 9),
        ),
        (
            "IPv6 next hop ::",
            &ebgp,
            reach("800e1a 000201 10 00000000000000000000000000000000 00 2020010db8"),
            "",
            Withdraw(14),
        ),
        (
            "IPv6 next hop multicast",
            &ebgp,
            reach("800e1a 000201 10 ff020000000000000000000000000001 00 2020010db8"),
            "",
            Withdraw(14),
        ),
        (
            "IPv4 in MP_REACH_NLRI by 0.0.0.0",
            &ebgp,
            reach("800e0d 000101 04 00000000 00 18c63364"),
            "",
            Withdraw(14),
        ),
        (
            "IPv4 in MP_REACH_NLRI",
            &ebgp,
            reach("800e0d 000101 04 c0000201 00 18c63364"),
            "",
            Accept,
        ),
        // §7.14 Extended communities; RFC 8092 §6; RFC 9234 §5
        (
            "extended communities of seven octets",
            &ebgp,
            with("c01007 00020000000000"),
            NLRI,
            Withdraw(16),
        ),
        ("extended communities empty", &ebgp, with("c01000"), NLRI, Withdraw(16)),
        (
            "large communities of eleven octets",
            &ebgp,
            with("c0200b 0000000100000002000000"),
            NLRI,
            Withdraw(32),
        ),
        ("large communities empty", &ebgp, with("c02000"), NLRI, Withdraw(32)),
        ("OTC of three octets", &ebgp, with("c02303 00fde9"), NLRI, Withdraw(35)),
        // RFC 6793 §4.1, §6
        (
            "AS4_PATH between four-octet speakers",
            &ebgp,
            with("c011060201 0000fde9"),
            NLRI,
            Discard(17),
        ),
        (
            "AS4_AGGREGATOR between four-octet speakers",
            &ebgp,
            with("c01208 0000fde9 c0000201"),
            NLRI,
            Discard(18),
        ),
    ];
    for (what, facts, attributes, nlri, expected) in rows {
        let prefixes = usize::from(!what.ends_with("and no prefix"));
        let result = parse(&update("", &attributes, nlri), facts);
        assert_eq!(reaction(&result, prefixes), expected, "{what}: {result:?}");
    }

    let old = two_octets();
    let rows: Vec<(&str, String, Reaction7606)> = vec![
        ("nothing wrong", two("c011060201 0000fde9"), Accept),
        ("AS4_PATH empty", two("c01100"), Discard(17)),
        ("AS4_PATH cut off", two("c011050201 0000fd"), Discard(17)),
        ("AS4_PATH with AS 0", two("c011060201 00000000"), Discard(17)),
        ("AS4_PATH segment of no numbers", two("c011020200"), Discard(17)),
        ("AS4_PATH segment of type 9", two("c011060901 0000fde9"), Discard(17)),
        ("AS4_AGGREGATOR of six octets", two("c01206 fde9 c0000201"), Discard(18)),
        ("AS4_AGGREGATOR with AS 0", two("c01208 00000000 c0000201"), Discard(18)),
        ("AGGREGATOR of eight octets", two("c00708 0000fde9 c0000201"), Discard(7)),
        ("AGGREGATOR of six octets", two("c00706 fde9 c0000201"), Accept),
        ("AS_PATH of four-octet numbers", format!("{BASE} "), Withdraw(2)),
    ];
    for (what, attributes, expected) in rows {
        let result = parse(&update("", &attributes, NLRI), &old);
        assert_eq!(reaction(&result, 1), expected, "two octets, {what}: {result:?}");
    }
}

#[test]
fn lengths_of_the_body_that_do_not_fit_end_the_session() {
    // RFC 7606 §3 b.
    for body in ["0001 0000", "0005 18c63364", "0000 0001", "0000 0005 40010100", "0000 00"] {
        let message = frame(&hex(body));
        let error = parse(&message, &external()).unwrap_err();
        let expected = if message.len() < 23 { (1, 2) } else { (3, 1) };
        assert_eq!((error.code, error.subcode), expected, "{body}");
    }
}

#[test]
fn withdrawn_routes_are_read_as_strictly_as_announced_ones() {
    // RFC 7606 §3 i.
    for field in ["21c633640000", "18c633"] {
        let error = parse(&update(field, "", ""), &external()).unwrap_err();
        assert_eq!((error.code, error.subcode), (3, 10), "{field}");
    }
}

#[test]
fn what_is_not_spoilt_by_an_error_stays() {
    let body: Prefix = "198.51.100.0/24".parse().unwrap();
    let gone: Prefix = "203.0.113.0/24".parse().unwrap();
    let six: Prefix = "2001:db8::/32".parse().unwrap();

    // Treat-as-withdraw takes the withdrawals of the message along, and both kinds of routes.
    let message =
        update("18cb0071", &format!("{REACH} {ORIGIN} {AS_PATH} {NEXT_HOP} 800400"), NLRI);
    let update_ = parse(&message, &external()).unwrap();
    assert_eq!(update_.withdrawn, [gone, body, six].map(Nlri::from));
    assert!(update_.announced.is_empty() && update_.end_of_rib.is_none());

    // Nothing that was discarded is handed on.
    let discarded = "400601 00 c00701 00 400504 00000001 800904 c0000201 800a04 c0000201 806301 00";
    let message = update("", &format!("{BASE} {discarded} c0630155 c0630166"), NLRI);
    let update_ = parse(&message, &external()).unwrap();
    let [routes] = update_.announced.as_slice() else { panic!("{update_:?}") };
    let clean = parse(&update("", BASE, NLRI), &external()).unwrap();
    assert_eq!(routes, &clean.announced[0]);
    assert_eq!(update_.problems.len(), 7);
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_ignored() {
    let six = format!("{REACH} {ORIGIN} {AS_PATH}");
    for (facts, attributes, nlri) in [
        (only(Family::Ipv4), six.as_str(), ""),
        (only(Family::Ipv4), UNREACH, ""),
        (only(Family::Ipv6), BASE, NLRI),
        // VPNv4, whose prefixes nobody here can read.
        (external(), "800f07 000180 01 02 03 04", ""),
    ] {
        let update = parse(&update("", attributes, nlri), &facts).unwrap();
        assert!(update.announced.is_empty() && update.withdrawn.is_empty(), "{update:?}");
        assert_eq!(update.end_of_rib, None);
        assert_eq!(update.problems.len(), 1, "{update:?}");
    }
}

#[test]
fn multicast_prefixes_are_ignored_and_the_others_stay() {
    // RFC 4271 §6.3. 224.0.0.0/3 is more than class D.
    let nlri = format!("04e0 20e0000001 {NLRI} 03e0");
    let update = parse(&update("", BASE, &nlri), &external()).unwrap();
    let kept: Vec<String> =
        update.announced[0].nlri.iter().map(|route| route.prefix.to_string()).collect();
    assert_eq!(kept, ["198.51.100.0/24", "224.0.0.0/3"]);
    assert_eq!(update.problems.len(), 2);
}

#[test]
fn host_bits_are_cut_and_both_forms_of_link_local_next_hop_are_read() {
    let update_ = parse(&update("", BASE, "17c63365 0155"), &external()).unwrap();
    let prefixes: Vec<String> =
        update_.announced[0].nlri.iter().map(|route| route.prefix.to_string()).collect();
    assert_eq!(prefixes, ["198.51.100.0/23", "0.0.0.0/1"]);

    let global = "20010db8000000000000000000000001";
    let local = "fe800000000000000000000000000001";
    let zero = "00000000000000000000000000000000";
    for (next_hop, shown) in [
        (format!("10 {global}"), "2001:db8::1"),
        (format!("10 {local}"), "fe80::1"),
        (format!("20 {global} {local}"), "2001:db8::1 (fe80::1)"),
        (format!("20 {zero} {local}"), "fe80::1"),
        (format!("20 {global} {global}"), "2001:db8::1"),
    ] {
        let value = format!("000201 {next_hop} 00 2020010db8");
        let length = hex(&value).len();
        let attributes = format!("800e{length:02x} {value} {ORIGIN} {AS_PATH}");
        let update = parse(&update("", &attributes, ""), &external()).unwrap();
        assert_eq!(update.announced[0].attributes.next_hop.to_string(), shown);
    }
}

#[test]
fn end_of_rib_is_exactly_that() {
    let facts = external();
    let end = |withdrawn, attributes: &str| {
        parse(&update(withdrawn, attributes, ""), &facts).unwrap().end_of_rib
    };
    assert_eq!(end("", ""), Some(Family::Ipv4));
    assert_eq!(end("", "800f03 000201"), Some(Family::Ipv6));
    assert_eq!(end("", "900f0003 000201"), Some(Family::Ipv6));
    assert_eq!(end("", "800f03 000101"), Some(Family::Ipv4));
    assert_eq!(end("18c63364", ""), None);
    assert_eq!(end("", UNREACH), None);
    assert_eq!(end("18c63364", "800f03 000201"), None);
    assert_eq!(end("", &format!("{ORIGIN} 800f03 000201")), None);
    assert_eq!(end("", "800f03 000180"), None);
}
