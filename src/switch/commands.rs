use std::collections::VecDeque;

use super::Step;
use crate::types::legible;

/// The gates or hooks of one step: commands, one after the other, and behind gates an operator's approval.
#[derive(Clone, Debug)]
pub struct Commands {
    step: Step,
    waiting: VecDeque<Vec<String>>,
    /// An operator has yet to approve.
    approval: bool,
    /// What went wrong, a sentence each.
    failures: Vec<String>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Run(Vec<String>),
    /// [`Commands::approve`] is waited for.
    Approval,
    Done(Result<(), String>),
}

/// Lines of a command's output that are told: the last ones.
const LINES: usize = 10;
/// Characters of a line that are told.
const LONGEST: usize = 200;

impl Commands {
    pub fn new(step: Step, commands: &[Vec<String>], approval: bool) -> Commands {
        let waiting = commands.iter().cloned().collect();
        Commands { step, waiting, approval, failures: Vec::new() }
    }

    pub fn step(&self) -> Step {
        self.step
    }

    /// What to do, when what came before is over. A command that is given is taken as begun.
    pub fn go_on(&mut self) -> Next {
        // When the group has moved, one failure more or less changes nothing for the others.
        if self.step != Step::After && !self.failures.is_empty() {
            self.waiting.clear();
            self.approval = false;
        }
        match self.waiting.pop_front() {
            Some(words) => Next::Run(words),
            None if self.approval => Next::Approval,
            None if self.failures.is_empty() => Next::Done(Ok(())),
            None => Next::Done(Err(self.failures.join("; "))),
        }
    }

    /// A command has ended: with what it wrote, or with why it failed. Gives what is worth telling, line by line.
    pub fn ended(&mut self, result: Result<String, String>) -> Vec<String> {
        match result {
            Ok(output) => {
                let lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
                lines
                    .iter()
                    .skip(lines.len().saturating_sub(LINES))
                    .map(|line| legible(line, LONGEST))
                    .collect()
            }
            Err(failure) => {
                self.failures.push(failure);
                Vec::new()
            }
        }
    }

    /// Whether that was waited for.
    pub fn approve(&mut self) -> bool {
        self.waiting.is_empty() && self.failures.is_empty() && std::mem::take(&mut self.approval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        vec![format!("/bin/{name}")]
    }

    fn begun(step: Step, approval: bool) -> Commands {
        Commands::new(step, &[words("a"), words("b")], approval)
    }

    fn well(commands: &mut Commands, name: &str) {
        assert_eq!(commands.go_on(), Next::Run(words(name)));
        assert_eq!(commands.ended(Ok(String::new())), Vec::<String>::new());
    }

    #[test]
    fn gates_are_passed_in_order_and_approval_is_the_last() {
        let mut gates = begun(Step::Gates, true);
        assert!(!gates.approve(), "before there is anything to approve");
        well(&mut gates, "a");
        well(&mut gates, "b");
        assert_eq!(gates.go_on(), Next::Approval);
        assert_eq!(gates.go_on(), Next::Approval);
        assert!(gates.approve() && !gates.approve());
        assert_eq!(gates.go_on(), Next::Done(Ok(())));
        assert_eq!(Commands::new(Step::Before, &[], false).go_on(), Next::Done(Ok(())));
    }

    #[test]
    fn a_gate_that_fails_ends_the_step() {
        let mut gates = begun(Step::Gates, true);
        gates.go_on();
        gates.ended(Err("`/bin/a` ended with exit code 1: behind".to_owned()));
        let why = "`/bin/a` ended with exit code 1: behind".to_owned();
        assert!(!gates.approve());
        assert_eq!(gates.go_on(), Next::Done(Err(why)));
    }

    #[test]
    fn hooks_behind_the_change_all_run() {
        let mut hooks = begun(Step::After, false);
        hooks.go_on();
        hooks.ended(Err("first".to_owned()));
        assert_eq!(hooks.go_on(), Next::Run(words("b")));
        hooks.ended(Err("second".to_owned()));
        assert_eq!(hooks.go_on(), Next::Done(Err("first; second".to_owned())));
    }

    #[test]
    fn the_end_of_the_output_is_told_and_harmless() {
        let mut gates = begun(Step::Gates, false);
        gates.go_on();
        let output: Vec<String> = (1..=20).map(|line| line.to_string()).collect();
        let told = gates.ended(Ok(output.join("\n\n")));
        assert_eq!(told, output[10..]);
        let told = gates.ended(Ok(format!("a\u{1b}[2Jb\r\n{}", "é".repeat(300))));
        assert_eq!(told[0], "a\\u{1b}[2Jb");
        assert_eq!(told[1].chars().count(), 201);
    }
}
