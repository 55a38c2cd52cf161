//! Whether a process of the host listens on a port: tried by binding it for a moment.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
};

/// Fails where the port cannot be bound at `address`, or, without one, at any address of either family.
///
/// SCTP is not probed: a socket of it would load the protocol.
pub(crate) fn listener(protocol: &str, address: Option<IpAddr>, port: u16) -> io::Result<()> {
    let addresses = match address {
        Some(address) => vec![address],
        None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
    };
    for address in addresses {
        let place = SocketAddr::new(address, port);
        let bound = match protocol {
            "tcp" => TcpListener::bind(place).map(drop),
            "udp" => UdpSocket::bind(place).map(drop),
            _ => Ok(()),
        };
        match bound {
            // No IPv6 on this host: nobody listens there either.
            Err(error) if address.is_unspecified() && error.kind() != ErrorKind::AddrInUse => {}
            other => other?,
        }
    }
    Ok(())
}
