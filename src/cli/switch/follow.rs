use std::collections::BTreeMap;
use std::io::Write;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::Streaming;

use super::progress::Lines;
use crate::api::v1::{SwitchEnding, SwitchProgress, SwitchRequest};
use crate::cli::daemon::{Client, Daemon, PATIENCE};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, harmless};

/// Orders something of switches and tells what comes of it, up to the end.
///
/// Ctrl-C has what was ordered undone, and goes on telling; a second one ends only this command.
pub async fn follow(request: SwitchRequest, daemon: &Daemon, out: Output) -> Result<(), Failure> {
    let several = request.act == "evacuate" || request.groups.len() != 1;
    let interrupts = signal(SignalKind::interrupt())
        .map_err(|error| Failure::failed(format!("no way to hear of Ctrl-C: {error}")))?;
    let mut following = Following {
        lines: Lines::new(several),
        seen: BTreeMap::new(),
        // To look at a switch, to approve or to abort it is not to have begun it.
        undoes: matches!(request.act.as_str(), "switch" | "evacuate" | "resume"),
        is_undone: false,
        request,
        daemon,
        interrupts,
        out,
    };
    following.run().await?;
    following.end()
}

struct Following<'a> {
    request: SwitchRequest,
    daemon: &'a Daemon,
    interrupts: Signal,
    lines: Lines,
    out: Output,
    /// By group and switch.
    seen: BTreeMap<(String, String), Seen>,
    /// Ctrl-C undoes it.
    undoes: bool,
    /// It was told to.
    is_undone: bool,
}

struct Seen {
    from: String,
    to: String,
    ending: Option<SwitchEnding>,
}

impl Following<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut stream = self.begin(self.request.clone()).await?;
        loop {
            let message = tokio::select! {
                biased;
                message = stream.message() => message,
                _ = self.interrupts.recv() => {
                    self.interrupted().await?;
                    continue;
                }
            };
            let lost = "The switch goes on when its node is back; another node takes it over with `shunt switch resume`.";
            let refused = |status| match (self.daemon.refused(&status), self.seen.is_empty()) {
                // Nothing has begun.
                (failure, true) => failure,
                (failure, false) => failure.advise(lost),
            };
            match message.map_err(refused)? {
                Some(progress) => {
                    let is_new = self.tell(&progress)?;
                    if is_new && self.is_undone && progress.ending.is_none() {
                        // It had waited for its turn.
                        self.abort(vec![progress.switch]).await?;
                    }
                }
                None => return Ok(()),
            }
        }
    }

    /// Until the stream has begun.
    async fn begin(
        &mut self,
        request: SwitchRequest,
    ) -> Result<Streaming<SwitchProgress>, Failure> {
        let order = async move |mut client: Client| client.switch(request).await;
        tokio::select! {
            biased;
            stream = self.daemon.call(PATIENCE, order) => stream,
            _ = self.interrupts.recv() => Err(self.leave()),
        }
    }

    /// Whether nothing was heard of this switch before.
    fn tell(&mut self, progress: &SwitchProgress) -> Result<bool, Failure> {
        let SwitchProgress { switch, group, from, to, ending, .. } = progress;
        let key = (group.clone(), switch.clone());
        let first = !self.seen.contains_key(&key);
        let (from, to, ending) = (from.clone(), to.clone(), ending.clone());
        self.seen.insert(key, Seen { from, to, ending });
        match self.out.json {
            true => self.out.json_line(progress)?,
            false => self.lines.print(progress, first, &mut self.out)?,
        }
        self.out.flush()?;
        Ok(first)
    }

    /// Has it undone, if it is ours and was not told so already.
    async fn interrupted(&mut self) -> Result<(), Failure> {
        self.lines.clear_hint();
        if !std::mem::take(&mut self.undoes) {
            return Err(self.leave());
        }
        self.is_undone = true;
        eprintln!("putting everything back; Ctrl-C once more leaves that to the nodes");
        let begun = self.unfinished().filter(|(_, switch)| !switch.is_empty());
        let mut groups: Vec<String> = begun.map(|(_, switch)| switch.clone()).collect();
        if groups.is_empty() && self.request.act == "switch" {
            groups.clone_from(&self.request.groups);
        }
        self.abort(groups).await
    }

    async fn abort(&mut self, groups: Vec<String>) -> Result<(), Failure> {
        let request = SwitchRequest {
            act: "abort".to_owned(),
            groups,
            leave: self.request.leave.clone(),
            reason: "Ctrl-C".to_owned(),
            ..SwitchRequest::default()
        };
        match self.begin(request).await {
            // What comes of it is told in our own stream.
            Ok(_) => Ok(()),
            Err(failure) if failure.exit() == Exit::Left => Err(failure),
            Err(failure) => {
                eprintln!("it cannot be put back: {}", failure.message());
                Ok(())
            }
        }
    }

    fn unfinished(&self) -> impl Iterator<Item = &(String, String)> {
        let goes_on =
            |seen: &Seen| seen.ending.as_ref().is_none_or(|ending| ending.outcome == "taken-over");
        self.seen.iter().filter(move |(_, seen)| goes_on(seen)).map(|(key, _)| key)
    }

    /// This command ends before what it has ordered.
    fn leave(&self) -> Failure {
        let groups: Vec<&str> = self.unfinished().map(|(group, _)| group.as_str()).collect();
        let message = match groups.is_empty() {
            true => "this command ends; what it has ordered may go on".to_owned(),
            false => format!("this command ends, the switch of {} goes on", groups.join(", ")),
        };
        Failure::new(Exit::Left, message).advise(
            "`shunt switch status` shows what is in progress, `shunt switch follow` goes on telling of it.",
        )
    }

    /// All has been told: what it means for this command.
    fn end(&self) -> Result<(), Failure> {
        let ended = |wanted: &str| -> Vec<(&String, &Seen, &SwitchEnding)> {
            let ended = self.seen.iter().filter_map(|((group, _), seen)| {
                let ending = seen.ending.as_ref()?;
                (ending.outcome == wanted).then_some((group, seen, ending))
            });
            ended.collect()
        };
        let (committed, back, refused) =
            (ended("committed"), ended("rolled-back"), ended("refused"));
        if self.request.act == "abort" {
            let Some((group, seen, _)) = committed.first() else { return Ok(()) };
            let message = format!("it was too late: {group} is at {}", seen.to);
            return Err(Failure::failed(message));
        }
        let why = |ending: &SwitchEnding| harmless(&ending.why).into_owned();
        let mut problems: Vec<String> = Vec::new();
        for (group, seen, ending) in &back {
            problems.push(format!("{group} was put back to {}: {}", seen.from, why(ending)));
        }
        for (group, _, ending) in &refused {
            problems.push(format!("{group} was not switched: {}", why(ending)));
        }
        for (group, seen, ending) in back.iter().chain(&committed) {
            let at = if ending.outcome == "committed" { &seen.to } else { &seen.from };
            if !ending.unheard.is_empty() {
                let unheard = ending.unheard.join(", ");
                problems.push(format!("{group} is at {at}, but {unheard} has not heard of it yet"));
            }
        }
        let exit = match () {
            () if !back.is_empty() => Exit::RolledBack,
            () if !refused.is_empty() && committed.is_empty() => Exit::Failed,
            () if !refused.is_empty() => Exit::RolledBack,
            () if !problems.is_empty() => Exit::Unheard,
            () if self.unfinished().next().is_some() => return Err(self.leave()),
            () => return Ok(()),
        };
        let failure = Failure::new(exit, problems.join("; "));
        Err(match exit {
            Exit::Unheard => {
                failure.advise("A node learns it from the routes, or when the others can reach it.")
            }
            _ => failure,
        })
    }
}
