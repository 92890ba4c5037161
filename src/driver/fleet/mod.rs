//! The fleet's port, and the connections to the other nodes: gRPC with TLS 1.3, where both sides show a certificate.
//!
//! ```text
//!             door ──> stream ──> service (Fleet) ──> pump          pump ──> node ──> dial ──> another node's door
//!  listener ──┘   └──> stream ──> server (Control) ─────┘
//! ```
//!
//! - **identity.rs**: whose a certificate is, and what that one may do by the configuration.
//! - **credentials.rs**: our certificate and key, and the authorities that are trusted; read at the start and at each reload.
//! - **shared.rs**: both, as they are now. A call is judged by what is configured when it is made, not when its connection was.
//! - **door.rs** takes connections: bounded in number and time, as anybody can knock.
//! - **stream.rs** is one that was let in; **service.rs** hands what nodes ask to the agent.
//! - **node.rs** is another node: one connection, kept, and its addresses tried in turn; **dial.rs** makes the connection, and
//!   says in an operator's words why there is none.
//!
//! All of it runs on a thread of its own: a flood of handshakes costs time, and routing shall not wait for it.

mod credentials;
mod dial;
mod door;
mod identity;
mod listen;
mod node;
mod service;
mod shared;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

pub use credentials::{Credentials, Files, Wanted, read_key};
pub use dial::{PATIENCE_OF_PEOPLE, Unreached, all_of, dial_in_turn};
pub use identity::Identity;
pub use shared::{Caller, Shared};

use super::Exit;
use super::inbox::{Inbox, Input};
use super::journal::Journal;
use super::server::Server;
use crate::agent::{CallId, Event};
use crate::api::v1;
use crate::api::v1::control_server::ControlServer;
use crate::api::v1::fleet_server::FleetServer;
use crate::config;
use door::Door;
use listen::{Bound, Listeners};
use node::Node;
use service::Service;

/// Credentials as they were read, or why not.
pub type Read = Result<Arc<Credentials>, String>;

/// The driver's side of the fleet, for the task that owns the agent.
pub struct Fleet {
    /// The thread ends with this.
    _stop: oneshot::Sender<()>,
    handle: Handle,
    inbox: Inbox,
    journal: Journal,
    shared: Shared,
    door: Door,
    listeners: Listeners,
    nodes: BTreeMap<String, Arc<Node>>,
    /// Questions that wait for their answer.
    calls: BTreeMap<CallId, AbortHandle>,
}

/// A connection that is not alive is let go.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// Of one connection.
const STREAMS: u32 = 128;
const LARGEST_HEADER: u32 = 16 << 10;
/// What is said of certificates is said again so often.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Reads the certificates that a configuration names, if it has a fleet.
pub fn read_credentials(config: &config::Config) -> Option<Read> {
    let fleet = config.fleet.as_ref()?;
    let files = Files {
        certificate: (&fleet.certificate).into(),
        key: (&fleet.key).into(),
        ca: (&fleet.ca).into(),
    };
    let read = Credentials::read(files).and_then(|credentials| {
        let name = &config.node.name;
        match credentials.identity() {
            own if own.is_node(name) => Ok(Arc::new(credentials)),
            other => Err(format!("{}: it is of {other}, not of node {name}", fleet.certificate)),
        }
    });
    Some(read)
}

impl Fleet {
    pub fn start(
        server: Server,
        inbox: Inbox,
        journal: Journal,
        shared: Shared,
    ) -> std::io::Result<Fleet> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("fleet".to_owned())
            .spawn(move || drop(runtime.block_on(stopped)))?;
        let (inside, streams) = mpsc::channel(1);
        let service = Service {
            inbox: inbox.clone(),
            shared: shared.clone(),
            asks: Arc::new(AtomicU64::new(1)),
        };
        let (readers, reminded, told) = (shared.clone(), shared.clone(), journal.clone());
        let may_read = move |request: Request<()>| {
            readers.reader(request.extensions())?;
            Ok::<_, Status>(request)
        };
        handle.spawn(
            tonic::transport::Server::builder()
                .http2_keepalive_interval(Some(PING_EVERY))
                .http2_keepalive_timeout(Some(PONG_WITHIN))
                .max_concurrent_streams(STREAMS)
                .http2_max_header_list_size(LARGEST_HEADER)
                .add_service(FleetServer::new(service))
                .add_service(InterceptedService::new(ControlServer::new(server), may_read))
                .serve_with_incoming(ReceiverStream::new(streams)),
        );
        handle.spawn(async move {
            loop {
                tokio::time::sleep(REMIND_EVERY).await;
                warn(&reminded, &told);
            }
        });
        let door = Door::new(shared.clone(), inside);
        let (nodes, calls) = (BTreeMap::new(), BTreeMap::new());
        let listeners = Listeners::default();
        Ok(Fleet { _stop: stop, handle, inbox, journal, shared, door, listeners, nodes, calls })
    }

    /// Binds what is to be listened on and is not yet. Nothing changes until [`Fleet::configure`].
    pub fn bind_new(&self, fleet: Option<&config::Fleet>) -> Result<Vec<Bound>, Exit> {
        self.listeners.bind_new(fleet)
    }

    /// Takes a configuration over. Says what has become of the certificates, if they are others than before.
    pub fn configure(
        &mut self,
        fleet: Option<&config::Fleet>,
        own: &str,
        bound: Vec<Bound>,
        read: Option<Read>,
    ) -> Option<String> {
        let _inside = self.handle.enter();
        let before = self.shared.credentials();
        let failure = read.as_ref().and_then(|read| read.as_ref().err().cloned());
        self.shared.set(fleet.cloned().map(Arc::new));
        self.shared.set_credentials(read);
        let after = self.shared.credentials();
        let is_same = match (&before, &after) {
            (Some(before), Some(after)) => before.is_same(after),
            (before, after) => before.is_none() && after.is_none(),
        };
        self.connect(fleet, own, is_same);
        self.door.look_again();
        self.listeners.install(fleet, bound, &self.door);
        warn(&self.shared, &self.journal);
        match (failure, before) {
            (Some(problem), _) => Some(format!("fleet: certificates are not read anew: {problem}")),
            (None, Some(_)) if !is_same && after.is_some() => {
                Some("fleet: certificates are others than before".to_owned())
            }
            (None, _) => None,
        }
    }

    /// Nodes that have not changed keep their connection, if the certificates have not either.
    fn connect(&mut self, fleet: Option<&config::Fleet>, own: &str, keep: bool) {
        let credentials = self.shared.credentials();
        let mut before = std::mem::take(&mut self.nodes);
        let Some(fleet) = fleet else { return };
        for (name, settings) in fleet.nodes.iter().filter(|(name, _)| *name != own) {
            let address = |ip: &IpAddr| SocketAddr::new(*ip, fleet.port);
            let addresses: Vec<SocketAddr> = settings.addresses.iter().map(address).collect();
            let kept = before.remove(name).filter(|was| keep && was.addresses() == addresses);
            let node = kept.unwrap_or_else(|| {
                let tls = match &credentials {
                    Some(credentials) => credentials.client(Wanted::Node(name.clone())),
                    None => Err("this node has no certificate: see `shunt status`".to_owned()),
                };
                Arc::new(Node::new(name, addresses, tls))
            });
            self.nodes.insert(name.clone(), node);
        }
    }

    pub fn ask(&mut self, call: CallId, node: &str, message: v1::FleetRequest) {
        let control = self.inbox.control.clone();
        let found = self.nodes.get(node).cloned();
        let name = node.to_owned();
        let task = self.handle.spawn(async move {
            let result = match found {
                Some(node) => node.ask(message).await.map(Box::new),
                None => Err(Status::unavailable(format!("there is no node {name} in the fleet"))),
            };
            // An error says that the daemon ends.
            let _ = control.send(Input::Event(Event::NodeAnswered { call, result })).await;
        });
        self.calls.insert(call, task.abort_handle());
    }

    pub fn forget(&mut self, call: CallId) {
        if let Some(task) = self.calls.remove(&call) {
            task.abort();
        }
    }

    /// It has told of its answer.
    pub fn answered(&mut self, call: CallId) {
        self.calls.remove(&call);
    }
}

fn warn(shared: &Shared, journal: &Journal) {
    for warning in shared.warnings() {
        journal.warn("fleet", "", warning);
    }
}
