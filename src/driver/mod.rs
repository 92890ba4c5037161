//! The only room with tokio, sockets, files and clocks. It hands [`Event`](crate::agent::Event)s to the agent
//! and carries out its [`Action`](crate::agent::Action)s; it decides nothing about routes.
//!
//! ```text
//!  clients ── server ──┐ control lane              ┌── store: a thread that waits for the disk
//!  dials, signals ─────┼─────────────> pump ───────┼── watch: a thread that asks TCP what was acknowledged
//!  listeners ──┐       │            (Agent)        ├── kernel: a task with three netlink sockets
//!  connections ┤       │                           ├── peers: dials, listeners, connections
//!  ospf ───────┴───────┴ messages lane             ├── ospf: a raw socket for each interface
//!                                                  ├── lane: the thread of BFD and VRRP
//!                                                  ├── addresses: a thread, and the guardian, a process
//!                                                  ├── commands, probes, checks
//!                                                  ├── fleet: a thread with TLS
//!                                                  ├── rpki: a thread
//!                                                  └── journal, log
//! ```
//!
//! - **pump.rs** is the one task that owns the [`Agent`]. It never waits for anything but input and the agent's
//!   deadline. Reads of clients are closures that run in it and take a page at most.
//! - **inbox.rs** has the two bounded lanes to it, and says how keepalives are protected.
//! - **connection.rs** is one TCP connection: a reading task that decodes, a bounded queue, and a
//!   writing task for what TCP did not take at once.
//! - **ospf/** is IP protocol 89 on each interface that the OSPF router runs on.
//! - **lane/** is BFD and VRRP, with a thread and sockets of their own.
//! - **kernel/** watches and changes links, addresses and routes.
//! - **addresses/** is what the kernel has of virtual routers; **guardian/** removes it should shuntd be killed or hang.
//! - **hold.rs** has the kernel delay new connections to a group while it moves.
//! - **commands.rs** runs those of takeovers and switches; **probes.rs** watches files and the outcome of commands; **checks/** asks services.
//! - **keeper.rs** is a process around each command that checks something, by which all that it starts ends with it.
//! - **http2.rs** is a connection of a gRPC client: of the check that asks so, and of the command `shunt`.
//! - **fleet/** is the other nodes, and clients from elsewhere: a thread with TLS.
//! - **rpki.rs** is the connections to RPKI caches, and a thread for what they send.
//! - **store/** makes intents durable; **socket.rs** claims the control socket; **server.rs** is the gRPC
//!   service, **clients.rs** limits how many use it, and **access.rs** says who may write.
//! - **pulse.rs** raises the alarm when the pump does not answer.
//! - **syscalls.rs** has the unsafe code: socket options and other system calls that no library has.
//!
//! Everything runs on one thread but BFD and VRRP, the fleet, the RPKI client, virtual addresses, the disk, the watch for acknowledgements and the log.
//! A second worker thread made an order no faster when it was tried (1.2 ms from the client to the UPDATE either way,
//! unoptimised), and a session that sends a full table is worked off in portions, so that timers, clients and other
//! neighbours have their turn.

mod access;
mod acknowledge;
pub mod addresses;
pub mod certificate;
pub mod checks;
mod clients;
mod clock;
mod collectors;
mod commands;
mod configuration;
mod connection;
mod dial;
mod exit;
pub mod fleet;
pub mod guardian;
pub mod hold;
pub mod http2;
mod inbox;
mod journal;
pub mod keeper;
pub mod kernel;
mod lane;
mod ledger;
mod listen;
mod log;
mod memory;
pub mod ospf;
mod peers;
mod probes;
mod pulse;
mod pump;
mod rpki;
mod server;
mod socket;
mod store;
mod syscalls;
mod update_log;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use configuration::parse as parse_configuration;
pub use exit::{Exit, plain};
pub use log::{flush as flush_log, start as start_log};

use crate::agent::{Agent, Event, Start};
use crate::api::v1::control_server::ControlServer;
use acknowledge::Watch;
use addresses::Addresses;
use checks::Checks;
use clock::Clock;
use collectors::Collectors;
use commands::Commands;
use fleet::Fleet;
use hold::Holds;
use inbox::{Inbox, Input};
use journal::Journal;
use keeper::Keeper;
use memory::Memory;
use ospf::OspfSockets;
use peers::Peers;
use probes::Probes;
use pump::Pump;
use rpki::Rpki;
use server::Server;
use socket::ControlSocket;
use store::{StateDirectory, Store};
use update_log::UpdateLog;

/// Where the daemon finds what it needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub config: PathBuf,
    pub socket: PathBuf,
    pub state: PathBuf,
}

/// How long the last words to neighbours may take after the agent has stopped.
const CLOSE_WITHIN: Duration = Duration::from_millis(2500);
/// How long answers to clients may take then. A follower of events never ends by itself.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);

/// Runs the daemon until it is told to stop.
pub fn run(options: &Options) -> Result<(), Exit> {
    raise_descriptor_limit();
    let config = configuration::read(&options.config)?;
    let socket = ControlSocket::claim(&options.socket)?;
    let (store, restored) = Store::open(StateDirectory::open(&options.state)?)
        .map_err(|error| Exit::State { path: options.state.clone(), problem: error.to_string() })?;
    let (memory, lost) = Memory::read(&options.state);
    let clock = Clock::start();
    let agent = Agent::new(Start {
        config,
        intents: restored.intents,
        health: memory,
        wall: clock.wall_at_start(),
        seed: seed(clock),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration_path: options.config.display().to_string(),
        state_directory: options.state.display().to_string(),
        warnings: restored.damage.into_iter().chain(lost).collect(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::Other(format!("no runtime: {error}")))?;
    let result = runtime.block_on(serve(options, agent, clock, store, &socket));
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

/// As many as the systemd unit grants. Not all that there may be: the commands that we run inherit it, and some programs
/// close each descriptor there could be when they start.
const DESCRIPTORS: u64 = 65_536;

/// Each neighbour, client and run of a check has a descriptor, and a shell grants 1024 at first.
fn raise_descriptor_limit() {
    if let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If not, runs that have none say so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most.min(DESCRIPTORS).max(now), most);
    }
}

/// Two daemons that start together shall not jitter alike.
fn seed(clock: Clock) -> u64 {
    clock.wall_at_start().as_micros().unsigned_abs() ^ u64::from(std::process::id())
}

async fn serve(
    options: &Options,
    agent: Agent,
    clock: Clock,
    store: Store<StateDirectory>,
    socket: &ControlSocket,
) -> Result<(), Exit> {
    let other =
        |what: &'static str| move |error: std::io::Error| Exit::Other(format!("{what}: {error}"));
    let (inbox, lanes) = Inbox::new();
    let journal = Journal::new();
    let watch = Watch::start().map_err(other("the watch for acknowledgements did not start"))?;
    let (open, mut all_closed) = mpsc::channel(1);
    let ospf = OspfSockets::new(inbox.clone(), journal.clone(), open.clone());
    let update_log = UpdateLog::start(journal.clone())
        .map_err(other("the thread of the update log did not start"))?;
    update_log.configure(agent.config().update_log.as_ref());
    let collectors = Collectors::start(inbox.clone())
        .map_err(other("the thread of the collectors did not start"))?;
    let mut peers = Peers::new(inbox.clone(), watch, open.clone(), update_log.tap());
    let bound = peers.listeners().bind_new(&agent.config().listen)?;
    peers.listen(&agent.config().listen, bound);

    let set = inbox.clone();
    let tell = move |event| drop(set.control.blocking_send(Input::Event(event)));
    // Not by its path: the file may be another program by then.
    let program = PathBuf::from("/proc/self/exe");
    let (addresses, beat) = Addresses::start(program.clone(), tell)
        .map_err(other("virtual addresses cannot be managed"))?;
    if !agent.config().vrrp.is_empty() {
        lane::vrrp_is_permitted()
            .map_err(|error| Exit::VrrpNeedsPrivilege { problem: plain(&error) })?;
    }
    let commands = Commands::new(inbox.clone(), open, beat.wards());
    let holds = agent.config().switching.values().any(|switching| switching.hold.is_some());
    let holds = Holds::start(inbox.clone(), holds);
    let keeper = Keeper::new(program);
    let probes = Probes::new(inbox.clone(), keeper.clone());
    let checks = Checks::new(inbox.clone(), keeper.clone());
    let (lane, told) = lane::start(clock, !seed(clock), beat, journal.clone())
        .map_err(other("the thread of BFD and VRRP did not start"))?;

    let stored = inbox.clone();
    let store = store::Writer::start(store, move |version, result| {
        let event = Event::IntentsStored { version, result };
        // An error says that the daemon ends.
        let _ = stored.control.blocking_send(Input::Event(event));
    })
    .map_err(other("the thread of the store did not start"))?;

    let of_ledger = journal.clone();
    let ledger = ledger::Writer::start(&options.state, move |word| match word {
        Ok(text) => of_ledger.info("ledger", "", text),
        Err(text) => of_ledger.warn("ledger", "", text),
    })
    .map_err(other("the thread of the ledger did not start"))?;

    let memory =
        Memory::start(&options.state).map_err(other("the thread of the memory did not start"))?;

    // Two reports: one being worked off, one waiting. The rest waits in the kernel.
    let (to_agent, reports) = mpsc::channel(2);
    let settings = kernel::Settings::from(&agent.config().kernel);
    let kernel = kernel::spawn(settings, to_agent).map_err(other("no netlink socket"))?;

    let rpki = Rpki::start(inbox.clone(), clock, seed(clock).rotate_left(32))
        .map_err(other("the thread of the RPKI client did not start"))?;
    rpki.configure(agent.config().rpki_caches.clone());

    let server = Server {
        inbox: inbox.clone(),
        lane: lane.clone(),
        journal: journal.clone(),
        configuration: options.config.clone(),
        gid: socket.gid(),
        keeper,
        ledger: ledger.reader(),
        update_log: update_log.tap(),
        fleet: fleet::Shared::default(),
        orders: Arc::new(AtomicU64::new(1)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let listener =
        socket.listener().and_then(UnixListener::from_std).map_err(other("the socket"))?;
    let (stop_serving, stopped) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(ControlServer::new(server.clone()))
            .serve_with_incoming_shutdown(clients::accept(listener), async move {
                let _ = stopped.await;
            }),
    );
    let (own, credentials) = (&agent.config().node.name, fleet::read_credentials(agent.config()));
    let mut fleet =
        Fleet::start(server.clone(), inbox.clone(), journal.clone(), server.fleet.clone())
            .map_err(other("the thread of the fleet did not start"))?;
    let wanted = agent.config().fleet.as_ref();
    let bound = fleet.bind_new(wanted)?;
    fleet.configure(wanted, own, bound, credentials);
    pulse::start(inbox.control.clone(), journal.clone())
        .map_err(other("the watch over the agent did not start"))?;
    tokio::spawn(signals(server, inbox));

    let pump = Pump {
        agent,
        clock,
        lanes,
        peers,
        ospf,
        kernel,
        reports,
        lane,
        told,
        addresses,
        commands,
        holds,
        probes,
        checks,
        fleet,
        rpki,
        memory,
        store,
        ledger,
        update_log,
        collectors,
        journal,
        answers: BTreeMap::new(),
        plans: BTreeMap::new(),
        asks: BTreeMap::new(),
        news: BTreeMap::new(),
        stop_by: None,
        stopped: false,
    };
    pump.run().await;
    let _ = stop_serving.send(());
    let _ = timeout(CLOSE_WITHIN, all_closed.recv()).await;
    let _ = timeout(ANSWER_WITHIN, &mut serving).await;
    Ok(())
}

/// SIGTERM and SIGINT stop, SIGHUP reads the configuration again.
async fn signals(server: Server, inbox: Inbox) {
    let watched = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = watched else {
        tracing::error!("signals cannot be watched; SIGTERM will not close sessions");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => drop(inbox.control.send(Input::Stop).await),
            _ = interrupt.recv() => drop(inbox.control.send(Input::Stop).await),
            _ = hangup.recv() => match server.reload().await {
                Ok(reply) if reply.changes.is_empty() => tracing::info!("reload: nothing changed"),
                Ok(reply) => for change in reply.changes {
                    tracing::info!("reload: {change}");
                },
                // The journal has the refusal.
                Err(_) => {}
            },
        }
    }
}
