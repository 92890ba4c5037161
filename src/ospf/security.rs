use std::ops::Range;

use super::Router;
use super::interface::Interface;
use super::mismatch::Difference;
use super::settings::{Authentication, Key};
use crate::types::{RouterId, Secret, Time, Wall};
use crate::wire::ospf::{AuthenticationField, Body, ExtendedOptions, Frame, PacketKind, Signature};
use std::net::Ipv4Addr;

/// The highest cryptographic sequence numbers that came from a neighbour, by packet type. It starts anew with the
/// neighbour (RFC 2328 §D.4.3), which cannot be helped: what it began to count from is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    last: [Option<u64>; 5],
}

/// A cryptographic sequence number as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// AuType 2.
    Short(u32),
    /// AuType 3.
    Extended(u64),
}

impl Replay {
    /// Takes the number unless it is an old one. With AuType 2 it may not be lower than that of any earlier packet
    /// (RFC 2328 §D.4.3); with AuType 3 it must be higher than that of the last packet of this type, as packets of
    /// different types may overtake each other (RFC 7474 §3).
    pub(super) fn accept(&mut self, kind: PacketKind, sequence: Sequence) -> bool {
        let (number, fresh) = match sequence {
            Sequence::Short(number) => {
                let number = u64::from(number);
                (number, self.last.iter().flatten().all(|last| number >= *last))
            }
            Sequence::Extended(number) => {
                let last = self.last.get(kind as usize).copied().flatten();
                (number, last.is_none_or(|last| number > last))
            }
        };
        if fresh && let Some(last) = self.last.get_mut(kind as usize) {
            *last = Some(number);
        }
        fresh
    }
}

impl Authentication {
    /// AuType.
    pub(super) fn code(&self) -> u8 {
        match self {
            Authentication::Null => 0,
            Authentication::Simple(_) => 1,
            Authentication::Cryptographic { extended: false, .. } => 2,
            Authentication::Cryptographic { extended: true, .. } => 3,
        }
    }

    /// The key that signs at `now`, and whether its time to send is now. `None` without keys.
    pub fn signing_key(&self, now: Wall) -> Option<(&Key, bool)> {
        match self {
            Authentication::Cryptographic { keys, .. } => signing(keys, now),
            Authentication::Null | Authentication::Simple(_) => None,
        }
    }

    /// Octets behind a packet, at most.
    pub(super) fn trailer(&self) -> usize {
        match self {
            Authentication::Null | Authentication::Simple(_) => 0,
            Authentication::Cryptographic { keys, extended } => {
                let digests = keys.iter().map(|key| usize::from(key.algorithm.digest_length()));
                digests.max().unwrap_or(0) + if *extended { 8 } else { 0 }
            }
        }
    }
}

/// The key that signs at `now`, and whether its time to send lasts. Of several the one that began last; if there is
/// none, the last one is used on, since a network without authentication or without adjacency is worse (RFC 2328
/// §D.3).
fn signing(keys: &[Key], now: Wall) -> Option<(&Key, bool)> {
    let start = |key: &Key| key.send.as_ref().map(|send| send.start);
    let valid =
        keys.iter().filter(|key| is_within(key.send.as_ref(), now)).max_by_key(|k| start(k));
    valid
        .map(|key| (key, true))
        .or_else(|| fallback(keys, now, |key| &key.send).map(|k| (k, false)))
}

/// The key that was over last; or, if none has begun yet, that which begins first.
fn fallback(
    keys: &[Key],
    now: Wall,
    lifetime: impl Fn(&Key) -> &Option<Range<Wall>>,
) -> Option<&Key> {
    let of = |key: &&Key| lifetime(key).clone();
    let over = keys.iter().filter(|key| of(key).is_some_and(|range| range.end <= now));
    let last = over.max_by_key(|key| of(key).map(|range| range.end));
    last.or_else(|| keys.iter().min_by_key(|key| of(key).map(|range| range.start)))
}

fn is_within(lifetime: Option<&Range<Wall>>, now: Wall) -> bool {
    lifetime.is_none_or(|range| range.contains(&now))
}

/// The password as it stands in the header, filled up with zeros.
fn padded(secret: &Secret) -> [u8; 8] {
    let mut password = [0; 8];
    password.iter_mut().zip(secret.expose()).for_each(|(to, from)| *to = *from);
    password
}

impl Interface {
    /// How the next packet is authenticated. `sequence`: microseconds of calendar time, ever growing.
    pub(super) fn signature(&self, now: Wall, sequence: u64) -> Signature<'_> {
        match &self.settings.authentication {
            Authentication::Null => Signature::Null,
            Authentication::Simple(secret) => Signature::Simple(padded(secret)),
            Authentication::Cryptographic { keys, extended } => match signing(keys, now) {
                // The configuration allows no empty list.
                None => Signature::Null,
                Some((key, _)) => {
                    let (algorithm, secret) = (key.algorithm, key.secret.expose());
                    if *extended {
                        let key_id = u32::from(key.id);
                        Signature::Extended { key_id, algorithm, key: secret, sequence }
                    } else {
                        // Seconds: they last until 2106, and need not differ from packet to packet.
                        let sequence = u32::try_from(sequence / 1_000_000).unwrap_or(u32::MAX);
                        Signature::Cryptographic {
                            key_id: key.id,
                            algorithm,
                            key: secret,
                            sequence,
                        }
                    }
                }
            },
        }
    }

    /// The key that signs although its time to send is over, or has not come.
    fn overdue(&self, now: Wall) -> Option<u8> {
        match self.settings.authentication.signing_key(now)? {
            (key, false) => Some(key.id),
            _ => None,
        }
    }

    /// Whether the packet comes from who has our password or key. The sequence number comes back, if there is one.
    pub(super) fn verify(
        &self,
        frame: &Frame<'_>,
        source: Ipv4Addr,
        now: Wall,
    ) -> Result<Option<Sequence>, Difference> {
        let ours = &self.settings.authentication;
        let (id, sequence) = match (ours, frame.authentication) {
            (Authentication::Null, AuthenticationField::Null) => return Ok(None),
            (Authentication::Simple(secret), AuthenticationField::Simple(_)) => {
                let same = frame.has_password(&padded(secret));
                return if same { Ok(None) } else { Err(Difference::Password) };
            }
            (
                Authentication::Cryptographic { extended: false, .. },
                AuthenticationField::Cryptographic { key_id, sequence, .. },
            ) => (u32::from(key_id), Sequence::Short(sequence)),
            (
                Authentication::Cryptographic { extended: true, .. },
                AuthenticationField::Extended { key_id, sequence, .. },
            ) => (key_id, Sequence::Extended(sequence)),
            (_, theirs) => {
                let theirs = match theirs {
                    AuthenticationField::Null => 0,
                    AuthenticationField::Simple(_) => 1,
                    AuthenticationField::Cryptographic { .. } => 2,
                    AuthenticationField::Extended { .. } => 3,
                };
                return Err(Difference::AuthenticationType { ours: ours.code(), theirs });
            }
        };
        let Authentication::Cryptographic { keys, .. } = ours else { return Ok(None) };
        let mut named = keys.iter().filter(|key| u32::from(key.id) == id).peekable();
        if named.peek().is_none() {
            return Err(Difference::Key { id });
        }
        let none_valid = !keys.iter().any(|key| is_within(key.accept.as_ref(), now));
        let last = if none_valid { fallback(keys, now, |key| &key.accept) } else { None };
        let mut valid = named
            .filter(|key| {
                is_within(key.accept.as_ref(), now) || last.is_some_and(|last| last.id == key.id)
            })
            .peekable();
        if valid.peek().is_none() {
            return Err(Difference::KeyLifetime { id });
        }
        if valid.any(|key| frame.verify(key.algorithm, key.secret.expose(), source)) {
            Ok(Some(sequence))
        } else {
            Err(Difference::Digest { id })
        }
    }
}

impl Interface {
    /// What a packet that is verified says of its sender beside the packet (RFC 5613). A block behind a packet with a
    /// digest is believed only with one of its own.
    pub(super) fn extended_options(
        &self,
        frame: &Frame<'_>,
        body: &Body,
        source: Ipv4Addr,
    ) -> Result<ExtendedOptions, &'static str> {
        let Some(block) = frame.signalling(body).map_err(|malformed| malformed.name())? else {
            return Ok(ExtendedOptions::default());
        };
        if let Authentication::Cryptographic { keys, .. } = &self.settings.authentication
            && !keys.iter().any(|key| block.verify(key.algorithm, key.secret.expose(), source))
        {
            return Err("bad-lls-digest");
        }
        Ok(block.extended_options)
    }
}

impl Router {
    /// The next sequence number: calendar time, so that it grows over restarts without a file, unless the clock goes
    /// back between them; then neighbours take us for dead first.
    pub(super) fn next_sequence(&mut self, now: Time) -> u64 {
        let calendar = u64::try_from(self.wall(now).as_micros()).unwrap_or(0);
        self.sequence = calendar.max(self.sequence + 1);
        self.sequence
    }

    /// Whether the packet is none that was sent before. The first of a neighbour counts as new.
    pub(super) fn is_fresh(
        &mut self,
        from: (u32, RouterId),
        kind: PacketKind,
        sequence: Option<Sequence>,
    ) -> bool {
        match (sequence, self.neighbor_mut(from)) {
            (Some(sequence), Some(neighbor)) => neighbor.replay.accept(kind, sequence),
            _ => true,
        }
    }

    /// Says once when an interface has to sign with a key whose time is over.
    pub(super) fn report_overdue_key(&mut self, index: u32, now: Time) {
        let wall = self.wall(now);
        let Some(interface) = self.interfaces.get_mut(&index) else { return };
        let overdue = interface.overdue(wall);
        if interface.overdue_key == overdue {
            return;
        }
        interface.overdue_key = overdue;
        let name = interface.name.clone();
        if let Some(id) = overdue {
            let text = format!(
                "no key may be sent at this time: key {id} is used on; give a new one, with send-from and send-until"
            );
            self.note(name, text, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ospf::Algorithm;

    fn key(id: u8, send: Option<Range<i64>>) -> Key {
        let lifetime =
            send.map(|range| Wall::from_micros(range.start)..Wall::from_micros(range.end));
        Key {
            id,
            algorithm: Algorithm::HmacSha256,
            secret: Secret::from_file(b"k", 0o600).unwrap(),
            send: lifetime.clone(),
            accept: lifetime,
        }
    }

    fn signs(keys: &[Key], now: i64) -> (u8, bool) {
        let (key, valid) = signing(keys, Wall::from_micros(now)).unwrap();
        (key.id, valid)
    }

    #[test]
    fn the_valid_key_that_began_last_signs() {
        let keys = [key(1, None), key(2, Some(10..30)), key(3, Some(20..30))];
        assert_eq!(signs(&keys, 9), (1, true));
        assert_eq!(signs(&keys, 10), (2, true));
        assert_eq!(signs(&keys, 20), (3, true));
        assert_eq!(signs(&keys, 30), (1, true));
    }

    #[test]
    fn without_a_valid_key_the_last_one_is_used_on() {
        let keys = [key(1, Some(10..20)), key(2, Some(15..30)), key(3, Some(90..99))];
        assert_eq!(signs(&keys, 50), (2, false));
        assert_eq!(signs(&keys, 5), (1, false));
    }

    #[test]
    fn an_old_number_is_refused() {
        let mut replay = Replay::default();
        let (hello, update) = (PacketKind::Hello, PacketKind::LinkStateUpdate);
        assert!(replay.accept(hello, Sequence::Short(7)));
        assert!(replay.accept(hello, Sequence::Short(7)));
        assert!(!replay.accept(update, Sequence::Short(6)));
        assert!(replay.accept(update, Sequence::Short(8)));
        assert!(!replay.accept(hello, Sequence::Short(7)));
    }

    #[test]
    fn extended_numbers_grow_strictly_but_types_may_overtake_each_other() {
        let mut replay = Replay::default();
        let (hello, update) = (PacketKind::Hello, PacketKind::LinkStateUpdate);
        assert!(replay.accept(hello, Sequence::Extended(7)));
        assert!(!replay.accept(hello, Sequence::Extended(7)));
        assert!(replay.accept(update, Sequence::Extended(6)));
        assert!(!replay.accept(update, Sequence::Extended(6)));
        assert!(replay.accept(hello, Sequence::Extended(8)));
    }
}
