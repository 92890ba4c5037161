use std::io::{Read, Write};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long `nft` may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// The table `inet shunt-vrrp`: drops what is addressed to virtual addresses that are not accepted (RFC 9568 §6.1,
/// Accept_Mode). Neighbour discovery passes; ARP is not seen by it. It names all of them, assigned or not: what is not
/// assigned does not come to the input hook.
#[derive(Debug, Default)]
pub struct Filter {
    /// What the table is about, sorted; `None`: not known, or not written.
    written: Option<Vec<IpAddr>>,
}

impl Filter {
    /// Drops what is addressed to these and nothing else.
    pub fn set(&mut self, mut dropped: Vec<IpAddr>) -> Result<(), String> {
        dropped.sort_unstable();
        dropped.dedup();
        // Whoever has all addresses accepted need not have nft.
        let nothing_there = self.written.as_ref().is_none_or(Vec::is_empty);
        if self.written.as_ref() == Some(&dropped) || (dropped.is_empty() && nothing_there) {
            return Ok(());
        }
        let result = run(&ruleset(&dropped));
        self.written = result.is_ok().then_some(dropped);
        result
    }

    /// Removes what an earlier life has left.
    pub fn sweep(&mut self) -> Result<(), String> {
        self.written = Some(Vec::new());
        run(&ruleset(&[]))
    }
}

/// One transaction: there is no moment without the table.
fn ruleset(dropped: &[IpAddr]) -> String {
    // The first line is for the second not to fail.
    let mut text = "table inet shunt-vrrp\ndelete table inet shunt-vrrp\n".to_owned();
    if dropped.is_empty() {
        return text;
    }
    let list = |ipv6: bool| {
        let all = dropped.iter().filter(|address| address.is_ipv6() == ipv6);
        all.map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
    };
    text += "table inet shunt-vrrp {\n chain input {\n  type filter hook input priority filter;\n";
    text += "  iifname \"lo\" accept\n";
    text += "  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n";
    for (key, addresses) in [("ip", list(false)), ("ip6", list(true))] {
        if !addresses.is_empty() {
            text += &format!("  {key} daddr {{ {addresses} }} drop\n");
        }
    }
    text += " }\n}\n";
    text
}

fn run(ruleset: &str) -> Result<(), String> {
    let wrong = |what: &str| {
        format!(
            "what is addressed to virtual addresses with `accept = false` is accepted nevertheless: {what}"
        )
    };
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(&format!("nft does not start ({error}); install nftables")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If this fails, nft says why. A ruleset fits into the pipe.
        let _ = stdin.write_all(ruleset.as_bytes());
    }
    wait(&mut child).map_err(|error| wrong(&format!("nft: {error}")))
}

fn wait(child: &mut Child) -> Result<(), String> {
    let end = Instant::now() + TIMEOUT;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() >= end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("not done within {} s", TIMEOUT.as_secs()));
            }
            None => thread::sleep(PAUSE),
        }
    };
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut text);
    }
    Err(text.lines().next().map_or_else(|| status.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ruleset_names_the_addresses_by_family() {
        let addresses = ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(|text| text.parse().unwrap());
        let text = ruleset(&addresses);
        assert!(text.contains("ip daddr { 10.0.0.1, 10.0.0.2 } drop"), "{text}");
        assert!(text.contains("ip6 daddr { 2001:db8::1 } drop"), "{text}");
        assert!(!ruleset(&addresses[..2]).contains("ip6 daddr"));
        assert!(!ruleset(&[]).contains('{'), "only removed");
    }

    #[test]
    fn nothing_to_drop_takes_no_nft() {
        // Not root, perhaps without nft: it would fail.
        assert_eq!(Filter::default().set(Vec::new()), Ok(()));
    }
}
