//! Sessions come up whoever dials, with TCP-MD5 and GTSM where the peer has them.

use crate::edge::{EDGE, Edge, ISP, Meeting, SERVICE, UPSTREAM};
use crate::lab::{Bird, Exabgp, Frr, Gobgp, Node, Openbgpd, Peer, Speaker};

#[track_caller]
fn meets<P: Peer>(start: impl Fn(&Node, Speaker) -> P, meeting: Meeting) {
    let edge = Edge::meet(start, meeting);
    for family in [0, 1] {
        edge.isp_sees(SERVICE[family], |_| true);
        edge.learned(UPSTREAM[family], true);
        let (ip, ttl) = if family == 0 { ("ip", "ip.ttl") } else { ("ipv6", "ipv6.hlim") };
        let waits = if meeting.edge_waits { EDGE[family] } else { ISP[family] };
        let filter = format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && {ip}.src == {waits}");
        assert_eq!(
            edge.capture.fields(&filter, &["frame.number"]),
            [""; 0],
            "{waits} dialled, although it is passive"
        );
        let filter = format!("bgp.type == 1 && {ip}.src == {}", EDGE[family]);
        let open = edge.capture.fields(&filter, &[ttl, "tcp.option_kind"]);
        let open = open.first().expect("our OPEN was captured");
        assert_eq!(open.starts_with("255\t"), meeting.gtsm, "TTL and options of our OPEN: {open}");
        assert_eq!(open.contains("19"), meeting.md5, "TTL and options of our OPEN: {open}");
    }
    edge.no_faults();
}

const WE_DIAL: Meeting = Meeting { edge_waits: false, md5: false, gtsm: false };
const WE_WAIT: Meeting = Meeting { edge_waits: true, ..WE_DIAL };

/// A test per line: its name, the peer, and the meeting.
macro_rules! meetings {
    ($($name:ident: $peer:ident, $meeting:expr;)*) => {
        $(#[test]
        fn $name() {
            meets($peer::start, $meeting);
        })*
    };
}

meetings! {
    frr_waits: Frr, WE_DIAL;
    frr_waits_with_md5: Frr, Meeting { md5: true, ..WE_DIAL };
    frr_waits_with_gtsm: Frr, Meeting { gtsm: true, ..WE_DIAL };
    frr_dials: Frr, WE_WAIT;
    frr_dials_with_md5_and_gtsm: Frr, Meeting { md5: true, gtsm: true, ..WE_WAIT };

    bird_waits: Bird, WE_DIAL;
    bird_waits_with_md5: Bird, Meeting { md5: true, ..WE_DIAL };
    bird_waits_with_gtsm: Bird, Meeting { gtsm: true, ..WE_DIAL };
    bird_dials: Bird, WE_WAIT;
    bird_dials_with_md5_and_gtsm: Bird, Meeting { md5: true, gtsm: true, ..WE_WAIT };

    gobgp_waits: Gobgp, WE_DIAL;
    gobgp_waits_with_md5: Gobgp, Meeting { md5: true, ..WE_DIAL };
    gobgp_waits_with_gtsm: Gobgp, Meeting { gtsm: true, ..WE_DIAL };
    gobgp_dials: Gobgp, WE_WAIT;
    gobgp_dials_with_md5_and_gtsm: Gobgp, Meeting { md5: true, gtsm: true, ..WE_WAIT };

    // OpenBGPD on Linux sets no key on its listening socket: TCP-MD5 only when it dials.
    openbgpd_waits: Openbgpd, WE_DIAL;
    openbgpd_waits_with_gtsm: Openbgpd, Meeting { gtsm: true, ..WE_DIAL };
    openbgpd_dials: Openbgpd, WE_WAIT;
    openbgpd_dials_with_md5_and_gtsm: Openbgpd, Meeting { md5: true, gtsm: true, ..WE_WAIT };

    // ExaBGP sets the TTL only on connections that it dials.
    exabgp_waits: Exabgp, WE_DIAL;
    exabgp_waits_with_md5: Exabgp, Meeting { md5: true, ..WE_DIAL };
    exabgp_dials: Exabgp, WE_WAIT;
    exabgp_dials_with_md5_and_gtsm: Exabgp, Meeting { md5: true, gtsm: true, ..WE_WAIT };
}
