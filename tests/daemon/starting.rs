//! Start, stop, and everything that keeps the daemon from starting.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use shunt::api::v1;

use super::process::{Home, PORT, address, eventually, node, refused};

const GATEWAY: &str = "[vrrp.gateway]\ninterface = \"lo\"\nid = 7\naddresses = [\"192.0.2.1\"]\n";

#[tokio::test]
async fn a_second_daemon_on_the_same_socket_gives_up() {
    let first = Home::new(&node(64500, address())).start().await;
    let (code, text) = first.home().refused();
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("another shuntd") && text.contains("shunt.sock"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    // It took nothing away from the first.
    first.client().await.version(shunt::api::v1::VersionRequest {}).await.unwrap();
}

#[tokio::test]
async fn more_descriptors_are_used_than_a_shell_grants_at_first() {
    let home = Home::new(&node(64500, address()));
    let few = home.command();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "ulimit -Sn 200; exec \"$0\" \"$@\""]).arg(few.get_program());
    command.args(few.get_args());
    let daemon = home.start_by(command).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|word| files.split_ascii_whitespace().nth(word).unwrap());
    let hard: u64 = hard.parse().unwrap_or(u64::MAX);
    assert_eq!(soft.parse(), Ok(hard.min(65_536)), "{files}");
}

#[tokio::test]
async fn two_daemons_cannot_share_a_state_directory() {
    let first = Home::new(&node(64500, address())).start().await;
    let other = Home::new(&node(64500, address()));
    let mut command = other.command();
    command.arg("--state").arg(first.home().path().join("state"));
    // The later of two equal flags would be an error: build it without the first.
    let mut command_with_state = std::process::Command::new(command.get_program());
    let mut arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    arguments.drain(4..6);
    command_with_state.args(arguments).stderr(std::process::Stdio::piped());
    let (code, text) = refused(&mut command_with_state);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("keeps its state in"), "{text}");
    assert!(!other.socket().exists(), "the socket was left behind");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let address = address();
    let _other = TcpListener::bind((address, PORT)).unwrap();
    let (code, text) = Home::new(&node(64500, address)).refused();
    assert_eq!(code, 5, "{text}");
    assert!(
        text.contains(&format!("cannot listen on {address}:{PORT}: the port is in use")),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_privilege_is_named() {
    let free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    // The highest port that needs the privilege.
    let port = free.trim().parse::<u16>().unwrap().saturating_sub(1);
    assert!(port > 0, "net.ipv4.ip_unprivileged_port_start leaves no port that needs a privilege");
    let home = Home::new(&node(64500, address()).replace(&PORT.to_string(), &port.to_string()));
    let mut command = home.command();
    home.without_privileges(&mut command);
    let (code, text) = refused(&mut command);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("CAP_NET_BIND_SERVICE"), "{text}");
}

/// Deaf, it would be a second Active.
#[tokio::test]
async fn virtual_routers_need_their_sockets() {
    let home = Home::new(&format!("{}{GATEWAY}", node(64500, address())));
    let mut command = home.command();
    home.without_privileges(&mut command);
    let (code, text) = refused(&mut command);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("VRRP cannot be run") && text.contains("CAP_NET_RAW"), "{text}");
}

/// Its daemon goes on: there is more than virtual routers.
#[tokio::test]
async fn virtual_routers_without_sockets_are_not_run() {
    let config = node(64500, address());
    let home = Home::new(&config);
    let mut command = home.command();
    home.without_privileges(&mut command);
    let daemon = home.start_by(command).await;
    daemon.home().configure(&format!("{config}{GATEWAY}"));
    let mut client = daemon.client().await;
    client.reload(v1::ReloadRequest::default()).await.unwrap();
    eventually("it says that it cannot", async || {
        let reply = client.vrrp(v1::VrrpRequest::default()).await.ok()?.into_inner();
        let router = reply.routers.into_iter().next()?;
        (router.state == "initialize" && router.reason == "no-socket").then_some(())
    })
    .await;
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    let warning = "virtual router gateway does not run: VRRP cannot be received or sent on lo; `shunt events` says why";
    assert!(status.warnings.iter().any(|told| told == warning), "{:?}", status.warnings);
    let log = daemon.log();
    assert!(
        log.contains("VRRP over IPv4 (IP protocol 112) cannot be received: not permitted"),
        "{log}"
    );
}

#[tokio::test]
async fn mistakes_of_the_configuration_are_shown_in_their_place() {
    let home = Home::new(&node(64500, address()).replace("site =", "sit ="));
    let (code, text) = home.refused();
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("shunt.toml:3:1") && text.contains("did you mean"), "{text}");
    fs::remove_file(home.path().join("shunt.toml")).unwrap();
    let (code, text) = home.refused();
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("shunt.toml cannot be read"), "{text}");
}

#[tokio::test]
async fn a_state_directory_that_is_none_is_named() {
    let home = Home::new(&node(64500, address()));
    fs::write(home.path().join("state"), "not a directory").unwrap();
    let (code, text) = home.refused();
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("the state directory") && text.contains("--state"), "{text}");
}

#[tokio::test]
async fn sigterm_ends_it_well_and_takes_the_socket_away() {
    let mut daemon = Home::new(&node(64500, address())).start().await;
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert!(!daemon.home().socket().exists());
}
