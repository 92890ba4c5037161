//! The plans that the pretended daemon has.

use shunt::api::v1::*;

use super::super::{attributes, text, texts};

fn moment(preference: u32, level: &str, med: u32, metric: u32, kernel: &str) -> SwitchPlanMoment {
    let bgp = SwitchPlanExport {
        neighbors: texts(&["isp-a", "isp-b"]),
        attributes: Some(attributes("64500", "192.0.2.1", Some(med))),
        ospf: None,
    };
    let announcement =
        OspfAnnouncement { lsa: String::new(), how: text("external-2"), metric, tag: 33_554_439 };
    let area = SwitchPlanExport { ospf: Some(announcement), ..SwitchPlanExport::default() };
    SwitchPlanMoment {
        preference,
        level: text(level),
        exports: if preference > 0 { vec![bgp, area] } else { Vec::new() },
        kernel: text(kernel),
    }
}

pub fn nodes() -> Vec<SwitchPlanNode> {
    let (primary, standby) =
        (moment(200, "primary", 55, 5500, ""), moment(100, "standby", 155, 15_500, ""));
    let dc1 = |name: &str| SwitchPlanNode {
        node: text(name),
        site: text("dc1"),
        announcements: vec![SwitchPlanAnnouncement {
            prefixes: Vec::new(),
            now: Some(primary.clone()),
            raised: Some(primary.clone()),
            then: Some(standby.clone()),
        }],
        guards: texts(&["check web is up"]),
        ..SwitchPlanNode::default()
    };
    let silent = || Some(moment(0, "", 0, 0, ""));
    let edge3 = SwitchPlanNode {
        node: text("edge3"),
        site: text("dc2"),
        announcements: vec![
            SwitchPlanAnnouncement {
                prefixes: texts(&["198.51.100.7/32"]),
                now: Some(moment(0, "", 0, 0, "via 10.0.3.2 dev eth1")),
                raised: Some(moment(201, "", 54, 5400, "")),
                then: Some(primary.clone()),
            },
            SwitchPlanAnnouncement {
                prefixes: texts(&["2001:db8:7::1/128"]),
                now: silent(),
                raised: silent(),
                then: silent(),
            },
        ],
        untold: texts(&["neighbor core: no session"]),
        ..SwitchPlanNode::default()
    };
    vec![dc1("edge1"), dc1("edge2"), edge3]
}

pub fn exits() -> Vec<SwitchPlanExits> {
    let router = |id: &str, name: &str| OspfRouter { router_id: text(id), hostname: text(name) };
    let way = |id: &str, name: &str| {
        let exits = vec![router(id, name)];
        Some(PlanWay { kind: text("external-2"), exits, ..PlanWay::default() })
    };
    let (edge1, edge3) = (way("10.255.0.1", "edge1"), way("10.255.0.3", "edge3"));
    let row = |one, now: &Option<PlanWay>, then: &Option<PlanWay>| SwitchPlanRouter {
        router: Some(one),
        own: now == then,
        now: now.clone(),
        raised: then.clone(),
        then: then.clone(),
        moves: now != then,
    };
    let routers = vec![
        row(router("10.255.0.3", "edge3"), &edge3, &edge3),
        row(router("10.255.0.9", "core1"), &edge1, &edge3),
    ];
    vec![SwitchPlanExits { prefixes: texts(&["198.51.100.7/32"]), routers }]
}

pub fn checks() -> Vec<SwitchPlanCheck> {
    let check = |kind: &str, what: &str, limit_us| SwitchPlanCheck {
        kind: text(kind),
        text: text(what),
        limit_us,
    };
    vec![
        check("rule", "no switch Fri 16:00 - Mon 08:00", 0),
        check("gate", "/usr/local/bin/replication-caught-up", 30_000_000),
        check("hold", "new connections to the group are delayed", 5_000_000),
        check("see", "each node's best route leads to dc2", 0),
        check("probe", "GET http://198.51.100.7:80/site, answered by dc2", 0),
    ]
}
