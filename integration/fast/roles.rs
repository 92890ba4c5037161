//! shuntd and another VRRP router on a LAN: who is Active when.

use super::segment::{OWN, PRIORITIES, SHARED, SHARED_LINK_LOCAL, Segment, VRID};
use crate::lab::Node;
use crate::lab::vrrp::{Keepalived, LOWERED_BY, VrrpFrr, VrrpPeer, VrrpRouter, VrrpShunt};

/// Every peer as the first one and as the second one.
macro_rules! both_ways {
    ($scenario:ident) => {
        #[test]
        fn keepalived_first() {
            $scenario(Keepalived::start, VrrpShunt::start);
        }

        #[test]
        fn keepalived_second() {
            $scenario(VrrpShunt::start, Keepalived::start);
        }

        #[test]
        fn frr_first() {
            $scenario(VrrpFrr::start, VrrpShunt::start);
        }

        #[test]
        fn frr_second() {
            $scenario(VrrpShunt::start, VrrpFrr::start);
        }
    };
}

mod version_3 {
    use super::*;

    #[track_caller]
    fn moves_both_ways<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let mut segment = Segment::new(first, second);
        segment.move_both_ways();
        segment.answers();
        segment.saw(&format!("vrrp.prio == {}", PRIORITIES[0] - LOWERED_BY));
        segment.no_faults();
    }

    both_ways!(moves_both_ways);
}

mod virtual_mac {
    use super::*;

    fn mac(family: u8) -> String {
        format!("00:00:5e:00:0{family}:{VRID:02x}")
    }

    /// FRR knows no other; keepalived makes a macvlan of its own.
    #[track_caller]
    fn moves_both_ways<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let mut segment = Segment::with(first, second, |_, router| {
            for instance in &mut router.instances {
                instance.virtual_mac = true;
            }
        });
        segment.move_both_ways();
        segment.answers();
        for source in OWN {
            segment.saw(&format!("vrrp && ip.src == {source} && eth.src == {}", mac(1)));
        }
        for (protocol, mac) in [("ip", mac(1)), ("ipv6", mac(2))] {
            let fields = [&format!("{protocol}.src"), "eth.src", "vrrp.prio"];
            let sent = segment.fields(&format!("vrrp && {protocol}"), &fields);
            let sent: Vec<Vec<&str>> = sent.iter().map(|line| line.split('\t').collect()).collect();
            assert_eq!(sent[0][1], mac);
            for pair in sent.windows(2).filter(|pair| pair[1][1] != mac) {
                // Only whoever yields to a better one does so from its own address, so that the virtual one stays there.
                let [source, priority] = [0, 2].map(|field| [0, 1].map(|one| pair[one][field]));
                let priority = priority.map(|text| text.parse::<u8>().unwrap());
                assert!(source[0] != source[1] && priority[0] > priority[1], "{pair:?}");
            }
        }
        segment.no_faults();
    }

    both_ways!(moves_both_ways);
}

mod version_2 {
    use super::*;

    #[track_caller]
    fn moves_both_ways<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let mut segment = Segment::with(first, second, |_, router| {
            router.instances.truncate(1);
            router.instances[0].version = 2;
            router.instances[0].interval = 100;
        });
        segment.move_both_ways();
        segment.answers();
        assert_eq!(segment.count("vrrp && vrrp.version != 2"), 0);
        segment.no_faults();
    }

    both_ways!(moves_both_ways);
}

mod no_preemption {
    use super::*;

    #[track_caller]
    fn leaves_the_role<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let mut segment = Segment::with(first, second, |_, router| {
            for instance in &mut router.instances {
                instance.preempt = false;
            }
        });
        segment.first_is_active();
        segment.first.stop();
        segment.second_is_active(false);
        segment.first.start();
        segment.second_is_active(true);
        // Ten intervals later it is so still.
        let last = segment.count("vrrp && ip");
        let ten = format!("ten advertisements after {last}");
        crate::lab::wait_for(&ten, crate::lab::PATIENCE, || match segment.count("vrrp && ip") {
            count if count >= last + 10 => Ok(()),
            count => Err(format!("{count}")),
        });
        segment.second_is_active(true);
        segment.second.stop();
        crate::lab::wait_for("first Active again", crate::lab::PATIENCE, || {
            match segment.first.role("four")? {
                role if role == "active" => Ok(()),
                role => Err(role),
            }
        });
        segment.no_faults();
    }

    both_ways!(leaves_the_role);
}

mod equal_priority {
    use super::*;

    /// The Active stays it. If both think so, the higher address wins: the second one's.
    #[track_caller]
    fn is_decided_by_address<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let segment = Segment::with(first, second, |_, router| {
            router.instances.truncate(1);
            router.instances[0].priority = 100;
        });
        segment.first_is_active();
        segment.lan.cut("first");
        segment.second_is_active(false);
        segment.lan.mend();
        segment.second_is_active(true);
        segment.no_faults();
    }

    both_ways!(is_decided_by_address);
}

/// The owner of the address (priority 255) is Active at once, and whenever it is there.
mod owner {
    use super::*;

    #[track_caller]
    fn is_active<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
        address: &str,
    ) {
        let mut segment = Segment::with(first, second, |index, router| {
            router.instances.truncate(1);
            router.instances[0].addresses = vec![format!("{address}/24")];
            if index == 0 {
                router.instances[0].priority = 255;
            }
        });
        segment.first_is_active();
        segment.saw("vrrp.prio == 255");
        segment.first.stop();
        segment.second_is_active(false);
        segment.first.start();
        segment.first_is_active();
        segment.no_faults();
    }

    #[test]
    fn is_keepalived() {
        is_active(Keepalived::start, VrrpShunt::start, SHARED[0]);
    }

    /// With one more address: while keepalived has the one that an owner sends from, its kernel drops what comes from
    /// there.
    #[test]
    fn is_shuntd() {
        let owner = |node: &Node, router: VrrpRouter| {
            node.address("lan", &format!("{}/24", SHARED[0]));
            VrrpShunt::start(node, router)
        };
        is_active(owner, Keepalived::start, SHARED[0]);
    }

    #[test]
    fn is_shuntd_by_its_first_address() {
        is_active(VrrpShunt::start, VrrpShunt::start, OWN[0]);
    }
}

mod unicast {
    use super::*;

    #[track_caller]
    fn moves_both_ways<A: VrrpPeer, B: VrrpPeer>(
        first: impl Fn(&Node, VrrpRouter) -> A,
        second: impl Fn(&Node, VrrpRouter) -> B,
    ) {
        let mut segment = Segment::with(first, second, |index, router| {
            router.instances.truncate(1);
            let peers = (OWN[index].to_owned(), OWN[1 - index].to_owned());
            router.instances[0].unicast = Some(peers);
        });
        segment.move_both_ways();
        assert_eq!(segment.count("vrrp"), 0, "advertisements to all");
    }

    #[test]
    fn keepalived_first() {
        moves_both_ways(Keepalived::start, VrrpShunt::start);
    }

    #[test]
    fn keepalived_second() {
        moves_both_ways(VrrpShunt::start, Keepalived::start);
    }
}

/// Gratuitous ARP and unsolicited Neighbor Advertisements at a takeover, from the address that hosts are to use.
mod announcements {
    use super::*;

    #[track_caller]
    fn are_sent(virtual_mac: bool) {
        let mut segment = Segment::with(Keepalived::start, VrrpShunt::start, |_, router| {
            for instance in &mut router.instances {
                instance.virtual_mac = virtual_mac;
            }
        });
        segment.first_is_active();
        segment.first.stop();
        segment.second_is_active(false);
        let interface = segment.nodes[1].must("cat", &["/sys/class/net/lan/address"]);
        let mac = |family: u8| match virtual_mac {
            true => format!("00:00:5e:00:0{family}:{VRID:02x}"),
            false => interface.trim().to_owned(),
        };
        segment.saw(&format!(
            "arp.isgratuitous && arp.src.proto_ipv4 == {} && arp.src.hw_mac == {mac} && eth.src == {mac} && \
             eth.dst == ff:ff:ff:ff:ff:ff",
            SHARED[0],
            mac = mac(1),
        ));
        for address in [SHARED[1], SHARED_LINK_LOCAL] {
            segment.saw(&format!(
                "icmpv6.type == 136 && icmpv6.nd.na.target_address == {address} && ipv6.dst == ff02::1 && \
                 icmpv6.nd.na.flag.o == 1 && icmpv6.nd.na.flag.r == 1 && icmpv6.nd.na.flag.s == 0 && \
                 icmpv6.opt.linkaddr == {mac} && eth.src == {mac} && ipv6.hlim == 255",
                mac = mac(2),
            ));
        }
        segment.answers();
        segment.first.start();
        segment.first_is_active();
        segment.answers();
        segment.no_faults();
    }

    #[test]
    fn come_from_the_virtual_mac() {
        are_sent(true);
    }

    #[test]
    fn come_from_the_physical_mac() {
        are_sent(false);
    }
}
