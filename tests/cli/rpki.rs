//! What the pretended daemon says about the RPKI: one cache is fine, one has been lost since.

use super::text;
use shunt::api::v1::*;

pub fn status() -> RpkiStatus {
    RpkiStatus { caches: 2, caches_with_data: 2, vrps: 512_345, rejected_paths: 17 }
}

pub fn rpki(request: &RpkiRequest) -> RpkiReply {
    let cache = |name: &str, address: &str, port| RpkiCache {
        name: text(name),
        address: text(address),
        port,
        state: text("idle"),
        version: 1,
        session_id: Some(10_705),
        serial: Some(412),
        vrps_ipv4: 401_233,
        vrps_ipv6: 111_112,
        age_us: Some(1_260_000_000),
        expires_in_us: Some(5_940_000_000),
        last_error: String::new(),
    };
    let lost = RpkiCache {
        state: text("waiting"),
        serial: Some(87),
        vrps_ipv4: 401_201,
        last_error: text("connection refused: nothing listens on 2001:db8::53 port 8282\u{1b}"),
        ..cache("second", "2001:db8::53", 8282)
    };
    let vrp = |prefix: &str, max_length, asn| Vrp { prefix: text(prefix), max_length, asn };
    let vrps = match request.prefix.as_str() {
        "10.0.0.0/8" => Vec::new(),
        _ => vec![vrp("192.0.2.0/24", 26, 64496), vrp("192.0.2.0/24", 24, 0)],
    };
    let state = match (request.origin_as, vrps.is_empty()) {
        (None, _) => "",
        (_, true) => "not-found",
        (Some(64496), _) => "valid",
        (Some(_), _) => "invalid",
    };
    let (prefix, origin_as) = (request.prefix.clone(), request.origin_as);
    let verdict = RpkiVerdict { prefix, origin_as, state: text(state), vrps };
    RpkiReply {
        caches: vec![cache("first", "192.0.2.53", 323), lost],
        vrps_ipv4: 401_233,
        vrps_ipv6: 111_112,
        rejected_paths: 17,
        revalidating: false,
        verdict: Some(verdict).filter(|verdict| !verdict.prefix.is_empty()),
    }
}
