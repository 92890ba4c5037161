//! The table as MRT records (RFC 6396 §4.3): every path that neighbours have told and we have taken, as it is after the import.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::Agent;
use crate::api::v1;
use crate::rib::{Path, Route, SourceId};
use crate::types::{Prefix, RouterId, Time};
use crate::wire::mrt::{Entry, Peer, emit_peer_index, emit_routes};

/// Prefixes that are looked at in one portion, and octets after which it ends.
const PORTION: usize = 500;
const OCTETS: usize = 32 * 1024;

/// How far a dump has come. The index of peers is that of its beginning: what a neighbour tells that was configured meanwhile is
/// not in it.
pub struct TableDump {
    peers: BTreeMap<SourceId, Place>,
    /// Seconds since 1970, of all records.
    at: u32,
    sequence: u32,
    after: Option<Prefix>,
}

#[derive(Clone, Copy)]
struct Place {
    index: u16,
    /// When the session came up: when each path was learned is not kept.
    since: u32,
}

impl Agent {
    /// The next portion of a dump, of a new one for `None`, and how far it has come; `None` at the end.
    pub fn dump_table(
        &self,
        dump: Option<TableDump>,
        now: Time,
    ) -> (Vec<v1::MrtRecords>, Option<TableDump>) {
        let mut records = BytesMut::with_capacity(2 * OCTETS);
        let (mut prefixes, mut paths) = (0, 0);
        let mut dump = match dump {
            Some(dump) => dump,
            None => self.begin_dump(now, &mut records),
        };
        let page = self.rib.page(dump.after, PORTION);
        let mut is_end = page.len() < PORTION;
        let mut entries = Vec::new();
        for prefix in page {
            if records.len() >= OCTETS {
                is_end = false;
                break;
            }
            dump.after = Some(prefix);
            let candidates = self.rib.candidates(prefix, 1);
            entries.clear();
            entries.extend(candidates.iter().filter_map(|candidate| match candidate.route {
                Route::Bgp(Path { source, attributes, .. }) => {
                    let Place { index, since } = *dump.peers.get(&source)?;
                    Some(Entry { peer: index, originated: since, attributes })
                }
                Route::Igp(_) => None,
            }));
            if !entries.is_empty() {
                emit_routes(dump.at, dump.sequence, prefix, &entries, &mut records);
                dump.sequence += 1;
                prefixes += 1;
                paths += u32::try_from(entries.len()).unwrap_or(u32::MAX);
            }
        }
        let records = v1::MrtRecords { records: records.into(), prefixes, paths };
        (vec![records], Some(dump).filter(|_| !is_end))
    }

    /// Numbers the neighbours and writes the index of them.
    fn begin_dump(&self, now: Time, records: &mut BytesMut) -> TableDump {
        let at = self.wall(now).unix_seconds();
        let mut peers = BTreeMap::new();
        let mut index = Vec::new();
        for (neighbor, place) in self.neighbors.values().zip(0..u16::MAX) {
            let source = neighbor.source();
            let known = self.rib.source(source);
            index.push(Peer {
                router_id: known.map_or(RouterId::from_bits(0), |known| known.router_id),
                address: neighbor.config.address,
                asn: neighbor.config.remote_as,
            });
            let since = self.wall(neighbor.state_since).unix_seconds();
            peers.insert(source, Place { index: place, since });
        }
        emit_peer_index(at, self.config.node.router_id, &index, records);
        TableDump { peers, at, sequence: 0, after: None }
    }
}
