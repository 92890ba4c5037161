use super::Slot;
use crate::types::{Asn, RouterId};

/// The connection to keep when both sides have dialled each other (RFC 4271 §6.8): the one dialled
/// by the side with the higher router id; if both have the same, by the side with the higher AS
/// number (RFC 6286 §2.3). Both sides come to the same answer.
///
/// Equal ids within one AS never get here: the OPEN is refused before (RFC 6286 §2.2).
pub(super) fn survivor(ours: (RouterId, Asn), theirs: (RouterId, Asn)) -> Slot {
    if ours > theirs { Slot::Dialled } else { Slot::Accepted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_the_same_connection() {
        let ids = [1, 2, 0xffff_ffff].map(RouterId::from_bits);
        let numbers = [Asn(1), Asn(70_000)];
        let speakers: Vec<_> =
            ids.iter().flat_map(|id| numbers.iter().map(move |asn| (*id, *asn))).collect();
        for a in &speakers {
            for b in speakers.iter().filter(|b| *b != a) {
                // What one side dialled, the other accepted.
                assert_ne!(survivor(*a, *b), survivor(*b, *a), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_higher_id_wins_as_an_unsigned_number_and_the_as_number_breaks_ties() {
        let (low, high) = (RouterId::from_bits(0x0aff_ffff), RouterId::from_bits(0xc000_0001));
        assert_eq!(survivor((high, Asn(1)), (low, Asn(2))), Slot::Dialled);
        assert_eq!(survivor((low, Asn(2)), (high, Asn(1))), Slot::Accepted);
        assert_eq!(survivor((low, Asn(2)), (low, Asn(1))), Slot::Dialled);
    }
}
