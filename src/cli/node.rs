use std::io::{self, Write};

use serde::Serialize;
use tonic::{Code, Response};

use super::daemon::{Client, Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::groups;
use super::output::{self, BOLD, Output, WARN, count, harmless};
use crate::api::v1::{
    CollectorStatus, FastStatus, HealthStatus, KernelStatus, OspfStatus, ReloadReply,
    ReloadRequest, RpkiStatus, StatusReply, StatusRequest, UpdateLogStatus, VersionRequest,
};

/// `shunt status`
pub async fn status(daemon: Daemon, out: Output) -> Result<(), Failure> {
    let reply = daemon
        .call(PATIENCE, async move |mut client| client.status(StatusRequest {}).await)
        .await?;
    out.answer(&reply, |out| print_status(&reply, out))?;
    Ok(())
}

fn print_status(reply: &StatusReply, out: &mut dyn Write) -> io::Result<()> {
    let StatusReply { node, site, asn, router_id, version, .. } = reply;
    let started = output::moment(&reply.started);
    // Without BGP there is none.
    let asn = if *asn == 0 { String::new() } else { format!("AS {asn}, ") };
    writeln!(out, "{BOLD}{node}{BOLD:#}, site {site}, {asn}router id {router_id}")?;
    let up = output::span(std::time::Duration::from_micros(reply.uptime_us));
    let orders = match reply.intents {
        0 => "no orders in force".to_owned(),
        intents => output::count(intents.into(), "order in force", "orders in force"),
    };
    output::list(
        &[
            ("daemon", format!("shuntd {version}, up {up} since {started}")),
            (
                "neighbors",
                format!(
                    "{} of {} established",
                    reply.neighbors_established, reply.neighbors_configured
                ),
            ),
            (
                "prefixes",
                format!(
                    "{} of {} announced, {orders}",
                    reply.prefixes_announced, reply.prefixes_known
                ),
            ),
            ("routes", format!("{} learned", reply.routes_learned)),
            ("rpki", reply.rpki.as_ref().map(rpki).unwrap_or_default()),
            ("ospf", reply.ospf.as_ref().map(|status| ospf(status, router_id)).unwrap_or_default()),
            ("bfd", reply.fast.as_ref().map(bfd).unwrap_or_default()),
            ("vrrp", reply.fast.as_ref().map(vrrp).unwrap_or_default()),
            ("lane", reply.fast.as_ref().map(lane).unwrap_or_default()),
            ("checks", reply.health.as_ref().map(checks).unwrap_or_default()),
            ("collectors", collectors(&reply.collectors)),
            ("update log", reply.update_log.as_ref().map(update_log).unwrap_or_default()),
            ("kernel", reply.kernel.as_ref().map(kernel).unwrap_or_default()),
            ("configuration", reply.configuration.clone()),
            ("state", reply.state_directory.clone()),
            ("drained", reply.drain.as_ref().map(groups::order_in_words).unwrap_or_default()),
        ],
        out,
    )?;
    for warning in &reply.warnings {
        writeln!(out, "{WARN}warning:{WARN:#} {}", harmless(warning))?;
    }
    Ok(())
}

fn ospf(status: &OspfStatus, router_id: &str) -> String {
    let OspfStatus { area, area_type, .. } = status;
    let mut text = format!(
        "area {area} ({area_type}), {} of {} up, {} of {} full, {}, {}",
        status.interfaces_up,
        count(status.interfaces_configured.into(), "interface", "interfaces"),
        status.neighbors_full,
        count(status.neighbors_known.into(), "neighbor", "neighbors"),
        count(status.lsas.into(), "LSA", "LSAs"),
        count(status.routes.into(), "route", "routes"),
    );
    if status.router_id != router_id {
        text.push_str(&format!("\nrouter id {}", status.router_id));
    }
    match status.stub_router.as_str() {
        "" => {}
        why => text.push_str(&format!("\nstub router, not for transit (RFC 6987): {why}")),
    }
    text
}

/// `1 of 2 caches with data, 512345 VRPs, 17 paths rejected`
fn rpki(status: &RpkiStatus) -> String {
    format!(
        "{} of {} with data, {}, {} rejected",
        status.caches_with_data,
        count(status.caches.into(), "cache", "caches"),
        count(status.vrps, "VRP", "VRPs"),
        count(status.rejected_paths, "path", "paths"),
    )
}

fn bfd(status: &FastStatus) -> String {
    match status.bfd_sessions {
        0 => String::new(),
        all => format!("{} of {} up", status.bfd_up, count(all.into(), "session", "sessions")),
    }
}

fn vrrp(status: &FastStatus) -> String {
    match status.routers {
        0 => String::new(),
        all => {
            let routers = count(all.into(), "virtual router", "virtual routers");
            format!("{} of {routers} active", status.routers_active)
        }
    }
}

/// `9 of 13 up, 1 slow, 3 down, 1 held`
fn checks(status: &HealthStatus) -> String {
    let HealthStatus { checks, up, slow, down, unknown, held } = status;
    let others = [(slow, "slow"), (down, "down"), (unknown, "unknown"), (held, "held")];
    let others = others.into_iter().filter(|(number, _)| **number > 0);
    let others: String = others.map(|(number, word)| format!(", {number} {word}")).collect();
    format!("{up} of {checks} up{others}")
}

/// How well the thread of BFD and VRRP keeps its time.
fn lane(status: &FastStatus) -> String {
    let realtime = if status.not_realtime.is_empty() { "real-time" } else { "not real-time" };
    let locked = if status.not_locked.is_empty() { "locked" } else { "not locked" };
    let mut text = format!("{realtime}, memory {locked}");
    if let Some(lag) = status.lag.as_ref().filter(|lag| lag.samples > 0) {
        let [half, most, worst] = [lag.p50_us, lag.p99_us, lag.worst_us]
            .map(|micros| output::span(std::time::Duration::from_micros(micros)));
        text.push_str(&format!(
            "\ntimers late by {half} (half of them), {most} (99 %), {worst} (worst)"
        ));
    }
    text
}

fn collectors(all: &[CollectorStatus]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let connected = all.iter().filter(|one| one.connected).count();
    let complete = all.iter().filter(|one| one.complete).count();
    format!("{connected} of {} connected, {complete} told everything", all.len())
}

fn update_log(status: &UpdateLogStatus) -> String {
    let UpdateLogStatus { directory, file, records, lost, error } = status;
    let place = if file.is_empty() { directory } else { file };
    let mut text = format!("{place}, {}", count(*records, "record", "records"));
    if *lost > 0 {
        text.push_str(&format!(", {lost} lost"));
    }
    if !error.is_empty() {
        text.push_str(&format!("\n{error}"));
    }
    text
}

fn kernel(kernel: &KernelStatus) -> String {
    if kernel.state == "off" {
        return "off: no routes are installed".to_owned();
    }
    let KernelStatus { state, routes_wanted, routes_installed, difference, last_error, .. } =
        kernel;
    let mut text = format!("{state}, {routes_installed} of {routes_wanted} routes installed");
    if kernel.exits > 0 {
        text.push_str(&format!(" over {} exit", kernel.exits));
        text.push_str(if kernel.exits == 1 { "" } else { "s" });
        text.push_str(if kernel.compat_mode { " (nexthop_compat_mode 1)" } else { "" });
    }
    if *difference > 0 {
        text.push_str(&format!(", {difference} to change"));
    }
    if !last_error.is_empty() {
        text.push_str(&format!(", last refusal: {last_error}"));
    }
    text
}

#[derive(Serialize)]
struct Versions {
    shunt: &'static str,
    /// `None` if no daemon answered.
    shuntd: Option<String>,
}

/// `shunt version`: our own is printed even if there is no daemon to ask.
pub async fn version(daemon: Daemon, out: Output) -> Result<(), Failure> {
    let reply = daemon
        .call(PATIENCE, async move |mut client| client.version(VersionRequest {}).await)
        .await;
    let (shuntd, failure) = match reply {
        Ok(reply) => (Some(reply.version), None),
        Err(failure) => (None, Some(failure)),
    };
    let versions = Versions { shunt: env!("CARGO_PKG_VERSION"), shuntd };
    out.answer(&versions, |out| {
        writeln!(out, "shunt {}", versions.shunt)?;
        match &versions.shuntd {
            Some(version) => writeln!(out, "shuntd {version}"),
            None => Ok(()),
        }
    })?;
    failure.map_or(Ok(()), Err)
}

/// `shunt reload`
pub async fn reload(daemon: Daemon, out: Output) -> Result<(), Failure> {
    let reload = async move |mut client: Client| match client.reload(ReloadRequest {}).await {
        Err(status) if status.code() == Code::FailedPrecondition => Ok(Response::new(Err(status))),
        reply => reply.map(|reply| reply.map(Ok)),
    };
    let reply = daemon.call(PATIENCE, reload).await?.map_err(|status| {
        let message = "the configuration file has mistakes: the daemon goes on with the one it has";
        // The mistakes, as `shunt check` shows them.
        Failure::new(Exit::Configuration, message).details(harmless(status.message()))
    })?;
    out.answer(&reply, |out| print_reload(&reply, out))?;
    Ok(())
}

fn print_reload(reply: &ReloadReply, out: &mut dyn Write) -> io::Result<()> {
    if reply.changes.is_empty() {
        writeln!(out, "reloaded: nothing has changed")?;
    }
    for change in &reply.changes {
        writeln!(out, "{change}")?;
    }
    Ok(())
}
