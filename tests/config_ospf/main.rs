//! Every mistake about OSPF is shown with its place and what to do.

mod area;
mod authentication;
mod interface;

use std::net::Ipv4Addr;
use std::time::Duration;

use shunt::config::{Config, Mistake, OspfExport, Secret, parse};
use shunt::ospf::{AreaKind, Authentication, How, NetworkKind};
use shunt::types::{Asn, Preference, RouterId, Wall};
use shunt::wire::ospf::{Algorithm, AreaId};

/// Each mistake is made by changing this one file.
const BASE: &str = r#"[node]
name = "inner1"
site = "dc1"
router-id = "192.0.2.11"
own-prefixes = ["203.0.113.0/24", "2001:db8:7::/48"]
[mapping.inside]
standby = { metric = 1000 }
primary = { metric = 100 }
[group.intranet]
prefixes = ["203.0.113.7/32"]
[ospf]
export = "groups"
class = "inside"
[ospf.interface.eth1]
cost = 10
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |file| match file {
        "8.secret" => Secret::from_file(b"12345678", 0o600),
        "16.secret" => Secret::from_file(&[b'x'; 16], 0o600),
        "17.secret" => Secret::from_file(&[b'x'; 17], 0o600),
        "open.secret" => Secret::from_file(b"key\n", 0o644),
        _ => Err("cannot be read: no such file".to_owned()),
    })
}

/// The mistakes of a text, as they are shown.
#[track_caller]
fn check_text(text: &str, expected: &str) {
    let mistakes = read(text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

/// Those of `BASE` with `from` replaced by `to`.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    check_text(&BASE.replacen(from, to, 1), expected);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read(BASE).unwrap();
    assert_eq!(config.node.asn, Asn(0));
    let settings = config.ospf_settings().unwrap();
    assert_eq!(settings.router_id, RouterId(Ipv4Addr::new(192, 0, 2, 11)));
    assert_eq!(settings.hostname, "inner1");
    assert_eq!((settings.area.id, settings.area.kind), (AreaId::BACKBONE, AreaKind::Normal));
    assert_eq!(settings.min_ls_interval, Duration::from_millis(1050));
    assert_eq!(settings.max_paths, 8);
    let eth1 = &settings.interfaces["eth1"];
    assert_eq!((eth1.network, eth1.passive, eth1.cost), (NetworkKind::Broadcast, false, 10));
    assert_eq!((eth1.hello_interval.as_secs(), eth1.dead_interval.as_secs()), (10, 40));
    assert_eq!((eth1.retransmit_interval.as_secs(), eth1.transmit_delay), (5, 1));
    assert_eq!((eth1.priority, eth1.mtu_ignore, eth1.address), (1, false, None));
    assert_eq!(eth1.authentication, Authentication::Null);
    let group = &config.groups["intranet"];
    assert_eq!((group.ospf, group.ospf_tag), (How::External2, 0));
    let distances = &config.distances;
    assert_eq!((distances.ebgp, distances.ibgp, distances.ospf), (20, 200, 110));
}

#[test]
fn what_is_set_is_taken() {
    let text = BASE
        .replace("[ospf]", "[kernel]\nmax-paths = 2\n[distance]\nospf = 30\n[ospf]\narea = 51")
        .replace("[ospf.interface", "area-type = \"nssa\"\nhostname = \"fw.dc1\"\n[ospf.interface")
        .replace("[group.intranet]", "[group.intranet]\nospf = \"external-1\"\nospf-tag = 7");
    let config = read(&text).unwrap();
    let ospf = config.ospf.as_ref().unwrap();
    assert_eq!((ospf.export, ospf.class.as_str()), (Some(OspfExport::Groups), "inside"));
    assert_eq!(config.mapping(&ospf.class).metric(Preference(150)), 1000);
    let settings = config.ospf_settings().unwrap();
    assert_eq!((settings.area.id, settings.area.kind), (AreaId(51), AreaKind::Nssa));
    assert_eq!((settings.hostname.as_str(), settings.max_paths), ("fw.dc1", 2));
    let group = &config.groups["intranet"];
    assert_eq!((group.ospf, group.ospf_tag), (How::External1, 7));
    assert_eq!((config.distances.ospf, config.distances.ebgp), (30, 20));
}

/// The policy is to be written down: without it nothing is announced, and `shunt status` can say so.
#[test]
fn nothing_is_announced_that_nobody_decided_on() {
    let config = read(&BASE.replace("export = \"groups\"\n", "")).unwrap();
    assert_eq!(config.ospf.unwrap().export, None);
    let config = read(&BASE.replace("\"groups\"", "\"none\"")).unwrap();
    assert_eq!(config.ospf.unwrap().export, Some(OspfExport::None));
    // And without a section there is no router.
    let (without, _) = BASE.split_once("[ospf]").unwrap();
    let config = read(without).unwrap();
    assert!(config.ospf.is_none() && config.ospf_settings().is_none());
}

#[test]
fn the_example_is_what_its_comments_say() {
    let text = include_str!("../../config/second-level.toml");
    let config = parse(text, "", &mut |_| Secret::from_file(b"key", 0o600)).unwrap();
    let settings = config.ospf_settings().unwrap();
    let kinds: Vec<_> = settings
        .interfaces
        .iter()
        .map(|(name, settings)| {
            (name.as_str(), settings.network, settings.priority, settings.passive)
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("eth1", NetworkKind::PointToPoint, 1, false),
            ("eth2.100", NetworkKind::Broadcast, 0, false),
            ("eth3", NetworkKind::Broadcast, 1, true),
        ]
    );
    let eth1 = &settings.interfaces["eth1"];
    assert_eq!((eth1.hello_interval.as_millis(), eth1.dead_interval.as_millis()), (200, 1000));
    let Authentication::Cryptographic { keys, extended: false } = &eth1.authentication else {
        panic!("{:?}", eth1.authentication);
    };
    let ids: Vec<_> = keys.iter().map(|key| (key.id, key.algorithm)).collect();
    assert_eq!(ids, [(1, Algorithm::HmacSha256), (2, Algorithm::HmacSha256)]);
    // 2027-01-01T00:00:00Z.
    let new_year = Wall::from_micros(1_798_761_600_000_000);
    let hour = Duration::from_secs(3600);
    assert_eq!(keys[0].send.as_ref().map(|send| send.end), Some(new_year));
    assert_eq!(keys[0].accept.as_ref().map(|accept| accept.end), Some(new_year + hour));
    assert_eq!(keys[1].send.as_ref().map(|send| send.start), Some(new_year));
    assert_eq!(keys[1].accept, None);
}
