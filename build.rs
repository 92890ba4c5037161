//! Compiles `proto/` with protox, so that no protoc is needed.

/// Messages that are read from files again: plans and the ledger.
const READ: &[&str] = &[
    "PlanSwitchReply",
    "SwitchPlan",
    "SwitchPlanNode",
    "SwitchPlanAnnouncement",
    "SwitchPlanMoment",
    "SwitchPlanExport",
    "SwitchPlanExits",
    "SwitchPlanRouter",
    "SwitchPlanCheck",
    "PlanWay",
    "OspfRouter",
    "OspfAnnouncement",
    "Attributes",
    "SwitchRequest",
    "LedgerEntry",
    "LedgerStep",
    "Vantage",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["shunt/v1/control.proto"], ["proto"])?;
    // `--json` prints the messages as they are: one definition for the wire and for scripts.
    let builder = tonic_prost_build::configure()
        .message_attribute(".", "#[derive(serde::Serialize)]")
        .btree_map(".");
    let read = "#[derive(serde::Deserialize)] #[serde(default)]";
    READ.iter()
        .fold(builder, |builder, message| {
            builder.message_attribute(format!(".shunt.v1.{message}"), read)
        })
        .compile_fds(descriptors)?;
    Ok(())
}
