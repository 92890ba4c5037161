//! The gates and hooks of switches that this node coordinates.

use std::collections::BTreeMap;
use std::time::Duration;

use tonic::Status;

use super::{Action, Agent, CommandId};
use crate::switch::{Commands, Next, Step};
use crate::types::Time;

/// By switch.
#[derive(Clone, Default)]
pub(super) struct SwitchCommands(BTreeMap<String, Errand>);

#[derive(Clone)]
struct Errand {
    commands: Commands,
    /// The one that runs, if there is one, with its words.
    running: Option<(CommandId, String)>,
    environment: Vec<(String, String)>,
    timeout: Duration,
}

impl Agent {
    /// Runs the commands of a step, and waits for an approval, then [`Agent::commands_ended`].
    pub(super) fn begin_commands(&mut self, switch: &str, step: Step, now: Time) {
        let Some(coordinated) = self.switching.coordinated.get(switch) else { return };
        let (order, reason) = (coordinated.transaction.order(), coordinated.reason().to_owned());
        let from = coordinated.transaction.from().to_owned();
        let (group, to, break_glass) = (order.group.clone(), order.to.clone(), order.break_glass);
        let switching = self.config.switching.get(&group).cloned().unwrap_or_default();
        let (words, approval) = match step {
            Step::Gates => (switching.gates, switching.approval),
            Step::Before => (switching.before, false),
            _ => (switching.after, false),
        };
        if break_glass && step == Step::Gates {
            if !words.is_empty() || approval {
                self.tell_step(switch, "not asked: break-glass".to_owned());
            }
            return self.commands_ended(switch, step, Ok(()), now);
        }
        let environment = [
            ("SHUNT_SWITCH", switch.to_owned()),
            ("SHUNT_GROUP", group),
            ("SHUNT_FROM", from),
            ("SHUNT_TO", to),
            ("SHUNT_STEP", step.to_string()),
            ("SHUNT_REASON", reason),
        ];
        // What cannot be in an environment would end the command before it begins.
        let clean = |text: String| text.replace('\0', "");
        let environment = environment.map(|(key, value)| (key.to_owned(), clean(value)));
        let errand = Errand {
            commands: Commands::new(step, &words, approval),
            running: None,
            environment: environment.to_vec(),
            timeout: switching.command_timeout,
        };
        self.switching.commands.0.insert(switch.to_owned(), errand);
        self.run_next_of(switch, now);
    }

    /// The switch has ended, or has gone on otherwise: what still runs is killed.
    pub(super) fn forget_commands(&mut self, switch: &str) {
        let errand = self.switching.commands.0.remove(switch);
        if let Some((command, _)) = errand.and_then(|errand| errand.running) {
            self.actions.push_back(Action::ForgetCommand(command));
        }
    }

    /// An operator approves of a switch.
    pub(super) fn approve(&mut self, switch: &str, owner: &str, now: Time) -> Result<(), Status> {
        let errand = self.switching.commands.0.get_mut(switch);
        if !errand.is_some_and(|errand| errand.commands.approve()) {
            let text = format!("switch {switch} does not wait to be approved");
            return Err(Status::failed_precondition(text));
        }
        self.tell_step(switch, format!("approved by {owner}"));
        self.run_next_of(switch, now);
        Ok(())
    }

    /// Whether it was a command of a switch.
    pub(super) fn switch_command_ended(
        &mut self,
        command: CommandId,
        result: &Result<String, String>,
        now: Time,
    ) -> bool {
        let mut errands = self.switching.commands.0.iter_mut();
        let ours = errands.find(|(_, errand)| {
            errand.running.as_ref().is_some_and(|(running, _)| *running == command)
        });
        let Some((switch, errand)) = ours else { return false };
        let switch = switch.clone();
        let (_, line) = errand.running.take().unwrap_or((command, String::new()));
        let lines = errand.commands.ended(result.clone());
        for text in lines {
            self.tell_step(&switch, format!("`{line}`: {text}"));
        }
        self.run_next_of(&switch, now);
        true
    }

    fn run_next_of(&mut self, switch: &str, now: Time) {
        let Some(errand) = self.switching.commands.0.get_mut(switch) else { return };
        let step = errand.commands.step();
        match errand.commands.go_on() {
            Next::Run(words) => {
                self.commands += 1;
                let command = CommandId(self.commands);
                let line = words.join(" ");
                errand.running = Some((command, line.clone()));
                let (environment, timeout) = (errand.environment.clone(), errand.timeout);
                self.actions.push_back(Action::Run { command, words, environment, timeout });
                self.tell_step(switch, format!("runs `{line}`"));
            }
            Next::Approval => {
                let group = self.switching.coordinated.get(switch);
                let group = group.map(|c| c.transaction.order().group.clone()).unwrap_or_default();
                let text = format!("to be approved: shunt switch approve {group}");
                self.tell_step(switch, text);
            }
            Next::Done(result) => {
                self.switching.commands.0.remove(switch);
                self.commands_ended(switch, step, result, now);
            }
        }
    }
}
