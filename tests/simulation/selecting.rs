//! `shunt routes` with conditions: what is shown of a table from two ISPs, in whatever portions it is read.

use std::time::Duration;

use shunt::agent::{Event, PeerId};
use shunt::api::v1::RoutesRequest;
use shunt::bgp::{self, ConnectionId};
use shunt::sim::{Link, NodeId, World};
use shunt::types::{Asn, Prefix};
use shunt::wire::bgp::{Announced, AsPath, Attributes, Message, NextHop, Nlri, Update};
use tonic::Code;

use crate::topology::*;

pub const ISP_A: (PeerId, &str, u32) = (PeerId(0), "10.0.1.2", 64496);
pub const ISP_B: (PeerId, &str, u32) = (PeerId(1), "10.0.2.2", 64497);

pub struct Table {
    pub world: World,
    pub edge: NodeId,
}

pub fn table() -> Table {
    table_with("", "")
}

/// With more keys for its neighbours, and more sections.
pub fn table_with(keys: &str, sections: &str) -> Table {
    let mut world = World::new(1);
    let keys = format!("{EDGE}\n{keys}");
    let edge = Text::node("edge", "dc1", 64500, "192.0.2.1")
        .neighbor("isp-a", ISP_A.1, ISP_A.2, &keys)
        .neighbor("isp-b", ISP_B.1, ISP_B.2, &keys);
    let isp = |name: &str, asn: u32, id: &str, edge: &str| {
        Text::node(name, "isp", asn, id).neighbor("edge", edge, 64500, ISP).done()
    };
    let edge = world.node(&(edge.done() + sections));
    let isp_a = world.node(&isp("isp-a", ISP_A.2, "192.0.2.2", "10.0.1.1"));
    let isp_b = world.node(&isp("isp-b", ISP_B.2, "192.0.2.3", "10.0.2.1"));
    world.link((edge, "10.0.1.1/24"), (isp_a, "10.0.1.2/24"), Link::default());
    world.link((edge, "10.0.2.1/24"), (isp_b, "10.0.2.2/24"), Link::default());
    for node in [edge, isp_a, isp_b] {
        world.start(node);
    }
    world.run_for(Duration::from_secs(5));
    let mut table = Table { world, edge };
    for prefix in ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "192.0.2.0/24"] {
        table.learn(ISP_A, prefix, |_| ());
    }
    for prefix in ["10.1.0.0/16", "10.3.0.0/16"] {
        table.learn(ISP_B, prefix, |attributes| {
            attributes.as_path = AsPath::sequence([Asn(64497), Asn(64499)]);
            attributes.communities = ["64497:7".parse().unwrap()].into();
            attributes.large_communities = ["64497:1:2".parse().unwrap()].into();
            attributes.extended_communities = ["rt:64497:3".parse().unwrap()].into();
        });
    }
    table
}

impl Table {
    pub fn learn(
        &mut self,
        (peer, next_hop, asn): (PeerId, &str, u32),
        prefix: &str,
        change: impl Fn(&mut Attributes),
    ) {
        let mut attributes = Attributes::originated(NextHop::V4(next_hop.parse().unwrap()));
        attributes.as_path = AsPath::sequence([Asn(asn)]);
        change(&mut attributes);
        let nlri = vec![Nlri::from(prefix.parse::<Prefix>().unwrap())];
        let update =
            Update { announced: vec![Announced { attributes, nlri }], ..Update::default() };
        // Only the connection of the session takes it.
        for connection in (0..9).map(ConnectionId) {
            let message = Message::Update(update.clone());
            let event = bgp::Event::Received { connection, message };
            self.world.deliver(self.edge, Event::Peer { peer, event });
        }
        self.world.run_for(Duration::from_millis(10));
    }

    /// `10.1.0.0/16 isp-b lost longer AS path (2, best has 1), against isp-a`, one per path.
    fn read(&self, request: &RoutesRequest, portion: usize) -> Vec<String> {
        let agent = self.world.agent(self.edge).unwrap();
        let now = self.world.agent_now(self.edge);
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let (routes, next) = agent.routes(request, after, portion, now).unwrap();
            for route in routes {
                let texts = route.paths.iter().map(|path| {
                    format!("{} {} {} {}", route.prefix, path.source, path.standing, path.reason)
                });
                shown.extend(texts.map(|text| text.trim().to_owned()));
            }
            if next.is_none() {
                return shown;
            }
            after = next;
        }
    }

    #[track_caller]
    pub fn shows(&self, request: &RoutesRequest, expected: &[&str]) {
        for portion in [1, 2, 3, 100] {
            assert_eq!(self.read(request, portion), expected, "{portion} at a time");
        }
    }

    #[track_caller]
    fn refuses(&self, request: &RoutesRequest) -> String {
        let now = self.world.agent_now(self.edge);
        let agent = self.world.agent(self.edge).unwrap();
        let refused = agent.routes(request, None, 9, now).unwrap_err();
        assert_ne!(refused.code(), Code::Internal);
        refused.message().to_owned()
    }
}

pub fn all() -> RoutesRequest {
    RoutesRequest::default()
}

const LOST: &str = "10.1.0.0/16 isp-b lost longer AS path (2, best has 1), against isp-a";

#[test]
fn every_condition_alone() {
    let table = table();
    let everything = [
        "10.0.0.0/8 isp-a best",
        "10.1.0.0/16 isp-a best",
        LOST,
        "10.1.2.0/24 isp-a best",
        "10.2.0.0/16 isp-a best",
        "10.3.0.0/16 isp-b best",
        "192.0.2.0/24 isp-a best",
    ];
    table.shows(&all(), &everything);
    table.shows(&RoutesRequest { family: "ipv4".to_owned(), ..all() }, &everything);
    table.shows(&RoutesRequest { family: "ipv6".to_owned(), ..all() }, &[]);
    let longer = |prefix: &str| RoutesRequest { longer: prefix.to_owned(), ..all() };
    table.shows(&longer("10.1.0.0/16"), &everything[1..4]);
    table.shows(&longer("10.1.0.0/17"), &everything[3..4]);
    table.shows(&longer("10.2.0.0/15"), &everything[4..6]);
    table.shows(&longer("192.0.2.0/24"), &everything[6..]);
    table.shows(&longer("2001:db8::/32"), &[]);
    table.shows(&RoutesRequest { lost: true, ..all() }, &[LOST]);
    let of_isp_b = RoutesRequest { neighbor: "isp-b".to_owned(), ..all() };
    table.shows(&of_isp_b, &[LOST, everything[5]]);
    for community in ["64497:7", "64497:1:2", "rt:64497:3", "0x0002fbf100000003"] {
        let request = RoutesRequest { community: community.to_owned(), ..all() };
        table.shows(&request, &[LOST, everything[5]]);
    }
    let other = RoutesRequest { community: "64497:8".to_owned(), ..all() };
    table.shows(&other, &[]);
}

#[test]
fn conditions_together() {
    let table = table();
    let lost_there = RoutesRequest {
        longer: "10.0.0.0/8".to_owned(),
        neighbor: "isp-b".to_owned(),
        family: "ipv4".to_owned(),
        community: "64497:7".to_owned(),
        lost: true,
        ..all()
    };
    table.shows(&lost_there, &[LOST]);
    table.shows(&RoutesRequest { neighbor: "isp-a".to_owned(), ..lost_there.clone() }, &[]);
    table.shows(&RoutesRequest { longer: "10.3.0.0/16".to_owned(), ..lost_there }, &[]);
}

#[test]
fn a_path_that_cannot_be_used_is_not_used_either() {
    let mut table = table();
    table.learn(ISP_B, "10.4.0.0/16", |attributes| {
        attributes.next_hop = NextHop::V4("203.0.113.9".parse().unwrap());
    });
    let shown = table.read(&RoutesRequest { lost: true, ..all() }, 9);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[1].starts_with("10.4.0.0/16 isp-b unusable"), "{shown:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let table = table();
    assert!(table.refuses(&RoutesRequest { best: true, lost: true, ..all() }).contains("no path"));
    let community = |text: &str| RoutesRequest { community: text.to_owned(), ..all() };
    assert!(table.refuses(&community("64497")).contains("is not a community"));
    assert!(table.refuses(&community("64497:1:x")).contains("is not a large community"));
    assert!(table.refuses(&community("rt:64497:x")).contains("is not an extended community"));
    let neighbor = RoutesRequest { neighbor: "isp-c".to_owned(), ..all() };
    assert!(table.refuses(&neighbor).contains("did you mean `isp-"));
    assert!(table.refuses(&RoutesRequest { longer: "ten".to_owned(), ..all() }).contains("prefix"));
}
