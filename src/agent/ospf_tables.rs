//! The link-state database and OSPF's routes, page by page.

use ipnet::Ipv4Net;

use super::ospf_reads::{Hostnames, router, router_named};
use super::text::micros;
use super::{Agent, lsa_text};
use crate::api::v1;
use crate::ospf::{Entry, Route};
use crate::types::{Prefix, Time};
use crate::wire::ospf::{LsaKey, LsaType};

/// Where an LSA is: the interface that it stays on, or [`AREA`], and its key.
type Place = (u32, LsaKey);

/// No interface has this index.
const AREA: u32 = 0;

impl Agent {
    /// LSAs in order behind `after`: what matches among the next `limit`, and where to go on from, `None` at the end.
    /// Behind those of the area come those that stay on one link.
    pub fn ospf_database(
        &self,
        request: &v1::OspfDatabaseRequest,
        after: Option<Place>,
        limit: usize,
        now: Time,
    ) -> Result<(Vec<v1::OspfLsa>, Option<Place>), tonic::Status> {
        let ospf = self.configured_ospf()?;
        let hostnames = ospf.router.hostnames(now);
        let asked = router_named(&request.router, &hostnames)?;
        let kind = lsa_type(&request.r#type)?;
        let prefix = parse_prefix(&request.prefix)?;
        let databases = [(AREA, ospf.router.database())].into_iter();
        let page: Vec<(u32, &Entry)> = databases
            .chain(ospf.router.link_databases())
            .filter(|(link, _)| after.is_none_or(|(at, _)| *link >= at))
            .flat_map(|(link, database)| {
                let key = after.filter(|(at, _)| *at == link).map(|(_, key)| key);
                database.behind(key).map(move |entry| (link, entry))
            })
            .take(limit)
            .collect();
        let next = page.last().filter(|_| page.len() == limit);
        let next = next.map(|(link, entry)| (*link, entry.lsa.header.key));
        let fits = |(_, entry): &&(u32, &Entry)| {
            let key = entry.lsa.header.key;
            asked.is_none_or(|asked| asked == key.advertising_router)
                && kind.is_none_or(|kind| kind == key.kind)
                && prefix.is_none_or(|prefix| lsa_text::prefix(&entry.lsa) == Some(prefix))
        };
        let lsas = page.iter().filter(fits).map(|(link, entry)| v1::OspfLsa {
            interface: if *link == AREA { String::new() } else { self.link_name(*link) },
            waiting_us: ospf
                .router
                .waits_until(entry.lsa.header.key)
                .map(|at| micros(at.since(now)))
                .unwrap_or_default(),
            own: entry.lsa.header.key.advertising_router == ospf.router.settings().router_id,
            ..lsa(entry, &hostnames, now)
        });
        Ok((lsas.collect(), next))
    }

    /// Routes in order behind `after`, as [`Agent::ospf_database`].
    pub fn ospf_routes(
        &self,
        request: &v1::OspfRoutesRequest,
        after: Option<Ipv4Net>,
        limit: usize,
        now: Time,
    ) -> Result<(Vec<v1::OspfRoute>, Option<Ipv4Net>), tonic::Status> {
        let ospf = self.configured_ospf()?;
        let hostnames = ospf.router.hostnames(now);
        let asked = router_named(&request.router, &hostnames)?;
        let within = parse_prefix(&request.within)?;
        let page: Vec<(Ipv4Net, &Route)> = ospf.router.routes_behind(after).take(limit).collect();
        let next = page.last().filter(|_| page.len() == limit).map(|(prefix, _)| *prefix);
        let fits = |(prefix, route): &&(Ipv4Net, &Route)| {
            within.is_none_or(|within| within.contains(prefix))
                && asked.is_none_or(|asked| route.exits.contains(&asked))
        };
        let routes = page.iter().filter(fits).map(|(prefix, route)| v1::OspfRoute {
            prefix: prefix.to_string(),
            path: Some(self.ospf_path(route, &hostnames)),
        });
        Ok((routes.collect(), next))
    }

    /// OSPF's path among those of a prefix.
    pub(super) fn ospf_path_to(&self, prefix: Prefix, now: Time) -> Option<v1::OspfPath> {
        let (ospf, Prefix::V4(network)) = (self.ospf.as_ref()?, prefix) else { return None };
        let route = ospf.router.route(network)?;
        Some(self.ospf_path(route, &ospf.router.hostnames(now)))
    }

    fn ospf_path(&self, route: &Route, hostnames: &Hostnames<'_>) -> v1::OspfPath {
        v1::OspfPath {
            kind: route.kind.to_string(),
            cost: route.cost,
            type_2_cost: route.type_2_cost,
            tag: route.tag,
            next_hops: route
                .hops
                .iter()
                .map(|(interface, gateway)| v1::OspfNextHop {
                    interface: self.link_name(*interface),
                    gateway: gateway.to_string(),
                })
                .collect(),
            exits: route.exits.iter().map(|exit| router(*exit, hostnames)).collect(),
        }
    }
}

fn lsa(entry: &Entry, hostnames: &Hostnames<'_>, now: Time) -> v1::OspfLsa {
    let header = entry.header(now);
    v1::OspfLsa {
        r#type: header.key.kind.to_string(),
        id: header.key.link_state_id.to_string(),
        router: Some(router(header.key.advertising_router, hostnames)),
        prefix: lsa_text::prefix(&entry.lsa).map(|prefix| prefix.to_string()).unwrap_or_default(),
        age_s: header.age.into(),
        sequence: format!("{:#010x}", header.sequence.0),
        checksum: format!("{:#06x}", header.checksum),
        length: header.length.into(),
        options: lsa_text::options(header.options, Some(header.key.kind)),
        body: lsa_text::body(&entry.lsa),
        ..v1::OspfLsa::default()
    }
}

const TYPES: [LsaType; 9] = [
    LsaType::ROUTER,
    LsaType::NETWORK,
    LsaType::SUMMARY_NETWORK,
    LsaType::SUMMARY_BOUNDARY,
    LsaType::EXTERNAL,
    LsaType::NSSA,
    LsaType::OPAQUE_LINK,
    LsaType::OPAQUE_AREA,
    LsaType::OPAQUE_AS,
];

/// `None` for the empty name, which stands for all.
fn lsa_type(name: &str) -> Result<Option<LsaType>, tonic::Status> {
    if name.is_empty() {
        return Ok(None);
    }
    match TYPES.into_iter().find(|kind| kind.to_string() == name) {
        Some(kind) => Ok(Some(kind)),
        None => {
            let names = TYPES.map(|kind| kind.to_string()).join(", ");
            let text = format!("unknown type of LSA `{name}`; it is one of: {names}");
            Err(tonic::Status::invalid_argument(text))
        }
    }
}

fn parse_prefix(text: &str) -> Result<Option<Ipv4Net>, tonic::Status> {
    let invalid = |text: String| tonic::Status::invalid_argument(text);
    match text {
        "" => Ok(None),
        text => match text.parse::<Prefix>() {
            Ok(Prefix::V4(network)) => Ok(Some(network)),
            Ok(Prefix::V6(_)) => Err(invalid(format!("{text}: OSPFv2 is for IPv4"))),
            Err(error) => Err(invalid(error.to_string())),
        },
    }
}
