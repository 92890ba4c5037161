//! Stub areas and NSSAs: shuntd inside, a peer as the area border router, another peer in the backbone.

use super::scene::{SERVICE, SHUNT, UPSTREAM, adjacent, computes, lacks, link, no_faults, router};
use crate::lab::ospf::{
    AreaKind, Attached, Computed, Network, OspfBird, OspfFrr, OspfPeer, OspfRouter, OspfShunt,
};
use crate::lab::{Capture, Net, Node};

const AREA: &str = "0.0.0.1";
const BORDER: &str = "10.255.0.2";
const BACKBONE: &str = "10.255.0.3";

/// shuntd – border – backbone, where the backbone router announces UPSTREAM and shuntd SERVICE.
struct Areas<B, C> {
    shunt: OspfShunt,
    border: B,
    backbone: C,
    here: Node,
    far: Node,
    capture: Capture,
    _net: Net,
}

#[track_caller]
fn areas<B: OspfPeer, C: OspfPeer>(
    kind: AreaKind,
    start_border: impl Fn(&Node, OspfRouter) -> B,
    start_backbone: impl Fn(&Node, OspfRouter) -> C,
    group: &str,
) -> Areas<B, C> {
    let mut net = Net::new();
    let [here, middle, far] = ["shunt", "border", "backbone"].map(|name| net.node(name));
    net.link(&here, &middle, 0);
    net.link(&middle, &far, 1);
    here.address("lo", "10.255.0.1/32");
    let kinds = vec![(AREA.to_owned(), kind)];
    let inside = |other: &str| Attached { area: AREA.to_owned(), ..link(other) };
    let lo = Attached { area: AREA.to_owned(), cost: 1, ..Attached::new("lo", Network::Passive) };
    let mut ours = router(SHUNT, vec![inside("border"), lo]);
    ours.areas = kinds.clone();
    let mut border = router(BORDER, vec![inside("shunt"), link("backbone")]);
    border.areas = kinds;
    let mut backbone = router(BACKBONE, vec![link("border")]);
    backbone.externals = vec![UPSTREAM.to_owned()];
    let capture = Capture::start(&here, "border", "proto 89");
    let backbone = start_backbone(&far, backbone);
    let border = start_border(&middle, border);
    let group = format!(
        "[mapping.inside]\nprimary = {{ metric = 50 }}\n\
         [group.payments]\nprefixes = [\"{SERVICE}\"]\nbase = {{ shunt = \"primary\" }}\n{group}\n"
    );
    let shunt = OspfShunt::with(&here, ours, &group);
    adjacent(&shunt, BORDER, "full/ptp");
    adjacent(&border, SHUNT, "full/ptp");
    adjacent(&backbone, BORDER, "full/ptp");
    // The other area's link.
    let between = Computed { kind: "inter-area", cost: 20, type_2_metric: None, tag: 0 };
    computes(&shunt, "10.99.1.0/24", between);
    here.wait_next_hops("10.99.1.0/24", &["10.99.0.2@border"]);
    far.wait_next_hops("10.255.0.1/32", &["10.99.1.1@border"]);
    Areas { shunt, border, backbone, here, far, capture, _net: net }
}

#[track_caller]
fn stub_area<B: OspfPeer, C: OspfPeer>(
    start_border: impl Fn(&Node, OspfRouter) -> B,
    start_backbone: impl Fn(&Node, OspfRouter) -> C,
) {
    let areas = areas(AreaKind::Stub, start_border, start_backbone, "ospf = \"stub\"");
    // No externals come in, a default route stands for them.
    areas.here.wait_next_hops("default", &["10.99.0.2@border"]);
    lacks(&areas.shunt, UPSTREAM);
    // A stub link goes out all the same.
    let stub_link = |cost| Computed { kind: "inter-area", cost, type_2_metric: None, tag: 0 };
    computes(&areas.backbone, SERVICE, stub_link(10 + 10 + 50));
    areas.far.wait_next_hops(SERVICE, &["10.99.1.1@border"]);
    areas.shunt.order(&["withdraw", "payments", "--no-wait"]);
    areas.far.wait_next_hops(SERVICE, &[]);
    no_faults(&areas.capture, "10.99.0.1");
}

#[test]
fn stub_area_of_frr() {
    stub_area(OspfFrr::start, OspfBird::start);
}

#[test]
fn stub_area_of_bird() {
    stub_area(OspfBird::start, OspfFrr::start);
}

#[track_caller]
fn nssa<B: OspfPeer, C: OspfPeer>(
    start_border: impl Fn(&Node, OspfRouter) -> B,
    start_backbone: impl Fn(&Node, OspfRouter) -> C,
    translated_metric: u32,
) -> Areas<B, C> {
    let group = "ospf = \"external-1\"\nospf-tag = 4711";
    let areas = areas(AreaKind::Nssa, start_border, start_backbone, group);
    lacks(&areas.shunt, UPSTREAM);
    // Type 7, with our loopback address as the forwarding address, translated into type 5 with its tag by the border router, which takes part in it as well.
    let external = |cost| Computed { kind: "external-1", cost, type_2_metric: None, tag: 4711 };
    computes(&areas.border, SERVICE, external(10 + 1 + 50));
    computes(&areas.backbone, SERVICE, external(10 + 10 + 1 + translated_metric));
    areas.far.wait_next_hops(SERVICE, &["10.99.1.1@border"]);
    let own = (7, "198.51.100.7".to_owned(), SHUNT.to_owned());
    let sent = areas.capture.instances("10.99.0.1");
    assert!(sent.iter().any(|instance| instance.key == own), "{sent:?}");
    assert!(sent.iter().all(|instance| instance.key.0 != 5), "{sent:?}");

    areas.shunt.order(&["withdraw", "payments", "--no-wait"]);
    areas.far.wait_next_hops(SERVICE, &[]);

    no_faults(&areas.capture, "10.99.0.1");
    areas
}

#[test]
fn nssa_of_frr() {
    // This FRR translates with its own default metric.
    let mut areas = nssa(OspfFrr::start, OspfBird::start, 20);
    // And the other way round: a type 7 of the border router is learned. (BIRD makes none there.)
    areas.border.announce(&["192.0.2.0/24"]);
    areas.here.wait_next_hops("192.0.2.0/24", &["10.99.0.2@border"]);
    areas.border.withdraw(&["192.0.2.0/24"]);
    areas.here.wait_next_hops("192.0.2.0/24", &[]);
}

#[test]
fn nssa_of_bird() {
    nssa(OspfBird::start, OspfFrr::start, 50);
}
