use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Failure;
use super::network;
use super::topology;

/// Where all files of the lab are. On the lab's own tmpfs.
pub const DIRECTORY: &str = "/run/shunt-lab";

/// Between two looks at something that is waited for.
pub const LOOK: Duration = Duration::from_millis(20);

/// How long anything is waited for. Far more than it takes, as the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One router's `shuntd`, with the `shunt` that belongs to it.
pub struct Daemon {
    pub node: &'static str,
    directory: PathBuf,
    programs: PathBuf,
    process: Option<Child>,
}

impl Daemon {
    /// A daemon with its configuration on disk, not yet started.
    pub fn new(node: &'static str, programs: &Path) -> Result<Daemon, Failure> {
        let failed = |error| Failure::of(format!("files of {node}"), error);
        let directory = Path::new(DIRECTORY).join(node);
        fs::create_dir_all(directory.join("state")).map_err(failed)?;
        let text = topology::configuration(node).unwrap_or_default();
        fs::write(directory.join("shunt.toml"), text).map_err(failed)?;
        Ok(Daemon { node, directory, programs: programs.to_owned(), process: None })
    }

    pub fn start(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::of(format!("shuntd of {}", self.node), error);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("shuntd.log"))
            .map_err(failed)?;
        let line = self.command_line();
        let mut words = line.split(' ');
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(self.programs.join(program));
        command.args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = network::within(self.node, || command.spawn())?.map_err(failed)?;
        fs::write(self.directory.join("pid"), process.id().to_string()).map_err(failed)?;
        self.process = Some(process);
        Ok(())
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// As an operator would write it.
    pub fn command_line(&self) -> String {
        let Daemon { directory, .. } = self;
        let in_directory = |file| directory.join(file).display().to_string();
        let [config, socket, state] = ["shunt.toml", "shunt.sock", "state"].map(in_directory);
        format!("shuntd --config {config} --socket {socket} --state {state}")
    }

    /// `kill -9`: it can tell nobody, and writes nothing.
    pub fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut process) = self.process.take() {
            let ended = process.kill().and_then(|()| process.wait());
            ended.map_err(|error| Failure::of(format!("kill of {}", self.node), error))?;
        }
        Ok(())
    }

    /// Runs `shunt` with these words: what it printed, or what it said on failure.
    pub fn shunt(&self, words: &[&str]) -> Result<String, Failure> {
        let what = || format!("{}$ shunt {}", self.node, words.join(" "));
        let output = Command::new(self.programs.join("shunt"))
            .args(words)
            .env("SHUNT_SOCKET", self.socket())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::of(what(), error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = [output.stdout, output.stderr].concat();
        Err(Failure::of(what(), String::from_utf8_lossy(&text).trim_end()))
    }

    /// Whether the neighbours named all have this state; all there are if none is named.
    pub fn neighbors_are(&self, named: &[&str], wanted: impl Fn(&str) -> bool) -> bool {
        let Ok(text) = self.shunt(&["--json", "neighbors"]) else { return false };
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(neighbors) = reply["neighbors"].as_array() else { return false };
        neighbors
            .iter()
            .filter(|neighbor| {
                named.is_empty() || named.iter().any(|name| neighbor["name"] == **name)
            })
            .all(|neighbor| neighbor["state"].as_str().is_some_and(&wanted))
    }

    /// All that it is configured to talk to is there: BGP sessions, and `adjacencies` of OSPF.
    pub fn is_connected(&self, adjacencies: usize) -> bool {
        self.neighbors_are(&[], |state| state == "established")
            && (adjacencies == 0 || self.full_adjacencies() == adjacencies)
    }

    fn full_adjacencies(&self) -> usize {
        let Ok(text) = self.shunt(&["--json", "ospf", "neighbors"]) else { return 0 };
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        let neighbors = reply["neighbors"].as_array().map(Vec::as_slice).unwrap_or_default();
        neighbors.iter().filter(|neighbor| neighbor["state"] == "full").count()
    }

    /// Whether it says to have this role in the virtual router, and to have nothing left to do for it.
    pub fn has_role(&self, router: &str, role: &str) -> bool {
        let Ok(text) = self.shunt(&["--json", "vrrp", router]) else { return false };
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        reply["routers"][0]["role"] == role
    }

    /// Whether all its BFD sessions are up.
    pub fn watches_all(&self) -> bool {
        let Ok(text) = self.shunt(&["--json", "bfd"]) else { return false };
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        let sessions = reply["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        sessions.iter().all(|session| session["state"] == "up")
    }

    /// What `shunt events` tells of these kinds, from an event's number on; and the next number.
    pub fn events(&self, from: u64, kinds: &[&str]) -> Result<(Vec<String>, u64), Failure> {
        let text = self.shunt(&["--json", "events"])?;
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut next = from;
        let mut told = Vec::new();
        for event in events {
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let number = event["number"].as_u64().unwrap_or_default();
            if number >= from && kinds.contains(&word("kind").as_str()) {
                told.push(format!(
                    "{} {} {}: {}",
                    word("at"),
                    word("kind"),
                    word("subject"),
                    word("text")
                ));
            }
            next = next.max(number + 1);
        }
        Ok((told, next))
    }

    /// How the thread of BFD and VRRP runs, in the words of `shunt status`.
    pub fn lane(&self) -> Result<String, Failure> {
        let text = self.shunt(&["status"])?;
        let words = text.lines().find_map(|line| line.trim_start().strip_prefix("lane "));
        Ok(words.unwrap_or_default().trim().to_owned())
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("shunt.sock")
    }

    /// The last lines of its log, for a failure.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(self.directory.join("shuntd.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

/// Looks until it is so; `what` is for the failure.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), Failure> {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > patience {
            return Err(Failure::new(format!("{what}: not within {} s", PATIENCE.as_secs())));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
