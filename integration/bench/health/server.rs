//! A service by HTTP that costs little: one thread, five system calls for each request.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Socket, Type};

use crate::lab::{Node, within};

/// What waits for a service that stands still: the kernel takes connections in for it.
const BACKLOG: i32 = 4096;

/// A request, where it was read.
#[derive(Clone, Copy)]
pub struct Request {
    pub at: Instant,
    pub to: Ipv4Addr,
}

/// A service on all addresses of a node that counts who asks. Its thread ends with this program.
#[derive(Clone, Default)]
pub struct Server {
    silent: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    #[track_caller]
    pub fn start(node: &Node, port: u16) -> Server {
        let listener = within(node, || listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)));
        let server = Server::default();
        let of_thread = server.clone();
        thread::spawn(move || {
            let Server { silent, requests } = of_thread;
            serve(&listener, "well\n", |stream| {
                if let Ok(IpAddr::V4(to)) = stream.local_addr().map(|address| address.ip()) {
                    requests.lock().unwrap().push(Request { at: Instant::now(), to });
                }
                !silent.load(Ordering::Relaxed)
            });
        });
        server
    }

    /// From now on it takes requests and answers none.
    pub fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// What was asked since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

#[track_caller]
pub fn listen(address: SocketAddrV4) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    // Connections of an earlier life may not have ended yet.
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(BACKLOG).unwrap();
    socket.into()
}

/// Answers each request, unless `asked` does not want that, with this body.
pub fn serve(listener: &TcpListener, body: &str, mut asked: impl FnMut(&TcpStream) -> bool) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let watch = |what: &dyn AsFd, number: RawFd| {
        let number = u64::try_from(number).unwrap();
        epoll.add(what.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, number)).unwrap();
    };
    watch(listener, listener.as_raw_fd());
    let mut streams: HashMap<RawFd, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); 64];
    let mut octets = [0; 4096];
    loop {
        let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(_) => continue,
        };
        for event in &events[..count] {
            let number = RawFd::try_from(event.data()).unwrap();
            let Some(stream) = streams.get_mut(&number) else {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    watch(&stream, stream.as_raw_fd());
                    streams.insert(stream.as_raw_fd(), stream);
                }
                continue;
            };
            let ended = match stream.read(&mut octets) {
                Ok(0) => true,
                Ok(_) if asked(stream) => {
                    // Who asked may have gone away.
                    let _ = stream.write(answer.as_bytes());
                    true
                }
                Ok(_) => false,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
            if ended {
                streams.remove(&number);
            }
        }
    }
}
