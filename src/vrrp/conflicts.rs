use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::types::Time;

/// Who is Active beside us. Each is told of at once, and after that once in a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts(SmallVec<[Other; MOST]>);

#[derive(Clone, Copy, Debug)]
struct Other {
    address: IpAddr,
    reported: Time,
    heard: Time,
}

const PAUSE: Duration = Duration::from_secs(10);
/// Whatever the interval is.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// Whoever makes up more senders than that is not told of.
const MOST: usize = 4;

impl Conflicts {
    /// This one was heard. Says whether it is to be reported now. Who was silent for an Active_Down_Interval has become
    /// Active anew.
    pub fn report(&mut self, address: IpAddr, active_down: Duration, now: Time) -> bool {
        let silence = active_down.max(LEAST_PAUSE);
        self.0.retain(|other| now < other.reported + PAUSE && now < other.heard + silence);
        if let Some(known) = self.0.iter_mut().find(|other| other.address == address) {
            known.heard = now;
            return false;
        }
        let new = self.0.len() < MOST;
        if new {
            self.0.push(Other { address, reported: now, heard: now });
        }
        new
    }
}
