use std::io::{self, Write};

use super::daemon::{Daemon, PATIENCE};
use super::failure::Failure;
use super::output::{BOLD, Cell, Column, GOOD, Output, Table, WARN, harmless, left, moment};
use crate::api::v1::{Announcement, Group, GroupsReply, GroupsRequest, Intent};

/// `shunt groups [NAME]`
pub async fn groups(name: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = name.is_some();
    let request = GroupsRequest { name: name.unwrap_or_default() };
    let reply = daemon.call(PATIENCE, async move |mut client| client.groups(request).await).await?;
    out.answer(&reply, |out| if one { details(&reply, out) } else { overview(&reply, out) })?;
    Ok(())
}

/// `standby (100)`, `150`, or `not announced`.
pub fn level(preference: u32, name: &str) -> String {
    match (preference, name) {
        (0, _) => "not announced".to_owned(),
        (preference, "") => preference.to_string(),
        (preference, level) => format!("{level} ({preference})"),
    }
}

/// `ordered by root (uid 0) at 2026-11-21T22:00:00Z: prefer 100 until ... (maintenance)`
pub fn order_in_words(intent: &Intent) -> String {
    let Intent { order, preference, owner, .. } = intent;
    let since = moment(&intent.since);
    let mut text = match order.as_str() {
        "prefer" => format!("ordered by {owner} at {since}: prefer {preference}"),
        // It is said of the virtual router, and nobody types this word.
        "vrrp-release" => format!("ordered by {owner} at {since}: release"),
        order => format!("ordered by {owner} at {since}: {order}"),
    };
    if !intent.expires.is_empty() {
        text.push_str(" until ");
        text.push_str(&moment(&intent.expires));
    }
    if !intent.reason.is_empty() {
        text.push_str(" (");
        text.push_str(&harmless(&intent.reason));
        text.push(')');
    }
    text
}

fn overview(reply: &GroupsReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 4] =
        [left("GROUP"), left("PREFIX"), left("PREFERENCE"), left("SENT TO")];
    let mut table = Table::new(&COLUMNS);
    let mut notes: Vec<(&str, &Intent)> = Vec::new();
    let grouped = reply.groups.iter().flat_map(|group| &group.announcements);
    for announcement in grouped.chain(&reply.prefixes) {
        let style = if announcement.preference == 0 { WARN } else { GOOD };
        // A column is one word for scripts: the number says it all, the name is for people.
        table.row([
            announcement.group.clone().into(),
            announcement.prefix.clone().into(),
            Cell::styled(column_level(announcement), style),
            announcement.sent_to.join(",").into(),
        ]);
        if let Some(intent) = &announcement.intent {
            let note = (intent.target.as_str(), intent);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no groups are configured and no prefixes are ordered")?;
    }
    for (target, intent) in notes {
        let target = if target.is_empty() { "node" } else { target };
        writeln!(out, "{target}: {}", order_in_words(intent))?;
    }
    Ok(())
}

/// `standby(100)`, one word.
fn column_level(announcement: &Announcement) -> String {
    match (announcement.preference, announcement.level.as_str()) {
        (0, _) => "0".to_owned(),
        (preference, "") => preference.to_string(),
        (preference, level) => format!("{level}({preference})"),
    }
}

fn details(reply: &GroupsReply, out: &mut dyn Write) -> io::Result<()> {
    for Group { name, announcements, base, base_by_site } in &reply.groups {
        let sites: Vec<String> =
            base_by_site.iter().map(|(site, base)| format!("{site} {base}")).collect();
        let sites = match sites.as_slice() {
            [] => "of no site".to_owned(),
            sites => sites.join(", "),
        };
        writeln!(out, "{BOLD}{name}{BOLD:#}: base preference {base} here ({sites})")?;
        for announcement in announcements {
            explain(announcement, out)?;
        }
    }
    for announcement in &reply.prefixes {
        explain(announcement, out)?;
    }
    Ok(())
}

/// One announcement, its preference with each reason, and who has it.
pub fn explain(announcement: &Announcement, out: &mut dyn Write) -> io::Result<()> {
    let Announcement { prefix, preference, level: name, because, sent_to, .. } = announcement;
    writeln!(out, "{BOLD}{prefix}{BOLD:#}: {}", level(*preference, name))?;
    for reason in because {
        writeln!(out, "  because {}", harmless(reason))?;
    }
    let sent_to = if sent_to.is_empty() { "nobody".to_owned() } else { sent_to.join(", ") };
    writeln!(out, "  sent to {sent_to}")
}
