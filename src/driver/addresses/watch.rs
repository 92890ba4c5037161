use std::io;
use std::thread;
use std::time::Duration;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::driver::kernel::message::{self, Message};
use crate::fib::Observed;

/// Larger than any event.
const DATAGRAM: usize = 64 * 1024;
/// After an error that comes again at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells of each link from which an address went, and which went itself or is not up; `None`: something was missed.
/// Whether that concerns us is for the listener to find out. The thread lives as long as the process, or until the
/// listener says false.
pub fn start(mut listener: impl FnMut(Option<u32>) -> bool + Send + 'static) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    for group in [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR] {
        socket.add_membership(group)?;
    }
    let watch = move || {
        let mut datagram = Vec::with_capacity(DATAGRAM);
        loop {
            datagram.clear();
            let goes_on = match socket.recv(&mut datagram, 0) {
                Ok(_) => message::messages(&datagram)
                    .filter_map(|raw| message::decode(&raw))
                    .filter_map(concerned)
                    .all(&mut listener),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => true,
                Err(error) => {
                    if error.raw_os_error() != Some(libc::ENOBUFS) {
                        thread::sleep(PAUSE);
                    }
                    listener(None)
                }
            };
            if !goes_on {
                return;
            }
        }
    };
    thread::Builder::new().name("address-watch".to_owned()).spawn(watch)?;
    Ok(())
}

fn concerned(message: Message) -> Option<Option<u32>> {
    match message {
        Message::Interface(
            Observed::AddressGone { interface: index, .. }
            | Observed::LinkGone { index }
            | Observed::Link { index, up: false, .. },
        ) => Some(Some(index)),
        Message::Unreadable => Some(None),
        _ => None,
    }
}
