use std::fmt::Display;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout_at;

use super::course::{Course, Fault, span};
use super::tls;
use crate::driver::exit::plain;
use crate::health::{Origin, Tls};

/// A connection to a service, with TLS or without.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
}

/// Connects, and sets up TLS if there is to be. Gives a warning about the certificate as well.
pub async fn open(
    course: &mut Course<'_>,
    to: SocketAddr,
    tls: Option<&Tls>,
    protocol: tls::Protocol,
) -> Result<(Stream, Option<String>), Fault> {
    let stream = tcp(course, to).await?;
    let (stream, warning) = match tls {
        None => (Stream::Plain(stream), None),
        Some(tls) => {
            let (stream, warning) = tls::shake_hands(course, stream, to, tls, protocol).await?;
            (Stream::Tls(Box::new(stream)), warning)
        }
    };
    course.connected();
    Ok((stream, warning))
}

/// Connects.
pub async fn tcp(course: &mut Course<'_>, to: SocketAddr) -> Result<TcpStream, Fault> {
    let origin = &course.settings.origin;
    let socket = socket(to.ip(), Type::STREAM, Protocol::TCP, origin)?;
    socket.set_tcp_nodelay(true).map_err(not_asked("TCP_NODELAY cannot be set"))?;
    let connect = TcpSocket::from_std_stream(socket.into()).connect(to);
    match timeout_at(course.connect_deadline(), connect).await {
        Ok(Ok(stream)) => {
            course.step(format_args!("connected to {to}"));
            course.connected();
            Ok(stream)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Fault::Failed(format!("connection refused by {to}")))
        }
        Ok(Err(error)) => Err(Fault::of(&error, format_args!("no connection to {to}"))),
        Err(_) => {
            let limit = span(course.settings.connect_timeout);
            Err(Fault::Failed(format!("no connection to {to} within {limit}")))
        }
    }
}

/// A socket that does not block, and comes from where the settings say.
pub fn socket(
    to: IpAddr,
    kind: Type,
    protocol: Protocol,
    origin: &Origin,
) -> Result<Socket, Fault> {
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, kind.nonblocking(), Some(protocol))
        .map_err(not_asked("there is no socket for it"))?;
    if origin.mark != 0 {
        let what = format!("mark {} cannot be set", origin.mark);
        socket.set_mark(origin.mark).map_err(not_asked(what))?;
    }
    if origin.traffic_class != 0 {
        let class = u32::from(origin.traffic_class);
        let set = match to {
            IpAddr::V4(_) => socket.set_tos_v4(class),
            IpAddr::V6(_) => socket.set_tclass_v6(class),
        };
        set.map_err(not_asked("the traffic class cannot be set"))?;
    }
    if let Some(interface) = &origin.interface {
        let what = format!("interface {interface} cannot be used");
        socket.bind_device(Some(interface.as_bytes())).map_err(not_asked(what))?;
    }
    if let Some(address) = origin.address {
        // Else the port would be taken for all destinations, and there are only so many ports.
        if kind == Type::STREAM {
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)
                .map_err(|error| not_asked("the source port cannot be left open")(error.into()))?;
        }
        let what = format!("source address {address} cannot be used");
        socket.bind(&SocketAddr::new(address, 0).into()).map_err(not_asked(what))?;
    }
    Ok(socket)
}

/// Has errors that routers and the other side report by ICMP told at once.
pub fn report_errors(socket: &Socket, to: IpAddr) -> Result<(), Fault> {
    let result = match to {
        IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
        IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
    };
    result.map_err(|error| not_asked("errors cannot be asked for")(error.into()))
}

/// Receives a datagram, or the error that is reported for what was sent.
pub async fn receive(socket: &AsyncFd<Socket>, buffer: &mut [u8]) -> io::Result<usize> {
    // An error alone does not make a socket readable for the runtime.
    let interest = Interest::READABLE | Interest::ERROR;
    socket.async_io(interest, |mut socket: &Socket| socket.read(buffer)).await
}

pub fn not_asked(what: impl Display) -> impl FnOnce(io::Error) -> Fault {
    move |error| Fault::NotAsked(format!("{what}: {}", plain(&error)))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
