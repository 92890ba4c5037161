//! One direction of a TCP connection.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::types::{Rng, Time};

/// Octets that both kernels together hold for a reader that does not read.
pub(super) const WINDOW: u64 = 128 * 1024;

/// First wait before bytes that got lost are sent again; doubles to a maximum.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
const LAST_RETRANSMISSION: Duration = Duration::from_secs(2);

/// Largest piece that a reader gets at once.
const LARGEST_PIECE: u64 = 65_536;

/// Bytes on their way from a writer to a reader.
#[derive(Default)]
pub(super) struct Stream {
    /// With the time at which each may arrive at the earliest.
    segments: VecDeque<(Time, Bytes)>,
    /// Octets that the writer's agent has sent in all, that were reported to it as written, and that the reader has read.
    pub sent: u64,
    pub written: u64,
    pub read: u64,
    retransmission: Option<Duration>,
    /// The writer has closed; the reader learns it behind the last byte.
    pub finished: bool,
    /// Whether an arrival is in the world's queue.
    pub scheduled: bool,
}

impl Stream {
    pub fn push(&mut self, bytes: Bytes, arrives: Time) {
        self.sent += bytes.len() as u64;
        self.segments.push_back((arrives, bytes));
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// When the next bytes may arrive.
    pub fn next_arrival(&self) -> Option<Time> {
        self.segments.front().map(|(arrives, _)| *arrives)
    }

    /// Octets that the writer's TCP takes beyond what it has reported.
    pub fn newly_written(&mut self) -> u64 {
        let written = self.sent.min(self.read + WINDOW);
        written - std::mem::replace(&mut self.written, written)
    }

    /// The bytes got lost: how long until they are sent again.
    pub fn back_off(&mut self) -> Duration {
        let wait = self.retransmission.unwrap_or(FIRST_RETRANSMISSION);
        self.retransmission = Some((2 * wait).min(LAST_RETRANSMISSION));
        wait
    }

    /// A piece of what has arrived by `now`, of any size, across segments.
    pub fn take_piece(&mut self, now: Time, rng: &mut Rng) -> Bytes {
        self.retransmission = None;
        // Mostly large pieces, sometimes a few octets: both happen.
        let limit = if rng.chance(10) { 1 + rng.below(40) } else { 1 + rng.below(LARGEST_PIECE) };
        let mut piece = BytesMut::new();
        while let Some((arrives, bytes)) = self.segments.front_mut() {
            let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(piece.len());
            if *arrives > now || room == 0 {
                break;
            }
            piece.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if bytes.is_empty() {
                self.segments.pop_front();
            }
        }
        self.read += piece.len() as u64;
        piece.freeze()
    }
}
