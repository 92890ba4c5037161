//! `shunt switch` and `shunt evacuate`: what is asked, what is told, how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::FromRawFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use shunt::api::v1::{HistoryRequest, SwitchRequest};

use super::mock::{Mock, switch};
use super::{code, command, run, stderr, stdout};

fn request(group: &str) -> SwitchRequest {
    SwitchRequest {
        act: "switch".to_owned(),
        groups: vec![group.to_owned()],
        to: "dc2".to_owned(),
        ..SwitchRequest::default()
    }
}

#[test]
fn what_was_typed_is_asked() {
    let mock = Mock::start();
    let ask = |arguments: &[&str]| {
        let output = run(&mock.socket(), arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
        mock.switches.asked.lock().unwrap().pop().unwrap()
    };
    let plain = &["switch", "payments", "--to", "dc2", "--yes"];
    assert_eq!(ask(plain), request("payments"));
    let more = ["--reason", "fire", "--break-glass", "--deadline", "90s", "--wait", "5m"];
    let nodes = ["--without", "edge4", "--without", "edge3"];
    assert_eq!(
        ask(&[&plain[..], &more, &nodes].concat()),
        SwitchRequest {
            reason: "fire".to_owned(),
            break_glass: true,
            deadline_us: 90_000_000,
            wait_us: 300_000_000,
            without: vec!["edge4".to_owned(), "edge3".to_owned()],
            ..request("payments")
        }
    );
    // A group that is named like one of the commands.
    assert_eq!(ask(&["switch", "--group", "status", "--to", "dc2", "-y"]), request("status"));
    assert_eq!(
        ask(&["switch", "follow", "payments"]),
        SwitchRequest { act: "follow".to_owned(), to: String::new(), ..request("payments") }
    );
    assert_eq!(
        ask(&["switch", "approve", "--reason", "seen"]),
        SwitchRequest {
            act: "approve".to_owned(),
            reason: "seen".to_owned(),
            ..SwitchRequest::default()
        }
    );
    let output =
        run(&mock.socket(), &["evacuate", "dc1", "--except", "web", "--parallel", "2", "--yes"]);
    assert_eq!(code(&output), 8, "one of its groups is put back");
    assert_eq!(
        mock.switches.asked.lock().unwrap().pop().unwrap(),
        SwitchRequest {
            act: "evacuate".to_owned(),
            leave: "dc1".to_owned(),
            to: String::new(),
            parallel: 2,
            ..request("web")
        }
    );
}

#[test]
fn endings_have_their_exit_codes() {
    let mock = Mock::start();
    for (group, exit, says) in [
        ("payments", 0, ""),
        ("half", 9, "half is at dc2, but edge4 has not heard of it yet"),
        ("reports", 8, "reports was put back to dc1: edge1: the service was answered by dc1"),
        ("sick", 1, "sick was not switched: edge3: check web is down"),
        ("paymets", 1, "no group `paymets`; did you mean `payments`?"),
    ] {
        let output = run(&mock.socket(), &["switch", group, "--to", "dc2", "--yes"]);
        assert_eq!(code(&output), exit, "{group}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{group}: {}", stderr(&output));
        assert!(!stdout(&output).contains('\u{1b}'), "{}", stdout(&output));
        assert!(!stderr(&output).contains('\u{1b}'), "{}", stderr(&output));
    }
    let output = run(&mock.socket(), &["switch", "payments", "--to", "dc3", "--yes"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert_eq!(stderr(&output), "error: no site `dc3`; did you mean `dc2`?\n");
    let output = run(&mock.socket(), &["switch", "follow", "reports"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = run(&mock.socket(), &["switch", "abort", "payments"]);
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output), "error: it was too late: payments is at dc2\n");
}

#[test]
fn without_a_terminal_it_has_to_be_meant() {
    let mock = Mock::start();
    for arguments in [
        &["switch", "payments", "--to", "dc2"][..],
        &["drill", "payments", "--to", "dc2"],
        &["evacuate", "dc1"],
        &["switch", "payments", "--to", "dc2", "--json"],
    ] {
        let output = run(&mock.socket(), arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        let text = "error: nobody can be asked whether to go on, and --yes is missing\n";
        assert!(stderr(&output).starts_with(text), "{}", stderr(&output));
    }
    assert!(mock.switches.asked.lock().unwrap().is_empty());
}

#[test]
fn wrong_command_lines_are_refused() {
    let mock = Mock::start();
    let switch = ["switch", "payments", "--to", "dc2", "--yes"];
    for (arguments, says) in [
        (&["--break-glass"][..], "--reason"),
        (&["--plan", "x"], "cannot be used with"),
        (&["--deadline", "soon"], "write a time such as"),
    ] {
        let output = run(&mock.socket(), &[&switch[..], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
    for (arguments, says) in [
        (&["switch", "payments", "--yes"][..], "--to"),
        (&["switch", "--to", "dc2", "--yes"], "GROUP"),
        (&["evacuate", "--yes"], "<SITE>"),
        (&["evacuate", "dc1", "--parallel", "0"], "--parallel"),
        (&["plan", "switch", "payments"], "--to"),
    ] {
        let output = run(&mock.socket(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_plan_file_is_carried_out_as_it_was_planned() {
    let mock = Mock::start();
    let file = mock.directory().join("plan.json");
    let name = file.to_str().unwrap();
    let plan = ["plan", "switch", "payments", "--to", "dc2", "--without", "edge4", "--out", name];
    let output = run(&mock.socket(), &[&plan[..], &["--json"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(printed, written);

    let output = run(&mock.socket(), &["switch", "--plan", name, "--yes", "--reason", "planned"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let asked = SwitchRequest {
        without: vec!["edge4".to_owned()],
        digest: written["digest"].as_str().unwrap().to_owned(),
        reason: "planned".to_owned(),
        ..request("payments")
    };
    assert_eq!(mock.switches.asked.lock().unwrap().pop(), Some(asked));

    mock.switches.moved_on.store(true, Ordering::Relaxed);
    let output = run(&mock.socket(), &["switch", "--plan", name, "--yes"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (10, ""));
    assert!(stderr(&output).contains("not 0 as planned"), "{}", stderr(&output));
    let output = run(&mock.socket(), &["switch", "--plan", name, "--dry-run"]);
    assert_eq!(code(&output), 10, "{}", stderr(&output));

    let output = run(&mock.socket(), &["evacuate", "--plan", name, "--yes"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("planned for `shunt switch`"), "{}", stderr(&output));
    let edited = fs::read_to_string(&file).unwrap().replace("\"med\": 55", "\"med\": 5");
    fs::write(&file, edited).unwrap();
    let output = run(&mock.socket(), &["switch", "--plan", name, "--yes"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("was changed since it was planned"), "{}", stderr(&output));
    fs::write(&file, "{}").unwrap();
    let output = run(&mock.socket(), &["switch", "--plan", name, "--yes"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("plan.json is not a plan"), "{}", stderr(&output));
}

#[test]
fn a_dry_run_says_what_would_be_refused() {
    let mock = Mock::start();
    let output = run(&mock.socket(), &["switch", "payments", "--to", "dc2", "--dry-run"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let output = run(&mock.socket(), &["switch", "sick", "--to", "dc2", "--dry-run"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("check web is down"), "{}", stdout(&output));
    assert!(stderr(&output).contains("it would be refused: sick: edge3: check web is down"));
    assert!(mock.switches.asked.lock().unwrap().is_empty());
}

#[test]
fn messages_are_json_lines() {
    let mock = Mock::start();
    let output = run(&mock.socket(), &["switch", "reports", "--to", "dc2", "--yes", "--json"]);
    assert_eq!(code(&output), 8);
    let text = stdout(&output);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[10]["ending"]["outcome"], "rolled-back");
    let output = run(&mock.socket(), &["switch", "status", "--json"]);
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply, json!(switch::in_progress()));
}

/// Reads until a line has `wanted`.
fn read_until(lines: &mut impl BufRead, wanted: &str) {
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no {wanted}");
    }
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
}

#[test]
fn ctrl_c_undoes_the_switch_and_shows_the_way_back() {
    let mock = Mock::start();
    let mut child = command(&mock.socket(), &["switch", "slow", "--to", "dc2", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut told, "see ");
    interrupt(&child);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("back to dc1") && rest.contains("at dc1, as before"), "{rest}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 8, "{}", stderr(&output));
    assert!(stderr(&output).starts_with("putting everything back;"), "{}", stderr(&output));
    let abort = mock.switches.asked.lock().unwrap().pop().unwrap();
    assert_eq!((abort.act.as_str(), abort.groups), ("abort", vec!["edge1-slow".to_owned()]));
}

/// The requests of a drill, and its last line.
fn drilled(mock: &Mock, arguments: &[&str], exit: i32) -> (Vec<SwitchRequest>, Value, String) {
    mock.switches.asked.lock().unwrap().clear();
    let all = [&["drill", "--to", "dc2", "--yes", "--json"][..], arguments].concat();
    let output = run(&mock.socket(), &all);
    assert_eq!(code(&output), exit, "{arguments:?}: {}", stderr(&output));
    let asked = mock.switches.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|one| one.drill || one.act == "abort"), "{asked:?}");
    let last = stdout(&output).lines().last().map(|line| serde_json::from_str(line).unwrap());
    (asked, last.unwrap_or(Value::Null)["drill"].clone(), stderr(&output))
}

fn act(asked: &SwitchRequest) -> (&str, &str, bool) {
    (&asked.act, &asked.to, asked.break_glass)
}

#[test]
fn a_drill_goes_there_and_back() {
    let mock = Mock::start();
    let quick = |group| [group, "--stay", "10ms", "--reason", "autumn"];
    let (asked, report, _) = drilled(&mock, &quick("payments"), 0);
    let ways: Vec<_> = asked.iter().map(act).collect();
    assert_eq!(ways, [("switch", "dc2", false), ("switch", "dc1", false)]);
    assert_eq!(asked[1].reason, "autumn; way back: the drill is over");
    assert_eq!((&report["verdict"], &report["recovery_us"]), (&json!("passed"), &json!(104_000)));
    let (_, report, said) = drilled(&mock, &quick("tardy"), 12);
    assert_eq!(report["verdict"], "not-passed");
    assert!(said.contains("away for 151 ms, the objective is 150 ms"), "{said}");
    let (asked, report, said) = drilled(&mock, &quick("sick"), 1);
    assert_eq!((asked.len(), &report["verdict"]), (1, &json!("not-begun")), "{said}");
    let (asked, _, said) = drilled(&mock, &quick("reports"), 12);
    assert_eq!(asked.len(), 1, "{said}");
    // A rule is against the way back.
    let (asked, report, said) = drilled(&mock, &quick("kept"), 0);
    let ways: Vec<_> = asked.iter().map(act).collect();
    assert_eq!(ways[1..], [("switch", "dc1", false), ("switch", "dc1", true)], "{said}");
    assert_eq!(report["verdict"], "passed");
}

#[test]
fn a_drill_that_cannot_go_back_says_so() {
    let mock = Mock::start();
    let (asked, report, said) = drilled(&mock, &["lost", "--stay", "10ms"], 13);
    assert_eq!((asked.len(), &report["verdict"]), (6, &json!("not-back")));
    assert!(said.contains("lost IS NOT BACK at dc1, it may be at dc2"), "{said}");
    assert!(said.contains("shunt switch lost --to dc1"), "{said}");
}

#[test]
fn an_alarm_ends_a_drill() {
    let mock = Mock::start();
    let (asked, _, said) = drilled(&mock, &["payments", "--alarm", "true", "--alarm", "false"], 1);
    assert!(asked.is_empty() && said.contains("the alarm fires already: `false` ended"), "{said}");
    let late = Instant::now();
    let (asked, _, said) = drilled(&mock, &["payments", "--alarm", "sleep 60"], 1);
    assert!(asked.is_empty() && said.contains("takes longer than a second"), "{said}");
    assert!(late.elapsed() < Duration::from_secs(10));

    // It fires from its third run on: during the stay, or under way.
    let runs = mock.directory().join("runs");
    let third = format!("echo >>{0}; [ $(wc -l <{0}) -lt 3 ]", runs.display());
    let (asked, report, said) =
        drilled(&mock, &["payments", "--stay", "1h", "--alarm", &third], 12);
    let ways: Vec<_> = asked.iter().map(act).collect();
    assert_eq!(ways, [("switch", "dc2", false), ("switch", "dc1", true)], "{said}");
    assert!(report["problems"][0].as_str().unwrap().starts_with("alarm: `echo"), "{report}");
    assert!(asked[1].reason.starts_with("way back: alarm:"), "{asked:?}");

    fs::remove_file(&runs).unwrap();
    let (asked, _, said) = drilled(&mock, &["slow", "--alarm", &third], 12);
    assert_eq!((asked.len(), asked[1].act.as_str()), (2, "abort"), "{said}");
    assert_eq!(asked[1].groups, ["edge1-slow"]);
}

#[test]
fn ctrl_c_ends_a_drill() {
    let mock = Mock::start();
    let mut child = command(&mock.socket(), &["drill", "payments", "--to", "dc2", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut told, "stays for 30 s");
    interrupt(&child);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("at dc1") && rest.contains("not-passed"), "{rest}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 12, "{}", stderr(&output));
    assert!(stderr(&output).starts_with("interrupted: going back at once"), "{}", stderr(&output));
}

#[test]
fn a_second_ctrl_c_leaves() {
    let mock = Mock::start();
    let mut child = command(&mock.socket(), &["switch", "stuck", "--to", "dc2", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut told, "see ");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    interrupt(&child);
    read_until(&mut said, "putting everything back");
    interrupt(&child);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("this command ends, the switch of stuck goes on"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(11));
}

#[test]
fn the_ledger_is_read_and_audited() {
    let mock = Mock::start();
    let output = run(&mock.socket(), &["history", "--json"]);
    let lines = stdout(&output);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = super::mock::history::entries(&HistoryRequest::default());
    assert_eq!(json!(lines), json!(all));
    let output = run(&mock.socket(), &["history", "payments", "--last", "1", "--json"]);
    assert_eq!(stdout(&output).lines().count(), 1);

    let nowhere = Path::new("/nonexistent");
    let file = mock.directory().join("ledger");
    let name = file.to_str().unwrap();
    let whole = super::mock::history::file();
    fs::write(&file, &whole).unwrap();
    let output = run(nowhere, &["audit", "verify", name]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(stdout(&output).contains(&all[2].hash), "{}", stdout(&output));

    fs::write(&file, whole.replace("ticket 4711", "ticket 4712")).unwrap();
    let output = run(nowhere, &["audit", "verify", name, "--json"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("line 1 does not fit"), "{}", stderr(&output));
    let reply: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(reply["entries"], 3);
    fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    let output = run(nowhere, &["audit", "verify", name]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("line 3 was not written to its end"), "{}", stderr(&output));
}

/// A terminal: what is typed into the first end comes out of the second.
fn terminal() -> (fs::File, fs::File) {
    let (mut ours, mut its) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both descriptors are written to before they are read, and nobody else has them.
    unsafe {
        assert_eq!(libc::openpty(&mut ours, &mut its, none, none.cast(), none.cast()), 0);
        (fs::File::from_raw_fd(ours), fs::File::from_raw_fd(its))
    }
}

#[test]
fn on_a_terminal_the_plan_is_shown_and_the_answer_counts() {
    let mock = Mock::start();
    for (answer, exit) in [("y\n", 0), ("\n", 1), ("no\n", 1)] {
        let (mut ours, its) = terminal();
        ours.write_all(answer.as_bytes()).unwrap();
        let child = command(&mock.socket(), &["switch", "payments", "--to", "dc2"])
            .stdin(its.try_clone().unwrap())
            .stderr(its)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), exit, "{answer:?}");
        // With the other end closed the terminal ends with an error.
        let mut shown = Vec::new();
        let _ = ours.read_to_end(&mut shown);
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains("Switch payments to dc2? [y/N]"), "{shown}");
        assert!(shown.contains("edge3 at dc2"), "{shown}");
        let asked = mock.switches.asked.lock().unwrap().pop();
        // What was shown is what is carried out.
        let digest = asked.map(|asked| asked.digest);
        let planned = mock.switches.plan(request("payments")).unwrap().digest;
        assert_eq!(digest, (exit == 0).then_some(planned), "{answer:?}");
        assert_eq!(stdout(&output).contains("at dc2: committed"), exit == 0);
    }
}
