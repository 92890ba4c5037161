//! Compiles `proto/` with protox, so that no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["shunt/v1/control.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // `--json` prints the messages as they are: one definition for the wire and for scripts.
        .message_attribute(".", "#[derive(serde::Serialize)]")
        .btree_map(".")
        .compile_fds(descriptors)?;
    Ok(())
}
