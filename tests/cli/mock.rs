//! A daemon that only pretends: it answers the control API with fixed replies, on a socket of its own.

#[path = "fast.rs"]
pub mod fast;
#[path = "health.rs"]
pub mod health;
#[path = "history.rs"]
pub mod history;
#[path = "orders.rs"]
mod orders;
#[path = "ospf.rs"]
pub mod ospf;
#[path = "policy.rs"]
pub mod policy;
#[path = "rpki.rs"]
pub mod rpki;
#[path = "switch.rs"]
pub mod switch;

pub use orders::order;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use shunt::api::v1::control_server::{Control, ControlServer};
use shunt::api::v1::*;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

/// The pretended daemon, stopped when dropped.
pub struct Mock {
    directory: TempDir,
    /// The orders received so far.
    pub orders: Arc<Mutex<Vec<OrderRequest>>>,
    /// Whether its configuration file has mistakes.
    pub mistaken: Arc<AtomicBool>,
    pub switches: switch::Switches,
    stop: Option<oneshot::Sender<()>>,
    server: Option<std::thread::JoinHandle<()>>,
}

impl Mock {
    pub fn start() -> Mock {
        let directory = TempDir::new().unwrap();
        let orders = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (ready, listening) = std::sync::mpsc::channel();
        let socket = directory.path().join("shunt.sock");
        let mistaken = Arc::new(AtomicBool::new(false));
        let switches = switch::Switches::default();
        let service = ControlServer::new(Service {
            orders: orders.clone(),
            mistaken: mistaken.clone(),
            switches: switches.clone(),
        });
        let server = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::bind(socket).unwrap();
                ready.send(()).unwrap();
                let serve = tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(UnixListenerStream::new(listener));
                // Not a graceful stop: a call that hangs would hold it up for ever.
                tokio::select! {
                    result = serve => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        listening.recv().unwrap();
        Mock { directory, orders, mistaken, switches, stop: Some(stop), server: Some(server) }
    }

    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("shunt.sock")
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Service {
    orders: Arc<Mutex<Vec<OrderRequest>>>,
    mistaken: Arc<AtomicBool>,
    switches: switch::Switches,
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn text(value: &str) -> String {
    value.to_owned()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| text(value)).collect()
}

pub fn status() -> StatusReply {
    StatusReply {
        node: text("edge1"),
        site: text("dc1"),
        asn: 64500,
        router_id: text("192.0.2.1"),
        version: text("0.1.0"),
        started: text("2026-11-21T19:56:56.1Z"),
        uptime_us: 7_384_000_000,
        neighbors_configured: 3,
        neighbors_established: 2,
        prefixes_announced: 3,
        prefixes_known: 4,
        intents: 1,
        routes_learned: 3,
        kernel: Some(KernelStatus {
            state: text("synced"),
            routes_wanted: 1,
            routes_installed: 1,
            difference: 0,
            last_error: String::new(),
            exits: 1,
            compat_mode: false,
        }),
        warnings: vec![
            text("neighbor core has no import policy: nothing is accepted from it (RFC 8212)"),
            format!("OSPF neighbor {}", ospf::mismatch().text),
            text("the memory of BFD and VRRP is not locked: operation not permitted"),
            format!("guard: {}", health::GUARD),
            text(
                "check web (group web) is down, and held as it changes too often: status 503 instead of 200-299",
            ),
        ],
        configuration: text("/etc/shunt/shunt.toml"),
        state_directory: text("/var/lib/shunt"),
        ospf: Some(ospf::status()),
        drain: None,
        fast: Some(fast::status()),
        health: Some(health::status()),
        rpki: Some(rpki::status()),
        collectors: vec![CollectorStatus {
            name: text("archive"),
            address: text("192.0.2.9"),
            port: 11019,
            connected: true,
            complete: true,
            last_error: String::new(),
        }],
        update_log: Some(UpdateLogStatus {
            directory: text("/var/lib/shunt/mrt"),
            file: text("/var/lib/shunt/mrt/updates.20261121.220000.mrt"),
            records: 123_456,
            lost: 7,
            error: String::new(),
        }),
    }
}

pub fn neighbors() -> Vec<Neighbor> {
    let isp_a = Neighbor {
        name: text("isp-a"),
        address: text("192.0.2.254"),
        remote_as: 64496,
        state: text("established"),
        state_us: 7_380_500_000,
        local_address: text("192.0.2.1"),
        router_id: text("198.18.0.1"),
        hold_time_s: 90,
        keepalive_s: 30,
        families: texts(&["ipv4"]),
        capabilities: texts(&["multiprotocol", "route refresh", "4-octet AS", "role"]),
        class: text("isp"),
        import: text("default-only"),
        export: text("groups"),
        role: text("customer"),
        prefixes_received: 1,
        prefixes_rejected: 2,
        prefixes_sent: 2,
        updates_received: 3,
        updates_sent: 2,
        messages_received: 250,
        messages_sent: 248,
        established_count: 2,
        last_down: text("Hold Timer Expired"),
        last_down_at: text("2026-11-21T19:58:01Z"),
        last_error: String::new(),
        problems: texts(&["2026-11-21T20:01:09Z 203.0.113.0/24 treated as withdrawn: ORIGIN 7"]),
        update_problems: 1,
        md5: true,
        ttl_security: 1,
        import_policy: texts(&["sane", "from-isp-a"]),
        export_policy: Vec::new(),
        rejected_by: vec![RejectedBy { rule: text("policy sane, rule bogons"), routes: 1 }],
    };
    let isp_b = Neighbor {
        name: text("isp-b"),
        address: text("2001:db8:ffff::254"),
        remote_as: 4_200_000_001,
        state_us: 12_000_000,
        router_id: text("198.18.0.2"),
        families: texts(&["ipv4", "ipv6"]),
        prefixes_received: 2,
        prefixes_rejected: 0,
        prefixes_sent: 3,
        md5: false,
        // What a neighbor may send as its shutdown message.
        last_down: text("Cease/Administrative Shutdown: \u{1b}[2Jbye"),
        ..isp_a.clone()
    };
    let core = Neighbor {
        name: text("core"),
        address: text("10.0.0.9"),
        remote_as: 64500,
        state: text("active"),
        state_us: 4_200_000,
        export: text("groups"),
        last_error: text("cannot connect to 10.0.0.9 port 179: connection refused"),
        ..Neighbor::default()
    };
    vec![isp_a, isp_b, core]
}

fn intent() -> Intent {
    Intent {
        target: text("payments"),
        order: text("prefer"),
        preference: 100,
        owner: text("root (uid 0)"),
        reason: text("ticket 4711"),
        since: text("2026-11-21T22:00:00Z"),
        expires: text("2026-11-22T00:00:00.000250Z"),
    }
}

fn payments(prefix: &str) -> Announcement {
    Announcement {
        prefix: text(prefix),
        group: text("payments"),
        preference: 100,
        level: text("standby"),
        because: texts(&[
            "base of site dc1: primary (200)",
            "operator root (uid 0): prefer standby (100), reason \"ticket 4711\", \
             until 2026-11-22T00:00:00Z, since 2026-11-21T22:00:00Z",
        ]),
        sent_to: texts(&["isp-a", "isp-b"]),
        intent: Some(intent()),
    }
}

pub fn groups() -> GroupsReply {
    let site = |preference| [(text("dc1"), preference), (text("dc2"), 100)].into();
    GroupsReply {
        groups: vec![
            Group {
                name: text("payments"),
                announcements: vec![payments("198.51.100.7/32"), payments("2001:db8:7::1/128")],
                base: 200,
                base_by_site: site(200),
            },
            Group {
                name: text("reports"),
                announcements: vec![Announcement {
                    prefix: text("198.51.100.9/32"),
                    group: text("reports"),
                    because: texts(&["base of site dc1: 0"]),
                    ..Announcement::default()
                }],
                base: 0,
                base_by_site: site(0),
            },
        ],
        prefixes: vec![Announcement {
            prefix: text("198.51.100.128/25"),
            preference: 150,
            because: texts(&[
                "operator alice (uid 1000): announce at 150, since 2026-11-21T21:00:00Z",
            ]),
            sent_to: texts(&["isp-b"]),
            intent: Some(Intent {
                target: text("198.51.100.128/25"),
                order: text("announce"),
                preference: 150,
                owner: text("alice (uid 1000)"),
                since: text("2026-11-21T21:00:00Z"),
                ..Intent::default()
            }),
            ..Announcement::default()
        }],
    }
}

fn attributes(as_path: &str, next_hop: &str, med: Option<u32>) -> Attributes {
    Attributes {
        origin: text("igp"),
        as_path: text(as_path),
        next_hop: text(next_hop),
        med,
        ..Attributes::default()
    }
}

fn path(source: &str, standing: &str, reason: &str, attributes: Attributes) -> Path {
    Path {
        source: text(source),
        standing: text(standing),
        reason: text(reason),
        attributes: Some(attributes),
        stale: false,
        ospf: None,
    }
}

pub fn routes() -> Vec<Route> {
    vec![
        Route {
            prefix: text("0.0.0.0/0"),
            paths: vec![
                path("isp-a", "best", "", attributes("64496", "192.0.2.254", Some(0))),
                path(
                    "isp-b",
                    "lost",
                    "AS_PATH is longer: 2 against 1",
                    attributes("4200000001 64497", "192.0.2.250", None),
                ),
            ],
            installed: true,
        },
        Route {
            prefix: text("2001:db8:900::/40"),
            paths: vec![Path {
                stale: true,
                ..path(
                    "isp-b",
                    "best",
                    "",
                    attributes("4200000001", "2001:db8:ffff::254", Some(50)),
                )
            }],
            installed: false,
        },
    ]
}

fn has(path: &Path, community: &str) -> bool {
    path.attributes.as_ref().unwrap().communities.iter().any(|one| one == community)
}

pub fn why() -> WhyReply {
    let ours = Attributes {
        communities: texts(&["64500:100"]),
        ..attributes("64500 64500 64500", "192.0.2.1", Some(100))
    };
    WhyReply {
        prefix: text("198.51.100.7/32"),
        announcement: Some(payments("198.51.100.7/32")),
        sent: vec![
            Sent {
                neighbor: text("isp-a"),
                attributes: Some(ours),
                because: text("class isp, level standby (100): med 100, prepend 2"),
            },
            Sent {
                neighbor: text("core"),
                attributes: None,
                because: text("the session is not established"),
            },
        ],
        paths: vec![
            path("local", "best", "", attributes("", "0.0.0.0", None)),
            path(
                "isp-b",
                "lost",
                "our own announcement comes first",
                attributes("4200000001 64499", "192.0.2.250", None),
            ),
        ],
        kernel: String::new(),
        ospf: Some(ospf::sent()),
    }
}

pub fn events() -> Vec<Event> {
    let event = |number, at: &str, kind: &str, subject: &str, words: &str, severity: &str| Event {
        number,
        at: text(at),
        kind: text(kind),
        subject: text(subject),
        text: text(words),
        severity: text(severity),
    };
    vec![
        event(1, "2026-11-21T19:56:56.104Z", "daemon", "", "started, version 0.1.0", "info"),
        event(
            2,
            "2026-11-21T19:58:01.435435Z",
            "neighbor",
            "isp-a",
            "down: Hold Timer Expired",
            "warning",
        ),
        event(7, "2026-11-21T19:58:04.000250Z", "neighbor", "isp-a", "established", "info"),
        event(
            8,
            "2026-11-21T22:00:00.5Z",
            "configuration",
            "shunt.toml",
            "reload refused: two mistakes\nline 3: unknown key",
            "error",
        ),
    ]
}

/// Refused, as at the daemon, where a router is named that nobody knows.
fn known(name: &str) -> Result<(), Status> {
    match name {
        "" | "edge1" | "edge2" | "192.0.2.2" => Ok(()),
        other => Err(Status::not_found(format!("no router `{other}`; did you mean `edge2`?"))),
    }
}

#[tonic::async_trait]
impl Control for Service {
    type RoutesStream = Replies<Route>;
    type DumpTableStream = Replies<MrtRecords>;
    type EventsStream = Replies<Event>;
    type OspfDatabaseStream = Replies<OspfLsa>;
    type OspfRoutesStream = Replies<OspfRoute>;
    type SwitchStream = Replies<SwitchProgress>;

    async fn plan_switch(
        &self,
        request: Request<SwitchRequest>,
    ) -> Result<Response<PlanSwitchReply>, Status> {
        self.switches.plan(request.into_inner()).map(Response::new)
    }

    async fn switch(
        &self,
        request: Request<SwitchRequest>,
    ) -> Result<Response<Self::SwitchStream>, Status> {
        Ok(Response::new(Box::pin(self.switches.switch(request.into_inner())?)))
    }

    async fn switches(
        &self,
        _: Request<SwitchesRequest>,
    ) -> Result<Response<SwitchesReply>, Status> {
        Ok(Response::new(switch::in_progress()))
    }

    type HistoryStream = Replies<LedgerEntry>;

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        let entries = history::entries(&request.into_inner());
        Ok(Response::new(Box::pin(tokio_stream::iter(entries.into_iter().map(Ok)))))
    }

    async fn audit(&self, _: Request<AuditRequest>) -> Result<Response<AuditReply>, Status> {
        Ok(Response::new(history::audit()))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        let mut reply = status();
        let orders = self.orders.lock().unwrap();
        if orders.last().is_some_and(|order| order.order == "drain") {
            reply.drain = Some(ospf::drain());
            reply.ospf.as_mut().unwrap().stub_router = text("drained");
        }
        Ok(Response::new(reply))
    }

    async fn neighbors(
        &self,
        request: Request<NeighborsRequest>,
    ) -> Result<Response<NeighborsReply>, Status> {
        let name = request.into_inner().name;
        let mut found = neighbors();
        found.retain(|neighbor| name.is_empty() || neighbor.name == name);
        if found.is_empty() {
            return Err(Status::not_found(format!(
                "no neighbor `{name}` is configured; did you mean `isp-a`?"
            )));
        }
        Ok(Response::new(NeighborsReply { neighbors: found }))
    }

    async fn groups(
        &self,
        request: Request<GroupsRequest>,
    ) -> Result<Response<GroupsReply>, Status> {
        let name = request.into_inner().name;
        let mut reply = groups();
        if name == "large" {
            // More than gRPC libraries take by default.
            let one = reply.groups[0].announcements[0].clone();
            reply.groups[0].name = name.clone();
            reply.groups[0].announcements = vec![one; 40_000];
        }
        if !name.is_empty() {
            reply.groups.retain(|group| group.name == name);
            reply.prefixes.clear();
        }
        Ok(Response::new(reply))
    }

    async fn bfd(&self, request: Request<BfdRequest>) -> Result<Response<BfdReply>, Status> {
        fast::bfd(&request.into_inner().name).map(Response::new)
    }

    async fn rpki(&self, request: Request<RpkiRequest>) -> Result<Response<RpkiReply>, Status> {
        Ok(Response::new(rpki::rpki(&request.into_inner())))
    }

    async fn vrrp(&self, request: Request<VrrpRequest>) -> Result<Response<VrrpReply>, Status> {
        fast::vrrp(&request.into_inner().name).map(Response::new)
    }

    async fn health(
        &self,
        request: Request<HealthRequest>,
    ) -> Result<Response<HealthReply>, Status> {
        health::health(&request.into_inner().name).map(Response::new)
    }

    async fn try_check(
        &self,
        request: Request<TryCheckRequest>,
    ) -> Result<Response<TryCheckReply>, Status> {
        health::try_check(&request.into_inner().name).map(Response::new)
    }

    async fn routes(
        &self,
        request: Request<RoutesRequest>,
    ) -> Result<Response<Self::RoutesStream>, Status> {
        let request = request.into_inner();
        let all = match request.longer.as_str() {
            // More than a pipe holds.
            "10.0.0.0/8" => (0..50_000u32)
                .map(|number| Route {
                    prefix: format!("10.{}.{}.0/24", number / 256 % 256, number % 256),
                    ..routes()[0].clone()
                })
                .collect(),
            // Its daemon dies in the middle.
            "192.0.2.0/24" => {
                let broken = tokio_stream::iter([
                    Ok(routes()[0].clone()),
                    Err(Status::unavailable("shuntd is stopping")),
                ]);
                return Ok(Response::new(Box::pin(broken)));
            }
            "" => routes(),
            _ => Vec::new(),
        };
        let kept = all.into_iter().map(move |mut route| {
            route.paths.retain(|path| {
                (!request.best || path.standing == "best")
                    && (!request.lost || path.standing == "lost")
                    && (request.community.is_empty() || has(path, &request.community))
                    && (request.neighbor.is_empty() || path.source == request.neighbor)
            });
            Ok(route)
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(kept))))
    }

    async fn dump_table(
        &self,
        _request: Request<DumpTableRequest>,
    ) -> Result<Response<Self::DumpTableStream>, Status> {
        let portion =
            |octet, prefixes, paths| Ok(MrtRecords { records: vec![octet; 100], prefixes, paths });
        let portions = [portion(0, 2, 3), portion(b'\n', 1, 1)];
        Ok(Response::new(Box::pin(tokio_stream::iter(portions))))
    }

    async fn policy_test(
        &self,
        request: Request<PolicyTestRequest>,
    ) -> Result<Response<PolicyTestReply>, Status> {
        policy::test(&request.into_inner()).map(Response::new)
    }

    async fn why(&self, request: Request<WhyRequest>) -> Result<Response<WhyReply>, Status> {
        match request.into_inner().prefix.as_str() {
            "198.51.100.7" | "198.51.100.7/32" => Ok(Response::new(why())),
            "0.0.0.0/0" => Ok(Response::new(WhyReply {
                prefix: text("0.0.0.0/0"),
                paths: [routes().swap_remove(0).paths, vec![ospf::default_route()]].concat(),
                kernel: text("via 192.0.2.254 dev eth0"),
                ..WhyReply::default()
            })),
            other => Err(Status::invalid_argument(format!("`{other}` is not a prefix"))),
        }
    }

    async fn events(
        &self,
        request: Request<EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let EventsRequest { follow, last } = request.into_inner();
        let mut past = events();
        if last > 0 {
            past.drain(..past.len().saturating_sub(last as usize));
        }
        let past = tokio_stream::iter(past.into_iter().map(Ok));
        Ok(Response::new(if follow {
            Box::pin(past.chain(tokio_stream::pending()))
        } else {
            Box::pin(past)
        }))
    }

    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        Ok(Response::new(VersionReply { version: text("0.1.0") }))
    }

    async fn ospf_interfaces(
        &self,
        request: Request<OspfInterfacesRequest>,
    ) -> Result<Response<OspfInterfacesReply>, Status> {
        let name = request.into_inner().name;
        let mut interfaces = ospf::interfaces();
        interfaces.retain(|interface| name.is_empty() || interface.name == name);
        Ok(Response::new(OspfInterfacesReply { interfaces }))
    }

    async fn ospf_neighbors(
        &self,
        request: Request<OspfNeighborsRequest>,
    ) -> Result<Response<OspfNeighborsReply>, Status> {
        let OspfNeighborsRequest { interface, router } = request.into_inner();
        known(&router)?;
        let mut reply = ospf::neighbors();
        let fits = |name: &str| interface.is_empty() || name == interface;
        reply.neighbors.retain(|one| {
            fits(&one.interface) && (router.is_empty() || ospf::is(one.router.as_ref(), &router))
        });
        reply.mismatches.retain(|one| fits(&one.interface) && router.is_empty());
        Ok(Response::new(reply))
    }

    async fn ospf_database(
        &self,
        request: Request<OspfDatabaseRequest>,
    ) -> Result<Response<Self::OspfDatabaseStream>, Status> {
        let OspfDatabaseRequest { r#type, prefix, router } = request.into_inner();
        known(&router)?;
        let kept = ospf::database().into_iter().filter(move |lsa| {
            (r#type.is_empty() || lsa.r#type == r#type)
                && (prefix.is_empty() || lsa.prefix == prefix)
                && (router.is_empty() || ospf::is(lsa.router.as_ref(), &router))
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(kept.map(Ok)))))
    }

    async fn ospf_routes(
        &self,
        request: Request<OspfRoutesRequest>,
    ) -> Result<Response<Self::OspfRoutesStream>, Status> {
        let OspfRoutesRequest { within, router } = request.into_inner();
        known(&router)?;
        let kept = ospf::routes().into_iter().filter(move |route| {
            let exits = &route.path.as_ref().unwrap().exits;
            (within.is_empty() || route.prefix == within)
                && (router.is_empty() || exits.iter().any(|exit| ospf::is(Some(exit), &router)))
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(kept.map(Ok)))))
    }

    async fn plan(&self, request: Request<PlanRequest>) -> Result<Response<PlanReply>, Status> {
        let PlanRequest { prefix, level } = request.into_inner();
        ospf::plan(&prefix, &level).map(Response::new)
    }

    async fn order(&self, request: Request<OrderRequest>) -> Result<Response<OrderReply>, Status> {
        let request = request.into_inner();
        self.orders.lock().unwrap().push(request.clone());
        order(&request).map(Response::new)
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadReply>, Status> {
        if self.mistaken.load(Ordering::Relaxed) {
            return Err(Status::failed_precondition(
                "error: unknown key `adress`\n --> shunt.toml:3:1",
            ));
        }
        Ok(Response::new(ReloadReply {
            changes: texts(&[
                "neighbor isp-b: hold time changed, session is reset",
                "group reports: base preference at dc1 is now 100",
            ]),
        }))
    }

    async fn refresh(
        &self,
        request: Request<RefreshRequest>,
    ) -> Result<Response<RefreshReply>, Status> {
        let name = request.into_inner().neighbor;
        let asked = if name.is_empty() { texts(&["isp-a", "isp-b"]) } else { vec![name] };
        Ok(Response::new(RefreshReply { asked }))
    }
}
