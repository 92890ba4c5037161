use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::Style;

use crate::api::v1::{OspfInterface, OspfInterfacesReply, OspfInterfacesRequest};
use crate::cli::daemon::{Daemon, PATIENCE};
use crate::cli::failure::Failure;
use crate::cli::output::{
    self, BAD, BOLD, Cell, Column, GOOD, Output, PLAIN, Table, WARN, compact_span, counters,
    harmless, left, right, span,
};

/// `shunt ospf interfaces [NAME]`
pub async fn interfaces(name: Option<String>, daemon: Daemon, out: Output) -> Result<(), Failure> {
    let one = name.is_some();
    let request = OspfInterfacesRequest { name: name.unwrap_or_default() };
    let reply = daemon
        .call(PATIENCE, async move |mut client| client.ospf_interfaces(request).await)
        .await?;
    out.answer(&reply, |out| match one {
        true => reply.interfaces.iter().try_for_each(|interface| details(interface, out)),
        false => overview(&reply, out),
    })?;
    Ok(())
}

fn overview(reply: &OspfInterfacesReply, out: &mut dyn Write) -> io::Result<()> {
    static COLUMNS: [Column; 7] = [
        left("INTERFACE"),
        left("ADDRESS"),
        left("STATE"),
        right("COST"),
        left("TIMERS"),
        left("AUTH"),
        right("FULL"),
    ];
    let mut table = Table::new(&COLUMNS);
    for interface in &reply.interfaces {
        // On the others nothing is sent, so there is nothing to tell.
        let speaks = !interface.passive && interface.network != "loopback";
        let only = |text: String| if speaks { text } else { String::new() };
        let timers = [interface.hello_interval_us, interface.dead_interval_us].map(compact_span);
        table.row([
            interface.name.clone().into(),
            interface.address.clone().into(),
            Cell::styled(interface.state.clone(), state_style(&interface.state)),
            interface.cost.to_string().into(),
            only(timers.join("/")).into(),
            only(interface.authentication.clone()).into(),
            only(format!("{}/{}", interface.neighbors_full, interface.neighbors)).into(),
        ]);
    }
    table.print(out)?;
    if table.is_empty() {
        writeln!(out, "no interfaces are configured for OSPF")?;
    }
    for OspfInterface { name, reason, .. } in &reply.interfaces {
        if !reason.is_empty() {
            writeln!(out, "{WARN}{name}:{WARN:#} {}", harmless(reason))?;
        }
    }
    for OspfInterface { name, .. } in reply.interfaces.iter().filter(|one| one.key_overdue) {
        writeln!(out, "{WARN}{name}:{WARN:#} {KEY_OVERDUE}")?;
    }
    Ok(())
}

const KEY_OVERDUE: &str = "no key's time to send is now; add a key";

fn state_style(state: &str) -> Style {
    match state {
        "absent" | "down" => BAD,
        "waiting" => WARN,
        "passive" => PLAIN,
        _ => GOOD,
    }
}

fn details(interface: &OspfInterface, out: &mut dyn Write) -> io::Result<()> {
    let OspfInterface { name, address, state, reason, .. } = interface;
    let style = state_style(state);
    write!(out, "{BOLD}{name}{BOLD:#}, ")?;
    match address.as_str() {
        "" => write!(out, "no address: ")?,
        address => write!(out, "{address}: ")?,
    }
    write!(out, "{style}{state}{style:#}")?;
    match reason.as_str() {
        "" => writeln!(out)?,
        reason => writeln!(out, ", {}", harmless(reason))?,
    }
    let time = |microseconds| span(Duration::from_micros(microseconds));
    let mtu = match (interface.mtu, interface.mtu_ignore) {
        (0, _) => String::new(),
        (mtu, true) => format!("{mtu}, neighbors' are not compared"),
        (mtu, false) => mtu.to_string(),
    };
    let mut authentication = interface.authentication.clone();
    if let Some(key) = interface.key_id {
        authentication.push_str(&format!(", key {key}"));
    }
    if interface.extended_sequence {
        authentication.push_str(", extended sequence numbers");
    }
    if interface.key_overdue {
        authentication.push_str(": ");
        authentication.push_str(KEY_OVERDUE);
    }
    let passive = if interface.passive { ", passive" } else { "" };
    output::list(
        &[
            ("network", format!("{}{passive}", interface.network)),
            ("mtu", mtu),
            ("cost", interface.cost.to_string()),
            ("priority", interface.priority.to_string()),
            ("designated router", interface.designated.clone()),
            ("backup", interface.backup.clone()),
            (
                "timers",
                format!(
                    "hello {}, dead {}, retransmit {}, transmit delay {} s",
                    time(interface.hello_interval_us),
                    time(interface.dead_interval_us),
                    time(interface.retransmit_interval_us),
                    interface.transmit_delay_s
                ),
            ),
            ("authentication", authentication),
            ("neighbors", format!("{} of {} full", interface.neighbors_full, interface.neighbors)),
            ("received", counters(&interface.received)),
            ("sent", counters(&interface.sent)),
            ("discarded", counters(&interface.discarded)),
        ],
        out,
    )
}
