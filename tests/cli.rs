//! The real `shunt` against a daemon that only pretends: what is printed, and the exit codes.
//!
//! The texts stand in `docs/cli.md`: each command in it is run and must print what is written there.
//! `SHUNT_UPDATE_DOCS=1 cargo test --test cli` writes the present output into the file; read the difference.

#[path = "cli/mock.rs"]
mod mock;
#[path = "cli/switching.rs"]
mod switching;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use shunt::api::v1::{OrderRequest, RpkiRequest};

use mock::Mock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_shunt");

/// `shunt` with the given arguments, in an environment without surprises.
fn command(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("SHUNT_SOCKET", socket).stdin(Stdio::null());
    command
}

fn run(socket: &Path, arguments: &[&str]) -> Output {
    command(socket, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Runs a line of a documentation's console block as a shell would, and writes down what a reader sees.
fn transcript(mock: &Mock, line: &str) -> String {
    let bin = Path::new(PROGRAM).parent().unwrap().display();
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(mock.directory())
        .env_clear()
        .env("PATH", format!("{bin}:/usr/bin:/bin"))
        .env("SHUNT_SOCKET", mock.socket())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = stdout(&output) + &stderr(&output);
    if !output.status.success() {
        text.push_str(&format!("(exit code {})\n", code(&output)));
    }
    text.replace(&mock.socket().display().to_string(), "/run/shunt/shunt.sock")
}

#[test]
fn a_group_of_many_prefixes_is_shown_whole() {
    let mock = Mock::start();
    let output = run(&mock.socket(), &["groups", "large", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["groups"][0]["announcements"].as_array().unwrap().len(), 40_000);
}

#[test]
fn documentation_shows_what_is_printed() {
    for name in ["docs/cli.md", "docs/policy.md"] {
        shows_what_is_printed(name);
    }
}

fn shows_what_is_printed(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let written = fs::read_to_string(&path).unwrap();
    let mock = Mock::start();
    fs::write(mock.directory().join("shunt.toml"), include_str!("cli/good.toml")).unwrap();
    fs::write(mock.directory().join("policies.toml"), mock::policy::EXAMPLE).unwrap();
    fs::write(mock.directory().join("ledger"), mock::history::file()).unwrap();
    let edited = mock::history::file().replace("ticket 4711", "ticket 4712");
    fs::write(mock.directory().join("edited"), edited).unwrap();
    fs::write(mock.directory().join("draft.toml"), include_str!("cli/mistaken.toml")).unwrap();
    fs::write(mock.directory().join("edge9.crt"), include_str!("cli/edge9.crt")).unwrap();

    let mut present = String::new();
    let mut commands = 0;
    let mut in_console = false;
    for line in written.split_inclusive('\n') {
        match line.trim_end() {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ => {}
        }
        match line.strip_prefix("$ ").filter(|_| in_console) {
            Some(typed) => {
                commands += 1;
                present.push_str(line);
                present.push_str(&transcript(&mock, typed.trim_end()));
            }
            // What was printed the last time.
            None if in_console && line.trim_end() != "```console" => {}
            None => present.push_str(line),
        }
    }
    assert!(commands > 3, "only {commands} commands found in {name}");
    if std::env::var_os("SHUNT_UPDATE_DOCS").is_some() {
        fs::write(&path, &present).unwrap();
    } else if let Some((number, (is, was))) =
        present.lines().zip(written.lines()).enumerate().find(|(_, (is, was))| is != was)
    {
        panic!("{name}:{}: is now\n{is}\nnot\n{was}", number + 1);
    }
    if std::env::var_os("SHUNT_UPDATE_DOCS").is_none() {
        assert_eq!(present, written);
    }
}

#[test]
fn documentation_names_every_command() {
    let documentation = include_str!("../docs/cli.md");
    let nested = ["audit", "health", "mrt", "ospf", "pki", "plan", "policy", "switch", "vrrp"]
        .map(|name| subcommands(&[name]).into_iter().map(move |nested| format!("{name} {nested}")));
    for name in subcommands(&[]).into_iter().chain(nested.into_iter().flatten()) {
        assert!(documentation.contains(&format!("$ shunt {name}")), "shunt {name} is missing");
    }
}

/// What stands in `docs/drills.md` is understood.
#[test]
fn documented_drills_are_understood() {
    let mock = Mock::start();
    let written = include_str!("../docs/drills.md");
    let commands = written.lines().filter_map(|line| line.strip_prefix("$ "));
    let commands: Vec<String> =
        commands.map(|typed| typed.replace("drill payments", "drill --yes sick")).collect();
    assert!(commands.len() >= 2, "{commands:?}");
    for typed in commands {
        let text = transcript(&mock, &typed);
        assert!(!text.contains("(exit code 2)"), "{typed}: {text}");
    }
    // As the unit has it: its variables are split at blanks.
    let unit = include_str!("../config/shunt-drill@.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/")).unwrap();
    let drill = unit.lines().find_map(|line| line.strip_prefix("# DRILL=\"")).unwrap();
    let typed = line.replace("$DRILL", drill.trim_end_matches('"')).replace("5m", "10ms");
    let text = transcript(&mock, &typed.replace("${ALARM}", "true"));
    assert!(text.ends_with("drill of payments: passed\n"), "{typed}: {text}");
}

#[test]
fn json_is_the_message_as_the_daemon_sent_it() {
    let mock = Mock::start();
    let read = |arguments: &[&str]| -> Value {
        let output = run(&mock.socket(), &[arguments, &["--json"]].concat());
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{arguments:?}");
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    assert_eq!(read(&["status"]), json!(mock::status()));
    assert_eq!(read(&["neighbors"]), json!({ "neighbors": mock::neighbors() }));
    assert_eq!(read(&["neighbors", "isp-b"]), json!({ "neighbors": [mock::neighbors()[1]] }));
    assert_eq!(read(&["groups"]), json!(mock::groups()));
    assert_eq!(read(&["why", "198.51.100.7"]), json!(mock::why()));
    assert_eq!(read(&["ospf", "neighbors"]), json!(mock::ospf::neighbors()));
    let interfaces = json!({ "interfaces": mock::ospf::interfaces() });
    assert_eq!(read(&["ospf", "interfaces"]), interfaces);
    assert_eq!(read(&["bfd"]), json!(mock::fast::bfd("").unwrap()));
    assert_eq!(read(&["bfd", "far"]), json!(mock::fast::bfd("far").unwrap()));
    let asked = |prefix: &str, origin_as| RpkiRequest { prefix: prefix.to_owned(), origin_as };
    assert_eq!(read(&["rpki"]), json!(mock::rpki::rpki(&asked("", None))));
    let verdict = json!(mock::rpki::rpki(&asked("192.0.2.0/25", Some(64497))));
    assert_eq!(read(&["rpki", "192.0.2.0/25", "64497"]), verdict);
    assert_eq!(read(&["vrrp"]), json!(mock::fast::vrrp("").unwrap()));
    assert_eq!(read(&["health"]), json!(mock::health::health("").unwrap()));
    assert_eq!(read(&["health", "web"]), json!(mock::health::health("web").unwrap()));
    let tried = json!(mock::health::try_check("gateway").unwrap());
    assert_eq!(read(&["health", "try", "gateway"]), tried);
    let plan = mock::ospf::plan("198.51.100.7/32", "standby").unwrap();
    assert_eq!(read(&["plan", "prefer", "198.51.100.7/32", "standby"]), json!(plan));
    assert_eq!(read(&["version"]), json!({ "shunt": "0.1.0", "shuntd": "0.1.0" }));
    assert_eq!(read(&["refresh", "isp-a"]), json!({ "asked": ["isp-a"] }));
    assert_eq!(read(&["reload"])["changes"].as_array().unwrap().len(), 2);

    let request = OrderRequest {
        target: "payments".to_owned(),
        order: "prefer".to_owned(),
        level: "standby".to_owned(),
        timeout_us: 5_000_000,
        ..OrderRequest::default()
    };
    let expected = json!(mock::order(&request).unwrap());
    assert_eq!(read(&["prefer", "payments", "standby"]), expected);
    assert_eq!(*mock.orders.lock().unwrap(), [request]);
}

#[test]
fn streams_are_json_lines() {
    let mock = Mock::start();
    let lines = |output: &Output| -> Vec<Value> {
        stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let output = run(&mock.socket(), &["routes", "--json"]);
    assert_eq!(json!(lines(&output)), json!(mock::routes()));
    assert_eq!(code(&output), 0);

    let output = run(&mock.socket(), &["ospf", "database", "--json"]);
    assert_eq!(json!(lines(&output)), json!(mock::ospf::database()));
    let output = run(&mock.socket(), &["ospf", "database", "--type", "external", "--json"]);
    assert_eq!(json!(lines(&output)), json!(mock::ospf::database()[2..]));
    let output = run(&mock.socket(), &["ospf", "routes", "--json"]);
    assert_eq!(json!(lines(&output)), json!(mock::ospf::routes()));

    let output = run(&mock.socket(), &["events", "--json"]);
    assert_eq!(json!(lines(&output)), json!(mock::events()));
    assert_eq!(stderr(&output), "warning: 4 events missed\n");
    assert_eq!(code(&output), 0);
}

#[test]
fn a_table_is_dumped_octet_by_octet() {
    let mock = Mock::start();
    let octets = [vec![0; 100], vec![b'\n'; 100]].concat();
    let output = run(&mock.socket(), &["mrt", "dump", "-"]);
    assert_eq!((code(&output), &output.stdout), (0, &octets));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rib.mrt");
    fs::write(&file, "an older one").unwrap();
    let name = file.to_str().unwrap();
    let output = run(&mock.socket(), &["mrt", "dump", name, "--json"]);
    let written: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(written, json!({ "file": name, "prefixes": 3, "paths": 4, "octets": 200 }));
    assert_eq!(fs::read(&file).unwrap(), octets);
    // What is no file stays what it is.
    let output = run(&mock.socket(), &["mrt", "dump", "/dev/null"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn orders_carry_what_was_typed() {
    let mock = Mock::start();
    let order = |arguments: &[&str]| {
        let output = run(&mock.socket(), arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
        mock.orders.lock().unwrap().pop().unwrap()
    };
    let request = |order: &str| OrderRequest {
        target: "payments".to_owned(),
        order: order.to_owned(),
        timeout_us: 5_000_000,
        ..OrderRequest::default()
    };
    assert_eq!(order(&["announce", "payments"]), request("announce"));
    assert_eq!(
        order(&["announce", "payments", "--level", "150", "--for", "2h", "--reason", "drill"]),
        OrderRequest {
            level: "150".to_owned(),
            for_seconds: 7200,
            reason: "drill".to_owned(),
            ..request("announce")
        }
    );
    assert_eq!(
        order(&["withdraw", "payments", "--no-wait", "--for", "1d12h"]),
        OrderRequest { no_wait: true, for_seconds: 129_600, ..request("withdraw") }
    );
    assert_eq!(
        order(&["prefer", "payments", "drain", "--timeout", "300ms", "--for", "1500ms"]),
        OrderRequest {
            level: "drain".to_owned(),
            timeout_us: 300_000,
            for_seconds: 2,
            ..request("prefer")
        }
    );
    assert_eq!(
        order(&["release", "payments", "--reason", "over"]),
        OrderRequest { reason: "over".to_owned(), ..request("release") }
    );
    assert_eq!(
        order(&["drain", "--reason", "drill", "--for", "2h", "--no-wait"]),
        OrderRequest {
            target: String::new(),
            reason: "drill".to_owned(),
            for_seconds: 7200,
            no_wait: true,
            ..request("drain")
        }
    );
    assert_eq!(order(&["undrain"]), OrderRequest { target: String::new(), ..request("undrain") });
    let router = |order: &str| OrderRequest {
        target: "inside".to_owned(),
        timeout_us: 10_000_000,
        ..request(order)
    };
    assert_eq!(
        order(&["vrrp", "release", "inside", "--for", "30m", "--reason", "kernel update"]),
        OrderRequest {
            reason: "kernel update".to_owned(),
            for_seconds: 1800,
            ..router("vrrp-release")
        }
    );
    assert_eq!(
        order(&["vrrp", "resume", "inside", "--no-wait", "--timeout", "2s"]),
        OrderRequest { no_wait: true, timeout_us: 2_000_000, ..router("vrrp-resume") }
    );
}

#[test]
fn refusals_have_their_exit_codes() {
    let mock = Mock::start();
    mock.mistaken.store(true, Ordering::Relaxed);
    for (arguments, exit, says) in [
        (&["announce", "paymets"][..], 1, "did you mean `payments`?"),
        (&["announce", "192.0.2.0/24"], 1, "not within own-prefixes"),
        (&["announce", "full-disk"], 1, "nothing was changed"),
        (&["announce", "secret"], 4, "root or a member of group shunt"),
        (
            &["announce", "deaf"],
            5,
            "not acknowledged within 5 s by isp-b, and the session with core was lost meanwhile",
        ),
        (&["reload"], 6, "unknown key `adress`\n --> shunt.toml:3:1"),
        (&["neighbors", "isp-x"], 1, "did you mean `isp-a`?"),
        (&["ospf", "neighbors", "edge3"], 1, "did you mean `edge2`?"),
        (&["ospf", "database", "--router", "edge3"], 1, "did you mean `edge2`?"),
        (&["plan", "prefer", "203.0.113.0/24", "standby"], 1, "not announced by this node"),
        (&["why", "nonsense"], 1, "`nonsense` is not a prefix"),
        (&["bfd", "fr"], 1, "did you mean `far`?"),
        (&["vrrp", "insid"], 1, "did you mean `inside`?"),
        (&["vrrp", "release", "insid"], 1, "did you mean `inside`?"),
        (&["health", "wev"], 1, "did you mean `web`?"),
        (&["health", "try", "wev"], 1, "did you mean `web`?"),
        (
            &["vrrp", "release", "stuck", "--timeout", "2s"],
            5,
            "the order is in force, but stuck is releasing after 2 s",
        ),
        (&["routes", "--longer", "192.0.2.0/24"], 3, "shuntd is stopping"),
    ] {
        let output = run(&mock.socket(), arguments);
        assert_eq!(code(&output), exit, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
    // What is known is printed all the same.
    let output = run(&mock.socket(), &["announce", "deaf", "--json"]);
    let reply: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(reply["deliveries"][1]["outcome"], "timeout");
    assert_eq!(code(&output), 5);
}

#[test]
fn a_check_that_is_not_well_is_code_7() {
    let mock = Mock::start();
    for (check, exit) in [("gateway", 0), ("mail", 0), ("pool", 0), ("web", 7), ("database", 7)] {
        let output = run(&mock.socket(), &["health", "try", check]);
        // The answer says it all.
        assert_eq!((code(&output), stderr(&output).as_str()), (exit, ""), "{check}");
        assert!(stdout(&output).contains("the verdict is "), "{}", stdout(&output));
        let output = run(&mock.socket(), &["health", "try", check, "--json"]);
        let reply: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((code(&output), reply), (exit, json!(mock::health::try_check(check).unwrap())));
    }
}

#[test]
fn usage_errors_suggest_and_exit_with_2() {
    let nowhere = Path::new("/nonexistent");
    for (arguments, says) in [
        (&["anounce", "payments"][..], "a similar subcommand exists: 'announce'"),
        (&["routes", "--loger", "10.0.0.0/8"], "--longer"),
        (&["announce", "payments", "--for", "soon"], "write a time such as 90s, 2h or 1d12h"),
        (&["announce", "payments", "--timeout", "0s"], "write a time such as"),
        (&["prefer", "payments"], "<LEVEL>"),
        (&["routes", "--family", "ipv5"], "ipv4"),
        (&["events", "--last", "0"], "--last"),
        (&["ospf", "database", "--type", "nsa"], "nssa-external"),
        (&["plan", "prefer", "198.51.100.7/32"], "<LEVEL>"),
        (&["drain", "payments"], "unexpected argument 'payments'"),
        (&["vrrp", "release"], "<NAME>"),
        (&["health", "try"], "<CHECK>"),
        (&["vrrp", "resume", "inside", "--for", "2h"], "unexpected argument '--for'"),
        (&[], "Usage: shunt"),
    ] {
        let output = run(nowhere, arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

#[test]
fn check_needs_no_daemon_and_lists_mistakes() {
    let nowhere = Path::new("/nonexistent");
    let file = |name: &str| format!("{}/tests/cli/{name}", env!("CARGO_MANIFEST_DIR"));
    let check = |arguments: &[&str]| run(nowhere, &[&["check"], arguments].concat());
    let (good, mistaken) = (file("good.toml"), file("mistaken.toml"));

    let output = check(&[&good]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(stdout(&output), format!("{good}: good, 1 neighbor, 1 group\n"));
    let verdict: Value = serde_json::from_str(&stdout(&check(&[&good, "--json"]))).unwrap();
    assert_eq!(verdict, json!({ "mistakes": [] }));

    let output = check(&[&mistaken]);
    assert_eq!((code(&output), stdout(&output).as_str()), (6, ""));
    assert!(stderr(&output).contains("mistaken.toml:13:1"), "{}", stderr(&output));
    let output = check(&[&mistaken, "--json"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (6, ""));
    let verdict: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let lines: Vec<u64> = verdict["mistakes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mistake| mistake["place"]["line"].as_u64().unwrap())
        .collect();
    assert!(lines.contains(&10) && lines.contains(&13), "{lines:?}");

    let output = check(&["/nonexistent.toml"]);
    assert_eq!(code(&output), 1);
    assert_eq!(
        stderr(&output),
        "error: cannot read /nonexistent.toml: no such file or directory\n"
    );
}

#[test]
fn check_reads_secrets_beside_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shunt.toml");
    let text = include_str!("cli/good.toml").to_owned() + "password-file = \"isp-a.secret\"\n";
    fs::write(&file, text).unwrap();
    let check = || {
        let output = command(Path::new("/nonexistent"), &["check"]).arg(&file).output().unwrap();
        (code(&output), stderr(&output))
    };
    let (exit, says) = check();
    assert_eq!(exit, 6);
    assert!(says.contains("cannot be read: no such file or directory"), "{says}");

    let secret = directory.path().join("isp-a.secret");
    fs::write(&secret, "key\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let (exit, says) = check();
    assert_eq!(exit, 6);
    assert!(says.contains("is open to every user"), "{says}");

    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(), (0, String::new()));
}

#[test]
fn check_reads_a_firewall() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shunt.toml");
    let secret = directory.path().join("bfd-1.secret");
    fs::write(&secret, "key\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        command(Path::new("/nonexistent"), &["check"]).arg(&file).output().unwrap()
    };
    let example = include_str!("../config/firewall.toml");
    let output = check(example);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let says = format!("{}: good, 0 neighbors, 1 group, 2 virtual routers\n", file.display());
    assert_eq!(stdout(&output), says);

    let output = check(&example.replace("bfd = \"core\"", "bfd = \"cor\"").replace("id = 1\n", ""));
    assert_eq!((code(&output), stdout(&output).as_str()), (6, ""));
    let says = stderr(&output);
    for mistake in [
        "unknown BFD profile `cor`",
        "did you mean `core`?",
        "[vrrp.outside] has no `id`",
        "[vrrp.inside] has no `id`",
        "[[bfd.profile.core.key]] has no `id`",
    ] {
        assert!(says.contains(mistake), "{mistake}: {says}");
    }
    assert!(says.contains("shunt.toml has 4 mistakes"), "{says}");
}

#[test]
fn check_reads_checks() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shunt.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        command(Path::new("/nonexistent"), &["check"]).arg(&file).output().unwrap()
    };
    let example = include_str!("../config/service.toml");
    let output = check(example);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let says = format!("{}: good, 3 neighbors, 1 group, 13 checks\n", file.display());
    assert_eq!(stdout(&output), says);

    let output = check(&example.replace("address = \"10.0.0.80\"", "").replace("\"s8\"", "\"s9\""));
    assert_eq!((code(&output), stdout(&output).as_str()), (6, ""));
    let says = stderr(&output);
    for mistake in ["[check.web] has no `address`", "unknown check `s9`", "did you mean `s1`?"] {
        assert!(says.contains(mistake), "{mistake}: {says}");
    }
}

#[test]
fn a_missing_daemon_is_code_3() {
    let mut mock = Mock::start();
    let socket = mock.socket();
    mock.stop();
    // The socket is still there, and nobody behind it.
    let output = run(&socket, &["status"]);
    assert_eq!(code(&output), 3);
    let expected = format!("error: no shuntd at {}: connection refused\n", socket.display());
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));

    let gone = mock.directory().join("gone.sock");
    let output = command(&socket, &["status", "--socket"]).arg(&gone).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(
        stderr(&output).contains("gone.sock: no such file or directory"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("SHUNT_SOCKET"), "{}", stderr(&output));

    let output = run(&gone, &["version"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (3, "shunt 0.1.0\n"));
}

#[test]
fn a_daemon_that_goes_away_is_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("shunt.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 24]).unwrap();
        }
    });
    for arguments in [&["announce", "payments"][..], &["routes"], &["vrrp", "release", "gateway"]] {
        let output = run(&socket, arguments);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        let text = stderr(&output);
        assert!(text.contains("went away in the middle"), "{text}");
        assert!(
            text.contains("`shunt groups`, or with `shunt vrrp` for a virtual router"),
            "{text}"
        );
    }
    server.join().unwrap();
}

#[test]
fn a_socket_that_may_not_be_opened_is_code_4() {
    // Root may open every socket, so try as nobody, with a copy of the program where nobody can run it.
    const NOBODY: u32 = 65534;
    let mock = Mock::start();
    let program = mock.directory().join("shunt");
    fs::copy(PROGRAM, &program).unwrap();
    fs::set_permissions(mock.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(mock.socket(), fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = Command::new(&program);
    command.arg("status").env_clear().env("SHUNT_SOCKET", mock.socket());
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("you may not open"), "{}", stderr(&output));
    assert!(stderr(&output).contains("group that owns the socket"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_ends_the_command_quietly() {
    let mock = Mock::start();
    for arguments in [&["routes", "--longer", "10.0.0.0/8"][..], &["events", "--follow"]] {
        for json in [&[][..], &["--json"]] {
            let arguments = [arguments, json].concat();
            let mut child = command(&mock.socket(), &arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert!(!line.is_empty());
            if arguments[0] == "routes" {
                let output = child.wait_with_output().unwrap();
                assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{arguments:?}");
            } else {
                // Nothing more will happen, so it cannot notice.
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }
    }
}

#[test]
fn following_events_ends_with_the_daemon() {
    let mut mock = Mock::start();
    let mut child = command(&mock.socket(), &["events", "--follow", "--last", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "2026-11-21T22:00:00.5Z       error    configuration shunt.toml: reload refused: two mistakes ...\n"
    );
    mock.stop();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let mock = Mock::start();
    let coloured = |variables: &[(&str, &str)]| {
        let output = command(&mock.socket(), &["neighbors"])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        stdout(&output).contains("\x1b[")
    };
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
}

#[test]
fn a_neighbor_cannot_write_to_the_terminal() {
    let mock = Mock::start();
    for (arguments, shown) in [
        (&["neighbors", "isp-b"][..], r"Shutdown: \u{1b}[2Jbye at"),
        (&["ospf", "neighbors"], r"c_2\u{1b}c "),
        (&["vrrp", "inside"], r"no route\u{1b}[2J"),
        (&["health"], r"200-299: \u{1b}[2J"),
        (&["health", "try", "web"], r"200-299: \u{1b}[2J"),
    ] {
        let mut command = command(&mock.socket(), arguments);
        let text = stdout(&command.env("CLICOLOR_FORCE", "1").output().unwrap());
        assert!(text.contains("\x1b[1m") && text.contains(shown), "{text}");
    }
}

#[test]
fn lists_fit_into_80_columns() {
    let mock = Mock::start();
    for arguments in [
        &["neighbors"][..],
        &["groups"],
        &["ospf", "neighbors"],
        &["ospf", "interfaces"],
        &["ospf", "database"],
        &["ospf", "routes"],
        &["bfd"],
        &["rpki"],
        &["vrrp"],
        &["health"],
        &["plan", "prefer", "198.51.100.7/32", "standby"],
    ] {
        let text = stdout(&run(&mock.socket(), arguments));
        // Below the table are sentences.
        let table = text.lines().take_while(|line| !line.contains(": ") && !line.contains("; "));
        for line in table {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

/// The subcommands that `shunt COMMAND --help` lists.
fn subcommands(command: &[&str]) -> Vec<String> {
    let help = stdout(&run(Path::new("/nonexistent"), &[command, &["--help"]].concat()));
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_help_and_a_manual_page_and_is_completed() {
    let nowhere = Path::new("/nonexistent");
    let names = subcommands(&[]);
    assert!(names.len() >= 16, "{names:?}");
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man/man1");
    let output = command(nowhere, &["man"]).arg(&pages).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let written: BTreeSet<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(written.contains("shunt.1"), "{written:?}");

    let scripts: Vec<String> = ["bash", "zsh", "fish", "elvish", "powershell"]
        .map(|shell| stdout(&run(nowhere, &["completions", shell])))
        .into();
    for name in &names {
        let help = run(nowhere, &[name, "--help"]);
        assert_eq!(code(&help), 0);
        let first = stdout(&help).lines().next().unwrap_or_default().to_owned();
        assert!(first.len() > 15 && !first.starts_with("Usage"), "{name} has no help: {first}");
        let page = fs::read_to_string(pages.join(format!("shunt-{name}.1"))).unwrap();
        assert!(page.contains(".SH DESCRIPTION"), "{name}");
        for script in &scripts {
            assert!(script.contains(name.as_str()), "{name}");
        }
    }
    let main = fs::read_to_string(pages.join("shunt.1")).unwrap();
    assert!(main.contains("Exit codes"), "{main}");
    for code in 0..=11 {
        assert!(stdout(&run(nowhere, &["--help"])).contains(&format!("\n  {code:<4}")), "{code}");
    }
}
