use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use super::arguments::{Because, Expiry, RoleWait, VrrpOrder};
use super::daemon::{Daemon, PATIENCE};
use super::failure::{Exit, Failure};
use super::groups;
use super::order::{by_whom, seconds, with_progress};
use super::output::{
    self, BAD, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, compact_age, counters,
    harmless, left, moment, right, span,
};
use crate::api::v1::{
    OrderReply, OrderRequest, VrrpOutcome, VrrpReply, VrrpRequest, VrrpRouter, VrrpTrack,
};

/// `shunt vrrp [NAME]`
pub async fn vrrp(name: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = name.is_some();
    let request = VrrpRequest { name: name.unwrap_or_default() };
    let reply = daemon.call(PATIENCE, async move |mut client| client.vrrp(request).await).await?;
    out.answer(&reply, |out| match one {
        true => reply.routers.iter().try_for_each(|router| details(router, out)),
        false => overview(&reply, out),
    })?;
    Ok(())
}

/// `shunt vrrp release NAME`, `shunt vrrp resume NAME`
pub async fn order(order: VrrpOrder, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let (target, word, because, expiry, wait) = match order {
        VrrpOrder::Release { name, because, expiry, wait } => {
            (name, "vrrp-release", because, expiry, wait)
        }
        VrrpOrder::Resume { name, because, wait } => {
            (name, "vrrp-resume", because, Expiry { expires_after: None }, wait)
        }
    };
    let (Because { reason }, RoleWait { no_wait, timeout }) = (because, wait);
    let request = OrderRequest {
        target,
        order: word.to_owned(),
        level: String::new(),
        reason,
        for_seconds: seconds(&expiry),
        no_wait,
        timeout_us: u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX).max(1),
    };
    let patience = if no_wait { PATIENCE } else { timeout.saturating_add(PATIENCE) };
    let call = daemon.call(patience, async move |mut client| client.order(request).await);
    let reply = with_progress("the other router to become Active", timeout, call).await?;
    out.answer(&reply, |out| print_order(&reply, out))?;
    match &reply.router {
        Some(router) if !no_wait && !reply.unchanged && router.settled_us == 0 => {
            let limit = span(timeout);
            Err(Failure::new(
                Exit::Unacknowledged,
                format!(
                    "the order is in force, but {} is {} after {limit}",
                    router.name, router.role
                ),
            )
            .advise(format!("See `shunt vrrp {}` and `shunt events`.", router.name)))
        }
        _ => Ok(()),
    }
}

fn print_order(reply: &OrderReply, out: &mut dyn Write) -> io::Result<()> {
    let Some(router) = &reply.router else { return Ok(()) };
    let VrrpOutcome { name, role, active, release, settled_us } = router;
    let ordered = match release {
        Some(intent) => format!("released{}", by_whom(intent)),
        None if reply.unchanged => "was not released".to_owned(),
        None => "no order in force".to_owned(),
    };
    writeln!(out, "{BOLD}{name}{BOLD:#}: {ordered}")?;
    let style = role_style(role);
    write!(out, "{style}{role}{style:#}")?;
    match (active.as_str(), role.as_str()) {
        (_, "active") if release.is_some() => write!(out, ": no other router takes it")?,
        (_, "active") => {}
        ("", _) => write!(out, ", nobody is Active")?,
        (active, _) => write!(out, ", {active} is Active")?,
    }
    if reply.unchanged {
        return writeln!(out);
    }
    let time = |micros| span(Duration::from_micros(micros));
    write!(out, "; on disk after {}", time(reply.durable_us))?;
    match settled_us {
        0 => writeln!(out),
        micros => writeln!(out, ", done after {}", time(*micros)),
    }
}

fn overview(reply: &VrrpReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("NAME"),
        left("INTERFACE"),
        right("VRID"),
        left("ROLE"),
        right("PRIORITY"),
        left("ACTIVE"),
        right("SINCE"),
        left("ADDRESSES"),
    ];
    let mut table = Table::new(&COLUMNS);
    for router in &reply.routers {
        table.row([
            router.name.clone().into(),
            router.interface.clone().into(),
            router.vrid.to_string().into(),
            Cell::styled(role(router).to_owned(), state_style(router)),
            router.priority.to_string().into(),
            router.active.clone().into(),
            compact_age(router.state_us).into(),
            first(&router.addresses).into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no virtual routers are configured")?;
    }
    for router in &reply.routers {
        let name = &router.name;
        let mut notes = vec![fault(router)];
        notes.extend(router.release.as_ref().map(groups::order_in_words));
        notes.extend(down(router).map(|track| format!("{}: {}", track.object, lowered(track))));
        for note in notes.iter().filter(|note| !note.is_empty()) {
            writeln!(out, "{WARN}{name}:{WARN:#} {note}")?;
        }
    }
    match counters(&reply.dropped) {
        dropped if dropped.is_empty() => Ok(()),
        dropped => writeln!(out, "packets of no virtual router: {dropped}"),
    }
}

/// `10.0.1.100 +2`
fn first(addresses: &[String]) -> String {
    match addresses {
        [] => String::new(),
        [only] => only.clone(),
        [first, others @ ..] => format!("{first} +{}", others.len()),
    }
}

/// Where the protocol does not run, there is no role to play.
fn role(router: &VrrpRouter) -> &str {
    if router.state == "initialize" && router.role == "backup" {
        &router.state
    } else {
        &router.role
    }
}

fn role_style(role: &str) -> Style {
    match role {
        "active" => GOOD,
        "backup" => PLAIN,
        "initialize" => BAD,
        _ => WARN,
    }
}

fn state_style(router: &VrrpRouter) -> Style {
    if router.fault.is_empty() { role_style(role(router)) } else { BAD }
}

fn fault(router: &VrrpRouter) -> String {
    match router.fault.as_str() {
        "" => String::new(),
        fault => format!("virtual addresses: {}", harmless(fault)),
    }
}

fn down(router: &VrrpRouter) -> impl Iterator<Item = &VrrpTrack> {
    router.tracks.iter().filter(|track| !track.up)
}

/// `down, priority lowered by 50 (exit code 1)`
fn lowered(track: &VrrpTrack) -> String {
    let text = match track.text.as_str() {
        "" => String::new(),
        text => format!(" ({})", harmless(text)),
    };
    format!("down, priority lowered by {}{text}", track.lower_by)
}

fn why(router: &VrrpRouter) -> &str {
    match router.reason.as_str() {
        "started" => "it has just started",
        "no-link" => "the interface is down, or has no address",
        "no-socket" => "VRRP cannot be received or sent on the interface (see `shunt events`)",
        "owner" => "the addresses are its own",
        "active-down" => "the Active was not heard any more",
        "active-left" => "the Active left",
        "preempted" => "its priority is higher",
        "higher-priority" => "another one has a higher priority",
        "released" => "it was released",
        "sync-group" => "its sync group changed",
        "stalled" => "this node stood still for too long",
        "another-active" => "another one has become Active",
        other => other,
    }
}

fn details(router: &VrrpRouter, out: &mut dyn Write) -> io::Result<()> {
    let time = |micros| span(Duration::from_micros(micros));
    let VrrpRouter { name, interface, vrid, .. } = router;
    let (role, style, age) = (role(router), state_style(router), time(router.state_us));
    let step = match router.step.as_str() {
        "" => String::new(),
        step => format!(", step {step}"),
    };
    writeln!(
        out,
        "{BOLD}{name}{BOLD:#}, VRID {vrid} on {interface}: {style}{role}{style:#}{step} for {age}, {}",
        why(router)
    )?;
    let assigned = match (router.assigned, fault(router)) {
        (true, fault) if fault.is_empty() => "on the interface".to_owned(),
        (false, fault) if fault.is_empty() => "not on the interface".to_owned(),
        (_, fault) => fault,
    };
    let priority = match (router.priority, router.configured_priority) {
        (now, wanted) if now == wanted => now.to_string(),
        (now, wanted) => format!("{now}, configured {wanted}"),
    };
    let active = match (router.active.as_str(), router.state.as_str()) {
        (_, "active") => String::new(),
        ("", _) => "nobody".to_owned(),
        (active, _) => format!(
            "{active}, priority {}, every {}; missed after {}",
            router.active_priority,
            time(router.active_interval_us),
            time(router.active_down_us)
        ),
    };
    let preemption = match (router.preempt, router.preempt_delay_us) {
        (false, _) => "no".to_owned(),
        (true, 0) => "at once".to_owned(),
        (true, delay) => format!("after {}", time(delay)),
    };
    let version = match router.checksum.as_str() {
        "" => router.version.to_string(),
        checksum => format!("{}, checksum {checksum}", router.version),
    };
    let track = |track: &VrrpTrack| {
        let state = if track.up { "up".to_owned() } else { lowered(track) };
        format!("{}: {state}", track.object)
    };
    let release = match (&router.release, router.released) {
        (Some(intent), _) => groups::order_in_words(intent),
        (None, true) => "with its sync group, or until its addresses can be had".to_owned(),
        (None, false) => String::new(),
    };
    output::list(
        &[
            ("addresses", format!("{}\n{assigned}", router.addresses.join(", "))),
            (
                "mac",
                if router.mac.is_empty() {
                    "the interface's".to_owned()
                } else {
                    router.mac.clone()
                },
            ),
            ("priority", priority),
            ("active", active),
            ("interval", time(router.interval_us)),
            ("preempts", preemption),
            (
                "accepts",
                if router.accept { "what is for the addresses" } else { "only what it forwards" }
                    .to_owned(),
            ),
            ("version", version),
            ("unicast peers", router.unicast_peers.join(", ")),
            ("sync group", router.sync_group.clone()),
            ("tracks", router.tracks.iter().map(track).collect::<Vec<String>>().join("\n")),
            ("released", release),
            ("packets", format!("{} sent, {} received", router.sent, router.received)),
            ("takeovers", router.takeovers.to_string()),
            ("dropped", counters(&router.dropped)),
            ("differing", counters(&router.mismatches)),
            (
                "split",
                match router.split.as_str() {
                    "" => String::new(),
                    at => format!("another one was Active as well at {}", moment(at)),
                },
            ),
        ],
        out,
    )
}
