use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use socket2::Socket;

use super::Shared;
use super::endpoint::Endpoint;
use super::mail::{Outgoing, queue};
use crate::types::Time;

/// Opens and closes the sockets of VRRP, on a thread without priority.
///
/// To join or leave a multicast group the kernel waits for the lock under which all links are configured, and to close a
/// packet socket until no processor can be using it: 15 to 20 ms were measured, in which a fast BFD session goes down.
/// Sockets of UDP have neither.
pub struct Attendant(Outgoing<Work>);

pub enum Work {
    Open(Endpoint),
    Close(Socket),
}

/// The socket that was wanted, or why there is none.
pub type Opened = (Endpoint, io::Result<Socket>);

impl Attendant {
    /// Starts the thread. It ends when this is dropped.
    pub fn start(shared: Arc<Shared>) -> io::Result<Attendant> {
        let (mut wake, waker) = io::pipe()?;
        fcntl(&waker, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let work = move || {
            let mut taken = queue();
            // 0 says that the lane has ended, and there is no other error.
            while matches!(wake.read(&mut [0; 64]), Ok(1..)) {
                shared.work.take(&mut taken);
                work_off(&mut taken, &shared);
            }
        };
        thread::Builder::new().name("attendant".to_owned()).spawn(work)?;
        Ok(Attendant(Outgoing::new(File::from(std::os::fd::OwnedFd::from(waker)))))
    }

    /// The answer comes with the lane's requests.
    pub fn open(&mut self, endpoint: Endpoint) {
        self.0.unsent().push_back(Work::Open(endpoint));
    }

    pub fn close(&mut self, socket: Socket) {
        self.0.unsent().push_back(Work::Close(socket));
    }

    pub fn flush(&mut self, shared: &Shared, now: Time) {
        self.0.flush(&shared.work, now);
    }

    pub fn deadline(&self) -> Option<Time> {
        self.0.deadline()
    }
}

fn work_off(taken: &mut VecDeque<Work>, shared: &Shared) {
    for work in taken.drain(..) {
        match work {
            Work::Open(endpoint) => {
                shared.opened.put((endpoint, endpoint.open()));
                // It fails if the counter is full: the lane has been woken often enough.
                let _ = shared.wake.write(1);
            }
            Work::Close(socket) => drop(socket),
        }
    }
}
