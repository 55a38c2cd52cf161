//! Descriptors that tokio polls.

#![allow(
    deprecated,
    reason = "AsyncFd's other constructors are unsafe, for types that change their descriptor; `Fd` cannot"
)]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Something with one descriptor for all its life.
#[derive(Debug)]
pub(crate) struct Fd<T>(T);

impl<T: AsFd> AsRawFd for Fd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T> Fd<T> {
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

/// What can be polled for reading alone, or for both directions.
pub(crate) type Polled<T> = AsyncFd<Fd<T>>;

/// For reading.
pub(crate) fn readable<T: AsFd>(inner: T) -> io::Result<Polled<T>> {
    AsyncFd::with_interest(Fd(inner), Interest::READABLE)
}

/// For reading and writing.
pub(crate) fn both(inner: OwnedFd) -> io::Result<Polled<OwnedFd>> {
    AsyncFd::new(Fd(inner))
}

/// The descriptor itself.
pub(crate) fn fd(polled: &Polled<OwnedFd>) -> BorrowedFd<'_> {
    polled.get_ref().get().as_fd()
}
