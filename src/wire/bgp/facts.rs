use super::{Capability, MAX_EXTENDED_LENGTH, MAX_LENGTH, Open};
use crate::types::Family;

/// What two OPENs settled, as far as reading and writing messages depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The neighbour is in another AS: LOCAL_PREF from it is ignored, and so on.
    pub ebgp: bool,
    /// Both sides write AS numbers in four octets (RFC 6793).
    pub four_octet_as: bool,
    /// Both sides take messages up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// Families negotiated (RFC 4760 §8); IPv4 unicast alone if the neighbour sent no
    /// multiprotocol capability.
    pub families: Vec<Family>,
    /// IPv4 prefixes may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// Families whose prefixes come with a path identifier (RFC 7911). Never negotiated by our
    /// sessions; captures and tables have it.
    pub add_path: Vec<Family>,
}

impl SessionFacts {
    /// What holds between us, who sent `ours`, and the neighbour, who sent `theirs`.
    pub fn negotiate(ours: &Open, theirs: &Open) -> SessionFacts {
        let both = |wanted: fn(&Capability) -> bool| {
            ours.capabilities.iter().any(wanted) && theirs.capabilities.iter().any(wanted)
        };
        let (our_families, their_families) = (families(ours), families(theirs));
        SessionFacts {
            ebgp: ours.asn != theirs.asn,
            four_octet_as: both(|c| matches!(c, Capability::FourOctetAs(_))),
            extended_message: both(|c| matches!(c, Capability::ExtendedMessage)),
            families: Family::ALL
                .into_iter()
                .filter(|family| our_families.contains(family) && their_families.contains(family))
                .collect(),
            extended_next_hop: both(
                |c| matches!(c, Capability::ExtendedNextHop(list) if list.contains(&(1, 1, 2))),
            ),
            add_path: Vec::new(),
        }
    }

    /// The longest message of any type but OPEN and KEEPALIVE.
    pub(super) fn max_length(&self) -> usize {
        if self.extended_message { MAX_EXTENDED_LENGTH } else { MAX_LENGTH }
    }

    pub(super) fn has(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    pub(super) fn has_path_ids(&self, family: Family) -> bool {
        self.add_path.contains(&family)
    }
}

/// The families that an OPEN offers: IPv4 unicast if it says nothing (RFC 4760 §8).
fn families(open: &Open) -> Vec<Family> {
    let mut offered = open
        .capabilities
        .iter()
        .filter_map(|capability| match capability {
            Capability::Multiprotocol { afi, safi } => Some(Family::from_afi_safi(*afi, *safi)),
            _ => None,
        })
        .peekable();
    if offered.peek().is_none() {
        return vec![Family::Ipv4];
    }
    offered.flatten().collect()
}
