use std::io::{self, Write};

use crate::api::v1::{SwitchInProgress, SwitchesReply, SwitchesRequest};
use crate::cli::daemon::{Client, Daemon, PATIENCE};
use crate::cli::failure::Failure;
use crate::cli::output::{Cell, Column, Output, PLAIN, Table, WARN, harmless, left, moment, right};

/// `shunt switch status [GROUP]`
pub async fn status(group: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let call = async move |mut client: Client| client.switches(SwitchesRequest {}).await;
    let mut reply = daemon.call(PATIENCE, call).await?;
    if let Some(group) = group {
        reply.switches.retain(|one| one.group == group || one.switch == group);
    }
    out.answer(&reply, |out| print(&reply, out))?;
    Ok(())
}

fn print(reply: &SwitchesReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 8] = [
        left("GROUP"),
        left("FROM"),
        left("TO"),
        right("EPOCH"),
        left("STEP"),
        left("UNTIL"),
        left("SWITCH"),
        left("BY"),
    ];
    if reply.switches.is_empty() {
        return writeln!(out, "no switch is in progress");
    }
    let mut table = Table::new(&COLUMNS);
    for one in &reply.switches {
        let SwitchInProgress { switch, group, from, to, epoch, step, back, .. } = one;
        let (step, style) = match (step.as_str(), back) {
            // Another node coordinates: only the lock is known.
            ("", _) => (String::new(), PLAIN),
            (step, true) => (format!("back:{}", step.replace(' ', "-")), WARN),
            (step, false) => (step.replace(' ', "-"), PLAIN),
        };
        table.row([
            group.clone().into(),
            from.clone().into(),
            to.clone().into(),
            epoch.to_string().into(),
            Cell::styled(step, style),
            moment(&one.until).into_owned().into(),
            switch.clone().into(),
            Cell::from(match one.reason.as_str() {
                "" => harmless(&one.owner).into_owned(),
                reason => format!("{}: {}", harmless(&one.owner), harmless(reason)),
            }),
        ]);
    }
    table.print(out)
}
