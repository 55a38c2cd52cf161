//! One question under way to upstream servers, one after the other.

use super::stream::Framed;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// How long one server has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Client {
    /// By UDP at this gateway, from there.
    Udp(IpAddr, SocketAddr),
    /// By TCP, on the connection of this number.
    Tcp(u64),
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(Framed),
}

/// A question that waits for an answer.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) client: Client,
    /// As the client sent it.
    pub(super) request: Vec<u8>,
    id: [u8; 2],
    left: VecDeque<SocketAddr>,
    socket: Socket,
    pub(super) deadline: Instant,
}

impl Forward {
    /// Asks the first of `upstream` that can be asked at all. None: no server could be asked.
    pub(super) fn start(client: Client, request: Vec<u8>, upstream: VecDeque<SocketAddr>) -> Option<Self> {
        let mut left = upstream;
        let (id, socket) = ask_next(client, &request, &mut left)?;
        Some(Self { client, request, id, left, socket, deadline: Instant::now() + PATIENCE })
    }

    /// Goes on with the next server; false: there is none.
    pub(super) fn next(&mut self) -> bool {
        match ask_next(self.client, &self.request, &mut self.left) {
            Some((id, socket)) => {
                (self.id, self.socket, self.deadline) = (id, socket, Instant::now() + PATIENCE);
                true
            }
            None => false,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Udp(udp) => udp.as_fd(),
            Socket::Tcp(tcp) => tcp.stream.as_fd(),
        }
    }

    /// Whether the socket has to become writable for this to go on.
    pub(super) fn writes(&self) -> bool {
        matches!(&self.socket, Socket::Tcp(tcp) if tcp.waiting())
    }

    /// Reads what came. The answer, under the client's own id; none yet; or an error of this server.
    pub(super) fn ready(&mut self) -> io::Result<Option<Vec<u8>>> {
        let messages = match &mut self.socket {
            Socket::Udp(udp) => {
                let mut buffer = vec![0; 65_536];
                match udp.recv(&mut buffer) {
                    Ok(n) => {
                        buffer.truncate(n);
                        vec![buffer]
                    }
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Vec::new(),
                    Err(e) => return Err(e),
                }
            }
            Socket::Tcp(tcp) => {
                tcp.flush()?;
                let (messages, done) = tcp.read()?;
                if done && messages.is_empty() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                messages
            }
        };
        Ok(messages.into_iter().find_map(|m| self.accept(m)))
    }

    /// Only the answer to what was asked: our id, a response, the same question.
    fn accept(&self, mut message: Vec<u8>) -> Option<Vec<u8>> {
        let asked = question(&self.request)?;
        let answered = message.get(12..12 + asked.len())?;
        let response = message.get(2)? & 0x80 != 0;
        if !message.starts_with(&self.id) || !response || !answered.eq_ignore_ascii_case(asked) {
            return None;
        }
        message.get_mut(..2)?.copy_from_slice(self.request.get(..2)?);
        Some(message)
    }
}

/// The first question of a message, as its bytes: a name without compression, type, class.
fn question(message: &[u8]) -> Option<&[u8]> {
    let body = message.get(12..)?;
    let mut at = 0;
    loop {
        match *body.get(at)? {
            0 => return body.get(..at + 5),
            length if length < 64 => at += usize::from(length) + 1,
            _ => return None,
        }
    }
}

fn ask_next(client: Client, request: &[u8], left: &mut VecDeque<SocketAddr>) -> Option<([u8; 2], Socket)> {
    while let Some(server) = left.pop_front() {
        if let Ok(asked) = ask(client, request, server) {
            return Some(asked);
        }
    }
    None
}

fn ask(client: Client, request: &[u8], server: SocketAddr) -> io::Result<([u8; 2], Socket)> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    let mut message = request.to_vec();
    message.get_mut(..2).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(&id);
    let socket = match client {
        Client::Udp(..) => {
            let any = if server.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
            // The kernel chooses a random port, and takes datagrams from this server only.
            let udp = UdpSocket::bind(SocketAddr::new(any, 0))?;
            udp.set_nonblocking(true)?;
            udp.connect(server)?;
            udp.send(&message)?;
            Socket::Udp(udp)
        }
        Client::Tcp(_) => {
            let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let fd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
            match connect(&fd, &server) {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
                Err(e) => return Err(e.into()),
            }
            let mut tcp = Framed::new(TcpStream::from(fd))?;
            tcp.send(&message)?;
            Socket::Tcp(tcp)
        }
    };
    Ok((id, socket))
}
