use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Shows shunt at work in network namespaces of its own.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 a step did not come to what it should, or failed; 2 wrong command line; \
    6 not permitted to make namespaces; 130 interrupted."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Two ISPs, two sites and a service that is moved between them while clients use it
    ///
    /// Runs as root or as an ordinary user. Everything is in namespaces of its own: the host's network and files stay as they are,
    /// and at the end, also after Ctrl-C, nothing is left.
    Demo(Options),
    /// One thing of the demo that is planned, or that fails, and what each client has lost by it
    Drill {
        scenario: Scenario,
        /// Print the outcome as one JSON object instead of the text
        #[arg(long)]
        json: bool,
    },
    /// The demo, inside its namespaces
    #[command(hide = true)]
    Inside(Options),
    /// Answers datagrams and connections with the name of a site
    #[command(hide = true)]
    Responder { address: SocketAddr, site: String },
    /// Prints who answers a client, and what is lost
    #[command(hide = true)]
    Traffic { client: String },
}

#[derive(Args)]
pub struct Options {
    /// Leave a shell open at the end, to try `shunt` by hand
    #[arg(long)]
    pub hold: bool,
    /// Print the outcome as one JSON object instead of the text
    #[arg(long)]
    pub json: bool,
    /// Only this
    #[arg(long, hide = true)]
    pub drill: Option<Scenario>,
}

/// What may be practised in the lab.
#[derive(Clone, Copy, ValueEnum)]
pub enum Scenario {
    /// The service is moved to dc2
    Planned,
    /// The daemon on the firewall that the traffic inside goes through is killed
    DaemonKilled,
    /// The edge and the firewall of a site lose their power
    PowerLost,
}
