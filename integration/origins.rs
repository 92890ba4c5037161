//! Origin validation with StayRTR as the cache: what it says decides on the routes of an ISP, and nothing else does.

use serde_json::Value;

use crate::edge::{Edge, ISP, Meeting, UPSTREAM, configuration};
use crate::lab::{Bird, Capture, Frr, Node, PATIENCE, Peer, Speaker, Stayrtr, wait_for};

const CACHE: &str = "10.99.0.2:8282";
const OTHER: &str = "[fd99::2]:8283";

/// `[rpki.cache.NAME]` of the two.
fn caches(names: &[&str]) -> String {
    let places = [("10.99.0.2", 8282), ("fd99::2", 8283)];
    let section = |(name, (address, port)): (&&str, (&str, u16))| {
        format!("\n[rpki.cache.{name}]\naddress = \"{address}\"\nport = {port}\n")
    };
    names.iter().zip(places).map(section).collect()
}

impl<P: Peer> Edge<P> {
    /// Waits until the path to each of the ISP's prefixes has this standing.
    #[track_caller]
    fn stand(&self, standings: [&str; 2]) {
        for (prefix, wanted) in UPSTREAM.iter().zip(standings) {
            wait_for(&format!("{prefix} to be {wanted}"), PATIENCE, || {
                let routes = self.shuntd.routes()?;
                let found = routes.iter().find(|route| route["prefix"] == *prefix);
                match found {
                    Some(route) if route["paths"][0]["standing"] == wanted => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            });
        }
    }

    #[track_caller]
    fn cache(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("wanted state of cache {name}"), PATIENCE, || {
            let reply = self.shuntd.json(&["rpki"])?;
            let caches = reply["caches"].as_array().cloned().unwrap_or_default();
            let cache = caches.into_iter().find(|cache| cache["name"] == name);
            cache.filter(&wanted).ok_or(reply.to_string())
        })
    }

    fn verdict(&self, prefix: &str, asn: &str) -> String {
        let reply = self.shuntd.json(&["rpki", prefix, asn]).unwrap();
        reply["verdict"]["state"].as_str().unwrap().to_owned()
    }
}

const USED: [&str; 2] = ["best", "best"];

/// AS 65001 is the ISP.
#[track_caller]
fn follows<P: Peer>(start: impl Fn(&Node, Speaker) -> P) {
    let edge = Edge::meet(start, Meeting::default());
    let requests = Capture::start_as(&edge.node, "isp", "caches", "tcp port 8282");
    let isp = &edge.isp_node;
    edge.stand(USED);
    // A cache that cannot be reached makes no route invalid.
    let text = configuration(Meeting::default(), "") + &caches(&["near"]);
    edge.shuntd.configure(&text);
    edge.shuntd.order(&["reload"]);
    let silent = edge.cache("near", |cache| cache["last_error"] != "");
    assert!(silent["last_error"].as_str().unwrap().contains("refused"), "{silent}");
    edge.stand(USED);

    // Others may announce them, but not the ISP.
    let others = ["192.0.2.0/24-24 65009", "2001:db8::/32-48 65009"];
    let mut cache = Stayrtr::start(isp, CACHE, 2, &others);
    edge.stand(["unusable", "unusable"]);
    let shown = edge.cache("near", |cache| cache["state"] == "idle");
    assert_eq!((&shown["version"], &shown["vrps_ipv6"]), (&1.into(), &1.into()), "{shown}");
    assert_eq!(edge.verdict(UPSTREAM[0], "65001"), "invalid");
    assert_eq!(edge.verdict(UPSTREAM[0], "65009"), "valid");
    assert_eq!(edge.verdict("203.0.113.0/24", "65001"), "not-found");
    assert!(edge.shuntd.order(&["why", UPSTREAM[0]]).contains("RPKI"));

    // StayRTR notifies, is asked for what changed, and the routes that are there are looked at again.
    cache.say(&["192.0.2.0/24-24 65001", others[1]]);
    edge.stand(["best", "unusable"]);
    cache.say(&["192.0.2.0/23-24 65001", "2001:db8::/32-47 65001"]);
    edge.stand(["best", "unusable"]);
    cache.say(&[]);
    edge.stand(USED);
    cache.say(&others);
    edge.stand(["unusable", "unusable"]);

    // What it said stays without it, and another life of it is asked for everything.
    cache.kill();
    edge.cache("near", |cache| cache["state"] != "idle");
    edge.stand(["unusable", "unusable"]);
    cache.say(&others[..1]);
    cache.start_again();
    edge.stand(["unusable", "best"]);

    // The operator may not care.
    let ignoring = configuration(Meeting::default(), "rpki = \"ignore\"\n") + &caches(&["near"]);
    edge.shuntd.configure(&ignoring);
    edge.shuntd.order(&["reload"]);
    edge.stand(USED);
    edge.shuntd.configure(&text);
    edge.shuntd.order(&["reload"]);
    edge.stand(["unusable", "best"]);
    // Nor ask any more.
    edge.shuntd.configure(&configuration(Meeting::default(), ""));
    edge.shuntd.order(&["reload"]);
    edge.stand(USED);

    // In all this time no neighbour was asked for its routes, and no session was lost.
    assert_eq!(requests.faults(ISP[0]), [""; 0]);
    for prefix in UPSTREAM {
        let sent = edge.capture.updates(ISP[usize::from(prefix.contains(':'))]);
        let sent = sent.iter().filter(|update| update.announced.iter().any(|own| own == prefix));
        assert_eq!(sent.count(), 1, "{prefix}");
    }
    edge.no_faults();
}

#[test]
fn frr() {
    follows(Frr::start);
}

#[test]
fn bird() {
    follows(Bird::start);
}

/// Either says who may, and each alone is enough; one is spoken to in version 0.
#[test]
fn two_caches() {
    let edge = Edge::meet(Bird::start, Meeting::default());
    let isp = &edge.isp_node;
    let mut new = Stayrtr::start(isp, CACHE, 1, &["192.0.2.0/24-24 65009"]);
    let old = Stayrtr::start(isp, OTHER, 0, &["192.0.2.0/24-24 65001"]);
    let text = configuration(Meeting::default(), "") + &caches(&["new", "old"]);
    edge.shuntd.configure(&text);
    edge.shuntd.order(&["reload"]);
    let shown = edge.cache("old", |cache| cache["state"] == "idle");
    assert_eq!(shown["version"], 0, "{shown}");
    edge.cache("new", |cache| cache["state"] == "idle" && cache["version"] == 1);
    edge.stand(USED);
    old.say(&[]);
    edge.stand(["unusable", "best"]);
    new.kill();
    old.say(&["192.0.2.0/24-24 65001"]);
    edge.stand(USED);
}
