//! The rooms of the source keep to their layers, and the cores stay deterministic.
//!
//! The checker works on the text of `src/`, with comments, literals and test code blanked out, so that it needs no
//! parser of Rust. It catches what would be written by oversight, not what is hidden on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms it may import. Layers as in `docs/architecture.md`: each row imports only rows above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("wire", &["types"]),
    // Protocol cores know neither each other nor the RIB.
    ("bgp", &["types", "wire"]),
    ("ospf", &["types", "wire"]),
    ("vrrp", &["types", "wire"]),
    ("bfd", &["types", "wire"]),
    ("health", &["types", "wire"]),
    ("rib", &["types", "wire"]),
    ("policy", &["types", "wire"]),
    ("fib", &["types", "wire"]),
    ("rpki", &["types", "wire"]),
    ("fast", &["types", "wire", "vrrp", "bfd"]),
    ("group", BELOW_GROUP),
    (
        "switch",
        &[
            "types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib",
            "rpki", "group",
        ],
    ),
    ("config", BELOW_CONFIG),
    ("api", BELOW_CONFIG),
    ("agent", BELOW_AGENT),
    ("driver", BELOW_DRIVER),
    ("sim", BELOW_DRIVER),
    ("cli", BELOW_PROGRAMS),
    ("lab", BELOW_PROGRAMS),
];

const BELOW_GROUP: &[&str] =
    &["types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib", "rpki"];
const BELOW_CONFIG: &[&str] = &[
    "types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib", "rpki",
    "fast", "group", "switch",
];
const BELOW_AGENT: &[&str] = &[
    "types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib", "rpki",
    "fast", "group", "switch", "config", "api",
];
const BELOW_DRIVER: &[&str] = &[
    "types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib", "rpki",
    "fast", "group", "switch", "config", "api", "agent",
];
const BELOW_PROGRAMS: &[&str] = &[
    "types", "wire", "bgp", "ospf", "vrrp", "bfd", "health", "rib", "policy", "fib", "rpki",
    "fast", "group", "switch", "config", "api", "agent", "driver", "sim",
];

/// Rooms that may do input and output and read the clock. The simulator is not one of them.
const IMPURE: &[&str] = &["driver", "cli", "lab", "bin"];

/// Paths that a deterministic room may not name, and why.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "only the driver has a runtime"),
    ("std::time::Instant", "time comes in as types::Time"),
    ("std::time::SystemTime", "time comes in as types::Time"),
    ("Instant::now", "time comes in as types::Time"),
    ("SystemTime", "time comes in as types::Time"),
    ("std::thread", "cores have no threads"),
    ("std::fs", "only the driver and the programs touch files"),
    ("std::net::Tcp", "only the driver has sockets"),
    ("std::net::Udp", "only the driver has sockets"),
    ("TcpStream", "only the driver has sockets"),
    ("TcpListener", "only the driver has sockets"),
    ("UdpSocket", "only the driver has sockets"),
    ("std::os::unix::net", "only the driver has sockets"),
    ("socket2", "only the driver has sockets"),
    ("libc", "only the driver talks to the kernel"),
    ("nix", "only the driver talks to the kernel"),
    ("netlink_sys", "only the driver talks to the kernel"),
    ("netlink_packet_route", "only the driver talks to the kernel"),
    ("rand", "randomness comes from types::Rng, with a seed"),
    ("getrandom", "randomness comes from types::Rng, with a seed"),
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("hashbrown", "its order differs from run to run"),
];

/// Files of deterministic rooms that may break one rule, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("rib/intern.rs", "hashbrown", "only looked up and swept, its order shows nowhere"),
    ("rib/pending.rs", "hashbrown", "only looked up, its order shows nowhere"),
    ("rib/pending.rs", "HashMap", "only looked up, its order shows nowhere"),
];

/// The file where unsafe code may stand: system calls that no library has.
const UNSAFE_FILE: &str = "driver/syscalls.rs";

/// Calls that end the program on input nobody foresaw.
const PANICS: &[&str] = &[
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    ".expect_err(",
    "panic!",
    "unimplemented!",
    "todo!",
];

/// A file below `src/`, its text without comments, literals and test code (blanked, so that lines stay).
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.code[..offset].matches('\n').count()
    }
}

/// Every offset at which `needle` stands in `code`, not as a part of a longer name.
fn occurrences<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(needle).map(|(offset, _)| offset).filter(move |&offset| {
        let before = code[..offset].chars().next_back();
        let after = code[offset + needle.len()..].chars().next();
        !(needle.starts_with(name) && before.is_some_and(name)
            || needle.ends_with(name)
                && after.is_some_and(name)
                && !needle.ends_with("::Tcp")
                && !needle.ends_with("::Udp"))
    })
}

/// `text` with comments and the insides of string and character literals replaced by blanks.
fn without_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let blank = |out: &mut Vec<u8>, from: usize, to: usize| {
        for byte in &mut out[from..to.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let find = |from: usize, needle: &str| {
        text.as_bytes()[from..]
            .windows(needle.len())
            .position(|w| w == needle.as_bytes())
            .map(|at| from + at)
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            find(at, "\n").unwrap_or(bytes.len())
        } else if rest.starts_with(b"/*") {
            let mut depth = 0;
            let mut end = at;
            loop {
                match bytes.get(end..end + 2) {
                    Some(b"/*") => (depth, end) = (depth + 1, end + 2),
                    Some(b"*/") => (depth, end) = (depth - 1, end + 2),
                    Some(_) => end += 1,
                    None => break bytes.len(),
                }
                if depth == 0 {
                    break end;
                }
            }
        } else if rest.starts_with(b"r\"")
            || rest.starts_with(b"r#\"")
            || rest.starts_with(b"r##\"")
        {
            let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
            let close = format!("\"{}", "#".repeat(hashes));
            find(at + hashes + 2, &close).map_or(bytes.len(), |end| end + close.len())
        } else if rest[0] == b'"' {
            let mut end = at + 1;
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            end + 1
        } else if rest.starts_with(b"'\\") {
            find(at + 3, "'").map_or(bytes.len(), |end| end + 1)
        } else if rest[0] == b'\'' {
            // 'x' is a character (of up to four bytes), 'x without a second quote a lifetime.
            let width = text[at + 1..].chars().next().map_or(1, char::len_utf8);
            if bytes.get(at + 1 + width) == Some(&b'\'') { at + 2 + width } else { at + 1 }
        } else {
            at += 1;
            continue;
        };
        blank(&mut out, at, end);
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap()
}

/// The end of the item that starts at `from`: its closing brace, or its semicolon when it has no body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return offset + 1;
                }
            }
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks every item under `#[cfg(test)]`; names the modules among them that stand in a file of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    let mut modules = Vec::new();
    while let Some(at) = out.find(MARK) {
        let end = item_end(&out, at + MARK.len());
        let item = out[at + MARK.len()..end].trim();
        if let Some(name) = item.strip_suffix(';').and_then(|item| item.split("mod ").nth(1)) {
            modules.push(name.trim().to_owned());
        }
        let blank: String =
            out[at..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        out.replace_range(at..end, &blank);
    }
    (out, modules)
}

/// The rooms that `use` paths and inline paths of a file lead to: every `crate::room` and `crate::{room::…, room}`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "shunt::"] {
        for at in occurrences(code, root).collect::<Vec<_>>() {
            let start = at + root.len();
            let name = |from: usize| -> String {
                code[from..].chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
            };
            if !code[start..].starts_with('{') {
                found.push((at, name(start)));
                continue;
            }
            let mut depth = 0;
            let mut fresh = false;
            for (offset, c) in code[start..].char_indices() {
                match c {
                    '{' => (depth, fresh) = (depth + 1, depth == 0),
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    c if fresh && !c.is_whitespace() => {
                        found.push((start + offset, name(start + offset)));
                        fresh = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    found
}

/// Everything in one file that the rules forbid, as `path:line: what`.
fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let room = source.room();
    let mut report = |offset: usize, what: String| {
        found.push(format!("src/{}:{}: {what}", source.path, source.line(offset)));
    };
    let programs = room == "bin" || room == "lib";
    let row = ROOMS.iter().find(|(name, _)| *name == room);
    if row.is_none() && !programs {
        report(
            0,
            format!("{room} is no room of the design: add it to ROOMS with what it may import"),
        );
    }
    if let Some((_, allowed)) = row {
        for (offset, target) in imports(&source.code) {
            let is_room = ROOMS.iter().any(|(name, _)| *name == target);
            if is_room && target != room && !allowed.contains(&target.as_str()) {
                report(offset, format!("{room} may not import {target}"));
            }
        }
    }
    if !IMPURE.contains(&room) {
        for (path, why) in BANNED {
            if EXCEPTIONS.iter().any(|(file, rule, _)| *file == source.path && rule == path) {
                continue;
            }
            for offset in occurrences(&source.code, path).collect::<Vec<_>>() {
                report(offset, format!("{path} in {room}: {why}"));
            }
            // `use std::{fs, …}` and `use std::time::{Duration, Instant}` name the same thing in braces.
            if let Some((parent, name)) = path.rsplit_once("::") {
                for at in occurrences(&source.code, &format!("{parent}::{{")).collect::<Vec<_>>() {
                    let group = &source.code[at..item_end(&source.code, at)];
                    if occurrences(group, name).next().is_some() {
                        report(at, format!("{path} in {room}: {why}"));
                    }
                }
            }
        }
    }
    if room != "wire" {
        for offset in occurrences(&source.code, "nom").collect::<Vec<_>>() {
            report(offset, "nom lives only in wire/".into());
        }
    }
    if source.path != UNSAFE_FILE {
        for offset in occurrences(&source.code, "unsafe").collect::<Vec<_>>() {
            report(offset, format!("unsafe only in src/{UNSAFE_FILE}"));
        }
    }
    for call in PANICS {
        if EXCEPTIONS.iter().any(|(file, rule, _)| *file == source.path && rule == call) {
            continue;
        }
        for offset in occurrences(&source.code, call).collect::<Vec<_>>() {
            report(offset, format!("{call} outside tests: handle the error"));
        }
    }
    found
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// All of `src/`, without the files that are modules under `#[cfg(test)]`.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut tests: BTreeSet<PathBuf> = BTreeSet::new();
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (code, modules) = without_tests(&without_comments_and_literals(&text));
        let home = match file.file_name().and_then(|name| name.to_str()) {
            Some("mod.rs" | "lib.rs" | "main.rs") => file.parent().unwrap().to_owned(),
            _ => file.with_extension(""),
        };
        for module in modules {
            tests.insert(home.join(format!("{module}.rs")));
            tests.insert(home.join(module));
        }
        sources.push((file, code));
    }
    sources
        .into_iter()
        .filter(|(file, _)| !file.ancestors().any(|path| tests.contains(path)))
        .map(|(file, code)| Source {
            path: file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
            code,
        })
        .collect()
}

#[test]
fn rooms_keep_to_their_layers_and_cores_stay_deterministic() {
    let sources = sources();
    assert!(sources.len() > 10, "only {} files found", sources.len());
    let found: Vec<String> = sources.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn exceptions_are_still_needed() {
    for (file, rule, why) in EXCEPTIONS {
        assert!(why.len() > 20, "{file}: say why {rule} is harmless there");
        let used = sources()
            .iter()
            .any(|source| source.path == *file && occurrences(&source.code, rule).next().is_some());
        assert!(used, "src/{file} no longer uses {rule}: remove the exception");
    }
}

/// What the checker says about `text` as the file `path`.
fn check(path: &str, text: &str) -> String {
    let (code, _) = without_tests(&without_comments_and_literals(text));
    violations(&Source { path: path.to_owned(), code }).join("\n")
}

#[test]
fn planted_violations_are_caught() {
    for (path, text, expected) in [
        ("bgp/peer.rs", "use crate::rib::Rank;", "src/bgp/peer.rs:1: bgp may not import rib"),
        (
            "bgp/peer.rs",
            "\n\nuse crate::{types::Asn, ospf::Lsa};",
            "src/bgp/peer.rs:3: bgp may not import ospf",
        ),
        (
            "rib/mod.rs",
            "use crate::{\n    types::{Asn, Time},\n    bgp,\n};",
            "src/rib/mod.rs:3: rib may not import bgp",
        ),
        ("rib/mod.rs", "fn f(peer: crate::bgp::Peer) {}", "rib may not import bgp"),
        ("types/asn.rs", "use crate::wire::bgp::Open;", "types may not import wire"),
        ("group/mod.rs", "use crate::config::File;", "group may not import config"),
        ("driver/mod.rs", "use crate::sim::Link;", "driver may not import sim"),
        ("sim/mod.rs", "use crate::driver::Clock;", "sim may not import driver"),
        ("agent/mod.rs", "use crate::driver::Clock;", "agent may not import driver"),
        ("cli/mod.rs", "use crate::lab::Net;", "cli may not import lab"),
        ("attic/mod.rs", "", "attic is no room of the design"),
        ("agent/mod.rs", "use tokio::sync::mpsc;", "tokio in agent"),
        ("sim/mod.rs", "use std::time::Instant;", "std::time::Instant in sim"),
        ("bgp/mod.rs", "use std::time::{Duration, Instant};", "std::time::Instant in bgp"),
        ("bgp/mod.rs", "let now = std::time::SystemTime::now();", "SystemTime in bgp"),
        ("rib/mod.rs", "use std::collections::{BTreeMap, HashMap};", "HashMap in rib"),
        ("rib/mod.rs", "use hashbrown::HashTable;", "hashbrown in rib"),
        ("config/mod.rs", "let text = std::fs::read(path)?;", "std::fs in config"),
        ("config/mod.rs", "use std::{fs, path::Path};", "std::fs in config"),
        ("bgp/mod.rs", "use std::net::TcpStream;", "std::net::Tcp in bgp"),
        ("bgp/mod.rs", "use rand::Rng;", "rand in bgp"),
        ("fib/mod.rs", "use libc::AF_INET;", "libc in fib"),
        ("cli/mod.rs", "use nom::IResult;", "nom lives only in wire/"),
        ("driver/mod.rs", "unsafe { f() }", "unsafe only in src/driver/syscalls.rs"),
        ("driver/mod.rs", "let x = y.unwrap();", ".unwrap() outside tests"),
        ("bin/shuntd.rs", "let x = y.expect(\"z\");", ".expect( outside tests"),
        ("bgp/mod.rs", "let s = \"// no comment\"; panic!(\"x\")", "panic! outside tests"),
        (
            "bgp/mod.rs",
            "fn f<'a>(c: char) { if c == '\"' { x.unwrap() } }",
            ".unwrap() outside tests",
        ),
        (
            "bgp/mod.rs",
            "#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }\nfn g() { x.unwrap() }",
            "mod.rs:3: .unwrap()",
        ),
    ] {
        let found = check(path, text);
        assert!(found.contains(expected), "{path} with {text:?} gave {found:?}, not {expected:?}");
    }
}

#[test]
fn innocent_text_passes() {
    for (path, text) in [
        (
            "bgp/peer.rs",
            "use crate::{types::{Asn, Time}, wire::bgp::Open};\nuse crate::bgp::Timer;",
        ),
        (
            "bgp/peer.rs",
            "// tokio would be wrong here, and .unwrap() too\n/* unsafe /* nested */ panic! */",
        ),
        ("bgp/peer.rs", "let s = \"HashMap \\\" tokio\"; let r = r#\"crate::rib \" panic!\"#;"),
        (
            "bgp/peer.rs",
            "use std::net::IpAddr;\nuse std::time::Duration;\nlet operand = nominal.unwrap_or(1);",
        ),
        (
            "bgp/peer.rs",
            "#[cfg(test)]\nmod tests { use std::collections::HashMap; fn f() { x.unwrap() } }",
        ),
        ("bgp/peer.rs", "let c = '{'; let d = '\\''; let e = b'\"'; let life: &'static str;"),
        ("driver/mod.rs", "use tokio::net::TcpStream;\nuse crate::agent::Agent;"),
        ("driver/syscalls.rs", "unsafe { libc::setsockopt() }"),
        ("wire/bgp/mod.rs", "use nom::IResult;"),
    ] {
        assert_eq!(check(path, text), "", "{path} with {text:?}");
    }
}
