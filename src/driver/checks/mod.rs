//! Runs of checks: a task for each, with deadlines of its own, so that none waits for another. What hangs costs its own slot:
//! a task and a socket, a process, or a thread that waits for a disk.
//!
//! | file | |
//! |---|---|
//! | course.rs | one run on its way: when it began, what it has seen, why it failed |
//! | connect.rs | sockets that come from where the settings say |
//! | tls.rs, certificate.rs | TLS over a connection; when a certificate ends |
//! | tcp.rs, http.rs, grpc.rs, icmp.rs, dns.rs, command.rs, file.rs | the methods |
//! | held.rs | a connection that is held, and what ends it |
//! | trial.rs | a run that an operator asked for |
//!
//! Everything that is read is bounded, by [`Method::MOST_OCTETS`] and by the deadline. Nothing is resolved by name. What others
//! sent is shown escaped and cut. What goes wrong on this side (no descriptor, no permission, no such source address) is
//! [`Outcome::NotAsked`]: it says nothing of the service.

mod command;
mod connect;
mod course;
mod dns;
mod file;
#[cfg(test)]
mod garbage;
mod grpc;
mod held;
mod http;
mod icmp;
mod tcp;
#[cfg(test)]
pub mod testing;
mod tls;
pub mod trial;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::commands::Disk;
use super::inbox::{Inbox, Input};
use super::keeper::Keeper;
use crate::agent::Event;
use crate::health::{CheckId, Method, Origin, Outcome, Run, Settings};
use course::{Course, Fault};
use tls::Authorities;

/// All runs that are not over.
pub struct Checks {
    inbox: Inbox,
    authorities: Arc<Authorities>,
    keeper: Keeper,
    checks: BTreeMap<CheckId, Runs>,
}

/// Those of one check.
#[derive(Default)]
struct Runs {
    disk: Disk,
    tasks: Vec<AbortHandle>,
}

/// What a run shares with others.
#[derive(Clone, Default)]
struct Shared {
    /// With the runs of the same check.
    disk: Disk,
    /// With all.
    authorities: Arc<Authorities>,
    /// As well.
    keeper: Keeper,
}

impl Checks {
    pub fn new(inbox: Inbox, keeper: Keeper) -> Checks {
        Checks { inbox, authorities: Arc::default(), keeper, checks: BTreeMap::new() }
    }

    /// Makes a run, then tells [`Event::CheckEnded`].
    pub fn ask(&mut self, run: Run, settings: Arc<Settings>) {
        let runs = self.checks.entry(run.check).or_default();
        let shared = Shared {
            disk: runs.disk.clone(),
            authorities: self.authorities.clone(),
            keeper: self.keeper.clone(),
        };
        let inbox = self.inbox.clone();
        let task = tokio::spawn(async move {
            let (outcome, _) = make(&settings, &shared).await;
            // An error says that the daemon ends.
            let _ = inbox.control.send(Input::Event(Event::CheckEnded { run, outcome })).await;
        });
        runs.tasks.retain(|task| !task.is_finished());
        runs.tasks.push(task.abort_handle());
    }

    /// Holds a connection until the check is forgotten, and tells its beginning and its end as run 0.
    pub fn connect(&mut self, check: CheckId, to: SocketAddr, origin: Origin) {
        let inbox = self.inbox.clone();
        let task = tokio::spawn(async move {
            let (run, began) = (Run { check, number: 0 }, Instant::now());
            let tell = async |outcome| {
                // An error says that the daemon ends.
                let _ = inbox.control.send(Input::Event(Event::CheckEnded { run, outcome })).await;
            };
            let stream = match held::connect(to, &origin).await {
                Ok(stream) => stream,
                Err(fault) => return tell(fault.into()).await,
            };
            let (took, text) = (began.elapsed(), "connected".to_owned());
            tell(Outcome::Answered { took, text, warning: None }).await;
            tell(held::last(stream).await.into()).await;
        });
        self.checks.entry(check).or_default().tasks.push(task.abort_handle());
    }

    /// Ends all runs of a check.
    pub fn forget(&mut self, check: CheckId) {
        for task in self.checks.remove(&check).unwrap_or_default().tasks {
            task.abort();
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        for task in self.checks.values().flat_map(|runs| &runs.tasks) {
            task.abort();
        }
    }
}

/// Makes one run by itself, a command without its keeper. Gives the way to its outcome as well, step by step.
pub async fn ask(settings: &Settings) -> (Outcome, Vec<String>) {
    make(settings, &Shared::default()).await
}

async fn make(settings: &Settings, shared: &Shared) -> (Outcome, Vec<String>) {
    let mut course = Course::new(settings, shared);
    let result = match &settings.method {
        Method::Tcp { to, send, expect } => {
            tcp::ask(&mut course, *to, send, expect.as_deref()).await
        }
        Method::Http(http) => http::ask(&mut course, http).await,
        // By far the largest of all: the others would be as large.
        Method::Grpc { to, service, tls } => {
            Box::pin(grpc::ask(&mut course, *to, service, tls.as_ref())).await
        }
        Method::Icmp { to } => icmp::ask(&mut course, *to).await,
        Method::Dns(query) => dns::ask(&mut course, query).await,
        Method::Command { words } => command::ask(&mut course, words).await,
        Method::File { path, present_is_up } => file::ask(&mut course, path, *present_is_up).await,
        Method::Backends { .. } => {
            Err(Fault::NotAsked("it counts other checks and asks nothing itself".to_owned()))
        }
    };
    course.end(result)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::sync::mpsc;

    use super::super::inbox::Lanes;
    use super::testing::{server, settings};
    use super::*;

    fn run(check: u32, number: u64) -> Run {
        Run { check: CheckId(check), number }
    }

    async fn told(lanes: &mut Lanes) -> (Run, Outcome) {
        match lanes.control.recv().await {
            Some(Input::Event(Event::CheckEnded { run, outcome })) => (run, outcome),
            _ => panic!("nothing else comes"),
        }
    }

    fn greeting(to: std::net::SocketAddr) -> Arc<Settings> {
        let expect = Some(b"hello".to_vec());
        Arc::new(settings(Method::Tcp { to, send: Vec::new(), expect }))
    }

    /// A server that says nothing, and tells when a connection begins and ends.
    async fn silent() -> (std::net::SocketAddr, mpsc::UnboundedReceiver<&'static str>) {
        let (tell, told) = mpsc::unbounded_channel();
        let to = server(move |mut stream: TcpStream| {
            let tell = tell.clone();
            async move {
                let _ = tell.send("begin");
                let _ = stream.read_to_end(&mut Vec::new()).await;
                let _ = tell.send("end");
            }
        });
        (to.await, told)
    }

    #[tokio::test]
    async fn runs_that_hang_delay_no_other() {
        const MANY: u32 = 200;
        let (inbox, mut lanes) = Inbox::new();
        let mut checks = Checks::new(inbox, Keeper::default());
        let (hanging, mut connections) = silent().await;
        let settings = Arc::new(Settings {
            timeout: Duration::from_secs(3),
            ..Settings::clone(&greeting(hanging))
        });
        for check in 0..MANY {
            checks.ask(run(check, 1), settings.clone());
        }
        for _ in 0..MANY {
            assert_eq!(connections.recv().await, Some("begin"));
        }
        let free = server(async |_stream| {}).await;
        let connect = Method::Tcp { to: free, send: Vec::new(), expect: None };
        checks.ask(run(MANY, 1), Arc::new(testing::settings(connect)));
        let (first, outcome) = told(&mut lanes).await;
        assert!(first == run(MANY, 1), "{first:?} {outcome:?}");
        for _ in 0..MANY {
            assert!(matches!(told(&mut lanes).await.1, Outcome::Failed(_)));
        }
    }

    #[tokio::test]
    async fn a_check_that_is_forgotten_tells_nothing_and_lets_go() {
        let (inbox, mut lanes) = Inbox::new();
        let mut checks = Checks::new(inbox, Keeper::default());
        let (hanging, mut connections) = silent().await;
        for number in 1..=2 {
            checks.ask(run(7, number), greeting(hanging));
            assert_eq!(connections.recv().await, Some("begin"));
        }
        checks.forget(CheckId(7));
        checks.forget(CheckId(8));
        for _ in 1..=2 {
            assert_eq!(connections.recv().await, Some("end"));
        }
        let file = Method::File { path: "/".to_owned(), present_is_up: true };
        checks.ask(run(9, 1), Arc::new(settings(file)));
        assert_eq!(told(&mut lanes).await.0, run(9, 1));
        assert!(lanes.control.try_recv().is_err());
    }
}
