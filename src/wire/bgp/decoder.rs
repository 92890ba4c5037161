use bytes::BytesMut;

use super::{Message, Notification, Open, SessionFacts, frame_length};

/// Cuts the octets of one connection into messages, however they arrive.
///
/// What OPENs settle changes how later messages read, so the decoder negotiates for itself when an
/// OPEN passes: an OPEN and the UPDATEs behind it may come in one read.
///
/// Call [`Decoder::next`] until `None` after each [`Decoder::feed`]; then never more than one
/// unfinished message is held. After an error nothing more is decoded.
#[derive(Clone, Debug)]
pub struct Decoder {
    ours: Open,
    facts: SessionFacts,
    buffer: BytesMut,
    failed: bool,
}

impl Decoder {
    /// `ours` is the OPEN that we send on this connection.
    pub fn new(ours: Open) -> Decoder {
        Decoder { ours, facts: SessionFacts::default(), buffer: BytesMut::new(), failed: false }
    }

    /// Takes octets as read from the connection.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole message, or the NOTIFICATION that answers what is there instead.
    #[allow(clippy::should_implement_trait)] // an iterator's `None` would mean the end
    pub fn next(&mut self) -> Option<Result<Message, Notification>> {
        self.next_seen(|_, _| ())
    }

    /// The same; `see` is shown the octets of the message, whether it can be understood or not, and what the OPENs settled.
    pub fn next_seen(
        &mut self,
        see: impl FnOnce(&[u8], &SessionFacts),
    ) -> Option<Result<Message, Notification>> {
        if self.failed {
            return None;
        }
        let result = match frame_length(&self.buffer, self.facts.extended_message) {
            Ok(Some(length)) if self.buffer.len() >= length => {
                let frame = self.buffer.split_to(length);
                see(&frame, &self.facts);
                Message::parse(&frame, &self.facts)
            }
            Ok(_) => return None,
            Err(notification) => Err(notification),
        };
        match &result {
            Ok(Message::Open(theirs)) => {
                self.facts = SessionFacts::negotiate(&self.ours, theirs);
            }
            Ok(_) => {}
            Err(_) => {
                self.failed = true;
                self.buffer = BytesMut::new();
            }
        }
        Some(result)
    }

    /// What the last OPEN settled; nothing before it.
    pub fn facts(&self) -> &SessionFacts {
        &self.facts
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::{Announced, Attributes, Capability, MAX_LENGTH, NextHop, Nlri, Update};
    use super::*;
    use crate::types::{Asn, Family, Prefix, RouterId};

    fn open(asn: u32) -> Open {
        Open {
            asn: Asn(asn),
            hold_time: 90,
            router_id: RouterId::from_bits(asn),
            capabilities: vec![
                Capability::multiprotocol(Family::Ipv4),
                Capability::multiprotocol(Family::Ipv6),
                Capability::FourOctetAs(Asn(asn)),
                Capability::ExtendedMessage,
            ],
        }
    }

    /// An OPEN, a long UPDATE that only reads right with what the OPEN says, a KEEPALIVE.
    fn conversation() -> (Vec<Message>, BytesMut) {
        let next_hop: IpAddr = "192.0.2.1".parse().unwrap();
        let mut attributes = Attributes::originated(NextHop::from(next_hop));
        attributes.as_path = super::super::AsPath::sequence([Asn(4_200_000_001)]);
        let nlri = (0..2000_u32)
            .map(|n| Nlri::from(Prefix::host(IpAddr::from(n.to_be_bytes()))))
            .collect();
        let update =
            Update { announced: vec![Announced { attributes, nlri }], ..Update::default() };
        let theirs = open(4_200_000_001);
        let facts = SessionFacts::negotiate(&open(64500), &theirs);
        let messages = vec![Message::Open(theirs), Message::Update(update), Message::Keepalive];
        let mut bytes = BytesMut::new();
        messages.iter().for_each(|message| message.emit(&facts, &mut bytes));
        assert!(bytes.len() > 2 * MAX_LENGTH);
        (messages, bytes)
    }

    #[test]
    fn messages_do_not_depend_on_how_the_octets_arrive() {
        let (messages, bytes) = conversation();
        for step in [1, 7, 4096, bytes.len()] {
            let mut decoder = Decoder::new(open(64500));
            let mut decoded = Vec::new();
            for chunk in bytes.chunks(step) {
                decoder.feed(chunk);
                decoded.extend(std::iter::from_fn(|| decoder.next()).map(Result::unwrap));
            }
            assert_eq!(decoded, messages, "in steps of {step}");
            assert!(decoder.facts().ebgp && decoder.facts().four_octet_as);
        }
    }

    #[test]
    fn nothing_is_decoded_behind_an_error() {
        let (_, bytes) = conversation();
        let mut decoder = Decoder::new(open(64500));
        decoder.feed(&[0; 19]);
        decoder.feed(&bytes);
        assert_eq!(decoder.next(), Some(Err(Notification::connection_not_synchronized())));
        decoder.feed(&bytes);
        assert_eq!(decoder.next(), None);
        assert!(decoder.buffer.is_empty());
    }
}
