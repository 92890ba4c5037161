use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use super::Failure;
use super::daemon::DIRECTORY;
use super::topology::{CLIENTS, NODES, ROUTERS};

const HELP: &str = "\
The network stays until you leave this shell. Put a node's name before a command to run it there:

  edge1 shunt status                        edge2 shunt groups payments
  edge1 shunt neighbors                     isp-a shunt routes
  core1 shunt ospf neighbors                core1 shunt ospf database
  fw1b shunt plan prefer 198.51.100.7/32 drain
  fw1b shunt vrrp                           core1 shunt bfd
  fw1 shunt vrrp resume gateway             fw1b shunt vrrp release gateway
  edge1 shunt why 198.51.100.7              isp-b ip route
  edge1 shunt prefer payments drain --reason \"trying it\" --for 10m
  edge1 shunt release payments              edge1 shunt events --follow

  traffic &                                 who answers the clients, and what is lost (`kill %1` ends it)
  kill -9 $(cat edge2/pid); start edge2     a crash, and the next start
  edge1 ip link set isp-a down              a cut line (`up` mends it)
  switch1 ip link set fw1b-inside nomaster  a switch that drops what it gets (`master inside` mends it)
  cat edge1/shunt.toml                      its configuration; `edge1 shunt reload` after a change

`shunt` alone is that of edge1. `help-lab` shows this again, `exit` ends it all.
";

/// Leaves a shell open in the lab and returns when it ends.
pub fn shell(programs: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::of("shell", error);
    let bin = Path::new(DIRECTORY).join("bin");
    fs::create_dir_all(&bin).map_err(failed)?;
    for (name, text) in commands() {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o755)
            .open(bin.join(name))
            .map_err(failed)?;
        write!(file, "#!/bin/sh\n{text}\n").map_err(failed)?;
    }
    let rc = Path::new(DIRECTORY).join("bashrc");
    fs::write(&rc, "PS1='lab$ '\n").map_err(failed)?;

    let mut shell = if Path::new("/bin/bash").exists() {
        let mut bash = Command::new("/bin/bash");
        bash.arg("--rcfile").arg(&rc);
        bash
    } else {
        Command::new("/bin/sh")
    };
    println!("{HELP}");
    // Typed commands come one by one, also where they come from a file.
    shell.args(io::stdin().is_terminal().then_some("-i"));
    let path = env::var("PATH").unwrap_or_default();
    // Its exit status is that of whatever was typed last: it says nothing.
    shell
        .current_dir(DIRECTORY)
        .env("PATH", format!("{}:{}:{path}", bin.display(), programs.display()))
        .env("SHUNT_SOCKET", Path::new(DIRECTORY).join("edge1/shunt.sock"))
        .env("PS1", "lab$ ")
        // What is typed here is of no use elsewhere.
        .env("HISTFILE", "/dev/null")
        .status()
        .map_err(failed)?;
    Ok(())
}

/// Small commands for the shell, with their text.
fn commands() -> Vec<(String, String)> {
    let on = |node: &str, command: &str| {
        format!(
            "exec nsenter --net=/run/netns/{node} env SHUNT_SOCKET={DIRECTORY}/{node}/shunt.sock {command}"
        )
    };
    let mut all: Vec<(String, String)> = NODES
        .iter()
        .map(|node| {
            ((*node).to_owned(), format!("[ $# -gt 0 ] || set -- sh\n{}", on(node, "\"$@\"")))
        })
        .collect();
    let names = ROUTERS.join("|");
    all.push((
        "start".to_owned(),
        format!(
            "case \"$1\" in {names}) ;; *) echo \"usage: start {names}\" >&2; exit 2 ;; esac\n\
             cd {DIRECTORY}/$1 || exit\n\
             setsid nsenter --net=/run/netns/$1 shuntd --config $PWD/shunt.toml --socket $PWD/shunt.sock \
             --state $PWD/state </dev/null >/dev/null 2>>shuntd.log &\n\
             echo $! >pid"
        ),
    ));
    let each: String =
        CLIENTS.iter().map(|(client, _)| format!("shunt-lab traffic {client} &\n")).collect();
    all.push((
        "traffic".to_owned(),
        format!("trap 'kill $(jobs -p) 2>/dev/null' EXIT\ntrap exit INT TERM\n{each}wait"),
    ));
    all.push(("help-lab".to_owned(), format!("cat <<'END'\n{HELP}END")));
    all
}
