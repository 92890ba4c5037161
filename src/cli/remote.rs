use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};
use hyper::client::conn::http2::SendRequest;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::lookup_host;
use tonic::body::Body;

use super::failure::{Exit, Failure};
use crate::config::{FLEET_PORT, parse_fleet};
use crate::driver::fleet::{
    Credentials, Files, PATIENCE_OF_PEOPLE, Unreached, Wanted, all_of, dial_in_turn,
};
use crate::driver::plain;
use crate::group::nearest;

/// Another node than the one that `shunt` runs on.
#[derive(Args)]
#[command(next_help_heading = "Another node")]
pub struct RemoteArguments {
    /// Ask this node of the fleet instead of the local one
    #[arg(long, global = true, env = "SHUNT_NODE", hide_env_values = true, value_name = "NAME")]
    node: Option<String>,
    /// Ask the node that is there; the port is 7170 if none is given
    #[arg(
        long,
        global = true,
        env = "SHUNT_ADDRESS",
        hide_env_values = true,
        value_name = "HOST[:PORT]",
        conflicts_with = "node"
    )]
    address: Option<String>,
    /// Where [fleet] says the addresses of --node; nothing else in it is read
    #[arg(
        long,
        global = true,
        env = "SHUNT_CONFIG",
        hide_env_values = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath,
        default_value = "/etc/shunt/shunt.toml"
    )]
    config: PathBuf,
    /// Who you are, there; ~/.config/shunt/client.crt if none is given
    #[arg(
        long,
        global = true,
        env = "SHUNT_CERTIFICATE",
        hide_env_values = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath
    )]
    certificate: Option<PathBuf>,
    /// The key of the certificate; ~/.config/shunt/client.key
    #[arg(
        long,
        global = true,
        env = "SHUNT_KEY",
        hide_env_values = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath
    )]
    key: Option<PathBuf>,
    /// The authority of the fleet; ~/.config/shunt/ca.crt
    #[arg(
        long,
        global = true,
        env = "SHUNT_CA",
        hide_env_values = true,
        value_name = "PATH",
        value_hint = ValueHint::FilePath
    )]
    ca: Option<PathBuf>,
}

/// A node that is called over the network.
pub struct Remote {
    /// As it was named.
    pub name: String,
    place: Place,
    files: Files,
    tls: Arc<ClientConfig>,
}

enum Place {
    /// Of the configuration.
    Addresses(Vec<SocketAddr>),
    /// To be looked up.
    Host(String, u16),
}

impl RemoteArguments {
    /// Whom to call, if it is not the local node.
    pub fn remote(self) -> Result<Option<Remote>, Failure> {
        let (name, place, wanted) = match (&self.node, &self.address) {
            (Some(node), _) => {
                let addresses = addresses_of(node, &self.config)?;
                (node.clone(), Place::Addresses(addresses), Wanted::Node(node.clone()))
            }
            (None, Some(address)) => {
                let (host, port) = split(address);
                let server = ServerName::try_from(host.to_owned()).map_err(|_| {
                    Failure::new(Exit::Usage, format!("`{address}` is not a HOST[:PORT]"))
                        .advise("An IPv6 address with a port goes in brackets: [2001:db8::1]:7170.")
                })?;
                (address.clone(), Place::Host(host.to_owned(), port), Wanted::At(server))
            }
            (None, None) => return Ok(None),
        };
        let files = self.files()?;
        let credentials = Credentials::read(files.clone()).map_err(|problem| {
            Failure::new(Exit::Denied, format!("you have no certificate to show: {problem}")).advise(
                "Have one issued (`shunt pki issue operator NAME`), and name it with --certificate, --key and --ca, \
                 or as client.crt, client.key and ca.crt in ~/.config/shunt/.",
            )
        })?;
        let tls = credentials.client(wanted).map_err(Failure::failed)?;
        Ok(Some(Remote { name, place, files, tls }))
    }

    fn files(&self) -> Result<Files, Failure> {
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config/shunt"));
        let file = |given: &Option<PathBuf>, usual: &str| match (given, &home) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(home)) => Ok(home.join(usual)),
            (None, None) => Err(Failure::new(
                Exit::Usage,
                "there is no $HOME: name your files with --certificate, --key and --ca",
            )),
        };
        Ok(Files {
            certificate: file(&self.certificate, "client.crt")?,
            key: file(&self.key, "client.key")?,
            ca: file(&self.ca, "ca.crt")?,
        })
    }
}

/// `[2001:db8::1]:7170`, `edge1.example.com:7170`, `192.0.2.1`, `2001:db8::1`
fn split(address: &str) -> (&str, u16) {
    let split = address.rsplit_once(':').filter(|(host, _)| {
        // More colons are those of an IPv6 address.
        !host.contains(':') || host.ends_with(']')
    });
    let (host, port) = match split.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => (host, port),
        None => (address, FLEET_PORT),
    };
    (host.trim_matches(['[', ']']), port)
}

fn addresses_of(node: &str, config: &Path) -> Result<Vec<SocketAddr>, Failure> {
    let advice = "Name a file that has [fleet] with --config, or the node's address with --address HOST[:PORT].";
    let path = config.display();
    let text = fs::read_to_string(config).map_err(|error| {
        Failure::failed(format!("cannot read {path}: {}", plain(&error))).advise(advice)
    })?;
    let fleet = parse_fleet(&text, &path.to_string()).map_err(|mistakes| {
        let rendered: Vec<String> =
            mistakes.iter().map(|mistake| mistake.render(&text, true)).collect();
        Failure::new(Exit::Configuration, format!("[fleet] of {path} has mistakes"))
            .details(rendered.join("\n\n"))
    })?;
    let none = || Failure::failed(format!("{path} has no [fleet]")).advise(advice);
    let fleet = fleet.ok_or_else(none)?;
    let Some(found) = fleet.nodes.get(node) else {
        let names: Vec<&str> = fleet.nodes.keys().map(String::as_str).collect();
        return Err(Failure::failed(format!("there is no node `{node}` in the fleet of {path}"))
            .advise(match nearest(node, names.iter().copied()) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => format!("Its nodes are: {}.", names.join(", ")),
            }));
    };
    Ok(found.addresses.iter().map(|address| SocketAddr::new(*address, fleet.port)).collect())
}

impl Remote {
    pub async fn connect(&self) -> Result<SendRequest<Body>, Failure> {
        let addresses = match &self.place {
            Place::Addresses(addresses) => addresses.clone(),
            Place::Host(host, port) => match lookup_host((host.as_str(), *port)).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    let text = format!("the name {host} cannot be resolved: {}", plain(&error));
                    return Err(Failure::new(Exit::NoDaemon, text));
                }
            },
        };
        match dial_in_turn(&addresses, 0, &self.tls, PATIENCE_OF_PEOPLE).await {
            Ok((requests, _)) => Ok(requests),
            Err(tried) => Err(self.explain(&tried)),
        }
    }

    /// What a certificate has to do with it is said first: it is not cured by trying again.
    fn explain(&self, tried: &[(SocketAddr, Unreached)]) -> Failure {
        let name = &self.name;
        let Files { certificate, ca, .. } = &self.files;
        for (address, unreached) in tried {
            match unreached {
                Unreached::Unwelcome(text) => {
                    let text = format!("{name} ({address}) does not let you in: {text}");
                    let certificate = certificate.display();
                    return Failure::new(Exit::Denied, text).advise(format!(
                        "You have shown {certificate}: see `shunt pki show {certificate}`."
                    ));
                }
                Unreached::Stranger(text) => {
                    let text = format!("who answers at {address} cannot be trusted: {text}");
                    return Failure::new(Exit::Denied, text)
                        .advise(format!("You trust the authority in {}.", ca.display()));
                }
                Unreached::Silent(_) | Unreached::Closed(_) => {}
            }
        }
        Failure::new(Exit::NoDaemon, format!("{name} is not reached ({})", all_of(tried)))
            .advise("See whether shuntd runs there, with [fleet], and whether its port can be reached from here.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, host, port) in [
            ("edge1", "edge1", 7170),
            ("edge1.example.com:7000", "edge1.example.com", 7000),
            ("192.0.2.1", "192.0.2.1", 7170),
            ("192.0.2.1:7000", "192.0.2.1", 7000),
            ("2001:db8::1", "2001:db8::1", 7170),
            ("[2001:db8::1]", "2001:db8::1", 7170),
            ("[2001:db8::1]:7000", "2001:db8::1", 7000),
        ] {
            assert_eq!(split(text), (host, port), "{text}");
        }
    }
}
