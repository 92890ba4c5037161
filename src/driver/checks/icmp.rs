use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use socket2::{Protocol, Socket, Type};
use tokio::time::timeout_at;

use super::connect::{receive, report_errors, socket};
use super::course::{Answer, Course, Fault};
use crate::driver::ospf::Datagram;
use crate::driver::syscalls;

/// Types of messages (RFC 792, RFC 4443).
const ECHO_REPLY: u8 = 0;
const ECHO: u8 = 8;
const ECHO_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
/// Octets of a message's header.
const HEADER: usize = 8;
/// Octets of data, as ping(8) sends them.
const DATA: usize = 56;
/// An answer is as long as the question, and has an IPv4 header.
const LARGEST: usize = 256;

/// Sends one echo and waits for the reply.
pub async fn ask(course: &mut Course<'_>, to: IpAddr) -> Result<Answer, Fault> {
    let broken = |error| Fault::of(&error, format_args!("{to} cannot be reached"));
    let (socket, has_header) = open(course, to)?;
    socket.connect(&SocketAddr::new(to, 0).into()).map_err(broken)?;
    // Nobody else knows it, so the reply is to this very echo.
    let secret = RandomState::new().hash_one(to).to_be_bytes();
    socket.send(&echo(to, secret)).map_err(broken)?;
    let socket = syscalls::watch(socket).map_err(broken)?;
    let reply = async {
        let mut buffer = [0; LARGEST];
        loop {
            let count = receive(&socket, &mut buffer).await.map_err(broken)?;
            if is_reply(buffer.get(..count).unwrap_or_default(), has_header, to, secret) {
                return Ok("echo reply".to_owned().into());
            }
        }
    };
    let received = timeout_at(course.deadline(), reply).await;
    course.in_time(received, to)
}

/// A socket for echoes, and whether what it receives begins with an IPv4 header. What needs no privilege is tried first; it has
/// to be allowed, though (`net.ipv4.ping_group_range`, icmp(7)).
fn open(course: &Course<'_>, to: IpAddr) -> Result<(Socket, bool), Fault> {
    let origin = &course.settings.origin;
    let protocol = if to.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let (socket, has_header) = match socket(to, Type::DGRAM, protocol, origin) {
        Ok(socket) => (socket, false),
        Err(_) => (socket(to, Type::RAW, protocol, origin)?, to.is_ipv4()),
    };
    report_errors(&socket, to)?;
    Ok((socket, has_header))
}

fn echo(to: IpAddr, secret: [u8; 8]) -> [u8; HEADER + DATA] {
    let mut message = [0; HEADER + DATA];
    let [first, second, ..] = secret;
    let kind = if to.is_ipv4() { ECHO } else { ECHO_V6 };
    // Type, code, checksum, identifier, sequence number.
    let header = [kind, 0, 0, 0, first, second, 0, 1];
    for (place, octet) in message.iter_mut().zip(header.into_iter().chain(secret)) {
        *place = octet;
    }
    // The one of ICMPv6 is the kernel's business.
    if to.is_ipv4() {
        let [high, low] = checksum(&message).to_be_bytes();
        message[2] = high;
        message[3] = low;
    }
    message
}

/// Of the Internet (RFC 1071), over an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks_exact(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(0)
}

fn is_reply(octets: &[u8], has_header: bool, to: IpAddr, secret: [u8; 8]) -> bool {
    let parsed;
    let message = match has_header {
        false => octets,
        true => {
            parsed = Datagram::parse(octets);
            parsed.as_ref().map(|datagram| &datagram.packet[..]).unwrap_or_default()
        }
    };
    let kind = if to.is_ipv4() { ECHO_REPLY } else { ECHO_REPLY_V6 };
    message.first() == Some(&kind)
        && message.get(HEADER..).is_some_and(|data| data.starts_with(&secret))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Shared;
    use super::super::testing::{settings, well};
    use super::*;
    use crate::health::{Method, Origin, Settings};

    #[tokio::test]
    async fn an_echo_is_answered() {
        for (to, from) in [("127.0.0.9", "127.0.0.8"), ("::1", "::1")] {
            let mut settings = settings(Method::Icmp { to: to.parse().unwrap() });
            if !may_ask(&settings) {
                return;
            }
            assert_eq!(well(&settings).await, "echo reply", "{to}");
            let address = Some(from.parse().unwrap());
            settings.origin =
                Origin { address, interface: Some("lo".to_owned()), ..Origin::default() };
            assert_eq!(well(&settings).await, "echo reply", "{to}");
        }
    }

    /// Everywhere, for root.
    fn may_ask(settings: &Settings) -> bool {
        let shared = Shared::default();
        let open = open(&Course::new(settings, &shared), "127.0.0.1".parse().unwrap());
        assert!(open.is_ok() || !nix::unistd::geteuid().is_root());
        open.is_ok()
    }

    #[test]
    fn only_the_reply_to_this_echo_is_one() {
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        let secret = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut message = echo(v4, secret);
        assert_eq!(checksum(&message), 0, "a right checksum makes the sum nothing");
        assert!(!is_reply(&message, false, v4, secret), "the echo itself");
        message[0] = ECHO_REPLY;
        assert!(is_reply(&message, false, v4, secret));
        assert!(!is_reply(&message, false, v4, [0; 8]));
        assert!(!is_reply(&message, false, v6, secret));
        assert!(!is_reply(&message[..HEADER + 7], false, v4, secret));
        assert!(!is_reply(&message, true, v4, secret), "no IPv4 header");
        let mut packet = vec![0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        packet.extend(message);
        assert!(is_reply(&packet, true, v4, secret));
        assert!(!is_reply(&[], true, v4, secret));
    }

    proptest! {
        #[test]
        fn no_octets_are_a_reply_but_the_right_ones(
            octets in proptest::collection::vec(any::<u8>(), 0..120),
            place in 0..HEADER + DATA,
        ) {
            let secret = [1, 2, 3, 4, 5, 6, 7, 8];
            for to in ["192.0.2.1", "::1"] {
                let to: IpAddr = to.parse().unwrap();
                for has_header in [false, true] {
                    prop_assert!(!is_reply(&octets, has_header, to, secret));
                }
                // A reply with something else behind the begin of it.
                let mut reply = echo(to, secret).to_vec();
                reply[0] = if to.is_ipv4() { ECHO_REPLY } else { ECHO_REPLY_V6 };
                reply.truncate(place);
                reply.extend(&octets);
                let is_right = place >= HEADER + secret.len();
                prop_assert!(!is_right || is_reply(&reply, false, to, secret));
                let _ = is_reply(&reply, true, to, secret);
            }
        }
    }
}
