use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use crate::types::Time;

/// Who was reported to be Active beside us, and when. Each is told of at once, and after that once in a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts(SmallVec<[(IpAddr, Time); MOST]>);

const PAUSE: Duration = Duration::from_secs(10);
/// Whoever makes up more senders than that is not told of.
const MOST: usize = 4;

impl Conflicts {
    /// Whether this one is to be reported now.
    pub fn report(&mut self, address: IpAddr, now: Time) -> bool {
        self.0.retain(|(_, at)| now < *at + PAUSE);
        let new = self.0.len() < MOST && !self.0.iter().any(|(known, _)| *known == address);
        if new {
            self.0.push((address, now));
        }
        new
    }
}
