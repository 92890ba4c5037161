//! The answers to reads about the RPKI. They change nothing.

use super::Agent;
use super::neighbor::Neighbor;
use super::text::micros;
use crate::api::v1;
use crate::rpki::{State, Summary};
use crate::types::{Asn, Family, Prefix, Time};
use crate::wire::rtr::Version;

impl Agent {
    pub(super) fn rpki_status(&self) -> Option<v1::RpkiStatus> {
        let validation = &self.validation;
        (!self.config.rpki_caches.is_empty()).then(|| v1::RpkiStatus {
            caches: self.config.rpki_caches.len() as u32,
            caches_with_data: validation.caches.iter().filter(|c| c.fresh.is_some()).count() as u32,
            vrps: Family::ALL.map(|family| validation.table.len(family) as u64).iter().sum(),
            rejected_paths: self.rejected_paths(),
        })
    }

    fn rejected_paths(&self) -> u64 {
        let of = |neighbor: &Neighbor| {
            let source = neighbor.source();
            Family::ALL
                .map(|family| self.rib.count_ineligible(source, family))
                .iter()
                .sum::<usize>()
        };
        self.neighbors.values().map(of).sum::<usize>() as u64
    }

    pub(super) fn rpki_warnings(&self) -> Vec<String> {
        let failing = self.validation.caches.iter().filter_map(|cache| {
            let (name, why) = (&cache.name, cache.last_error.as_deref()?);
            Some(match cache.fresh {
                Some(_) => format!("RPKI cache {name}: {why}; its data is still good"),
                None => format!("RPKI cache {name} has no data: {why}"),
            })
        });
        let mut warnings: Vec<String> = failing.collect();
        let used = self.config.neighbors.values().any(|neighbor| neighbor.rejects_invalid);
        if used && !self.config.rpki_caches.is_empty() && self.validation.table.is_empty() {
            warnings.push("no RPKI cache has data: no route is invalid".to_owned());
        }
        warnings
    }

    pub fn rpki(
        &self,
        request: &v1::RpkiRequest,
        now: Time,
    ) -> Result<v1::RpkiReply, tonic::Status> {
        let validation = &self.validation;
        let verdict = match request.prefix.as_str() {
            "" => None,
            text => {
                let prefix: Prefix = text
                    .parse()
                    .map_err(|error| tonic::Status::invalid_argument(format!("{error}")))?;
                let state =
                    request.origin_as.map(|asn| validation.table.state(prefix, Some(Asn(asn))));
                let vrps = validation.table.covering(prefix).map(|vrp| v1::Vrp {
                    prefix: vrp.prefix.to_string(),
                    max_length: vrp.max_length.into(),
                    asn: vrp.asn.0,
                });
                Some(v1::RpkiVerdict {
                    prefix: prefix.to_string(),
                    origin_as: request.origin_as,
                    state: state.map(|state| state.to_string()).unwrap_or_default(),
                    vrps: vrps.collect(),
                })
            }
        };
        Ok(v1::RpkiReply {
            caches: validation.caches.iter().map(|cache| reply(cache, now)).collect(),
            vrps_ipv4: validation.table.len(Family::Ipv4) as u64,
            vrps_ipv6: validation.table.len(Family::Ipv6) as u64,
            rejected_paths: self.rejected_paths(),
            revalidating: validation.is_pending(),
            verdict,
        })
    }
}

fn reply(cache: &Summary, now: Time) -> v1::RpkiCache {
    let [vrps_ipv4, vrps_ipv6] = cache.vrps.map(|vrps| vrps as u64);
    let state = match cache.state {
        State::Waiting => "waiting",
        State::Dialling => "dialling",
        State::Asking => "asking",
        State::Receiving => "receiving",
        State::Idle => "idle",
    };
    v1::RpkiCache {
        name: cache.name.clone(),
        address: cache.settings.address.to_string(),
        port: cache.settings.port.into(),
        state: state.to_owned(),
        version: match cache.version {
            Version::V0 => 0,
            Version::V1 => 1,
        },
        session_id: cache.known.map(|(session, _)| session.0.into()),
        serial: cache.known.map(|(_, serial)| serial.0),
        vrps_ipv4,
        vrps_ipv6,
        age_us: cache.fresh.map(|(since, _)| micros(now.since(since))),
        expires_in_us: cache.fresh.map(|(_, expires)| micros(expires.since(now))),
        last_error: cache.last_error.clone().unwrap_or_default(),
    }
}
