//! Tests: what others computed from real databases, and a slow reference on random ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::Ipv4Addr;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::RouteKind;
use super::plan::Area;
use super::topology::{Topology, id, net};
use crate::types::{Rng, RouterId};
use crate::wire::ospf::{Link, LinkKind, LsaKey, LsaType, NetworkLsa, RouterLsa, SummaryLsa};

fn address(value: &Value) -> Ipv4Addr {
    value.as_str().unwrap().parse().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap() as u32
}

/// An area of `holo-ribs.json`.
fn holo_area(case: &Value) -> Topology {
    let mut area = Topology { inner: case["area"] != "0.0.0.0", ..Topology::default() };
    for router in case["routers"].as_array().unwrap() {
        let links = router["links"].as_array().unwrap().iter().map(|link| Link {
            kind: match link[0].as_str().unwrap() {
                "point-to-point-link" => LinkKind::PointToPoint,
                "transit-network-link" => LinkKind::Transit,
                "stub-network-link" => LinkKind::Stub,
                "virtual-link" => LinkKind::Virtual,
                other => panic!("{other}"),
            },
            id: address(&link[1]),
            data: address(&link[2]),
            metric: number(&link[3]) as u16,
        });
        let lsa = RouterLsa {
            border: router["border"] == true,
            links: links.collect(),
            ..RouterLsa::default()
        };
        area.routers.insert(RouterId(address(&router["id"])), lsa);
    }
    for network in case["networks"].as_array().unwrap() {
        let routers = network["routers"].as_array().unwrap().iter().map(address).map(RouterId);
        let lsa = NetworkLsa { mask: address(&network["mask"]), routers: routers.collect() };
        area.networks.insert((address(&network["id"]), RouterId(address(&network["from"]))), lsa);
    }
    for summary in case["summaries"].as_array().unwrap() {
        let key = LsaKey {
            kind: LsaType::SUMMARY_NETWORK,
            link_state_id: address(&summary["id"]),
            advertising_router: RouterId(address(&summary["from"])),
        };
        let lsa =
            SummaryLsa { mask: address(&summary["mask"]), metric: number(&summary["metric"]) };
        area.summaries.push((key, lsa));
    }
    area
}

#[test]
fn holo_has_the_same_routes() {
    let text = include_str!("../../tests/data/ospf-routes/holo-ribs.json");
    let cases: Value = serde_json::from_str(text).unwrap();
    let mut compared = 0;
    for case in cases.as_array().unwrap() {
        let routes = holo_area(case).routes_of(RouterId(address(&case["router"])));
        let ours: BTreeMap<String, (String, u32, BTreeSet<Ipv4Addr>)> = routes
            .iter()
            .map(|(prefix, route)| {
                let gateways = route.hops.iter().map(|(_, gateway)| *gateway).collect();
                (prefix.to_string(), (route.kind.to_string(), route.cost, gateways))
            })
            .collect();
        // Networks that it is attached to have no gateway.
        let attached =
            |route: &&Value| route["gateways"].as_array().is_some_and(|list| list.is_empty());
        let theirs = case["routes"].as_array().unwrap().iter().filter(|route| !attached(route));
        let theirs: BTreeMap<String, (String, u32, BTreeSet<Ipv4Addr>)> = theirs
            .map(|route| {
                let text = |key: &str| route[key].as_str().unwrap().to_owned();
                let gateways: BTreeSet<Ipv4Addr> =
                    route["gateways"].as_array().unwrap().iter().map(address).collect();
                (text("prefix"), (text("kind"), number(&route["metric"]), gateways))
            })
            .collect();
        compared += theirs.len();
        assert_eq!(ours, theirs, "{}", case["name"]);
    }
    assert!(compared > 120, "{compared}");
}

/// The area of BIRD's `show ospf state`, and the distances in it; `None`: unreachable. Networks have their address
/// for link state id, as the text does not tell the DR's.
fn bird_area(text: &str) -> (Topology, BTreeMap<String, Option<u32>>) {
    let (mut area, mut distances) = (Topology::default(), BTreeMap::new());
    let (mut name, mut router, mut network) =
        (String::new(), RouterId(Ipv4Addr::UNSPECIFIED), None);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let inner = line.starts_with("\t\t");
        match (inner, &words[..]) {
            (false, ["router", id]) => {
                (name, network) = ((*id).to_owned(), None);
                router = RouterId(id.parse().unwrap());
                area.routers.entry(router).or_default();
            }
            (false, ["network", prefix]) => {
                (name, network) = ((*prefix).to_owned(), Some(net(prefix)));
            }
            (true, ["dr", dr]) => router = RouterId(dr.parse().unwrap()),
            (true, ["distance", distance]) => {
                distances.insert(name.clone(), Some(distance.parse().unwrap()));
            }
            (true, ["unreachable"]) => {
                distances.insert(name.clone(), None);
            }
            (true, ["router", id]) => {
                let network = network.unwrap();
                let lsa = area
                    .networks
                    .entry((network.network(), router))
                    .or_insert(NetworkLsa { mask: network.netmask(), routers: Vec::new() });
                lsa.routers.push(RouterId(id.parse().unwrap()));
            }
            (true, [kind @ ("router" | "network" | "stubnet"), to, "metric", metric]) => {
                let metric = metric.parse().unwrap();
                let link = if *kind == "router" {
                    let data = Ipv4Addr::UNSPECIFIED;
                    Link { kind: LinkKind::PointToPoint, id: to.parse().unwrap(), data, metric }
                } else {
                    let stub = *kind == "stubnet";
                    let kind = if stub { LinkKind::Stub } else { LinkKind::Transit };
                    Link { kind, id: net(to).network(), data: net(to).netmask(), metric }
                };
                area.routers.get_mut(&router).unwrap().links.push(link);
            }
            (true, ["external", prefix, kind, metric, ..]) => {
                area.routers.get_mut(&router).unwrap().boundary = true;
                let metric = metric.parse().unwrap();
                let type_2 = *kind == "metric2";
                area.external_of(LsaType::EXTERNAL, router, prefix, type_2, metric, "0.0.0.0");
            }
            _ => {}
        }
    }
    (area, distances)
}

#[test]
fn bird_has_the_same_distances_in_an_area_of_600_routers() {
    let packed = include_bytes!("../../tests/data/ospf-routes/nycmesh-state.txt.gz");
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let (area, distances) = bird_area(&text);
    let root = distances.iter().find(|(_, distance)| **distance == Some(0)).unwrap().0;
    let root = RouterId(root.parse().unwrap());
    area.with_view(root, |view| {
        let networks = area.networks.iter().zip(0..).map(|(((id, _), lsa), vertex)| {
            (ipnet::Ipv4Net::with_netmask(*id, lsa.mask).unwrap().to_string(), vertex)
        });
        let routers = view.graph.routers().map(|(vertex, id)| (id.to_string(), vertex));
        let ours: BTreeMap<String, Option<u32>> = networks
            .chain(routers)
            .map(|(name, vertex)| (name, view.tree.distance(vertex)))
            .collect();
        assert_eq!(ours, distances);
        assert!(ours.len() > 580);
    });
}

#[derive(Clone, Debug)]
struct Cable {
    from: u8,
    to: u8,
    cost: u32,
    gateway: Ipv4Addr,
}

const FAR: u32 = u32::MAX / 4;

/// A random area of routers 1 to n, and its cables, those through LANs included.
fn random_area(rng: &mut Rng) -> (Topology, u8, Vec<Cable>) {
    let mut area = Topology::default();
    let mut cables = Vec::new();
    let routers = 2 + rng.below(9) as u8;
    for n in 1..=routers {
        area.router(n);
    }
    let mut linked = BTreeSet::new();
    for _ in 0..rng.below(u64::from(routers) * 2) {
        let (a, b) = (1 + rng.below(routers.into()) as u8, 1 + rng.below(routers.into()) as u8);
        if a < b && linked.insert((a, b)) {
            let (cost, back) = (1 + rng.below(3) as u16, 1 + rng.below(3) as u16);
            area.link(a, b, cost, back);
            let gateway = |end| Ipv4Addr::new(10, a, b, end);
            cables.push(Cable { from: a, to: b, cost: cost.into(), gateway: gateway(b) });
            cables.push(Cable { from: b, to: a, cost: back.into(), gateway: gateway(a) });
        }
    }
    for lan in 0..rng.below(3) as u8 {
        let members: Vec<(u8, u16)> = (1..=routers)
            .filter_map(|n| match rng.below(3) {
                0 => Some((n, 1 + rng.below(4) as u16)),
                _ => None,
            })
            .collect();
        if members.len() < 2 {
            continue;
        }
        area.lan(lan, &members);
        for &(from, cost) in &members {
            for &(to, _) in members.iter().filter(|(to, _)| *to != from) {
                let gateway = Ipv4Addr::new(10, 0, lan, to);
                cables.push(Cable { from, to, cost: cost.into(), gateway });
            }
        }
    }
    (area, routers, cables)
}

/// Distances of all routers to all, by Bellman and Ford.
fn all_distances(routers: u8, cables: &[Cable]) -> Vec<Vec<u32>> {
    let size = usize::from(routers) + 1;
    let mut table = vec![vec![FAR; size]; size];
    for (n, row) in table.iter_mut().enumerate() {
        row[n] = 0;
        for _ in 0..size {
            for cable in cables {
                let far = row[usize::from(cable.from)] + cable.cost;
                let known = &mut row[usize::from(cable.to)];
                *known = far.min(*known);
            }
        }
    }
    table
}

#[derive(Clone, Copy, Debug)]
struct Said {
    router: u8,
    kind: RouteKind,
    metric: u32,
}

const TARGET: &str = "192.0.2.1/32";

/// Some routers announce the target, each in one way.
fn announce(area: &mut Topology, routers: u8, rng: &mut Rng) -> Vec<Said> {
    let kinds =
        [RouteKind::IntraArea, RouteKind::InterArea, RouteKind::External1, RouteKind::External2];
    let usual = rng.below(4) as usize;
    let mut said = Vec::new();
    for router in 1..=routers {
        if rng.below(3) > 0 {
            continue;
        }
        let kind = kinds[if rng.below(3) > 0 { usual } else { rng.below(4) as usize }];
        let metric = 1 + rng.below(4) as u32;
        match kind {
            RouteKind::IntraArea => area.stub(router, TARGET, metric as u16),
            RouteKind::InterArea => {
                area.summary(router, LsaType::SUMMARY_NETWORK, TARGET, metric);
            }
            RouteKind::External1 => area.external(router, TARGET, false, metric, "0.0.0.0"),
            RouteKind::External2 => area.external(router, TARGET, true, metric, "0.0.0.0"),
        }
        said.push(Said { router, kind, metric });
    }
    said
}

/// Kind, metric of type 2 and cost as seen from `root`; `None`: not reached.
fn value(said: &Said, root: u8, table: &[Vec<u32>]) -> Option<(RouteKind, u32, u32)> {
    let distance = table[usize::from(root)][usize::from(said.router)];
    let reached = distance < FAR;
    reached.then_some(match said.kind {
        RouteKind::External2 => (said.kind, said.metric, distance),
        _ => (said.kind, 0, distance + said.metric),
    })
}

#[test]
fn a_slow_reference_finds_the_same_routes_and_plans() {
    let mut rng = Rng::new(16);
    let (mut routes, mut ties, mut captured) = (0, 0, 0);
    for round in 0..1000 {
        let (mut area, routers, cables) = random_area(&mut rng);
        let said = announce(&mut area, routers, &mut rng);
        let table = all_distances(routers, &cables);
        let mut expected = BTreeMap::new();
        for root in 1..=routers {
            let others: Vec<&Said> = said.iter().filter(|said| said.router != root).collect();
            let best = others.iter().filter_map(|said| value(said, root, &table)).min();
            let attached =
                said.iter().any(|said| said.router == root && said.kind == RouteKind::IntraArea);
            let ends: Vec<u8> = others
                .iter()
                .filter(|said| best.is_some() && value(said, root, &table) == best)
                .map(|said| said.router)
                .collect();
            // A cable begins a shortest path if what is left from its end on is that much shorter.
            let hops: BTreeMap<Ipv4Addr, u8> = cables
                .iter()
                .filter(|cable| cable.from == root)
                .filter(|cable| {
                    ends.iter().any(|&end| {
                        table[usize::from(root)][usize::from(end)]
                            == cable.cost + table[usize::from(cable.to)][usize::from(end)]
                    })
                })
                .map(|cable| (cable.gateway, cable.to))
                .collect();
            let route = area.routes_of(id(root)).remove(&net(TARGET));
            let Some((kind, type_2_cost, cost)) = best.filter(|_| !attached) else {
                assert_eq!(route, None, "round {round} root {root}");
                continue;
            };
            let mut route = route.unwrap_or_else(|| panic!("round {round} root {root}"));
            let gateways: BTreeSet<Ipv4Addr> = hops.keys().copied().collect();
            let ours: BTreeSet<Ipv4Addr> =
                route.hops.drain(..).map(|(_, gateway)| gateway).collect();
            assert_eq!(ours, gateways, "round {round} root {root}");
            let exits: Vec<RouterId> = ends.iter().map(|&end| id(end)).collect();
            assert_eq!(
                (route.kind, route.type_2_cost, route.cost, route.exits),
                (kind, type_2_cost, cost, exits),
                "round {round} root {root}"
            );
            (routes, ties) = (routes + 1, ties + usize::from(gateways.len() > 1));
            expected.insert(root, (best, ends, hops));
        }
        // Plans: follow the first hops to whoever announces it.
        let announces = |router: u8| said.iter().any(|said| said.router == router);
        let this = 1 + rng.below(routers.into()) as u8;
        let ways = area.with_view(id(this), |view| {
            let ways = Area::new(view).ways(net(TARGET), None);
            let named = ways.into_iter().map(|(vertex, way)| (view.graph.router_id(vertex), way));
            named.collect::<BTreeMap<_, _>>()
        });
        for router in (1..=routers).filter(|&to| table[usize::from(this)][usize::from(to)] < FAR) {
            let way = ways.get(&Some(id(router)));
            if announces(router) {
                assert_eq!(way.unwrap().exits, [id(router)]);
                continue;
            }
            let Some((best, ends, hops)) = expected.get(&router) else {
                assert_eq!(way, None);
                continue;
            };
            let way = way.unwrap();
            assert_eq!(Some((way.kind, way.type_2_cost, way.cost)), *best, "round {round}");
            let firsts: BTreeSet<RouterId> = hops.values().map(|&hop| id(hop)).collect();
            assert_eq!(way.first_hops, firsts.into_iter().collect::<Vec<_>>(), "round {round}");
            let (mut exits, mut open) = (BTreeSet::new(), vec![router]);
            while let Some(at) = open.pop() {
                if announces(at) {
                    exits.insert(at);
                } else {
                    open.extend(expected[&at].2.values());
                }
            }
            let found: Vec<RouterId> = exits.iter().map(|&exit| id(exit)).collect();
            assert_eq!(way.exits, found, "round {round} router {router}");
            captured += usize::from(exits.into_iter().collect::<Vec<_>>() != *ends);
        }
    }
    assert!(routes > 2000 && ties > 100 && captured > 100, "{routes} {ties} {captured}");
}
