//! Making changes, a batch at a time.

use std::io;

use nix::errno::Errno;

use super::message::{self, KernelRoute, Message, Verb};
use super::object;
use super::socket::Read;
use super::{Report, Stop, Task};
use crate::fib::{Change, KernelError, Key, Observed};

/// A batch ends after so many changes…
const BATCH_CHANGES: usize = 500;
/// …or so many bytes, well below the default send buffer (net.core.wmem_default, 208 KiB).
const BATCH_BYTES: usize = 64 * 1024;

type Results = Vec<(Key, Result<(), KernelError>)>;

impl Task {
    /// Makes the first waiting changes and reports how that went.
    pub(super) async fn apply_batch(&mut self) -> Result<(), Stop> {
        let first = self.sequence.wrapping_add(1);
        let mut results = Results::new();
        self.requests.clear();
        while results.len() < BATCH_CHANGES && self.requests.len() < BATCH_BYTES {
            let Some(change) = self.changes.pop_front() else { break };
            results.push((change.key(), Ok(())));
            self.encode(change);
        }
        self.requests.acknowledge_last();
        let answered = match self.sockets.changes.send(&self.requests) {
            Ok(()) => self.read_answers(first, &mut results),
            Err(error) => Err(error),
        };
        if let Err(error) = answered {
            // Every change is answered. What became of these is seen by a dump.
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            for (_, result) in results.iter_mut().filter(|(_, result)| result.is_ok()) {
                *result = Err(kernel_error(errno, None));
            }
            self.observed.push(Observed::Lost);
        }
        self.report(Report::Applied(results)).await
    }

    fn encode(&mut self, change: Change) {
        let sequence = self.next_sequence();
        let (protocol, table) = (self.settings.protocol, self.settings.table);
        let (verb, route) = match change {
            Change::Create(route) => (Verb::Create, route),
            Change::Replace(route) => (Verb::Replace, route),
            Change::Delete { prefix, metric } => {
                return self.requests.delete_route(sequence, protocol, table, prefix, metric);
            }
            Change::CreateObject { id, object } => {
                let verb = object::Verb::Create;
                return self.requests.set_object(sequence, verb, protocol, id, &object);
            }
            Change::ReplaceObject { id, object } => {
                let verb = object::Verb::Replace;
                return self.requests.set_object(sequence, verb, protocol, id, &object);
            }
            Change::DeleteObject { id } => return self.requests.delete_object(sequence, id),
        };
        self.requests.set_route(sequence, verb, &KernelRoute { protocol, table, route });
    }

    /// Notes in `results` what the kernel refused, up to the answer to the last request.
    fn read_answers(&mut self, first: u32, results: &mut Results) -> io::Result<()> {
        loop {
            match self.sockets.changes.read()? {
                Read::Datagram => {}
                Read::Empty | Read::Lost => return Err(Errno::ENOBUFS.into()),
            }
            for raw in self.sockets.changes.messages() {
                let index = raw.sequence_number().wrapping_sub(first) as usize;
                let is_last = index + 1 == results.len();
                let (Some((_, result)), Some(Message::Answer { errno, text })) =
                    (results.get_mut(index), message::decode(&raw))
                else {
                    continue;
                };
                if errno != 0 {
                    *result = Err(kernel_error(errno, text));
                }
                if is_last {
                    return Ok(());
                }
            }
        }
    }
}

/// `text` is the extended acknowledgement's, which most errors do not have.
fn kernel_error(errno: i32, text: Option<String>) -> KernelError {
    let name = Errno::from_raw(errno).desc();
    let text = match errno {
        libc::EPERM => format!("{name}: changing routes takes CAP_NET_ADMIN"),
        _ => text.unwrap_or_else(|| name.to_owned()),
    };
    KernelError { errno, text }
}
