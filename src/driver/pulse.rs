use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::inbox::Input;
use super::journal::Journal;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(1);
/// A loop that is healthy answers within milliseconds, with a full table to work off as well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a thread that asks the loop of the agent for an answer now and then, and raises the alarm if there is none: the
/// lane of BFD and VRRP lives on beside a loop that hangs, so no neighbour notices it. Nothing is taken down for it, as what
/// was announced and routed stays right for a while, and a person may want to look first.
pub fn start(agent: Sender<Input>, journal: Journal) -> std::io::Result<()> {
    let pulse = move || while ask(&agent, &journal, EVERY, PATIENCE) {};
    thread::Builder::new().name("pulse".to_owned()).spawn(pulse).map(drop)
}

/// Asks once, and waits for the answer. False if the daemon ends.
fn ask(agent: &Sender<Input>, journal: &Journal, every: Duration, patience: Duration) -> bool {
    let asked = Instant::now();
    let (answer, answered) = sync_channel(1);
    let question = Input::Question(Box::new(move |_, _| {
        // There is room for the one answer.
        let _ = answer.try_send(());
    }));
    match agent.try_send(question) {
        Ok(()) => {}
        // There is no room while very much comes at once.
        Err(TrySendError::Full(_)) => {
            thread::sleep(every);
            return true;
        }
        Err(TrySendError::Closed(_)) => return false,
    }
    match answered.recv_timeout(patience) {
        Ok(()) => {}
        Err(RecvTimeoutError::Disconnected) => return false,
        Err(RecvTimeoutError::Timeout) => {
            // Nobody can ask for events now: it is for the log.
            tracing::error!(
                "the agent has not answered for {} s: no order, no route and no announcement changes; BFD and VRRP go on \
                 by themselves",
                patience.as_secs()
            );
            if answered.recv().is_err() {
                return false;
            }
            let silence = asked.elapsed().as_secs();
            let text = format!("the agent did not answer for {silence} s, and goes on now");
            journal.warn("daemon", "agent", text);
        }
    }
    thread::sleep(every);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Agent, Start};
    use crate::driver::inbox::Inbox;
    use crate::types::{Time, Wall};

    fn agent() -> Agent {
        let text = "[node]\nname = \"a\"\nsite = \"dc1\"\nasn = 64500\nrouter-id = \"192.0.2.1\"\n\
                    own-prefixes = [\"198.51.100.0/24\"]\n";
        Agent::new(Start {
            config: crate::driver::parse_configuration(text, "shunt.toml".as_ref()).unwrap(),
            intents: crate::group::Intents::default(),
            health: String::new(),
            wall: Wall::from_micros(0),
            seed: 1,
            version: String::new(),
            configuration_path: String::new(),
            state_directory: String::new(),
            warnings: Vec::new(),
        })
    }

    /// Asks an agent that answers after that long; what the journal has then.
    fn after(silence: Duration) -> Vec<String> {
        let (inbox, mut lanes) = Inbox::new();
        let journal = Journal::new();
        let heard = journal.clone();
        let asking = thread::spawn(move || {
            ask(&inbox.control, &heard, Duration::ZERO, Duration::from_millis(100))
        });
        let Some(Input::Question(question)) = lanes.control.blocking_recv() else { panic!() };
        thread::sleep(silence);
        question(&mut agent(), Time::ZERO);
        assert!(asking.join().unwrap());
        journal.follow(0).0.into_iter().map(|event| event.text).collect()
    }

    #[test]
    fn an_agent_that_answers_late_is_told_of() {
        assert_eq!(after(Duration::ZERO), [""; 0]);
        assert_eq!(
            after(Duration::from_millis(1100)),
            ["the agent did not answer for 1 s, and goes on now"]
        );
    }

    #[test]
    fn it_ends_with_the_daemon() {
        let (inbox, lanes) = Inbox::new();
        drop(lanes);
        assert!(!ask(&inbox.control, &Journal::new(), Duration::ZERO, Duration::ZERO));
    }
}
