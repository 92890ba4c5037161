use std::collections::BTreeMap;
use std::io::{self, pipe};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, spawn_blocking, yield_now};
use tokio::time::{Instant, timeout_at};

use super::connection::Open;
use super::exit::plain;
use super::guardian::Wards;
use super::inbox::{Inbox, Input};
use super::keeper::{Keeper, Leash};
use crate::agent::{CommandId, Event};
use crate::types::legible;

/// Octets of output that are kept: the last ones.
const OUTPUT: usize = 4096;
/// Characters of a line that a failure is told with.
const LONGEST: usize = 200;
/// Octets that are read before others have their turn: as much as a pipe holds.
const AT_ONCE: usize = 64 << 10;
/// Where a command finds others.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The commands of takeovers and switches.
pub struct Commands {
    inbox: Inbox,
    /// Held by each that runs: at its end the daemon waits for them a little.
    open: Open,
    running: BTreeMap<CommandId, AbortHandle>,
    wards: Wards,
}

impl Commands {
    pub fn new(inbox: Inbox, open: Open, wards: Wards) -> Commands {
        Commands { inbox, open, running: BTreeMap::new(), wards }
    }

    /// Runs it, then tells [`Event::CommandEnded`]. One that still runs is not begun again.
    pub fn run(
        &mut self,
        command: CommandId,
        words: Vec<String>,
        environment: Vec<(String, String)>,
        within: Duration,
    ) {
        self.running.retain(|_, task| !task.is_finished());
        if self.running.contains_key(&command) {
            return;
        }
        let (inbox, open, wards) = (self.inbox.clone(), self.open.clone(), self.wards.clone());
        let task = tokio::spawn(async move {
            let (kind, disk) = (Kind::Job(wards), Disk::default());
            let result = run(&words, &environment, within, &kind, &disk).await;
            let result = result.map_err(|failure| failure.text);
            // An error says that the daemon ends.
            let _ = inbox.control.send(Input::Event(Event::CommandEnded { command, result })).await;
            drop(open);
        });
        self.running.insert(command, task.abort_handle());
    }

    /// Kills it if it still runs.
    pub fn forget(&mut self, command: CommandId) {
        if let Some(task) = self.running.remove(&command) {
            task.abort();
        }
    }
}

/// What a command may do.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Write as much as it likes, and leave children behind. The guardian ends it should shuntd die.
    Job(Wards),
    /// Neither: its keeper kills what it has started, and what writes more octets than this is killed.
    Check { most_output: usize, keeper: Keeper },
}

/// Held by what waits for a disk, even when nobody waits for its result any more: a disk that hangs takes one thread, not
/// one for each try.
pub type Disk = Arc<Mutex<()>>;

/// Why a command has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether it was started at all.
    pub started: bool,
    /// A sentence: which command, how it ended, and the last line that it wrote.
    pub text: String,
}

/// Runs a command to its end: without a shell, in a process group of its own, with nothing on standard input and a minimal
/// environment. Gives the end of what it wrote.
///
/// When the time is over, when this is dropped, or when shuntd dies, it is killed: a job with its process group, from which a
/// child escapes that makes itself a group of its own; a check with all that it has started.
pub async fn run(
    words: &[String],
    environment: &[(String, String)],
    within: Duration,
    kind: &Kind,
    disk: &Disk,
) -> Result<String, Failure> {
    let deadline = Instant::now() + within;
    let failure = |started, what: String| {
        let text = format!("`{}` {what}", words.join(" "));
        Failure { started, text }
    };
    let not_started = |error| failure(false, format!("does not start: {}", plain(&error)));
    let late = |_| failure(false, format!("has not started within {} s", within.as_secs_f64()));
    let (command, leash, output) = prepare(words, environment, kind).map_err(not_started)?;
    let disk = timeout_at(deadline, disk.clone().lock_owned()).await.map_err(late)?;
    // It is read from a disk, which may be slow. If nobody waits any more when it has started, it is killed as well.
    let wards = match kind {
        Kind::Job(wards) => wards.clone(),
        Kind::Check { .. } => Wards::default(),
    };
    let started = spawn_blocking(move || {
        let _disk = disk;
        start(command, leash, wards)
    });
    let (mut hold, mut child) = match timeout_at(deadline, started).await.map_err(late)? {
        Ok(started) => started.map_err(not_started)?,
        Err(_) => return Err(failure(false, "does not start: the daemon ends".to_owned())),
    };
    let mut written = Tail::default();
    let ended = timeout_at(deadline, finish(&mut child, &output, &mut written, kind)).await;
    let what = match ended {
        Ok(Ok(End::Exited(status))) => {
            if let (Kind::Job(_), Hold::Group(group)) = (kind, &mut hold) {
                group.leave();
            }
            if status.success() {
                return Ok(written.text());
            }
            how(status)
        }
        Ok(Ok(End::TooMuch(octets))) => {
            hold.kill(&mut child).await;
            format!("was killed, as it wrote more than {octets} octets")
        }
        Ok(Err(error)) => format!("cannot be waited for: {error}"),
        Err(_) => {
            hold.kill(&mut child).await;
            written.take_some(&output);
            format!("was killed, as it was not done within {} s", within.as_secs_f64())
        }
    };
    let last = written.text().lines().last().map(|line| format!(": {}", legible(line, LONGEST)));
    let last = last.unwrap_or_default();
    Err(failure(true, format!("{what}{last}")))
}

/// The command, the leash of its keeper if it has one, and what it will write.
fn prepare(
    words: &[String],
    environment: &[(String, String)],
    kind: &Kind,
) -> io::Result<(Command, Option<Leash>, Receiver)> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (output, input) = pipe()?;
    let (mut command, leash) = match kind {
        Kind::Job(_) => (Command::new(program), None),
        Kind::Check { keeper, .. } => {
            let (command, leash) = keeper.command(program)?;
            (Command::from(command), leash)
        }
    };
    if leash.is_none() {
        command.stdin(Stdio::null());
    }
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .current_dir("/")
        .stdout(input.try_clone()?)
        .stderr(input)
        .process_group(0);
    Ok((command, leash, Receiver::from_owned_fd(output.into())?))
}

/// Waits until it runs.
fn start(mut command: Command, leash: Option<Leash>, wards: Wards) -> io::Result<(Hold, Child)> {
    let child = command.spawn()?;
    // It has the other ends of what we read.
    drop(command);
    let hold = match leash {
        None => Hold::Group(Group::of(&child, wards)),
        Some(mut leash) => {
            leash.started()?;
            Hold::Keeper { _leash: leash }
        }
    };
    Ok((hold, child))
}

enum End {
    Exited(ExitStatus),
    TooMuch(usize),
}

/// Reads until the command itself has ended, or has written too much. What it has started may go on, and write, for longer.
async fn finish(
    child: &mut Child,
    output: &Receiver,
    written: &mut Tail,
    kind: &Kind,
) -> io::Result<End> {
    let mut is_open = true;
    loop {
        let ended = tokio::select! {
            status = child.wait() => Some(status?),
            ready = output.readable(), if is_open => {
                ready?;
                None
            }
        };
        is_open = written.take_some(output);
        match (kind, ended) {
            (Kind::Check { most_output, .. }, _) if written.octets > *most_output => {
                return Ok(End::TooMuch(*most_output));
            }
            (_, Some(status)) => return Ok(End::Exited(status)),
            (_, None) => yield_now().await,
        }
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

/// What kills a command, with what it has started, when dropped.
enum Hold {
    Group(Group),
    Keeper { _leash: Leash },
}

impl Hold {
    async fn kill(self, child: &mut Child) {
        let is_group = matches!(self, Hold::Group(_));
        drop(self);
        if is_group {
            // An error says that it has been waited for. A keeper takes its time, and nobody needs to wait for that.
            let _ = child.wait().await;
        }
    }
}

/// Kills what is left of a process group when dropped. Its number is still its own then: either its leader has not been waited
/// for, or was a moment ago, and numbers are given out in turn.
struct Group {
    id: Option<Pid>,
    wards: Wards,
}

impl Group {
    fn of(child: &Child, wards: Wards) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        id.into_iter().for_each(|group| wards.runs(group));
        Group { id, wards }
    }

    /// Its leader has ended.
    fn leave(&mut self) -> Option<Pid> {
        let left = self.id.take();
        left.into_iter().for_each(|group| self.wards.ended(group));
        left
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.leave() {
            // An error says that there is nothing left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// The end of what was written.
#[derive(Default)]
struct Tail {
    kept: Vec<u8>,
    /// Those that were dropped as well.
    octets: usize,
}

impl Tail {
    /// Takes what can be read now, but no more than [`AT_ONCE`]: there may always be more. False when there will be none.
    fn take_some(&mut self, output: &Receiver) -> bool {
        let mut buffer = [0; OUTPUT];
        for _ in 0..AT_ONCE / OUTPUT {
            match output.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.octets += count;
                    self.kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    self.kept.drain(..self.kept.len().saturating_sub(OUTPUT));
                }
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    fn job() -> Kind {
        Kind::Job(Wards::default())
    }

    async fn run(words: &[String], within: Duration, kind: Kind) -> Result<String, String> {
        let result = super::run(words, &[], within, &kind, &Disk::default()).await;
        result.map_err(|failure| failure.text)
    }

    async fn sh(script: &str, within: Duration) -> Result<String, String> {
        run(&words(&["/bin/sh", "-c", script]), within, job()).await
    }

    async fn check(script: &str) -> Result<String, String> {
        let kind = Kind::Check { most_output: 100_000, keeper: Keeper::default() };
        run(&words(&["/bin/sh", "-c", script]), LONG, kind).await
    }

    #[tokio::test]
    async fn what_a_command_wrote_is_given_by_its_end() {
        let text = sh("echo out; echo err >&2", LONG).await;
        assert_eq!(text.as_deref(), Ok("out\nerr"));
        // More than a pipe holds.
        let text = sh("seq 100000", LONG).await.unwrap();
        assert!(text.ends_with("99999\n100000") && text.len() <= OUTPUT, "{}", text.len());
    }

    #[tokio::test]
    async fn only_what_is_given_is_in_the_environment() {
        let environment = [("SHUNT_ROLE".to_owned(), "active".to_owned())];
        let (words, disk) = (words(&["/usr/bin/env"]), Disk::default());
        let text = super::run(&words, &environment, LONG, &job(), &disk).await.unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, [format!("PATH={PATH}").as_str(), "SHUNT_ROLE=active"]);
        assert_eq!(sh("cat; pwd", LONG).await.as_deref(), Ok("/"));
    }

    #[tokio::test]
    async fn a_failure_says_which_command_and_why() {
        let error = sh("echo first; echo last; exit 3", LONG).await.unwrap_err();
        let expected = "`/bin/sh -c echo first; echo last; exit 3` ended with exit code 3: last";
        assert_eq!(error, expected);
        let error = sh("printf 'a\\033[2Jb\\377\\n'; exit 1", LONG).await.unwrap_err();
        assert!(error.ends_with(": a\\u{1b}[2Jb\u{fffd}"), "{error}");
        let error = sh("seq -s, 1000; exit 1", LONG).await.unwrap_err();
        let (_, line) = error.rsplit_once(": ").unwrap();
        assert!(line.starts_with("1,2,") && line.ends_with('…'), "{line}");
        assert_eq!(line.chars().count(), 201);
        let error = sh("kill -9 $$", LONG).await.unwrap_err();
        assert!(error.ends_with("was ended by SIGKILL"), "{error}");
        let error = run(&words(&["/nowhere/commit"]), LONG, job()).await.unwrap_err();
        assert!(error.starts_with("`/nowhere/commit` does not start: "), "{error}");
        assert!(run(&[], LONG, job()).await.is_err());
    }

    #[tokio::test]
    async fn when_its_time_is_over_a_command_is_killed_with_its_children() {
        let short = Duration::from_millis(1500);
        let error = sh("sleep 1000 & echo $!; wait", short).await.unwrap_err();
        let (what, child) = error.rsplit_once(": ").unwrap();
        assert!(what.ends_with("was killed, as it was not done within 1.5 s"), "{error}");
        assert_dead(child.parse().unwrap()).await;
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_is_killed() {
        let (reader, writer) = pipe().unwrap();
        let path = format!("/proc/{}/fd/{}", std::process::id(), fd(&writer));
        let script = format!("echo $$ > {path}; sleep 1000; true");
        let task = tokio::spawn(async move { sh(&script, LONG).await });
        let reader = Receiver::from_owned_fd(reader.into()).unwrap();
        reader.readable().await.unwrap();
        let mut buffer = [0; 16];
        let count = reader.try_read(&mut buffer).unwrap();
        task.abort();
        let _ = task.await;
        let pid = std::str::from_utf8(&buffer[..count]).unwrap().trim();
        assert_dead(pid.parse().unwrap()).await;
    }

    fn fd(end: &impl std::os::fd::AsRawFd) -> i32 {
        end.as_raw_fd()
    }

    /// Gone, or waiting for its parent to notice.
    async fn assert_dead(pid: u32) {
        let begin = Instant::now();
        loop {
            let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return };
            if status.contains("State:\tZ") {
                return;
            }
            assert!(begin.elapsed() < LONG, "{pid} lives");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_child_that_goes_on_holds_up_nobody() {
        let text = sh("sleep 1000 & echo $!", LONG).await.unwrap();
        let child = Pid::from_raw(text.parse().unwrap());
        nix::sys::signal::kill(child, Signal::SIGKILL).expect("it was left alone");
    }

    #[tokio::test]
    async fn a_check_may_leave_no_children_and_write_only_so_much() {
        let child = check("sleep 1000 & echo $!").await.unwrap();
        assert_dead(child.parse().unwrap()).await;
        let error = check("sleep 1000 & echo $!; exit 1").await.unwrap_err();
        assert_dead(error.rsplit_once(": ").unwrap().1.parse().unwrap()).await;
        let text = check("head -c 100000 /dev/zero").await.unwrap();
        assert_eq!(text.len(), OUTPUT);
        let error = check("head -c 100001 /dev/zero; sleep 1000").await.unwrap_err();
        assert!(error.contains(" was killed, as it wrote more than 100000 octets"), "{error}");
    }

    #[tokio::test]
    async fn a_flood_holds_up_nobody() {
        let flood = tokio::spawn(sh("yes", Duration::from_secs(3)));
        for _ in 0..20 {
            assert_eq!(sh("echo well", LONG).await.as_deref(), Ok("well"));
        }
        assert!(!flood.is_finished());
        let error = flood.await.unwrap().unwrap_err();
        assert!(error.ends_with("was killed, as it was not done within 3 s: y"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_until_the_time_is_over() {
        let disk = Disk::default();
        let hanging = disk.clone().lock_owned().await;
        let words = words(&["/bin/true"]);
        let failure = super::run(&words, &[], LONG, &job(), &disk).await.unwrap_err();
        assert_eq!(failure.text, "`/bin/true` has not started within 60 s");
        assert!(!failure.started);
        drop(hanging);
    }

    #[tokio::test]
    async fn a_command_does_not_run_twice_at_once() {
        let (inbox, mut lanes) = Inbox::new();
        let mut commands = Commands::new(inbox, mpsc::channel(1).0, Wards::default());
        let (reader, writer) = pipe().unwrap();
        // Ends when something is written.
        let script = format!("head -c 1 /proc/{}/fd/{}", std::process::id(), fd(&reader));
        let both = || words(&["/bin/sh", "-c", &script]);
        commands.run(CommandId(1), both(), Vec::new(), LONG);
        commands.run(CommandId(1), both(), Vec::new(), LONG);
        commands.run(CommandId(2), words(&["/bin/echo", "two"]), Vec::new(), LONG);
        let mut next = async || match lanes.control.recv().await {
            Some(Input::Event(Event::CommandEnded { command, result })) => (command.0, result),
            _ => panic!("nothing else comes"),
        };
        assert_eq!(next().await, (2, Ok("two".to_owned())));
        io::Write::write_all(&mut &writer, b"xx").unwrap();
        assert_eq!(next().await, (1, Ok("x".to_owned())));
        commands.run(CommandId(1), both(), Vec::new(), LONG);
        assert_eq!(next().await, (1, Ok("x".to_owned())), "the second octet: it ran once before");
    }
}
