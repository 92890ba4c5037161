use std::time::Duration;

use shunt::config::Vrrp;
use shunt::vrrp::Version;

use crate::{changed, check, check_router, read};

const ADDRESSES: &str = "addresses = [\"10.1.0.1\"]";

fn inside(addresses: &str, lines: &str) -> Vrrp {
    let text = changed(ADDRESSES, &format!("addresses = {addresses}\n{lines}"));
    read(&text).unwrap().vrrp["inside"].clone()
}

#[track_caller]
fn check_addresses(addresses: &str, expected: &str) {
    check(ADDRESSES, &format!("addresses = {addresses}"), expected);
}

/// Beside the other virtual router.
#[track_caller]
fn check_second(lines: &str, expected: &str) {
    check_router(&format!("[vrrp.second]\n{lines}"), expected);
}

#[test]
fn a_virtual_router_says_where_and_which() {
    check(
        "interface = \"eth3\"\nid = 10\n",
        "id = 0\n",
        r#"
error: [vrrp.inside] has no `interface`
  --> shunt.toml:19:1
   |
19 | [vrrp.inside]
   | ^^^^^^^^^^^^^ `interface` is missing
   |
   = help: add a line such as `interface = "eth1"`

error: `id` must be from 1 to 255
  --> shunt.toml:20:6
   |
20 | id = 0
   |      ^ out of range
"#,
    );
    check(
        ADDRESSES,
        "address = \"10.1.0.1\"",
        r#"
error: [vrrp.inside] has no `addresses`
  --> shunt.toml:19:1
   |
19 | [vrrp.inside]
   | ^^^^^^^^^^^^^ `addresses` is missing
   |
   = help: add a line such as `addresses = ["192.0.2.1"]`

error: unknown key `address`
  --> shunt.toml:22:1
   |
22 | address = "10.1.0.1"
   | ^^^^^^^ not a key of [vrrp.inside]
   |
   = help: did you mean `addresses`?
"#,
    );
    check(
        "[vrrp.inside]",
        "[vrrp.Inside]",
        r#"
error: `Inside` cannot be a name
  --> shunt.toml:19:7
   |
19 | [vrrp.Inside]
   |       ^^^^^^ a name is made of small letters, digits and `-`, at most 63 of them
"#,
    );
}

#[test]
fn the_addresses_are_of_one_family() {
    assert_eq!(inside(r#"["10.1.0.1", "10.1.0.2"]"#, "").addresses.len(), 2);
    assert!(inside(r#"["fe80::1", "2001:db8::1"]"#, "").is_ipv6());
    check_addresses(
        "[]",
        r#"
error: `addresses` is empty
  --> shunt.toml:22:13
   |
22 | addresses = []
   |             ^^ a virtual router has at least one address
"#,
    );
    check_addresses(
        r#"["10.1.0.1/24", "10.1.0.1", "10.1.0.1"]"#,
        r#"
error: `addresses` must be an address
  --> shunt.toml:22:14
   |
22 | addresses = ["10.1.0.1/24", "10.1.0.1", "10.1.0.1"]
   |              ^^^^^^^^^^^^^ not an address
   |
   = help: without a length: "10.1.0.1"

error: `addresses` names the same twice
  --> shunt.toml:22:41
   |
22 | addresses = ["10.1.0.1/24", "10.1.0.1", "10.1.0.1"]
   |                             ----------  ^^^^^^^^^^ again here
   |                             |
   |                             first here
"#,
    );
    check_addresses(
        r#"["10.1.0.1", "2001:db8::1"]"#,
        r#"
error: addresses of both families
  --> shunt.toml:22:26
   |
22 | addresses = ["10.1.0.1", "2001:db8::1"]
   |              ----------  ^^^^^^^^^^^^^ of the other family
   |              |
   |              of one family
   |
   = help: a virtual router has one family: add another section, perhaps with the same id
"#,
    );
    check_addresses(
        r#"["2001:db8::1", "fe80::1"]"#,
        r#"
error: the first IPv6 address of a virtual router must be link-local
  --> shunt.toml:22:14
   |
22 | addresses = ["2001:db8::1", "fe80::1"]
   |              ^^^^^^^^^^^^^ not link-local
   |
   = help: put one such as "fe80::1" first: hosts know their gateway by it (RFC 9568 §5.2.9)
"#,
    );
    let list = |numbers: std::ops::Range<u16>| {
        let addresses = numbers.map(|n| format!("\"fe80::{n:x}\"")).collect::<Vec<_>>();
        format!("[{}]", addresses.join(", "))
    };
    assert_eq!(inside(&list(1..91), "").addresses.len(), 90);
    let mistakes = read(&changed(ADDRESSES, &format!("addresses = {}", list(1..92)))).unwrap_err();
    assert_eq!(mistakes[0].message, "more than 90 addresses");
}

#[test]
fn an_interval_can_be_advertised() {
    let interval = |lines| inside(r#"["10.1.0.1"]"#, lines).interval;
    assert_eq!(interval("interval = \"10ms\""), Duration::from_millis(10));
    assert_eq!(interval("interval = \"40950ms\""), Duration::from_millis(40_950));
    assert_eq!(interval("version = 2\ninterval = \"255s\""), Duration::from_secs(255));
    for (lines, most) in [
        ("interval = \"15ms\"", "from 10ms to 40.95s, in steps of 10ms"),
        ("interval = \"0s\"", "from 10ms to 40.95s, in steps of 10ms"),
        ("interval = \"41s\"", "from 10ms to 40.95s, in steps of 10ms"),
        ("version = 2\ninterval = \"1500ms\"", "from 1s to 255s, in whole seconds"),
        ("version = 2\ninterval = \"256s\"", "from 1s to 255s, in whole seconds"),
    ] {
        let mistakes = read(&changed(ADDRESSES, &format!("{ADDRESSES}\n{lines}"))).unwrap_err();
        assert_eq!(mistakes.len(), 1);
        assert_eq!(mistakes[0].message, format!("`interval` must be {most}"));
    }
    check_router(
        "version = 4\ninterval = \"1ms\"",
        r#"
error: `version` must be from 2 to 3
  --> shunt.toml:23:11
   |
23 | version = 4
   |           ^ out of range
"#,
    );
    check_router(
        "version = 2\ninterval = \"100ms\"",
        r#"
error: `interval` must be from 1s to 255s, in whole seconds
  --> shunt.toml:24:12
   |
24 | interval = "100ms"
   |            ^^^^^^^ cannot be advertised
   |
   = help: version 3 has parts of a second
"#,
    );
}

#[test]
fn version_2_has_ipv4_and_one_checksum() {
    assert_eq!(inside(r#"["10.1.0.1"]"#, "version = 2").version, Version::V2);
    check(
        ADDRESSES,
        "addresses = [\"fe80::1\"]\nversion = 2\nchecksum = \"plain\"",
        r#"
error: IPv6 addresses in version 2
  --> shunt.toml:22:13
   |
22 | addresses = ["fe80::1"]
   |             ^^^^^^^^^^^ IPv6 is in version 3 only
23 | version = 2
   |           - version 2 (RFC 3768)

error: `checksum` is for IPv4 in version 3
  --> shunt.toml:24:12
   |
24 | checksum = "plain"
   |            ^^^^^^^ has no effect: there is one kind only here
"#,
    );
}

#[test]
fn the_owner_is_always_active() {
    check_router(
        r#"priority = 255
preempt = false
preempt-delay = "5s"
accept = false
[[vrrp.inside.track]]
neighbor = "core""#,
        r#"
error: `preempt` of the owner of the addresses
  --> shunt.toml:24:11
   |
23 | priority = 255
   |            --- the owner's priority
24 | preempt = false
   |           ^^^^^ has no effect: the owner always preempts (RFC 9568 §6.1)
   |
   = help: a router that does not have the addresses itself has 254 at most

error: `preempt-delay` of the owner of the addresses
  --> shunt.toml:25:17
   |
23 | priority = 255
   |            --- the owner's priority
24 | preempt = false
25 | preempt-delay = "5s"
   |                 ^^^^ has no effect: the owner preempts at once (RFC 9568 §6.1)
   |
   = help: a router that does not have the addresses itself has 254 at most

error: `accept` of the owner of the addresses
  --> shunt.toml:26:10
   |
23 | priority = 255
   |            --- the owner's priority
...
26 | accept = false
   |          ^^^^^ has no effect: the owner always answers (RFC 9568 §6.1)
   |
   = help: a router that does not have the addresses itself has 254 at most

error: `track` of the owner of the addresses
  --> shunt.toml:27:1
   |
23 | priority = 255
   |            --- the owner's priority
...
27 | [[vrrp.inside.track]]
   | ^^^^^^^^^^^^^^^^^^^^^ has no effect: the owner always has priority 255 (RFC 9568 §6.1)
   |
   = help: a router that does not have the addresses itself has 254 at most
"#,
    );
    // Its own address is the virtual router's.
    let owner = inside(r#"["10.1.0.1"]"#, "priority = 255\nsource-address = \"10.1.0.1\"");
    assert_eq!(owner.priority, 255);
}

#[test]
fn numbers_and_words_have_their_ranges() {
    check_router(
        r#"priority = 256
preempt = "yes"
preempt-delay = "2h"
mac = "vmac"
announcements = 0
announcement-interval = "1ms"
sync-group = "Firewall"
twin = "192.0.2.11""#,
        r#"
error: `priority` must be from 1 to 255
  --> shunt.toml:23:12
   |
23 | priority = 256
   |            ^^^ out of range

error: `preempt` must be true or false, not a string
  --> shunt.toml:24:11
   |
24 | preempt = "yes"
   |           ^^^^^ expected true or false

error: `preempt-delay` must be from 0s to 1h
  --> shunt.toml:25:17
   |
25 | preempt-delay = "2h"
   |                 ^^^^ out of range

error: `mac` cannot be `vmac`
  --> shunt.toml:26:7
   |
26 | mac = "vmac"
   |       ^^^^^^ expected one of: virtual, physical

error: `announcements` must be from 1 to 255
  --> shunt.toml:27:17
   |
27 | announcements = 0
   |                 ^ out of range

error: `announcement-interval` must be from 10ms to 60s
  --> shunt.toml:28:25
   |
28 | announcement-interval = "1ms"
   |                         ^^^^^ out of range

error: `Firewall` cannot be a name
  --> shunt.toml:29:14
   |
29 | sync-group = "Firewall"
   |              ^^^^^^^^^^ a name is made of small letters, digits and `-`, at most 63 of them

error: `twin` is our own router id
  --> shunt.toml:30:8
   |
30 | twin = "192.0.2.11"
   |        ^^^^^^^^^^^^ expected that of the other node
"#,
    );
    check_router(
        "preempt = false\npreempt-delay = \"5s\"",
        r#"
error: `preempt-delay` without preemption
  --> shunt.toml:24:17
   |
23 | preempt = false
   |           ----- turned off
24 | preempt-delay = "5s"
   |                 ^^^^ has no effect
"#,
    );
}

#[test]
fn advertisements_come_from_an_address_of_ours() {
    check_router(
        "source-address = \"10.1.0.1\"",
        r#"
error: `source-address` is an address of the virtual router
  --> shunt.toml:23:18
   |
23 | source-address = "10.1.0.1"
   |                  ^^^^^^^^^^ we have it only while we are active
   |
   = help: name an address of the interface itself
"#,
    );
    check_router(
        "source-address = \"fe80::2\"",
        r#"
error: `source-address` is of the other address family
  --> shunt.toml:23:18
   |
22 | addresses = ["10.1.0.1"]
   |             ------------ the virtual router's
23 | source-address = "fe80::2"
   |                  ^^^^^^^^^ not IPv4
"#,
    );
    check(
        ADDRESSES,
        "addresses = [\"fe80::1\"]\nsource-address = \"2001:db8::2\"",
        r#"
error: `source-address` must be link-local
  --> shunt.toml:23:18
   |
23 | source-address = "2001:db8::2"
   |                  ^^^^^^^^^^^^^ not link-local (RFC 9568 §5.1.2.1)
"#,
    );
    let unicast = "source-address = \"2001:db8::2\"\nunicast-peers = [\"2001:db8::3\"]";
    assert_eq!(inside(r#"["fe80::1"]"#, unicast).unicast_peers.len(), 1);
}

#[test]
fn peers_are_other_nodes() {
    let peers = inside(r#"["10.1.0.1"]"#, r#"unicast-peers = ["10.1.0.3", "10.9.0.3"]"#);
    assert_eq!(peers.unicast_peers.len(), 2);
    check_router(
        "unicast-peers = []",
        r#"
error: `unicast-peers` is empty
  --> shunt.toml:23:17
   |
23 | unicast-peers = []
   |                 ^^ nobody would hear us
   |
   = help: leave it out for multicast
"#,
    );
    check_router(
        r#"unicast-peers = ["fe80::3", "10.1.0.1"]"#,
        r#"
error: fe80::3 is of the other address family
  --> shunt.toml:23:17
   |
22 | addresses = ["10.1.0.1"]
   |             ------------ the virtual router's
23 | unicast-peers = ["fe80::3", "10.1.0.1"]
   |                 ^^^^^^^^^^^^^^^^^^^^^^^ not IPv4

error: 10.1.0.1 is not another node
  --> shunt.toml:23:17
   |
23 | unicast-peers = ["fe80::3", "10.1.0.1"]
   |                 ^^^^^^^^^^^^^^^^^^^^^^^ an address of the virtual router, or our own
   |
   = help: name the other node's own address on the link
"#,
    );
    check_router(
        r#"source-address = "10.1.0.2"
unicast-peers = ["10.1.0.2"]"#,
        r#"
error: 10.1.0.2 is not another node
  --> shunt.toml:24:17
   |
24 | unicast-peers = ["10.1.0.2"]
   |                 ^^^^^^^^^^^^ an address of the virtual router, or our own
   |
   = help: name the other node's own address on the link
"#,
    );
}

#[test]
fn an_id_is_once_on_a_link_and_in_a_family() {
    check_second(
        r#"interface = "eth3"
id = 10
addresses = ["10.1.0.9"]"#,
        r#"
error: two IPv4 virtual routers on eth3 have the id 10
  --> shunt.toml:25:6
   |
21 | id = 10
   |      -- first here
...
25 | id = 10
   |      ^^ again here
"#,
    );
    for lines in [
        "interface = \"eth0\"\nid = 10\naddresses = [\"10.1.0.9\"]",
        "interface = \"eth3\"\nid = 11\naddresses = [\"10.1.0.9\"]",
        "interface = \"eth3\"\nid = 10\naddresses = [\"fe80::1\"]",
    ] {
        assert!(read(&changed(ADDRESSES, &format!("{ADDRESSES}\n[vrrp.second]\n{lines}"))).is_ok());
    }
}

#[test]
fn an_address_is_of_one_virtual_router() {
    check_second(
        r#"interface = "eth0"
id = 10
addresses = ["10.1.0.1"]"#,
        r#"
error: two virtual routers have the address 10.1.0.1
  --> shunt.toml:26:13
   |
22 | addresses = ["10.1.0.1"]
   |             ------------ first here
...
26 | addresses = ["10.1.0.1"]
   |             ^^^^^^^^^^^^ again here
"#,
    );
    // Hosts on every link may have the same gateway there.
    let second = "[vrrp.second]\ninterface = \"eth0\"\nid = 1\naddresses = [\"fe80::1\"]";
    assert!(inside(r#"["fe80::1"]"#, second).is_ipv6());
}

#[test]
fn a_sync_group_has_members_that_agree() {
    check_router(
        r#"sync-group = "fw"
preempt-delay = "5s"
[vrrp.outside]
interface = "eth0"
id = 1
addresses = ["198.18.0.1"]
preempt = false
sync-group = "fw""#,
        r#"
error: the members of sync group `fw` differ in `preempt-delay`
  --> shunt.toml:25:1
   |
24 | preempt-delay = "5s"
   |                 ---- of [vrrp.inside]
25 | [vrrp.outside]
   | ^^^^^^^^^^^^^^ of [vrrp.outside]
   |
   = help: they change their roles together: give all of them the same

error: the members of sync group `fw` differ in `preempt`
  --> shunt.toml:29:11
   |
19 | [vrrp.inside]
   | ------------- of [vrrp.inside]
...
29 | preempt = false
   |           ^^^^^ of [vrrp.outside]
   |
   = help: they change their roles together: give all of them the same
"#,
    );
    check_router(
        r#"sync-group = "outside"
[vrrp.outside]
interface = "eth0"
id = 1
addresses = ["198.18.0.1"]
sync-group = "outsid""#,
        r#"
error: sync group `outside` has one member
  --> shunt.toml:23:14
   |
23 | sync-group = "outside"
   |              ^^^^^^^^^ there is nothing to keep in step with
   |
   = help: did you mean `outsid`?

error: `outside` is a virtual router as well
  --> shunt.toml:23:14
   |
23 | sync-group = "outside"
   |              ^^^^^^^^^ a sync group has another name

error: sync group `outsid` has one member
  --> shunt.toml:28:14
   |
28 | sync-group = "outsid"
   |              ^^^^^^^^ there is nothing to keep in step with
   |
   = help: did you mean `outside`?
"#,
    );
}
