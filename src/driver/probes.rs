use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::commands::{self, Disk, Kind};
use super::inbox::{Inbox, Input};
use super::keeper::Keeper;
use crate::agent::{Event, Probe, ProbeId};
use crate::config::Command;
use crate::health::Method;

/// How often a file is looked for.
const FILE: Duration = Duration::from_millis(200);

/// What is watched outside, a task for each.
pub struct Probes {
    inbox: Inbox,
    tasks: BTreeMap<ProbeId, Task>,
    keeper: Keeper,
}

/// Ends when it is dropped, with the command that it may run.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Probes {
    pub fn new(inbox: Inbox, keeper: Keeper) -> Probes {
        Probes { inbox, tasks: BTreeMap::new(), keeper }
    }

    /// Tells [`Event::Probed`] at the first result and at each change; `None`: no longer.
    pub fn watch(&mut self, probe: ProbeId, object: Option<Probe>) {
        self.tasks.remove(&probe);
        let Some(object) = object else { return };
        let teller = Teller { inbox: self.inbox.clone(), probe };
        let task = match object {
            Probe::File(path) => tokio::spawn(watch_file(path, teller)),
            Probe::Command(command) => {
                tokio::spawn(watch_command(command, self.keeper.clone(), teller))
            }
        };
        self.tasks.insert(probe, Task(task.abort_handle()));
    }
}

struct Teller {
    inbox: Inbox,
    probe: ProbeId,
}

impl Teller {
    async fn tell(&self, up: bool, text: String) {
        let event = Event::Probed { probe: self.probe, up, text };
        // An error says that the daemon ends.
        let _ = self.inbox.control.send(Input::Event(event)).await;
    }
}

async fn watch_file(path: String, teller: Teller) {
    let mut told = None;
    let mut ticks = interval(FILE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked = path.clone();
        // The disk may be slow.
        let Ok(found) = spawn_blocking(move || is_there(&looked)).await else { return };
        // Where it cannot be seen whether there is one, nothing is known: no change.
        if let Ok(there) = found
            && told != Some(there)
        {
            told = Some(there);
            let text = if there { "there" } else { "not there" };
            teller.tell(there, format!("{path} is {text}")).await;
        }
    }
}

pub fn is_there(path: &str) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(error),
        },
    }
}

async fn watch_command(command: Command, keeper: Keeper, teller: Teller) {
    let mut verdict = Verdict::default();
    let disk = Disk::default();
    let kind = Kind::Check { most_output: Method::MOST_OCTETS, keeper };
    let mut ticks = interval(command.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Command { words, timeout, .. } = &command;
        let result = commands::run(words, &[], *timeout, &kind, &disk).await;
        if verdict.take(result.is_ok(), &command) {
            let last = |text: String| text.lines().last().map(str::to_owned);
            let text = match result {
                Ok(output) => last(output).unwrap_or_else(|| "ended with exit code 0".to_owned()),
                Err(failure) => failure.text,
            };
            teller.tell(verdict.up == Some(true), text).await;
        }
    }
}

/// What is thought of the object of a check after some results.
#[derive(Debug, Default)]
struct Verdict {
    up: Option<bool>,
    /// Results in a row that contradict it.
    against: u8,
}

impl Verdict {
    /// Whether the verdict is another now. The first result decides.
    fn take(&mut self, good: bool, command: &Command) -> bool {
        if self.up == Some(good) {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let needed = if good { command.rise } else { command.fall };
        if self.up.is_some() && self.against < needed {
            return false;
        }
        *self = Verdict { up: Some(good), against: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::inbox::Lanes;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn command(script: &str) -> Command {
        Command {
            words: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            interval: Duration::from_millis(20),
            timeout: PATIENCE,
            rise: 2,
            fall: 3,
        }
    }

    async fn told(lanes: &mut Lanes) -> (u32, bool, String) {
        match timeout(PATIENCE, lanes.control.recv()).await.expect("told in time") {
            Some(Input::Event(Event::Probed { probe, up, text })) => (probe.0, up, text),
            _ => panic!("nothing else comes"),
        }
    }

    #[test]
    fn a_verdict_changes_after_enough_results_in_a_row() {
        let command = command("");
        for first in [true, false] {
            assert!(Verdict::default().take(first, &command), "the first result decides");
        }
        let mut verdict = Verdict::default();
        // g: good, b: bad; capital: the verdict changes.
        for result in "GbbgbbBgbgGg".chars() {
            let good = result.eq_ignore_ascii_case(&'g');
            assert_eq!(verdict.take(good, &command), result.is_uppercase(), "{result} {verdict:?}");
        }
    }

    #[tokio::test]
    async fn a_file_is_seen_to_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("maintenance");
        let (inbox, mut lanes) = Inbox::new();
        let mut probes = Probes::new(inbox, Keeper::default());
        let text = path.to_str().unwrap().to_owned();
        probes.watch(ProbeId(4), Some(Probe::File(text.clone())));
        assert_eq!(told(&mut lanes).await, (4, false, format!("{text} is not there")));
        fs::write(&path, "").unwrap();
        assert_eq!(told(&mut lanes).await, (4, true, format!("{text} is there")));
        fs::remove_file(&path).unwrap();
        assert_eq!(told(&mut lanes).await, (4, false, format!("{text} is not there")));
        // The way there is gone too.
        drop(directory);
        probes.watch(ProbeId(5), Some(Probe::File(format!("{text}/deeper"))));
        assert_eq!(told(&mut lanes).await.0, 5, "and no change of the first");
    }

    #[tokio::test]
    async fn a_command_is_run_again_and_again() {
        let directory = tempfile::tempdir().unwrap();
        let flag = directory.path().join("flag");
        let (inbox, mut lanes) = Inbox::new();
        let mut probes = Probes::new(inbox, Keeper::default());
        let script = format!("test -e {0} && echo well || {{ echo ill; exit 1; }}", flag.display());
        probes.watch(ProbeId(1), Some(Probe::Command(command(&script))));
        let (_, up, text) = told(&mut lanes).await;
        assert!(!up && text.ends_with("ended with exit code 1: ill"), "{text}");
        fs::write(&flag, "").unwrap();
        assert_eq!(told(&mut lanes).await, (1, true, "well".to_owned()));
        probes.watch(ProbeId(1), None);
        fs::remove_file(&flag).unwrap();
        let file = flag.to_str().unwrap().to_owned();
        probes.watch(ProbeId(2), Some(Probe::File(file)));
        assert_eq!(told(&mut lanes).await.0, 2);
        assert!(timeout(Duration::from_millis(300), lanes.control.recv()).await.is_err());
    }
}
