//! Checks of what does its worst: commands that fork, flood and are deaf, servers that never come to an end or talk
//! nonsense. Each is bounded, killed and named, nothing is left of it, and a check of something sane beside them goes on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use shunt::api::v1;
use shunt::types::Rng;

use super::process::{Daemon, Home, address, eventually, node};

/// A server that does the same with each connection, and ends with the connection.
fn serve(
    with: impl Fn(&mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (with, mut stream) = (with.clone(), stream.unwrap());
            thread::spawn(move || {
                let _ = with(&mut stream);
                // Nothing more, but the connection stays.
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    to
}

fn answering(begin: &'static str, then: &'static [u8], pause: Duration) -> SocketAddr {
    serve(move |stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(begin.as_bytes())?;
        loop {
            stream.write_all(then)?;
            thread::sleep(pause);
        }
    })
}

fn garbage(count: usize) -> Vec<u8> {
    let mut rng = Rng::new(4711);
    (0..count).map(|_| u8::try_from(rng.below(256)).unwrap()).collect()
}

/// Answers each packet with garbage.
fn babbler() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 512]) {
            let _ = socket.send_to(&garbage(200), from);
        }
    });
    to
}

/// Its processes are known by how long they sleep, as nothing else is left of what they were given.
fn mark() -> String {
    let number = u32::from(address()) & 0xff_ffff;
    format!("{}.{number}", 100_000 + std::process::id() % 100_000)
}

/// Processes with this word, apart from their state.
fn alive(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(word) {
            found.push(format!("{} {line}", entry.file_name().to_string_lossy()));
        }
    }
    found
}

/// Fifty children: plain ones, some in sessions of their own, some whose parents are dead, all of them deaf.
fn forks(directory: &Path, mark: &str, then: &str) -> String {
    let path = directory.join(format!("{}-{mark}", then.split(' ').next().unwrap()));
    let script = format!(
        "#!/bin/sh\ntrap '' TERM HUP INT\n\
         for i in 1 2 3 4 5 6 7 8 9 10; do\n\
         sleep {mark} &\n\
         setsid sleep {mark} &\n\
         (setsid sleep {mark} >/dev/null 2>&1 &)\n\
         (sleep {mark} &) &\n\
         env -i setsid sh -c 'trap \"\" TERM; sleep {mark} & sleep {mark}' </dev/null >/dev/null 2>&1 &\n\
         done\n{then}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Time enough for everything that is not to be late.
const TIMING: &str = "interval = \"1s\"\nfast-interval = \"1s\"\ntimeout = \"2s\"\n";

fn command(name: &str, words: &[&str]) -> String {
    format!("[check.{name}]\ncommand = {words:?}\n{TIMING}")
}

/// All of them at once, and one that is well.
fn hostile(directory: &Path, mark: &str) -> String {
    let header = answering("HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n", Duration::ZERO);
    let flood = answering("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096], Duration::ZERO);
    let drip = answering("HTTP/1.1 200 OK\r\n\r\n", b"x", Duration::from_secs(1));
    // The begin of a record of a handshake, which does not go on.
    let tls = answering("\x16\x03\x03\x02\x00", b"", Duration::from_secs(3600));
    let babble = serve(|stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(&garbage(20_000))
    });
    let sane =
        answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"", Duration::from_secs(3600));
    let server = |name: &str, what: String| format!("[check.{name}]\n{what}\n{TIMING}");
    [
        command("bomb", &[&forks(directory, mark, "sleep 1000")]),
        command("litter", &[&forks(directory, mark, "exit 0")]),
        command("deaf", &["/bin/sh", "-c", &format!("trap '' TERM; sleep {mark}; true")]),
        command("noise", &["/usr/bin/yes"]),
        command("binary", &["/bin/sh", "-c", "head -c 3000 /dev/urandom; exit 3"]),
        server("header", format!("http = \"http://{header}/\"")),
        server("flood", format!("http = \"http://{flood}/\"\nbody = \"well\"")),
        server("drip", format!("http = \"http://{drip}/\"\nbody = \"well\"")),
        server("mute-tls", format!("http = \"https://{tls}/\"\nverify = false")),
        server("babble-http", format!("http = \"http://{babble}/\"")),
        server("babble-tls", format!("http = \"https://{babble}/\"\nverify = false")),
        server("babble-grpc", format!("grpc = \"{babble}\"")),
        format!("[check.babble-dns]\ndns = \"{}\"\nname = \"db.example.\"\n", babbler()) + TIMING,
        format!("[check.sane]\nhttp = \"http://{sane}/\"\ninterval = \"100ms\"\njitter = 0\n"),
    ]
    .concat()
}

/// What is said of each that is down.
const REASONS: [(&str, &str); 12] = [
    ("bomb", " was killed, as it was not done within 2 s"),
    ("deaf", " was killed, as it was not done within 2 s"),
    ("noise", " was killed, as it wrote more than 65536 octets"),
    ("binary", " ended with exit code 3"),
    ("header", " has no end"),
    ("flood", "\"well\" is not in the first 65536 octets of the body: \"xxxx"),
    ("drip", "no end of the answer from "),
    ("mute-tls", " within 2 s"),
    ("babble-http", " gives no proper answer: "),
    ("babble-tls", "no TLS with "),
    ("babble-grpc", ""),
    ("babble-dns", " within 2 s"),
];

async fn checks(daemon: &Daemon) -> Vec<v1::Check> {
    let request = v1::HealthRequest { name: String::new() };
    daemon.client().await.health(request).await.unwrap().into_inner().checks
}

fn named<'a>(checks: &'a [v1::Check], name: &str) -> &'a v1::Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

/// A number of `/proc/PID/status`, in KiB where it is one of memory.
fn status(pid: u32, key: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn nothing_is_left(mark: &str) {
    let gone = async || alive(mark).is_empty().then_some(());
    eventually("nothing is left of the commands", gone).await;
}

#[tokio::test]
async fn whatever_checks_meet_is_bounded_killed_and_named() {
    let (home, mark) = (Home::new(""), mark());
    home.configure(&(node(64500, address()) + &hostile(home.path(), &mark)));
    let mut daemon = home.start().await;
    let pid = daemon.pid();
    let sure = async || {
        let checks = checks(&daemon).await;
        let all = REASONS.iter().all(|(name, _)| named(&checks, name).state == "down");
        (all && named(&checks, "litter").answered >= 2).then_some(checks)
    };
    let first = eventually("all are down", sure).await;
    for (name, reason) in REASONS {
        let check = named(&first, name);
        assert!(check.reason.contains(reason), "{name}: {}", check.reason);
        let is_fit = check.reason.len() < 1200 && !check.reason.chars().any(char::is_control);
        assert!(is_fit, "{name}: {}", check.reason);
        assert_eq!((check.answered, check.not_asked), (0, 0), "{name}: {}", check.reason);
    }
    let litter = named(&first, "litter");
    assert_eq!((litter.state.as_str(), litter.failed), ("up", 0), "{}", litter.reason);

    let (memory, begin) = (status(pid, "VmRSS:"), Instant::now());
    let mut most = 0;
    while begin.elapsed() < Duration::from_secs(5) {
        most = most.max(alive(&mark).len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (last, took) = (checks(&daemon).await, begin.elapsed());
    let grown = status(pid, "VmRSS:").saturating_sub(memory);
    assert!(grown < 16 << 10, "{grown} KiB more");
    assert!(status(pid, "Threads:") < 40, "{} threads", status(pid, "Threads:"));
    // There are three runs of a check at once at most, and each of the two has some 70 processes.
    assert!(most < 3 * 2 * 80, "{most} processes");
    let (before, after) = (named(&first, "sane"), named(&last, "sane"));
    assert_eq!((after.failed, after.not_asked, after.state.as_str()), (0, 0, "up"));
    let (made, due) = (after.answered - before.answered, took.as_millis() / 100);
    // If it waited for another one, it would miss nineteen of twenty; machines have their own reasons to be late.
    assert!(u128::from(made) * 2 >= due, "{made} of {due} runs");
    for (name, _) in REASONS {
        let (before, after) = (named(&first, name), named(&last, name));
        assert!(after.failed >= before.failed + 2, "{name} is asked no more");
    }

    let table = Command::new(env!("CARGO_BIN_EXE_shunt"))
        .arg("--socket")
        .arg(daemon.home().socket())
        .args(["health", "bomb"])
        .output()
        .unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("was killed, as it was not done within 2 s"), "{table}");

    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    nothing_is_left(&mark).await;
}

#[tokio::test]
async fn of_a_daemon_that_is_killed_no_command_is_left() {
    let (home, mark) = (Home::new(""), mark());
    let bomb = command("bomb", &[&forks(home.path(), &mark, "sleep 1000")])
        .replace("\"1s\"", "\"2s\"")
        .replace("timeout = \"2s\"", "timeout = \"20s\"");
    let config = node(64500, address()) + &bomb;
    let deaf = "[check.deaf]\ncommand = [\"/bin/sh\", \"-c\", \"trap '' TERM; setsid sleep MARK\"]\n\
                interval = \"1h\"\ntimeout = \"60s\"\n";
    home.configure(&(config + &deaf.replace("MARK", &mark)));
    let daemon = home.start().await;
    let run = async || (alive(&mark).len() > 60).then_some(());
    eventually("the bomb is there", run).await;
    // One that an operator tries ends with the operator's client, and with the daemon.
    let mut client = daemon.client().await;
    let name = "deaf".to_owned();
    let attempt =
        tokio::spawn(async move { client.try_check(v1::TryCheckRequest { name }).await.is_ok() });
    let tried = async || {
        let deaf = alive(&mark).iter().filter(|line| line.contains("trap '' TERM; setsid")).count();
        // The daemon's and ours: a keeper and a shell each.
        (deaf >= 2).then_some(())
    };
    eventually("the try runs", tried).await;
    daemon.kill();
    nothing_is_left(&mark).await;
    assert!(!attempt.await.unwrap());
}
