//! The commands of `docs/fleet.md`, in the order of the text, with the two nodes that it speaks of.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::{Daemon, Home, address};

const PORT: u16 = 11792;

/// edge1 and edge2, with the certificates that were issued before.
async fn start(directory: &Path) -> ([Daemon; 2], [String; 2]) {
    let addresses = [address(), address()].map(|address| address.to_string());
    let common = "[kernel]\ninstall = false\n[group.payments]\nprefixes = [\"198.51.100.7/32\"]\n\
         base = { dc1 = \"primary\", dc2 = \"standby\" }\n[site.dc1]\nid = 1\n[site.dc2]\nid = 2\n";
    let nodes = [1, 2].map(|number| {
        let address = &addresses[number - 1];
        format!(
            "[fleet.node.edge{number}]\nsite = \"dc{number}\"\naddresses = [\"{address}\"]\n\
             router-id = \"{address}\"\n"
        )
    });
    let pki = directory.join("pki").display().to_string();
    let home = |number: usize| {
        let address = &addresses[number - 1];
        Home::new(&format!(
            "[node]\nname = \"edge{number}\"\nsite = \"dc{number}\"\nrouter-id = \"{address}\"\n\
             own-prefixes = [\"198.51.100.0/24\"]\n[listen]\naddresses = []\n{common}\
             [fleet]\nport = {PORT}\ncertificate = \"{pki}/edge{number}.crt\"\n\
             key = \"{pki}/edge{number}.key\"\nca = \"{pki}/ca.crt\"\n{}",
            nodes.concat()
        ))
    };
    let daemons = [home(1).start().await, home(2).start().await];
    fs::write(directory.join("shunt.toml"), format!("[fleet]\nport = {PORT}\n{}", nodes.concat()))
        .unwrap();
    let own = directory.join("home/.config/shunt");
    fs::create_dir_all(&own).unwrap();
    for (from, to) in
        [("alice.crt", "client.crt"), ("alice.key", "client.key"), ("ca.crt", "ca.crt")]
    {
        fs::copy(directory.join("pki").join(from), own.join(to)).unwrap();
    }
    (daemons, addresses)
}

/// What a shell shows of a line.
fn transcript(directory: &Path, line: &str) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_shunt")).parent().unwrap().display();
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(directory)
        .env_clear()
        .env("PATH", format!("{bin}:/usr/bin:/bin"))
        .env("HOME", directory.join("home"))
        .env("SHUNT_CONFIG", "shunt.toml")
        .output()
        .unwrap();
    let mut text =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    if !output.status.success() {
        text += &format!("(exit code {})\n", output.status.code().unwrap());
    }
    text.replace(&directory.join("home").display().to_string(), "/home/alice")
}

#[tokio::test]
async fn documentation_shows_what_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fleet.md");
    let written = fs::read_to_string(&path).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (mut present, mut in_console, mut fleet) = (String::new(), false, None);
    for line in written.split_inclusive('\n') {
        match line.trim_end() {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ if !in_console => {}
            typed => {
                let Some(typed) = typed.strip_prefix("$ ") else { continue };
                if typed.contains("--node") && fleet.is_none() {
                    fleet = Some(start(directory.path()).await);
                }
                let mut text = transcript(directory.path(), typed);
                if let Some((_, addresses)) = &fleet {
                    let shown = ["10.1.0.1:7170", "10.2.0.1:7170"];
                    for (address, shown) in addresses.iter().zip(shown) {
                        text = text.replace(&format!("{address}:{PORT}"), shown);
                    }
                }
                present.push_str(line);
                present.push_str(&text);
                continue;
            }
        }
        present.push_str(line);
    }
    assert!(fleet.is_some());
    if std::env::var_os("SHUNT_UPDATE_DOCS").is_some() {
        fs::write(&path, &present).unwrap();
        return;
    }
    for (number, (is, was)) in present.lines().zip(written.lines()).enumerate() {
        assert_eq!(is, was, "docs/fleet.md:{}", number + 1);
    }
    assert_eq!(present, written);
}
