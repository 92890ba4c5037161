use std::time::Duration;

use shunt::group::{Follow, OnLoss};
use shunt::types::Preference;

use crate::{changed, check, read};

const PREFIXES: &str = "prefixes = [\"203.0.113.7/32\"]";

#[track_caller]
fn check_group(lines: &str, expected: &str) {
    check(PREFIXES, &format!("{PREFIXES}\n{lines}"), expected);
}

#[test]
fn a_group_follows_a_virtual_router() {
    for (word, number) in [("\"none\"", 0), ("\"standby\"", 100), ("150", 150), ("0", 0)] {
        let lines = format!("{PREFIXES}\nfollow = \"inside\"\nbackup = {word}");
        let config = read(&changed(PREFIXES, &lines)).unwrap();
        let backup = Preference(number);
        let follow = Follow { router: "inside".to_owned(), backup };
        assert_eq!(config.groups["intranet"].follow, Some(follow));
    }
    check_group(
        r#"follow = "insid"
backup = "none""#,
        r#"
error: unknown virtual router `insid`
  --> shunt.toml:18:10
   |
18 | follow = "insid"
   |          ^^^^^^^ the virtual routers are: inside
   |
   = help: did you mean `inside`?
"#,
    );
    check_group(
        r#"follow = "inside""#,
        r#"
error: [group.intranet] has no `backup`
  --> shunt.toml:18:10
   |
18 | follow = "inside"
   |          ^^^^^^^^ `backup` is missing
   |
   = help: add `backup = "none"`, or a level that is lower than the base
"#,
    );
    check_group(
        r#"backup = "none""#,
        r#"
error: `backup` without `follow`
  --> shunt.toml:18:10
   |
18 | backup = "none"
   |          ^^^^^^ has no effect
   |
   = help: name the virtual router: `follow = "inside"`
"#,
    );
    check_group(
        r#"follow = "inside"
backup = "non""#,
        r#"
error: unknown level `non`
  --> shunt.toml:19:10
   |
19 | backup = "non"
   |          ^^^^^ the levels are: drain, primary, standby
"#,
    );
    check(
        "[vrrp.inside]\ninterface = \"eth3\"\nid = 10\naddresses = [\"10.1.0.1\"]\n",
        "[group.other]\nprefixes = [\"203.0.113.8/32\"]\nfollow = \"inside\"\nbackup = 0\n",
        r#"
error: unknown virtual router `inside`
  --> shunt.toml:21:10
   |
21 | follow = "inside"
   |          ^^^^^^^^ there are no virtual routers
   |
   = help: add a section [vrrp.inside]
"#,
    );
}

/// Otherwise the role makes no difference, and somebody has mistaken the level.
#[test]
fn a_backup_announces_less() {
    // A site without a base announces by orders only.
    let lines = format!("{PREFIXES}\nfollow = \"inside\"\nbackup = \"primary\"");
    let elsewhere = changed(PREFIXES, &lines).replace("site = \"dc1\"", "site = \"dc3\"");
    assert!(read(&elsewhere).is_ok());
    check_group(
        r#"follow = "inside"
backup = "primary""#,
        r#"
error: `backup` is not lower than the base of this site
  --> shunt.toml:19:10
   |
19 | backup = "primary"
   |          ^^^^^^^^^ the role would make no difference here
20 | base = { dc1 = "primary", dc2 = "standby" }
   |        ------------------------------------ the base
"#,
    );
}

#[test]
fn none_is_no_level() {
    check(
        "[bfd.profile.fast]",
        "[levels]\nnone = 5\n[bfd.profile.fast]",
        r#"
error: `none` cannot be a level
 --> shunt.toml:8:1
  |
8 | none = 5
  | ^^^^ stands for 0: not announced
"#,
    );
}

#[test]
fn a_group_may_outbid_who_has_died() {
    let on_loss = |lines: &str| {
        read(&changed(PREFIXES, &format!("{PREFIXES}\n{lines}"))).unwrap().groups["intranet"]
            .on_loss
    };
    let after = |secs| Some(OnLoss { return_after: Duration::from_secs(secs) });
    assert_eq!(on_loss("on-loss = \"raise\""), after(60));
    assert_eq!(on_loss("on-loss = \"raise\"\nreturn-after = \"5m\""), after(300));
    assert_eq!(on_loss("on-loss = \"keep\""), None);
    check_group(
        r#"return-after = "5m""#,
        r#"
error: `return-after` without `on-loss = "raise"`
  --> shunt.toml:18:16
   |
18 | return-after = "5m"
   |                ^^^^ has no effect: nothing was raised
"#,
    );
    check_group(
        r#"on-loss = "keep"
return-after = "25h""#,
        r#"
error: `return-after` must be from 0s to 24h
  --> shunt.toml:19:16
   |
19 | return-after = "25h"
   |                ^^^^^ out of range

error: `return-after` without `on-loss = "raise"`
  --> shunt.toml:19:16
   |
18 | on-loss = "keep"
   |           ------ keeps what is announced
19 | return-after = "25h"
   |                ^^^^^ has no effect: nothing was raised
"#,
    );
    check(
        "[ospf.interface.eth1]\ncost = 10\n[group.intranet]",
        "[group.intranet]\non-loss = \"raise\"",
        r#"
error: `on-loss = "raise"` without [ospf]
  --> shunt.toml:15:11
   |
15 | on-loss = "raise"
   |           ^^^^^^^ has no effect: it is for what an area is told
"#,
    );
}
