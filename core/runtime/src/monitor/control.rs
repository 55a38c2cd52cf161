//! The control socket in the run directory: how an engine that was not there at the start speaks to a monitor.

use crate::report::{Answer, Ask};
use crate::socket;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Its name in the run directory.
pub(crate) const SOCKET: &str = "monitor.sock";
/// Most engines at a time.
const MAX_CLIENTS: usize = 16;

#[derive(Debug)]
pub(super) struct Control {
    listener: OwnedFd,
    clients: Vec<OwnedFd>,
}

/// The socket's address through the descriptor: a path of a run directory may exceed the 108 bytes of `sun_path`.
pub(crate) fn address(run_dir: BorrowedFd<'_>) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", run_dir.as_raw_fd()))?)
}

impl Control {
    pub(super) fn listen(run_dir: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        match rustix::fs::unlinkat(run_dir, SOCKET, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        rustix::net::bind(&listener, &address(run_dir)?)?;
        rustix::net::listen(&listener, 8)?;
        Ok(Self { listener, clients: Vec::new() })
    }

    pub(super) fn remove(&self, run_dir: BorrowedFd<'_>) {
        // Gone with the run directory: then there is nothing to remove.
        rustix::fs::unlinkat(run_dir, SOCKET, AtFlags::empty()).ok();
    }

    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.clients.iter().map(AsFd::as_fd)
    }

    /// Takes a client in, if it is root's.
    pub(super) fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(client) = rustix::net::accept_with(&self.listener, flags) else { return };
        let root = rustix::net::sockopt::socket_peercred(&client).is_ok_and(|peer| peer.uid.is_root());
        if root && self.clients.len() < MAX_CLIENTS {
            self.clients.push(client);
        }
    }

    /// What a client asks; one that left or sent garbage is dropped.
    pub(super) fn receive(&mut self, at: usize) -> Option<Ask> {
        let client = self.clients.get(at)?;
        match socket::receive_json(client.as_fd()) {
            Ok(Some((ask, _))) => Some(ask),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Ok(None) | Err(_) => {
                self.clients.remove(at);
                None
            }
        }
    }

    pub(super) fn answer(&mut self, at: usize, answer: &Answer, fd: Option<OwnedFd>) {
        let Some(client) = self.clients.get(at) else { return };
        let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
        if socket::send_json(client.as_fd(), answer, &fds).is_err() {
            self.clients.remove(at);
        }
    }
}
