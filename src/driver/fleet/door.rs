use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::identity::Identity;
use super::shared::{Caller, Shared};
use super::stream::Stream;
use crate::driver::certificate;

/// Lets in who has a certificate of the authority, and not too many at a time.
#[derive(Clone)]
pub struct Door {
    shared: Shared,
    inside: mpsc::Sender<io::Result<Stream>>,
    state: Arc<Mutex<State>>,
    clients: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    /// Those that have not shown a certificate yet, oldest first.
    outside: VecDeque<Visitor>,
    guests: Vec<Guest>,
    next: u64,
}

struct Visitor {
    number: u64,
    from: IpAddr,
    task: AbortHandle,
}

/// A connection that was let in.
struct Guest {
    identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    /// Dropped to end it. Closed when it has ended by itself.
    stay: oneshot::Sender<()>,
}

/// Who has not shown a certificate yet: of all, and from one address. The oldest have to go, so that a flood keeps nobody out
/// who is quick.
const OUTSIDE: usize = 64;
const OUTSIDE_FROM_ONE: usize = 16;
const GREET_WITHIN: Duration = Duration::from_secs(3);
/// Clients at the same time, and connections of one node; the oldest of a node goes for a new one.
const CLIENTS: usize = 64;
const OF_ONE_NODE: usize = 4;
/// After a fault that would only come again at once, such as no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);

impl Door {
    pub fn new(shared: Shared, inside: mpsc::Sender<io::Result<Stream>>) -> Door {
        let clients = Arc::new(Semaphore::new(CLIENTS));
        Door { shared, inside, state: Arc::default(), clients }
    }

    pub async fn watch(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.receive(stream, from),
                Err(error) => {
                    tracing::warn!("a connection to the fleet's port was not accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn receive(&self, stream: TcpStream, from: SocketAddr) {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let of_same = |visitor: &Visitor| visitor.from == from.ip();
        let too_many_of_same =
            state.outside.iter().filter(|v| of_same(v)).count() >= OUTSIDE_FROM_ONE;
        let oldest = match too_many_of_same {
            true => state.outside.iter().position(of_same),
            false => (state.outside.len() >= OUTSIDE).then_some(0),
        };
        if let Some(visitor) = oldest.and_then(|index| state.outside.remove(index)) {
            visitor.task.abort();
        }
        let door = self.clone();
        let task = tokio::spawn(async move {
            let left = timeout(GREET_WITHIN, door.greet(stream, from)).await;
            door.lock().outside.retain(|visitor| visitor.number != number);
            match left {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!("{from} was not let in: {error}"),
                Err(_) => tracing::debug!("{from} was not let in: no TLS in time"),
            }
        });
        state.outside.push_back(Visitor { number, from: from.ip(), task: task.abort_handle() });
    }

    async fn greet(&self, stream: TcpStream, from: SocketAddr) -> io::Result<()> {
        let credentials = self.shared.credentials();
        let credentials = credentials.ok_or_else(|| io::Error::other("no certificate of ours"))?;
        stream.set_nodelay(true)?;
        let stream = TlsAcceptor::from(credentials.server().clone()).accept(stream).await?;
        let chain = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        let own = chain.first().ok_or_else(|| io::Error::other("no certificate"))?;
        let identity = Identity::of(own);
        let identity = identity.ok_or_else(|| io::Error::other("the certificate names nobody"))?;
        let caller = Caller { identity: identity.clone(), until: certificate::not_after(own) };
        let place = match self.shared.is_node(&identity) {
            true => None,
            false => Some(self.place().await?),
        };
        let stay = self.enter(identity, chain);
        tracing::debug!("{} has connected from {from}", caller.identity);
        let stream = Stream::new(stream, caller, stay, place);
        // An error says that the daemon ends.
        let _ = self.inside.send(Ok(stream)).await;
        Ok(())
    }

    async fn place(&self) -> io::Result<OwnedSemaphorePermit> {
        self.clients.clone().acquire_owned().await.map_err(io::Error::other)
    }

    fn enter(
        &self,
        identity: Identity,
        chain: Vec<CertificateDer<'static>>,
    ) -> oneshot::Receiver<()> {
        let (stay, leave) = oneshot::channel();
        let mut state = self.lock();
        state.guests.retain(|guest| !guest.stay.is_closed());
        if self.shared.is_node(&identity) {
            let of_same = |guest: &Guest| guest.identity == identity;
            if state.guests.iter().filter(|guest| of_same(guest)).count() >= OF_ONE_NODE
                && let Some(oldest) = state.guests.iter().position(of_same)
            {
                state.guests.remove(oldest);
            }
        }
        state.guests.push(Guest { identity, chain, stay });
        leave
    }

    /// Ends the connections of those who would not be let in any more.
    pub fn look_again(&self) {
        let credentials = self.shared.credentials();
        let admits = |guest: &Guest| {
            credentials.as_ref().is_some_and(|own| own.admits(&guest.chain).is_ok())
        };
        self.lock().guests.retain(|guest| !guest.stay.is_closed() && admits(guest));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
