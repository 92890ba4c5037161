//! A BIRD in one node, and birdc to talk to it.

use super::daemon::Daemon;
use super::node::Node;
use super::run::run;
use super::wait::{PATIENCE, wait_for};

pub struct BirdDaemon {
    node: Node,
    daemon: Daemon,
}

impl BirdDaemon {
    #[track_caller]
    pub fn start(node: &Node, config: &str) -> BirdDaemon {
        node.write("bird.conf", config);
        let bird = BirdDaemon { node: node.clone(), daemon: launch(node) };
        bird.wait();
        bird
    }

    #[track_caller]
    fn wait(&self) {
        wait_for("answer of BIRD", PATIENCE, || self.ask("show status"));
    }

    /// Runs a birdc command.
    pub fn ask(&self, command: &str) -> Result<String, String> {
        run("birdc", &["-s", &self.node.path("bird.ctl"), command])
    }

    /// Runs a birdc command that has to work.
    #[track_caller]
    pub fn order(&self, command: &str) {
        if let Err(error) = self.ask(command) {
            panic!("{error}");
        }
    }

    /// Replaces the configuration, which counts at once.
    #[track_caller]
    pub fn configure(&self, config: &str) {
        self.node.write("bird.conf", config);
        self.order("configure");
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts again after `kill`, with the same configuration.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.daemon = launch(&self.node);
        self.wait();
    }
}

fn launch(node: &Node) -> Daemon {
    let (config, control, pid) =
        (node.path("bird.conf"), node.path("bird.ctl"), node.path("bird.pid"));
    // Times in its configuration are local time.
    let arguments = ["TZ=UTC", "bird", "-f", "-c", &config, "-s", &control, "-P", &pid];
    node.spawn("bird", "env", &arguments)
}
