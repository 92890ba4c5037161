//! Link-state advertisements as the API shows them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::wire::ospf::{
    ExternalLsa, Grace, Link, LinkKind, Lsa, LsaBody, LsaType, Options, RouterInformation,
    RouterLsa,
};

/// What an LSA is about; `None` if that is no prefix.
pub(super) fn prefix(lsa: &Lsa) -> Option<Ipv4Net> {
    let mask = match &lsa.body {
        LsaBody::Network(network) => network.mask,
        LsaBody::Summary(summary) if lsa.header.key.kind == LsaType::SUMMARY_NETWORK => {
            summary.mask
        }
        LsaBody::External(external) => external.mask,
        _ => return None,
    };
    // The link state id may have bits behind the mask (RFC 2328 Appendix E).
    Some(Ipv4Net::with_netmask(lsa.header.key.link_state_id, mask).ok()?.trunc())
}

/// The options of an LSA, or of a neighbour (`kind` is `None`), by the letters of the standards.
pub(super) fn options(options: Options, kind: Option<LsaType>) -> Vec<String> {
    let names = [
        (Options::EXTERNAL, "E"),
        (Options::NSSA, if kind == Some(LsaType::NSSA) { "P" } else { "N" }),
        (Options::LINK_LOCAL_SIGNALLING, "L"),
        (Options::OPAQUE, "O"),
    ];
    let set = names.into_iter().filter(|(option, _)| options.contains(*option));
    set.map(|(_, name)| name.to_owned()).collect()
}

/// What it says, a line each.
pub(super) fn body(lsa: &Lsa) -> Vec<String> {
    match &lsa.body {
        LsaBody::Router(router) => router_lsa(router),
        LsaBody::Network(network) => {
            network.routers.iter().map(|router| format!("router {router}")).collect()
        }
        LsaBody::Summary(summary) => vec![format!("metric {}", summary.metric)],
        LsaBody::External(external) => vec![external_lsa(external)],
        LsaBody::RouterInformation(information) => router_information(information),
        LsaBody::Grace(grace) => grace_lsa(grace),
        LsaBody::Opaque => {
            let [kind, ..] = lsa.header.key.link_state_id.octets();
            vec![format!("opaque type {kind}, {} octets", lsa.content().len())]
        }
    }
}

fn router_lsa(router: &RouterLsa) -> Vec<String> {
    let roles = [
        (router.border, "area border router (B)"),
        (router.boundary, "AS boundary router (E)"),
        (router.virtual_link, "end of a virtual link (V)"),
        (router.translator, "translates type 7 (Nt)"),
    ];
    let roles = roles.into_iter().filter(|(set, _)| *set).map(|(_, role)| role.to_owned());
    roles.chain(router.links.iter().map(link)).collect()
}

fn link(link: &Link) -> String {
    let Link { kind, id, data, metric } = link;
    match kind {
        LinkKind::PointToPoint => format!("link to router {id} from {data}, metric {metric}"),
        LinkKind::Transit => format!("network of DR {id} from {data}, metric {metric}"),
        LinkKind::Stub => match Ipv4Net::with_netmask(*id, *data) {
            Ok(network) => format!("stub network {network}, metric {metric}"),
            Err(_) => format!("stub network {id} mask {data}, metric {metric}"),
        },
        LinkKind::Virtual => format!("virtual link to router {id}, metric {metric}"),
    }
}

fn external_lsa(external: &ExternalLsa) -> String {
    let ExternalLsa { type_2, metric, forwarding_address, tag, .. } = external;
    let kind = if *type_2 { "external-2" } else { "external-1" };
    let mut text = format!("{kind}, metric {metric}, tag {tag}");
    if *forwarding_address != Ipv4Addr::UNSPECIFIED {
        text.push_str(&format!(", forwarding address {forwarding_address}"));
    }
    text
}

fn router_information(information: &RouterInformation) -> Vec<String> {
    let hostname = information.hostname.as_ref().map(|name| format!("hostname {name}"));
    let capabilities =
        information.capabilities.map(|bits| format!("informational capabilities {bits:#010x}"));
    hostname.into_iter().chain(capabilities).collect()
}

fn grace_lsa(grace: &Grace) -> Vec<String> {
    vec![format!("graceful restart ({}), within {} s", grace.reason, grace.period)]
}
