use std::time::Duration;

use crate::types::Time;

/// What one side decides of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intervals {
    /// bfd.DesiredMinTxInterval.
    pub transmit: Duration,
    /// bfd.RequiredMinRxInterval.
    pub receive: Duration,
}

/// Our intervals: what our packets say, and what we act upon. The two differ from a change until the other side has
/// acknowledged it, where it otherwise could take a packet for missing that is only to come later (RFC 5880 §6.8.3).
#[derive(Clone, Debug)]
pub(super) struct Negotiation {
    advertised: Intervals,
    in_force: Intervals,
    poll: Poll,
    /// Until then a Final may be the answer to a packet of the Poll Sequence before.
    quiet_until: Time,
}

/// RFC 5880 §6.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    Idle,
    /// With the next packet that may carry it.
    Wanted,
    /// The intervals are those that its first packet told.
    Sent {
        since: Time,
        told: Intervals,
    },
}

/// A Poll Sequence waits no longer than this for the answers to an earlier one.
const MAX_QUIET: Duration = Duration::from_secs(1);

impl Negotiation {
    pub fn new(intervals: Intervals) -> Negotiation {
        Negotiation {
            advertised: intervals,
            in_force: intervals,
            poll: Poll::Idle,
            quiet_until: Time::ZERO,
        }
    }

    /// What our packets say.
    pub fn advertised(&self) -> Intervals {
        self.advertised
    }

    /// What counts for how we send and how long we wait.
    pub fn in_force(&self) -> Intervals {
        self.in_force
    }

    /// Whether a Poll Sequence is under way or wanted.
    pub fn is_polling(&self) -> bool {
        self.poll != Poll::Idle
    }

    /// Other intervals from now on. While the session is up, more time between our packets, and less patience with
    /// theirs, take effect with the end of a Poll Sequence only. `known`: there is somebody who would answer it.
    pub fn set(&mut self, wanted: Intervals, up: bool, known: bool) {
        self.in_force = if up {
            Intervals {
                transmit: self.in_force.transmit.min(wanted.transmit),
                receive: self.in_force.receive.max(wanted.receive),
            }
        } else {
            wanted
        };
        if self.advertised != wanted {
            self.advertised = wanted;
            if known && self.poll == Poll::Idle {
                self.poll = Poll::Wanted;
            }
        }
    }

    /// Whether a packet that goes out now has the Poll bit.
    pub fn poll_bit(&mut self, now: Time) -> bool {
        if self.poll == Poll::Wanted && now >= self.quiet_until {
            self.poll = Poll::Sent { since: now, told: self.advertised };
        }
        matches!(self.poll, Poll::Sent { .. })
    }

    /// A packet with the Final bit has come. If the intervals have changed again since the sequence began, it says
    /// nothing of the latest: they need one of their own. A Final does not tell which packet it answers. All that
    /// were sent are answered within the time that the first answer took, or are lost, so the next sequence waits for
    /// that long.
    pub fn finish(&mut self, now: Time) {
        let Poll::Sent { since, told } = self.poll else { return };
        self.quiet_until = now + now.since(since).min(MAX_QUIET);
        if told == self.advertised {
            self.in_force = self.advertised;
            self.poll = Poll::Idle;
        } else {
            self.poll = Poll::Wanted;
        }
    }

    /// There is nobody any more who would answer.
    pub fn forget(&mut self) {
        self.poll = Poll::Idle;
    }
}
