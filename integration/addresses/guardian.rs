//! Who removes the addresses when shuntd cannot.

use std::net::UdpSocket;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Child;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use shunt::driver::guardian::{Guardian, Kept};

use super::*;

/// The guardian alone: the test is the shuntd it guards.
struct Guarded {
    guardian: Guardian,
    beat: Beat,
    ended: mpsc::Receiver<()>,
}

impl Guarded {
    fn new() -> Guarded {
        let (sender, ended) = mpsc::channel();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_shuntd"));
        let tell = move || sender.send(()).unwrap_or_default();
        let (guardian, beat) = Guardian::new(program, tell).unwrap();
        Guarded { guardian, beat, ended }
    }

    /// Assigns by hand what the guardian is to remove: 10.0.0.1 and 2001:db8::1 on a macvlan, 10.0.0.7 on the
    /// interface.
    fn assign(&mut self, deadman: Duration) {
        if !interfaces().contains(&"gate".to_owned()) {
            ip("link add gate link lan type macvlan mode bridge");
        }
        ip("link set gate up");
        for (address, device) in
            [("10.0.0.1/32", "gate"), ("2001:db8::1/128", "gate"), ("10.0.0.7/32", "lan")]
        {
            ip(&format!("address replace {address} dev {device}"));
        }
        let addresses = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        self.guardian.keep(&Kept {
            router: GATE,
            index: index("gate"),
            is_macvlan: true,
            addresses: addresses(&["10.0.0.1", "2001:db8::1"]),
            deadman,
        });
        self.guardian.keep(&Kept {
            router: GATE6,
            index: index("lan"),
            is_macvlan: false,
            addresses: addresses(&["10.0.0.7"]),
            deadman,
        });
    }

    /// The guardian, by its parent and its argument.
    fn pid() -> Option<Pid> {
        let output = Command::new("ps").args(["-eo", "pid,ppid,args"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let own = std::process::id().to_string();
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok()?;
            let namespace = std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
            let ours = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
            let is_guardian =
                words.next()? == own && words.next()? == "shuntd-guardian" && namespace == ours;
            is_guardian.then(|| Pid::from_raw(pid))
        })
    }
}

fn nothing_is_assigned() -> bool {
    let lan = addresses_of("lan");
    !is_up("gate") && addresses_of("gate").is_empty() && !lan.contains(&"10.0.0.7/32".to_owned())
}

#[test]
fn the_guardian_removes_everything_when_shuntd_dies() {
    in_namespace(|| {
        let mut guarded = Guarded::new();
        let deadman = Duration::from_secs(3);
        guarded.assign(deadman);
        let Guarded { guardian, beat, ended } = guarded;
        // What asks shuntd to end reaches its children too.
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            kill(Guarded::pid().unwrap(), signal).unwrap();
        }
        assert!(ended.try_recv().is_err() && is_up("gate"));
        drop(guardian);
        // `ip` takes longer to ask than the guardian to act, and waits for the same lock of the kernel.
        let is_held = || UdpSocket::bind("10.0.0.1:0").is_ok();
        assert!(is_held());
        let begin = Instant::now();
        beat.beat();
        drop(beat);
        eventually(|| !is_held());
        let waited = begin.elapsed();
        println!("addresses gone {waited:?} after the last beat");
        assert!(waited >= deadman, "the kernel still forwards: {waited:?}");
        eventually(nothing_is_assigned);
        assert!(addresses_of("lan").contains(&"10.0.0.2/24".to_owned()), "not ours");
        ended.recv_timeout(PATIENCE).expect("and it ends");
    });
}

#[test]
fn the_guardian_acts_once_when_no_beat_comes() {
    in_namespace(|| {
        let mut guarded = Guarded::new();
        let deadman = Duration::from_millis(400);
        let begin = Instant::now();
        guarded.assign(deadman);
        while begin.elapsed() < deadman * 3 {
            guarded.beat.beat();
            std::thread::yield_now();
        }
        assert!(!addresses_of("gate").is_empty(), "as long as there are beats");
        let begin = Instant::now();
        guarded.beat.beat();
        eventually(|| addresses_of("gate").is_empty());
        let waited = begin.elapsed();
        println!("addresses gone {waited:?} after the last beat");
        assert!(waited >= deadman, "{waited:?}");
        eventually(nothing_is_assigned);

        // Nobody is contradicted who assigns them again by hand, nor by a beat that comes back.
        ip("link set gate up");
        guarded.beat.beat();
        assert!(is_up("gate"));
        // What was let go is not watched.
        guarded.assign(deadman);
        guarded.guardian.forget(GATE);
        eventually(|| !addresses_of("lan").contains(&"10.0.0.7/32".to_owned()));
        assert!(is_up("gate") && !addresses_of("gate").is_empty());
    });
}

#[test]
fn a_guardian_that_is_killed_is_started_again_and_knows_what_is_assigned() {
    in_namespace(|| {
        let watched = Watched::new();
        let deadman = Duration::from_millis(1500);
        let wanted = VirtualAddresses { deadman, ..wanted(&["10.0.0.1"], true) };
        assert_eq!(watched.set(GATE, Some(wanted)), Ok(true));
        watched.beat.beat();
        let first = Guarded::pid().unwrap();
        kill(first, Signal::SIGKILL).unwrap();
        eventually(|| {
            watched.beat.beat();
            Guarded::pid().is_some_and(|second| second != first)
        });
        assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32"]);
        // No beat any more.
        let error = watched.told(GATE).unwrap_err();
        assert!(error.ends_with("and not by this process"), "{error}");
        eventually(|| !is_up("vrrp4.10"));
        assert_eq!(addresses_of("vrrp4.10"), [""; 0]);
    });
}

#[test]
fn the_guardian_ends_the_commands_of_a_shuntd_that_dies() {
    in_namespace(|| {
        let mut guarded = Guarded::new();
        guarded.guardian.ensure();
        let wards = guarded.beat.wards();
        // With a child of its own: all of the group is to end.
        let run = || {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & wait"]).process_group(0);
            let child = command.spawn().unwrap();
            let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
            wards.runs(group);
            (Running { child, group }, group)
        };
        let (mut running, group) = run();
        let (_detached, left) = run();
        wards.ended(left);
        let Guarded { guardian, beat, ended } = guarded;
        drop((guardian, beat, wards));
        let mut signal = || running.child.try_wait().unwrap().map(|status| status.signal());
        eventually(|| signal() == Some(Some(Signal::SIGKILL as i32)));
        eventually(|| killpg(group, None).is_err());
        ended.recv_timeout(PATIENCE).expect("and it ends");
        killpg(left, None).expect("what had ended is left alone");
    });
}

/// A command and what it has started, killed at the end of a test in any case.
struct Running {
    child: Child,
    group: Pid,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
