use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use nix::unistd::Pid;

use crate::vrrp::VirtualRouterId;

/// What is assigned for a virtual router, and how to remove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub router: VirtualRouterId,
    /// The link with the addresses.
    pub index: u32,
    /// It is set down as well.
    pub is_macvlan: bool,
    pub addresses: Vec<IpAddr>,
    /// How long shuntd may be silent.
    pub deadman: Duration,
}

/// What goes through the pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Beat,
    /// What was kept for it is replaced. The addresses follow one by one.
    Keep {
        router: VirtualRouterId,
        index: u32,
        is_macvlan: bool,
        deadman: Duration,
    },
    Address {
        router: VirtualRouterId,
        address: IpAddr,
    },
    Forget(VirtualRouterId),
    /// A command runs, as the leader of this process group.
    Runs(Pid),
    Ended(Pid),
}

impl Line {
    /// An empty line.
    pub const BEAT: &[u8] = b"\n";

    pub fn parse(text: &str) -> Option<Line> {
        let mut words = text.split_ascii_whitespace();
        let Some(verb) = words.next() else { return Some(Line::Beat) };
        let number = words.next()?;
        let group = || number.parse().ok().filter(|&id| id > 1).map(Pid::from_raw);
        let router = VirtualRouterId(number.parse().ok()?);
        Some(match verb {
            "keep" => Line::Keep {
                router,
                index: words.next()?.parse().ok()?,
                is_macvlan: words.next()? == "macvlan",
                deadman: Duration::from_micros(words.next()?.parse().ok()?),
            },
            "address" => Line::Address { router, address: words.next()?.parse().ok()? },
            "forget" => Line::Forget(router),
            "runs" => Line::Runs(group()?),
            "ended" => Line::Ended(group()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Beat => writeln!(f),
            Line::Keep { router, index, is_macvlan, deadman } => {
                let kind = if *is_macvlan { "macvlan" } else { "interface" };
                writeln!(f, "keep {} {index} {kind} {}", router.0, deadman.as_micros())
            }
            Line::Address { router, address } => writeln!(f, "address {} {address}", router.0),
            Line::Forget(router) => writeln!(f, "forget {}", router.0),
            Line::Runs(group) => writeln!(f, "runs {group}"),
            Line::Ended(group) => writeln!(f, "ended {group}"),
        }
    }
}

impl Kept {
    pub fn lines(&self) -> Vec<Line> {
        let Kept { router, index, is_macvlan, ref addresses, deadman } = *self;
        let addresses = addresses.iter().map(|&address| Line::Address { router, address });
        std::iter::once(Line::Keep { router, index, is_macvlan, deadman })
            .chain(addresses)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let kept = Kept {
            router: VirtualRouterId(7),
            index: 12,
            is_macvlan: true,
            addresses: ["10.0.0.1", "fe80::1"].map(|text| text.parse().unwrap()).to_vec(),
            deadman: Duration::from_micros(3_003_906),
        };
        let mut lines = kept.lines();
        lines.push(Line::Forget(VirtualRouterId(7)));
        lines.push(Line::Runs(Pid::from_raw(4711)));
        lines.push(Line::Ended(Pid::from_raw(4711)));
        lines.push(Line::Beat);
        let text: String = lines.iter().map(Line::to_string).collect();
        assert_eq!(
            text,
            "keep 7 12 macvlan 3003906\naddress 7 10.0.0.1\naddress 7 fe80::1\nforget 7\nruns 4711\nended 4711\n\n"
        );
        let read: Vec<Line> = text.lines().map(|line| Line::parse(line).unwrap()).collect();
        assert_eq!(read, lines);
        assert!(text.as_bytes().ends_with(Line::BEAT));
    }

    #[test]
    fn what_makes_no_sense_is_no_line() {
        let lines = ["keep", "keep 1 2 macvlan", "address 1 10.0.0", "sweep 1", "forget x"];
        // Signals to these reach more than a command.
        for text in lines.into_iter().chain(["runs 0", "runs 1", "runs -7", "runs"]) {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }
}
