use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Failure;
use super::arguments::{Options, Scenario};
use super::daemon::{Daemon, wait_until};
use super::hold;
use super::network;
use super::probe::{LOOK_BACK, Prober};
use super::report::{Client, Narrator, Report, Step, in_millis};
use super::topology::{
    CLIENTS, GATEWAY, LANS, Lan, PAIR, PICTURE, ROUTERS, SERVICE, SERVICE_HOSTS, SERVICE_PORT,
    SWITCH, adjacencies,
};

/// As a shell says it of a program that ended by SIGPIPE.
const NOBODY_READS: u8 = 141;

/// Routers that had much to compute wait longer for the next change (RFC 8405), until there was nothing for so long
/// (`spf-hold-down`). The power fails on a quiet day.
const QUIET: Duration = Duration::from_secs(3);

/// Runs the demo in the namespaces this process is in, and says how it went by the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut demo = Demo::new(options.json)?;
    let done = match options.drill {
        Some(scenario) => demo.drill(scenario),
        None => demo.all_steps(),
    };
    if let Err(failure) = done {
        if failure.code == NOBODY_READS {
            return Err(failure);
        }
        demo.daemons.iter().for_each(|daemon| {
            eprintln!("--- log of {}:\n{}", daemon.node, daemon.last_words());
        });
        return Err(failure);
    }
    demo.report.good = demo.report.steps.iter().all(Step::is_good);
    if options.json {
        let text = serde_json::to_string_pretty(&demo.report);
        println!("{}", text.map_err(|error| Failure::of("report", error))?);
    }
    let good = demo.report.good;
    if options.hold {
        demo.probers.clear();
        hold::shell(&demo.programs)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Demo {
    programs: PathBuf,
    daemons: Vec<Daemon>,
    probers: Vec<Prober>,
    /// They end with this process, like all that it started.
    _responders: Vec<Child>,
    narrator: Narrator,
    report: Report,
    /// Of the step that is under way.
    commands: Vec<String>,
    events: Vec<String>,
}

impl Demo {
    fn new(silent: bool) -> Result<Demo, Failure> {
        let own = env::current_exe().map_err(|error| Failure::of("own program", error))?;
        let programs = own.parent().unwrap_or(Path::new("/")).to_owned();
        network::build()?;
        let mut responders = Vec::new();
        for host in &SERVICE_HOSTS {
            let address = format!("{}:{SERVICE_PORT}", host.address);
            let mut command = Command::new(&own);
            command.args(["responder", &address, host.site]).stdin(Stdio::null());
            let started = network::within(host.node, || command.spawn())?;
            responders.push(started.map_err(|error| Failure::of(host.node, error))?);
        }
        let daemons = ROUTERS.map(|node| Daemon::new(node, &programs));
        Ok(Demo {
            daemons: daemons.into_iter().collect::<Result<_, _>>()?,
            probers: Vec::new(),
            _responders: responders,
            narrator: Narrator { silent },
            report: Report::default(),
            commands: Vec::new(),
            events: Vec::new(),
            programs,
        })
    }

    fn all_steps(&mut self) -> Result<(), Failure> {
        self.begin()?;
        self.move_to_dc2()?;
        self.kill_firewall()?;
        self.step(
            "Start it again",
            "What was ordered is on its disk: it comes back as the primary, once it has routes of its own.",
            "dc2",
            |demo| demo.start("fw2"),
        )?;
        thread::sleep(QUIET);
        self.lose_power()?;
        self.restore_power()?;
        self.questions()?;
        self.firewall_pair()
    }

    /// What is practised, with all that comes before it.
    fn drill(&mut self, scenario: Scenario) -> Result<(), Failure> {
        self.begin()?;
        self.move_to_dc2()?;
        match scenario {
            Scenario::Planned => Ok(()),
            Scenario::DaemonKilled => self.kill_firewall(),
            Scenario::PowerLost => {
                thread::sleep(QUIET);
                self.lose_power()
            }
        }
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.tell(PICTURE)?;
        self.tell(
            "Each of the nine routers runs shuntd, in a network namespace of its own. Customers outside and people inside\n\
             send a numbered datagram to 198.51.100.7 every millisecond; each data centre answers with its name.\n",
        )?;
        for node in ROUTERS {
            if node == PAIR[1] {
                let [active, _] = PAIR;
                let daemon = self.daemon(active)?;
                wait_until("gateway", || daemon.has_role(GATEWAY, "active"))?;
            }
            self.daemon(node)?.start()?;
        }
        for (client, address) in CLIENTS {
            self.probers.push(Prober::start(client, address)?);
        }
        for daemon in &self.daemons {
            let what = format!("sessions and adjacencies of {}", daemon.node);
            wait_until(&what, || daemon.is_connected(adjacencies(daemon.node)))?;
        }
        // The way back to the clients is learned, too.
        for app in ["app1", "app2"] {
            for (client, address) in CLIENTS {
                wait_until(&format!("way from {app} to {client}"), || {
                    network::trace(app, &address.to_string())
                        .last()
                        .is_some_and(|end| end == client)
                })?;
            }
        }

        self.step(
            "Announce from both sites",
            "dc1 is to get the traffic, dc2 stands by: inside by the metric of OSPF, outside the ISPs see a higher MED and a\n\
             longer AS path from dc2.",
            "dc1",
            |demo| {
                demo.order("fw1", "announce payments --level primary")?;
                demo.order("fw1b", "announce payments --level primary")?;
                demo.order("fw2", "announce payments --level standby")?;
                for (edge, level) in [("edge1", "primary"), ("edge2", "standby")] {
                    demo.order(edge, &format!("announce payments --level {level}"))?;
                    demo.order(edge, &format!("announce 198.51.100.0/24 --level {level}"))?;
                }
                Ok(())
            },
        )
    }

    fn move_to_dc2(&mut self) -> Result<(), Failure> {
        self.step(
            "Move the service to dc2",
            "First raise the site that is to get the traffic, then lower the other: at no time is there no best way.",
            "dc2",
            |demo| {
                demo.order("fw2", "prefer payments primary")?;
                demo.order("edge2", "prefer payments primary")?;
                demo.order("edge1", "prefer payments standby")?;
                demo.order("fw1", "prefer payments standby")?;
                demo.order("fw1b", "prefer payments standby")
            },
        )
    }

    fn kill_firewall(&mut self) -> Result<(), Failure> {
        self.step(
            "Kill the daemon on fw2",
            "core2 hears nothing from it for a second and takes the other firewall. Until then fw2's kernel still forwards.",
            "dc1",
            |demo| demo.kill("fw2"),
        )
    }

    fn lose_power(&mut self) -> Result<(), Failure> {
        self.step(
            "edge2 and fw2 lose their power",
            "Nobody takes leave. Their neighbors see the links go down, and with them the next hops.",
            "dc1",
            |demo| {
                for (node, others) in Demo::RACK {
                    network::cut(node, others)?;
                }
                for (node, others) in Demo::RACK {
                    let downs: Vec<String> =
                        others.iter().map(|other| format!("ip link set {other} down")).collect();
                    demo.done(node, &downs.join("; "))?;
                    demo.kill(node)?;
                }
                Ok(())
            },
        )
    }

    fn restore_power(&mut self) -> Result<(), Failure> {
        // A machine takes longer to start than the hold time of three seconds.
        for isp in ["isp-a", "isp-b"] {
            let isp = self.daemon(isp)?;
            wait_until("end of the hold time", || {
                isp.neighbors_are(&["edge2"], |state| state != "established")
            })?;
        }
        self.step(
            "They are back",
            "They come up with what was ordered last. edge2 tells the ISPs once it knows the way to the service.",
            "dc2",
            |demo| {
                for (node, others) in Demo::RACK {
                    network::mend(node, others)?;
                    let ups: Vec<String> =
                        others.iter().map(|other| format!("ip link set {other} up")).collect();
                    demo.done(node, &ups.join("; "))?;
                    demo.start(node)?;
                }
                Ok(())
            },
        )
    }

    fn questions(&mut self) -> Result<(), Failure> {
        self.tell("Why does isp-a send the traffic to dc2?\n")?;
        self.order("isp-a", "why 198.51.100.7")?;
        self.tell("And core1?\n")?;
        self.order("core1", "why 198.51.100.7")?;
        self.tell("What would become of the traffic inside if fw2 stood by again?\n")?;
        self.order("fw2", "plan prefer 198.51.100.7/32 standby")?;
        self.tell("")
    }

    /// The two firewalls of dc1 have one address for app1, and one of them is preferred by the area: the Active one.
    fn firewall_pair(&mut self) -> Result<(), Failure> {
        let [first, second] = PAIR;
        self.step(
            "Move it back to dc1",
            "dc1 has two firewalls. Both announce the service, the Backup a little less.",
            "dc1",
            |demo| {
                demo.order("fw1", "prefer payments primary")?;
                demo.order("fw1b", "prefer payments primary")?;
                demo.order("edge1", "prefer payments primary")?;
                demo.order("edge2", "prefer payments standby")?;
                demo.order("fw2", "prefer payments standby")
            },
        )?;
        let lane = self.daemon(first)?.lane()?;
        self.tell(&format!(
            "BFD and VRRP have a thread of their own. On this machine, for this user: {lane}.\n"
        ))?;
        self.order(first, "bfd")?;
        self.order(first, "vrrp")?;
        self.tell("")?;

        self.step(
            "The active firewall falls silent",
            "The switch drops what comes from fw1 and for it; all links stay up. core1 misses three BFD packets of 50 ms,\n\
             fw1b three advertisements of 100 ms.",
            "dc1",
            |demo| demo.take_over(second, |demo| LANS.iter().try_for_each(|lan| demo.unplug(first, lan))),
        )?;
        self.step(
            "It is heard again",
            "It was active on its own. Without a way to the core it has lost 60 of its priority of 150 (`track`): when it meets\n\
             fw1b inside, it yields.",
            "dc1",
            |demo| {
                let [outside, inside] = &LANS;
                demo.plug(first, inside)?;
                let daemon = demo.daemon(first)?;
                wait_until("yielding", || daemon.has_role(GATEWAY, "backup"))?;
                demo.plug(first, outside)?;
                demo.is_backup(first)
            },
        )?;
        self.step(
            "Kill the daemon of the active one",
            "fw1 misses it and takes the address. Until then fw1b's kernel forwards; by then its guardian, a process beside it, has\n\
             taken the address from it.",
            "dc1",
            |demo| demo.take_over(first, |demo| demo.kill(second)),
        )?;
        self.step(
            "Start it again",
            "Who is active stays it (`preempt = false`): fw1b comes back as the backup.",
            "dc1",
            |demo| {
                demo.start(second)?;
                demo.is_backup(second)
            },
        )?;
        self.step(
            "Hand the gateway over",
            "fw1 is to be maintained. The area is told first, then fw1b takes the address, and then fw1 lets go of it.",
            "dc1",
            |demo| {
                demo.take_over(second, |demo| {
                    demo.order(first, &format!("vrrp release {GATEWAY} --for 10m"))
                })
            },
        )
    }

    /// Acts, waits until a firewall of the pair is Active, and shows what it says of that.
    fn take_over(
        &mut self,
        node: &str,
        act: impl FnOnce(&mut Demo) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const KINDS: [&str; 4] = ["bfd", "vrrp", "survivor", "takeover"];
        let (_, next) = self.daemon(node)?.events(0, &KINDS)?;
        act(self)?;
        let daemon = self.daemon(node)?;
        wait_until("takeover", || daemon.has_role(GATEWAY, "active"))?;
        // The gateway is one half, the way to it the other.
        wait_until("way to the service", || {
            network::trace("core1", &SERVICE.to_string()).iter().any(|passed| passed == node)
        })?;
        let (events, _) = daemon.events(next, &KINDS)?;
        self.done(node, "shunt events")?;
        self.narrator.output(&events.join("\n")).map_err(mute)?;
        self.events.extend(events);
        Ok(())
    }

    fn is_backup(&mut self, node: &str) -> Result<(), Failure> {
        let daemon = self.daemon(node)?;
        wait_until(&format!("{node} as Backup"), || {
            daemon.has_role(GATEWAY, "backup")
                && daemon.is_connected(adjacencies(node))
                && daemon.watches_all()
        })
    }

    /// The switch drops what comes from a node and for it.
    fn unplug(&mut self, node: &str, lan: &Lan) -> Result<(), Failure> {
        self.on_switch(&format!("link set {} nomaster", lan.port(node)))
    }

    fn plug(&mut self, node: &str, lan: &Lan) -> Result<(), Failure> {
        self.on_switch(&format!("link set {} master {}", lan.port(node), lan.name))
    }

    fn on_switch(&mut self, command: &str) -> Result<(), Failure> {
        network::ip(&["-n", SWITCH], &format!("{command}\n"))?;
        self.done(SWITCH, &format!("ip {command}"))
    }

    /// What stands in one rack of dc2, with its links to other racks.
    const RACK: [(&'static str, &'static [&'static str]); 2] =
        [("fw2", &["core2"]), ("edge2", &["isp-a", "isp-b", "core2"])];

    fn kill(&mut self, node: &str) -> Result<(), Failure> {
        let daemon = self.daemon(node)?;
        let line = format!("kill -9 {}", daemon.pid().unwrap_or_default());
        daemon.kill()?;
        self.done(node, &line)
    }

    fn start(&mut self, node: &str) -> Result<(), Failure> {
        let daemon = self.daemon(node)?;
        daemon.start()?;
        let line = daemon.command_line();
        self.done(node, &line)?;
        let daemon = self.daemon(node)?;
        wait_until(&format!("sessions and adjacencies of {node}"), || {
            daemon.is_connected(adjacencies(node))
        })
    }

    /// Acts, waits until the traffic goes where it is to, or patience ends, and reports what the clients saw meanwhile.
    fn step(
        &mut self,
        title: &str,
        words: &str,
        expected: &str,
        act: impl FnOnce(&mut Demo) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let number = self.report.steps.len() + 1;
        self.narrator.title(number, title, words).map_err(mute)?;
        let from = Instant::now();
        act(self)?;
        let acted = Instant::now();
        let moved = |demo: &Demo| {
            acted.elapsed() > LOOK_BACK
                && demo.probers.iter().all(|prober| prober.is_answered_by(expected))
        };
        // If it does not come to that, the report says so.
        let settled = wait_until("traffic", || moved(self)).is_ok();
        let to = Instant::now();
        let clients = self.probers.iter().map(|prober| {
            let seen = prober.seen(from, to, expected);
            // All were answered by it at one time, however late this machine comes to look again.
            let site = if settled {
                expected.to_owned()
            } else {
                let one_answers = seen.sites.len() == 1;
                seen.sites.iter().filter(|_| one_answers).cloned().collect()
            };
            Client {
                name: prober.client.to_owned(),
                path: network::trace(prober.client, &SERVICE.to_string()),
                answered_by: seen.sites.into_iter().collect(),
                site,
                moved_after_ms: seen.moved_after.map(in_millis),
                sent: seen.sent,
                lost: seen.lost,
                lost_ms: in_millis(seen.lost_for),
                chart: seen.chart,
                first: number == 1,
            }
        });
        let step = Step {
            title: title.to_owned(),
            clients: clients.collect(),
            commands: std::mem::take(&mut self.commands),
            events: std::mem::take(&mut self.events),
            expected_site: expected.to_owned(),
        };
        self.narrator.outcome(&step).map_err(mute)?;
        self.report.steps.push(step);
        Ok(())
    }

    /// Runs `shunt` on a node, and shows what was typed and what came of it.
    fn order(&mut self, node: &str, words: &str) -> Result<(), Failure> {
        let words: Vec<&str> = words.split(' ').collect();
        let output = self.daemon(node)?.shunt(&words)?;
        self.done(node, &format!("shunt {}", words.join(" ")))?;
        self.narrator.output(&output).map_err(mute)
    }

    fn done(&mut self, node: &str, command: &str) -> Result<(), Failure> {
        self.commands.push(format!("{node}$ {command}"));
        self.narrator.command(node, command).map_err(mute)
    }

    fn tell(&self, text: &str) -> Result<(), Failure> {
        self.narrator.text(text).map_err(mute)
    }

    fn daemon(&mut self, node: &str) -> Result<&mut Daemon, Failure> {
        let found = self.daemons.iter_mut().find(|daemon| daemon.node == node);
        found.ok_or_else(|| Failure::new(format!("no daemon on {node}")))
    }
}

/// The text could not be told, most often because its reader went away.
fn mute(error: std::io::Error) -> Failure {
    Failure { sentence: format!("standard output: {error}"), code: NOBODY_READS }
}
