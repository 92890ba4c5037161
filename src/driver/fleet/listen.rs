use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use socket2::Socket;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::door::Door;
use crate::config::Fleet;
use crate::driver::Exit;
use crate::driver::exit::plain;
use crate::driver::listen::socket;

/// The sockets that nodes and clients dial, with the tasks that accept.
#[derive(Default)]
pub struct Listeners(BTreeMap<SocketAddr, AbortHandle>);

/// A socket that is bound but does not accept yet.
pub struct Bound {
    address: SocketAddr,
    socket: Socket,
}

const BACKLOG: i32 = 128;

impl Listeners {
    /// Binds what the fleet names and this does not have. Nothing changes until [`Listeners::install`].
    pub fn bind_new(&self, fleet: Option<&Fleet>) -> Result<Vec<Bound>, Exit> {
        let new = wanted(fleet).filter(|address| !self.0.contains_key(address));
        let bind = |address: SocketAddr| match bind(address) {
            Ok(socket) => Ok(Bound { address, socket }),
            Err(error) => Err(Exit::Fleet { address, problem: plain(&error) }),
        };
        new.map(bind).collect()
    }

    /// Begins to accept on `bound`, and ends what the fleet does not name any more.
    pub fn install(&mut self, fleet: Option<&Fleet>, bound: Vec<Bound>, door: &Door) {
        self.0.retain(|address, task| {
            let stays = wanted(fleet).any(|wanted| wanted == *address);
            if !stays {
                task.abort();
            }
            stays
        });
        for Bound { address, socket } in bound {
            match TcpListener::from_std(socket.into()) {
                Ok(listener) => {
                    let task = tokio::spawn(door.clone().watch(listener));
                    self.0.insert(address, task.abort_handle());
                }
                Err(error) => tracing::error!("not listening on {address} for the fleet: {error}"),
            }
        }
    }
}

fn wanted(fleet: Option<&Fleet>) -> impl Iterator<Item = SocketAddr> {
    let listen = fleet.map(|fleet| (fleet.listen.iter(), fleet.port));
    let addresses = listen.into_iter();
    addresses.flat_map(|(all, port)| all.map(move |address| SocketAddr::new(*address, port)))
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}
