use std::net::Ipv4Addr;

use crate::types::RouterId;

/// A router on a broadcast network, as it says of itself in its Hellos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub router_id: RouterId,
    pub address: Ipv4Addr,
    pub priority: u8,
    /// Whom it takes for DR and BDR: interface addresses, 0.0.0.0 for none.
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
}

/// Interface addresses, 0.0.0.0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
}

/// The Designated Router and its backup (RFC 2328 §9.4): of ourselves and the neighbours in 2-Way or greater.
pub(super) fn elect(ours: Candidate, others: &[Candidate]) -> Outcome {
    let first = calculate(ours, others);
    let was = (ours.designated == ours.address, ours.backup == ours.address);
    let is = (first.designated == ours.address, first.backup == ours.address);
    if was == is {
        return first;
    }
    // (4) Our part has changed: once more with it, so that nobody is DR and BDR at a time.
    calculate(Candidate { designated: first.designated, backup: first.backup, ..ours }, others)
}

/// Steps (2) and (3).
fn calculate(ours: Candidate, others: &[Candidate]) -> Outcome {
    let eligible = || others.iter().chain([&ours]).filter(|router| router.priority > 0);
    let claims_designated = |router: &&Candidate| router.designated == router.address;
    let claims_backup = |router: &&Candidate| router.backup == router.address;
    let rank = |router: &&Candidate| (router.priority, router.router_id);

    let backup = eligible()
        .filter(|router| !claims_designated(router))
        .max_by_key(|router| (claims_backup(router), rank(router)));
    let designated = eligible().filter(claims_designated).max_by_key(rank).or(backup);
    let address = |router: Option<&Candidate>| router.map_or(NONE, |router| router.address);
    Outcome { designated: address(designated), backup: address(backup) }
}

pub(super) const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u8, priority: u8, designated: u8, backup: u8) -> Candidate {
        Candidate {
            router_id: RouterId(Ipv4Addr::new(1, 1, 1, number)),
            address: address(number),
            priority,
            designated: address(designated),
            backup: address(backup),
        }
    }

    fn address(number: u8) -> Ipv4Addr {
        if number == 0 { NONE } else { Ipv4Addr::new(10, 0, 0, number) }
    }

    fn elected(ours: Candidate, others: &[Candidate]) -> (u8, u8) {
        let outcome = elect(ours, others);
        (outcome.designated.octets()[3], outcome.backup.octets()[3])
    }

    #[test]
    fn alone_we_are_dr_without_a_backup() {
        assert_eq!(elected(candidate(1, 1, 0, 0), &[]), (1, 0));
    }

    #[test]
    fn at_a_common_start_the_highest_ids_win_on_every_router() {
        let routers: Vec<_> = (1..=3).map(|number| candidate(number, 1, 0, 0)).collect();
        // Who elects itself DR sees the second as BDR; a DROther sees the best as BDR first, and comes to the same
        // result with the DR's next Hello.
        assert_eq!(elected(routers[2], &routers[..2]), (3, 2));
        let told = candidate(3, 1, 3, 2);
        assert_eq!(elected(routers[1], &[routers[0], told]), (3, 2));
        assert_eq!(elected(candidate(1, 1, 3, 3), &[candidate(2, 1, 3, 2), told]), (3, 2));
    }

    #[test]
    fn a_later_router_of_higher_priority_changes_nothing() {
        let (dr, bdr) = (candidate(1, 1, 1, 2), candidate(2, 1, 1, 2));
        assert_eq!(elected(candidate(9, 200, 0, 0), &[dr, bdr]), (1, 2));
        assert_eq!(elected(dr, &[bdr, candidate(9, 200, 1, 2)]), (1, 2));
    }

    #[test]
    fn the_backup_takes_over_and_the_next_one_becomes_backup() {
        assert_eq!(elected(candidate(2, 1, 1, 2), &[candidate(3, 1, 1, 2)]), (2, 3));
    }

    #[test]
    fn priority_zero_is_never_elected() {
        assert_eq!(elected(candidate(9, 0, 0, 0), &[]), (0, 0));
        assert_eq!(elected(candidate(9, 0, 0, 0), &[candidate(1, 1, 1, 0)]), (1, 0));
        // Claims do not help it.
        assert_eq!(elected(candidate(1, 1, 0, 0), &[candidate(9, 0, 9, 9)]), (1, 0));
    }

    #[test]
    fn of_two_designated_routers_the_higher_priority_stays() {
        let (one, two) = (candidate(1, 5, 1, 0), candidate(2, 1, 2, 0));
        assert_eq!(elected(two, &[one]), (1, 2));
        assert_eq!(elected(one, &[two]), (1, 0));
    }
}
