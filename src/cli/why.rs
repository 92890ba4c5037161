use std::io::{self, Write};
use std::time::Duration;

use super::attributes;
use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::groups;
use super::ospf;
use super::output::{BOLD, DIM, GOOD, Output, PLAIN, WARN, harmless, span};
use crate::api::v1::{OspfSent, Path, Sent, WhyReply, WhyRequest};

/// `shunt why PREFIX`
pub async fn why(prefix: String, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let request = WhyRequest { prefix };
    let reply = daemon.call(PATIENCE, async move |mut client| client.why(request).await).await?;
    out.answer(&reply, |out| print(&reply, out))?;
    Ok(())
}

/// The chain from the configuration down to the kernel, in the order in which it decides.
fn print(reply: &WhyReply, out: &mut dyn Write) -> io::Result<()> {
    match &reply.announcement {
        Some(announcement) => {
            if !announcement.group.is_empty() {
                writeln!(out, "group {}", announcement.group)?;
            }
            groups::explain(announcement, out)?;
        }
        None => writeln!(out, "{BOLD}{}{BOLD:#}: not ours to announce", reply.prefix)?,
    }
    if !reply.sent.is_empty() || reply.ospf.is_some() {
        writeln!(out, "\n{BOLD}sent{BOLD:#}")?;
    }
    let names = reply.sent.iter().map(|sent| sent.neighbor.as_str());
    let width = names.chain(reply.ospf.is_some().then_some(OSPF)).map(str::len).max().unwrap_or(0);
    for Sent { neighbor, attributes, because } in &reply.sent {
        match attributes {
            Some(attributes) => {
                writeln!(out, "  {neighbor:width$}  {}", attributes::full(attributes).join(", "))?;
                writeln!(out, "  {:width$}  because {because}", "")?;
            }
            None => writeln!(out, "  {neighbor:width$}  nothing: {because}")?,
        }
    }
    if let Some(sent) = &reply.ospf {
        print_ospf(sent, width, out)?;
    }
    writeln!(out, "\n{BOLD}paths{BOLD:#}")?;
    if reply.paths.is_empty() {
        writeln!(out, "  none")?;
    }
    for path in &reply.paths {
        print_path(path, out)?;
    }
    let kernel = if reply.kernel.is_empty() { "nothing of ours" } else { &reply.kernel };
    writeln!(out, "\n{BOLD}kernel{BOLD:#}\n  {kernel}")
}

/// Stands where a BGP neighbor's name stands.
const OSPF: &str = "ospf";

fn print_ospf(sent: &OspfSent, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let OspfSent { announcement, because, waiting_us, unacknowledged } = sent;
    match announcement {
        Some(announcement) => {
            let summary = ospf::summary(announcement);
            writeln!(out, "  {OSPF:width$}  {summary}, in LSA {}", announcement.lsa)?;
            writeln!(out, "  {:width$}  because {because}", "")?;
        }
        None => writeln!(out, "  {OSPF:width$}  nothing: {because}")?,
    }
    if *waiting_us > 0 {
        let wait = span(Duration::from_micros(*waiting_us));
        writeln!(
            out,
            "  {:width$}  {WARN}goes out in {wait}{WARN:#}: the LSA has just changed (min-ls-interval)",
            ""
        )?;
    }
    if !unacknowledged.is_empty() {
        let missing = unacknowledged.join(", ");
        writeln!(out, "  {:width$}  {WARN}not acknowledged yet{WARN:#} by {missing}", "")?;
    }
    Ok(())
}

fn print_path(path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let Path { source, standing, reason, attributes, stale, ospf } = path;
    let style = match standing.as_str() {
        "best" => GOOD,
        "multipath" => PLAIN,
        "lost" => DIM,
        _ => WARN,
    };
    write!(out, "  {style}{standing}{style:#} from {source}")?;
    if *stale {
        write!(out, ", stale")?;
    }
    if !reason.is_empty() {
        write!(out, ": {}", harmless(reason))?;
    }
    writeln!(out)?;
    match (attributes, ospf) {
        (Some(attributes), _) => writeln!(out, "    {}", attributes::full(attributes).join(", ")),
        (None, Some(path)) => writeln!(out, "    {}", ospf::full(path)),
        (None, None) => Ok(()),
    }
}
