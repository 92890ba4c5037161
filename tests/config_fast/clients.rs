//! The keys by which neighbours and OSPF interfaces use BFD and follow a role.

use shunt::config::BfdUse;

use crate::{changed, check, read};

const REMOTE: &str = "remote-as = 64501";

#[track_caller]
fn check_neighbor(lines: &str, expected: &str) {
    check(REMOTE, &format!("{REMOTE}\n{lines}"), expected);
}

#[track_caller]
fn check_interface(lines: &str, expected: &str) {
    check("cost = 10", &format!("cost = 10\n{lines}"), expected);
}

#[test]
fn a_neighbor_is_watched_on_the_link_or_over_several_hops() {
    let with = |remote: &str, lines: &str| {
        let lines = format!("{remote}\nlocal-address = \"10.2.0.2\"\n{lines}");
        read(&changed(REMOTE, &lines)).unwrap().neighbors["core"].clone()
    };
    let neighbor = with(REMOTE, "bfd = \"fast\"\nbfd-strict = true");
    assert_eq!(neighbor.bfd, Some(BfdUse { profile: "fast".to_owned(), strict: true }));

    let is_multihop =
        |remote, lines| with(remote, &format!("bfd = \"fast\"\n{lines}")).bfd_multihop;
    let internal = "remote-as = 64500";
    assert!(!is_multihop(REMOTE, ""));
    assert!(!is_multihop(REMOTE, "ttl-security = 1"));
    assert!(is_multihop(REMOTE, "ttl-security = 2"));
    assert!(is_multihop(REMOTE, "multihop = 2"));
    assert!(is_multihop(REMOTE, "bfd-multihop = true"));
    assert!(is_multihop(internal, ""));
    assert!(!is_multihop(internal, "ttl-security = 1"));
    assert!(!is_multihop(internal, "bfd-multihop = false"));
}

#[test]
fn a_session_over_several_hops_has_an_address_of_ours() {
    check(
        REMOTE,
        "remote-as = 64500\nbfd = \"fast\"",
        r#"
error: BFD over several hops needs our own address
  --> shunt.toml:14:7
   |
14 | bfd = "fast"
   |       ^^^^^^ `local-address` is missing
   |
   = help: add it, or `bfd-multihop = false` if the neighbor is on the link
"#,
    );
    check_neighbor(
        "bfd = \"fast\"\nbfd-multihop = true",
        r#"
error: BFD over several hops needs our own address
  --> shunt.toml:15:16
   |
15 | bfd-multihop = true
   |                ^^^^ `local-address` is missing
   |
   = help: add it, or `bfd-multihop = false` if the neighbor is on the link
"#,
    );
}

#[test]
fn a_profile_is_one_that_is_there() {
    check_neighbor(
        "bfd = \"fats\"",
        r#"
error: unknown BFD profile `fats`
  --> shunt.toml:14:7
   |
14 | bfd = "fats"
   |       ^^^^^^ the BFD profiles are: default, fast
   |
   = help: did you mean `fast`?
"#,
    );
    check_interface(
        "bfd = \"slow\"",
        r#"
error: unknown BFD profile `slow`
  --> shunt.toml:16:7
   |
16 | bfd = "slow"
   |       ^^^^^^ the BFD profiles are: default, fast
   |
   = help: add a section [bfd.profile.slow]
"#,
    );
}

#[test]
fn what_goes_with_bfd_does_nothing_alone() {
    check_neighbor(
        "bfd-strict = true\nbfd-multihop = true",
        r#"
error: `bfd-strict` without `bfd`
  --> shunt.toml:14:14
   |
14 | bfd-strict = true
   |              ^^^^ has no effect
   |
   = help: add a line such as `bfd = "default"`

error: `bfd-multihop` without `bfd`
  --> shunt.toml:15:16
   |
15 | bfd-multihop = true
   |                ^^^^ has no effect
   |
   = help: add a line such as `bfd = "default"`
"#,
    );
    check_interface(
        "bfd-strict = true",
        r#"
error: `bfd-strict` without `bfd`
  --> shunt.toml:16:14
   |
16 | bfd-strict = true
   |              ^^^^ has no effect
   |
   = help: add a line such as `bfd = "default"`
"#,
    );
}

#[test]
fn bfd_is_faster_than_the_protocol() {
    check(
        "multiplier = 5\n",
        "multiplier = 5\nreceive-interval = \"2s\"\n[neighbor.other]\naddress = \"10.2.0.9\"\nremote-as = 64502\nbfd = \"fast\"\nhold-time = \"9s\"\n",
        r#"
error: profile `fast` notices a failure no sooner than `hold-time`
  --> shunt.toml:13:7
   |
13 | bfd = "fast"
   |       ^^^^^^ after 10s, against 9s
14 | hold-time = "9s"
   |             ---- without BFD
   |
   = help: lower the intervals or the multiplier of the profile
"#,
    );
    check(
        "cost = 10",
        "bfd = \"slow\"\n[bfd.profile.slow]\ntransmit-interval = \"40s\"\nmultiplier = 1",
        r#"
error: profile `slow` notices a failure no sooner than `dead-interval`
  --> shunt.toml:15:7
   |
15 | bfd = "slow"
   |       ^^^^^^ after 40s, against 40s
   |
   = help: lower the intervals or the multiplier of the profile
"#,
    );
    // Without a hold time there is nothing to be faster than.
    let never = changed(REMOTE, "remote-as = 64501\nhold-time = \"0s\"\nbfd = \"fast\"");
    assert!(read(&never.replace("multiplier = 5", "receive-interval = \"60s\"")).is_ok());
}

#[test]
fn where_no_neighbor_is_nothing_is_watched() {
    check_interface(
        "passive = true\nbfd = \"fast\"",
        r#"
error: `bfd` on a passive interface
  --> shunt.toml:17:7
   |
16 | passive = true
   |           ---- passive
17 | bfd = "fast"
   |       ^^^^^^ has no effect: there are no neighbors
"#,
    );
    check_interface(
        "network = \"loopback\"\nbfd = \"fast\"",
        r#"
error: `bfd` on a loopback interface
  --> shunt.toml:17:7
   |
17 | bfd = "fast"
   |       ^^^^^^ has no effect: nothing is sent there
"#,
    );
}

#[test]
fn the_cost_of_an_interface_follows_a_role() {
    let follow = |lines: &str| {
        let config = read(&changed("cost = 10", &format!("cost = 10\n{lines}"))).unwrap();
        let follow = config.ospf.unwrap().follow["eth1"].clone();
        (follow.router, follow.backup_cost)
    };
    let inside = |cost| ("inside".to_owned(), cost);
    assert_eq!(follow("follow = \"inside\""), inside(1000));
    assert_eq!(follow("passive = true\nfollow = \"inside\"\nbackup-cost = 11"), inside(11));
    assert_eq!(follow("network = \"loopback\"\nfollow = \"inside\""), inside(1000));
    check_interface(
        "follow = \"outside\"\nbackup-cost = 10",
        r#"
error: unknown virtual router `outside`
  --> shunt.toml:16:10
   |
16 | follow = "outside"
   |          ^^^^^^^^^ the virtual routers are: inside
   |
   = help: add a section [vrrp.outside]

error: `backup-cost` must be higher than `cost`
  --> shunt.toml:17:15
   |
15 | cost = 10
   |        -- while it is active
16 | follow = "outside"
17 | backup-cost = 10
   |               ^^ 10 is not higher than 10
"#,
    );
    check_interface(
        "backup-cost = 100",
        r#"
error: `backup-cost` without `follow`
  --> shunt.toml:16:15
   |
16 | backup-cost = 100
   |               ^^^ has no effect
   |
   = help: name the virtual router: `follow = "inside"`
"#,
    );
    check(
        "cost = 10",
        "cost = 1000\nfollow = \"inside\"",
        r#"
error: `backup-cost` must be higher than `cost`
  --> shunt.toml:16:10
   |
15 | cost = 1000
   |        ---- while it is active
16 | follow = "inside"
   |          ^^^^^^^^ 1000 is not higher than 1000
"#,
    );
}
