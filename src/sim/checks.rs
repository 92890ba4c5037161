//! Services that checks ask, and what becomes of the runs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::node::NodeId;
use super::world::{Happening, World};
use crate::agent::Event;
use crate::health::{CheckId, Method, Outcome, Run, Settings};
use crate::types::Time;

/// What is behind an address, or a command, that checks ask.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub answer: Answer,
    /// Until the answer.
    pub delay: Duration,
    /// Percent of packets that are lost on the way to it and back.
    pub loss: u64,
    /// So long it is as it is, and then so long it refuses, again and again.
    pub flaps: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Good,
    /// Connection refused, an exit code, a wrong status: bad, and at once.
    Bad,
    /// It accepts the connection, or runs, and never answers.
    Never,
}

impl Default for Service {
    fn default() -> Service {
        Service { answer: Answer::Good, delay: Duration::ZERO, loss: 0, flaps: None }
    }
}

/// A way there and back.
const ROUND_TRIP: Duration = Duration::from_micros(400);
/// What is lost is sent again after this, and then after twice as long: while TCP has not seen an answer, and from
/// then on.
const UNKNOWN: Duration = Duration::from_secs(1);
const KNOWN: Duration = Duration::from_millis(200);

impl World {
    /// What is behind a check's target from now on: `10.0.0.5:80`, an address, or the first word of a command. What was
    /// never set does well.
    pub fn set_service(&mut self, target: &str, service: Service) {
        self.services.insert(target.to_owned(), service);
    }

    /// A host behind the node has a service at this address from now on, which answers with a text. Routes of shuntd that lead
    /// elsewhere go before it.
    pub fn serve(&mut self, id: NodeId, address: IpAddr, text: &str) {
        self.nodes[id.0].kernel.served.insert(address, text.to_owned());
    }

    /// Who answers what a node asks a served address: `None`, nobody does.
    fn answers(&self, id: NodeId, address: IpAddr) -> Option<&String> {
        let at = self.trace(id, address)?.last().copied().unwrap_or(id);
        self.nodes[at.0].kernel.served.get(&address)
    }

    pub(super) fn connect(&mut self, id: NodeId, check: CheckId, to: SocketAddr) {
        let run = Run { check, number: 0 };
        let end = self.trace(id, to.ip()).map(|way| way.last().copied().unwrap_or(id));
        let outcome = match end {
            Some(end) => {
                if let Some(process) = self.nodes[id.0].process.as_mut() {
                    process.held.insert(check, (to.ip(), end));
                }
                let life = self.nodes[id.0].lives;
                self.push(self.now + UNKNOWN, Happening::Keepalive { node: id, life, check });
                let text = "connected".to_owned();
                Outcome::Answered { took: ROUND_TRIP, text, warning: None }
            }
            None => Outcome::Failed(format!("no connection to {to}")),
        };
        self.event_at(self.now + ROUND_TRIP, id, Event::CheckEnded { run, outcome });
    }

    pub(super) fn disconnect(&mut self, id: NodeId, check: CheckId) {
        if let Some(process) = self.nodes[id.0].process.as_mut() {
            process.held.remove(&check);
        }
    }

    /// What a connection sends goes to whoever has the address now, and only one of them knows the connection.
    pub(super) fn keep_alive(&mut self, id: NodeId, life: u64, check: CheckId) {
        let held = self.process(id, life).and_then(|process| process.held.get(&check).copied());
        let Some((ip, end)) = held else { return };
        let now_at = self.trace(id, ip).map(|way| way.last().copied().unwrap_or(id));
        if now_at == Some(end) {
            return self.push(self.now + UNKNOWN, Happening::Keepalive { node: id, life, check });
        }
        self.disconnect(id, check);
        let outcome = Outcome::Failed("the connection was reset".to_owned());
        let run = Run { check, number: 0 };
        self.event_at(self.now + ROUND_TRIP, id, Event::CheckEnded { run, outcome });
    }

    /// How many percent of the packets of a node's checks are lost, wherever they go.
    pub fn set_check_loss(&mut self, id: NodeId, percent: u64) {
        self.nodes[id.0].check_loss = percent;
        self.note(id, &format!("loses {percent} % of what its checks send"));
    }

    /// How many runs the node's checks have begun in its present life.
    pub fn runs(&self, id: NodeId) -> u64 {
        self.nodes[id.0].process.as_ref().map_or(0, |process| process.runs)
    }

    pub(super) fn ask(&mut self, id: NodeId, run: Run, settings: &Settings) {
        if let Some(process) = self.nodes[id.0].process.as_mut() {
            process.runs += 1;
        }
        let (after, outcome) = self.outcome(id, settings);
        self.event_at(self.now + after, id, Event::CheckEnded { run, outcome });
    }

    fn outcome(&mut self, id: NodeId, settings: &Settings) -> (Duration, Outcome) {
        let node = &self.nodes[id.0];
        let is_remote = match &settings.method {
            Method::File { path, present_is_up } => {
                let there = node.files.contains(path);
                let text = if there { "is there" } else { "is not there" }.to_owned();
                let took = Duration::ZERO;
                let outcome = match there == *present_is_up {
                    true => Outcome::Answered { took, text, warning: None },
                    false => Outcome::Failed(text),
                };
                return (ROUND_TRIP, outcome);
            }
            Method::Command { .. } => false,
            _ => true,
        };
        if let Some(ip) = settings.method.address()
            && self.nodes.iter().any(|node| node.kernel.served.contains_key(&ip))
        {
            let Some(text) = self.answers(id, ip) else {
                let text = format!("no connection to {ip} within {:?}", settings.connect_timeout);
                return (settings.connect_timeout, Outcome::Failed(text));
            };
            if let Some(expected) = expected(&settings.method).filter(|part| !text.contains(part)) {
                let text = format!("{expected:?} is not in the answer of {ip}: {text:?}");
                return (ROUND_TRIP, Outcome::Failed(text));
            }
        }
        let service = self.services.get(&target(&settings.method)).copied().unwrap_or_default();
        let loss = if is_remote { service.loss.max(node.check_loss) } else { 0 };
        let connects = settings.limit() > settings.timeout;
        let connected = if connects { self.exchange(loss, UNKNOWN) } else { Duration::ZERO };
        if connected > settings.connect_timeout {
            let text = format!("no connection within {:?}", settings.connect_timeout);
            return (settings.connect_timeout, Outcome::Failed(text));
        }
        let is_off = service.flaps.is_some_and(|flaps| {
            let half = self.now.since(Time::ZERO).as_micros() / flaps.as_micros().max(1);
            half % 2 == 1
        });
        let answered = match service.answer {
            Answer::Bad => return (connected + ROUND_TRIP, refused()),
            _ if is_off => return (connected + ROUND_TRIP, refused()),
            Answer::Never => settings.timeout + ROUND_TRIP,
            Answer::Good => {
                self.exchange(loss, if connects { KNOWN } else { UNKNOWN }) + service.delay
            }
        };
        if answered > settings.timeout {
            let text = format!("no answer within {:?}", settings.timeout);
            return (connected + settings.timeout, Outcome::Failed(text));
        }
        let took = connected + answered;
        (took, Outcome::Answered { took, text: "well".to_owned(), warning: None })
    }

    /// How long it takes to get a packet there and another one back.
    fn exchange(&mut self, loss: u64, mut again: Duration) -> Duration {
        let mut took = self.rng.jitter(ROUND_TRIP, 50, 150);
        while loss > 0
            && (self.rng.chance(loss) || self.rng.chance(loss))
            && took < Duration::from_secs(600)
        {
            took += again;
            again *= 2;
        }
        took
    }
}

fn refused() -> Outcome {
    Outcome::Failed("connection refused".to_owned())
}

/// The text that must be in an answer.
fn expected(method: &Method) -> Option<String> {
    match method {
        Method::Tcp { expect, .. } => {
            expect.as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
        }
        Method::Http(http) => http.body.clone(),
        _ => None,
    }
}

fn target(method: &Method) -> String {
    match method {
        Method::Tcp { to, .. } | Method::Grpc { to, .. } => to.to_string(),
        Method::Http(http) => http.to.to_string(),
        Method::Icmp { to } => to.to_string(),
        Method::Dns(query) => query.server.to_string(),
        Method::Command { words } => words.first().cloned().unwrap_or_default(),
        Method::File { path, .. } => path.clone(),
        Method::Backends { .. } => String::new(),
    }
}
