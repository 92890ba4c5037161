//! A BGP neighbour under the test's control, down to the single octet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use shunt::types::{Asn, Family, Prefix, RouterId};
use shunt::wire::bgp::{
    Announced, AsPath, Attributes, Capability, Decoder, Message, NextHop, Notification, Open,
    Origin, SessionFacts, Update,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::process::{PORT, SOON};

pub struct Speaker {
    pub stream: TcpStream,
    decoder: Decoder,
    open: Open,
}

impl Speaker {
    /// Dials from `local`. `receive_buffer` in octets keeps TCP from taking much that nobody reads.
    pub async fn dial(
        asn: u32,
        local: Ipv4Addr,
        remote: Ipv4Addr,
        receive_buffer: Option<u32>,
    ) -> Speaker {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(octets) = receive_buffer {
            socket.set_recv_buffer_size(octets).unwrap();
        }
        socket.bind(SocketAddr::new(local.into(), 0)).unwrap();
        let stream = socket.connect(SocketAddr::new(remote.into(), PORT)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let open = Open {
            asn: Asn(asn),
            hold_time: 0,
            router_id: RouterId(local),
            capabilities: vec![
                Capability::Multiprotocol { afi: 1, safi: 1 },
                Capability::FourOctetAs(Asn(asn)),
            ],
        };
        Speaker { stream, decoder: Decoder::new(open.clone()), open }
    }

    /// Hold time 0 if not set: no keepalives are needed.
    pub fn with_hold_time(mut self, seconds: u16) -> Speaker {
        self.open.hold_time = seconds;
        self
    }

    /// What this side sends to become established.
    pub fn greeting(&self) -> Vec<u8> {
        [encode(&Message::Open(self.open.clone())), encode(&Message::Keepalive)].concat()
    }

    pub async fn establish(&mut self) {
        self.stream.write_all(&self.greeting()).await.unwrap();
        while self.read().await != Some(Message::Keepalive) {}
    }

    /// The next message; `None` when the daemon has closed.
    pub async fn read(&mut self) -> Option<Message> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next() {
                return Some(message.unwrap());
            }
            match timeout(SOON, self.stream.read(&mut buffer)).await.expect("silence") {
                Ok(0) => return None,
                Ok(length) => self.decoder.feed(&buffer[..length]),
                Err(error) => panic!("the connection was reset: {error}"),
            }
        }
    }

    /// The NOTIFICATION before the daemon closed.
    pub async fn notification(&mut self) -> Option<Notification> {
        let mut last = None;
        while let Some(message) = self.read().await {
            last = match message {
                Message::Notification(notification) => Some(notification),
                _ => None,
            };
        }
        last
    }
}

fn facts() -> SessionFacts {
    SessionFacts {
        ebgp: true,
        four_octet_as: true,
        families: vec![Family::Ipv4],
        ..SessionFacts::default()
    }
}

pub fn encode(message: &Message) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    message.emit(&facts(), &mut bytes);
    bytes.to_vec()
}

/// An UPDATE that announces one prefix.
pub fn announce(asn: u32, next_hop: Ipv4Addr, prefix: &str, med: u32) -> Vec<u8> {
    let prefix: Prefix = prefix.parse().unwrap();
    let attributes = Attributes {
        origin: Origin::Igp,
        as_path: AsPath::sequence([Asn(asn)]),
        next_hop: NextHop::from(IpAddr::V4(next_hop)),
        med: Some(med),
        local_pref: None,
        atomic_aggregate: false,
        aggregator: None,
        communities: Box::default(),
        extended_communities: Box::default(),
        large_communities: Box::default(),
        originator_id: None,
        cluster_list: Box::default(),
        only_to_customer: None,
        unknown: Box::default(),
    };
    let announced = vec![Announced { attributes, nlri: vec![prefix.into()] }];
    encode(&Message::Update(Update { announced, ..Update::default() }))
}

/// Whether a dialled connection is closed by the other side without a word.
pub async fn is_closed_silently(local: Ipv4Addr, remote: Ipv4Addr) -> bool {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(local.into(), 0)).unwrap();
    let mut stream = socket.connect(SocketAddr::new(remote.into(), PORT)).await.unwrap();
    let within = Duration::from_secs(10);
    match timeout(within, stream.read(&mut [0; 64])).await {
        Ok(Ok(0)) => true,
        Ok(Err(error)) => error.kind() == std::io::ErrorKind::ConnectionReset,
        _ => false,
    }
}
