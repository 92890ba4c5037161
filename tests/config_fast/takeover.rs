use std::time::Duration;

use crate::{changed, check, read};

/// With the section before the others.
fn with(section: &str) -> String {
    changed("[bfd.profile.fast]", &format!("{section}\n[bfd.profile.fast]"))
}

#[track_caller]
fn check_section(lines: &str, expected: &str) {
    check("[bfd.profile.fast]", &format!("[takeover]\n{lines}\n[bfd.profile.fast]"), expected);
}

#[test]
fn conntrackd_is_run_as_its_own_script_does() {
    let config = read(&with("[takeover]\nconntrackd = \"/etc/c.conf\"\ntimeout = \"3s\"")).unwrap();
    let takeover = config.takeover;
    assert_eq!(takeover.timeout, Duration::from_secs(3));
    assert_eq!(takeover.commit.unwrap(), ["/usr/sbin/conntrackd", "-C", "/etc/c.conf", "-c"]);
    let options = |commands: &[Vec<String>]| {
        commands.iter().map(|words| words[3..].join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(options(&takeover.after), ["-f", "-R", "-B"]);
    assert_eq!(options(&takeover.release), ["-t", "-n"]);
}

#[test]
fn own_commands_go_behind_those_of_conntrackd() {
    let own = "after = [[\"/bin/a\", \"b c\"]]\nrelease = [[\"/bin/r\"], [\"/bin/s\"]]";
    let alone = read(&with(&format!("[takeover]\ncommit = [\"/bin/c\"]\n{own}"))).unwrap().takeover;
    assert_eq!(alone.commit.unwrap(), ["/bin/c"]);
    assert_eq!(alone.after, [["/bin/a", "b c"]]);
    assert_eq!(alone.release, [["/bin/r"], ["/bin/s"]]);

    let both = read(&with(&format!("[takeover]\nconntrackd = \"/c\"\n{own}"))).unwrap().takeover;
    assert_eq!((both.after.len(), both.release.len()), (4, 4));
    assert_eq!(both.after[3], ["/bin/a", "b c"]);
}

#[test]
fn a_command_is_a_list_of_words_that_begins_with_a_path() {
    check_section(
        r#"commit = "conntrackd -c""#,
        r#"
error: `commit` must be a list of words, not a string
 --> shunt.toml:8:10
  |
8 | commit = "conntrackd -c"
  |          ^^^^^^^^^^^^^^^ expected a list of words
  |
  = help: a list of words, without a shell: ["conntrackd", "-c"]
"#,
    );
    check_section(
        r#"commit = []
release = [["logger", "released"]]"#,
        r#"
error: `commit` is empty
 --> shunt.toml:8:10
  |
8 | commit = []
  |          ^^ expected a command
  |
  = help: a list of words, without a shell: ["/usr/bin/logger", "taken over"]

error: `logger` is not an absolute path
 --> shunt.toml:9:11
  |
9 | release = [["logger", "released"]]
  |           ^^^^^^^^^^^^^^^^^^^^^^^^ must begin with `/`
  |
  = help: no shell looks for it in $PATH
"#,
    );
    check_section(
        r#"commit = ["/bin/c", 5]
after = ["/usr/bin/logger", "taken"]"#,
        r#"
error: `commit` must be a list of words
 --> shunt.toml:8:10
  |
8 | commit = ["/bin/c", 5]
  |          ^^^^^^^^^^^^^ each word is a string in quotes

error: `after` must be a list of commands
 --> shunt.toml:9:9
  |
9 | after = ["/usr/bin/logger", "taken"]
  |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a command is a list of words
  |
  = help: in two brackets: [["/usr/bin/logger", "taken over"]]
"#,
    );
    check_section(
        r#"after = "/usr/bin/logger""#,
        r#"
error: `after` must be a list of commands, not a string
 --> shunt.toml:8:9
  |
8 | after = "/usr/bin/logger"
  |         ^^^^^^^^^^^^^^^^^ expected a list of commands
  |
  = help: in two brackets: [["/usr/bin/logger", "taken over"]]
"#,
    );
}

#[test]
fn connections_are_committed_by_one_command() {
    check_section(
        r#"conntrackd = "conntrackd.conf"
commit = ["/bin/c"]
timeout = "2m""#,
        r#"
error: `conntrackd.conf` is not an absolute path
 --> shunt.toml:8:14
  |
8 | conntrackd = "conntrackd.conf"
  |              ^^^^^^^^^^^^^^^^^ must begin with `/`

error: `commit` beside `conntrackd`
 --> shunt.toml:9:10
  |
8 | conntrackd = "conntrackd.conf"
  |              ----------------- already has one
9 | commit = ["/bin/c"]
  |          ^^^^^^^^^^ a second command to commit connections

error: `timeout` must be from 10ms to 60s
  --> shunt.toml:10:11
   |
10 | timeout = "2m"
   |           ^^^^ out of range
"#,
    );
}

#[test]
fn there_is_something_to_take_over() {
    check(
        r#"[vrrp.inside]
interface = "eth3"
id = 10
addresses = ["10.1.0.1"]
"#,
        r#"[takeover]
conntrackd = "/c"
"#,
        r#"
error: [takeover] without a virtual router
  --> shunt.toml:19:1
   |
19 | [takeover]
   | ^^^^^^^^^^ there is nothing to take over
   |
   = help: add a section such as [vrrp.inside]
"#,
    );
}

#[test]
fn conntrackd_has_one_table_for_all() {
    let two = r#"[takeover]
conntrackd = "/c"
[vrrp.outside]
interface = "eth0"
id = 1
addresses = ["198.18.0.1"]
"#;
    check(
        "[vrrp.inside]\n",
        &format!("{two}[vrrp.inside]\n"),
        r#"
error: `conntrackd` with virtual routers that change their roles separately
  --> shunt.toml:20:14
   |
20 | conntrackd = "/c"
   |              ^^^^ has one table of connections, for all of them
   |
   = help: give all virtual routers the same `sync-group`
"#,
    );
    let synced = format!("{two}sync-group = \"fw\"\n[vrrp.inside]\nsync-group = \"fw\"\n");
    assert!(read(&changed("[vrrp.inside]\n", &synced)).is_ok());
}
