use std::io::{self, Write};

use super::attributes;
use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::groups;
use super::output::{BOLD, DIM, GOOD, Output, PLAIN, WARN, harmless};
use crate::api::v1::{Path, Sent, WhyReply, WhyRequest};

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
    if !reply.sent.is_empty() {
        writeln!(out, "\n{BOLD}sent{BOLD:#}")?;
    }
    let width = reply.sent.iter().map(|sent| sent.neighbor.len()).max().unwrap_or(0);
    for Sent { neighbor, attributes, because } in &reply.sent {
        match attributes {
            Some(attributes) => {
                writeln!(out, "  {neighbor:width$}  {}", attributes::full(attributes).join(", "))?;
                writeln!(out, "  {:width$}  because {because}", "")?;
            }
            None => writeln!(out, "  {neighbor:width$}  nothing: {because}")?,
        }
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

fn print_path(path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let Path { source, standing, reason, attributes, stale, .. } = path;
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
    match attributes {
        Some(attributes) => writeln!(out, "    {}", attributes::full(attributes).join(", ")),
        None => Ok(()),
    }
}
