//! A netlink socket for one operation: requests out, answers in, with a deadline.
//!
//! A socket belongs to the network namespace of the thread that opened it. Each operation opens its own (about 20 µs),
//! and passes over what answers an earlier request.

use crate::{
    error::{NetError, Result},
    wire::{self, DUMP, Request},
};
use netlink_sys::{Socket, SocketAddr, protocols};
use nix::{
    errno::Errno,
    sys::{
        socket::{setsockopt, sockopt::ReceiveTimeout},
        time::{TimeVal, TimeValLike},
    },
};

/// How long the kernel may take to answer.
const DEADLINE_SECONDS: i64 = 10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const FLAG_ACK_TLVS: u16 = 0x200;
const ACK_TEXT: u16 = 1;

/// Which kernel subsystem is spoken to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    /// Links, addresses, routes.
    Route,
    /// nftables.
    Netfilter,
}

/// A netlink socket.
pub(crate) struct Channel {
    socket: Socket,
    sequence: u32,
}

impl Channel {
    /// Opens a socket in the calling thread's namespace.
    pub(crate) fn open(family: Family) -> Result<Self> {
        let protocol = match family {
            Family::Route => protocols::NETLINK_ROUTE,
            Family::Netfilter => protocols::NETLINK_NETFILTER,
        };
        let fail = |source: std::io::Error| NetError::io("open", "netlink socket", source);
        let mut socket = Socket::new(protocol).map_err(fail)?;
        socket.bind_auto().map_err(fail)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(fail)?;
        socket.set_ext_ack(true).map_err(fail)?;
        socket.set_cap_ack(true).map_err(fail)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(DEADLINE_SECONDS)).map_err(|e| fail(e.into()))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends one request and waits for its acknowledgement.
    pub(crate) fn execute(&mut self, request: Request, operation: &'static str, object: &str) -> Result<()> {
        self.batch(vec![request], operation, object)
    }

    /// Sends requests in one datagram and waits until the last is acknowledged or one is refused.
    pub(crate) fn batch(&mut self, requests: Vec<Request>, operation: &'static str, object: &str) -> Result<()> {
        self.bracketed(None, requests, None, operation, object)
    }

    /// As [`Channel::batch`], between two messages that are not acknowledged themselves.
    pub(crate) fn bracketed(
        &mut self,
        before: Option<Request>,
        requests: Vec<Request>,
        after: Option<Request>,
        operation: &'static str,
        object: &str,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        let first = self.sequence + 1;
        if let Some(before) = before {
            bytes.extend(before.finish(self.next()));
        }
        let count = requests.len();
        if count == 0 {
            return Ok(());
        }
        for (at, request) in requests.into_iter().enumerate() {
            let request = if at + 1 == count { request.acknowledged() } else { request };
            bytes.extend(request.finish(self.next()));
        }
        let last = self.sequence;
        if let Some(after) = after {
            bytes.extend(after.finish(self.next()));
        }
        self.send(&bytes, operation, object)?;
        loop {
            let datagram = self.receive(operation, object)?;
            for message in wire::messages(&datagram) {
                // What answers an earlier batch, which ended at its first refusal, is passed over.
                if message.kind == NLMSG_ERROR && message.sequence >= first {
                    refused(&message, operation, object)?;
                    if message.sequence == last {
                        davit_sys::fault::point("netlink.done");
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends a request for a listing; `each` gets the payload of every message.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        header: &[u8],
        fill: impl FnOnce(&mut Request),
        operation: &'static str,
        object: &str,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        let mut request = Request::new(kind, DUMP, header);
        fill(&mut request);
        let bytes = request.finish(self.next());
        self.send(&bytes, operation, object)?;
        loop {
            let datagram = self.receive(operation, object)?;
            for message in wire::messages(&datagram).filter(|message| message.sequence == self.sequence) {
                match message.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        refused(&message, operation, object)?;
                        return Ok(());
                    }
                    _ => each(message.payload),
                }
            }
        }
    }

    /// Sends a request that is answered by one message.
    pub(crate) fn ask(&mut self, request: Request, operation: &'static str, object: &str) -> Result<Vec<u8>> {
        let bytes = request.finish(self.next());
        self.send(&bytes, operation, object)?;
        loop {
            let datagram = self.receive(operation, object)?;
            let Some(message) = wire::messages(&datagram).find(|message| message.sequence == self.sequence) else {
                continue;
            };
            if message.kind != NLMSG_ERROR {
                return Ok(message.payload.to_vec());
            }
            refused(&message, operation, object)?;
            // An acknowledgement where an answer was due.
            return Err(NetError::Answer { operation, object: object.to_owned() });
        }
    }

    fn next(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    fn send(&self, bytes: &[u8], operation: &'static str, object: &str) -> Result<()> {
        self.socket.send(bytes, 0).map(drop).map_err(|source| NetError::io(operation, object, source))
    }

    fn receive(&self, operation: &'static str, object: &str) -> Result<Vec<u8>> {
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => return Ok(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(NetError::io(operation, object, source)),
            }
        }
    }
}

/// Fails where an `NLMSG_ERROR` carries an error number.
fn refused(message: &wire::Received<'_>, operation: &'static str, object: &str) -> Result<()> {
    let code = wire::u32_at(message.payload, 0).map_or(0, u32::cast_signed);
    if code == 0 {
        return Ok(());
    }
    // `struct nlmsgerr`: the error, then the header of the request, then (as the socket is capped) the attributes.
    let detail = if message.flags & FLAG_ACK_TLVS == 0 {
        String::new()
    } else {
        let attributes = message.payload.get(20..).unwrap_or_default();
        wire::find(attributes, ACK_TEXT).map(wire::string).unwrap_or_default()
    };
    let errno = Errno::from_raw(code.wrapping_neg());
    Err(NetError::Netlink { operation, object: object.to_owned(), errno, detail })
}
