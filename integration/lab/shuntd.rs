//! Our own daemon, asked by its own command.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::daemon::Daemon;
use super::node::Node;
use super::run::run;
use super::wait::{PATIENCE, wait_for};

pub struct Shuntd {
    node: Node,
    daemon: Daemon,
}

impl Shuntd {
    /// Starts shuntd with this configuration and waits until it answers.
    #[track_caller]
    pub fn start(node: &Node, config: &str) -> Shuntd {
        node.write("shunt.toml", config);
        let mut shuntd = Shuntd { node: node.clone(), daemon: launch(node) };
        shuntd.wait();
        shuntd
    }

    #[track_caller]
    fn wait(&mut self) {
        wait_for("answer of shuntd", PATIENCE, || {
            self.daemon.alive()?;
            self.ask(&["status"])
        });
    }

    /// Runs a `shunt` command: its output, or what it said on failure.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let socket = self.node.path("shunt.sock");
        let mut all = vec!["--socket", socket.as_str()];
        all.extend(arguments);
        run(env!("CARGO_BIN_EXE_shunt"), &all)
    }

    /// Runs a `shunt` command that has to work.
    #[track_caller]
    pub fn order(&self, arguments: &[&str]) -> String {
        match self.ask(arguments) {
            Ok(out) => out,
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs a `shunt` command with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let text = self.ask(&all)?;
        serde_json::from_str(&text)
            .map_err(|error| format!("shunt {arguments:?} --json: {error}: {text}"))
    }

    /// All routes, as `shunt routes --json` shows them: one JSON value per line.
    pub fn routes(&self) -> Result<Vec<Value>, String> {
        let text = self.ask(&["--json", "routes"])?;
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}")))
            .collect()
    }

    /// One neighbour as `shunt neighbors --json` shows it.
    pub fn neighbor(&self, name: &str) -> Result<Value, String> {
        let all = self.json(&["neighbors"])?;
        let list = all["neighbors"].as_array().cloned().unwrap_or_default();
        list.into_iter().find(|neighbor| neighbor["name"] == name).ok_or(all.to_string())
    }

    /// Replaces the configuration file; `shunt reload` makes it count.
    pub fn configure(&self, config: &str) {
        self.node.write("shunt.toml", config);
    }

    /// Octets of memory that the daemon has resident.
    pub fn resident(&self) -> u64 {
        self.daemon.resident()
    }

    /// SIGKILL: no neighbour is told, no file is written.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// SIGKILL for the daemon and not for the children that it has.
    #[track_caller]
    pub fn kill_alone(&mut self) {
        self.daemon.kill_alone();
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.daemon.signal(signal);
    }

    /// SIGTERM, and the exit status.
    #[track_caller]
    pub fn stop(&mut self) -> std::process::ExitStatus {
        self.daemon.stop()
    }

    /// Starts again after `kill` or `stop`, with the same files.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.daemon = launch(&self.node);
        self.wait();
    }
}

#[track_caller]
fn launch(node: &Node) -> Daemon {
    let (config, socket, state) =
        (node.path("shunt.toml"), node.path("shunt.sock"), node.path("state"));
    std::fs::create_dir_all(&state).unwrap();
    let arguments = ["--config", &config, "--socket", &socket, "--state", &state];
    node.spawn("shuntd", env!("CARGO_BIN_EXE_shuntd"), &arguments)
}
