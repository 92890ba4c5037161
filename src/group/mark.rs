use super::Epoch;
use crate::types::Asn;
use crate::wire::bgp::LargeCommunity;

/// A site in routes: `id` of `[site.NAME]`, 1 to [`SiteId::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u8);

/// How a route says where its group is, and by which switch.
///
/// Every node's routes carry the mark, wherever the group is: so who was raised and went back tells of the later epoch too,
/// though it is not where the group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    pub site: SiteId,
    pub epoch: Epoch,
}

impl SiteId {
    /// The highest bit of a tag says that it was made by a router by itself (RFC 1745 §4), as others do that know that form.
    pub const MOST: u8 = 127;
}

impl Mark {
    /// The most switches of one group: eight bits of a tag are the site.
    pub const LAST_EPOCH: Epoch = Epoch(0x00ff_ffff);

    /// The first local part of a large community that is a mark: `SH`, and the site.
    const FUNCTION: u32 = 0x5348_0000;

    /// As the External Route Tag of an LSA (RFC 2328 §A.4.5), which OSPF itself does not use.
    pub fn to_tag(self) -> u32 {
        u32::from(self.site.0) << 24 | self.epoch.0.min(Mark::LAST_EPOCH.0)
    }

    /// `None`: it is none of ours.
    pub fn from_tag(tag: u32) -> Option<Mark> {
        let [site, ..] = tag.to_be_bytes();
        let mark = Mark { site: SiteId(site), epoch: Epoch(tag & Mark::LAST_EPOCH.0) };
        mark.is_valid().then_some(mark)
    }

    /// As a large community (RFC 8092) of our AS.
    pub fn to_community(self, asn: Asn) -> LargeCommunity {
        LargeCommunity {
            global: asn.0,
            local1: Mark::FUNCTION | u32::from(self.site.0),
            local2: self.epoch.0,
        }
    }

    /// `None`: it is none of ours.
    pub fn from_community(community: LargeCommunity, asn: Asn) -> Option<Mark> {
        let site = u8::try_from(community.local1 ^ Mark::FUNCTION).ok()?;
        let mark = Mark { site: SiteId(site), epoch: Epoch(community.local2) };
        (community.global == asn.0 && mark.is_valid()).then_some(mark)
    }

    fn is_valid(self) -> bool {
        (1..=SiteId::MOST).contains(&self.site.0)
            && (1..=Mark::LAST_EPOCH.0).contains(&self.epoch.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let ours = Asn(64500);
        for (site, epoch) in [(1, 1), (127, 0x00ff_ffff), (2, 77)] {
            let mark = Mark { site: SiteId(site), epoch: Epoch(epoch) };
            assert_eq!(Mark::from_tag(mark.to_tag()), Some(mark));
            assert_eq!(Mark::from_community(mark.to_community(ours), ours), Some(mark));
            assert_eq!(Mark::from_community(mark.to_community(Asn(64501)), ours), None);
        }
        let mark = Mark { site: SiteId(2), epoch: Epoch(77) };
        assert_eq!(mark.to_tag(), 0x0200_004d);
        assert_eq!(mark.to_community(ours).to_string(), "64500:1397227522:77");
    }

    #[test]
    fn what_is_no_mark_is_none() {
        // Of nobody, of no site, of no switch, and made by a router by itself.
        for tag in [0, 77, 0x0200_0000, 0x8200_004d, 0xd000_fc00] {
            assert_eq!(Mark::from_tag(tag), None, "{tag:#x}");
        }
        let of = |local1, local2| LargeCommunity { global: 64500, local1, local2 };
        for other in [of(1, 2), of(0x5348_0000, 2), of(0x5348_0001, 0), of(0x5348_0101, 2)] {
            assert_eq!(Mark::from_community(other, Asn(64500)), None, "{other}");
        }
    }
}
