use crate::api::v1::Attributes;

/// What an operator looks for in a route that we sent: `med 100, prepend 2`. Attributes that every
/// route has are named only if there is nothing else to say.
pub fn summary(attributes: &Attributes) -> String {
    let mut parts = Vec::new();
    if let Some(med) = attributes.med {
        parts.push(format!("med {med}"));
    }
    match prepends(&attributes.as_path) {
        Some(0) => {}
        Some(times) => parts.push(format!("prepend {times}")),
        None => parts.push(format!("as-path {}", attributes.as_path)),
    }
    if let Some(local_pref) = attributes.local_pref {
        parts.push(format!("local-pref {local_pref}"));
    }
    for (name, values) in [
        ("communities", &attributes.communities),
        ("extended communities", &attributes.extended_communities),
        ("large communities", &attributes.large_communities),
    ] {
        if !values.is_empty() {
            parts.push(format!("{name} {}", values.join(" ")));
        }
    }
    if parts.is_empty() {
        parts.push(format!("next hop {}", attributes.next_hop));
    }
    parts.join(", ")
}

/// Everything, one name and value each, for `shunt why` and `shunt routes` on one route.
pub fn full(attributes: &Attributes) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: String| {
        if !value.is_empty() {
            parts.push(format!("{name} {value}"));
        }
    };
    part("next hop", attributes.next_hop.clone());
    part("as-path", attributes.as_path.clone());
    part("origin", attributes.origin.clone());
    part("med", attributes.med.map(|med| med.to_string()).unwrap_or_default());
    part("local-pref", attributes.local_pref.map(|value| value.to_string()).unwrap_or_default());
    part("communities", attributes.communities.join(" "));
    part("extended communities", attributes.extended_communities.join(" "));
    part("large communities", attributes.large_communities.join(" "));
    part("aggregator", attributes.aggregator.clone());
    part(
        "only-to-customer",
        attributes.only_to_customer.map(|asn| asn.to_string()).unwrap_or_default(),
    );
    if attributes.atomic_aggregate {
        parts.push("atomic-aggregate".to_owned());
    }
    parts.extend(attributes.unknown.iter().cloned());
    parts
}

/// How often our AS was prepended: `None` if others are in the path, so that it must be shown.
fn prepends(as_path: &str) -> Option<usize> {
    let mut hops = as_path.split(' ').filter(|hop| !hop.is_empty());
    let Some(first) = hops.next() else { return Some(0) };
    let mut times = 0;
    for hop in hops {
        if hop != first {
            return None;
        }
        times += 1;
    }
    Some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(as_path: &str) -> Attributes {
        Attributes {
            as_path: as_path.to_owned(),
            next_hop: "192.0.2.1".to_owned(),
            ..Attributes::default()
        }
    }

    #[test]
    fn summary_says_what_differs_between_routes_of_ours() {
        assert_eq!(summary(&route("64500")), "next hop 192.0.2.1");
        assert_eq!(summary(&route("")), "next hop 192.0.2.1");
        assert_eq!(summary(&route("64500 64500 64500")), "prepend 2");
        assert_eq!(summary(&route("64500 64496")), "as-path 64500 64496");
        let drained = Attributes {
            med: Some(200),
            communities: vec!["graceful-shutdown".to_owned(), "64500:1".to_owned()],
            ..route("64500 64500")
        };
        assert_eq!(summary(&drained), "med 200, prepend 1, communities graceful-shutdown 64500:1");
    }
}
