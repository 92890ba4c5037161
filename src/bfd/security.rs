use super::Authentication;
use crate::types::Secret;
use crate::wire::bfd::{Algorithm, AuthenticationSection, Packet};

/// Sequence numbers of an authenticated session (RFC 5880 §6.7.3, §6.7.4).
#[derive(Clone, Debug)]
pub(super) struct Security {
    /// bfd.XmitAuthSeq.
    transmitted: u32,
    /// bfd.RcvAuthSeq; `None`: bfd.AuthSeqKnown is 0.
    received: Option<u32>,
}

impl Security {
    /// The number begins anywhere (§6.8.1), so that what was sent before a restart is not likely to fit.
    pub fn new(transmitted: u32) -> Security {
        Security { transmitted, received: None }
    }

    /// Nothing has come for so long that the other side may have begun to count anew.
    pub fn forget(&mut self) {
        self.received = None;
    }

    /// Puts the section of the first key into a packet, and says what to sign it with. The number of a meticulous
    /// algorithm grows with each packet, the other one's with each that says something else (`changed`).
    pub fn sign<'a>(
        &mut self,
        authentication: Option<&'a Authentication>,
        changed: bool,
        packet: &mut Packet,
    ) -> &'a [u8] {
        let Some((algorithm, key)) =
            authentication.and_then(|used| Some((used.algorithm, used.keys.first()?)))
        else {
            return &[];
        };
        if changed || algorithm.is_meticulous() {
            self.transmitted = self.transmitted.wrapping_add(1);
        }
        let sequence = if algorithm == Algorithm::Simple { 0 } else { self.transmitted };
        packet.authentication = Some(AuthenticationSection { algorithm, key_id: key.id, sequence });
        key.secret.expose()
    }

    /// RFC 5880 §6.7, and the two checks of §6.8.6 before it. Only what is genuine moves the window: the RFC lets the
    /// first packet set it before its digest is looked at, which would let anybody shut us off.
    pub fn verify(
        &mut self,
        authentication: Option<&Authentication>,
        packet: &Packet,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        let (used, section) = match (authentication, packet.authentication) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err("unexpected-authentication"),
            (Some(_), None) => return Err("no-authentication"),
            (Some(used), Some(section)) => (used, section),
        };
        if section.algorithm != used.algorithm {
            return Err("wrong-authentication-type");
        }
        let secrets = || {
            let named = used.keys.iter().filter(|key| key.id == section.key_id);
            named.map(|key| &key.secret)
        };
        if secrets().next().is_none() {
            return Err("unknown-key");
        }
        if !secrets().map(Secret::expose).any(|secret| packet.verify(payload, secret)) {
            return Err("wrong-digest");
        }
        if section.algorithm == Algorithm::Simple {
            return Ok(());
        }
        // The numbers are a circle.
        if let Some(last) = self.received {
            let ahead = section.sequence.wrapping_sub(last);
            let least = u32::from(section.algorithm.is_meticulous());
            if !(least..=3 * u32::from(packet.multiplier)).contains(&ahead) {
                return Err("wrong-sequence");
            }
        }
        self.received = Some(section.sequence);
        Ok(())
    }
}
