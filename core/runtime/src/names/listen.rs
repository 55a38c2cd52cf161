//! The sockets of one gateway address.

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};

/// Both sockets of an address.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
}

impl Listener {
    /// Binds `address`, which need not be on a link yet.
    pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let at = SocketAddr::new(address, port);
        let udp = bound(at, SocketType::DGRAM)?;
        let tcp = bound(at, SocketType::STREAM)?;
        listen(&tcp, 64)?;
        Ok(Self { udp: UdpSocket::from(udp), tcp: TcpListener::from(tcp) })
    }
}

fn bound(at: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let (family, protocol) = match (at, kind) {
        (SocketAddr::V4(_), SocketType::STREAM) => (AddressFamily::INET, ipproto::TCP),
        (SocketAddr::V4(_), _) => (AddressFamily::INET, ipproto::UDP),
        (SocketAddr::V6(_), SocketType::STREAM) => (AddressFamily::INET6, ipproto::TCP),
        (SocketAddr::V6(_), _) => (AddressFamily::INET6, ipproto::UDP),
    };
    let fd = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))?;
    if at.is_ipv4() {
        sockopt::set_ip_freebind(&fd, true)?;
    } else {
        sockopt::set_ipv6_v6only(&fd, true)?;
        sockopt::set_ipv6_freebind(&fd, true)?;
    }
    if kind == SocketType::STREAM {
        // Connections of the resolver before us may still be winding down.
        sockopt::set_socket_reuseaddr(&fd, true)?;
    }
    bind(&fd, &at)?;
    Ok(fd)
}
