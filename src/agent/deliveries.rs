//! Who has what an order sent: BGP neighbours by TCP's word, OSPF neighbours by their acknowledgments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv4Net;

use super::orders::{Awaiting, Delivery, Durable, RouterOrder};
use super::ospf_reads::neighbor_name;
use super::text::micros;
use super::{Action, Agent, OrderId, PeerId, text};
use crate::api::v1;
use crate::group::Target;
use crate::ospf::{self, NeighborState};
use crate::types::{Prefix, RouterId, Time};

impl Agent {
    /// Orders that have just taken effect begin to wait for what was sent because of them; orders
    /// that have waited long enough are answered.
    pub(super) fn settle_orders(&mut self, now: Time) {
        let told = std::mem::take(&mut self.told);
        let flooded = std::mem::take(&mut self.flooded);
        for (order, stored) in std::mem::take(&mut self.durable) {
            self.begin_waiting(order, stored, &told, &flooded, now);
        }
        self.settle_area(now);
        self.settle_router_orders(now);
        let answered = |awaiting: &Awaiting| {
            let waits = awaiting.router.as_ref().is_some_and(|router| router.waits);
            (awaiting.missing.is_empty() && awaiting.unflooded.is_empty() && !waits)
                || awaiting.deadline <= now
        };
        let done: Vec<OrderId> = self
            .orders
            .awaiting
            .iter()
            .filter(|(_, awaiting)| answered(awaiting))
            .map(|(order, _)| *order)
            .collect();
        for order in done {
            if let Some(mut awaiting) = self.orders.awaiting.remove(&order) {
                self.finish_area(&mut awaiting, now);
                let reply = self.reply(awaiting, now);
                self.answer(order, Ok(Box::new(reply)));
            }
        }
    }

    fn begin_waiting(
        &mut self,
        order: Durable,
        stored: Time,
        told: &BTreeMap<Prefix, BTreeSet<PeerId>>,
        flooded: &BTreeSet<Ipv4Net>,
        now: Time,
    ) {
        let prefixes = self.prefixes_of(&order.target);
        let unflooded = flooded_of(&prefixes, flooded);
        let mut deliveries = BTreeMap::new();
        let mut missing = BTreeSet::new();
        let router = match &order.target {
            Target::Router(name) => {
                Some(RouterOrder { name: name.clone(), waits: order.wait, settled: None })
            }
            _ => None,
        };
        // What neighbours are told because of a role is in the log of the takeover.
        for neighbor in self.neighbors.values().filter(|_| router.is_none()) {
            let was_told = |prefix: &&Prefix| {
                told.get(*prefix).is_some_and(|peers| peers.contains(&neighbor.id))
            };
            let sent: Vec<v1::DeliveredPrefix> = prefixes
                .iter()
                .filter(was_told)
                .map(|prefix| v1::DeliveredPrefix {
                    prefix: prefix.to_string(),
                    attributes: self.wanted_by(neighbor, *prefix).map(|set| text::attributes(&set)),
                    ospf: None,
                })
                .collect();
            let outcome = if !neighbor.is_established() {
                "not-established"
            } else if !sent.is_empty() && order.wait {
                missing.insert(neighbor.id);
                "timeout"
            } else if !sent.is_empty() {
                "sent"
            } else if prefixes
                .iter()
                .all(|prefix| self.export_obstacle(neighbor, *prefix).is_some())
            {
                "not-exported"
            } else {
                "unchanged"
            };
            let delivery = Delivery {
                neighbor: neighbor.name.clone(),
                outcome,
                prefixes: sent,
                acknowledged: Duration::ZERO,
            };
            deliveries.insert(neighbor.id, delivery);
        }
        for peer in &missing {
            self.actions
                .push_back(Action::AwaitAcknowledgement { order: order.order, peer: *peer });
        }
        let awaiting = Awaiting {
            arrived: order.arrived,
            durable: stored - order.arrived,
            deadline: order.arrived + order.timeout,
            unchanged: router.is_none()
                && unflooded.is_empty()
                && !prefixes.iter().any(|prefix| told.contains_key(prefix)),
            area: match router {
                Some(_) => BTreeMap::new(),
                None => self.area_deliveries(&prefixes, &unflooded, order.wait, now),
            },
            unflooded: if order.wait { unflooded } else { Vec::new() },
            prefixes,
            deliveries,
            missing,
            router,
        };
        self.orders.awaiting.insert(order.order, awaiting);
    }

    /// A neighbour's TCP has all that this order sent.
    pub(super) fn acknowledged(&mut self, order: OrderId, peer: PeerId, now: Time) {
        let Some(awaiting) = self.orders.awaiting.get_mut(&order) else { return };
        if awaiting.missing.remove(&peer)
            && let Some(delivery) = awaiting.deliveries.get_mut(&peer)
        {
            delivery.outcome = "acknowledged";
            delivery.acknowledged = now - awaiting.arrived;
        }
    }

    /// A session went down: what was on its way to the neighbour is lost, and will be sent anew
    /// with the next session.
    pub(super) fn delivery_lost(&mut self, peer: PeerId) {
        for awaiting in self.orders.awaiting.values_mut() {
            if awaiting.missing.remove(&peer)
                && let Some(delivery) = awaiting.deliveries.get_mut(&peer)
            {
                delivery.outcome = "lost";
            }
        }
    }

    /// What becomes of each OSPF neighbour that is adjacent, or is to be.
    fn area_deliveries(
        &self,
        prefixes: &[Prefix],
        flooded: &[Ipv4Net],
        wait: bool,
        now: Time,
    ) -> BTreeMap<(u32, RouterId), Delivery> {
        let Some(ospf) = &self.ospf else { return BTreeMap::new() };
        let exported = prefixes.iter().any(|prefix| self.announced_by_ospf(*prefix).is_some());
        let sent: Vec<v1::DeliveredPrefix> = flooded
            .iter()
            .map(|prefix| v1::DeliveredPrefix {
                prefix: prefix.to_string(),
                attributes: None,
                ospf: self.ospf_announcement(*prefix),
            })
            .collect();
        let hostnames = ospf.router.hostnames(now);
        let mut deliveries = BTreeMap::new();
        for interface in ospf.router.interfaces() {
            // Two routers that are neither DR nor BDR stay in 2-way and hear of it from the DR.
            let concerned = |n: &&ospf::Neighbor| n.state != NeighborState::TwoWay;
            for neighbor in interface.neighbors.values().filter(concerned) {
                let outcome = if neighbor.state < NeighborState::Exchange {
                    "not-established"
                } else if !sent.is_empty() {
                    if wait { "timeout" } else { "sent" }
                } else if exported {
                    "unchanged"
                } else {
                    "not-exported"
                };
                let delivery = Delivery {
                    neighbor: neighbor_name(interface, neighbor.router_id, &hostnames),
                    outcome,
                    prefixes: if outcome == "not-established" { Vec::new() } else { sent.clone() },
                    acknowledged: Duration::ZERO,
                };
                deliveries.insert((interface.link.index, neighbor.router_id), delivery);
            }
        }
        deliveries
    }

    /// Takes note of virtual routers that have done what was ordered.
    fn settle_router_orders(&mut self, now: Time) {
        let waiting = self.orders.awaiting.iter().filter_map(|(order, awaiting)| {
            let router = awaiting.router.as_ref().filter(|router| router.settled.is_none())?;
            self.has_settled(&router.name, now).then_some(*order)
        });
        for order in waiting.collect::<Vec<OrderId>>() {
            if let Some(awaiting) = self.orders.awaiting.get_mut(&order)
                && let Some(router) = &mut awaiting.router
            {
                router.waits = false;
                router.settled = Some(now - awaiting.arrived);
            }
        }
    }

    /// Takes note of what the whole area has acknowledged by now.
    fn settle_area(&mut self, now: Time) {
        let Some(ospf) = &self.ospf else { return };
        let mut complete = Vec::new();
        for (order, awaiting) in &mut self.orders.awaiting {
            let before = awaiting.unflooded.len();
            while let Some(prefix) = awaiting.unflooded.last()
                && ospf.router.unacknowledged(*prefix, now).is_empty()
            {
                awaiting.unflooded.pop();
            }
            if before > 0 && awaiting.unflooded.is_empty() {
                complete.push(*order);
            }
        }
        for order in complete {
            if let Some(mut awaiting) = self.orders.awaiting.remove(&order) {
                self.finish_area(&mut awaiting, now);
                self.orders.awaiting.insert(order, awaiting);
            }
        }
    }

    /// Enters who has acknowledged all of it, and who was lost meanwhile.
    fn finish_area(&self, awaiting: &mut Awaiting, now: Time) {
        let Some(ospf) = &self.ospf else { return };
        let missing: BTreeSet<(u32, RouterId)> = awaiting
            .unflooded
            .iter()
            .flat_map(|prefix| ospf.router.unacknowledged(*prefix, now))
            .collect();
        let is_adjacent = |(index, router): &(u32, RouterId)| {
            let interface = ospf.router.interfaces().find(|i| i.link.index == *index);
            let neighbor = interface.and_then(|interface| interface.neighbors.get(router));
            neighbor.is_some_and(|neighbor| neighbor.state >= NeighborState::Exchange)
        };
        for (id, delivery) in &mut awaiting.area {
            if delivery.outcome != "timeout" {
                continue;
            }
            if !is_adjacent(id) {
                delivery.outcome = "lost";
            } else if !missing.contains(id) {
                delivery.outcome = "acknowledged";
                delivery.acknowledged = now - awaiting.arrived;
            }
        }
    }

    fn reply(&self, awaiting: Awaiting, now: Time) -> v1::OrderReply {
        let all = awaiting.deliveries.into_values().chain(awaiting.area.into_values());
        let deliveries = all.map(|delivery| v1::Delivery {
            neighbor: delivery.neighbor,
            outcome: delivery.outcome.to_owned(),
            prefixes: delivery.prefixes,
            acknowledged_us: micros(delivery.acknowledged),
        });
        let router = awaiting.router.and_then(|router| {
            let settled_us = router.settled.map(micros).unwrap_or_default();
            Some(v1::VrrpOutcome { settled_us, ..self.vrrp_outcome(&router.name, now)? })
        });
        v1::OrderReply {
            announcements: awaiting
                .prefixes
                .iter()
                .filter_map(|prefix| self.own.get(prefix))
                .map(|announcement| self.announcement(announcement))
                .collect(),
            deliveries: deliveries.collect(),
            durable_us: micros(awaiting.durable),
            total_us: micros(now - awaiting.arrived),
            unchanged: awaiting.unchanged,
            drain: self.drain_order(now),
            router,
        }
    }
}

fn flooded_of(prefixes: &[Prefix], flooded: &BTreeSet<Ipv4Net>) -> Vec<Ipv4Net> {
    let v4 = prefixes.iter().filter_map(|prefix| match prefix {
        Prefix::V4(network) => Some(*network),
        Prefix::V6(_) => None,
    });
    v4.filter(|network| flooded.contains(network)).collect()
}
