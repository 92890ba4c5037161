use std::ffi::CString;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP_INTR, Parseable};
use netlink_packet_route::address::{AddressAttribute, AddressHeader};
use netlink_packet_route::link::{LinkFlags, LinkHeader};
use nix::errno::Errno;

use super::change::{Change, PROTOCOL};
use crate::driver::kernel::message::{self, Message, Raw, Requests, Subject};
use crate::driver::kernel::socket::{Read, RequestSocket};

/// A dump that the kernel interrupted is begun anew so often.
const DUMPS: u32 = 20;

/// A link, as far as a virtual router is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub alias: Option<String>,
    /// That it is on.
    pub parent: Option<u32>,
    /// Administratively.
    pub up: bool,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub index: u32,
    pub address: IpAddr,
    /// Added by us, in this life or an earlier one.
    pub ours: bool,
}

/// A netlink socket for changes of links and addresses, one batch at a time. Blocks for as long as the kernel takes.
pub struct Netlink {
    socket: RequestSocket,
    requests: Requests,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> io::Result<Netlink> {
        Ok(Netlink { socket: RequestSocket::open()?, requests: Requests::default(), sequence: 0 })
    }

    /// Makes all of these changes in this order with one system call, also those behind one that fails.
    ///
    /// # Errors
    /// What could not be done first and why, with its errno.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), Refusal> {
        if changes.is_empty() {
            return Ok(());
        }
        self.requests.clear();
        let first = self.sequence.wrapping_add(1);
        for change in changes {
            self.sequence = self.sequence.wrapping_add(1);
            let (flags, request) = change.request();
            self.requests.push(self.sequence, flags, request);
        }
        let failed = |error: io::Error| Refusal {
            errno: error.raw_os_error().unwrap_or(libc::EIO),
            text: format!("netlink: {error}"),
        };
        self.socket.drain().map_err(failed)?;
        self.socket.send(&self.requests).map_err(failed)?;
        let mut refused: Option<Refusal> = None;
        let mut answered = 0;
        while answered < changes.len() {
            match self.socket.read().map_err(failed)? {
                Read::Datagram => {}
                Read::Empty | Read::Lost => return Err(failed(Errno::ENOBUFS.into())),
            }
            for raw in self.socket.messages() {
                let index = raw.sequence_number().wrapping_sub(first) as usize;
                let (Some(change), Some(Message::Answer { errno, text })) =
                    (changes.get(index), message::decode(&raw))
                else {
                    continue;
                };
                answered += 1;
                if errno != 0 && refused.is_none() && !change.is_done_by(errno) {
                    refused = Some(Refusal::new(change, errno, text));
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        self.dump(Subject::Links, link)
    }

    pub fn addresses(&mut self) -> io::Result<Vec<Held>> {
        self.dump(Subject::Addresses, held)
    }

    fn dump<T>(&mut self, subject: Subject, read: fn(&Raw) -> Option<T>) -> io::Result<Vec<T>> {
        for _ in 0..DUMPS {
            if let Some(all) = self.try_dump(subject, read)? {
                return Ok(all);
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// `None` if it was interrupted.
    fn try_dump<T>(
        &mut self,
        subject: Subject,
        read: fn(&Raw) -> Option<T>,
    ) -> io::Result<Option<Vec<T>>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.requests.clear();
        self.requests.dump(self.sequence, subject);
        self.socket.drain()?;
        self.socket.send(&self.requests)?;
        let mut all = Vec::new();
        loop {
            match self.socket.read()? {
                Read::Datagram => {}
                Read::Empty | Read::Lost => return Ok(None),
            }
            for raw in self.socket.messages() {
                if raw.sequence_number() != self.sequence {
                    continue;
                }
                if raw.flags() & NLM_F_DUMP_INTR != 0 {
                    return Ok(None);
                }
                match raw.message_type() {
                    libc::RTM_NEWLINK | libc::RTM_NEWADDR => all.extend(read(&raw)),
                    _ => match message::decode(&raw) {
                        Some(Message::Answer { errno: 0, .. }) => return Ok(Some(all)),
                        Some(Message::Answer { errno, .. }) => {
                            return Err(io::Error::from_raw_os_error(errno));
                        }
                        _ => {}
                    },
                }
            }
        }
    }
}

/// Why the kernel did not do what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub errno: i32,
    /// What was asked for, and the answer.
    pub text: String,
}

impl Refusal {
    fn new(change: &Change, errno: i32, text: Option<String>) -> Refusal {
        let why = match errno {
            libc::EPERM => "not permitted: shuntd needs CAP_NET_ADMIN".to_owned(),
            libc::EOPNOTSUPP if matches!(change, Change::CreateMacvlan { .. }) => {
                "this kernel has no macvlan (CONFIG_MACVLAN); use `mac = \"physical\"`".to_owned()
            }
            _ => text.unwrap_or_else(|| Errno::from_raw(errno).desc().to_owned()),
        };
        Refusal { errno, text: format!("cannot {change}: {why}") }
    }
}

fn link(raw: &Raw) -> Option<Link> {
    let body = raw.payload();
    let header = LinkHeader::parse(body).ok()?;
    let attributes = || message::attributes(body, &header);
    Some(Link {
        index: header.index,
        name: message::string(attributes(), libc::IFLA_IFNAME)?,
        alias: message::string(attributes(), libc::IFLA_IFALIAS),
        parent: message::number(attributes(), libc::IFLA_LINK),
        up: header.flags.contains(LinkFlags::Up),
    })
}

fn held(raw: &Raw) -> Option<Held> {
    let body = raw.payload();
    let header = AddressHeader::parse(body).ok()?;
    let (mut address, mut local, mut ours) = (None, None, false);
    for attribute in message::attributes(body, &header).filter_map(Result::ok) {
        match AddressAttribute::parse(&attribute) {
            Ok(AddressAttribute::Address(value)) => address = Some(value),
            Ok(AddressAttribute::Local(value)) => local = Some(value),
            Ok(AddressAttribute::Protocol(value)) => ours = u8::from(value) == PROTOCOL,
            _ => {}
        }
    }
    Some(Held { index: header.index, address: local.or(address)?, ours })
}

/// What is called `index` now.
pub fn name_of(index: u32) -> Option<String> {
    nix::net::if_::if_indextoname(index).ok().map(CString::into_string)?.ok()
}
