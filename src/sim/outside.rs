//! Commands that an agent runs, and what it watches outside.

use std::time::Duration;

use super::node::NodeId;
use super::world::{Happening, World};
use crate::agent::{CommandId, Event, Probe, ProbeId};
use crate::types::Prefix;

/// A command runs for so long.
const COMMAND: Duration = Duration::from_millis(5);
/// The kernel is told of a hold.
const HOLD: Duration = Duration::from_millis(10);
/// From a change outside until it is told.
const NOTICE: Duration = Duration::from_millis(1);

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// It writes this, and is well.
    Writes(String),
    Fails(String),
    /// It never ends by itself.
    Hangs,
}

impl World {
    /// What a collector was sent of BMP since this was last asked. Its events are delivered by the test.
    pub fn take_collected(&mut self, id: NodeId, collector: &str) -> Vec<u8> {
        self.nodes[id.0].collected.remove(collector).unwrap_or_default()
    }

    /// What becomes of the commands of a node that begin with this word, from now on.
    pub fn set_program(&mut self, id: NodeId, word: &str, program: Program) {
        self.nodes[id.0].programs.insert(word.to_owned(), program);
    }

    /// The commands that the node's agent has had run in its present life, each with its words.
    pub fn commands(&self, id: NodeId) -> &[Vec<String>] {
        self.nodes[id.0].process.as_ref().map_or(&[], |process| &process.commands)
    }

    /// Commands fail from now on, or succeed again. Those that are watched count as down while they do.
    pub fn fail_commands(&mut self, id: NodeId, fail: bool) {
        self.nodes[id.0].commands_fail = fail;
        self.tell_probes(id);
    }

    /// A file that may be watched is there, or not.
    pub fn set_file(&mut self, id: NodeId, path: &str, there: bool) {
        let files = &mut self.nodes[id.0].files;
        if there {
            files.insert(path.to_owned());
        } else {
            files.remove(path);
        }
        self.tell_probes(id);
    }

    pub(super) fn run_command(
        &mut self,
        id: NodeId,
        command: CommandId,
        words: Vec<String>,
        timeout: Duration,
    ) {
        let line = words.join(" ");
        self.note(id, &format!("runs {line}"));
        let node = &mut self.nodes[id.0];
        let program = words.first().and_then(|word| node.programs.get(word)).cloned();
        let usual = match node.commands_fail {
            true => Program::Fails("exit status 1".to_owned()),
            false => Program::Writes(String::new()),
        };
        if let Some(process) = node.process.as_mut() {
            process.running.insert(command, line.clone());
            process.commands.push(words);
        }
        let (after, result) = match program.unwrap_or(usual) {
            Program::Writes(text) => (COMMAND, Ok(text)),
            Program::Fails(why) => (COMMAND, Err(why)),
            Program::Hangs => {
                let within = timeout.as_secs_f64();
                let why = format!("`{line}` was killed, as it was not done within {within} s");
                (timeout, Err(why))
            }
        };
        self.event_at(self.now + after, id, Event::CommandEnded { command, result });
    }

    pub(super) fn forget_command(&mut self, id: NodeId, command: CommandId) {
        let process = self.nodes[id.0].process.as_mut();
        if let Some(line) = process.and_then(|process| process.running.remove(&command)) {
            self.note(id, &format!("kills {line}"));
        }
    }

    /// Prefixes to which new connections through the node are delayed now.
    pub fn held(&self, id: NodeId) -> Vec<Prefix> {
        let holds = self.nodes[id.0].holds.values().filter(|(_, until)| *until > self.now);
        holds.flat_map(|(prefixes, _)| prefixes.iter().copied()).collect()
    }

    /// From now on the node cannot delay connections, or can.
    pub fn fail_holds(&mut self, id: NodeId, fail: bool) {
        self.nodes[id.0].holds_fail = fail;
    }

    pub(super) fn hold(
        &mut self,
        id: NodeId,
        group: String,
        prefixes: Vec<Prefix>,
        lasts: Option<Duration>,
    ) {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        let result = match lasts {
            Some(_) if node.holds_fail => {
                Err("new connections cannot be held: there is no nft (package nftables)".to_owned())
            }
            Some(lasts) => {
                node.holds.insert(group.clone(), (prefixes, now + lasts));
                Ok(())
            }
            None => {
                node.holds.remove(&group);
                Ok(())
            }
        };
        self.note(id, &format!("holds {group}: {lasts:?}"));
        self.event_at(now + HOLD, id, Event::Held { group, result });
    }

    pub(super) fn watch(&mut self, id: NodeId, probe: ProbeId, object: Option<Probe>) {
        let Some(process) = self.nodes[id.0].process.as_mut() else { return };
        match object {
            Some(object) => {
                process.probes.insert(probe, (object, None));
                self.tell_probes(id);
            }
            None => {
                process.probes.remove(&probe);
            }
        }
    }

    /// Tells what is not as it was told last.
    fn tell_probes(&mut self, id: NodeId) {
        let at = self.now + NOTICE;
        let node = &mut self.nodes[id.0];
        let Some(process) = node.process.as_mut() else { return };
        let mut news = Vec::new();
        for (probe, (object, told)) in &mut process.probes {
            let up = match object {
                Probe::File(path) => node.files.contains(path),
                Probe::Command(_) => !node.commands_fail,
            };
            if told.replace(up) != Some(up) {
                let text = if up { "as it should be" } else { "not as it should be" };
                news.push(Event::Probed { probe: *probe, up, text: text.to_owned() });
            }
        }
        let life = node.lives;
        for event in news {
            self.push(at, Happening::Event { node: id, life, event });
        }
    }
}
