//! The answers to reads about OSPF. They change nothing.

use ipnet::Ipv4Net;

use super::Agent;
use crate::api::v1;
use crate::ospf::Interface;
use crate::types::{RouterId, Time};
use crate::wire::ospf::LsaKey;

impl Agent {
    /// Those configured, or the one named.
    pub fn ospf_interfaces(
        &self,
        _request: &v1::OspfInterfacesRequest,
        _now: Time,
    ) -> Result<v1::OspfInterfacesReply, tonic::Status> {
        Err(not_configured())
    }

    /// Those heard of, and who does not fit.
    pub fn ospf_neighbors(
        &self,
        _request: &v1::OspfNeighborsRequest,
        _now: Time,
    ) -> Result<v1::OspfNeighborsReply, tonic::Status> {
        Err(not_configured())
    }

    /// LSAs in order behind `after`: what matches among the next `limit`, and the key to go on from, `None` at the
    /// end.
    pub fn ospf_database(
        &self,
        _request: &v1::OspfDatabaseRequest,
        _after: Option<LsaKey>,
        _limit: usize,
        _now: Time,
    ) -> Result<(Vec<v1::OspfLsa>, Option<LsaKey>), tonic::Status> {
        Err(not_configured())
    }

    /// Routes in order behind `after`, as [`Agent::ospf_database`].
    pub fn ospf_routes(
        &self,
        _request: &v1::OspfRoutesRequest,
        _after: Option<Ipv4Net>,
        _limit: usize,
    ) -> Result<(Vec<v1::OspfRoute>, Option<Ipv4Net>), tonic::Status> {
        Err(not_configured())
    }

    /// Where the area's traffic for a prefix goes now, and where it would go if this node announced it at a level.
    pub fn plan(
        &self,
        _request: &v1::PlanRequest,
        _now: Time,
    ) -> Result<v1::PlanReply, tonic::Status> {
        Err(not_configured())
    }

    /// What our LSA says about a prefix; `None` if it says nothing.
    pub(super) fn ospf_announcement(&self, _prefix: Ipv4Net) -> Option<v1::OspfAnnouncement> {
        None
    }

    /// `ospf:fw2%eth1`: one word, by host name, or by router id where a router tells none.
    pub(super) fn ospf_neighbor_name(&self, interface: &Interface, router: RouterId) -> String {
        format!("ospf:{router}%{}", interface.name)
    }
}

fn not_configured() -> tonic::Status {
    tonic::Status::not_found(
        "OSPF is not configured: it takes an [ospf] section in the configuration file",
    )
}
