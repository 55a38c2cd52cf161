//! DNS over TCP on a socket that never blocks: two bytes of length, then a message, in both directions.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// More than this many bytes waiting to be sent to one peer: it does not read, and is cut off.
const MAX_WAITING: usize = 1 << 20;

/// A connection with what is read and written of it so far.
#[derive(Debug)]
pub(super) struct Framed {
    pub(super) stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Framed {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, input: Vec::new(), output: Vec::new() })
    }

    /// Reads what is there. Whole messages, and whether the peer is done.
    pub(super) fn read(&mut self) -> io::Result<(Vec<Vec<u8>>, bool)> {
        let mut buffer = [0; 4096];
        let mut done = false;
        // A bounded share of one turn; what is left makes the socket readable again.
        for _ in 0..16 {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    done = true;
                    break;
                }
                Ok(n) => self.input.extend(buffer.iter().take(n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let mut messages = Vec::new();
        let mut rest = self.input.as_slice();
        while let Some((length, body)) = rest.split_first_chunk::<2>() {
            let Some((message, after)) = body.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { break };
            messages.push(message.to_vec());
            rest = after;
        }
        self.input = rest.to_vec();
        Ok((messages, done))
    }

    /// Queues a message and writes as much as goes.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        if self.output.len() > MAX_WAITING {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        self.output.extend(length.to_be_bytes());
        self.output.extend_from_slice(message);
        self.flush()
    }

    /// Writes as much as goes; a connection that is still being made takes nothing yet.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(n) => drop(self.output.drain(..n)),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Whether something waits to be written.
    pub(super) fn waiting(&self) -> bool {
        !self.output.is_empty()
    }
}
