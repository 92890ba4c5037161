use std::time::Duration;

use super::timer::RESTART_LIMIT;
use super::{DownReason, Settings};
use crate::types::Family;
use crate::wire::bgp::{Capability, Open, SessionFacts};

/// What the neighbour's OPEN says about its restarts (RFC 4724 §3, RFC 8538 §2); there only if we
/// are a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Families whose routes are to be kept when the session ends.
    pub families: Vec<Family>,
    /// Those of them whose forwarding survived the restart that led to this session (F bit).
    pub preserved: Vec<Family>,
    /// How long the neighbour may be away; at most two minutes.
    pub time: Duration,
    /// A NOTIFICATION that is no Hard Reset begins a restart as well (N bit).
    pub notification: bool,
}

/// Why routes of a family are stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    /// The neighbour restarts (RFC 4724): until End-of-RIB.
    Restart,
    /// The neighbour sends them again (RFC 7313): until EoRR.
    Refresh,
}

impl Restart {
    pub(super) fn negotiate(
        settings: &Settings,
        theirs: &Open,
        facts: &SessionFacts,
    ) -> Option<Restart> {
        if !settings.graceful_restart_helper {
            return None;
        }
        // Of several the last one counts (RFC 4724 §3).
        let restart = theirs.capabilities.iter().rev().find_map(|capability| match capability {
            Capability::GracefulRestart(restart) => Some(restart),
            _ => None,
        })?;
        let listed = |preserved_only: bool| {
            let mut families: Vec<Family> = restart
                .families
                .iter()
                .filter(|(_, _, preserved)| *preserved || !preserved_only)
                .filter_map(|(afi, safi, _)| Family::from_afi_safi(*afi, *safi))
                .filter(|family| facts.families.contains(family))
                .collect();
            families.sort();
            families.dedup();
            families
        };
        Some(Restart {
            families: listed(false),
            preserved: listed(true),
            time: Duration::from_secs(restart.restart_time.into()).min(RESTART_LIMIT),
            notification: restart.notification,
        })
    }

    /// Families whose routes outlive a session that ended for this reason.
    pub(super) fn retained(&self, reason: &DownReason) -> Vec<Family> {
        let keeps = match reason {
            DownReason::Closed(_) | DownReason::Restarted => true,
            // What ended is the path, not the neighbour's life: routes over it lead nowhere. BFD notices before a restart
            // could be announced, so what it notices is a failure (RFC 5882 §4.3.2.2), whoever tells of it.
            DownReason::LinkLost(_) => false,
            DownReason::Suspended => false,
            DownReason::Sent(notification) | DownReason::Received(notification)
                if notification.is_bfd_down() =>
            {
                false
            }
            DownReason::Sent(notification) | DownReason::Received(notification) => {
                const CEASE_HARD_RESET: (u8, u8) = (6, 9);
                self.notification && (notification.code, notification.subcode) != CEASE_HARD_RESET
            }
        };
        if keeps && !self.time.is_zero() { self.families.clone() } else { Vec::new() }
    }
}
