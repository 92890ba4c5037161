use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal as Number, killpg};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::api::v1::{Check, HealthRequest};
use crate::cli::daemon::{Client, Daemon};
use crate::cli::failure::Failure;
use crate::cli::output::harmless;
use crate::driver::plain;

/// A command is run so often, and may take so long.
const SECOND: Duration = Duration::from_secs(1);
/// The group's checks are read so often.
const LOOK: Duration = Duration::from_millis(500);

/// What ends a drill before its time.
pub struct Alarm<'a> {
    /// Why it fires; it does so once.
    watched: Option<Pin<Box<dyn Future<Output = String> + 'a>>>,
    signals: [Signal; 3],
}

/// Why a drill is to end.
pub enum Stop {
    Alarm(String),
    /// By whoever has started it: Ctrl-C, or that the terminal or the machine goes away.
    Signal,
}

impl<'a> Alarm<'a> {
    /// Fails if it would fire at once.
    pub async fn new(
        daemon: &'a Daemon,
        group: &str,
        commands: &[String],
    ) -> Result<Alarm<'a>, Failure> {
        let hear = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("no way to hear of signals: {error}")))
        };
        let signals = [
            hear(SignalKind::interrupt())?,
            hear(SignalKind::terminate())?,
            hear(SignalKind::hangup())?,
        ];
        for command in commands {
            if let Err(why) = run(command).await {
                let message = format!("nothing was changed: the alarm fires already: {why}");
                return Err(Failure::failed(message));
            }
        }
        let group = format!("group {group}");
        let serving = serving(&checks(daemon, &group).await?);
        let mut all = JoinSet::new();
        for command in commands {
            all.spawn(fails(command.clone()));
        }
        let watched = async move {
            tokio::select! {
                Some(Ok(why)) = all.join_next() => why,
                why = goes_down(daemon, &group, &serving) => why,
            }
        };
        Ok(Alarm { watched: Some(Box::pin(watched)), signals })
    }

    /// Returns when the drill is to end. May be dropped and called again.
    pub async fn fires(&mut self) -> Stop {
        let [interrupt, terminate, hangup] = &mut self.signals;
        let watched = async {
            match &mut self.watched {
                Some(watched) => watched.await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            biased;
            _ = interrupt.recv() => return Stop::Signal,
            _ = terminate.recv() => return Stop::Signal,
            _ = hangup.recv() => return Stop::Signal,
            why = watched => why,
        };
        self.watched = None;
        Stop::Alarm(why)
    }
}

/// Returns why a command that is run each second has failed.
async fn fails(command: String) -> String {
    let mut seconds = interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        if let Err(why) = run(&command).await {
            return why;
        }
    }
}

/// Ends with it what it has started.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // There is none left, most often.
        let _ = killpg(self.0, Number::SIGKILL);
    }
}

/// Why the alarm fires, as a clause.
async fn run(command: &str) -> Result<(), String> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).process_group(0).kill_on_drop(true);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().map_err(|error| format!("`{command}`: {}", plain(&error)))?;
    let number = child.id().and_then(|id| i32::try_from(id).ok());
    let _group = number.map(|number| Group(Pid::from_raw(number)));
    match timeout(SECOND, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("`{command}` ended with {status}")),
        Ok(Err(error)) => Err(format!("`{command}`: {}", plain(&error))),
        Err(_) => Err(format!("`{command}` takes longer than a second")),
    }
}

/// Of the node that is asked, those that the group follows.
async fn checks(daemon: &Daemon, group: &str) -> Result<Vec<Check>, Failure> {
    let call =
        async move |mut client: Client| client.health(HealthRequest { name: String::new() }).await;
    let mut checks = daemon.call(SECOND, call).await?.checks;
    checks.retain(|check| check.used_by.iter().any(|user| user == group));
    Ok(checks)
}

fn serving(checks: &[Check]) -> BTreeSet<String> {
    let serving = checks.iter().filter(|check| matches!(check.state.as_str(), "up" | "slow"));
    serving.map(|check| check.name.clone()).collect()
}

/// Returns why one of those that served is down.
async fn goes_down(daemon: &Daemon, group: &str, served: &BTreeSet<String>) -> String {
    loop {
        sleep(LOOK).await;
        let checks = match checks(daemon, group).await {
            Ok(checks) => checks,
            Err(failure) => return failure.message().to_owned(),
        };
        let down = |check: &&Check| check.state == "down" && served.contains(&check.name);
        if let Some(check) = checks.iter().find(down) {
            return format!("check {} is down: {}", check.name, harmless(&check.reason));
        }
    }
}
