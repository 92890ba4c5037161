//! Every mistake about BFD, VRRP and takeovers is shown with its place and what to do.

mod bfd;
mod clients;
mod group;
mod takeover;
mod track;
mod vrrp;

use std::net::IpAddr;
use std::time::Duration;

use shunt::bfd::{Algorithm, Path};
use shunt::config::{
    BfdProfile, BfdUse, Command, Config, Mistake, Secret, Takeover, TrackedObject, parse,
};
use shunt::group::{Follow, OnLoss};
use shunt::types::{Preference, RouterId};
use shunt::vrrp::{Checksum, MacKind, Version};

/// Each mistake is made by changing this one file.
const BASE: &str = r#"[node]
name = "fw1"
site = "dc1"
asn = 64500
router-id = "192.0.2.11"
own-prefixes = ["203.0.113.0/24"]
[bfd.profile.fast]
multiplier = 5
[bfd.session.far]
address = "192.0.2.12"
[neighbor.core]
address = "10.2.0.1"
remote-as = 64501
[ospf.interface.eth1]
cost = 10
[group.intranet]
prefixes = ["203.0.113.7/32"]
base = { dc1 = "primary", dc2 = "standby" }
[vrrp.inside]
interface = "eth3"
id = 10
addresses = ["10.1.0.1"]
"#;

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    parse(text, "shunt.toml", &mut |file| match file {
        "16.secret" => Secret::from_file(&[b'x'; 16], 0o600),
        "17.secret" => Secret::from_file(&[b'x'; 17], 0o600),
        "21.secret" => Secret::from_file(&[b'x'; 21], 0o600),
        _ => Err("cannot be read: no such file".to_owned()),
    })
}

/// `BASE` with `from` replaced by `to`.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "`{from}` is not in the file");
    BASE.replacen(from, to, 1)
}

/// The mistakes of that, as they are shown.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    let text = changed(from, to);
    let mistakes = read(&text).expect_err("no mistake was found");
    let shown: Vec<String> = mistakes.iter().map(|mistake| mistake.render(&text, false)).collect();
    assert_eq!(shown.join("\n\n"), expected.trim_matches('\n'));
}

/// Those of `BASE` with lines added at the end, which belong to `[vrrp.inside]`.
#[track_caller]
fn check_router(lines: &str, expected: &str) {
    let last = "addresses = [\"10.1.0.1\"]\n";
    check(last, &format!("{last}{lines}\n"), expected);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read(BASE).unwrap();
    let ms = Duration::from_millis;
    assert_eq!(*config.bfd_profile("default"), BfdProfile::BUILT_IN);
    let default = config.bfd_profile("default");
    assert_eq!((default.transmit_interval, default.receive_interval), (ms(50), ms(50)));
    assert_eq!((default.multiplier, default.authentication.as_ref()), (3, None));
    let fast = config.bfd_profile("fast");
    assert_eq!(
        (fast.transmit_interval, fast.receive_interval, fast.multiplier),
        (ms(50), ms(50), 5)
    );

    let session = &config.bfd_sessions["far"];
    assert_eq!((session.profile.as_str(), session.multihop), ("default", None));
    assert_eq!((session.local_address, &session.interface, session.router_id), (None, &None, None));

    let inside = &config.vrrp["inside"];
    assert_eq!((inside.version, inside.priority, inside.interval), (Version::V3, 100, ms(1000)));
    assert_eq!((inside.preempt, inside.preempt_delay, inside.accept), (true, ms(0), true));
    assert_eq!((inside.mac, inside.checksum), (MacKind::Virtual, Checksum::PseudoHeader));
    assert_eq!((inside.source, inside.unicast_peers.len()), (None, 0));
    assert_eq!((inside.announcements, inside.announcement_interval), (5, ms(1000)));
    assert_eq!((&inside.sync_group, inside.twin, inside.tracks.len()), (&None, None, 0));

    assert_eq!(config.takeover, Takeover::default());
    assert_eq!(config.takeover.timeout, ms(1000));
    let core = &config.neighbors["core"];
    assert_eq!((&core.bfd, core.bfd_multihop), (&None, false));
    assert!(config.ospf.as_ref().unwrap().bfd.is_empty());
    let group = &config.groups["intranet"];
    assert_eq!((&group.follow, group.on_loss), (&None, None));
}

#[test]
fn the_core_gets_what_is_configured() {
    let text = changed("id = 10", "id = 10\npriority = 7\ninterval = \"30ms\"\nmac = \"physical\"");
    let config = read(&text).unwrap();
    let settings = config.vrrp["inside"].settings(3);
    assert_eq!((settings.interface, settings.vrid, settings.priority), (3, 10, 7));
    assert_eq!(settings.interval, Duration::from_millis(30));
    assert_eq!((settings.virtual_mac(), settings.is_ipv6()), (None, false));

    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let path =
        Path::SingleHop { interface: 3, local: address("10.1.0.2"), remote: address("10.1.0.3") };
    let settings = config.bfd_profile("fast").settings(path);
    assert_eq!((settings.path, settings.multiplier), (path, 5));
    assert_eq!(config.bfd_profile("fast").detection_time(), Duration::from_millis(250));
}

#[test]
fn the_example_is_what_its_comments_say() {
    let text = include_str!("../../config/firewall.toml");
    let config = parse(text, "", &mut |_| Secret::from_file(b"key", 0o600)).unwrap();
    let twin = Some(RouterId("192.0.2.12".parse().unwrap()));

    let [inside, outside] = ["inside", "outside"].map(|name| &config.vrrp[name]);
    for router in [inside, outside] {
        assert_eq!((router.vrid, router.priority), (1, 150));
        assert_eq!(router.interval, Duration::from_millis(100));
        assert_eq!(router.sync_group.as_deref(), Some("firewall"));
    }
    assert_eq!(inside.twin, twin);
    let objects: Vec<_> =
        inside.tracks.iter().map(|track| (&track.object, track.lower_by)).collect();
    let command = Command {
        words: ["/usr/local/bin/proxy-is-well", "--quick"].map(str::to_owned).to_vec(),
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(1),
        rise: 2,
        fall: 3,
    };
    let expected =
        [TrackedObject::OspfInterface("eth1".to_owned()), TrackedObject::Command(command)];
    assert_eq!(objects, [(&expected[0], 60), (&expected[1], 60)]);

    let core = config.bfd_profile("core");
    assert_eq!(core.detection_time(), Duration::from_millis(60));
    let authentication = core.authentication.as_ref().unwrap();
    assert_eq!(
        (authentication.algorithm, authentication.keys[0].id),
        (Algorithm::MeticulousSha1, 1)
    );
    let session = &config.bfd_sessions["twin"];
    assert_eq!((session.multihop, session.router_id), (Some(3), twin));

    let ospf = config.ospf.as_ref().unwrap();
    assert_eq!(ospf.bfd["eth1"], BfdUse { profile: "core".to_owned(), strict: true });
    let follow = &ospf.follow["eth3"];
    assert_eq!((follow.router.as_str(), follow.backup_cost), ("inside", 1000));
    let group = &config.groups["intranet"];
    let backup = Preference(150);
    assert_eq!(group.follow, Some(Follow { router: "inside".to_owned(), backup }));
    assert_eq!(group.on_loss, Some(OnLoss { return_after: Duration::from_secs(120) }));

    let takeover = &config.takeover;
    assert_eq!(takeover.commit.as_ref().unwrap().last().unwrap(), "-c");
    assert_eq!((takeover.after.len(), takeover.release.len()), (4, 2));
}
