//! What the pretended daemon says about checks: of its service, the servers behind it, and what it sees at all.

use super::{text, texts};
use shunt::api::v1::*;
use tonic::Status;

pub const GUARD: &str = "198.51.100.9/32 would be withdrawn, but min-sites keeps it: too few other sites announce it any better";

pub fn status() -> HealthStatus {
    HealthStatus { checks: 5, up: 2, slow: 1, down: 1, unknown: 1, held: 1 }
}

pub fn checks() -> Vec<Check> {
    let web = Check {
        name: text("web"),
        method: text("http"),
        asks: text("GET https://www.example.com/health at 10.0.0.80:443"),
        conditions: texts(&[
            "status 200, 204",
            "\"ready\" in the body",
            "certificate for www.example.com",
        ]),
        state: text("down"),
        state_us: 3_200_000,
        score: 0,
        grade: 1,
        // What a server may answer.
        reason: text("status 503 instead of 200-299: \u{1b}[2J"),
        warning: text("the certificate expires on 2026-11-30T12:00:00Z"),
        p95_us: 212_000,
        penalty: 3210,
        held: true,
        held_us: 126_000_000,
        used_by: texts(&["group web"]),
        settings: Some(CheckSettings {
            interval_us: 1_000_000,
            fast_interval_us: 100_000,
            jitter: 10,
            connect_timeout_us: 500_000,
            timeout_us: 500_000,
            slow_us: 300_000,
            rise: 5,
            fall: 3,
            objective_us: 150_000,
            window: 300,
            half_life_us: 60_000_000,
            hold_above: 2500,
            release_below: 750,
            source_address: text("192.0.2.1"),
            interface: text("eth1"),
            mark: 7,
        }),
        limit_us: 1_000_000,
        answered: 6912,
        failed: 31,
        not_asked: 0,
        changes: 8,
        ..Check::default()
    };
    let pool = Check {
        name: text("pool"),
        method: text("backends"),
        asks: text("checks s1, s2, s3"),
        conditions: texts(&["2 of 3 up or slow"]),
        state: text("up"),
        state_us: 7_380_500_000,
        score: 66,
        reason: text("2 of 3 are up, down: s3"),
        used_by: texts(&["group web"]),
        settings: Some(CheckSettings::default()),
        limit_us: 2_000_000,
        changes: 1,
        ..Check::default()
    };
    let gateway = Check {
        name: text("gateway"),
        method: text("icmp"),
        asks: text("ICMP echo of 10.0.0.1"),
        conditions: Vec::new(),
        state: text("up"),
        state_us: 7_380_500_000,
        score: 100,
        reason: text("echo reply, 0.4ms"),
        used_by: texts(&["virtual router inside", "witness"]),
        settings: Some(CheckSettings {
            interval_us: 1_000_000,
            fast_interval_us: 200_000,
            jitter: 10,
            timeout_us: 1_000_000,
            rise: 2,
            fall: 3,
            ..CheckSettings::default()
        }),
        limit_us: 1_000_000,
        answered: 7381,
        changes: 1,
        ..Check::default()
    };
    let mail = Check {
        name: text("mail"),
        method: text("tcp"),
        asks: text("TCP connection to 10.0.0.25:25"),
        conditions: texts(&["\"220\" is answered"]),
        state: text("slow"),
        state_us: 61_000_000,
        score: 50,
        reason: text("\"220\" received, 1.2s"),
        used_by: Vec::new(),
        ..gateway.clone()
    };
    let database = Check {
        name: text("database"),
        method: text("command"),
        asks: text("command /usr/local/bin/ask-database 10.0.0.93"),
        conditions: texts(&["exit code 0"]),
        state: text("unknown"),
        state_us: 12_000_000,
        known: text("up"),
        reason: text("`/usr/local/bin/ask-database` does not start: permission denied"),
        used_by: texts(&["group web", "group reports"]),
        answered: 7000,
        not_asked: 9,
        changes: 2,
        ..gateway.clone()
    };
    vec![database, gateway, mail, pool, web]
}

pub fn health(name: &str) -> Result<HealthReply, Status> {
    let mut checks = checks();
    checks.retain(|check| name.is_empty() || check.name == name);
    if checks.is_empty() {
        return Err(Status::not_found(format!("no check `{name}`; did you mean `web`?")));
    }
    Ok(HealthReply { checks, guards: vec![text(GUARD)] })
}

pub fn try_check(name: &str) -> Result<TryCheckReply, Status> {
    let reply = |steps: &[&str], outcome: &str, answer: &str, took_us| {
        Ok(TryCheckReply {
            steps: texts(steps),
            outcome: text(outcome),
            text: text(answer),
            warning: String::new(),
            took_us,
            check: checks().into_iter().find(|check| check.name == name),
        })
    };
    match name {
        "gateway" => reply(&[], "answered", "echo reply", 412),
        "mail" => {
            let steps = ["connected to 10.0.0.25:25 after 0.3 ms", "first octet after 1.2 s"];
            reply(&steps, "slow", "\"220\" received", 1_200_400)
        }
        "pool" => {
            let steps = [
                "s1: connected after 0.3 ms",
                "s2: connected after 0.4 ms",
                "s3: failed: connection refused by 10.0.0.83:8080",
            ];
            reply(&steps, "answered", "2 of 3 answered, failed: s3", 480)
        }
        "database" => {
            let why = "`/usr/local/bin/ask-database` does not start: permission denied";
            reply(&[], "not-asked", why, 240)
        }
        _ => {
            let steps = [
                "connected to 10.0.0.80:443 after 0.3 ms",
                "TLS 1.3, certificate until 2026-11-30 after 3.1 ms",
                "status 503 after 4 ms",
            ];
            reply(&steps, "failed", "status 503 instead of 200-299: \u{1b}[2J", 4_100)
        }
    }
}
