use std::io::{self, Write};

use clap::builder::styling::Style;

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{
    BAD, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, compact_age, compact_span, count,
    harmless, left, right,
};
use crate::api::v1::{RpkiCache, RpkiReply, RpkiRequest, RpkiVerdict};

/// `shunt rpki [PREFIX [AS]]`
pub async fn rpki(
    prefix: Option<String>,
    origin_as: Option<u32>,
    daemon: Daemon,
    out: Output,
) -> Result<(), Failure> {
    let request = RpkiRequest { prefix: prefix.unwrap_or_default(), origin_as };
    let reply = daemon.call(PATIENCE, async move |mut client| client.rpki(request).await).await?;
    out.answer(&reply, |out| match &reply.verdict {
        Some(verdict) => explain(verdict, &reply, out),
        None => overview(&reply, out),
    })?;
    Ok(())
}

fn overview(reply: &RpkiReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("CACHE"),
        left("ADDRESS"),
        left("STATE"),
        right("SERIAL"),
        right("IPV4"),
        right("IPV6"),
        right("AGE"),
        right("EXPIRES"),
    ];
    let mut table = Table::new(&COLUMNS);
    for cache in &reply.caches {
        let number = |number: u64| match cache.age_us {
            Some(_) => number.to_string(),
            None => String::new(),
        };
        table.row([
            cache.name.clone().into(),
            address(cache).into(),
            Cell::styled(cache.state.clone(), style(cache)),
            cache.serial.map(|serial| serial.to_string()).unwrap_or_default().into(),
            number(cache.vrps_ipv4).into(),
            number(cache.vrps_ipv6).into(),
            cache.age_us.map(compact_age).unwrap_or_default().into(),
            cache.expires_in_us.map(compact_span).unwrap_or_default().into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        return writeln!(out, "no RPKI cache is configured");
    }
    for cache in reply.caches.iter().filter(|cache| !cache.last_error.is_empty()) {
        writeln!(out, "{WARN}{}:{WARN:#} {}", cache.name, harmless(&cache.last_error))?;
    }
    let all = reply.vrps_ipv4 + reply.vrps_ipv6;
    let rejected = count(reply.rejected_paths, "path", "paths");
    let going_on = if reply.revalidating { "; routes are being looked at again" } else { "" };
    writeln!(out, "{}; {rejected} with an invalid origin{going_on}", count(all, "VRP", "VRPs"))
}

fn address(cache: &RpkiCache) -> String {
    match cache.address.contains(':') {
        true => format!("[{}]:{}", cache.address, cache.port),
        false => format!("{}:{}", cache.address, cache.port),
    }
}

/// A cache whose data is good is no failure, whatever it does now.
fn style(cache: &RpkiCache) -> Style {
    match (cache.age_us, cache.last_error.as_str()) {
        (Some(_), "") => GOOD,
        (Some(_), _) => WARN,
        (None, _) => BAD,
    }
}

fn explain(verdict: &RpkiVerdict, reply: &RpkiReply, out: &mut dyn Write) -> io::Result<()> {
    let RpkiVerdict { prefix, origin_as, state, vrps } = verdict;
    if let Some(asn) = origin_as {
        let style = match state.as_str() {
            "valid" => GOOD,
            "invalid" => BAD,
            _ => PLAIN,
        };
        writeln!(out, "{BOLD}{prefix}{BOLD:#} from AS {asn}: {style}{state}{style:#}")?;
    }
    if vrps.is_empty() {
        return match reply.vrps_ipv4 + reply.vrps_ipv6 {
            0 => writeln!(out, "no cache has data"),
            _ => writeln!(out, "nobody has said who may originate it"),
        };
    }
    for vrp in vrps {
        let longer = match vrp.prefix.rsplit_once('/') {
            Some((_, length)) if length == vrp.max_length.to_string() => String::new(),
            _ => format!(" and parts of it up to /{}", vrp.max_length),
        };
        match vrp.asn {
            0 => writeln!(out, "  {}{longer}: nobody (AS 0)", vrp.prefix)?,
            asn => writeln!(out, "  {}{longer}: AS {asn}", vrp.prefix)?,
        }
    }
    Ok(())
}
