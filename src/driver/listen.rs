use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Exit;
use super::inbox::{Inbox, Input};
use super::syscalls;
use crate::config::{Listen, Secret};

/// The sockets that neighbours dial, one for each configured address. IPv6 ones take IPv6 only: a TCP-MD5 key
/// for an IPv4 neighbour needs an IPv4 socket.
#[derive(Default)]
pub struct Listeners(Vec<Listener>);

struct Listener {
    address: SocketAddr,
    socket: Arc<TcpListener>,
    task: AbortHandle,
}

/// A socket that is bound but does not accept yet.
pub struct Bound {
    address: SocketAddr,
    socket: TcpListener,
}

/// SYNs that wait for us. As many neighbours may dial at once after a restart.
const BACKLOG: i32 = 128;

impl Listeners {
    /// Binds what `listen` names and this does not have. Nothing changes until [`Listeners::install`].
    pub fn bind_new(&self, listen: &Listen) -> Result<Vec<Bound>, Exit> {
        let mut bound = Vec::new();
        for address in wanted(listen).filter(|address| !self.has(*address)) {
            match bind(address) {
                Ok(socket) => bound.push(Bound { address, socket }),
                // The default is both families; a machine without IPv6 is not a mistake.
                Err(error)
                    if error.raw_os_error() == Some(libc::EAFNOSUPPORT)
                        && address.ip().is_unspecified() =>
                {
                    tracing::warn!("not listening on {address}: {error}");
                }
                Err(error) => return Err(self.explain(address, &error)),
            }
        }
        Ok(bound)
    }

    /// Begins to accept on `bound`, and ends what `listen` does not name any more.
    pub fn install(&mut self, listen: &Listen, bound: Vec<Bound>, inbox: &Inbox) {
        self.0.retain(|listener| {
            let wanted = wanted(listen).any(|address| address == listener.address);
            if !wanted {
                listener.task.abort();
            }
            wanted
        });
        for Bound { address, socket } in bound {
            let socket = Arc::new(socket);
            let task = tokio::spawn(accept(socket.clone(), inbox.clone())).abort_handle();
            self.0.push(Listener { address, socket, task });
        }
    }

    /// The TCP-MD5 key of those who dial from `peer`; `None` takes it away.
    pub fn set_md5_key(&self, peer: IpAddr, key: Option<&Secret>) -> io::Result<()> {
        for listener in self.0.iter().filter(|l| l.address.is_ipv4() == peer.is_ipv4()) {
            syscalls::set_md5_key(&*listener.socket, peer, key)?;
        }
        Ok(())
    }

    fn explain(&self, address: SocketAddr, error: &io::Error) -> Exit {
        // 0.0.0.0 and one address of the machine cannot both be listened on, not even for the moment of a reload.
        let ours = self
            .0
            .iter()
            .map(|listener| listener.address)
            .find(|ours| (ours.is_ipv4(), ours.port()) == (address.is_ipv4(), address.port()));
        match (error.kind(), ours) {
            (io::ErrorKind::AddrInUse, Some(ours)) => Exit::Listen {
                address,
                problem: format!(
                    "shuntd itself listens on {ours}, and only a restart can change that"
                ),
            },
            (io::ErrorKind::AddrInUse, None) => Exit::PortInUse { address },
            (io::ErrorKind::PermissionDenied, _) => Exit::PortNeedsPrivilege { address },
            _ => Exit::Listen { address, problem: error.to_string() },
        }
    }

    fn has(&self, address: SocketAddr) -> bool {
        self.0.iter().any(|listener| listener.address == address)
    }
}

fn wanted(listen: &Listen) -> impl Iterator<Item = SocketAddr> {
    listen.addresses.iter().map(|address| SocketAddr::new(*address, listen.port))
}

/// A TCP socket to listen on an address with.
pub(super) fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    // A daemon that was killed leaves connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    // The address may come with an interface that is not up yet.
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    Ok(socket)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    // A neighbour under GTSM takes our SYN-ACK only with the full TTL; to others it is all the same. The
    // accepted connection gets the TTL of its neighbour.
    syscalls::set_ttl(&socket, address.ip(), u8::MAX)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(socket: Arc<TcpListener>, inbox: Inbox) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                if inbox.messages.send(Input::Accepted(stream)).await.is_err() {
                    return;
                }
            }
            // Out of descriptors or memory, or a connection that ended before it was taken: wait, so that a lasting
            // fault does not fill the log.
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
