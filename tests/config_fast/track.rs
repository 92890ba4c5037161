use std::time::Duration;

use shunt::config::{Command, TrackedObject};

use crate::{changed, check, check_router, read};

const TRACK: &str = "[[vrrp.inside.track]]\n";

fn track(lines: &str) -> (TrackedObject, u8) {
    let last = "addresses = [\"10.1.0.1\"]\n";
    let config = read(&changed(last, &format!("{last}{TRACK}{lines}"))).unwrap();
    let track = config.vrrp["inside"].tracks[0].clone();
    (track.object, track.lower_by)
}

#[test]
fn each_kind_of_object_is_read() {
    let name = || "eth1".to_owned();
    assert_eq!(track("interface = \"eth1\""), (TrackedObject::Interface(name()), 254));
    assert_eq!(
        track("route = \"0.0.0.0/0\"\nlower-by = 60"),
        (TrackedObject::Route("0.0.0.0/0".parse().unwrap()), 60)
    );
    assert_eq!(track("neighbor = \"core\"").0, TrackedObject::Neighbor("core".to_owned()));
    assert_eq!(track("ospf-interface = \"eth1\"").0, TrackedObject::OspfInterface(name()));
    assert_eq!(track("bfd = \"far\"").0, TrackedObject::Bfd("far".to_owned()));
    assert_eq!(track("file = \"/run/ok\"").0, TrackedObject::File("/run/ok".to_owned()));
    let command = |seconds: u64, timeout: u64, rise, fall| {
        TrackedObject::Command(Command {
            words: vec!["/bin/true".to_owned()],
            interval: Duration::from_secs(seconds),
            timeout: Duration::from_secs(timeout),
            rise,
            fall,
        })
    };
    assert_eq!(track("command = [\"/bin/true\"]").0, command(1, 1, 2, 2));
    let lines = "command = [\"/bin/true\"]\ninterval = \"5m\"\nrise = 1\nfall = 9";
    assert_eq!(track(lines).0, command(300, 60, 1, 9));
    assert_eq!(track(&format!("{lines}\ntimeout = \"7s\"")).0, command(300, 7, 1, 9));
}

#[test]
fn a_track_has_one_object() {
    check_router(
        "[[vrrp.inside.track]]\nlower-by = 50",
        r#"
error: [[vrrp.inside.track]] has nothing to track
  --> shunt.toml:23:1
   |
23 | [[vrrp.inside.track]]
   | ^^^^^^^^^^^^^^^^^^^^^ no object
   |
   = help: one of: interface, route, neighbor, ospf-interface, bfd, check, file, command
"#,
    );
    check_router(
        "[[vrrp.inside.track]]\nneighbor = \"core\"\nroute = \"0.0.0.0/0\"",
        r#"
error: `neighbor` beside `route`
  --> shunt.toml:24:12
   |
24 | neighbor = "core"
   |            ^^^^^^ one object for each track
25 | route = "0.0.0.0/0"
   |         ----------- tracks this
   |
   = help: add another section [[vrrp.inside.track]]
"#,
    );
    check_router(
        "[vrrp.inside.track]\nneighbor = \"core\"",
        r#"
error: there may be several tracks
  --> shunt.toml:23:1
   |
23 | [vrrp.inside.track]
   | ^^^^^^^^^^^^^^^^^^^ one section only
   |
   = help: write the section's head in double brackets: [[vrrp.inside.track]]
"#,
    );
    check_router(
        "track = []",
        r#"
error: `track` is empty
  --> shunt.toml:23:9
   |
23 | track = []
   |         ^^ expected at least one track
"#,
    );
}

#[test]
fn what_is_tracked_is_there() {
    check_router(
        r#"[[vrrp.inside.track]]
neighbor = "cor"
[[vrrp.inside.track]]
ospf-interface = "eth2"
[[vrrp.inside.track]]
bfd = "fra"
[[vrrp.inside.track]]
route = "0.0.0.0"
[[vrrp.inside.track]]
file = "ok"
[[vrrp.inside.track]]
interface = "an-interface-of-ours""#,
        r#"
error: unknown neighbor `cor`
  --> shunt.toml:24:12
   |
24 | neighbor = "cor"
   |            ^^^^^ the neighbors are: core
   |
   = help: did you mean `core`?

error: unknown OSPF interface `eth2`
  --> shunt.toml:26:18
   |
26 | ospf-interface = "eth2"
   |                  ^^^^^^ the OSPF interfaces are: eth1
   |
   = help: did you mean `eth1`?

error: unknown BFD session `fra`
  --> shunt.toml:28:7
   |
28 | bfd = "fra"
   |       ^^^^^ the BFD sessions are: far
   |
   = help: did you mean `far`?

error: `0.0.0.0` is not a prefix
  --> shunt.toml:30:9
   |
30 | route = "0.0.0.0"
   |         ^^^^^^^^^ expected ADDRESS/LENGTH
   |
   = help: did you mean `0.0.0.0/0`?

error: `ok` is not an absolute path
  --> shunt.toml:32:8
   |
32 | file = "ok"
   |        ^^^^ must begin with `/`

error: `an-interface-of-ours` cannot be an interface
  --> shunt.toml:34:13
   |
34 | interface = "an-interface-of-ours"
   |             ^^^^^^^^^^^^^^^^^^^^^^ the kernel's names have at most 15 letters
"#,
    );
    check(
        "[neighbor.core]\naddress = \"10.2.0.1\"\nremote-as = 64501\n",
        "[vrrp.outside]\ninterface = \"eth0\"\nid = 1\naddresses = [\"198.18.0.1\"]\n[[vrrp.outside.track]]\nneighbor = \"core\"\n",
        r#"
error: unknown neighbor `core`
  --> shunt.toml:16:12
   |
16 | neighbor = "core"
   |            ^^^^^^ there are no neighbors
   |
   = help: add a section [neighbor.core]
"#,
    );
}

#[test]
fn what_never_changes_is_not_tracked() {
    check_router(
        "[[vrrp.inside.track]]\ninterface = \"eth3\"",
        r#"
error: the virtual router's own interface is tracked
  --> shunt.toml:24:13
   |
20 | interface = "eth3"
   |             ------ its interface
...
24 | interface = "eth3"
   |             ^^^^^^ has no effect: without it there is no virtual router
"#,
    );
    check(
        "cost = 10",
        "passive = true\n[vrrp.outside]\ninterface = \"eth0\"\nid = 1\naddresses = [\"198.18.0.1\"]\n[[vrrp.outside.track]]\nospf-interface = \"eth1\"",
        r#"
error: `eth1` never has an OSPF neighbor
  --> shunt.toml:21:18
   |
21 | ospf-interface = "eth1"
   |                  ^^^^^^ a passive or loopback interface: always down
"#,
    );
    check_router(
        "[[vrrp.inside.track]]\nbfd = \"far\"\n[[vrrp.inside.track]]\nbfd = \"far\"\nlower-by = 5",
        r#"
error: the same is tracked twice
  --> shunt.toml:26:7
   |
24 | bfd = "far"
   |       ----- first here
25 | [[vrrp.inside.track]]
26 | bfd = "far"
   |       ^^^^^ again here
"#,
    );
}

#[test]
fn a_command_can_be_run_so() {
    check_router(
        r#"[[vrrp.inside.track]]
command = ["true"]
interval = "500ms"
timeout = "1s"
rise = 0
lower-by = 255"#,
        r#"
error: `true` is not an absolute path
  --> shunt.toml:24:11
   |
24 | command = ["true"]
   |           ^^^^^^^^ must begin with `/`
   |
   = help: no shell looks for it in $PATH

error: `timeout` must not be longer than `interval`
  --> shunt.toml:26:11
   |
25 | interval = "500ms"
   |            ------- the next run begins
26 | timeout = "1s"
   |           ^^^^ longer than 500ms

error: `rise` must be from 1 to 255
  --> shunt.toml:27:8
   |
27 | rise = 0
   |        ^ out of range

error: `lower-by` must be from 1 to 254
  --> shunt.toml:28:12
   |
28 | lower-by = 255
   |            ^^^ out of range
"#,
    );
    check_router(
        r#"[[vrrp.inside.track]]
file = "/run/ok"
interval = "5s"
fall = 3"#,
        r#"
error: `interval` without `command`
  --> shunt.toml:25:12
   |
25 | interval = "5s"
   |            ^^^^ has no effect

error: `fall` without `command`
  --> shunt.toml:26:8
   |
26 | fall = 3
   |        ^ has no effect
"#,
    );
}
