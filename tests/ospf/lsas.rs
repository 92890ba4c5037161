//! What tests say about advertisements.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use shunt::ospf::{Announced, Event, How};
use shunt::types::{RouterId, Time};
use shunt::wire::ospf::{
    AreaId, Body, ExternalLsa, Frame, Link, Lsa, LsaBody, LsaKey, LsaType, Options, RouterLsa,
    SequenceNumber, Signature, Version, emit,
};

use super::world::{Packet, World, id};

/// An LSU as it was sent.
pub struct Sent {
    pub at: Time,
    pub from: usize,
    pub network: usize,
    pub octets: usize,
    pub lsas: Vec<Lsa>,
}

pub fn prefix(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

/// The name of a router's external whose link state id is the prefix's first address.
pub fn external(router: u8, text: &str) -> LsaKey {
    LsaKey {
        kind: LsaType::EXTERNAL,
        link_state_id: prefix(text).network(),
        advertising_router: id(router),
    }
}

pub fn router_key(router: u8) -> LsaKey {
    let RouterId(link_state_id) = id(router);
    LsaKey { kind: LsaType::ROUTER, link_state_id, advertising_router: id(router) }
}

/// An external as another router would originate it.
pub fn external_lsa(key: LsaKey, sequence: i32, metric: u32) -> Lsa {
    let body = LsaBody::External(ExternalLsa {
        mask: Ipv4Addr::BROADCAST,
        type_2: true,
        metric,
        forwarding_address: Ipv4Addr::UNSPECIFIED,
        tag: 0,
    });
    Lsa::new(1, Options::EXTERNAL, key, SequenceNumber(sequence), body)
}

impl World {
    pub fn announce(&mut self, node: usize, text: &str, how: How, metric: u32) {
        let announced = Some(Announced { metric, how, tag: 0 });
        self.handle(node, Event::AnnouncementChanged { prefix: prefix(text), announced });
    }

    pub fn withdraw(&mut self, node: usize, text: &str) {
        let prefix = prefix(text);
        self.handle(node, Event::AnnouncementChanged { prefix, announced: None });
    }

    pub fn lsa(&self, node: usize, key: LsaKey) -> Option<&Lsa> {
        let entry = self.nodes[node].router.database().get(&key)?;
        (entry.age(self.now) < 3600).then_some(&entry.lsa)
    }

    /// The metric of an external in a node's database.
    pub fn metric(&self, node: usize, key: LsaKey) -> Option<u32> {
        match &self.lsa(node, key)?.body {
            LsaBody::External(external) => Some(external.metric),
            other => panic!("{other:?}"),
        }
    }

    pub fn router_lsa(&self, node: usize, router: u8) -> &RouterLsa {
        match &self.lsa(node, router_key(router)).unwrap().body {
            LsaBody::Router(router) => router,
            other => panic!("{other:?}"),
        }
    }

    pub fn links(&self, node: usize, router: u8) -> &[Link] {
        &self.router_lsa(node, router).links
    }

    /// Which instances a node has.
    pub fn instances(&self, node: usize) -> BTreeMap<LsaKey, (SequenceNumber, u16)> {
        let database = self.nodes[node].router.database();
        database
            .iter()
            .map(|entry| entry.lsa.header)
            .map(|header| (header.key, (header.sequence, header.checksum)))
            .collect()
    }

    /// LSUs among what was sent since `sent` had this length.
    pub fn updates(&self, since: usize) -> Vec<Sent> {
        let packets = self.sent[since..].iter();
        packets
            .filter_map(|packet| {
                let Ok(Body::LinkStateUpdate(update)) =
                    Frame::parse(&packet.octets).unwrap().body()
                else {
                    return None;
                };
                let Packet { at, from, network, .. } = *packet;
                let octets = packet.octets.len() + 20;
                Some(Sent { at, from, network, octets, lsas: update.lsas })
            })
            .collect()
    }

    /// Whether all routers that are on have the same, and nothing waits for an acknowledgement or its end.
    pub fn agree(&self) -> Result<(), String> {
        let on: Vec<usize> = (0..self.nodes.len()).filter(|&node| self.nodes[node].on).collect();
        let expected = self.instances(on[0]);
        for &node in &on {
            let instances = self.instances(node);
            let different = |(key, instance): &(&LsaKey, &(SequenceNumber, u16))| {
                expected.get(key) != Some(instance)
            };
            if instances != expected {
                let first = instances.iter().find(different);
                return Err(format!(
                    "node {node} has {} LSAs, node {} has {}; {first:?}",
                    instances.len(),
                    on[0],
                    expected.len()
                ));
            }
            let router = &self.nodes[node].router;
            if let Some(entry) = router.database().iter().find(|e| e.age(self.now) == 3600) {
                return Err(format!("node {node} still flushes {:?}", entry.lsa.header));
            }
            let waits = |neighbor: &&shunt::ospf::Neighbor| !neighbor.retransmissions.is_empty();
            let mut neighbors =
                router.interfaces().flat_map(|interface| interface.neighbors.values());
            if let Some(neighbor) = neighbors.find(waits) {
                return Err(format!("node {node} waits for {}", neighbor.router_id));
            }
        }
        Ok(())
    }

    /// Sends LSAs to all on the network as if they came from `from`, which has an adjacency there.
    pub fn inject_update(&mut self, from: usize, network: usize, lsas: Vec<Lsa>) {
        self.inject_body(from, network, Body::LinkStateUpdate(lsas.into()));
    }

    pub fn inject_body(&mut self, from: usize, network: usize, body: Body) {
        let router = self.nodes[from].router.settings().router_id;
        let [.., host] = router.0.octets();
        let prefix = self.networks[network].prefix;
        let source = Ipv4Addr::from_bits(prefix.network().to_bits() | u32::from(host));
        let octets = emit(Version::V2, router, AreaId::BACKBONE, &body, &Signature::Null, source);
        let destination = Ipv4Addr::new(224, 0, 0, 5);
        let octets = octets.freeze();
        let at = self.now;
        self.inject(from, network, Packet { at, from, network, source, destination, octets });
    }
}
