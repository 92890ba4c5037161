//! What a plan shows is what then happens; and where it is not what would happen any more, nothing does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sites::{FLEET, Lab, Others, Plan};
use crate::lab::{Capture, Instance, PATIENCE, Update, wait_for};

/// What is told of the group on one link, by the words of the wire.
type Told = BTreeMap<&'static str, String>;

const PREFIX: &str = "198.51.100.7/32";
const TO_DC2: [&str; 4] = ["switch", "payments", "--to", "dc2"];

/// On each link to a neighbour: node, neighbour, what they say to each other.
struct Wire(Vec<(&'static str, String, Capture)>);

impl Wire {
    #[track_caller]
    fn tap(lab: &Lab) -> Wire {
        let mut links = Vec::new();
        for (node, _) in FLEET {
            match node.starts_with("edge") {
                true => {
                    for isp in &lab.isps {
                        let capture = Capture::start(isp, node, "tcp port 179");
                        links.push((node, isp.name().to_owned(), capture));
                    }
                }
                false => {
                    let capture = Capture::start(&lab.core, node, "proto 89");
                    links.push((node, "core".to_owned(), capture));
                }
            }
        }
        Wire(links)
    }

    /// What each node has told each neighbour of the group so far, in order.
    fn told(&self) -> BTreeMap<(&'static str, String), Vec<Told>> {
        let told = self.0.iter().map(|(node, neighbor, capture)| {
            let (_, number) = FLEET.iter().find(|(name, _)| name == node).unwrap();
            let link = match neighbor.as_str() {
                "core" => *number,
                isp => 8 + 2 * number + isp.trim_start_matches("isp").parse::<u8>().unwrap(),
            };
            let source = format!("10.99.{link}.2");
            let mut all: Vec<Told> = match neighbor.as_str() {
                "core" => {
                    capture.instances(&source).iter().filter_map(|one| lsa(one, *number)).collect()
                }
                _ => capture.updates(&source).iter().filter_map(update).collect(),
            };
            // Sent again.
            all.dedup();
            ((*node, neighbor.clone()), all)
        });
        told.collect()
    }
}

fn update(update: &Update) -> Option<Told> {
    update.announced.iter().find(|prefix| *prefix == PREFIX)?;
    let attribute = |code: u8| update.attributes.get(&code).cloned().unwrap_or_default();
    Some(Told::from([
        ("as path", attribute(2)),
        ("next hop", attribute(3)),
        ("med", attribute(4)),
        ("communities", attribute(8)),
        ("large communities", attribute(32)),
    ]))
}

fn lsa(instance: &Instance, number: u8) -> Option<Told> {
    let key = (5, "198.51.100.7".to_owned(), format!("192.0.2.{number}"));
    let (metric, tag) = (instance.metric?, instance.tag?);
    (instance.key == key && instance.age < 3600)
        .then(|| Told::from([("metric", metric.to_string()), ("tag", tag.to_string())]))
}

/// What the plan says that each node tells each neighbour, in order: the moments after the first, as far as they differ.
fn planned(plan: &Value) -> BTreeMap<(&'static str, String), Vec<Told>> {
    let mut all: BTreeMap<(&'static str, String), Vec<Told>> = BTreeMap::new();
    for (node, _) in FLEET {
        let nodes = plan["nodes"].as_array().unwrap();
        let of = nodes
            .iter()
            .find(|one| one["node"] == node)
            .unwrap_or_else(|| panic!("{node}: {plan:#}"));
        let [announcement] = &of["announcements"].as_array().unwrap()[..] else { panic!("{of:#}") };
        for moment in ["now", "raised", "then"] {
            for export in announcement[moment]["exports"].as_array().into_iter().flatten() {
                let ospf = &export["ospf"];
                let (told, neighbors) = match ospf.is_null() {
                    false => {
                        let told = ["metric", "tag"].map(|key| (key, ospf[key].to_string()));
                        (Told::from(told), vec!["core".to_owned()])
                    }
                    true => {
                        let attributes = &export["attributes"];
                        let word = |key: &str| match &attributes[key] {
                            Value::String(text) => text.clone(),
                            Value::Null => String::new(),
                            Value::Array(all) => all
                                .iter()
                                .map(|one| one.as_str().unwrap())
                                .collect::<Vec<_>>()
                                .join(" "),
                            other => other.to_string(),
                        };
                        let told = Told::from([
                            ("as path", word("as_path")),
                            ("next hop", word("next_hop")),
                            ("med", word("med")),
                            ("communities", word("communities")),
                            ("large communities", word("large_communities")),
                        ]);
                        let neighbors = export["neighbors"].as_array().unwrap();
                        (
                            told,
                            neighbors.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
                        )
                    }
                };
                for neighbor in neighbors {
                    all.entry((node, neighbor)).or_default().push(told.clone());
                }
            }
        }
    }
    for told in all.values_mut() {
        told.dedup();
    }
    all
}

/// The exit that the plan says the router inside has in the end, by its router id.
fn exit_of_core(plan: &Value, moment: &str) -> String {
    let routers = plan["exits"][0]["routers"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    let core = routers.iter().find(|one| one["router"]["router_id"] == "192.0.2.100");
    core.unwrap_or_else(|| panic!("{plan:#}"))[moment].to_string()
}

/// To dc2 and back, by plans: each UPDATE and each LSA of the group is one that was planned, and in that order.
#[test]
fn what_is_planned_is_what_is_on_the_wire() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    for (to, site) in [("dc2", 2), ("dc1", 1)] {
        let file = lab.core.path(&format!("{to}.json"));
        let order = ["plan", "switch", "payments", "--to", to, "--out", &file];
        let shown = lab.member("edge1").shuntd.json(&order).unwrap();
        let plan = &shown["plans"][0];
        let wire = Wire::tap(&lab);
        lab.order("edge1", &["switch", "--plan", &file, "--yes"]).committed(&["payments"]);
        lab.is_at("payments", site);
        let expected: BTreeMap<_, Vec<Told>> = planned(plan)
            .into_iter()
            // What is told already is not told again.
            .map(|(link, moments)| (link, moments[1..].to_vec()))
            .collect();
        wait_for("exactly what was planned", PATIENCE, || {
            let told = wire.told();
            if told == expected {
                Ok(())
            } else {
                Err(format!("{told:#?}\nplanned: {expected:#?}"))
            }
        });
        println!("to {to}: {expected:?}");
        let exit = format!("192.0.2.{}", site + 2);
        assert!(exit_of_core(plan, "then").contains(&exit), "{plan:#}");
        for edge in ["edge1", "edge2"] {
            let nodes = plan["nodes"].as_array().unwrap();
            let planned = nodes.iter().find(|node| node["node"] == edge).unwrap();
            let then = &planned["announcements"][0]["then"]["kernel"];
            let hops = lab.member(edge).node.next_hops(PREFIX).unwrap();
            let words = hops[0].split_once('@').map(|(by, on)| format!("via {by} dev {on}"));
            assert_eq!(then.as_str(), words.as_deref(), "{edge}");
        }
        // Nothing of it is true any more.
        let again = lab.order("edge1", &["switch", "--plan", &file, "--yes"]);
        assert_eq!(again.code, 10, "{again:?}");
    }
}

/// The world has changed since: another switch there and back.
#[test]
fn a_stale_plan_is_refused() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    let file = lab.core.path("plan.json");
    let plan = [&["plan"][..], &TO_DC2, &["--out", &file]].concat();
    lab.member("fw1").shuntd.order(&plan);
    for to in ["dc2", "dc1"] {
        lab.order("edge1", &["switch", "payments", "--to", to, "--yes"]).committed(&["payments"]);
    }
    lab.is_at("payments", 1);
    let ended = lab.order("fw1", &["switch", "--plan", &file, "--yes"]);
    println!("{ended:?}");
    assert_eq!(ended.code, 10, "{ended:?}");
    assert!(
        ended.errors.contains("the plan is stale") && !ended.errors.contains("goes on"),
        "{ended:?}"
    );
    // Other refusals, of which nothing changes either.
    for (order, words) in [
        (["switch", "paymets", "--to", "dc2", "--yes"], "did you mean `payments`?"),
        (["switch", "payments", "--to", "dc3", "--yes"], "did you mean `dc"),
        (["switch", "payments", "--to", "dc1", "--yes"], "dc1"),
    ] {
        let ended = lab.order("edge2", &order);
        println!("{ended:?}");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.errors.contains(words) && !ended.errors.contains("goes on"), "{ended:?}");
    }
    assert_eq!(lab.settles("refusals", "payments"), 1);
}
